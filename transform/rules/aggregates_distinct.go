package rules

import (
	"fmt"
	"slices"

	"shelfstream/internal/fault"
	"shelfstream/schemas"
)

// compileOnly gives the one value that all chosen rows agree on. Several rows where one is meant are a mistake that must not be decided by their order.
func compileOnly(c *compiler, n *node) *code {
	q, k := c.aggregateOf(n, c.ordered)
	if q == nil {
		return badCode
	}
	at, compare := c.site(n), comparer(k.typ, k.typ)
	return c.made(n, k.typ, func(m *machine) schemas.Value {
		out, seen := schemas.Null, false
		q.each(m, func(int) bool {
			v := k.eval(m)
			same := v.Kind == out.Kind && (v.Kind == schemas.KindNull || compare(v, out) == 0)
			if seen && !same {
				m.failAs(fault.RulesAmbiguous, at, fmt.Sprintf("several rows of %s match, with %s and %s", q.source.name, display(out), display(v)),
					fmt.Sprintf("remove one of them in the source, narrow where, or choose: first(%s, … order …)", q.source.name))
				return false
			}
			out, seen = v, true
			return true
		})
		return out
	})
}

func compileCountDistinct(c *compiler, n *node) *code {
	q, k := c.aggregateOf(n, c.ordered)
	if q == nil {
		return badCode
	}
	compare := comparer(k.typ, k.typ)
	return c.made(n, intType, func(m *machine) schemas.Value {
		base := len(m.temp)
		q.each(m, func(int) bool {
			if v := k.eval(m); v.Kind != schemas.KindNull {
				m.temp = append(m.temp, v)
			}
			return true
		})
		values := m.temp[base:]
		slices.SortFunc(values, compare)
		count := int64(0)
		for i := range values {
			if i == 0 || compare(values[i-1], values[i]) != 0 {
				count++
			}
		}
		m.temp = m.temp[:base]
		return schemas.Int(count)
	})
}
