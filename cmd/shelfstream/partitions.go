package main

import (
	"fmt"
	"slices"
	"strings"

	"shelfstream/internal/config"
	"shelfstream/internal/fault"
	"shelfstream/schemas"
)

// misplaced finds tables of a view whose rows lie in other partitions than their products, now that the root's primary key is known: a child's columns
// must stand in the order of that key. It would not be noticed otherwise but by products that lack their children.
func (p *pipeline) misplaced(name string, root *schemas.Table) fault.List {
	view, _ := p.Views.Get(name)
	key := make([]string, len(root.Key))
	for i, c := range root.Key {
		key[i] = root.Columns[c].Name
	}
	var l fault.List
	bad := func(from string, want []string, path ...string) {
		t, tables := p.captured(from)
		if t == nil || t.Broadcast || slices.Equal(t.PartitionBy, want) {
			return
		}
		at, _ := p.Place(path)
		changed := *t
		changed.PartitionBy = want
		_, table, _ := strings.Cut(from, ".")
		l.Add(&fault.Fault{
			Class: fault.Config, Where: at,
			What: fmt.Sprintf("%s: %s is partitioned by [%s], and the primary key of %s is [%s], so its rows would not lie where their products lie",
				strings.Join(path, "."), from, strings.Join(t.PartitionBy, ", "), view.From, strings.Join(key, ", ")),
			Fix: fmt.Sprintf("at %s.%s write '%s'", tables, table, changed.Entry(table)),
		})
	}
	if t, _ := p.captured(view.From); t != nil && len(t.PartitionBy) > 0 && !slices.Equal(t.PartitionBy, key) {
		bad(view.From, nil, "views", name, "from")
	}
	for _, c := range view.Children {
		if want := c.Value.PartitionBy(key); want != nil {
			bad(c.Value.From, want, "views", name, "children", c.Name, "on")
		}
	}
	return l
}

// captured finds "source.table", and where the source's tables stand.
func (p *pipeline) captured(from string) (t *config.Table, tables string) {
	source, table, _ := strings.Cut(from, ".")
	s, ok := p.Sources.Get(source)
	if !ok {
		return nil, ""
	}
	t, _ = s.Tables.Get(table)
	return t, s.Section.Path + ".tables"
}
