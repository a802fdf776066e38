package table

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"shelfstream/schemas"
	"shelfstream/sink"
)

// ColumnConfig says which field a column takes, and when it is written. In short it is the field's name.
type ColumnConfig struct {
	From  string `yaml:"from" short:"true" doc:"The view's field; the one with the column's name if left out."`
	Write string `yaml:"write" enum:"always,create,empty,never" doc:"When an existing row's column is written: always (the default); create: only when the row is made; empty: only while it has null or an empty text; never: the column is left to others."`
}

const (
	writeAlways = "always"
	writeCreate = "create"
	writeEmpty  = "empty"
	writeNever  = "never"
)

// ownership says whose a column is that we write at all.
type ownership uint8

const (
	ownedByView   ownership = iota // each write sets it
	ownedOnceMade                  // write: create
	ownedOnceFull                  // write: empty
)

func (c ColumnConfig) from(name string) string {
	if c.From == "" {
		return name
	}
	return c.From
}

func (c ColumnConfig) validate(bad func(what, fix string)) {
	switch c.Write {
	case writeAlways, writeCreate, writeEmpty, writeNever:
	case "":
		if c.From == "" {
			bad("says nothing", "write the view's field, or {write: create}; or remove it")
		}
	default:
		bad(fmt.Sprintf("write: %q is not possible", c.Write), "write always, create, empty or never")
	}
}

func (c ColumnConfig) owned() ownership {
	switch c.Write {
	case writeCreate:
		return ownedOnceMade
	case writeEmpty:
		return ownedOnceFull
	}
	return ownedByView
}

// takesAll says whether the table takes all fields under their own names: no column names a field.
func (b *planner) takesAll() bool {
	for _, c := range b.cfg.Columns {
		if c.From != "" {
			return false
		}
	}
	return true
}

// leaves says whether a field is left out of a table that takes all. Those of the key never are, so that owned finds them.
func (b *planner) leaves(field string) bool {
	if i := b.view.Table.Column(field); i >= 0 && slices.Contains(b.view.Table.Key, i) || field == positionCol && len(b.cfg.Key) == 0 {
		return false
	}
	return b.cfg.Columns[field].Write == writeNever
}

// owned marks the columns that others own.
func (b *planner) owned(p *tablePlan) {
	elements := false // some column stays with its element
	for _, name := range SortedNames(b.cfg.Columns) {
		cfg := b.cfg.Columns[name]
		if cfg.Write == "" || cfg.Write == writeAlways {
			continue
		}
		i := p.byName(name)
		switch {
		case i >= 0 && p.columns[i].key:
			b.fail(".columns."+name+".write", fmt.Sprintf("%s belongs to the key, which names the row and cannot be left to others", name), "remove 'write'")
		case i >= 0 && i == p.soft:
			b.fail(".columns."+name+".write", fmt.Sprintf("%s marks deleted rows, and cannot be left to others", name), "remove it from 'columns', or name another soft_delete_column")
		case cfg.Write == writeNever:
			p.never = append(p.never, name)
		case i < 0:
			if b.takesAll() { // else it is said already
				b.fail(".columns."+name, fmt.Sprintf("there is no field %q in %s", name, b.cfg.From), "write {from: field, write: …} with one of "+strings.Join(b.fields(), ", "))
			}
		default:
			p.columns[i].owned = cfg.owned()
			elements = true
		}
	}
	if elements && slices.ContainsFunc(p.key, func(k int) bool { return p.columns[k].origin == fromPosition }) {
		b.fail(".key", "the elements of the list are told apart by their position, so what others wrote to one would stay behind when the list changes order",
			"name columns under 'key' by which an element is known wherever it stands, such as its url")
	}
}

// newValue is what an existing row's column gets: the new one, or what it has, unless that is nothing.
func (p *tablePlan) newValue(c *columnPlan) string {
	if c.owned != ownedOnceFull {
		return p.d.New(c.name)
	}
	return "CASE WHEN " + p.d.Empty(&c.info) + " THEN " + p.d.New(c.name) + " ELSE " + p.d.Table(p.name) + "." + p.d.Quote(c.name) + " END"
}

// stored is what a row has in a column.
type stored struct {
	literal string
	text    string // for people
	null    bool
}

// kept gives what a record's row, or that of an element of its list, keeps of its owned columns, by the columns' places; nothing if there is no such row yet.
//
// In a table whose key is not its primary key, an INSERT may meet another row's value in a unique index before it meets its own row, though it would not have written that
// value. With what the row has in place of it, it meets none but its own.
func (c *carefulTx) kept(ctx context.Context, p *tablePlan, r *sink.Record, elem *schemas.Value, pos int) (map[int]stored, error) {
	if !p.keeps {
		return nil, nil
	}
	var places []int
	var exprs []string
	for i := range p.columns {
		if col := &p.columns[i]; col.owned != ownedByView {
			places = append(places, i)
			exprs = append(exprs, p.d.Quote(col.name), "CASE WHEN "+p.d.Empty(&col.info)+" THEN 1 ELSE 0 END")
		}
	}
	var vals [][]byte
	err := query(ctx, c.conn, "SELECT "+strings.Join(exprs, ", ")+" FROM "+p.d.Table(p.name)+" WHERE "+p.ownRow(r, elem, pos), func(row [][]byte) error {
		vals = vals[:0]
		for _, v := range row {
			vals = append(vals, bytes.Clone(v))
		}
		return nil
	})
	if err != nil || vals == nil {
		return nil, err
	}
	kept := map[int]stored{}
	for j, i := range places {
		v, empty := vals[2*j], string(vals[2*j+1]) == "1"
		switch {
		case empty && p.columns[i].owned == ownedOnceFull:
		case v != nil:
			kept[i] = stored{literal: string(p.d.Stored(nil, &p.columns[i].info, v)), text: string(v)}
		case p.columns[i].info.Nullable:
			kept[i] = stored{literal: null, null: true}
		}
	}
	return kept, nil
}
