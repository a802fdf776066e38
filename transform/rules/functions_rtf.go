package rules

import (
	"bytes"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"shelfstream/schemas"
)

// compileRTF reads Rich Text Format, in which Visma, Navision and SAP long texts come; text that is none is given back as it is.
func compileRTF(c *compiler, n *node) *code {
	return c.onText(n, textType, func(m *machine, b []byte) schemas.Value {
		if !bytes.HasPrefix(trimSpace(b), []byte(`{\rtf`)) {
			return textOf(b)
		}
		start := len(m.bytes)
		r := rtf{dst: m.bytes, start: start, page: charmap.Windows1252, now: rtfGroup{fallback: 1}}
		r.read(trimSpace(b))
		m.bytes = r.dst
		return textOf(trimSpace(m.made(start).Bytes))
	})
}

// rtfPages are the code pages of \ansicpg.
var rtfPages = map[int]*charmap.Charmap{
	437: charmap.CodePage437, 850: charmap.CodePage850, 852: charmap.CodePage852, 866: charmap.CodePage866, 874: charmap.Windows874,
	1250: charmap.Windows1250, 1251: charmap.Windows1251, 1252: charmap.Windows1252, 1253: charmap.Windows1253, 1254: charmap.Windows1254,
	1255: charmap.Windows1255, 1256: charmap.Windows1256, 1257: charmap.Windows1257, 1258: charmap.Windows1258,
}

// rtfSilent are groups without text of the document.
var rtfSilent = map[string]bool{
	"fonttbl": true, "colortbl": true, "stylesheet": true, "info": true, "pict": true, "object": true, "header": true, "headerl": true, "headerr": true,
	"headerf": true, "footer": true, "footerl": true, "footerr": true, "footerf": true, "footnote": true, "listtable": true, "listoverridetable": true, "fldinst": true,
}

var rtfWords = map[string]string{
	"par": "\n", "line": "\n", "row": "\n", "sect": "\n", "page": "\n", "tab": "\t", "cell": "\t", "emdash": "—", "endash": "–", "lquote": "‘", "rquote": "’",
	"ldblquote": "“", "rdblquote": "”", "bullet": "•", "emspace": " ", "enspace": " ",
}

// rtfGroup is what holds inside one pair of braces: whether its text is left out, and how many characters follow a \u for old readers.
type rtfGroup struct {
	silent   bool
	fallback int
}

type rtf struct {
	dst   []byte
	start int
	page  *charmap.Charmap
	now   rtfGroup
	outer []rtfGroup
	// skip characters that only old readers are to show.
	skip int
	// high is the first half of a pair of \u.
	high rune
}

func (r *rtf) read(b []byte) {
	for len(b) > 0 {
		switch b[0] {
		case '{':
			r.outer = append(r.outer, r.now)
			b = b[1:]
		case '}':
			if len(r.outer) > 0 {
				r.now, r.outer = r.outer[len(r.outer)-1], r.outer[:len(r.outer)-1]
			}
			r.skip = 0
			b = b[1:]
		case '\\':
			b = r.control(b[1:])
		case '\r', '\n':
			b = b[1:]
		default:
			c, size := utf8.DecodeRune(b)
			r.rune(c)
			b = b[size:]
		}
	}
}

func (r *rtf) rune(c rune) {
	if r.skip > 0 {
		r.skip--
		return
	}
	if !r.now.silent {
		r.dst = utf8.AppendRune(r.dst, c)
	}
}

// control reads what follows a backslash.
func (r *rtf) control(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	switch c := b[0]; {
	case c == '\'':
		if len(b) < 3 {
			return nil
		}
		if n, err := strconv.ParseUint(string(b[1:3]), 16, 8); err == nil {
			r.rune(r.page.DecodeByte(byte(n)))
		}
		return b[3:]
	case c == '*':
		r.now.silent = true
		return b[1:]
	case c == '~':
		r.rune(' ')
		return b[1:]
	case c == '_':
		r.rune('-')
		return b[1:]
	case c == '\\' || c == '{' || c == '}':
		r.rune(rune(c))
		return b[1:]
	case c == '\r' || c == '\n':
		r.rune('\n')
		return b[1:]
	case c|0x20 < 'a' || c|0x20 > 'z':
		return b[1:]
	}
	end := 0
	for end < len(b) && b[end]|0x20 >= 'a' && b[end]|0x20 <= 'z' {
		end++
	}
	word, digits := string(b[:end]), end
	if end < len(b) && b[end] == '-' {
		end++
	}
	for end < len(b) && b[end] >= '0' && b[end] <= '9' {
		end++
	}
	number, err := strconv.Atoi(string(b[digits:end]))
	if end < len(b) && b[end] == ' ' {
		end++
	}
	r.word(word, number, err == nil)
	return b[end:]
}

func (r *rtf) word(word string, number int, has bool) {
	switch {
	case rtfSilent[word]:
		r.now.silent = true
	case rtfWords[word] != "":
		for _, c := range rtfWords[word] {
			r.rune(c)
		}
	case word == "ansicpg" && rtfPages[number] != nil:
		r.page = rtfPages[number]
	case word == "uc" && has && number >= 0 && number < 10:
		r.now.fallback = number
	case word == "u" && has:
		c := rune(uint16(number)) // characters above 32767 are written as negative numbers
		r.skip = 0
		switch {
		case utf16.IsSurrogate(c) && r.high == 0:
			r.high = c
		case r.high != 0:
			c = utf16.DecodeRune(r.high, c)
			r.high = 0
			r.rune(c)
		default:
			r.rune(c)
		}
		r.skip = r.now.fallback
	}
}
