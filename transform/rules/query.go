package rules

import (
	"fmt"
	"slices"

	"shelfstream/schemas"
)

// query chooses rows of a source: where, then validity, then order.
type query struct {
	source *source
	depth  int
	where  func(m *machine) tri // nil: all
	valid  *validity            // nil: always
	order  []sortKey
	// per keeps only the first row in order for each value of these.
	per []sortKey
}

type sortKey struct {
	eval            func(m *machine) schemas.Value
	compare         func(a, b schemas.Value) int
	desc, nullsLast bool
}

func (k *sortKey) cmp(a, b schemas.Value) int {
	an, bn := a.Kind == schemas.KindNull, b.Kind == schemas.KindNull
	if an || bn {
		if an && bn {
			return 0
		}
		if an == k.nullsLast {
			return 1
		}
		return -1
	}
	if k.desc {
		return k.compare(b, a)
	}
	return k.compare(a, b)
}

// sortKey compiles one key of an order; the row's scope is open.
func (c *compiler) sortKey(k orderKey) (sortKey, bool) {
	code := c.compile(k.expr)
	if code.bad {
		return sortKey{}, false
	}
	if !hasOrder(code.typ) {
		c.bad(k.expr, fmt.Sprintf("%s is %s and has no order", c.snip(k.expr), typeName(code.typ)), "order by another column")
		return sortKey{}, false
	}
	return sortKey{eval: code.eval, compare: comparer(code.typ, code.typ), desc: k.desc, nullsLast: k.nullsLast}, true
}

// enter makes a row the one at hand.
func (q *query) enter(m *machine, rows rowset, i int) {
	m.frames[q.depth] = frame{row: rows.at(i), index: i}
}

// passes makes row i the one at hand and says whether it is chosen. Validity is looked at only where the condition holds, so that
// rows of another currency or customer wake nothing.
func (q *query) passes(m *machine, rows rowset, i int) bool {
	q.enter(m, rows, i)
	if q.where == nil && q.valid == nil {
		return true
	}
	mark := m.trace.mark()
	if (q.where == nil || q.where(m) == yes) && (q.valid == nil || q.valid.holds(m)) {
		return true
	}
	m.trace.cut(mark)
	return false
}

// each calls f for every chosen row, in the order of the rows.
func (q *query) each(m *machine, f func(i int) (more bool)) {
	rows := q.source.rows(m)
	for i, n := 0, rows.len(); i < n; i++ {
		if q.passes(m, rows, i) && !f(i) {
			return
		}
	}
}

// first makes the first chosen row in order the one at hand; false if there is none.
func (q *query) first(m *machine) bool {
	rows := q.source.rows(m)
	mark, base, width := m.trace.mark(), len(m.temp), len(q.order)
	best := -1
	for i, n := 0, rows.len(); i < n; i++ {
		if !q.passes(m, rows, i) {
			continue
		}
		if width == 0 {
			if best < 0 {
				best = i
			}
			if q.valid == nil {
				break
			}
			continue // the other rows' boundaries wake too
		}
		at := len(m.temp)
		q.keys(m)
		if best < 0 || q.compare(rows, i, best, m.temp[at:at+width], m.temp[base:base+width]) < 0 {
			copy(m.temp[base:], m.temp[at:at+width])
			best = i
		}
		m.temp = m.temp[:base+width]
	}
	m.temp = m.temp[:base]
	m.trace.cut(mark)
	if best < 0 {
		return false
	}
	q.revisit(m, rows, best)
	return true
}

// keys pushes the sort keys of the row at hand on the stack.
func (q *query) keys(m *machine) {
	for k := range q.order {
		v := q.order[k].eval(m)
		m.temp = append(m.temp, v)
	}
}

// revisit makes a row the one at hand again; explaining, it reads once more what it was chosen by.
func (q *query) revisit(m *machine, rows rowset, i int) {
	q.enter(m, rows, i)
	if m.trace == nil {
		return
	}
	q.passes(m, rows, i)
	base := len(m.temp)
	q.keys(m)
	for k := range q.per {
		q.per[k].eval(m)
	}
	m.temp = m.temp[:base]
}

// compare orders rows by their keys, then by the source's key, then by their place: a total order.
func (q *query) compare(rows rowset, i, j int, a, b []schemas.Value) int {
	for k := range q.order {
		if d := q.order[k].cmp(a[k], b[k]); d != 0 {
			return d
		}
	}
	x, y := rows.at(i), rows.at(j)
	for _, k := range q.source.key {
		if d := schemas.Compare(cell(x, k), cell(y, k)); d != 0 {
			return d
		}
	}
	return i - j
}

// sorted calls f for the chosen rows in order, at most limit of them (0: all).
func (q *query) sorted(m *machine, limit int, f func(i int) (more bool)) {
	rows := q.source.rows(m)
	mark, base, start, width := m.trace.mark(), len(m.temp), len(m.index), len(q.order)
	for i, n := 0, rows.len(); i < n; i++ {
		if !q.passes(m, rows, i) {
			continue
		}
		m.index = append(m.index, i)
		q.keys(m)
	}
	count := len(m.index) - start
	if width > 0 && count > 1 {
		q.sort(m, rows, start, m.temp[base:])
	}
	m.temp = m.temp[:base]
	if len(q.per) > 0 {
		count = q.distinct(m, rows, start)
	}
	if limit > 0 {
		count = min(count, limit)
	}
	m.trace.cut(mark)
	for k := range count {
		// f may push on the stack of indexes and move it
		i := m.index[start+k]
		q.revisit(m, rows, i)
		if !f(i) {
			break
		}
	}
	m.index = m.index[:start]
}

// sort orders the row numbers from start in m.index, whose keys stand in keys in the order of choosing.
func (q *query) sort(m *machine, rows rowset, start int, keys []schemas.Value) {
	width, end := len(q.order), len(m.index)
	// Positions into keys are sorted, and then replaced by the rows they stand for.
	for p := range end - start {
		m.index = append(m.index, p)
	}
	chosen, order := m.index[start:end], m.index[end:]
	slices.SortFunc(order, func(p, r int) int {
		return q.compare(rows, chosen[p], chosen[r], keys[p*width:(p+1)*width], keys[r*width:(r+1)*width])
	})
	for k, p := range order {
		order[k] = chosen[p]
	}
	copy(chosen, order)
	m.index = m.index[:end]
}

// distinct keeps the row numbers from start in m.index that are the first of their kind, in their order, and gives their number.
func (q *query) distinct(m *machine, rows rowset, start int) int {
	base, width, end := len(m.temp), len(q.per), len(m.index)
	for p := start; p < end; p++ {
		q.enter(m, rows, m.index[p])
		for k := range q.per {
			v := q.per[k].eval(m)
			m.temp = append(m.temp, v)
		}
		m.index = append(m.index, p-start)
	}
	keys, order := m.temp[base:], m.index[end:]
	compare := func(p, r int) int {
		for k := range q.per {
			if d := q.per[k].cmp(keys[p*width+k], keys[r*width+k]); d != 0 {
				return d
			}
		}
		return 0
	}
	slices.SortFunc(order, func(p, r int) int {
		if d := compare(p, r); d != 0 {
			return d
		}
		return p - r
	})
	kept := order[:0]
	for i, p := range order {
		if i == 0 || compare(p, last(kept)) != 0 {
			kept = append(kept, p)
		}
	}
	slices.Sort(kept)
	for k, p := range kept {
		m.index[start+k] = m.index[start+p] // p >= k
	}
	m.index, m.temp = m.index[:end], m.temp[:base]
	return len(kept)
}

func last(s []int) int { return s[len(s)-1] }
