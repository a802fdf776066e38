package transform

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"shelfstream/internal/fault"
	"shelfstream/schemas"
)

// binder binds a view to the shapes of its tables and gathers every fault on the way.
type binder struct {
	view   View
	shape  func(topic string) *schemas.Table
	layout *layout
	faults fault.List
}

// bind checks a view against the shapes of its tables and returns every fault at once.
func bind(v View, shape func(topic string) *schemas.Table) (*layout, error) {
	b := &binder{view: v, shape: shape, layout: &layout{view: v, children: len(v.Children)}}
	if v.GroupBy == nil {
		root := b.add(inputRoot, v.Name, v.Root, shape(v.Root))
		root.join = root.table.Key
		root.joinInKey = positions(root.join, root.table.Key)
	} else {
		b.groups()
	}
	root := b.layout.root()
	if keyNames := names(root.table, root.table.Key); v.Key != nil && !slices.Equal(v.Key, keyNames) {
		b.bad("", fmt.Sprintf("key %v is not the key %v of its rows", v.Key, keyNames), "leave `key` out, or make the view of a table with that key")
	}
	for _, c := range v.Children {
		b.child(c)
	}
	for _, k := range v.Lookups {
		b.add(inputLookup, k.Name, k.Topic, shape(k.Topic))
	}
	for i, k := range v.Lookups {
		b.lookup(i, k)
	}
	b.orderLookups()
	b.spreads()
	if err := b.faults.Err(); err != nil {
		return nil, err
	}
	return b.layout, nil
}

func (b *binder) bad(where, what, fix string) {
	b.faults.Add(&fault.Fault{Class: fault.Config, Where: "view " + b.view.Name + where, What: what, Fix: fix})
}

func (b *binder) add(kind inputKind, name, topic string, table *schemas.Table) *input {
	in := &input{index: len(b.layout.inputs), kind: kind, name: name, topic: topic, table: table}
	in.quoted, _ = json.Marshal(name) // text always can
	codec, err := schemas.Compile(in.table)
	if err != nil {
		b.bad("", err.Error(), "")
	}
	in.codec = codec
	b.layout.inputs = append(b.layout.inputs, in)
	return in
}

// columns finds columns by their names.
func (b *binder) columns(in *input, names []string, where, option string) []int {
	var out []int
	for _, n := range names {
		i := in.table.Column(n)
		if i < 0 {
			b.bad(where, fmt.Sprintf("table %s has no column %q", in.topic, n), "name one of its columns in `"+option+"`")
			continue
		}
		out = append(out, i)
	}
	return out
}

func (b *binder) order(in *input, order []Order, where string) {
	for _, o := range order {
		for _, i := range b.columns(in, []string{o.Column}, where, "order_by") {
			in.order = append(in.order, orderBy{column: i, desc: o.Desc})
		}
	}
}

// groups makes the root of a view of groups, whose only columns are those that the rows are grouped by, and the members below it.
func (b *binder) groups() {
	of := b.shape(b.view.Root)
	groups := &schemas.Table{Name: b.view.Name}
	for _, n := range b.view.GroupBy {
		i := of.Column(n)
		if i < 0 {
			b.bad("", fmt.Sprintf("table %s has no column %q", b.view.Root, n), "name one of its columns in `group_by`")
			continue
		}
		c := of.Columns[i]
		c.Nullable = false
		groups.Key = append(groups.Key, len(groups.Columns))
		groups.Columns = append(groups.Columns, c)
	}
	if len(groups.Key) == 0 {
		// There is a fault already; a table needs some key to go on with and find the others.
		groups.Columns, groups.Key = []schemas.Column{{Name: "group", Type: schemas.Type{Kind: schemas.KindText}}}, []int{0}
	}
	root := b.add(inputGroups, b.view.Name, "", groups)
	root.join = groups.Key
	root.joinInKey = positions(root.join, groups.Key)
	b.layout.children++
	members := b.add(inputChild, Members, b.view.Root, of)
	members.scattered = true
	if b.faults.Err() == nil {
		members.join = b.columns(members, b.view.GroupBy, "", "group_by")
	}
	members.joinInKey = positions(members.join, of.Key)
	b.order(members, b.view.MembersOrder, ": members")
}

