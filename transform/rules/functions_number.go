package rules

import (
	"fmt"

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
