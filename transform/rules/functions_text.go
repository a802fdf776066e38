package rules

import (
	"bytes"
	"fmt"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"shelfstream/schemas"
)

// trimSpace cuts white space, also no-break spaces and the zero-width space that Excel leaves, from both ends.
func trimSpace(b []byte) []byte {
	return bytes.TrimFunc(b, func(r rune) bool { return unicode.IsSpace(r) || r == '\u200b' || r == '\ufeff' })
}

// textOf is a text that shares b.
func textOf(b []byte) schemas.Value { return schemas.Value{Kind: schemas.KindText, Bytes: b} }

// onText compiles a function of one text; null gives null.
func (c *compiler) onText(n *node, t schemas.Type, f func(m *machine, b []byte) schemas.Value) *code {
	x := c.text(n.kids[0])
	if x.bad {
		return x
	}
	return c.made(n, t, func(m *machine) schemas.Value {
		v := x.eval(m)
		if v.Kind == schemas.KindNull {
			return v
		}
		return f(m, v.Bytes)
	})
}

// onTexts compiles a function of two texts that gives a truth value.
func (c *compiler) onTexts(n *node, f func(a, b []byte) bool) *code {
	x, y := c.text(n.kids[0]), c.text(n.kids[1])
	if x.bad || y.bad {
		return badCode
	}
	return c.tested(n, func(m *machine) tri {
		a, b := x.eval(m), y.eval(m)
		if a.Kind == schemas.KindNull || b.Kind == schemas.KindNull {
			return unknown
		}
		return triOf(f(a.Bytes, b.Bytes))
	})
}

func compileTrim(c *compiler, n *node) *code {
	return c.onText(n, textType, func(_ *machine, b []byte) schemas.Value { return textOf(trimSpace(b)) })
}

func compileUpper(c *compiler, n *node) *code { return c.mapRunes(n, unicode.ToUpper) }
func compileLower(c *compiler, n *node) *code { return c.mapRunes(n, unicode.ToLower) }

func (c *compiler) mapRunes(n *node, f func(r rune) rune) *code {
	return c.onText(n, textType, func(m *machine, b []byte) schemas.Value {
		start := len(m.bytes)
		for len(b) > 0 {
			r, size := utf8.DecodeRune(b)
			m.bytes = utf8.AppendRune(m.bytes, f(r))
			b = b[size:]
		}
		return m.made(start)
	})
}

func compileReplace(c *compiler, n *node) *code {
	args, ok := c.texts(n.kids)
	if !ok {
		return badCode
	}
	return c.made(n, textType, func(m *machine) schemas.Value {
		t, old, with := args[0].eval(m), args[1].eval(m), args[2].eval(m)
		if t.Kind == schemas.KindNull || old.Kind == schemas.KindNull || with.Kind == schemas.KindNull {
			return schemas.Null
		}
		at := bytes.Index(t.Bytes, old.Bytes)
		if at < 0 || len(old.Bytes) == 0 {
			return textOf(t.Bytes)
		}
		start, rest := len(m.bytes), t.Bytes
		for at >= 0 {
			m.bytes = append(append(m.bytes, rest[:at]...), with.Bytes...)
			rest = rest[at+len(old.Bytes):]
			at = bytes.Index(rest, old.Bytes)
		}
		m.bytes = append(m.bytes, rest...)
		return m.made(start)
	})
}

// skipRunes is what is left of b without its first n characters.
func skipRunes(b []byte, n int64) []byte {
	for ; n > 0 && len(b) > 0; n-- {
		_, size := utf8.DecodeRune(b)
		b = b[size:]
	}
	return b
}

// firstRunes are the first n characters of b.
func firstRunes(b []byte, n int64) []byte { return b[:len(b)-len(skipRunes(b, n))] }

// cut compiles a text and whole numbers that say which part of it is wanted.
func (c *compiler) cut(n *node, f func(b []byte, args [2]int64) []byte) *code {
	t := c.text(n.kids[0])
	args, ok := make([]*code, len(n.kids)-1), !t.bad
	for i, kid := range n.kids[1:] {
		args[i] = c.compile(kid)
		if args[i].bad {
			ok = false
		} else if k := args[i].typ.Kind; k != schemas.KindInt && k != schemas.KindNull {
			c.bad(kid, fmt.Sprintf("%s is %s, a whole number is wanted", c.snip(kid), typeName(args[i].typ)), "write a whole number, or int(…)")
			ok = false
		}
	}
	if !ok {
		return badCode
	}
	return c.made(n, textType, func(m *machine) schemas.Value {
		v := t.eval(m)
		if v.Kind == schemas.KindNull {
			return v
		}
		numbers := [2]int64{0, 1 << 62}
		for i, a := range args {
			k := a.eval(m)
			if k.Kind == schemas.KindNull {
				return k
			}
			numbers[i] = k.Int
		}
		return textOf(f(v.Bytes, numbers))
	})
}

func compileSubstring(c *compiler, n *node) *code {
	return c.cut(n, func(b []byte, a [2]int64) []byte { return firstRunes(skipRunes(b, a[0]-1), a[1]) })
}

