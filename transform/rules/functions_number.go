package rules

import (
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"

	"shelfstream/schemas"
)

// constantInt is an argument that must be a whole number known before anything runs.
func (c *compiler) constantInt(n *node, low, high int64, what string) (int, bool) {
	k := c.compile(n)
	if k.bad {
		return 0, false
	}
	if k.constant == nil || k.constant.Kind != schemas.KindInt || k.constant.Int < low || k.constant.Int > high {
		c.bad(n, fmt.Sprintf("%s must be a constant from %d to %d", what, low, high), "write the number itself: the type of the field depends on it")
		return 0, false
	}
	return int(k.constant.Int), true
}

// constantText is an argument that must be a text known before anything runs.
func (c *compiler) constantText(n *node, what string) (string, bool) {
	k := c.compile(n)
	if k.bad {
		return "", false
	}
	if k.constant == nil || k.constant.Kind != schemas.KindText {
		c.bad(n, what+" must be a constant text", "write 'text'")
		return "", false
	}
	return string(k.constant.Bytes), true
}

func (c *compiler) roundMode(kids []*node, at int) (schemas.RoundMode, bool) {
	if len(kids) <= at {
		return schemas.HalfUp, true
	}
	word, ok := c.constantText(kids[at], "the rounding mode")
	if !ok {
		return 0, false
	}
	switch word {
	case "half_up":
		return schemas.HalfUp, true
	case "half_even":
		return schemas.HalfEven, true
	case "down":
		return schemas.Down, true
	case "up":
		return schemas.Up, true
	}
	c.bad(kids[at], fmt.Sprintf("unknown rounding mode '%s'", word), didYouMean(word, []string{"half_up", "half_even", "down", "up"}, ""))
	return 0, false
}

func isDivision(n *node) bool { return n.kind == nodeBinary && n.op == "/" }

func compileRound(c *compiler, n *node) *code {
	scale, okScale := c.constantInt(n.kids[1], -18, maxScale, "the number of digits")
	mode, okMode := c.roundMode(n.kids, 2)
	if isDivision(n.kids[0]) {
		k := c.quotient(n, n.kids[0].kids[0], n.kids[0].kids[1], scale, mode)
		if !okScale || !okMode {
			return badCode
		}
		return k
	}
	x := c.number(n.kids[0])
	if x.bad || !okScale || !okMode {
		return badCode
	}
	eval, at := x.eval, c.site(n)
	return c.made(n, decimalType(max(scale, 0)), func(m *machine) schemas.Value {
		v := eval(m)
		if v.Kind == schemas.KindNull {
			return v
		}
		out, err := schemas.Round(v, scale, mode)
		if err != nil {
			return m.failNumber(at, err, "round", v)
		}
		return out
	})
}

func compileQuo(c *compiler, n *node) *code {
	scale, okScale := c.constantInt(n.kids[2], 0, maxScale, "the number of digits")
	mode, okMode := c.roundMode(n.kids, 3)
	k := c.quotient(n, n.kids[0], n.kids[1], scale, mode)
	if !okScale || !okMode {
		return badCode
	}
	return k
}

func compileFloor(c *compiler, n *node) *code { return c.whole(n, -1) }
func compileCeil(c *compiler, n *node) *code  { return c.whole(n, 1) }

// whole rounds towards -infinity (toward -1) or +infinity (1), of a number or a quotient.
func (c *compiler) whole(n *node, toward int) *code {
	var x, y *code
	if isDivision(n.kids[0]) {
		x, y = c.number(n.kids[0].kids[0]), c.number(n.kids[0].kids[1])
	} else {
		one := schemas.Int(1)
		x, y = c.number(n.kids[0]), &code{typ: intType, constant: &one, eval: func(*machine) schemas.Value { return one }}
	}
	if x.bad || y.bad {
		return badCode
	}
	at := c.site(n)
	return c.made(n, intType, func(m *machine) schemas.Value {
		a := x.eval(m)
		if a.Kind == schemas.KindNull {
			return a
		}
		b := y.eval(m)
		if b.Kind == schemas.KindNull {
			return b
		}
		mode := schemas.Down
		if a.Sign()*b.Sign() == toward {
			mode = schemas.Up
		}
		v, err := schemas.QuoDec(a, b, 0, mode)
		if err != nil {
			return m.failNumber(at, err, n.name, a, b)
		}
		if v.Bytes != nil {
			return m.failNumber(at, errIntRange, n.name, a)
		}
		return schemas.Int(v.Int)
	})
}

func compileAbs(c *compiler, n *node) *code {
	x := c.number(n.kids[0])
	if x.bad {
		return x
	}
	at := c.site(n)
	return c.made(n, x.typ, func(m *machine) schemas.Value {
		v := x.eval(m)
		if v.Kind == schemas.KindNull || v.Sign() >= 0 {
			return v
		}
		out, err := schemas.NegDec(v)
		if v.Kind == schemas.KindInt {
			out, err = fitsInt(out, err)
		}
		if err != nil {
			return m.failNumber(at, err, "abs", v)
		}
		return out
	})
}

func compileMin(c *compiler, n *node) *code { return c.best(n, -1) }
func compileMax(c *compiler, n *node) *code { return c.best(n, 1) }

// best is the smallest (sign -1) or largest (1) of several values.
func (c *compiler) best(n *node, sign int) *code {
	kids := make([]*code, len(n.kids))
	t, ok := nullType, true
	for i, kid := range n.kids {
		kids[i] = c.ordered(kid)
		if kids[i].bad {
			ok = false
			continue
		}
		if u, fits := c.unified(t, kids[i].typ, kid); fits {
			t = u
		} else {
			ok = false
		}
	}
	if !ok {
		return badCode
	}
	compare := comparer(t, t)
	return c.made(n, t, func(m *machine) schemas.Value {
		var best schemas.Value
		for i, k := range kids {
			v := k.eval(m)
			if v.Kind == schemas.KindNull {
				return v
			}
			if i == 0 || compare(v, best)*sign > 0 {
				best = v
			}
		}
		return best
	})
}

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
	}
	if v.Kind != schemas.KindDecimal {
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