func (b *binder) child(c Child) {
	where := ": child " + c.Name
	root := b.layout.root()
	in := b.add(inputChild, c.Name, c.Topic, b.shape(c.Topic))
	in.scattered = c.Scattered
	mine, theirs := split(c.On)
	theirIdx, mineIdx := b.columns(root, theirs, where, "on"), b.columns(in, mine, where, "on")
	if len(theirIdx) == len(c.On) && len(mineIdx) == len(c.On) {
		// the product's key in the root's order, whatever the order of `on`
		for _, k := range root.table.Key {
			if at := slices.Index(theirIdx, k); at >= 0 {
				in.join = append(in.join, mineIdx[at])
			}
		}
		if len(in.join) != len(root.table.Key) || len(c.On) != len(root.table.Key) {
			b.bad(where, fmt.Sprintf("`on` must pair the whole key %v of the root table", names(root.table, root.table.Key)), "make it a lookup (broadcast: true) if it is joined by other columns")
		}
	}
	in.joinInKey = positions(in.join, in.table.Key)
	b.order(in, c.OrderBy, where)
}

func (b *binder) lookup(i int, k Lookup) {
	where := ": lookup " + k.Name
	in := b.layout.lookup(i)
	for j, on := range k.On {
		in.join = append(in.join, b.columns(in, []string{on.Column}, where, "on")...)
		if v, ok := b.wanted(on, where); ok {
			in.wanted = append(in.wanted, v)
		}
		if on.Fold {
			if in.fold == nil {
				in.fold = make([]bool, len(k.On))
			}
			in.fold[j] = true
		}
	}
	if in.joinInKey = positions(in.join, in.table.Key); in.fold != nil {
		in.joinInKey = nil // two keys may fold to one value
	}
	in.many = !covers(in.join, in.table.Key) || in.fold != nil
}

// spreads finds the lookups that are found by the values of several rows, and wants these rows to be of one child or lookup: values of two
// would have no rows in common. The lookups stand in their order.
func (b *binder) spreads() {
	for _, i := range b.layout.lookupOrder {
		in := b.layout.lookup(i)
		var by []string
		for _, w := range in.wanted {
			name := ""
			switch {
			case w.child >= 0:
				name = b.layout.child(w.child).name
			case w.lookup >= 0 && b.layout.lookup(w.lookup).spread:
				name = b.layout.lookup(w.lookup).name
			}
			if name != "" && !slices.Contains(by, name) {
				by = append(by, name)
			}
		}
		if len(by) > 1 {
			b.bad(": lookup "+in.name, "it is found by rows of "+strings.Join(by, " and of "), "take all values that stand in several rows from one of them, the others from the root or as constants")
		}
		if len(by) > 0 {
			in.spread, in.many = true, true
		}
	}
}

// wanted resolves where the value of one column of a lookup comes from.
func (b *binder) wanted(on LookupOn, where string) (joinValue, bool) {
	if on.Constant != nil {
		v := schemas.Text(*on.Constant)
		return joinValue{constant: &v, lookup: -1, child: -1}, true
	}
	if on.From == "" {
		for _, c := range b.columns(b.layout.root(), []string{on.Of}, where, "on") {
			return joinValue{lookup: -1, child: -1, column: c}, true
		}
		return joinValue{}, false
	}
	for child := range b.layout.children {
		if in := b.layout.child(child); in.name == on.From {
			for _, c := range b.columns(in, []string{on.Of}, where, "on") {
				return joinValue{lookup: -1, child: child, column: c}, true
			}
			return joinValue{}, false
		}
	}
	at := slices.IndexFunc(b.view.Lookups, func(l Lookup) bool { return l.Name == on.From })
	if at < 0 {
		b.bad(where, fmt.Sprintf("there is no lookup or child %q in this view", on.From), "name a lookup or a child of the view before the dot, or a column of the root table without one")
		return joinValue{}, false
	}
	for _, c := range b.columns(b.layout.lookup(at), []string{on.Of}, where, "on") {
		return joinValue{lookup: at, child: -1, column: c}, true
	}
	return joinValue{}, false
}

// orderLookups puts each lookup after those that its values come from.
func (b *binder) orderLookups() {
	l := b.layout
	if b.faults.Err() != nil {
		return
	}
	state := make([]byte, l.lookups()) // 1 on the way, 2 done
	var path []string
	var visit func(i int) bool
	visit = func(i int) bool {
		path = append(path, l.lookup(i).name)
		defer func() { path = path[:len(path)-1] }()
		switch state[i] {
		case 1:
			b.bad(": lookup "+l.lookup(i).name, "lookups wait for each other: "+strings.Join(path, " → "), "find one of them by a column of the root table")
			return false
		case 2:
			return true
		}
		state[i] = 1
		for _, w := range l.lookup(i).wanted {
			if w.lookup >= 0 && !visit(w.lookup) {
				return false
			}
		}
		state[i] = 2
		l.lookupOrder = append(l.lookupOrder, i)
		return true
	}
	for i := range state {
		if !visit(i) {
			return
		}
	}
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
