package rules

import (
	"fmt"

	"shelfstream/schemas"
)

// compile checks one part of an expression and turns it into a closure.
func (c *compiler) compile(n *node) *code {
	switch n.kind {
	case nodeLiteral:
		return c.literal(n)
	case nodeName:
		return c.name(n)
	case nodeUnary:
		if n.op == "not" {
			return c.not(n)
		}
		return c.negate(n)
	case nodeBinary:
		switch n.op {
		case "and", "or":
			return c.logic(n)
		case "||":
			return c.concat(n, n.kids)
		case "+", "-", "*", "%":
			return c.arithmetic(n)
		case "/":
			return c.division(n)
		}
		return c.comparison(n)
	case nodeIn:
		return c.in(n)
	case nodeBetween:
		return c.between(n)
	case nodeIsNull:
		return c.isNull(n)
	case nodeCase:
		return c.choice(n, n.kids)
	case nodeCall:
		return c.call(n)
	case nodeMap:
		return c.bad(n, "a map stands only inside map(…)", "write map(x, {'a': 'b'})")
	}
	return badCode
}

// made is code with a value.
func (c *compiler) made(n *node, t schemas.Type, eval func(m *machine) schemas.Value) *code {
	k := &code{typ: t, eval: eval, pos: n.pos}
	if t.Kind == schemas.KindBool {
		k.test = func(m *machine) tri {
			v := eval(m)
			if v.Kind == schemas.KindNull {
				return unknown
			}
			return tri(v.Int)
		}
	}
	return k
}

// tested is code with a truth value.
func (c *compiler) tested(n *node, test func(m *machine) tri) *code {
	return &code{typ: boolType, pos: n.pos, test: test, eval: func(m *machine) schemas.Value {
		switch test(m) {
		case yes:
			return schemas.Bool(true)
		case no:
			return schemas.Bool(false)
		case unknown:
		}
		return schemas.Null
	}}
}

func (c *compiler) literal(n *node) *code {
	v := n.value
	t := schemas.Type{Kind: v.Kind}
	switch v.Kind {
	case schemas.KindInt:
		t = intType
	case schemas.KindDecimal:
		t = decimalType(int(v.Scale))
	default:
	}
	k := c.made(n, t, func(*machine) schemas.Value { return v })
	k.constant = &v
	return k
}

func (c *compiler) not(n *node) *code {
	k := c.truth(n.kids[0])
	if k.bad {
		return k
	}
	test := k.test
	return c.tested(n, func(m *machine) tri {
		switch test(m) {
		case yes:
			return no
		case no:
			return yes
		case unknown:
		}
		return unknown
	})
}

// logic is three-valued; the right side is not evaluated where the left decides.
func (c *compiler) logic(n *node) *code {
	l, r := c.truth(n.kids[0]), c.truth(n.kids[1])
	if l.bad || r.bad {
		return badCode
	}
	decides := triOf(n.op == "or")
	left, right := l.test, r.test
	return c.tested(n, func(m *machine) tri {
		a := left(m)
		if a == decides {
			return a
		}
		b := right(m)
		if b == decides || a == unknown {
			if b == decides {
				return b
			}
			return unknown
		}
		return b
	})
}

func (c *compiler) isNull(n *node) *code {
	k := c.compile(n.kids[0])
	if k.bad {
		return k
	}
	eval, not := k.eval, n.not
	return c.tested(n, func(m *machine) tri {
		v := eval(m)
		return triOf((v.Kind == schemas.KindNull) != not)
	})
}

