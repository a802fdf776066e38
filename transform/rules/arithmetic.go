package rules

import (
	"errors"
	"fmt"
	"math"

	"shelfstream/internal/fault"
	"shelfstream/schemas"
)

var errIntRange = errors.New("a whole number has at most 64 bits")

// fitsInt passes a result of whole numbers only if it is one: schemas answers with a decimal where an int64 overflows.
func fitsInt(v schemas.Value, err error) (schemas.Value, error) {
	if err == nil && v.Kind != schemas.KindInt {
		return schemas.Null, errIntRange
	}
	return v, err
}

func (c *compiler) negate(n *node) *code {
	k := c.number(n.kids[0])
	if k.bad {
		return k
	}
	eval, at := k.eval, c.site(n)
	return c.made(n, k.typ, func(m *machine) schemas.Value {
		v := eval(m)
		if v.Kind == schemas.KindNull {
			return v
		}
		out, err := schemas.NegDec(v)
		if v.Kind == schemas.KindInt {
			out, err = fitsInt(out, err)
		}
		if err != nil {
			return m.failNumber(at, err, "the negative", v)
		}
		return out
	})
}

// arithmetic compiles + - * %, also of dates and days.
func (c *compiler) arithmetic(n *node) *code {
	l, r := c.compile(n.kids[0]), c.compile(n.kids[1])
	if l.bad || r.bad {
		return badCode
	}
	if l.typ.Kind == schemas.KindDate || r.typ.Kind == schemas.KindDate {
		return c.dateArithmetic(n, l, r)
	}
	for i, k := range []*code{l, r} {
		if isNumber(k.typ) {
			continue
		}
		kid := n.kids[i]
		fix := numberFix(c.snip(kid), k.typ)
		if n.op == "+" && isText(l.typ) && isText(r.typ) {
			fix = "texts are joined with ||"
		}
		return c.bad(kid, fmt.Sprintf("%s is %s, %s wants numbers", c.snip(kid), typeName(k.typ), n.op), fix)
	}
	return c.binaryNumber(n, n.op, l, r)
}

// resultType is the type of l op r.
func resultType(op string, l, r schemas.Type) schemas.Type {
	t, _ := unify(l, r)
	if t.Kind != schemas.KindDecimal || t.Precision == 0 {
		if t.Kind == schemas.KindInt {
			return intType
		}
		return t
	}
	if op == "*" && l.Kind != schemas.KindNull && r.Kind != schemas.KindNull {
		return decimalType(int(l.Scale) + int(r.Scale))
	}
	return decimalType(int(t.Scale))
}

func (c *compiler) binaryNumber(n *node, op string, l, r *code) *code {
	f := map[string]func(a, b schemas.Value) (schemas.Value, error){
		"+": schemas.AddDec, "-": schemas.SubDec, "*": schemas.MulDec, "%": remainder,
	}[op]
	left, right, at := l.eval, r.eval, c.site(n)
	return c.made(n, resultType(op, l.typ, r.typ), func(m *machine) schemas.Value {
		a := left(m)
		if a.Kind == schemas.KindNull {
			return schemas.Null
		}
		b := right(m)
		if b.Kind == schemas.KindNull {
			return schemas.Null
		}
		v, err := f(a, b)
		if a.Kind == schemas.KindInt && b.Kind == schemas.KindInt {
			v, err = fitsInt(v, err)
		}
		if err != nil {
			return m.failNumber(at, err, op, a, b)
		}
		return v
	})
}

// remainder is a - b × (a ÷ b cut to a whole number): its sign is a's, as in SQL.
func remainder(a, b schemas.Value) (schemas.Value, error) {
	if a.Kind == schemas.KindInt && b.Kind == schemas.KindInt && b.Int != 0 {
		if b.Int == -1 {
			return schemas.Int(0), nil
		}
		return schemas.Int(a.Int % b.Int), nil
	}
	q, err := schemas.QuoDec(a, b, 0, schemas.Down)
	if err != nil {
		return q, err
	}
	p, err := schemas.MulDec(b, q)
	if err != nil {
		return p, err
	}
	return schemas.SubDec(a, p)
}

