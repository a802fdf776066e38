package casefile

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"shelfstream/schemas"
	"shelfstream/transform/rules"
)

// view is what a product is made of, bound to the shapes of its tables.
type view struct {
	name string
	env  rules.Env
	// inputs are the root, the children (a group's members first) and the lookups.
	inputs []*input
	// groups: the root has no rows of its own, its rows are what the members say.
	groups bool
}

// input is one table in its role.
type input struct {
	name  string
	shape *shape
	// mine are the joined columns of this table, wanted says where each has its value from.
	mine   []int
	wanted []wanted
	order  []order
}

type order struct {
	column int
	desc   bool
}

// bindView reads a view as a configuration has it and binds it to the shapes.
func (d *document) bindView(name string, n *yaml.Node, shapes map[string]*shape, zone *time.Location) *view {
	o := d.object(n, "the view", "name", "from", "group_by", "order_by", "key", "children", "lookups", "rules")
	v := &view{name: name, env: rules.Env{View: name, Zone: zone}}
	before := len(*d.faults)
	root := d.tableOf(o["from"], n, shapes)
	if root == nil {
		return nil
	}
	if groupBy := items(o["group_by"].value); len(groupBy) > 0 {
		d.group(v, root, groupBy, items(o["order_by"].value))
	} else {
		v.inputs = append(v.inputs, &input{name: root.table.Name, shape: root})
		v.env.Root = root.table
	}
	for _, k := range items(o["key"].value) {
		v.env.Key = append(v.env.Key, k.Value)
	}
	for _, c := range d.pairs(o["children"].value, "children") {
		if in := d.joined(v, c, shapes, "from", "on", "order_by", "scattered"); in != nil {
			v.inputs = append(v.inputs, in)
			v.env.Children = append(v.env.Children, rules.Child{Name: c.name, Table: in.shape.table})
		}
	}
	for _, l := range d.pairs(o["lookups"].value, "lookups") {
		in := d.joined(v, l, shapes, "from", "on", "every")
		if in == nil {
			continue
		}
		v.inputs = append(v.inputs, in)
		many := slices.ContainsFunc(in.shape.table.Key, func(k int) bool { return !slices.Contains(in.mine, k) })
		lookup := rules.Lookup{Name: l.name, Table: in.shape.table, Many: many, Broadcast: true}
		for _, c := range in.wanted {
			if c.constant == nil && c.from == "" {
				lookup.On = append(lookup.On, v.env.Root.Columns[c.column].Name)
			}
		}
		v.env.Lookups = append(v.env.Lookups, lookup)
	}
	d.resolve(v)
	if len(*d.faults) > before {
		return nil
	}
	return v
}

// tableOf finds the shape that `from` names: as it is written, or without the source before the point.
func (d *document) tableOf(from pair, around *yaml.Node, shapes map[string]*shape) *shape {
	if isNull(from.value) {
		d.bad(around, "there is no `from`", "name the table: from: erp.product")
		return nil
	}
	s := shapes[from.value.Value]
	if _, table, dotted := strings.Cut(from.value.Value, "."); s == nil && dotted {
		s = shapes[table]
	}
	if s == nil {
		names := make([]string, 0, len(shapes))
		for n := range shapes {
			names = append(names, n)
		}
		slices.Sort(names)
		d.bad(from.value, fmt.Sprintf("the columns of table %s are not known", from.value.Value), "describe it under `tables` of the case file; "+didYouMean(from.value.Value, names))
	}
	return s
}

func (d *document) joined(v *view, p pair, shapes map[string]*shape, allowed ...string) *input {
	o := d.object(p.value, p.name, allowed...)
	s := d.tableOf(o["from"], p.key, shapes)
	if s == nil {
		return nil
	}
	in := &input{name: p.name, shape: s}
	every := o["every"].value != nil && o["every"].value.Value == "true"
	if isNull(o["on"].value) && !every {
		d.bad(p.key, fmt.Sprintf("%s has no `on`", p.name), "write on: column, or on: { its_column: root_column }")
		return nil
	}
	if on := o["on"].value; !every && on.Kind == yaml.MappingNode {
		for _, c := range d.pairs(on, "on") {
			in.mine, in.wanted = append(in.mine, d.columnOf(s.table, c.key, c.name)), append(in.wanted, d.wanted(v, c.value))
		}
	} else if !every {
		for _, c := range items(on) {
			in.mine, in.wanted = append(in.mine, d.columnOf(s.table, c, c.Value)), append(in.wanted, wanted{column: d.columnOf(v.env.Root, c, c.Value)})
		}
	}
	in.order = d.orders(s.table, items(o["order_by"].value))
	return in
}

