package main

import (
	"fmt"
	"slices"
	"strings"

	"shelfstream/internal/config"
	"shelfstream/internal/fault"
	"shelfstream/schemas"
)

// misplaced finds tables of a view whose rows lie in other partitions than their products, now that the shapes, by their topics, are known: a
// child's columns must stand in the order of the root's key. It would not be noticed otherwise but by products that lack their children.
func (p *pipeline) misplaced(name string, shapes map[string]*schemas.Table) fault.List {
	view, _ := p.Views.Get(name)
	m := &placement{p: p, view: view, shapes: shapes, key: view.GroupBy}
	if m.key == nil {
		m.key = keyNames(shapes[p.topicOf(view.From)])
	}
	switch t, _ := p.captured(view.From); {
	case len(view.GroupBy) > 0:
		m.scattered(view.From, "views", name, "from")
	case t != nil && len(t.PartitionBy) > 0 && !slices.Equal(t.PartitionBy, m.key):
		m.table(view.From, nil, "views", name, "from")
	}
	for _, c := range view.Children {
		path := []string{"views", name, "children", c.Name, "on"}
		want := c.Value.PartitionBy(m.key)
		switch {
		case c.Value.Scattered:
			m.scattered(c.Value.From, path...)
		case want == nil: // told by the rules' compiler
		case config.IsView(c.Value.From):
			m.products(c.Value.From, want, path...)
		default:
			m.table(c.Value.From, want, path...)
		}
	}
	return m.faults
}

// placement looks where the rows of one view lie.
type placement struct {
	p      *pipeline
	view   *config.View
	shapes map[string]*schemas.Table
	key    []string // of the view's products
	faults fault.List
}

func (m *placement) bad(what, fix string, path ...string) {
	at, _ := m.p.Place(path)
	m.faults.Add(&fault.Fault{Class: fault.Config, Where: at, What: strings.Join(path, ".") + ": " + what, Fix: fix})
}

// table wants a captured table partitioned by the columns.
func (m *placement) table(from string, want []string, path ...string) {
	t, tables := m.p.captured(from)
	if t == nil || t.Broadcast || slices.Equal(t.PartitionBy, want) {
		return
	}
	changed := *t
	changed.PartitionBy = want
	_, table, _ := strings.Cut(from, ".")
	m.bad(fmt.Sprintf("%s is partitioned by [%s], and the primary key of %s is [%s], so its rows would not lie where their products lie",
		from, strings.Join(t.PartitionBy, ", "), m.view.From, strings.Join(m.key, ", ")), fmt.Sprintf("at %s.%s write '%s'", tables, table, changed.Entry(table)), path...)
}

// products wants a view's products, which lie by their key, where the products of this view lie.
func (m *placement) products(from string, want []string, path ...string) {
	if key := keyNames(m.shapes[m.p.topicOf(from)]); !slices.Equal(key, want) {
		m.bad(fmt.Sprintf("the products of %s lie by their key, [%s], and not where their %s lies", from, strings.Join(key, ", "), m.view.From),
			fmt.Sprintf("at %s write 'scattered: true', so that each task reads all of it and keeps its own", strings.Join(path[:len(path)-1], ".")), path...)
	}
}

// scattered wants each row of a table that is read from all partitions to stay in one of them: of a row that moved to another one, the removal
// here could be read after the row there.
func (m *placement) scattered(from string, path ...string) {
	t, tables := m.p.captured(from)
	if t == nil || t.Broadcast {
		return
	}
	key := keyNames(m.shapes[m.p.topicOf(from)])
	if !slices.ContainsFunc(t.PartitionBy, func(c string) bool { return !slices.Contains(key, c) }) {
		return
	}
	changed := *t
	changed.PartitionBy = nil
	_, table, _ := strings.Cut(from, ".")
	m.bad(fmt.Sprintf("%s is read from all partitions and partitioned by [%s], which is not of its key, [%s]: of a row that moves between partitions the removal could be read last",
		from, strings.Join(t.PartitionBy, ", "), strings.Join(key, ", ")), fmt.Sprintf("at %s.%s write '%s'", tables, table, changed.Entry(table)), path...)
}

func keyNames(t *schemas.Table) []string {
	names := make([]string, len(t.Key))
	for i, c := range t.Key {
		names[i] = t.Columns[c].Name
	}
	return names
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
