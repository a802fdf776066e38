package rules

import (
	"fmt"
	"slices"

	"shelfstream/internal/fault"
	"shelfstream/schemas"
)

// maxPath bounds how many levels a tree has; what is deeper is a cycle or a mistake.
const maxPath = 64

// compilePath climbs a tree of rows from one of them to its top. A parent that is null, 0 or blank is the top.
func compilePath(c *compiler, n *node) *code {
	if n.valid != nil {
		return c.bad(n.valid[0], "path has no valid: a tree is as it is now", "write a condition: path(…, ' > ' where active)")
	}
	start, sep := c.compile(n.kids[1]), c.text(n.kids[5])
	var id, parent, name, where *code
	filter := n.where
	plain := *n
	plain.where = nil // rows that it refuses are met on the way, and hide what hangs below them
	q := c.aggregate(&plain, func() bool {
		id, parent, name = c.ordered(n.kids[2]), c.ordered(n.kids[3]), c.text(n.kids[4])
		ok := !id.bad && !parent.bad && !name.bad && !start.bad
		if filter != nil {
			where = c.truth(filter)
			ok = ok && !where.bad
		}
		return ok && c.comparable(n, start, id, n.kids[1], n.kids[2]) && c.comparable(n, parent, id, n.kids[3], n.kids[2])
	})
	if q == nil || sep.bad {
		return badCode
	}
	w := &climb{q: q, id: id, parent: parent, name: name, where: where, at: c.site(n), first: comparer(start.typ, id.typ), next: comparer(parent.typ, id.typ)}
	return c.made(n, textType, func(m *machine) schemas.Value {
		from := start.eval(m)
		if isTop(from) {
			return schemas.Null
		}
		base, temp := len(m.index), len(m.temp)
		ok := w.up(m, from)
		out := schemas.Null
		if ok {
			between := sep.eval(m)
			out = w.text(m, base, between.Bytes)
		}
		m.index, m.temp = m.index[:base], m.temp[:temp]
		return out
	})
}

func isTop(v schemas.Value) bool {
	switch v.Kind {
	case schemas.KindNull:
		return true
	case schemas.KindInt, schemas.KindDecimal:
		return v.Sign() == 0
	case schemas.KindText, schemas.KindEnum:
		return len(trimSpace(v.Bytes)) == 0
	default:
		return false
	}
}

// climb is a path being compiled once and walked for each product.
type climb struct {
	q                       *query
	id, parent, name, where *code
	at                      site
	first, next             func(a, b schemas.Value) int
}

// up pushes the rows from the start to the top on the stack of indexes; false if there is no path, or it is a fault.
func (w *climb) up(m *machine, from schemas.Value) bool {
	base, compare := len(m.index), w.first
	rows := w.q.source.rows(m)
	for {
		i := w.find(m, rows, from, compare)
		switch {
		case i < 0 && len(m.index) == base:
			m.failAs(fault.RulesTree, w.at, fmt.Sprintf("%s has no row %s", w.q.source.name, display(from)), fmt.Sprintf("add it to %s; the product is tried again when it arrives", w.q.source.name))
			return false
		case i < 0:
			m.failAs(fault.RulesTree, w.at, fmt.Sprintf("%s has no row %s, which %s names as its parent", w.q.source.name, display(from), w.shown(m, rows, m.index[len(m.index)-1])),
				fmt.Sprintf("add it to %s, or correct the parent; the product is tried again when it arrives", w.q.source.name))
			return false
		case slices.Contains(m.index[base:], i) || len(m.index)-base >= maxPath:
			m.failAs(fault.RulesTree, w.at, fmt.Sprintf("%s runs in a circle: %s is above itself", w.q.source.name, w.shown(m, rows, i)), "correct the parents in the source")
			return false
		}
		w.q.enter(m, rows, i)
		if w.where != nil && w.where.test(m) != yes {
			return false
		}
		m.index = append(m.index, i)
		if from = w.parent.eval(m); isTop(from) {
			return true
		}
		compare = w.next
	}
}

func (w *climb) find(m *machine, rows rowset, id schemas.Value, compare func(a, b schemas.Value) int) int {
	mark := m.trace.mark()
	for i, n := 0, rows.len(); i < n; i++ {
		w.q.enter(m, rows, i)
		if v := w.id.eval(m); v.Kind != schemas.KindNull && compare(id, v) == 0 {
			return i
		}
		m.trace.cut(mark)
	}
	return -1
}

func (w *climb) shown(m *machine, rows rowset, i int) string {
	w.q.enter(m, rows, i)
	return display(w.id.eval(m))
}

// text joins the names from the top down.
func (w *climb) text(m *machine, base int, sep []byte) schemas.Value {
	rows, temp := w.q.source.rows(m), len(m.temp)
	for _, i := range slices.Backward(m.index[base:]) {
		w.q.enter(m, rows, i)
		v := w.name.eval(m)
		m.temp = append(m.temp, v)
	}
	start := len(m.bytes)
	for _, v := range m.temp[temp:] {
		if len(v.Bytes) == 0 {
			continue
		}
		if len(m.bytes) > start {
			m.bytes = append(m.bytes, sep...)
		}
		m.bytes = append(m.bytes, v.Bytes...)
	}
	return m.made(start)
}
