package rules

import (
	"bytes"
	"fmt"
	"slices"

	"shelfstream/schemas"
)

// comparison compiles = <> < <= > >=.
func (c *compiler) comparison(n *node) *code {
	l, r := c.compile(n.kids[0]), c.compile(n.kids[1])
	if !c.comparable(n, l, r, n.kids[0], n.kids[1]) {
		return badCode
	}
	left, right, compare := l.eval, r.eval, comparer(l.typ, r.typ)
	holds := map[string][3]tri{ // for less, equal, greater
		"=": {no, yes, no}, "<>": {yes, no, yes}, "<": {yes, no, no}, "<=": {yes, yes, no}, ">": {no, no, yes}, ">=": {no, yes, yes},
	}[n.op]
	return c.tested(n, func(m *machine) tri {
		a := left(m)
		if a.Kind == schemas.KindNull {
			return unknown
		}
		b := right(m)
		if b.Kind == schemas.KindNull {
			return unknown
		}
		return holds[compare(a, b)+1]
	})
}

// comparer is the order of two values of these types.
func comparer(l, r schemas.Type) func(a, b schemas.Value) int {
	switch {
	case isNumber(l) && isNumber(r):
		return compareNumbers
	case l.Kind == schemas.KindFloat:
		return schemas.Compare
	case isText(l), l.Kind == schemas.KindBytes, l.Kind == schemas.KindUUID:
		return func(a, b schemas.Value) int { return bytes.Compare(a.Bytes, b.Bytes) }
	default:
		return compareInts
	}
}

func compareInts(a, b schemas.Value) int {
	switch {
	case a.Int < b.Int:
		return -1
	case a.Int > b.Int:
		return 1
	}
	return 0
}

func compareNumbers(a, b schemas.Value) int {
	if a.Bytes == nil && b.Bytes == nil && (a.Kind == b.Kind && a.Scale == b.Scale || a.Int == 0 && b.Int == 0) {
		return compareInts(a, b)
	}
	return schemas.Compare(a, b)
}

// comparable checks that two values have an order, and constants against the words of an enum.
func (c *compiler) comparable(n *node, l, r *code, ln, rn *node) bool {
	if l.bad || r.bad {
		return false
	}
	for i, k := range []*code{l, r} {
		if k.constant != nil && k.constant.Kind == schemas.KindNull {
			other := []*node{rn, ln}[i]
			c.bad(n, "a comparison with null is never true", fmt.Sprintf("write %s is null, or is not null", c.snip(other)))
			return false
		}
	}
	if !c.known(l, r, rn) || !c.known(r, l, ln) {
		return false
	}
	a, b := l.typ, r.typ
	switch {
	case isNumber(a) && isNumber(b), isText(a) && isText(b), a.Kind == schemas.KindNull, b.Kind == schemas.KindNull:
		return true
	case a.Kind == b.Kind && a.Kind != schemas.KindJSON && a.Kind != schemas.KindArray && a.Kind != schemas.KindRecord:
		return true
	}
	c.bad(n, fmt.Sprintf("%s is %s and %s is %s: they cannot be compared", c.snip(ln), typeName(a), c.snip(rn), typeName(b)), c.compareFix(l, r, ln, rn))
	return false
}

