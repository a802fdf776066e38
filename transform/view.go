package transform

import (
	"fmt"
	"slices"

	"shelfstream/internal/fault"
	"shelfstream/schemas"
)

// View says which topics make up one kind of product.
type View struct {
	// Name is the view's name in the pipeline; its topic is "<pipeline>.<Name>".
	Name string
	// Root is the raw topic whose rows are the products, one each.
	Root string
	// Key names the view's key columns; nil or equal to the root's primary key.
	Key []string
	// Children are rows that belong to one product, in the order in which the configuration names them.
	Children []Child
	// Lookups are broadcast tables, found by values of the root row.
	Lookups []Lookup
	// Checkpoints are the checkpoint topics of every source that the view reads.
	Checkpoints []string
}

// Child is a table whose rows belong to one product each.
type Child struct {
	Name  string
	Topic string
	// On pairs a column of the child with a column of the root's key.
	On [][2]string
	// OrderBy orders the rows for the rules; the child's key makes the order total.
	OrderBy []Order
}

// Order is one column of an order.
type Order struct {
	Column string
	Desc   bool
}

// Lookup is a broadcast table whose matching rows every product sees.
type Lookup struct {
	Name  string
	Topic string
	// On pairs a column of the lookup with a column of the root.
	On [][2]string
}

// inputKind tells how an input's rows find their products.
type inputKind uint8

const (
	inputRoot inputKind = iota
	inputChild
	inputLookup
)

// input is one bound topic of a view.
type input struct {
	kind  inputKind
	name  string
	topic string
	table *schemas.Table
	// codec decodes keys; values go through decoders, by the schema they were written with.
	codec *schemas.Codec
	// join are this table's column indexes whose values name the product (child) or the join value (lookup), in
	// the order of the root's key (child) or of Lookup.On.
	join []int
	// joinInKey are the positions of join within the key, or nil if the key does not hold them all.
	joinInKey []int
	// rootJoin are the root's column indexes that a lookup is found by.
	rootJoin []int
	order    []orderBy
	many     bool
}

type orderBy struct {
	column int
	desc   bool
}

// layout is a view bound to the shapes of its tables. inputs[0] is the root, then the children, then the lookups.
type layout struct {
	view     View
	inputs   []*input
	children int
}

func (l *layout) root() *input           { return l.inputs[0] }
func (l *layout) child(i int) *input     { return l.inputs[1+i] }
func (l *layout) lookup(i int) *input    { return l.inputs[1+l.children+i] }
func (l *layout) lookups() int           { return len(l.inputs) - 1 - l.children }
func (l *layout) lookupIndex(in int) int { return in - 1 - l.children }
func (l *layout) lookupInput(i int) int  { return 1 + l.children + i }

// bind checks a view against the shapes of its tables and returns every fault at once.
func bind(v View, shape func(topic string) *schemas.Table) (*layout, error) {
	var faults fault.List
	bad := func(where, what, fix string) {
		faults.Add(&fault.Fault{Class: fault.Config, Where: "view " + v.Name + where, What: what, Fix: fix})
	}
	l := &layout{view: v, children: len(v.Children)}
	add := func(kind inputKind, name, topic string) *input {
		in := &input{kind: kind, name: name, topic: topic, table: shape(topic)}
		codec, err := schemas.Compile(in.table)
		if err != nil {
			bad("", err.Error(), "")
		}
		in.codec = codec
		l.inputs = append(l.inputs, in)
		return in
	}
	columns := func(in *input, names []string, where string) []int {
		var out []int
		for _, n := range names {
			i := in.table.Column(n)
			if i < 0 {
				bad(where, fmt.Sprintf("table %s has no column %q", in.topic, n), "name one of its columns in `on` or `order_by`")
				continue
			}
			out = append(out, i)
		}
		return out
	}

	root := add(inputRoot, v.Name, v.Root)
	root.join = root.table.Key
	root.joinInKey = positions(root.join, root.table.Key)
	keyNames := names(root.table, root.table.Key)
	if v.Key != nil && !slices.Equal(v.Key, keyNames) {
		bad("", fmt.Sprintf("key %v is not the primary key %v of %s", v.Key, keyNames, v.Root), "leave `key` out, or make the view of a table with that key")
	}

	for _, c := range v.Children {
		where := ": child " + c.Name
		in := add(inputChild, c.Name, c.Topic)
		mine, theirs := split(c.On)
		theirIdx, mineIdx := columns(root, theirs, where), columns(in, mine, where)
		if len(theirIdx) == len(c.On) && len(mineIdx) == len(c.On) {
			// the product's key in the root's order, whatever the order of `on`
			for _, k := range root.table.Key {
				if at := slices.Index(theirIdx, k); at >= 0 {
					in.join = append(in.join, mineIdx[at])
				}
			}
			if len(in.join) != len(root.table.Key) || len(c.On) != len(root.table.Key) {
				bad(where, fmt.Sprintf("`on` must pair the whole key %v of the root table", keyNames), "make it a lookup (broadcast: true) if it is joined by other columns")
			}
		}
		in.joinInKey = positions(in.join, in.table.Key)
		for _, o := range c.OrderBy {
			for _, i := range columns(in, []string{o.Column}, where) {
				in.order = append(in.order, orderBy{column: i, desc: o.Desc})
			}
		}
	}
	for _, k := range v.Lookups {
		where := ": lookup " + k.Name
		in := add(inputLookup, k.Name, k.Topic)
		mine, theirs := split(k.On)
		in.join, in.rootJoin = columns(in, mine, where), columns(root, theirs, where)
		in.joinInKey = positions(in.join, in.table.Key)
		in.many = !covers(in.join, in.table.Key)
	}
	if err := faults.Err(); err != nil {
		return nil, err
	}
	return l, nil
}

func split(on [][2]string) (mine, theirs []string) {
	for _, p := range on {
		mine, theirs = append(mine, p[0]), append(theirs, p[1])
	}
	return mine, theirs
}

func names(t *schemas.Table, idx []int) []string {
	out := make([]string, len(idx))
	for i, c := range idx {
		out[i] = t.Columns[c].Name
	}
	return out
}

// positions finds each of want within key; nil unless all are there.
func positions(want, key []int) []int {
	out := make([]int, 0, len(want))
	for _, w := range want {
		at := slices.Index(key, w)
		if at < 0 {
			return nil
		}
		out = append(out, at)
	}
	return out
}

func covers(columns, key []int) bool {
	for _, k := range key {
		if !slices.Contains(columns, k) {
			return false
		}
	}
	return true
}
