package main

import (
	"fmt"
	"strings"

	"shelfstream/internal/config"
	"shelfstream/internal/fault"
	"shelfstream/transform"
)

// guards turns a view's configured guards into transform's.
func (p *pipeline) guards(view string) []transform.Guard {
	v, _ := p.Views.Get(view)
	out := make([]transform.Guard, len(v.Guards))
	for i := range v.Guards {
		g := &v.Guards[i]
		out[i] = transform.Guard{
			Name: g.Name, Removed: g.Removed, Field: g.Field, Becomes: g.Becomes, MovesPercent: float64(g.Moves),
			Loses: g.Loses, RowsPercent: float64(g.Rows),
			Share: float64(g.Share), Count: g.Count, AtLeast: g.AtLeast, Window: g.Window,
		}
	}
	return out
}

// allows says how much a guard lets go out: "2% of the products within 10m, at least 20".
func allows(g *config.Guard) string {
	var most []string
	if g.Share > 0 {
		most = append(most, g.Share.String()+" of the products")
	}
	if g.Count > 0 {
		most = append(most, fmt.Sprintf("%d products", g.Count))
	}
	text := strings.Join(most, " and ") + " within " + config.FormatDuration(g.Window)
	if g.AtLeast > 0 {
		text += fmt.Sprintf(", and fewer than %d always", g.AtLeast)
	}
	return text
}

// guardPlace is the place of a guard that a fault speaks of, "view product, guard removals", or of its field; "" if it speaks of none.
func (p *pipeline) guardPlace(f *fault.Fault) string {
	rest, ofView := strings.CutPrefix(f.Where, "view ")
	view, name, ofGuard := strings.Cut(rest, ", guard ")
	v, known := p.Views.Get(view)
	if !ofView || !ofGuard || !known {
		return ""
	}
	key := "name"
	for i := range v.Guards {
		if g := &v.Guards[i]; g.Name == name && g.Field != "" && strings.Contains(f.What, "field "+g.Field) {
			key = "field"
		} else if g.Name == name && g.Loses != "" && strings.HasPrefix(f.What, "the view has no child") {
			key = "loses"
		}
	}
	return p.GuardPlace(view, name, key)
}
