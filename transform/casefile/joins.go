package casefile

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"shelfstream/schemas"
	"shelfstream/transform/rules"
)

// wanted is where a joined column has its value from: a constant, or a column of the root, or of the first row of a lookup.
type wanted struct {
	constant *schemas.Value
	column   int
	// from is the lookup's or child's name, of its column's; input is its place among the view's inputs, found when all are known.
	from, of string
	input    int
	// spread: the values of all of that input's rows, and not of the first.
	spread bool
	// fold compares what two texts fold to.
	fold bool
	node *yaml.Node
}

// wanted reads the value of a pair in `on`: column, lookup.column, { value: constant } { column: name.with.dot } ; with fold: true also { from: lookup.column }.
func (d *document) wanted(v *view, n *yaml.Node) wanted {
	if n.Kind == yaml.MappingNode {
		o := d.object(n, "on", "value", "column", "from", "fold")
		fold := o["fold"].value != nil && o["fold"].value.Value == "true"
		if c := o["value"].value; c != nil {
			text := schemas.Text(c.Value)
			return wanted{constant: &text, fold: fold}
		}
		if c := o["column"].value; c != nil {
			return wanted{column: d.columnOf(v.env.Root, c, c.Value), fold: fold}
		}
		if c := o["from"].value; c != nil {
			from, of, _ := strings.Cut(c.Value, ".")
			return wanted{from: from, of: of, node: c, fold: fold}
		}
		d.bad(n, "neither a value nor a column", "write { value: constant }")
		return wanted{}
	}
	if from, of, dotted := strings.Cut(n.Value, "."); dotted {
		return wanted{from: from, of: of, node: n}
	}
	return wanted{column: d.columnOf(v.env.Root, n, n.Value)}
}

// resolve finds the lookups and children that lookups take their values from, and which of them have several rows for one product.
func (d *document) resolve(v *view) {
	named := func(name string) int { // 0: none
		return 1 + slices.IndexFunc(v.inputs[1:], func(in *input) bool { return in.name == name })
	}
	first := 1 + len(v.env.Children)
	for _, in := range v.inputs[1:] {
		for i := range in.wanted {
			w := &in.wanted[i]
			if w.from == "" {
				continue
			}
			if w.input = named(w.from); w.input == 0 {
				d.bad(w.node, fmt.Sprintf("there is no lookup or child %s in this view", w.from), "name a lookup or a child of the view before the dot")
				continue
			}
			w.column = d.columnOf(v.inputs[w.input].shape.table, w.node, w.of)
			w.spread = w.input < first
		}
	}
	for range v.inputs { // a lookup of a lookup of a child
		for i, in := range v.inputs[1:] {
			for j := range in.wanted {
				w := &in.wanted[j]
				w.spread = w.spread || w.input > 0 && slices.ContainsFunc(v.inputs[w.input].wanted, func(o wanted) bool { return o.spread })
				if (w.spread || w.fold) && i+1 >= first {
					v.env.Lookups[i+1-first].Many = true
				}
			}
		}
	}
}

// members is what rules call the rows of a group.
const members = "members"

// group makes the root of a view of groups, whose columns are those that the rows are grouped by, and its members.
func (d *document) group(v *view, of *shape, by, orderBy []*yaml.Node) {
	root := &shape{table: &schemas.Table{Name: "group of " + of.table.Name}}
	in := &input{name: members, shape: of, order: d.orders(of.table, orderBy)}
	for i, n := range by {
		at := d.columnOf(of.table, n, n.Value)
		c := of.table.Columns[at]
		c.Nullable = false
		root.table.Columns, root.table.Key = append(root.table.Columns, c), append(root.table.Key, i)
		in.mine, in.wanted = append(in.mine, at), append(in.wanted, wanted{column: i})
	}
	v.groups = true
	v.env.Root = root.table
	v.env.Children = append(v.env.Children, rules.Child{Name: members, Table: of.table})
	v.inputs = append(v.inputs, &input{name: v.name, shape: root}, in)
}

// roots are the rows of the root; of groups, the group that a case is about: that of its first member.
func (w *world) roots() [][]schemas.Value {
	if !w.view.groups {
		return w.rows[w.view.inputs[0].shape.table.Name]
	}
	in := w.view.inputs[1]
	for _, row := range w.rows[in.shape.table.Name] {
		group := make([]schemas.Value, len(in.mine))
		for i, c := range in.mine {
			group[i] = row[c]
		}
		if slices.ContainsFunc(group, func(v schemas.Value) bool { return v.Kind == schemas.KindNull }) {
			continue
		}
		if w.group == nil {
			w.group = group
		}
		if slices.EqualFunc(group, w.group, schemas.Equal) {
			return [][]schemas.Value{group}
		}
	}
	return nil
}

// input is what the rules get to see of the rows; nil without a root row.
func (w *world) input() *rules.Input {
	roots := w.roots()
	if len(roots) == 0 {
		return nil
	}
	found := make([][][]schemas.Value, len(w.view.inputs))
	var rowsOf func(i int) [][]schemas.Value
	value := func(x wanted) schemas.Value {
		switch {
		case x.constant != nil:
			return *x.constant
		case x.from == "":
			return roots[0][x.column]
		}
		if rows := rowsOf(x.input); len(rows) > 0 {
			return rows[0][x.column]
		}
		return schemas.Null
	}
	rowsOf = func(i int) [][]schemas.Value {
		if found[i] == nil {
			found[i] = [][]schemas.Value{} // lookups in a circle, which a configuration may not have, find nothing
			in := w.view.inputs[i]
			found[i] = in.matching(w.rows[in.shape.table.Name], value, rowsOf)
		}
		return found[i]
	}
	out := &rules.Input{Root: roots[0]}
	for i := range w.view.inputs[1:] {
		if rows := rowsOf(i + 1); i < len(w.view.env.Children) {
			out.Children = append(out.Children, rows)
		} else {
			out.Lookups = append(out.Lookups, rows)
		}
	}
	return out
}
