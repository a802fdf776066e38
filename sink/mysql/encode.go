package mysql

import (
	"bytes"
	"fmt"
	"strconv"

	"shelfstream/internal/fault"
	"shelfstream/schemas"
	"shelfstream/sink"
)

// statements are the SQL of some records: what comes first takes rows away, which also gives up values of unique indexes.
type statements struct {
	vp     *viewPlan
	root   []tableRows // by vp.roots
	list   []tableRows // by vp.lists
	gone   []keyList   // by vp.roots: keys of tombstones
	orphan []keyList   // by vp.lists: products of tombstones
}

// tableRows collects "(…),(…)" and, for a list's table, the conditions of the rows that left their list.
type tableRows struct {
	rows  []byte
	ends  []int // end of each row in rows
	trim  []byte
	trims []int // end of each condition in trim
}

// keyList collects "(…)" or single literals for IN.
type keyList struct {
	keys []byte
	ends []int
}

// mark and reset undo what a record wrote before one of its values turned out not to fit.
type mark struct{ rows, ends, trim, trims int }

func (r *tableRows) mark() mark { return mark{len(r.rows), len(r.ends), len(r.trim), len(r.trims)} }
func (r *tableRows) reset(m mark) {
	r.rows, r.ends, r.trim, r.trims = r.rows[:m.rows], r.ends[:m.ends], r.trim[:m.trim], r.trims[:m.trims]
}

func (st *statements) reset(vp *viewPlan) {
	if st.vp != vp {
		*st = statements{vp: vp, root: make([]tableRows, len(vp.roots)), list: make([]tableRows, len(vp.lists)), gone: make([]keyList, len(vp.roots)), orphan: make([]keyList, len(vp.lists))}
		return
	}
	for i := range st.root {
		st.root[i].reset(mark{})
		st.gone[i].keys, st.gone[i].ends = st.gone[i].keys[:0], st.gone[i].ends[:0]
	}
	for i := range st.list {
		st.list[i].reset(mark{})
		st.orphan[i].keys, st.orphan[i].ends = st.orphan[i].keys[:0], st.orphan[i].ends[:0]
	}
}

// encoder writes records as SQL. It belongs to a session.
type encoder struct {
	sink  string
	st    statements
	marks []mark
	keys  [][]byte // scratch: key literals of the elements of one list
}

// add appends a record, or says why it cannot be written; then nothing of it is in the statements.
func (e *encoder) add(vp *viewPlan, r *sink.Record) *fault.Fault {
	if r.Row == nil {
		return e.addTombstone(vp, r)
	}
	e.marks = e.marks[:0]
	for i := range vp.roots {
		e.marks = append(e.marks, e.st.root[i].mark())
	}
	for i := range vp.lists {
		e.marks = append(e.marks, e.st.list[i].mark())
	}
	var f *fault.Fault
	for i, p := range vp.roots {
		if f == nil {
			f = e.addRow(p, &e.st.root[i], r, nil, 0)
		}
	}
	for i, p := range vp.lists {
		if f == nil {
			f = e.addList(p, &e.st.list[i], r)
		}
	}
	if f != nil {
		for i := range vp.roots {
			e.st.root[i].reset(e.marks[i])
		}
		for i := range vp.lists {
			e.st.list[i].reset(e.marks[len(vp.roots)+i])
		}
	}
	return f
}

// value finds a column's value in a record or an element of its list.
func (c *columnPlan) value(r *sink.Record, elem *schemas.Value, pos int) schemas.Value {
	switch c.origin {
	case fromRow:
		return r.Row[c.index]
	case fromElement:
		if elem.IsNull() {
			return schemas.Null
		}
		if c.index < 0 {
			return *elem
		}
		return elem.List[c.index]
	case fromPosition:
		return schemas.Int(int64(pos))
	case fromLiving:
		if c.write.col.class != classInt {
			return schemas.Null
		}
	}
	return schemas.Int(0)
}

func (e *encoder) addRow(p *tablePlan, out *tableRows, r *sink.Record, elem *schemas.Value, pos int) *fault.Fault {
	if len(out.rows) > 0 {
		out.rows = append(out.rows, ',')
	}
	out.rows = append(out.rows, '(')
	for i := range p.columns {
		if i > 0 {
			out.rows = append(out.rows, ',')
		}
		c := &p.columns[i]
		var u *unfit
		if out.rows, u = c.write.append(out.rows, c.value(r, elem, pos)); u != nil {
			return e.unfit(p, c, r, pos, u)
		}
	}
	out.rows = append(out.rows, ')')
	out.ends = append(out.ends, len(out.rows))
	return nil
}

func (e *encoder) unfit(p *tablePlan, c *columnPlan, r *sink.Record, pos int, u *unfit) *fault.Fault {
	field := c.field
	if p.list >= 0 && c.origin == fromElement {
		field = fmt.Sprintf("%s (element %d)", field, pos)
	}
	return &fault.Fault{
		Class: fault.Runtime, Where: fmt.Sprintf("sink %s: %s %s", e.sink, p.view.Name, keyText(r.KeyValues)),
		What: fmt.Sprintf("the field %s does not fit column %s.%s: it %s", field, p.name, c.name, u.what), Fix: u.fix,
	}
}

