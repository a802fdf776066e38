package casefile

import (
	"bytes"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// lineStarts are the offsets at which the lines of data begin.
func lineStarts(data []byte) []int {
	starts := []int{0}
	for i, b := range data {
		if b == '\n' {
			starts = append(starts, i+1)
		}
	}
	return starts
}

// source is a file's text with the places of its nodes.
type source struct {
	data   []byte
	starts []int
}

// start is the offset of a node.
func (s *source) start(n *yaml.Node) int {
	at := s.starts[n.Line-1]
	for range n.Column - 1 {
		_, size := utf8.DecodeRune(s.data[at:])
		at += size
	}
	return at
}

// end is the offset behind a node's last byte, without what follows it: blanks, comments, commas.
func (s *source) end(n *yaml.Node) int {
	at := s.start(n)
	if n.Style&yaml.FlowStyle != 0 {
		return s.balanced(at)
	}
	if len(n.Content) > 0 {
		return s.end(n.Content[len(n.Content)-1])
	}
	switch {
	case n.Style&yaml.SingleQuotedStyle != 0:
		return s.quoted(at, '\'')
	case n.Style&yaml.DoubleQuotedStyle != 0:
		return s.quoted(at, '"')
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return s.block(n)
	}
	return s.plain(at, n.Value)
}

// plain is the offset behind a scalar without quotes; where it goes on over several lines, each blank of its value stands for a line's end and the next
// one's indentation. Something else before it (an anchor) makes it the rest of the line, which updated then refuses if that breaks the file.
func (s *source) plain(at int, value string) int {
	from := at
	for word := range bytes.FieldsSeq([]byte(value)) {
		at += len(s.data[at:]) - len(bytes.TrimLeft(s.data[at:], " \t\r\n"))
		if !bytes.HasPrefix(s.data[at:], word) {
			return from + len(bytes.TrimRight(s.line(from), " \t\r"))
		}
		at += len(word)
	}
	return at
}

// line is what is left of the line at an offset.
func (s *source) line(at int) []byte {
	if i := bytes.IndexByte(s.data[at:], '\n'); i >= 0 {
		return s.data[at : at+i]
	}
	return s.data[at:]
}

// quoted is the offset behind the closing quote.
func (s *source) quoted(at int, quote byte) int {
	for i := at + 1; i < len(s.data); i++ {
		switch {
		case quote == '"' && s.data[i] == '\\':
			i++
		case s.data[i] == quote && quote == '\'' && i+1 < len(s.data) && s.data[i+1] == quote:
			i++
		case s.data[i] == quote:
			return i + 1
		}
	}
	return len(s.data)
}

// balanced is the offset behind the bracket that closes the one at an offset.
func (s *source) balanced(at int) int {
	depth := 0
	for i := at; i < len(s.data); i++ {
		switch c := s.data[i]; c {
		case '[', '{':
			depth++
		case ']', '}':
			if depth--; depth == 0 {
				return i + 1
			}
		case '\'', '"':
			// Only a quote at the beginning of a value opens a text: an apostrophe inside a word does not.
			if before := bytes.TrimRight(s.data[:i], " \t\r\n"); len(before) > 0 && bytes.IndexByte([]byte(",:[{"), before[len(before)-1]) >= 0 {
				i = s.quoted(i, c) - 1
			}
		case '#':
			if s.data[i-1] == ' ' || s.data[i-1] == '\n' || s.data[i-1] == '\t' {
				i += len(s.line(i))
			}
		}
	}
	return len(s.data)
}

// block is the offset behind a block scalar: its lines are those deeper than the line it begins in, and blank ones between them.
func (s *source) block(n *yaml.Node) int {
	indent := s.indent(n.Line - 1)
	end := s.start(n) + len(bytes.TrimRight(s.line(s.start(n)), " \t\r"))
	for l := n.Line; l < len(s.starts); l++ {
		line := s.line(s.starts[l])
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		if s.indent(l) <= indent {
			break
		}
		end = s.starts[l] + len(bytes.TrimRight(line, "\r"))
	}
	return end
}

// indent is how many spaces a line begins with; the dashes of lists count as such.
func (s *source) indent(line int) int {
	text := s.line(s.starts[line])
	return len(text) - len(bytes.TrimLeft(text, " -"))
}