func compileLeft(c *compiler, n *node) *code {
	return c.cut(n, func(b []byte, a [2]int64) []byte { return firstRunes(b, a[0]) })
}

func compileRight(c *compiler, n *node) *code {
	return c.cut(n, func(b []byte, a [2]int64) []byte {
		return skipRunes(b, int64(utf8.RuneCount(b))-max(a[0], 0))
	})
}

func compileLength(c *compiler, n *node) *code {
	return c.onText(n, intType, func(_ *machine, b []byte) schemas.Value { return schemas.Int(int64(utf8.RuneCount(b))) })
}

func compileStartsWith(c *compiler, n *node) *code { return c.onTexts(n, bytes.HasPrefix) }
func compileEndsWith(c *compiler, n *node) *code   { return c.onTexts(n, bytes.HasSuffix) }
func compileContains(c *compiler, n *node) *code   { return c.onTexts(n, bytes.Contains) }

func compileMatches(c *compiler, n *node) *code {
	x, re := c.text(n.kids[0]), c.regex(n.kids[1])
	if x.bad || re == nil {
		return badCode
	}
	return c.tested(n, func(m *machine) tri {
		v := x.eval(m)
		if v.Kind == schemas.KindNull {
			return unknown
		}
		return triOf(re.Match(v.Bytes))
	})
}

func compileConcat(c *compiler, n *node) *code { return c.concat(n, n.kids) }

func compileConcatWS(c *compiler, n *node) *code {
	args, ok := c.texts(n.kids)
	if !ok {
		return badCode
	}
	return c.made(n, textType, func(m *machine) schemas.Value {
		base := len(m.temp)
		for _, a := range args {
			v := a.eval(m)
			m.temp = append(m.temp, v)
		}
		sep, start := m.temp[base], len(m.bytes)
		for _, v := range m.temp[base+1:] {
			if len(v.Bytes) == 0 {
				continue
			}
			if len(m.bytes) > start {
				m.bytes = append(m.bytes, sep.Bytes...)
			}
			m.bytes = append(m.bytes, v.Bytes...)
		}
		m.temp = m.temp[:base]
		return m.made(start)
	})
}

func compileToText(c *compiler, n *node) *code {
	if len(n.kids) == 2 {
		return c.fixedText(n)
	}
	x := c.compile(n.kids[0])
	if x.bad {
		return x
	}
	if k := x.typ.Kind; k == schemas.KindArray || k == schemas.KindRecord || k == schemas.KindBytes {
		return c.bad(n.kids[0], fmt.Sprintf("%s is %s and has no text", c.snip(n.kids[0]), typeName(x.typ)), "use join(list, column, ', ')")
	}
	return c.made(n, textType, func(m *machine) schemas.Value {
		v := x.eval(m)
		if v.Kind == schemas.KindNull || v.Kind == schemas.KindText {
			return v
		}
		start := len(m.bytes)
		m.bytes = schemas.AppendCanonical(m.bytes, v)
		return m.made(start)
	})
}

// fixedText writes a number with a set number of digits after the point.
func (c *compiler) fixedText(n *node) *code {
	x := c.number(n.kids[0])
	digits, ok := c.constantInt(n.kids[1], 0, maxScale, "the number of digits")
	if x.bad || !ok {
		return badCode
	}
	at := c.site(n)
	return c.made(n, textType, func(m *machine) schemas.Value {
		v := x.eval(m)
		if v.Kind == schemas.KindNull {
			return v
		}
		r, err := schemas.Round(v, digits, schemas.HalfUp)
		if err != nil {
			return m.failNumber(at, err, "text", v)
		}
		start := len(m.bytes)
		m.bytes = schemas.AppendDecimal(m.bytes, r)
		return m.made(start)
	})
}

// slugLetters are the letters that accents do not explain.
var slugLetters = map[rune]string{'æ': "ae", 'ø': "o", 'ß': "ss", 'đ': "d", 'ð': "d", 'þ': "th", 'ł': "l", 'œ': "oe", 'ı': "i", 'ħ': "h", 'ŧ': "t", 'ŋ': "n", '&': "-"}

func compileSlug(c *compiler, n *node) *code {
	return c.onText(n, textType, func(m *machine, b []byte) schemas.Value {
		// The letters with their accents apart stand first in the buffer; the slug is made behind them.
		start := len(m.bytes)
		m.bytes = norm.NFKD.Append(m.bytes, b...)
		end := len(m.bytes)
		hyphen := false
		for at := start; at < end; {
			r, size := utf8.DecodeRune(m.bytes[at:end])
			at += size
			r = unicode.ToLower(r)
			s := slugLetters[r]
			switch {
			case s != "" && s != "-":
			case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
				s = ""
			case unicode.Is(unicode.Mn, r) || r == '\'' || r == '\u2019':
				continue
			default:
				hyphen = true
				continue
			}
			if hyphen && len(m.bytes) > end {
				m.bytes = append(m.bytes, '-')
			}
			hyphen = false
			if s == "" {
				m.bytes = utf8.AppendRune(m.bytes, r)
			} else {
				m.bytes = append(m.bytes, s...)
			}
		}
		return m.made(end)
	})
}
