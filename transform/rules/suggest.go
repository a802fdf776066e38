package rules

import (
	"strings"
	"unicode/utf8"
)

// nearest is the candidate that was most likely meant, or "" if none is near. Of equally near ones the first wins.
func nearest(word string, candidates []string) string {
	best, distance := "", utf8.RuneCountInString(word)/3+1
	lower := strings.ToLower(word)
	for _, c := range candidates {
		if c == word {
			continue
		}
		d := editDistance(lower, strings.ToLower(c), distance)
		if d < distance {
			best, distance = c, d
		}
	}
	return best
}

// didYouMean is the fix for an unknown word: the nearest candidate, or all of them if they are few.
func didYouMean(word string, candidates []string, otherwise string) string {
	if n := nearest(word, candidates); n != "" {
		return "did you mean " + asName(n) + "?"
	}
	if len(candidates) == 0 || len(candidates) > 12 {
		return otherwise
	}
	names := make([]string, len(candidates))
	for i, c := range candidates {
		names[i] = asName(c)
	}
	return "there is " + strings.Join(names, ", ")
}

// asName is a name as an expression writes it: in backticks if it is no word.
func asName(s string) string {
	for i, r := range s {
		if !nameRune(r) || i == 0 && !nameStart(r) {
			return "`" + s + "`"
		}
	}
	return s
}

// editDistance counts the insertions, deletions, replacements and swaps of neighbours between a and b; it may stop at limit.
func editDistance(a, b string, limit int) int {
	x, y := []rune(a), []rune(b)
	if len(x)-len(y) >= limit || len(y)-len(x) >= limit {
		return limit
	}
	rows := [3][]int{make([]int, len(y)+1), make([]int, len(y)+1), make([]int, len(y)+1)}
	for j := range rows[1] {
		rows[1][j] = j
	}
	for i := 1; i <= len(x); i++ {
		before, above, row := rows[0], rows[1], rows[2]
		row[0] = i
		for j := 1; j <= len(y); j++ {
			same := b2i(x[i-1] != y[j-1])
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+same)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		rows[0], rows[1], rows[2] = above, row, before
	}
	return rows[1][len(y)]
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
