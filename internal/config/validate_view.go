package config

import (
	"fmt"
	"slices"
	"strings"
)

// view checks one view: its tables exist, its children lie in the same partition as their root, its lookups are broadcast.
func (v *validator) view(name string, view *View) {
	path := []string{"views", name}
	root, rootPath := v.table(append(path, "from"), view.From)
	if root != nil && root.Broadcast {
		v.fail(append(path, "from"), fmt.Sprintf("%s is broadcast, so every task would make every product", view.From), "remove 'broadcast: true' at "+rootPath)
	}
	for i := range view.Children {
		c := &view.Children[i]
		v.child(append(path, "children", c.Name), view.From, root, &c.Value)
	}
	for i := range view.Lookups {
		l := &view.Lookups[i]
		v.lookup(append(path, "lookups", l.Name), &l.Value)
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

// table resolves "source.table". A nil table was reported, or was missing altogether.
func (v *validator) table(path []string, from string) (t *Table, tablePath string) {
	if from == "" {
		return nil, ""
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
		return nil, ""
	}
	source, ok := v.p.Sources.Get(sourceName)
	if !ok {
		what := fmt.Sprintf("there is no source %q", sourceName)
		if near := Nearest(sourceName, v.p.Sources.Names()); near != "" {
			what += fmt.Sprintf(", did you mean %q?", near)
		}
		v.fail(path, what, "write one of the sources: "+strings.Join(v.p.Sources.Names(), ", "))
		return nil, ""
	}
	tables := strings.Join([]string{"sources", sourceName, source.Section.Kind, "tables"}, ".")
	if t, ok = source.Tables.Get(tableName); !ok {
		what := fmt.Sprintf("the source %s has no table %q", sourceName, tableName)
		fix := fmt.Sprintf("add '%s: {}' to %s", tableName, tables)
		if near := Nearest(tableName, source.Tables.Names()); near != "" {
			what += fmt.Sprintf(", did you mean %q?", near)
			fix = fmt.Sprintf("write %s.%s, or %s", sourceName, near, fix)
		}
		v.fail(path, what, fix)
		return nil, ""
	}
	return t, tables + "." + tableName
}

// child wants the child's rows in the partition of their root: partitioned by exactly the joined columns.
func (v *validator) child(path []string, rootName string, root *Table, c *Child) {
	t, tablePath := v.table(append(path, "from"), c.From)
	if t == nil || len(c.On) == 0 {
		return
	}
	columns := c.On.Columns()
	want := "partition_by: [" + strings.Join(columns, ", ") + "]"
	_, tableName, _ := strings.Cut(c.From, ".")
	switch {
	case t.Broadcast:
		v.fail(append(path, "from"), c.From+" is broadcast, and the rows of a child belong to one task",
			fmt.Sprintf("at %s write '%s: { %s }', or make it a lookup", tablePath, tableName, want))
	case !slices.Equal(t.PartitionBy, columns):
		is := "its primary key"
		if len(t.PartitionBy) > 0 {
			is = "[" + strings.Join(t.PartitionBy, ", ") + "]"
		}
		v.fail(append(path, "on"), fmt.Sprintf("%s is partitioned by %s, so its rows do not lie where their %s lies", c.From, is, rootName),
			fmt.Sprintf("at %s write '%s: { %s }'", tablePath, tableName, want))
	}
	if root != nil && len(root.PartitionBy) > 0 && !slices.Equal(root.PartitionBy, c.On.Roots()) {
		v.fail(append(path, "on"), fmt.Sprintf("%s is partitioned by [%s], and this joins on its [%s]", rootName, strings.Join(root.PartitionBy, ", "), strings.Join(c.On.Roots(), ", ")),
			"join on the columns that the root is partitioned by, in their order, or change the root's partition_by")
	}
}

func (v *validator) lookup(path []string, l *Lookup) {
	t, tablePath := v.table(append(path, "from"), l.From)
	if t == nil || t.Broadcast {
		return
	}
	_, tableName, _ := strings.Cut(l.From, ".")
	v.fail(append(path, "from"), l.From+" is not broadcast, so a task would not see all of its rows",
		fmt.Sprintf("at %s write '%s: { broadcast: true }'; a table too large for that can be a child", tablePath, tableName))
}
