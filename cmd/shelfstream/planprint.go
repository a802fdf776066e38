package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"shelfstream/internal/config"
	"shelfstream/status"
	"shelfstream/transform"
)

// sampleWidth is how many characters of a value are shown.
const sampleWidth = 60

// printPlan prints a plan for people.
func printPlan(out io.Writer, p *transform.Plan) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format+"\n", args...) }
	line("plan of view %s: %s products evaluated twice in %s; nothing was sent", plain(p.View), status.Count(p.Products), p.Took.Round(10*time.Millisecond))
	if p.SameRules {
		line("the new rules mean what the present ones mean: nothing changes")
	}
	for _, n := range p.Notes {
		line("note: %s", plain(n))
	}
	if len(p.ReadBy) > 0 {
		line("note: other views read this one, and what they make of the change is not in the plan: %s", plain(strings.Join(p.ReadBy, ", ")))
	}
	line("")
	row(w, "", "NOW", "NEW RULES")
	for _, c := range []struct {
		name     string
		old, new int64
	}{{"in the shop", p.Before.Shown, p.After.Shown}, {"left out", p.Before.LeftOut, p.After.LeftOut}, {"parked", p.Before.Parked, p.After.Parked}} {
		row(w, c.name, status.Count(c.old), status.Count(c.new))
	}
	line("")
	row(w, "PRODUCTS", "", "FOR EXAMPLE")
	group := func(name string, g *transform.PlanGroup) {
		row(w, name, status.Count(g.Products), groupText(g))
	}
	group("created", &p.Created)
	group("removed", &p.Removed)
	group("hidden", &p.Hidden)
	group("shown again", &p.Unhidden)
	row(w, "changed", status.Count(p.Changed), "")
	group("newly parked", &p.NewlyParked)
	group("no longer parked", &p.Cured)
	row(w, "unchanged", status.Count(p.Unchanged), "")
	printShape(w, p)
	if err := w.Flush(); err != nil {
		return err
	}
	printFields(w, p)
	printMoves(w, p)
	printParkReasons(w, p)
	printGuards(w, p)
	return w.Flush()
}

func groupText(g *transform.PlanGroup) string {
	var parts []string
	for _, s := range g.Samples {
		text := s.Key
		if s.Field != "" {
			text += fmt.Sprintf(" (%s: %s → %s)", s.Field, shortened(s.Old, 20), shortened(s.New, 20))
		} else if s.Rule != "" {
			text += fmt.Sprintf(" (%s, %s:%d)", s.Rule, s.File, s.Line)
		}
		parts = append(parts, text)
	}
	if int64(len(parts)) < g.Products && len(parts) > 0 {
		parts = append(parts, "…")
	}
	return strings.Join(parts, ", ")
}

func printShape(w io.Writer, p *transform.Plan) {
	if len(p.Shape) == 0 {
		return
	}
	row(w, "")
	row(w, "SHAPE", "FIELD", "")
	for _, s := range p.Shape {
		types := s.Old + s.New
		if s.Change == "retyped" {
			types = s.Old + " → " + s.New
		}
		row(w, s.Change, s.Field, types)
	}
}

func printFields(w io.Writer, p *transform.Plan) {
	if len(p.Fields) == 0 {
		return
	}
	row(w, "")
	row(w, "FIELD", "CHANGED", "PRODUCT", "NOW", "NEW RULES", "SET BY")
	for _, f := range p.Fields {
		name, changed := f.Field, status.Count(f.Changed)
		for _, s := range f.Samples {
			by := s.Rule
			if by != "" {
				by += fmt.Sprintf(" (%s:%d)", s.File, s.Line)
			}
			row(w, name, changed, s.Key, shortened(s.Old, sampleWidth), shortened(s.New, sampleWidth), by)
			name, changed = "", ""
		}
	}
}

func printMoves(w io.Writer, p *transform.Plan) {
	header := true
	for _, f := range p.Fields {
		if len(f.ByAmount) == 0 {
			continue
		}
		if header {
			row(w, "")
			row(w, "LARGEST MOVES", "", "PRODUCT", "NOW", "NEW RULES", "BY")
			header = false
		}
		name := fmt.Sprintf("%s (%s up, %s down)", f.Field, status.Count(f.Up), status.Count(f.Down))
		for _, list := range []struct {
			by    string
			moves []transform.PlanMove
		}{{"by amount", f.ByAmount}, {"by percent", f.ByPercent}} {
			by := list.by
			for _, m := range list.moves {
				percent := "from 0"
				if m.Percent != 0 {
					percent = strconv.FormatFloat(m.Percent, 'f', 1, 64) + " %"
					if m.Percent > 0 {
						percent = "+" + percent
					}
				}
				row(w, name, by, m.Key, m.Old, m.New, m.Difference+", "+percent)
				name, by = "", ""
			}
		}
	}
}

func printParkReasons(w io.Writer, p *transform.Plan) {
	if len(p.Parked) == 0 {
		return
	}
	row(w, "")
	row(w, "PARKED BY", "PRODUCTS", "NEWLY", "FOR EXAMPLE")
	for _, r := range p.Parked {
		where := r.Where
		if where == "" {
			where = r.What
		}
		products, newly := status.Count(r.Products), status.Count(r.New)
		for _, s := range r.Samples {
			row(w, where, products, newly, s.Key+": "+shortened(s.What, 120))
			where, products, newly = "", "", ""
		}
		if r.Fix != "" {
			row(w, "", "", "", "fix: "+r.Fix)
		}
	}
}

// printGuards says which of the changes would be held.
func printGuards(w io.Writer, p *transform.Plan) {
	if len(p.Guards) == 0 {
		return
	}
	row(w, "")
	row(w, "GUARD", "PRODUCTS", "MAY CHANGE", "", "FOR EXAMPLE")
	for i := range p.Guards {
		g := &p.Guards[i]
		word := "goes out"
		switch {
		case g.Holds:
			word = "would be HELD"
		case g.Products == 0:
			word = "nothing to hold"
		case !g.OverrideUntil.IsZero():
			word = "goes out: overridden until " + g.OverrideUntil.Format(time.RFC3339)
		}
		if g.Held > 0 {
			word += fmt.Sprintf(" (%s held already)", status.Count(g.Held))
		}
		may := fmt.Sprintf("%s of %s within %s", status.Count(int64(g.Allowed)), status.Count(g.Of), config.FormatDuration(g.Window))
		row(w, g.Guard, status.Count(g.Products), may, word, groupText(&transform.PlanGroup{Products: g.Products, Samples: g.Samples}))
	}
}
