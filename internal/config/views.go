package config

import (
	"slices"
	"strings"
)

// IsView says whether a 'from' names another view: tables have a dot ("erp.product"), views have none.
func IsView(from string) bool { return from != "" && !strings.Contains(from, ".") }

// reading is a 'from' of a view, and the keys below the view at which it stands.
type reading struct {
	from string
	path []string // "from", or "children", "prices", "from"
}

func (v *View) readings() []reading {
	out := []reading{{v.From, []string{"from"}}}
	for _, c := range v.Children {
		out = append(out, reading{c.Value.From, []string{"children", c.Name, "from"}})
	}
	for _, l := range v.Lookups {
		out = append(out, reading{l.Value.From, []string{"lookups", l.Name, "from"}})
	}
	return out
}

// Reads lists the tables and views that a view is made of, each once.
func (v *View) Reads() []string {
	var out []string
	for _, r := range v.readings() {
		if !slices.Contains(out, r.from) {
			out = append(out, r.from)
		}
	}
	return out
}

// ViewOrder lists the views so that each stands after those that it reads; otherwise in the order of the file.
func (p *Pipeline) ViewOrder() []string {
	var out []string
	seen := map[string]bool{}
	var visit func(name string)
	visit = func(name string) {
		view, ok := p.Views.Get(name)
		if !ok || seen[name] {
			return
		}
		seen[name] = true
		for _, from := range view.Reads() {
			if IsView(from) {
				visit(from)
			}
		}
		out = append(out, name)
	}
	for _, name := range p.Views.Names() {
		visit(name)
	}
	return out
}

// ViewsOver lists the views that are made of a view, directly or through others, in ViewOrder.
func (p *Pipeline) ViewsOver(name string) []string {
	over := map[string]bool{name: true}
	var out []string
	for _, n := range p.ViewOrder() {
		view, _ := p.Views.Get(n)
		if n != name && slices.ContainsFunc(view.Reads(), func(from string) bool { return over[from] }) {
			over[n] = true
			out = append(out, n)
		}
	}
	return out
}

// ViewsUnder lists the views that a view is made of, directly or through others, in ViewOrder.
func (p *Pipeline) ViewsUnder(name string) []string {
	return slices.DeleteFunc(p.ViewOrder(), func(n string) bool { return !slices.Contains(p.ViewsOver(n), name) })
}

// IsRead says whether another view reads this one.
func (p *Pipeline) IsRead(name string) bool { return len(p.ViewsOver(name)) > 0 }

// keyOf is what names the products of a view, as far as the configuration says so: nil if it is the primary key of a table.
func (p *Pipeline) keyOf(view *View) []string {
	for range len(p.Views) + 1 { // a circle of views ends here; it is told elsewhere
		switch {
		case len(view.GroupBy) > 0:
			return view.GroupBy
		case len(view.Key) > 0:
			return view.Key
		}
		below, ok := p.Views.Get(view.From)
		if !ok {
			return nil
		}
		view = below
	}
	return nil
}
