package casefile

import (
	"fmt"
	"maps"
	"slices"

	"shelfstream/schemas"
)

// change is rows of one table that come, change or go.
type change struct {
	table string
	rows  []map[int]schemas.Value
}

// changes reads `table: [{ column: value }]`.
func (d *document) changes(p pair, shapes map[string]*shape) []change {
	var out []change
	for _, t := range d.pairs(p.value, p.name) {
		s := shapes[t.name]
		if s == nil {
			d.bad(t.key, fmt.Sprintf("there is no table %s", t.name), didYouMean(t.name, slices.Sorted(maps.Keys(shapes))))
			continue
		}
		c := change{table: t.name}
		for _, n := range items(t.value) {
			row := map[int]schemas.Value{}
			for _, cell := range d.pairs(n, "a row of "+t.name) {
				i := s.table.Column(cell.name)
				if i < 0 {
					names := make([]string, len(s.table.Columns))
					for k := range names {
						names[k] = s.table.Columns[k].Name
					}
					d.bad(cell.key, fmt.Sprintf("table %s has no column %s", t.name, cell.name), didYouMean(cell.name, names))
					continue
				}
				v, err := valueOf(cell.value, &s.table.Columns[i].Type)
				if err != nil {
					d.bad(cell.value, fmt.Sprintf("column %s: %v", cell.name, err), "write a value of the column's type")
				}
				row[i] = v
			}
			c.rows = append(c.rows, row)
		}
		out = append(out, c)
	}
	return out
}

// world is the rows of all tables at one step. Rows are never changed in place, so that inputs made of them stay as they were.
type world struct {
	view   *view
	shapes map[string]*shape
	rows   map[string][][]schemas.Value
	// group names the product of a view of groups, once it is known.
	group []schemas.Value
}

func (w *world) clone() *world {
	return &world{view: w.view, shapes: w.shapes, rows: maps.Clone(w.rows), group: w.group}
}

// upsert applies changes, the root's first: rows of children that do not say whose they are belong to the product.
func (w *world) upsert(changes []change) {
	rootTable := w.view.inputs[0].shape.table.Name
	if w.view.groups {
		rootTable = w.view.inputs[1].shape.table.Name
	}
	for _, first := range []bool{true, false} {
		for _, c := range changes {
			if (c.table == rootTable) == first {
				w.upsertTable(c)
			}
		}
	}
}

func (w *world) upsertTable(c change) {
	s := w.shapes[c.table]
	rows := slices.Clone(w.rows[c.table])
	for _, cells := range c.rows {
		row := slices.Clone(s.defaults)
		w.adopt(s, row, cells)
		for i, v := range cells {
			row[i] = v
		}
		at := slices.IndexFunc(rows, func(r []schemas.Value) bool { return compareKeys(s.table, r, row) == 0 })
		if at < 0 {
			rows = append(rows, row)
			continue
		}
		rows[at] = slices.Clone(rows[at])
		for i, v := range cells {
			rows[at][i] = v
		}
	}
	w.rows[c.table] = rows
}

// adopt gives a child's row the product's key where the case does not name it.
func (w *world) adopt(s *shape, row []schemas.Value, cells map[int]schemas.Value) {
	root := w.roots()
	if len(root) != 1 {
		return
	}
	for _, in := range w.view.inputs[1 : 1+len(w.view.env.Children)] {
		if in.shape != s || in.name == members && w.view.groups {
			continue // which group a member belongs to it says itself
		}
		for i, c := range in.mine {
			if _, named := cells[c]; !named {
				row[c] = root[0][in.wanted[i].column]
			}
		}
	}
}

// remove deletes the rows in which all named columns are equal, and tells how many there were.
func (w *world) remove(changes []change) int {
	n := 0
	for _, c := range changes {
		for _, cells := range c.rows {
			before := len(w.rows[c.table])
			w.rows[c.table] = slices.DeleteFunc(slices.Clone(w.rows[c.table]), func(r []schemas.Value) bool {
				for i, v := range cells {
					if !schemas.Equal(r[i], v) {
						return false
					}
				}
				return true
			})
			n += before - len(w.rows[c.table])
		}
	}
	return n
}
