package casefile

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// turned is an expression with one thing changed.
type turned struct {
	text string
	// change shows what, with what stands around it.
	change string
}

// word is a token of an expression: a name, a number, a text in quotes, a name in backticks, or an operator.
type word struct {
	text       string
	start, end int
}

// words cuts an expression into tokens, as the rules' own lexer does.
func words(src string) []word {
	var out []word
	for at := 0; at < len(src); {
		r, size := utf8.DecodeRuneInString(src[at:])
		end := at + size
		letter := func(r rune) bool {
			return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.Is(unicode.Mn, r)
		}
		switch {
		case unicode.IsSpace(r):
			at = end
			continue
		case r == '\'' || r == '`':
			for end < len(src) && src[end] != src[at] {
				end++
			}
			end = min(end+1, len(src))
		case unicode.IsDigit(r):
			for end < len(src) && (src[end] >= '0' && src[end] <= '9' || src[end] == '.') {
				end++
			}
		case letter(r):
			for end < len(src) {
				r, size := utf8.DecodeRuneInString(src[end:])
				if !letter(r) {
					break
				}
				end += size
			}
		default:
			for _, op := range []string{"||", "<=", ">=", "<>", "!="} {
				if strings.HasPrefix(src[at:], op) {
					end = at + len(op)
				}
			}
		}
		out = append(out, word{src[at:end], at, end})
		at = end
	}
	return out
}

// turns are what an operator or word becomes; several stand apart with a bar.
var turns = map[string]string{
	"<": ">=|<=", "<=": ">|<", ">": "<=|>=", ">=": "<|>", "=": "<>", "<>": "=", "!=": "=",
	"and": "or", "or": "and", "desc": "asc", "+": "-", "-": "+", "*": "+", "true": "false", "false": "true",
	"min": "max", "max": "min", "min_of": "max_of", "max_of": "min_of", "any": "all", "all": "any", "trim": "", "upper": "lower", "lower": "upper",
}

// turnExpression gives every mutant of an expression.
func turnExpression(src string) []turned {
	var out []turned
	ws := words(src)
	replace := func(from, to int, with string) {
		out = append(out, turned{text: src[:from] + with + src[to:], change: around(src, from, to, with)})
	}
	is := func(i int, text string) bool { return i >= 0 && i < len(ws) && ws[i].text == text }
	for i, w := range ws {
		first, _ := utf8.DecodeRuneInString(w.text)
		call := is(i+1, "(")
		switch {
		case is(i, "is"):
			if is(i+1, "not") {
				replace(ws[i+1].start, ws[i+1].end, "")
			} else {
				replace(w.end, w.end, " not")
			}
		case is(i, "not"):
			if !is(i-1, "is") && !is(i+1, "in") {
				replace(w.start, w.end, "")
			}
		case is(i, "in"):
			replace(w.start, w.start, "not ")
		case is(i, "order"):
			for _, at := range orderEnds(ws, i) {
				replace(at, at, " desc")
			}
		case unicode.IsDigit(first):
			replace(w.start, w.end, plusOne(w.text))
		case first == '\'':
			replace(w.start, w.end, w.text[:len(w.text)-1]+"~'")
		case !call && strings.Contains("min max min_of max_of any all trim upper lower", w.text) && unicode.IsLetter(first):
			// a column of that name
		default:
			if with, ok := turns[w.text]; ok {
				for t := range strings.SplitSeq(with, "|") {
					replace(w.start, w.end, t)
				}
			}
		}
	}
	return out
}

// orderEnds are the places behind the keys of an aggregate's order that have no direction yet.
func orderEnds(ws []word, order int) []int {
	var out []int
	depth := 0
	for i := order + 1; i < len(ws); i++ {
		switch t := ws[i].text; {
		case t == "(" || t == "[":
			depth++
		case (t == ")" || t == "]") && depth > 0:
			depth--
		case t == ")" || t == "," && depth == 0:
			if last := ws[i-1]; last.text != "desc" && last.text != "asc" {
				out = append(out, last.end)
			}
			if t == ")" {
				return out
			}
		}
	}
	return out
}

// plusOne counts up the last digit of a number.
func plusOne(number string) string {
	digits := []byte(number)
	for i := len(digits) - 1; i >= 0; i-- {
		if digits[i] == '.' {
			continue
		}
		if digits[i] < '9' {
			digits[i]++
			return string(digits)
		}
		digits[i] = '0'
	}
	return "1" + string(digits)
}

// around shows a change with a few characters on both sides.
func around(src string, from, to int, with string) string {
	before, after := []rune(src[:from]), []rune(src[to:])
	before, after = before[max(0, len(before)-24):], after[:min(24, len(after))]
	return strings.Join(strings.Fields(fmt.Sprintf("…%s[%s → %s]%s…", string(before), src[from:to], with, string(after))), " ")
}
