package rules

import (
	"fmt"

	"shelfstream/schemas"
)

// aggregate compiles the source, where and order of a call and, in the row's scope, whatever f compiles; nil if anything is at fault.
func (c *compiler) aggregate(n *node, f func() bool) *query {
	src := c.source(n.kids[0])
	if src == nil {
		return nil
	}
	q, ok := &query{source: src, depth: len(c.scopes)}, true
	c.inScope(src.scope(), func() {
		if f != nil {
			ok = f()
		}
		if n.where != nil {
			w := c.truth(n.where)
			q.where, ok = w.test, ok && !w.bad
		}
		if n.valid != nil {
			before := len(*c.faults)
			q.valid = c.validityOf(n.valid)
			ok = ok && len(*c.faults) == before
		}
		for _, k := range n.order {
			s, fine := c.sortKey(k)
			q.order, ok = append(q.order, s), ok && fine
		}
	})
	if !ok {
		return nil
	}
	return q
}

// aggregateOf compiles an aggregate with one expression over the rows.
func (c *compiler) aggregateOf(n *node, compile func(n *node) *code) (*query, *code) {
	var k *code
	q := c.aggregate(n, func() bool {
		k = compile(n.kids[1])
		return !k.bad
	})
	return q, k
}

func compileCount(c *compiler, n *node) *code {
	q := c.aggregate(n, nil)
	if q == nil {
		return badCode
	}
	return c.made(n, intType, func(m *machine) schemas.Value {
		if q.where == nil && q.valid == nil {
			return schemas.Int(int64(q.source.rows(m).len()))
		}
		count := int64(0)
		q.each(m, func(int) bool { count++; return true })
		return schemas.Int(count)
	})
}

func compileSum(c *compiler, n *node) *code {
	q, k := c.aggregateOf(n, c.number)
	if q == nil {
		return badCode
	}
	t := resultType("+", k.typ, intType)
	at, zero := c.site(n), schemas.Int(0)
	if t.Kind == schemas.KindDecimal {
		zero = schemas.Dec(0, t.Scale)
	}
	return c.made(n, t, func(m *machine) schemas.Value {
		total := zero
		q.each(m, func(int) bool {
			v := k.eval(m)
			if v.Kind == schemas.KindNull {
				return true
			}
			sum, err := schemas.AddDec(total, v)
			if t.Kind == schemas.KindInt {
				sum, err = fitsInt(sum, err)
			}
			if err != nil {
				m.failNumber(at, err, "sum", total, v)
				return false
			}
			total = sum
			return true
		})
		return total
	})
}

func compileMinOf(c *compiler, n *node) *code { return c.extreme(n, -1) }
func compileMaxOf(c *compiler, n *node) *code { return c.extreme(n, 1) }

// extreme keeps the smallest (sign -1) or largest (1) value that is not null.
func (c *compiler) extreme(n *node, sign int) *code {
	q, k := c.aggregateOf(n, c.ordered)
	if q == nil {
		return badCode
	}
	compare := comparer(k.typ, k.typ)
	return c.made(n, k.typ, func(m *machine) schemas.Value {
		best := schemas.Null
		q.each(m, func(int) bool {
			v := k.eval(m)
			if v.Kind != schemas.KindNull && (best.Kind == schemas.KindNull || compare(v, best)*sign > 0) {
				best = v
			}
			return true
		})
		return best
	})
}

// ordered compiles a part whose values have an order.
func (c *compiler) ordered(n *node) *code {
	k := c.compile(n)
	if k.bad {
		return k
	}
	if !hasOrder(k.typ) {
		return c.bad(n, fmt.Sprintf("%s is %s and has no order", c.snip(n), typeName(k.typ)), "use a number, text or date")
	}
	return k
}

func compileAny(c *compiler, n *node) *code { return c.quantifier(n, yes) }
func compileAll(c *compiler, n *node) *code { return c.quantifier(n, no) }

// quantifier looks for a row whose condition is decisive; for all that is no (and a null is no too), for any it is yes.
func (c *compiler) quantifier(n *node, decisive tri) *code {
	if len(n.kids) == 1 {
		if decisive == no {
			return c.bad(n, "all(…) has no condition", "write all(prices, price > 0)")
		}
		q := c.aggregate(n, nil)
		if q == nil {
			return badCode
		}
		return c.tested(n, func(m *machine) tri {
			found := no
			q.each(m, func(int) bool { found = yes; return false })
			return found
		})
	}
	q, k := c.aggregateOf(n, c.truth)
	if q == nil {
		return badCode
	}
	return c.tested(n, func(m *machine) tri {
		result := yes - decisive
		q.each(m, func(int) bool {
			if triOf(k.test(m) == yes) == decisive {
				result = decisive
				return false
			}
			return true
		})
		return result
	})
}

func compileFirst(c *compiler, n *node) *code {
	q, k := c.aggregateOf(n, c.compile)
	if q == nil {
		return badCode
	}
	return c.made(n, k.typ, func(m *machine) schemas.Value {
		if !q.first(m) {
			return schemas.Null
		}
		return k.eval(m)
	})
}

func compileJoin(c *compiler, n *node) *code {
	q, k := c.aggregateOf(n, c.text)
	sep := c.text(n.kids[2])
	if q == nil || sep.bad {
		return badCode
	}
	return c.made(n, textType, func(m *machine) schemas.Value {
		between := sep.eval(m)
		base := len(m.temp)
		q.sorted(m, 0, func(int) bool {
			v := k.eval(m)
			if len(v.Bytes) > 0 {
				m.temp = append(m.temp, v)
			}
			return true
		})
		if len(m.temp) == base {
			return schemas.Null
		}
		start := len(m.bytes)
		for i, v := range m.temp[base:] {
			if i > 0 {
				m.bytes = append(m.bytes, between.Bytes...)
			}
			m.bytes = append(m.bytes, v.Bytes...)
		}
		m.temp = m.temp[:base]
		return m.made(start)
	})
}

func compileRowNumber(c *compiler, n *node) *code {
	if len(c.scopes) == 0 || !c.scopes[len(c.scopes)-1].numbered {
		return c.bad(n, "row_number() is known only in the fields of a list", "use it in list: set")
	}
	depth := len(c.scopes) - 1
	return c.made(n, intType, func(m *machine) schemas.Value { return schemas.Int(m.frames[depth].number) })
}
