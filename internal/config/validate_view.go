package config

import (
	"fmt"
	"slices"
	"strings"
)

// view checks one view: its tables exist, its children lie in the same partition as their root, its lookups are broadcast.
func (v *validator) view(name string, view *View) {
	path := []string{"views", name}
	root := v.table(append(path, "from"), view.From)
	if root != nil {
		v.root(append(path, "from"), view, root)
	}
	for i := range view.Children {
		c := &view.Children[i]
		v.child(append(path, "children", c.Name), view, root, &c.Value)
	}
	for i := range view.Lookups {
		l := &view.Lookups[i]
		v.lookup(append(path, "lookups", l.Name), view, &l.Value)
		if _, ok := view.Children.Get(l.Name); ok {
			v.fail(append(path, "lookups", l.Name), "a child has the same name", "rename one of the two: rules tell them apart by name")
		}
	}
	for i, r := range view.Rules {
		full := append(path, "rules")
		v.exists(full, r)
		if slices.Contains(view.Rules[:i], r) {
			v.fail(full, "the file "+r+" stands here twice", "keep one of the two")
		}
	}
}

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

// table resolves "source.table". A nil table was reported, or was missing altogether.
func (v *validator) table(path []string, from string) *captured {
	if from == "" {
		return nil
	}
	sourceName, tableName, dotted := strings.Cut(from, ".")
	if !dotted {
		fix := "write source.table"
		for i := range v.p.Sources {
			if _, ok := v.p.Sources[i].Value.Tables.Get(from); ok {
				fix = "write " + v.p.Sources[i].Name + "." + from
			}
		}
		v.fail(path, fmt.Sprintf("%q names no source", from), fix)
		return nil
	}
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

// root wants the rows of the root where their products are: in one partition by their key.
func (v *validator) root(path []string, view *View, t *captured) {
	byKey := t.with(partitionedBy(nil))
	if lookups := v.uses(t.from).lookups; len(lookups) > 0 {
		byKey += ", and " + ownTable(lookups)
	}
	switch {
	case t.Broadcast:
		v.fail(path, t.from+" is broadcast, so every task would make every product", byKey)
	case len(t.PartitionBy) == 0:
	case len(view.Key) > 0 && !slices.Equal(t.PartitionBy, view.Key):
		v.fail(path, fmt.Sprintf("%s is partitioned by %s, and its products are named by %s", t.from, listed(t.PartitionBy), listed(view.Key)), byKey)
	case len(view.Key) == 0:
		for _, c := range view.Children {
			if !sameNames(c.Value.On.Roots(), t.PartitionBy) {
				v.fail(path, fmt.Sprintf("%s is partitioned by %s, and children are joined with other columns of it: both must be its primary key", t.from, listed(t.PartitionBy)), byKey)
				return
			}
		}
	}
}

// child wants the child's rows in the partition of their root: partitioned by the columns that are joined with the root's key, in the order of
// that. What the key is, is known here only if the view says so; if it does not, the order is looked at when the source is asked.
func (v *validator) child(path []string, view *View, root *captured, c *Child) {
	t := v.table(append(path, "from"), c.From)
	if t == nil || root == nil || len(c.On) == 0 {
		return
	}
	key := view.Key
	if len(key) == 0 && sameNames(c.On.Roots(), root.PartitionBy) {
		key = root.PartitionBy
	}
	want := c.On.inOrderOf(key)
	if want == nil { // it joins by something else
		v.fail(append(path, "on"), fmt.Sprintf("it joins on %s of %s, and a child belongs to its root by the root's key, here %s", listed(c.On.Roots()), view.From, listed(key)),
			fmt.Sprintf("write '%s' with the child's columns, or make it a lookup: %s; or correct the view's key if that is not the primary key", keyJoin(key), v.asLookup(t)))
		return
	}
	right := slices.Equal(t.PartitionBy, want)
	if len(key) == 0 {
		right = sameNames(t.PartitionBy, want)
	}
	if right && !t.Broadcast {
		return
	}
	at, what := append(path, "on"), fmt.Sprintf("%s is partitioned by %s, so its rows do not lie where their %s lies", c.From, t.partitioning(), view.From)
	if t.Broadcast {
		at, what = append(path, "from"), c.From+" is broadcast, and the rows of a child belong to one task"
	}
	v.fail(at, what, v.placeChild(t, view, c, want, len(key) > 0))
}

// placeChild is the remedy for a child in the wrong partitions. Other uses of its table rule out some ways.
func (v *validator) placeChild(t *captured, view *View, c *Child, want []string, keyKnown bool) string {
	uses := v.uses(t.from)
	others := slices.ContainsFunc(uses.children, func(u use) bool { return !sameNames(u.on.Columns(), want) })
	switch {
	case len(uses.roots) > 0:
		return fmt.Sprintf("%s is the root of %s and lies by its own key, so %s", t.from, strings.Join(uses.roots, ", "), ownTable([]string{strings.Join([]string{"a child of", view.From}, " ")}))
	case others || len(uses.lookups) > 0:
		return "its table is used in other ways too, so make it a lookup: " + v.asLookup(t)
	case keyKnown:
		return t.with(partitionedBy(want)) + "; or make it a lookup: " + v.asLookup(t)
	}
	return fmt.Sprintf("%s if %s is the primary key of %s; if it is not, make it a lookup: %s", t.with(partitionedBy(want)), listed(c.On.Roots()), view.From, v.asLookup(t))
}

func (v *validator) lookup(path []string, view *View, l *Lookup) {
	t := v.table(append(path, "from"), l.From)
	if t == nil || t.Broadcast {
		return
	}
	uses := v.uses(l.From)
	fix := v.asLookup(t)
	if len(uses.roots) > 0 {
		fix = fmt.Sprintf("%s is the root of %s and cannot be broadcast, so %s", l.From, strings.Join(uses.roots, ", "), ownTable([]string{path[1] + "'s lookup " + path[3]}))
	}
	v.fail(append(path, "from"), l.From+" is not broadcast, so a task would not see all of its rows", fix)
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

// uses are the places where views name a table.
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
		if view.From == from {
			u.roots = append(u.roots, "view "+name)
		}
		for _, c := range view.Children {
			if c.Value.From == from {
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
