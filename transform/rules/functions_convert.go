package rules

import (
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"

	"shelfstream/schemas"
)

func compileDecimal(c *compiler, n *node) *code {
	x := c.compile(n.kids[0])
	if x.bad {
		return x
	}
	if isNumber(x.typ) {
		t := x.typ
		if t.Kind == schemas.KindInt {
			t = decimalType(0)
		}
		return c.made(n, t, x.eval)
	}
	if x.typ.Kind != schemas.KindFloat {
		return c.bad(n.kids[0], fmt.Sprintf("%s is %s, a number is wanted", c.snip(n.kids[0]), typeName(x.typ)), numberFix(c.snip(n.kids[0]), x.typ))
	}
	bits, at := max(int(x.typ.Bits), 32), c.site(n)
	return c.made(n, anyDecimal, func(m *machine) schemas.Value {
		v := x.eval(m)
		if v.Kind == schemas.KindNull {
			return v
		}
		var buf [32]byte
		d, err := schemas.ParseDecimal(strconv.AppendFloat(buf[:0], v.Float64(), 'e', -1, bits))
		if err != nil || d.IsSpecial() {
			return m.fail(at, fmt.Sprintf("%s is no decimal", display(v)), "correct the value in the source")
		}
		return d
	})
}

func compileInt(c *compiler, n *node) *code {
	x := c.compile(n.kids[0])
	if x.bad {
		return x
	}
	at := c.site(n)
	switch x.typ.Kind {
	case schemas.KindInt, schemas.KindNull:
		return c.made(n, intType, x.eval)
	case schemas.KindDecimal, schemas.KindFloat, schemas.KindText, schemas.KindBool, schemas.KindEnum:
	default:
		return c.bad(n.kids[0], fmt.Sprintf("%s is %s and has no whole number", c.snip(n.kids[0]), typeName(x.typ)), "use a number, text or bool")
	}
	return c.made(n, intType, func(m *machine) schemas.Value {
		v := x.eval(m)
		if out, ok := wholeNumber(v); ok {
			return out
		}
		return m.fail(at, fmt.Sprintf("%s is no whole number", display(v)), "write floor(…) or round(…, 0) to cut its digits, or correct the value in the source")
	})
}

// wholeNumber converts without loss; null stays null.
func wholeNumber(v schemas.Value) (schemas.Value, bool) {
	switch v.Kind {
	case schemas.KindNull, schemas.KindInt:
		return v, true
	case schemas.KindBool:
		return schemas.Int(v.Int), true
	case schemas.KindFloat:
		f := v.Float64()
		return schemas.Int(int64(f)), f == math.Trunc(f) && math.Abs(f) < 1<<63
	case schemas.KindText, schemas.KindEnum:
		d, err := schemas.ParseDecimal(trimSpace(v.Bytes))
		if err != nil || d.IsSpecial() {
			return v, false
		}
		v = d
	case schemas.KindDecimal:
	default:
		return v, false
	}
	q, err := schemas.Round(v, 0, schemas.Down)
	return schemas.Int(q.Int), err == nil && q.Bytes == nil && schemas.Compare(q, v) == 0
}

func compileNumber(c *compiler, n *node) *code {
	x := c.compile(n.kids[0])
	if x.bad {
		return x
	}
	if !isText(x.typ) {
		fix := "remove number(…)"
		if x.typ.Kind == schemas.KindFloat {
			fix = floatFix(c.snip(n.kids[0]))
		}
		return c.bad(n.kids[0], fmt.Sprintf("%s is %s, text is wanted", c.snip(n.kids[0]), typeName(x.typ)), fix)
	}
	point := byte(0)
	if len(n.kids) == 2 {
		word, ok := c.constantText(n.kids[1], "the decimal point")
		if !ok {
			return badCode
		}
		if word != "." && word != "," {
			return c.bad(n.kids[1], "the decimal point is '.' or ','", "write '.' or ','")
		}
		point = word[0]
	}
	at := c.site(n)
	return c.made(n, anyDecimal, func(m *machine) schemas.Value {
		v := x.eval(m)
		if v.Kind == schemas.KindNull {
			return v
		}
		t := trimSpace(v.Bytes)
		ok := true
		if point != 0 {
			mark := len(m.bytes)
			m.bytes, ok = appendUngrouped(m.bytes, t, point)
			t = m.bytes[mark:]
			m.bytes = m.bytes[:mark]
		}
		if d, err := schemas.ParseDecimal(t); ok && err == nil && !d.IsSpecial() {
			return d
		}
		fix := "correct the text in the source; for decimal commas write number(t, ','), for empty texts number(nullif(trim(t), ''))"
		return m.fail(at, display(v)+" is no number", fix)
	})
}

// appendUngrouped writes a number such as "1 234,50-" as "-1234.50". Groups have three digits; what separates them is a space of any
// width, an apostrophe, or the point that is not the decimal point.
func appendUngrouped(dst, t []byte, point byte) ([]byte, bool) {
	start := len(dst)
	if n := len(t); n > 0 && t[n-1] == '-' {
		dst = append(dst, '-')
		t = trimSpace(t[:n-1])
	}
	group, grouped, seen := 0, false, false
	for i := 0; i < len(t); {
		r, size := utf8.DecodeRune(t[i:])
		switch {
		case r >= '0' && r <= '9':
			group++
			dst = append(dst, byte(r))
		case (r == '-' || r == '+') && i == 0 && len(dst) == start:
			dst = append(dst, byte(r))
		case r == rune(point) && !seen && (!grouped || group == 3):
			seen = true
			dst = append(dst, '.')
		case isGrouping(r, point) && !seen && group > 0 && group <= 3 && (!grouped || group == 3):
			grouped, group = true, 0
		default:
			return dst, false
		}
		i += size
	}
	return dst, seen || !grouped || group == 3
}

func isGrouping(r rune, point byte) bool {
	switch r {
	case ' ', '\u00a0', '\u2009', '\u202f', '\'', '\u2019':
		return true
	case '.', ',':
		return r != rune(point)
	}
	return false
}
