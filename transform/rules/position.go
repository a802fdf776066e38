package rules

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// place is a line and column of a file, both from 1; the column counts characters.
type place struct{ line, col int }

// spot is a place as an index into file.lines and a byte offset into that line.
type spot struct{ line, byteCol int }

// origin is one scalar of a rule file: it knows where each byte of its value stands in the file.
type origin struct {
	file *file
	// spots[i] is where byte i of the value stands; the last one is the end of the value.
	spots  []spot
	quoted bool
	// start is the place of something that has no bytes of its own, such as a key.
	start place
}

// at is where byte i of the value stands.
func (o *origin) at(i int) place {
	if len(o.spots) == 0 {
		return o.start
	}
	s := o.spots[min(max(i, 0), len(o.spots)-1)]
	line := o.file.line(s.line)
	return place{line: s.line + 1, col: utf8.RuneCountInString(line[:min(s.byteCol, len(line))]) + 1}
}

// where names the place of byte i as messages do: "file:line:column".
func (o *origin) where(i int) string { return o.file.where(o.at(i)) }

func (f *file) where(p place) string { return fmt.Sprintf("%s:%d:%d", f.name, p.line, p.col) }

// scalarOrigin finds the place of each byte of a scalar by reading its source again: YAML has unfolded lines and resolved escapes.
func (f *file) scalarOrigin(n *yaml.Node) *origin {
	o := &origin{file: f, quoted: n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0}
	s := scanner{lines: f.lines, line: n.Line - 1}
	s.byteCol = byteOffset(f.line(s.line), n.Column-1)
	s.skipProperties()
	switch {
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		s.block(n.Value, o)
	case n.Style&yaml.DoubleQuotedStyle != 0:
		s.byteCol++
		s.double(n.Value, o)
	default:
		if n.Style&yaml.SingleQuotedStyle != 0 {
			s.byteCol++
		}
		s.flow(n.Value, o, n.Style&yaml.SingleQuotedStyle != 0)
	}
	o.spots = append(o.spots, s.spot())
	return o
}

func (f *file) line(i int) string {
	if i < 0 || i >= len(f.lines) {
		return ""
	}
	return f.lines[i]
}

// byteOffset is where the character with index col begins.
func byteOffset(line string, col int) int {
	at := 0
	for range col {
		_, n := utf8.DecodeRuneInString(line[at:])
		at += n
	}
	return at
}

// scanner walks through the source of a scalar.
type scanner struct {
	lines   []string
	line    int
	byteCol int
}

func (s *scanner) text() string {
	if s.line >= len(s.lines) {
		return ""
	}
	return s.lines[s.line]
}

func (s *scanner) rest() string {
	t := s.text()
	return t[min(s.byteCol, len(t)):]
}

func (s *scanner) spot() spot { return spot{line: s.line, byteCol: s.byteCol} }

// nextLine goes to the first character of the next line that is not empty, and gives the number of line breaks passed.
func (s *scanner) nextLine() int {
	breaks := 0
	for s.line < len(s.lines) {
		s.line++
		breaks++
		t := s.text()
		s.byteCol = len(t) - len(strings.TrimLeft(t, " \t"))
		if s.byteCol < len(t) {
			break
		}
	}
	return breaks
}

// skipProperties goes past "&anchor" and "!tag".
func (s *scanner) skipProperties() {
	for {
		r := s.rest()
		if !strings.HasPrefix(r, "&") && !strings.HasPrefix(r, "!") {
			return
		}
		end := strings.IndexAny(r, " \t")
		if end < 0 {
			s.nextLine()
			continue
		}
		s.byteCol += end + len(r[end:]) - len(strings.TrimLeft(r[end:], " \t"))
	}
}

// flow maps plain and single-quoted scalars. A line break with its blanks stands for one space, each further break for a newline.
func (s *scanner) flow(value string, o *origin, single bool) {
	for i := 0; i < len(value); {
		if r := s.rest(); strings.TrimLeft(r, " \t") == "" && (value[i] == ' ' || value[i] == '\n') {
			at := s.spot()
			i += s.folded(value[i:], o, at)
			continue
		}
		o.spots = append(o.spots, s.spot())
		if single && value[i] == '\'' {
			s.byteCol++
		}
		s.byteCol++
		i++
	}
}

// folded maps one line break and what it stands for in the value, and gives the number of the value's bytes.
func (s *scanner) folded(value string, o *origin, at spot) int {
	n := max(s.nextLine()-1, 1)
	n = min(n, len(value))
	for range n {
		o.spots = append(o.spots, at)
	}
	return n
}

// double maps a double-quoted scalar with its escapes.
func (s *scanner) double(value string, o *origin) {
	for i := 0; i < len(value); {
		r := s.rest()
		at := s.spot()
		if strings.TrimLeft(r, " \t") == "" && (value[i] == ' ' || value[i] == '\n') {
			i += s.folded(value[i:], o, at)
			continue
		}
		if !strings.HasPrefix(r, `\`) {
			o.spots = append(o.spots, at)
			s.byteCol++
			i++
			continue
		}
		if r == `\` { // an escaped line break stands for nothing
			s.nextLine()
			continue
		}
		long := map[byte]int{'x': 2, 'u': 4, 'U': 8}[r[1]]
		s.byteCol = min(s.byteCol+2+long, len(s.text()))
		_, n := utf8.DecodeRuneInString(value[i:])
		for range n {
			o.spots = append(o.spots, at)
		}
		i += n
	}
}

// block maps literal and folded block scalars, whose lines begin below the indicator.
func (s *scanner) block(value string, o *origin) {
	indent := -1
	s.line++
	for at := s.line; at < len(s.lines); at++ {
		if t := s.lines[at]; strings.TrimLeft(t, " ") != "" {
			// Spaces that the value kept (after an indentation indicator) are no indentation.
			kept := strings.TrimLeft(value, "\n")
			indent = len(t) - len(strings.TrimLeft(t, " ")) - (len(kept) - len(strings.TrimLeft(kept, " ")))
			break
		}
	}
	indent = max(indent, 0)
	s.byteCol = indent
	for i := 0; i < len(value); {
		if r := s.rest(); r != "" {
			o.spots = append(o.spots, s.spot())
			s.byteCol++
			i++
			continue
		}
		// A break: a newline in the value, or in a folded scalar a space; blank lines follow suit.
		o.spots = append(o.spots, s.spot())
		i++
		s.line++
		s.byteCol = indent
		for i < len(value) && value[i] != '\n' && s.rest() == "" && s.line < len(s.lines) {
			s.line++
		}
	}
}