// division is a fault wherever its rounding is not said; round, floor, ceil and quo compile it themselves.
func (c *compiler) division(n *node) *code {
	c.compile(n.kids[0])
	c.compile(n.kids[1])
	a, b := c.snip(n.kids[0]), c.snip(n.kids[1])
	return c.bad(n, fmt.Sprintf("%s can have endless digits, so its rounding must be said", c.snip(n)),
		fmt.Sprintf("write round(%s / %s, 2) or quo(%s, %s, 2); inside a larger expression the division goes last: round(a * c / b, 2)", a, b, a, b))
}

// quotient compiles l ÷ r rounded to scale digits.
func (c *compiler) quotient(n *node, a, b *node, scale int, mode schemas.RoundMode) *code {
	l, r := c.number(a), c.number(b)
	if l.bad || r.bad {
		return badCode
	}
	if r.constant != nil && r.typ.Kind != schemas.KindNull && r.constant.Sign() == 0 {
		return c.bad(b, "division by zero", "divide by something else")
	}
	left, right, at := l.eval, r.eval, c.site(n)
	cut := max(scale, 0)
	return c.made(n, decimalType(cut), func(m *machine) schemas.Value {
		x := left(m)
		if x.Kind == schemas.KindNull {
			return x
		}
		y := right(m)
		if y.Kind == schemas.KindNull {
			return y
		}
		if scale < 0 { // round(x / y, -2) is round(x / (y × 100), 0) × 100
			p := schemas.Int(int64(math.Pow10(-scale)))
			by, err := schemas.MulDec(y, p)
			if err != nil {
				return m.failNumber(at, err, "/", x, y)
			}
			v, err := schemas.QuoDec(x, by, 0, mode)
			if err == nil {
				v, err = schemas.MulDec(v, p)
			}
			if err != nil {
				return m.failNumber(at, err, "/", x, y)
			}
			return v
		}
		v, err := schemas.QuoDec(x, y, cut, mode)
		if err != nil {
			return m.failNumber(at, err, "/", x, y)
		}
		return v
	})
}

// dateArithmetic compiles date + days, date - days, days + date and date - date.
func (c *compiler) dateArithmetic(n *node, l, r *code) *code {
	isDays := func(k *code) bool { return k.typ.Kind == schemas.KindInt || k.typ.Kind == schemas.KindNull }
	left, right, at := l.eval, r.eval, c.site(n)
	sign := int64(1)
	t := dateType
	switch {
	case n.op == "-" && l.typ.Kind == schemas.KindDate && r.typ.Kind == schemas.KindDate:
		t, sign = intType, -1
	case n.op == "-" && l.typ.Kind == schemas.KindDate && isDays(r):
		sign = -1
	case n.op == "+" && l.typ.Kind == schemas.KindDate && isDays(r), n.op == "+" && isDays(l) && r.typ.Kind == schemas.KindDate:
	default:
		return c.bad(n, fmt.Sprintf("%s %s %s has no meaning", typeName(l.typ), n.op, typeName(r.typ)), "write date + days, date - days, or date - date (days between them)")
	}
	kind := t.Kind
	return c.made(n, t, func(m *machine) schemas.Value {
		a, b := left(m), right(m)
		if a.Kind == schemas.KindNull || b.Kind == schemas.KindNull {
			return schemas.Null
		}
		for _, v := range []*schemas.Value{&a, &b} {
			if v.Kind != schemas.KindDate {
				continue
			}
			if future, past := openEnd(*v); future || past {
				return m.failAs(fault.RulesArithmetic, at, fmt.Sprintf("date %s is without end and cannot be calculated with", display(*v)), "guard it with nullif(…)")
			}
		}
		day := a.Int + sign*b.Int
		if out := (schemas.Value{Kind: kind, Int: day}); kind == schemas.KindInt || b.Int < maxDay && b.Int > minDay && day < maxDay && day > minDay {
			return out
		}
		return m.failAs(fault.RulesArithmetic, at, fmt.Sprintf("%s %s %s is no date", display(a), n.op, display(b)), "use fewer days")
	})
}