// choice compiles when, then, when, then, …, else: of case and of if.
func (c *compiler) choice(n *node, parts []*node) *code {
	type branch struct {
		when func(m *machine) tri
		then *code
	}
	var branches []branch
	otherwise := &code{eval: null, pos: n.pos}
	t, bad := nullType, false
	for i := 0; i < len(parts); i += 2 {
		var k *code
		at := parts[i]
		if i+1 < len(parts) {
			w := c.truth(parts[i])
			at = parts[i+1]
			k = c.compile(at)
			branches = append(branches, branch{w.test, k})
			bad = bad || w.bad
		} else {
			k = c.compile(at)
			otherwise = k
		}
		if bad = bad || k.bad; bad {
			continue
		}
		var ok bool
		if t, ok = c.unified(t, k.typ, at); !ok {
			bad = true
		}
	}
	if bad {
		return badCode
	}
	if len(branches) == 1 {
		when, then, other := branches[0].when, branches[0].then.eval, otherwise.eval
		return c.made(n, t, func(m *machine) schemas.Value {
			if when(m) == yes {
				return then(m)
			}
			return other(m)
		})
	}
	other := otherwise.eval
	return c.made(n, t, func(m *machine) schemas.Value {
		for i := range branches {
			if branches[i].when(m) == yes {
				return branches[i].then.eval(m)
			}
		}
		return other(m)
	})
}

// unified is the type of a choice between t and what is at n.
func (c *compiler) unified(t, u schemas.Type, n *node) (schemas.Type, bool) {
	out, ok := unify(t, u)
	if !ok {
		fix := "convert one of them, for example with text(…) or number(…)"
		if t.Kind == schemas.KindFloat || u.Kind == schemas.KindFloat {
			fix = floatFix(c.snip(n))
		}
		c.bad(n, fmt.Sprintf("%s is %s, but the values before it are %s", c.snip(n), typeName(u), typeName(t)), fix)
	}
	return out, ok
}

func floatFix(x string) string {
	return fmt.Sprintf("floats are not exact and never mix with decimals: write round(decimal(%s), 2)", x)
}

// concat joins texts; null if one of them is.
func (c *compiler) concat(n *node, parts []*node) *code {
	codes, ok := c.texts(parts)
	if !ok {
		return badCode
	}
	return c.made(n, textType, func(m *machine) schemas.Value {
		base := len(m.temp)
		for _, k := range codes {
			v := k.eval(m)
			if v.Kind == schemas.KindNull {
				m.temp = m.temp[:base]
				return schemas.Null
			}
			m.temp = append(m.temp, v)
		}
		start := len(m.bytes)
		for i := range codes {
			m.bytes = append(m.bytes, m.temp[base+i].Bytes...)
		}
		m.temp = m.temp[:base]
		return m.made(start)
	})
}

// texts compiles parts that must be text.
func (c *compiler) texts(parts []*node) ([]*code, bool) {
	out, ok := make([]*code, len(parts)), true
	for i, p := range parts {
		out[i] = c.text(p)
		ok = ok && !out[i].bad
	}
	return out, ok
}

// text compiles a part that must be text.
func (c *compiler) text(n *node) *code {
	k := c.compile(n)
	if k.bad || isText(k.typ) {
		return k
	}
	fix := fmt.Sprintf("write text(%s)", c.snip(n))
	if k.typ.Kind == schemas.KindArray {
		fix = "write join(list, column, ', ')"
	}
	return c.bad(n, fmt.Sprintf("%s is %s, text is wanted", c.snip(n), typeName(k.typ)), fix)
}

// number compiles a part that must be an exact number.
func (c *compiler) number(n *node) *code {
	k := c.compile(n)
	if k.bad || isNumber(k.typ) {
		return k
	}
	return c.bad(n, fmt.Sprintf("%s is %s, a number is wanted", c.snip(n), typeName(k.typ)), numberFix(c.snip(n), k.typ))
}

func numberFix(x string, t schemas.Type) string {
	switch t.Kind {
	case schemas.KindFloat:
		return floatFix(x)
	case schemas.KindText, schemas.KindEnum:
		return fmt.Sprintf("write number(%s)", x)
	case schemas.KindBool:
		return fmt.Sprintf("write if(%s, 1, 0)", x)
	case schemas.KindArray:
		return fmt.Sprintf("write sum(%s, column) or count(%s)", x, x)
	default:
		return "use a column that holds a number"
	}
}