func (c *compiler) compareFix(l, r *code, ln, rn *node) string {
	if isText(l.typ) && !isText(r.typ) {
		l, r, ln, rn = r, l, rn, ln
	}
	x, y := c.snip(ln), c.snip(rn)
	switch {
	case l.typ.Kind == schemas.KindFloat || r.typ.Kind == schemas.KindFloat:
		if r.typ.Kind == schemas.KindFloat {
			x = y
		}
		return fmt.Sprintf("floats are not exact: write round(decimal(%s), 2)", x)
	case l.typ.Kind == schemas.KindBool:
		return fmt.Sprintf("write %s or not %s", x, x)
	case l.typ.Kind == schemas.KindDate && r.constant != nil && isText(r.typ):
		return "write date " + y
	case l.typ.Kind == schemas.KindDate && isText(r.typ):
		return fmt.Sprintf("write date(%s)", y)
	case l.typ.Kind == schemas.KindTimestamp || l.typ.Kind == schemas.KindTimestampTZ:
		return fmt.Sprintf("write date(%s), or compare with timestamp '…'", x)
	case r.typ.Kind == schemas.KindTimestamp || r.typ.Kind == schemas.KindTimestampTZ:
		return fmt.Sprintf("write date(%s)", y)
	case isNumber(l.typ) && r.constant != nil:
		return "write the number without quotes"
	case isNumber(l.typ) && isText(r.typ):
		return fmt.Sprintf("write number(%s), or text(%s)", y, x)
	case isText(r.typ):
		return fmt.Sprintf("write text(%s)", x)
	}
	return "compare values of one type"
}

// known reports a constant that is none of the words that k can be: those of an enum column, or of a status rule.
func (c *compiler) known(k, constant *code, at *node) bool {
	if k.typ.Symbols == nil || constant.constant == nil || constant.typ.Kind != schemas.KindText {
		return true
	}
	word := string(constant.constant.Bytes)
	if slices.Contains(k.typ.Symbols, word) {
		return true
	}
	c.bad(at, fmt.Sprintf("'%s' is not among its values", word), didYouMean(word, k.typ.Symbols, "use one of its values"))
	return false
}

// in compiles x in [a, b]: null if x is, or if none matches and one of them is null.
func (c *compiler) in(n *node) *code {
	x := c.compile(n.kids[0])
	ok := !x.bad
	constants := isText(x.typ)
	items := make([]*code, len(n.kids)-1)
	for i, kid := range n.kids[1:] {
		items[i] = c.compile(kid)
		if !c.comparable(n, x, items[i], n.kids[0], kid) {
			ok = false
		}
		constants = constants && items[i].constant != nil
	}
	if !ok {
		return badCode
	}
	eval, hit, miss := x.eval, triOf(!n.not), triOf(n.not)
	if constants {
		set := make(map[string]struct{}, len(items))
		for _, i := range items {
			set[string(i.constant.Bytes)] = struct{}{}
		}
		return c.tested(n, func(m *machine) tri {
			v := eval(m)
			if v.Kind == schemas.KindNull {
				return unknown
			}
			if _, ok := set[string(v.Bytes)]; ok {
				return hit
			}
			return miss
		})
	}
	compare := make([]func(a, b schemas.Value) int, len(items))
	for i := range items {
		compare[i] = comparer(x.typ, items[i].typ)
	}
	return c.tested(n, func(m *machine) tri {
		v := eval(m)
		if v.Kind == schemas.KindNull {
			return unknown
		}
		result := miss
		for i := range items {
			w := items[i].eval(m)
			if w.Kind == schemas.KindNull {
				result = unknown
			} else if compare[i](v, w) == 0 {
				return hit
			}
		}
		return result
	})
}

// between is low <= x and x <= high.
func (c *compiler) between(n *node) *code {
	x, low, high := c.compile(n.kids[0]), c.compile(n.kids[1]), c.compile(n.kids[2])
	okLow := c.comparable(n, x, low, n.kids[0], n.kids[1])
	if !c.comparable(n, x, high, n.kids[0], n.kids[2]) || !okLow {
		return badCode
	}
	withLow, withHigh := comparer(x.typ, low.typ), comparer(x.typ, high.typ)
	not := n.not
	return c.tested(n, func(m *machine) tri {
		v, a, b := x.eval(m), low.eval(m), high.eval(m)
		if v.Kind == schemas.KindNull {
			return unknown
		}
		result := yes
		if a.Kind == schemas.KindNull || b.Kind == schemas.KindNull {
			result = unknown
		}
		if a.Kind != schemas.KindNull && withLow(v, a) < 0 || b.Kind != schemas.KindNull && withHigh(v, b) > 0 {
			result = no
		}
		if result != unknown && not {
			return yes - result
		}
		return result
	})
}
