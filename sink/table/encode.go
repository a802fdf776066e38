package table

import (
	"bytes"
	"cmp"
	"fmt"
	"strconv"

	"shelfstream/internal/fault"
	"shelfstream/schemas"
	"shelfstream/sink"
)

// statements are the SQL of some records, by the view's tables.
type statements struct {
	vp     *viewPlan
	tables []tableRows // by tablePlan.at
}

// tableRows is what happens to one table.
type tableRows struct {
	rows []byte  // "(…),(…)" to write, or lines to load
	ends []int   // end of each row in rows
	gone keyList // of a root table: keys of products that are gone
	// Of a list's table: conditions that find the rows which left their list, joined by OR, and the keys of those rows, once leaving has found them.
	trim  []byte
	trims []int // end of each condition in trim
	left  keyList
	// Of a table whose rows are others': UPDATEs, and the end of each.
	sets    []byte
	setEnds []int
}

// mark and reset undo what a record wrote before one of its values turned out not to fit.
type mark struct{ rows, ends, trim, trims, sets, setEnds int }

func (r *tableRows) mark() mark {
	return mark{len(r.rows), len(r.ends), len(r.trim), len(r.trims), len(r.sets), len(r.setEnds)}
}

func (r *tableRows) reset(m mark) {
	r.rows, r.ends, r.trim, r.trims = r.rows[:m.rows], r.ends[:m.ends], r.trim[:m.trim], r.trims[:m.trims]
	r.sets, r.setEnds = r.sets[:m.sets], r.setEnds[:m.setEnds]
}

func (st *statements) reset(vp *viewPlan) {
	if st.vp != vp {
		*st = statements{vp: vp, tables: make([]tableRows, len(vp.tables))}
		return
	}
	for i := range st.tables {
		st.tables[i].reset(mark{})
		st.tables[i].gone.reset()
		st.tables[i].left.reset()
	}
}

// encoder writes records as SQL. It belongs to a session.
type encoder struct {
	sink  string
	st    statements
	load  bool // rows are lines for Loader
	marks []mark
	keys  [][]byte // scratch: key literals of the elements of one list
	// kept gives, by column, what an existing row keeps; nil but in careful mode.
	kept func(p *tablePlan, r *sink.Record, elem *schemas.Value, pos int) map[int]stored
}

