package rules

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"shelfstream/schemas"
)

// caseTable is a table of a golden case with its rows.
type caseTable struct {
	name           string
	table          *schemas.Table
	rows           [][]schemas.Value
	on             [][2]string
	many, required bool
}

// matching are the rows whose `on` columns equal the root's.
func (c *caseTable) matching(root *schemas.Table, row []schemas.Value) [][]schemas.Value {
	var out [][]schemas.Value
	for _, r := range c.rows {
		fits := true
		for _, on := range c.on {
			a, b := r[c.table.Column(on[0])], row[root.Column(on[1])]
			fits = fits && bytes.Equal(schemas.AppendCanonical(nil, a), schemas.AppendCanonical(nil, b))
		}
		if fits {
			out = append(out, r)
		}
	}
	return out
}

func (w *world) table(t testing.TB, words []string, body string) {
	c := &caseTable{name: words[1]}
	for _, word := range words[2:] {
		switch {
		case word == "many":
			c.many = true
		case word == "required":
			c.required = true
		case strings.Contains(word, "="):
			a, b, _ := strings.Cut(word, "=")
			c.on = append(c.on, [2]string{a, b})
		}
	}
	c.table = &schemas.Table{Name: c.name}
	for line := range strings.SplitSeq(body, "\n") {
		switch {
		case strings.TrimSpace(line) == "":
		case len(c.table.Columns) == 0:
			for i, cell := range strings.Split(line, "|") {
				col, key := parseColumn(t, strings.TrimSpace(cell))
				c.table.Columns = append(c.table.Columns, col)
				if key {
					c.table.Key = append(c.table.Key, i)
				}
			}
		default:
			c.rows = append(c.rows, c.row(t, strings.Split(line, "|")))
		}
	}
	old := w.tables[c.name]
	w.tables[c.name] = c
	replace := func(list []*caseTable) []*caseTable {
		for i := range list {
			if list[i] == old {
				list[i] = c
				return list
			}
		}
		return append(list, c)
	}
	switch words[0] {
	case "root":
		w.root = c
	case "child":
		w.children = replace(w.children)
	case "lookup":
		w.lookups = replace(w.lookups)
	}
	w.prog = nil
}

// row reads the cells of a row.
func (c *caseTable) row(t testing.TB, cells []string) []schemas.Value {
	t.Helper()
	if len(cells) != len(c.table.Columns) {
		t.Fatalf("%s: row %q has %d cells", c.name, cells, len(cells))
	}
	row := make([]schemas.Value, len(cells))
	for i, cell := range cells {
		row[i] = parseCell(t, c.table.Columns[i].Type, strings.TrimSpace(cell))
	}
	return row
}

// change applies lines of `+ table | cells` and `- table | key cells`.
func (w *world) change(t testing.TB, body string) {
	t.Helper()
	for line := range strings.SplitSeq(body, "\n") {
		if strings.TrimSpace(line) == "" {
			continue
		}
		cells := strings.Split(line[1:], "|")
		c := w.tables[strings.TrimSpace(cells[0])]
		if c == nil || line[0] != '+' && line[0] != '-' {
			t.Fatalf("change %q: no such table, or neither + nor -", line)
		}
		if line[0] == '-' {
			if !c.remove(t, cells[1:]) {
				t.Fatalf("change %q: there is no such row", line)
			}
			continue
		}
		c.put(c.row(t, cells[1:]))
	}
}

// put adds a row in the order of the key, or replaces the one with its key.
func (c *caseTable) put(row []schemas.Value) {
	at := 0
	for at < len(c.rows) {
		d := 0
		for _, k := range c.table.Key {
			if d = schemas.Compare(c.rows[at][k], row[k]); d != 0 {
				break
			}
		}
		if d == 0 {
			c.rows[at] = row
			return
		}
		if d > 0 {
			break
		}
		at++
	}
	c.rows = slices.Insert(c.rows, at, row)
}

func (c *caseTable) remove(t testing.TB, cells []string) bool {
	t.Helper()
	if len(cells) != len(c.table.Key) {
		t.Fatalf("%s has %d key columns, not %d", c.name, len(c.table.Key), len(cells))
	}
	before := len(c.rows)
	c.rows = slices.DeleteFunc(c.rows, func(r []schemas.Value) bool {
		for i, k := range c.table.Key {
			if schemas.Compare(r[k], parseCell(t, c.table.Columns[k].Type, strings.TrimSpace(cells[i]))) != 0 {
				return false
			}
		}
		return true
	})
	return len(c.rows) < before
}
