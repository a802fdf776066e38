package rules

import (
	"bytes"
	"html"
	"strings"
	"unicode"
	"unicode/utf8"

	"shelfstream/schemas"
)

func compileStripHTML(c *compiler, n *node) *code {
	return c.onText(n, textType, func(m *machine, b []byte) schemas.Value {
		s := stripper{dst: m.bytes, start: len(m.bytes)}
		s.strip(b)
		start := len(m.bytes)
		m.bytes = s.dst
		return m.made(start)
	})
}

func compileEscapeHTML(c *compiler, n *node) *code {
	return c.onText(n, textType, func(m *machine, b []byte) schemas.Value {
		if !bytes.ContainsAny(b, `&<>"'`) {
			return textOf(b)
		}
		start := len(m.bytes)
		m.bytes = append(m.bytes, html.EscapeString(string(b))...)
		return m.made(start)
	})
}

// blockTags end a line of text.
var blockTags = map[string]bool{
	"p": true, "div": true, "br": true, "li": true, "ul": true, "ol": true, "tr": true, "table": true, "hr": true, "h1": true, "h2": true, "h3": true, "h4": true,
	"h5": true, "h6": true, "section": true, "article": true, "blockquote": true, "pre": true, "dt": true, "dd": true, "header": true, "footer": true, "body": true,
}

// silentTags hold no text for people; all up to their end tag goes.
var silentTags = map[string]bool{"script": true, "style": true, "head": true, "title": true, "template": true, "iframe": true, "noscript": true, "object": true, "svg": true}

// stripper writes the text of HTML: spaces run together, blocks end lines.
type stripper struct {
	dst   []byte
	start int
	// space and line are due before the next letter.
	space, line bool
}

func (s *stripper) rune(r rune) {
	switch {
	case unicode.IsSpace(r):
		s.space = true
		return
	case unicode.Is(unicode.Cc, r):
		return
	}
	if len(s.dst) > s.start {
		if s.line {
			s.dst = append(s.dst, '\n')
		} else if s.space {
			s.dst = append(s.dst, ' ')
		}
	}
	s.space, s.line = false, false
	s.dst = utf8.AppendRune(s.dst, r)
}

func (s *stripper) strip(b []byte) {
	for len(b) > 0 {
		switch {
		case b[0] == '<' && len(b) > 1 && startsTag(b[1:]):
			b = s.tag(b)
		case b[0] == '&':
			b = s.entity(b)
		default:
			r, size := utf8.DecodeRune(b)
			s.rune(r)
			b = b[size:]
		}
	}
}

// startsTag tells a tag from a "less than", as browsers do.
func startsTag(b []byte) bool {
	return b[0] == '!' || b[0] == '?' || b[0] == '/' || b[0] >= 'a' && b[0] <= 'z' || b[0] >= 'A' && b[0] <= 'Z'
}

// tag goes past one tag and what belongs to it. A tag without an end takes the rest with it: a browser could be made to read on.
func (s *stripper) tag(b []byte) []byte {
	if bytes.HasPrefix(b, []byte("<!--")) {
		return after(b, "-->")
	}
	name := strings.ToLower(string(tagName(b)))
	closing := strings.HasPrefix(name, "/")
	rest := pastTag(b)
	if !closing && silentTags[name] {
		return s.silent(rest, name)
	}
	name = strings.TrimPrefix(name, "/")
	switch {
	case blockTags[name]:
		s.line = true
	case name == "td" || name == "th":
		s.space = true
	}
	return rest
}

func (s *stripper) silent(b []byte, name string) []byte {
	for at := 0; ; {
		i := bytes.Index(b[at:], []byte("</"))
		if i < 0 {
			return nil
		}
		if at += i; strings.EqualFold(string(tagName(b[at:])), "/"+name) {
			return pastTag(b[at:])
		}
		at += 2
	}
}

// tagName is the word after <, with its slash.
func tagName(b []byte) []byte {
	end := 1
	for end < len(b) && (end == 1 && b[end] == '/' || b[end] >= '0' && b[end] <= '9' || b[end]|0x20 >= 'a' && b[end]|0x20 <= 'z') {
		end++
	}
	return b[1:end]
}

// pastTag is what follows the > of a tag; a > in a quoted attribute does not count.
func pastTag(b []byte) []byte {
	quote := byte(0)
	for i, ch := range b {
		switch {
		case quote != 0:
			if ch == quote {
				quote = 0
			}
		case ch == '>':
			return b[i+1:]
		case (ch == '"' || ch == '\'') && i > 0 && (b[i-1] == '=' || b[i-1] == ' '):
			quote = ch
		}
	}
	return nil
}

func after(b []byte, end string) []byte {
	i := bytes.Index(b, []byte(end))
	if i < 0 {
		return nil
	}
	return b[i+len(end):]
}

// entity reads &amp; and its like; what is none stays as it is.
func (s *stripper) entity(b []byte) []byte {
	end := bytes.IndexByte(b[:min(len(b), 40)], ';')
	if end > 0 {
		if t := html.UnescapeString(string(b[:end+1])); t != string(b[:end+1]) {
			for _, r := range t {
				s.rune(r)
			}
			return b[end+1:]
		}
	}
	s.rune('&')
	return b[1:]
}
