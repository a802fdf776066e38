package rules

import (
	"fmt"
	"slices"

	"shelfstream/schemas"
)

// source is something with rows: a child, a lookup, or a list in a field or root column.
type source struct {
	name string
	// input and prefix name a column in explain: input "images" and column "url", or input "field" and column "images.url".
	input, prefix string
	columns       []schemas.Column
	// key holds the columns that make an order total.
	key  []int
	rows func(m *machine) rowset
}

// rowset are the rows of one source in one evaluation.
type rowset struct {
	rows [][]schemas.Value
	// list holds records, or with plain single values.
	list  []schemas.Value
	plain bool
}

func (r rowset) len() int { return len(r.rows) + len(r.list) }

func (r rowset) at(i int) []schemas.Value {
	switch {
	case r.rows != nil:
		return r.rows[i]
	case r.plain:
		return r.list[i : i+1]
	}
	return r.list[i].List
}

// sourceNamed finds what a bare name with rows means: a list field of an earlier rule, a child, a lookup, an array column of the root.
func (c *compiler) sourceNamed(name string) *source {
	if i := c.visibleField(name); i >= 0 && c.fields[i].typ.Kind == schemas.KindArray {
		return c.fieldSource(i)
	}
	if s := c.tableSource(name); s != nil {
		return s
	}
	return c.rootSource(name)
}

func (c *compiler) tableSource(name string) *source {
	if i := slices.IndexFunc(c.env.Children, func(k Child) bool { return k.Name == name }); i >= 0 {
		t := c.env.Children[i].Table
		return &source{name: name, input: name, columns: t.Columns, key: t.Key, rows: func(m *machine) rowset { return rowset{rows: m.in.Children[i]} }}
	}
	if i := slices.IndexFunc(c.env.Lookups, func(l Lookup) bool { return l.Name == name }); i >= 0 {
		t := c.env.Lookups[i].Table
		return &source{name: name, input: name, columns: t.Columns, key: t.Key, rows: func(m *machine) rowset { return rowset{rows: m.in.Lookups[i]} }}
	}
	return nil
}

func (c *compiler) fieldSource(i int) *source {
	f := c.fields[i]
	return listSource(f.name, "field", f.typ, func(m *machine) []schemas.Value { return m.fields[i].List })
}

func (c *compiler) rootSource(name string) *source {
	i := c.env.Root.Column(name)
	if i < 0 || c.env.Root.Columns[i].Type.Kind != schemas.KindArray {
		return nil
	}
	return listSource(name, "root", c.env.Root.Columns[i].Type, func(m *machine) []schemas.Value { return m.in.Root[i].List })
}

// listSource gives the elements of an array; those that are no records have one column, value.
func listSource(name, input string, t schemas.Type, list func(m *machine) []schemas.Value) *source {
	s := &source{name: name, input: input, prefix: name + "."}
	plain := t.Elem.Kind != schemas.KindRecord
	if plain {
		s.columns = []schemas.Column{{Name: "value", Type: *t.Elem, Nullable: true}}
	} else {
		s.columns = t.Elem.Fields
	}
	s.rows = func(m *machine) rowset { return rowset{list: list(m), plain: plain} }
	return s
}

// source resolves the first argument of an aggregate.
func (c *compiler) source(n *node) *source {
	if n.kind != nodeName {
		c.bad(n, fmt.Sprintf("%s is no child, lookup or list", c.snip(n)), didYouMean("", c.sourceNames(), "name one"))
		return nil
	}
	var s *source
	switch n.scope {
	case "":
		s = c.sourceNamed(n.name)
	case "field":
		if i := c.visibleField(n.name); i >= 0 && c.fields[i].typ.Kind == schemas.KindArray {
			s = c.fieldSource(i)
		}
	case "rows":
		s = c.tableSource(n.name)
	case "root":
		s = c.rootSource(n.name)
	}
	if s != nil {
		return s
	}
	if i := c.visibleField(n.name); i >= 0 && c.fields[i].bad {
		return nil
	}
	c.bad(n, fmt.Sprintf("%s is no child, lookup or list", c.snip(n)), didYouMean(n.name, c.sourceNames(), "name a child or lookup of the view, or a list that an earlier rule sets"))
	return nil
}

func (c *compiler) sourceNames() []string {
	var out []string
	for _, k := range c.env.Children {
		out = append(out, k.Name)
	}
	for _, l := range c.env.Lookups {
		out = append(out, l.Name)
	}
	for _, f := range c.fields[:c.visible] {
		if f.typ.Kind == schemas.KindArray && !slices.Contains(out, f.name) {
			out = append(out, f.name)
		}
	}
	return out
}

// scope is the row scope of a source.
func (s *source) scope() *scope { return &scope{input: s.input, prefix: s.prefix, columns: s.columns} }
