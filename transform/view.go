package transform

import (
	"fmt"
	"slices"
	"strings"

	"shelfstream/schemas"
)

// View says which topics make up one kind of product.
type View struct {
	// Name is the view's name in the pipeline; its topic is "<pipeline>.<Name>".
	Name string
	// Root is the topic whose rows are the products, one each; with GroupBy it is the topic whose rows are grouped. A raw topic, or
	// the cleaned topic of another view.
	Root string
	// GroupBy names columns of Root: each distinct value of them is one product, and the rows that have it are its child Members. Rows where
	// one of them is null belong to no product.
	GroupBy []string
	// MembersOrder orders the members of a group; their key makes the order total.
	MembersOrder []Order
	// Key names the view's key columns; nil or equal to the root's primary key (to GroupBy in a view of groups).
	Key []string
	// Children are rows that belong to one product, in the order in which the configuration names them.
	Children []Child
	// Lookups are tables that every task reads whole, found by values of the product.
	Lookups []Lookup
	// Checkpoints are the checkpoint topics of every source whose raw topics the view reads.
	Checkpoints []string
	// Views are the cleaned topics that the view reads.
	Views []string
}

// Members is the name of the child that holds the rows of a group.
const Members = "members"

// Child is a table whose rows belong to one product each.
type Child struct {
	Name  string
	Topic string
	// On pairs a column of the child with a column of the root's key.
	On [][2]string
	// OrderBy orders the rows for the rules; the child's key makes the order total.
	OrderBy []Order
	// Scattered says that the topic is not partitioned by the columns of On, so that each task reads all of it and keeps its own.
	Scattered bool
}

// Order is one column of an order.
type Order struct {
	Column string
	Desc   bool
}

// Lookup is a table that every task reads whole; its rows are found by values of the product.
type Lookup struct {
	Name  string
	Topic string
	// On says which value each named column of the lookup must have. Without any, every product sees every row.
	On []LookupOn
}

// LookupOn is one column of a lookup and where the value comes from that it must have: a constant, or a column of the root, or of the (first)
// row of another lookup. With a column of a child the lookup has the rows that fit any of the child's rows, such as the products of an order's lines; so
// has one that takes its value from such a lookup.
type LookupOn struct {
	Column   string
	Constant *string
	// Of is the column's name, From the child or lookup that it belongs to; empty: the root.
	Of, From string
	// Fold compares texts as the function fold makes them, on both sides: case and white space make no difference.
	Fold bool
}

// inputKind tells how an input's rows find their products.
type inputKind uint8

const (
	inputRoot inputKind = iota
	inputChild
	inputLookup
	// inputGroups is the root of a view of groups: no topic has its rows, they are what the members say.
	inputGroups
)

// input is one bound topic of a view.
type input struct {
	index int // in layout.inputs
	kind  inputKind
	name  string
	// quoted is the name in JSON.
	quoted []byte
	topic  string
	table  *schemas.Table
	// codec decodes keys; values go through decoders, by the schema they were written with.
	codec *schemas.Codec
	// join are this table's column indexes whose values name the product (child) or the join value (lookup), in
	// the order of the root's key (child) or of Lookup.On.
	join []int
	// joinInKey are the positions of join within the key, or nil if the key does not hold them all.
	joinInKey []int
	// wanted says for each of a lookup's join columns where its value comes from.
	wanted []joinValue
	// fold says which of join are compared as folded texts; nil: none.
	fold []bool
	// spread: a lookup that is found by the values of several rows, those of wanted's one child or spread lookup.
	spread bool
	order  []orderBy
	many   bool
	// scattered: the rows are read from every partition, and those that belong to other tasks are left to them.
	scattered bool
}

// joinValue is where a lookup's value comes from: the constant, or a column of another lookup's row, of a child's rows, or (both -1) of the root.
type joinValue struct {
	constant *schemas.Value
	lookup   int
	child    int
	column   int
}

type orderBy struct {
	column int
	desc   bool
}

// layout is a view bound to the shapes of its tables. inputs[0] is the root, then the children (a group's members first), then the lookups.
type layout struct {
	view     View
	inputs   []*input
	children int
	// lookupOrder are the lookups' indexes, each after those that its values come from.
	lookupOrder []int
}

func (l *layout) root() *input           { return l.inputs[0] }
func (l *layout) child(i int) *input     { return l.inputs[1+i] }
func (l *layout) lookup(i int) *input    { return l.inputs[1+l.children+i] }
func (l *layout) lookups() int           { return len(l.inputs) - 1 - l.children }
func (l *layout) lookupIndex(in int) int { return in - 1 - l.children }
func (l *layout) lookupInput(i int) int  { return 1 + l.children + i }
func (l *layout) groups() bool           { return l.inputs[0].kind == inputGroups }

// describeWanted names where a lookup's values come from: two views that differ in it need another state.
func (l *layout) describeWanted(in *input) string {
	var b strings.Builder
	for _, w := range in.wanted {
		switch {
		case w.constant != nil:
			fmt.Fprintf(&b, "%q ", w.constant.String())
		case w.child >= 0:
			fmt.Fprintf(&b, "%s[].%s ", l.child(w.child).name, l.child(w.child).table.Columns[w.column].Name)
		case w.lookup < 0:
			fmt.Fprintf(&b, "%s ", l.root().table.Columns[w.column].Name)
		default:
			fmt.Fprintf(&b, "%s.%s ", l.lookup(w.lookup).name, l.lookup(w.lookup).table.Columns[w.column].Name)
		}
	}
	if in.fold != nil {
		fmt.Fprintf(&b, "fold %v ", in.fold)
	}
	return b.String()
}

// rootColumns are the columns of the root that a lookup is found by.
func (l *layout) rootColumns(in *input) []string {
	var out []string
	for _, w := range in.wanted {
		if w.constant == nil && w.lookup < 0 && w.child < 0 {
			out = append(out, l.root().table.Columns[w.column].Name)
		}
	}
	return out
}

// topics are those that the view reads rows from, each once, without the checkpoints.
func (v *View) topics() []string {
	out := []string{v.Root}
	for _, c := range v.Children {
		out = append(out, c.Topic)
	}
	for _, l := range v.Lookups {
		out = append(out, l.Topic)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
