package config

import (
	"fmt"
	"slices"
	"strings"
)

// captured is a table that a view names.
type captured struct {
	*Table
	from string // source.table
	path string // sources.erp.postgres.tables.price
}

// with is the remedy of writing the table's entry otherwise; all else that it says stays.
func (t *captured) with(change func(t *Table)) string {
	changed := *t.Table
	change(&changed)
	_, name, _ := strings.Cut(t.from, ".")
	return fmt.Sprintf("at %s write '%s'", t.path, changed.Entry(name))
}

func broadcast(t *Table) { t.Broadcast, t.PartitionBy = true, nil }

func partitionedBy(columns []string) func(*Table) {
	return func(t *Table) { t.Broadcast, t.PartitionBy = false, columns }
}

// origin is what a 'from' names: a captured table, or another view. Neither: it was reported, or was missing altogether.
type origin struct {
	table *captured
	view  *View
}

func (o origin) known() bool { return o.table != nil || o.view != nil }

// origin resolves "source.table" or the name of a view.
func (v *validator) origin(path []string, from string) origin {
	if from == "" {
		return origin{}
	}
	if !IsView(from) {
		return origin{table: v.table(path, from)}
	}
	if view, ok := v.p.Views.Get(from); ok {
		return origin{view: view}
	}
	what, fix := fmt.Sprintf("there is no view %q", from), "write the name of another view, or source.table"
	if near := Nearest(from, v.p.Views.Names()); near != "" && near != path[1] {
		what += fmt.Sprintf(", did you mean %q?", near)
	}
	for i := range v.p.Sources {
		if _, ok := v.p.Sources[i].Value.Tables.Get(from); ok {
			fix = "write " + v.p.Sources[i].Name + "." + from
		}
	}
	v.fail(path, what, fix)
	return origin{}
}

// table resolves "source.table". A nil table was reported.
func (v *validator) table(path []string, from string) *captured {
	sourceName, tableName, _ := strings.Cut(from, ".")
	source, ok := v.p.Sources.Get(sourceName)
	if !ok {
		what := fmt.Sprintf("there is no source %q", sourceName)
		if near := Nearest(sourceName, v.p.Sources.Names()); near != "" {
			what += fmt.Sprintf(", did you mean %q?", near)
		}
		v.fail(path, what, "write one of the sources: "+strings.Join(v.p.Sources.Names(), ", "))
		return nil
	}
	tables := strings.Join([]string{"sources", sourceName, source.Section.Kind, "tables"}, ".")
	t, ok := source.Tables.Get(tableName)
	if !ok {
		what := fmt.Sprintf("the source %s has no table %q", sourceName, tableName)
		fix := fmt.Sprintf("add '%s: {}' to %s", tableName, tables)
		if near := Nearest(tableName, source.Tables.Names()); near != "" {
			what += fmt.Sprintf(", did you mean %q?", near)
			fix = fmt.Sprintf("write %s.%s, or %s", sourceName, near, fix)
		}
		v.fail(path, what, fix)
		return nil
	}
	return &captured{Table: t, from: from, path: tables + "." + tableName}
}

// placeChild is the remedy for a child in the wrong partitions; where is the child. Other uses of its table rule out some ways.
func (v *validator) placeChild(t *captured, view *View, c *Child, where string, want []string, keyKnown bool) string {
	uses := v.uses(t.from)
	others := slices.ContainsFunc(uses.children, func(u use) bool { return !sameNames(u.on.Columns(), want) })
	scattered := ""
	if t.Broadcast || len(t.PartitionBy) == 0 {
		scattered = "at " + where + " write 'scattered: true', so that each task reads all of it and keeps its own"
	}
	switch {
	case len(uses.roots) > 0 && scattered != "":
		return fmt.Sprintf("%s is the root of %s and lies by its own key, so %s", t.from, strings.Join(uses.roots, ", "), scattered)
	case len(uses.roots) > 0:
		return fmt.Sprintf("%s is the root of %s and lies by its own key, so %s", t.from, strings.Join(uses.roots, ", "), ownTable([]string{strings.Join([]string{"a child of", view.From}, " ")}))
	case others || len(uses.lookups) > 0:
		if scattered != "" {
			scattered += "; or "
		}
		return "its table is used in other ways too, so " + scattered + "make it a lookup: " + v.asLookup(t)
	}
	if scattered != "" {
		scattered = "; or " + scattered
	}
	if keyKnown {
		return t.with(partitionedBy(want)) + scattered + "; or make it a lookup: " + v.asLookup(t)
	}
	return fmt.Sprintf("%s if %s is the primary key of %s; if it is not, make it a lookup: %s%s", t.with(partitionedBy(want)), listed(c.On.Roots()), view.From, v.asLookup(t), scattered)
}

// asLookup is the remedy of broadcasting a table, with what has to move for it.
func (v *validator) asLookup(t *captured) string {
	fix := t.with(broadcast)
	if t.Broadcast {
		fix = ""
	}
	for _, u := range v.uses(t.from).children {
		move := "move " + u.path + " to lookups"
		if u.ordered {
			move += " without its order_by"
		}
		if fix != "" {
			fix += " and "
		}
		fix += move
	}
	return fix
}

// ownTable is what is left when one table would have to lie in two ways: a table is captured once.
func ownTable(what []string) string {
	return "let the source keep what " + strings.Join(what, ", ") + " needs in a table of its own, and capture that"
}

// uses are the places where views want a table's rows in certain partitions, or in all.
type uses struct {
	roots, lookups []string // "view product", "product's lookup vat"
	children       []use
}

type use struct {
	path    string
	on      On
	ordered bool
}

func (v *validator) uses(from string) (u uses) {
	for i := range v.p.Views {
		name, view := v.p.Views[i].Name, &v.p.Views[i].Value
		if view.From == from && len(view.GroupBy) == 0 {
			u.roots = append(u.roots, "view "+name)
		}
		for _, c := range view.Children {
			if c.Value.From == from && !c.Value.Scattered {
				u.children = append(u.children, use{path: "views." + name + ".children." + c.Name, on: c.Value.On, ordered: len(c.Value.OrderBy) > 0})
			}
		}
		for _, l := range view.Lookups {
			if l.Value.From == from {
				u.lookups = append(u.lookups, name+"'s lookup "+l.Name)
			}
		}
	}
	return u
}
