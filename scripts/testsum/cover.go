package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
)

// tools are not the product: their coverage says nothing about it.
var tools = []string{"shelfstream/scripts/", "shelfstream/internal/testenv", "shelfstream/internal/archtest", "shelfstream/deploy/"}

// mergeCover adds up profiles of the same source: a statement counts as covered if any of them covered it. It prints a line for
// each package and one for all.
func mergeCover(w io.Writer, out string, profiles []string) error {
	counts := map[string]int{} // "file:from,to statements" -> times
	for _, profile := range profiles {
		b, err := os.ReadFile(profile)
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(b)) {
			line = strings.TrimSpace(line)
			if line == "" || strings.HasPrefix(line, "mode:") {
				continue
			}
			i := strings.LastIndexByte(line, ' ')
			if i < 0 {
				return fmt.Errorf("%s: no count in %q", profile, line)
			}
			n, err := strconv.Atoi(line[i+1:])
			if err != nil {
				return fmt.Errorf("%s: %w", profile, err)
			}
			counts[line[:i]] = max(counts[line[:i]], n)
		}
	}
	f, err := os.Create(out)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, "mode: set")
	for _, block := range slices.Sorted(maps.Keys(counts)) {
		if err == nil {
			_, err = fmt.Fprintf(f, "%s %d\n", block, min(1, counts[block]))
		}
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return printCover(w, counts)
}

func printCover(w io.Writer, counts map[string]int) error {
	type share struct{ covered, all int }
	packages := map[string]*share{}
	total := &share{}
	for block, n := range counts {
		file, rest, _ := strings.Cut(block, ":")
		pkg := path.Dir(file)
		if slices.ContainsFunc(tools, func(t string) bool { return strings.HasPrefix(pkg+"/", t) }) {
			continue
		}
		statements, err := strconv.Atoi(rest[strings.LastIndexByte(rest, ' ')+1:])
		if err != nil {
			return fmt.Errorf("read %q: %w", block, err)
		}
		if packages[pkg] == nil {
			packages[pkg] = &share{}
		}
		for _, s := range []*share{packages[pkg], total} {
			s.all += statements
			if n > 0 {
				s.covered += statements
			}
		}
	}
	percent := func(s *share) float64 { return 100 * float64(s.covered) / float64(max(1, s.all)) }
	for _, pkg := range slices.Sorted(maps.Keys(packages)) {
		fmt.Fprintf(w, "%6.1f%%  %s\n", percent(packages[pkg]), pkg)
	}
	_, err := fmt.Fprintf(w, "coverage: %.1f%% of %d statements\n", percent(total), total.all)
	return err
}
