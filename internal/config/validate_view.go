package config

import (
	"fmt"
	"slices"
	"strings"
)

// view checks one view: what it reads exists, its children lie in the same partition as their root or are scattered, its lookups are seen by all.
func (v *validator) view(name string, view *View) {
	path := []string{"views", name}
	root := v.origin(append(path, "from"), view.From)
	switch {
	case len(view.GroupBy) > 0:
		v.groups(path, view)
	case len(view.OrderBy) > 0:
		v.fail(append(path, "order_by"), "it orders the members of a group, and there is no group_by", "add 'group_by: [column]', or remove order_by")
	}
	if root.table != nil && len(view.GroupBy) == 0 {
		v.root(append(path, "from"), view, root.table)
	}
	for i := range view.Children {
		c := &view.Children[i]
		v.child(append(path, "children", c.Name), view, root, &c.Value)
	}
	for i := range view.Lookups {
		l := &view.Lookups[i]
		v.lookup(append(path, "lookups", l.Name), view, &l.Value)
		if _, ok := view.Children.Get(l.Name); ok {
			v.fail(append(path, "lookups", l.Name), "a child has the same name", "rename one of the two: rules tell them apart by name")
		}
	}
	v.lookupCircles(path, view)
	v.guards(path, view)
	for i, r := range view.Rules {
		full := append(path, "rules")
		if !strings.HasPrefix(r, StandardRules) {
			v.exists(full, r)
		}
		if slices.Contains(view.Rules[:i], r) {
			v.fail(full, "the file "+r+" stands here twice", "keep one of the two")
		}
	}
}

// StandardRules stands before the name of a rule file that is shipped with the product.
const StandardRules = "standard:"

// members is what the rules call the rows of a group.
const members = "members"

// groups checks what only a view of groups has.
func (v *validator) groups(path []string, view *View) {
	if len(view.Key) > 0 && !slices.Equal(view.Key, view.GroupBy) {
		v.fail(append(path, "key"), fmt.Sprintf("the products of a view with group_by are named by that, here %s, and not by %s", listed(view.GroupBy), listed(view.Key)), "remove key")
	}
	for i, c := range view.GroupBy {
		if slices.Contains(view.GroupBy[:i], c) {
			v.fail(append(path, "group_by"), fmt.Sprintf("the column %q stands here twice", c), "keep one of the two")
		}
	}
	for _, kind := range []struct {
		key   string
		names []string
	}{{"children", view.Children.Names()}, {"lookups", view.Lookups.Names()}} {
		if slices.Contains(kind.names, members) {
			v.fail(append(path, kind.key, members), "the rows of a group have this name already", "write another name: rules tell children and lookups apart by name")
		}
	}
}

// rootColumns checks columns that a child or a lookup takes from the root; of a group's, only those of group_by are known.
func (v *validator) rootColumns(path []string, view *View, on On) bool {
	right := true
	for _, column := range on.Roots() {
		if len(view.GroupBy) == 0 || slices.Contains(view.GroupBy, column) {
			continue
		}
		what := fmt.Sprintf("a group has no column %q: its columns are those of group_by, %s", column, listed(view.GroupBy))
		if near := Nearest(column, view.GroupBy); near != "" {
			what += fmt.Sprintf(", did you mean %q?", near)
		}
		v.fail(append(path, "on"), what, "write a column of group_by; a table that is joined by a column of the members belongs to the view "+view.From)
		right = false
	}
	return right
}

// circles finds views that wait for each other.
func (v *validator) circles() {
	const onTheWay, done = 1, 2
	state := map[string]int{}
	var way []string
	var visit func(name string)
	visit = func(name string) {
		view, _ := v.p.Views.Get(name)
		state[name], way = onTheWay, append(way, name)
		for _, r := range view.readings() {
			if _, ok := v.p.Views.Get(r.from); !ok || !IsView(r.from) {
				continue
			}
			path := append([]string{"views", name}, r.path...)
			switch {
			case r.from == name:
				v.fail(path, "the view reads itself", "write the table, source.table, or another view")
			case state[r.from] == onTheWay:
				circle := append(slices.Clone(way[slices.Index(way, r.from):]), r.from)
				v.fail(path, "the views read each other in a circle: "+strings.Join(circle, " → "), "make one of them of a table")
			case state[r.from] != done:
				visit(r.from)
			}
		}
		state[name], way = done, way[:len(way)-1]
	}
	for _, name := range v.p.Views.Names() {
		if state[name] == 0 {
			visit(name)
		}
	}
}