func (d *document) orders(t *schemas.Table, list []*yaml.Node) []order {
	var out []order
	for _, c := range list {
		word, desc := strings.CutSuffix(c.Value, " desc")
		out = append(out, order{d.columnOf(t, c, strings.TrimSuffix(word, " asc")), desc})
	}
	return out
}

// columnOf finds a column by the name that stands at n.
func (d *document) columnOf(t *schemas.Table, n *yaml.Node, word string) int {
	i := t.Column(word)
	if i < 0 {
		names := make([]string, len(t.Columns))
		for c := range t.Columns {
			names[c] = t.Columns[c].Name
		}
		d.bad(n, fmt.Sprintf("table %s has no column %s", t.Name, word), didYouMean(word, names))
		return 0
	}
	return i
}

// matching are the input's rows that have the wanted values, in order; of an input that is found by several rows, those of any of them.
func (in *input) matching(rows [][]schemas.Value, value func(wanted) schemas.Value, rowsOf func(int) [][]schemas.Value) [][]schemas.Value {
	out := [][]schemas.Value{}
	by := [][]schemas.Value{nil}
	if at := slices.IndexFunc(in.wanted, func(w wanted) bool { return w.spread }); at >= 0 {
		by = rowsOf(in.wanted[at].input)
	}
	for _, r := range rows {
		if slices.ContainsFunc(by, func(b []schemas.Value) bool { return in.fits(r, b, value) }) {
			out = append(out, r)
		}
	}
	slices.SortStableFunc(out, func(a, b []schemas.Value) int {
		for _, o := range in.order {
			c := schemas.Compare(a[o.column], b[o.column])
			if o.desc {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
		return compareKeys(in.shape.table, a, b)
	})
	return out
}

// fits says whether a row has the wanted values; by is the row at hand of those that the input is found by.
func (in *input) fits(row, by []schemas.Value, value func(wanted) schemas.Value) bool {
	for i, c := range in.mine {
		w := in.wanted[i]
		a := row[c]
		var b schemas.Value
		if w.spread {
			b = by[w.column]
		} else {
			b = value(w)
		}
		if a.Kind == schemas.KindNull || b.Kind == schemas.KindNull {
			return false
		}
		x, y := schemas.AppendCanonical(nil, a), schemas.AppendCanonical(nil, b)
		if w.fold {
			x, y = rules.AppendFold(nil, x), rules.AppendFold(nil, y)
		}
		if string(x) != string(y) {
			return false
		}
	}
	return true
}

func compareKeys(t *schemas.Table, a, b []schemas.Value) int {
	for _, k := range t.Key {
		if c := schemas.Compare(a[k], b[k]); c != 0 {
			return c
		}
	}
	return 0
}

// configured is a view as a pipeline's configuration has it.
type configured struct {
	doc   *document
	node  *yaml.Node
	zone  string
	rules []*yaml.Node
	// dir is where the configuration's paths start.
	dir string
}

// viewOf finds a view in a configuration. The rest of the file is not looked at: that is the business of `shelfstream check`.
func (d *document) viewOf(at *yaml.Node, conf *document, name string) *configured {
	c := &configured{doc: conf, dir: filepath.Dir(conf.name)}
	var names []string
	for _, p := range conf.pairs(conf.top, "the configuration") {
		switch p.name {
		case "timezone":
			c.zone = p.value.Value
		case "views":
			for _, v := range conf.pairs(p.value, "views") {
				names = append(names, v.name)
				if v.name == name {
					c.node = v.value
				}
			}
		}
	}
	if c.node == nil {
		d.bad(at, fmt.Sprintf("%s has no view %q", conf.name, name), didYouMean(name, names))
		return nil
	}
	for _, p := range conf.pairs(c.node, "the view") {
		if p.name == "rules" {
			c.rules = items(p.value)
		}
	}
	return c
}

// zoneNamed loads a zone; UTC if there is no name.
func (d *document) zoneNamed(n *yaml.Node, name string) *time.Location {
	zone, err := time.LoadLocation(cmp.Or(name, "UTC"))
	if err != nil {
		d.bad(n, fmt.Sprintf("there is no time zone %q", name), "write one of the IANA names, such as Europe/Oslo")
		return time.UTC
	}
	return zone
}
