package config

import (
	"fmt"
	"slices"
	"strings"
)

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
// that; unless it is scattered. What the key is, is known here only if the view says so; if it does not, the order is looked at when the source is asked.
func (v *validator) child(path []string, view *View, root origin, c *Child) {
	t := v.origin(append(path, "from"), c.From)
	if !t.known() || !root.known() || len(c.On) == 0 {
		return
	}
	where := strings.Join(path, ".")
	if at := slices.IndexFunc(c.On, func(p Pair) bool { return p.Fold }); at >= 0 {
		v.fail(append(path, "on", c.On[at].Column), "a child lies where its root lies by the very values of the key, so nothing is folded there", "leave fold out")
		return
	}
	if len(c.On.Roots()) < len(c.On) {
		v.fail(append(path, "on"), "a child belongs to its root by the root's key, and not by a constant or a lookup", "write columns of the root, or make it a lookup: "+v.lookupOf(t, where))
		return
	}
	if !v.rootColumns(path, view, c.On) {
		return
	}
	key := v.p.keyOf(view)
	if len(key) == 0 && root.table != nil && sameNames(c.On.Roots(), root.table.PartitionBy) {
		key = root.table.PartitionBy
	}
	want := c.On.inOrderOf(key)
	if want == nil { // it joins by something else
		v.fail(append(path, "on"), fmt.Sprintf("it joins on %s of %s, and a child belongs to its root by the root's key, here %s", listed(c.On.Roots()), view.From, listed(key)),
			fmt.Sprintf("write '%s' with the child's columns, or make it a lookup: %s; or correct the view's key if that is not the primary key", keyJoin(key), v.lookupOf(t, where)))
		return
	}
	if c.Scattered {
		return
	}
	right := func(by []string) bool {
		if len(key) == 0 {
			return sameNames(by, want)
		}
		return slices.Equal(by, want)
	}
	if t.view != nil {
		// With a key that nobody wrote down, this is looked at when the view's shape is known.
		if by := v.p.keyOf(t.view); len(by) > 0 && !right(by) {
			v.fail(append(path, "on"), fmt.Sprintf("the products of %s lie by their key, %s, and not where their %s lies", c.From, listed(by), view.From),
				"at "+where+" write 'scattered: true', so that each task reads all of it and keeps its own; or make it a lookup: "+v.lookupOf(t, where))
		}
		return
	}
	if right(t.table.PartitionBy) && !t.table.Broadcast {
		return
	}
	at, what := append(path, "on"), fmt.Sprintf("%s is partitioned by %s, so its rows do not lie where their %s lies", c.From, t.table.partitioning(), view.From)
	if t.table.Broadcast {
		at, what = append(path, "from"), c.From+" is broadcast, and the rows of a child belong to one task"
	}
	v.fail(at, what, v.placeChild(t.table, view, c, where, want, len(key) > 0))
}

// lookupOf is the remedy of making a child a lookup.
func (v *validator) lookupOf(t origin, where string) string {
	if t.view != nil {
		return "move " + where + " to lookups"
	}
	return v.asLookup(t.table)
}

func (v *validator) lookup(path []string, view *View, l *Lookup) {
	t := v.origin(append(path, "from"), l.From)
	switch {
	case l.Every && len(l.On) > 0:
		v.fail(append(path, "every"), "every product sees every row, and 'on' picks some", "keep one of the two")
	case !l.Every && len(l.On) == 0:
		v.fail(append(path, "on"), "is missing", "add 'on: …', the column that both tables share, a list of them, or {lookup_column: root_column}; or 'every: true' if every product sees every row")
	}
	for _, p := range l.On {
		_, child := view.Children.Get(p.Lookup)
		if _, ok := view.Lookups.Get(p.Lookup); p.Lookup == "" || ok || child || p.Lookup == members && len(view.GroupBy) > 0 {
			continue
		}
		what := fmt.Sprintf("there is no lookup or child %q in this view", p.Lookup)
		if near := Nearest(p.Lookup, append(view.Lookups.Names(), view.Children.Names()...)); near != "" {
			what += fmt.Sprintf(", did you mean %q?", near)
		}
		v.fail(append(path, "on", p.Column), what, fmt.Sprintf("write lookup.column with a lookup or a child of the view; or { column: %q } if that is a column of the root", p.Lookup+"."+p.Root))
	}
	v.rootColumns(path, view, l.On)
	if t.table == nil || t.table.Broadcast {
		return
	}
	uses := v.uses(l.From)
	fix := v.asLookup(t.table)
	if len(uses.roots) > 0 {
		fix = fmt.Sprintf("%s is the root of %s and cannot be broadcast, so %s", l.From, strings.Join(uses.roots, ", "), ownTable([]string{path[1] + "'s lookup " + path[3]}))
	}
	v.fail(append(path, "from"), l.From+" is not broadcast, so a task would not see all of its rows", fix)
}

// lookupCircles finds lookups that take their values from each other.
func (v *validator) lookupCircles(path []string, view *View) {
	const onTheWay, done = 1, 2
	state := map[string]int{}
	var way []string
	var visit func(name string)
	visit = func(name string) {
		l, _ := view.Lookups.Get(name)
		state[name], way = onTheWay, append(way, name)
		for _, p := range l.On {
			if _, ok := view.Lookups.Get(p.Lookup); !ok {
				continue
			}
			switch state[p.Lookup] {
			case onTheWay:
				circle := append(slices.Clone(way[slices.Index(way, p.Lookup):]), p.Lookup)
				v.fail(append(path, "lookups", name, "on", p.Column), "lookups wait for each other: "+strings.Join(circle, " → "), "find one of them by a column of the root table")
			case done:
			default:
				visit(p.Lookup)
			}
		}
		state[name], way = done, way[:len(way)-1]
	}
	for _, name := range view.Lookups.Names() {
		if state[name] == 0 {
			visit(name)
		}
	}
}