// add appends a record, or says why it cannot be written; then nothing of it is in the statements.
func (e *encoder) add(vp *viewPlan, r *sink.Record) *fault.Fault {
	if r.Row == nil {
		return e.addTombstone(vp, r)
	}
	e.marks = e.marks[:0]
	for i := range e.st.tables {
		e.marks = append(e.marks, e.st.tables[i].mark())
	}
	var f *fault.Fault
	for i, p := range vp.tables {
		if f != nil {
			break
		}
		switch {
		case p.updates():
			f = e.addUpdate(p, &e.st.tables[i], r)
		case p.list < 0:
			f = e.addRow(p, &e.st.tables[i], r, nil, 0)
		default:
			f = e.addList(p, &e.st.tables[i], r)
		}
	}
	if f != nil {
		for i := range e.st.tables {
			e.st.tables[i].reset(e.marks[i])
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
		switch c.info.Class {
		case ClassInt:
		case ClassBool:
			return schemas.Bool(false)
		default:
			return schemas.Null
		}
	}
	return schemas.Int(0)
}

func (e *encoder) addRow(p *tablePlan, out *tableRows, r *sink.Record, elem *schemas.Value, pos int) *fault.Fault {
	if e.load {
		return e.addLine(p, out, r, elem, pos)
	}
	if len(out.rows) > 0 {
		out.rows = append(out.rows, ',')
	}
	var kept map[int]stored
	if p.keeps && e.kept != nil {
		kept = e.kept(p, r, elem, pos)
	}
	out.rows = append(out.rows, '(')
	for i := range p.columns {
		if i > 0 {
			out.rows = append(out.rows, ',')
		}
		if v, ok := kept[i]; ok {
			out.rows = append(out.rows, v.literal...)
			continue
		}
		c := &p.columns[i]
		var u *Unfit
		if out.rows, u = c.write.Literal(out.rows, c.value(r, elem, pos)); u != nil {
			return e.unfit(p, c, r, pos, u)
		}
	}
	out.rows = append(out.rows, ')')
	out.ends = append(out.ends, len(out.rows))
	return nil
}

// addLine is addRow for Loader.
func (e *encoder) addLine(p *tablePlan, out *tableRows, r *sink.Record, elem *schemas.Value, pos int) *fault.Fault {
	for i := range p.columns {
		if i > 0 {
			out.rows = append(out.rows, '\t')
		}
		c := &p.columns[i]
		var u *Unfit
		if out.rows, u = c.line.Load(out.rows, c.value(r, elem, pos)); u != nil {
			return e.unfit(p, c, r, pos, u)
		}
	}
	out.rows = append(out.rows, '\n')
	out.ends = append(out.ends, len(out.rows))
	return nil
}

func (e *encoder) unfit(p *tablePlan, c *columnPlan, r *sink.Record, pos int, u *Unfit) *fault.Fault {
	field := c.field
	if p.list >= 0 && c.origin == fromElement {
		field = fmt.Sprintf("%s (element %d)", field, pos)
	}
	return &fault.Fault{
		Class: fault.Runtime, Cause: cmp.Or(u.Cause, fault.ProductUnfit), Where: fmt.Sprintf("sink %s: %s %s", e.sink, p.view.Name, keyText(r.KeyValues)),
		What: fmt.Sprintf("the field %s does not fit column %s.%s: it %s", field, p.name, c.name, u.What), Fix: u.Fix,
	}
}

// badKey says which column of the product's key it does not fit.
func (e *encoder) badKey(p *tablePlan, r *sink.Record) *fault.Fault {
	for i, k := range p.parent {
		c := &p.columns[k]
		if _, u := c.write.Literal(nil, r.KeyValues[i]); u != nil {
			return e.unfit(p, c, r, 0, u)
		}
	}
	return nil
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
					Class: fault.Runtime, Cause: fault.ProductTwice, Where: fmt.Sprintf("sink %s: %s %s", e.sink, p.view.Name, keyText(r.KeyValues)),
					What: fmt.Sprintf("elements %d and %d of the list %s have the same key %s, and would be one row of table %s", j, i, p.cfg.list(), key, p.name),
					Fix:  "let a rule give them different keys, or name other columns under 'key' of the table",
				}
			}
		}
		e.keys = append(e.keys, key)
	}
	if len(list) > 0 && len(p.key) == len(p.parent) {
		return nil // the one row of the product is written anyway
	}
	if !e.beginTrim(p, out, r) {
		return e.badKey(p, r)
	}
	switch {
	case byIndex:
		out.trim = append(out.trim, " AND "...)
		out.trim = append(out.trim, p.d.Quote(p.columns[p.key[len(p.key)-1]].name)...)
		out.trim = append(out.trim, " >= "...)
		out.trim = strconv.AppendInt(out.trim, int64(len(list)), 10)
	case len(list) > 0:
		// IS FALSE instead of NOT keeps the optimizer from making ranges of the gaps between the elements, which for long lists are more than it takes.
		out.trim = append(out.trim, " AND ("...)
		out.trim = append(out.trim, p.elementColumns()...)
		out.trim = append(out.trim, " IN ("...)
		out.trim = append(out.trim, bytes.Join(e.keys, []byte(", "))...)
		out.trim = append(out.trim, ")) IS FALSE"...)
	}
	out.endTrim()
	return nil
}

// beginTrim opens a condition of rows that left, with the key of the product; false if the key does not fit its columns.
func (e *encoder) beginTrim(p *tablePlan, out *tableRows, r *sink.Record) (ok bool) {
	if len(out.trim) > 0 {
		out.trim = append(out.trim, " OR "...)
	}
	out.trim, ok = p.appendSame(append(out.trim, '('), r.KeyValues)
	return ok
}

func (r *tableRows) endTrim() {
	r.trim = append(r.trim, ')')
	r.trims = append(r.trims, len(r.trim))
}

// elementKeyColumns are the key columns that tell the elements of one product apart.
func (p *tablePlan) elementKeyColumns() []int { return p.keyParentFirst()[len(p.parent):] }

func (p *tablePlan) elementColumns() string { return p.d.columnTuple(p.names(p.elementKeyColumns())) }

// columnTuple is the left side of IN: "`a`" or "(`a`, `b`)".
func (d *Dialect) columnTuple(names []string) string {
	if len(names) > 1 {
		return "(" + d.quoteNames(names) + ")"
	}
	return d.quoteNames(names)
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
		var u *Unfit
		if key, u = c.write.Literal(key, c.value(r, elem, pos)); u != nil {
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
	for i, p := range vp.tables {
		out := &e.st.tables[i]
		if p.list < 0 {
			if p.removes() {
				out.gone.add(p, r)
			}
			continue
		}
		if vp.keepsLists() {
			continue
		}
		before := out.mark()
		if !e.beginTrim(p, out, r) {
			out.reset(before)
			continue
		}
		out.endTrim()
	}
	return nil
}

// keepsLists says whether a tombstone leaves the lists alone: the product's row is only marked, and may come back.
func (vp *viewPlan) keepsLists() bool { return len(vp.roots) > 0 && vp.roots[0].soft >= 0 }