// addList writes the elements of one product's list, and the condition that finds the rows that left it.
func (e *encoder) addList(p *tablePlan, out *tableRows, r *sink.Record) *fault.Fault {
	list := r.Row[p.list].List
	e.keys = e.keys[:0]
	byIndex := len(p.key) == len(p.parent)+1 && p.columns[p.key[len(p.key)-1]].origin == fromPosition
	for i := range list {
		if f := e.addRow(p, out, r, &list[i], i); f != nil {
			return f
		}
		if byIndex {
			continue
		}
		key, f := e.elementKey(p, r, &list[i], i)
		if f != nil {
			return f
		}
		for j := range e.keys {
			if bytes.Equal(e.keys[j], key) {
				return &fault.Fault{
					Class: fault.Runtime, Where: fmt.Sprintf("sink %s: %s %s", e.sink, p.view.Name, keyText(r.KeyValues)),
					What: fmt.Sprintf("elements %d and %d of the list %s have the same key %s, and would be one row of table %s", j, i, p.cfg.list(), key, p.name),
					Fix:  "let a rule give them different keys, or name other columns under 'key' of the table",
				}
			}
		}
		e.keys = append(e.keys, key)
	}
	if len(out.trim) > 0 {
		out.trim = append(out.trim, " OR "...)
	}
	out.trim = append(out.trim, '(')
	for i, k := range p.parent {
		if i > 0 {
			out.trim = append(out.trim, " AND "...)
		}
		c := &p.columns[k]
		out.trim = append(out.trim, quoteName(c.name)...)
		out.trim = append(out.trim, " = "...)
		var u *unfit
		if out.trim, u = c.write.append(out.trim, c.value(r, nil, 0)); u != nil {
			return e.unfit(p, c, r, 0, u)
		}
	}
	switch {
	case byIndex:
		out.trim = append(out.trim, " AND "...)
		out.trim = append(out.trim, quoteName(p.columns[p.key[len(p.key)-1]].name)...)
		out.trim = append(out.trim, " >= "...)
		out.trim = strconv.AppendInt(out.trim, int64(len(list)), 10)
	case len(list) > 0:
		out.trim = append(out.trim, " AND NOT ("...)
		out.trim = append(out.trim, p.elementColumns()...)
		out.trim = append(out.trim, " IN ("...)
		out.trim = append(out.trim, bytes.Join(e.keys, []byte(", "))...)
		out.trim = append(out.trim, "))"...)
	}
	out.trim = append(out.trim, ')')
	out.trims = append(out.trims, len(out.trim))
	return nil
}

// elementKeyColumns are the key columns that tell the elements of one product apart.
func (p *tablePlan) elementKeyColumns() []int { return p.keyParentFirst()[len(p.parent):] }

func (p *tablePlan) elementColumns() string {
	names := quoteNames(p.names(p.elementKeyColumns()))
	if len(p.elementKeyColumns()) > 1 {
		return "(" + names + ")"
	}
	return names
}

func (e *encoder) elementKey(p *tablePlan, r *sink.Record, elem *schemas.Value, pos int) ([]byte, *fault.Fault) {
	cols := p.elementKeyColumns()
	var key []byte
	if len(cols) > 1 {
		key = append(key, '(')
	}
	for i, k := range cols {
		if i > 0 {
			key = append(key, ',')
		}
		c := &p.columns[k]
		var u *unfit
		if key, u = c.write.append(key, c.value(r, elem, pos)); u != nil {
			return nil, e.unfit(p, c, r, pos, u)
		}
	}
	if len(cols) > 1 {
		key = append(key, ')')
	}
	return key, nil
}

func (e *encoder) addTombstone(vp *viewPlan, r *sink.Record) *fault.Fault {
	// All or nothing here too, but a key that does not fit its column cannot stand in the table: there is nothing to delete.
	for i, p := range vp.lists {
		if vp.keepsLists() {
			break
		}
		e.st.orphan[i].add(p, r)
	}
	for i, p := range vp.roots {
		e.st.gone[i].add(p, r)
	}
	return nil
}

// keepsLists says whether a tombstone leaves the lists alone: the product's row is only marked, and may come back.
func (vp *viewPlan) keepsLists() bool { return len(vp.roots) > 0 && vp.roots[0].soft >= 0 }

// add appends the product's key as p's table has it; a key that does not fit is left out.
func (l *keyList) add(p *tablePlan, r *sink.Record) {
	start := len(l.keys)
	if start > 0 {
		l.keys = append(l.keys, ',')
	}
	keys, ok := p.appendKey(l.keys, r.KeyValues)
	l.keys = keys
	if !ok {
		l.keys = l.keys[:start]
		return
	}
	l.ends = append(l.ends, len(l.keys))
}

// appendKey appends a product's key for IN over p.parent: "'a'" or "('a',1)".
func (p *tablePlan) appendKey(dst []byte, key []schemas.Value) ([]byte, bool) {
	if len(p.parent) > 1 {
		dst = append(dst, '(')
	}
	for i, k := range p.parent {
		if i > 0 {
			dst = append(dst, ',')
		}
		var u *unfit
		if dst, u = p.columns[k].write.append(dst, key[i]); u != nil {
			return dst, false
		}
	}
	if len(p.parent) > 1 {
		dst = append(dst, ')')
	}
	return dst, true
}

// parentColumns is the left side of that IN.
func (p *tablePlan) parentColumns() string {
	names := quoteNames(p.names(p.parent))
	if len(p.parent) > 1 {
		return "(" + names + ")"
	}
	return names
}

// keyText is a key for people: "4711", or values joined by "/".
func keyText(key []schemas.Value) string {
	var b []byte
	for i := range key {
		if i > 0 {
			b = append(b, '/')
		}
		b = append(b, key[i].String()...)
	}
	return string(b)
}
