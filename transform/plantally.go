package transform

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"shelfstream/schemas"
	"shelfstream/transform/rules"
)

// planReasons is how many reasons for parking are told apart.
const planReasons = 100

// tally counts what differs. Its size is bound by the number of fields, samples and reasons.
type tally struct {
	p *planning
	// keptBefore are the columns that the old rules keep.
	keptBefore []int
	hidden     []hiddenField

	products, changed, unchanged int64
	before, after                PlanCounts

	created, removed, hid, unhid, parks, cured PlanGroup

	fields  []PlanField
	reasons map[string]*PlanParked
	guards  []PlanGroup
}

// hiddenField is a field of which some values hide a product.
type hiddenField struct {
	name     string
	old, new int
	values   []string
}

func newTally(p *planning) *tally {
	t := &tally{p: p, keptBefore: p.bound.program.Kept(), reasons: map[string]*PlanParked{}, fields: make([]PlanField, len(p.next.fields)), guards: make([]PlanGroup, len(p.next.guards))}
	for i := range t.fields {
		t.fields[i].Field = p.next.fields[i].name
	}
	for _, h := range p.cfg.Hidden {
		at := slices.IndexFunc(t.hidden, func(f hiddenField) bool { return f.name == h.Field })
		if at < 0 {
			at = len(t.hidden)
			t.hidden = append(t.hidden, hiddenField{name: h.Field, old: p.bound.program.Output().Column(h.Field), new: p.next.program.Output().Column(h.Field)})
		}
		t.hidden[at].values = append(t.hidden[at].values, h.Value)
	}
	return t
}

// count takes the two outcomes of a product.
func (t *tally) count(w *planWalk, product []byte) {
	t.before.add(&w.old)
	t.after.add(&w.new)
	t.guard(w, product)
	if w.new.err != nil {
		t.park(w, product)
	}
	switch oldParked, newParked := w.old.err != nil, w.new.err != nil; {
	case newParked && !oldParked:
		t.add(&t.parks, product, func(s *PlanSample) { _, s.What, _ = parkReason(w.new.err) })
	case oldParked && !newParked:
		t.add(&t.cured, product, func(s *PlanSample) { _, s.What, _ = parkReason(w.old.err) })
	case newParked:
		t.unchanged++
	case w.old.shown() && w.new.shown():
		t.compare(w, product)
	case w.new.shown():
		t.add(&t.created, product, func(*PlanSample) {})
	case w.old.shown():
		t.add(&t.removed, product, func(s *PlanSample) {
			for _, step := range w.steps() {
				if step.Field == "" && step.Value.Int == 0 {
					s.by(&step)
				}
			}
		})
	default:
		t.unchanged++
	}
}

func (c *PlanCounts) add(o *outcome) {
	switch {
	case o.err != nil:
		c.Parked++
	case o.result.Include:
		c.Shown++
	default:
		c.LeftOut++
	}
}

func (s *PlanSample) by(step *rules.Step) { s.Rule, s.File, s.Line = step.Rule, step.File, step.Line }

// add counts a product, and describes it while there are few.
func (t *tally) add(g *PlanGroup, product []byte, describe func(*PlanSample)) {
	if g.Products++; len(g.Samples) < t.p.cfg.Samples {
		s := PlanSample{Key: keyText(product)}
		describe(&s)
		g.Samples = append(g.Samples, s)
	}
}

// park counts under the reason: the rule that fails, or what is wrong with the row or field.
func (t *tally) park(w *planWalk, product []byte) {
	where, what, fix := parkReason(w.new.err)
	name := where
	if unreadable(w.new.err) || where == "" {
		name = what
	}
	r := t.reasons[name]
	if r == nil {
		if len(t.reasons) >= planReasons {
			name, where, what, fix = "", "", "other reasons", ""
		}
		if r = t.reasons[name]; r == nil {
			r = &PlanParked{Where: where, What: what, Fix: fix}
			t.reasons[name] = r
		}
	}
	if w.old.err == nil {
		r.New++
	}
	if r.Products++; len(r.Samples) < t.p.cfg.Samples {
		_, what, _ := parkReason(w.new.err)
		r.Samples = append(r.Samples, PlanSample{Key: keyText(product), What: what})
	}
}

// compare counts the fields that differ of a product that is in the shop before and after.
func (t *tally) compare(w *planWalk, product []byte) {
	if t.p.next.comparable && bytes.Equal(w.old.value, w.new.value) {
		t.unchanged++
		return
	}
	any := false
	var steps []rules.Step
	for i, c := range t.p.next.fields {
		a, b := at(w.old.result.Row, c.old), at(w.new.result.Row, c.new)
		if sameValue(a, b, c.retyped) {
			continue
		}
		any = true
		f := &t.fields[i]
		if f.Changed++; len(f.Samples) < t.p.cfg.Samples {
			if steps == nil {
				steps = w.steps()
			}
			s := PlanSample{Key: keyText(product), Old: sampleText(a), New: sampleText(b)}
			s.setBy(steps, c.name)
			f.Samples = append(f.Samples, s)
		}
		t.move(f, a, b, product)
	}
	if !any {
		t.unchanged++
		return
	}
	t.changed++
	t.hide(w, product)
}

func (s *PlanSample) setBy(steps []rules.Step, field string) {
	for i := range steps {
		if steps[i].Field == field {
			s.by(&steps[i])
		}
	}
}

func at(row []schemas.Value, column int) schemas.Value {
	if column < 0 {
		return schemas.Null
	}
	return row[column]
}

// sameValue compares two values; where the field has another type now, their texts.
func sameValue(a, b schemas.Value, retyped bool) bool {
	if retyped && !a.IsNull() && !b.IsNull() {
		return bytes.Equal(schemas.AppendCanonical(nil, a), schemas.AppendCanonical(nil, b))
	}
	return schemas.Equal(a, b)
}

// sampleLength is how many characters of a value a plan holds.
const sampleLength = 200

func sampleText(v schemas.Value) string {
	r := []rune(v.String())
	if len(r) > sampleLength {
		return string(r[:sampleLength-1]) + "…"
	}
	return string(r)
}

// hide counts a product that a field begins to hide, or no longer hides.
func (t *tally) hide(w *planWalk, product []byte) {
	for _, h := range t.hidden {
		a, b := at(w.old.result.Row, h.old), at(w.new.result.Row, h.new)
		was, is := h.hides(a), h.hides(b)
		if was == is {
			continue
		}
		g := &t.unhid
		if is {
			g = &t.hid
		}
		t.add(g, product, func(s *PlanSample) {
			s.Field, s.Old, s.New = h.name, sampleText(a), sampleText(b)
			s.setBy(w.steps(), h.name)
		})
		return
	}
}

func (h *hiddenField) hides(v schemas.Value) bool {
	if v.IsNull() {
		return false
	}
	text := v.String()
	return slices.ContainsFunc(h.values, func(s string) bool { return strings.EqualFold(s, text) })
}

// merge adds the tally of another partition.
func (t *tally) merge(o *tally) {
	t.products, t.changed, t.unchanged = t.products+o.products, t.changed+o.changed, t.unchanged+o.unchanged
	t.before.merge(o.before)
	t.after.merge(o.after)
	n := t.p.cfg.Samples
	for _, g := range [][2]*PlanGroup{{&t.created, &o.created}, {&t.removed, &o.removed}, {&t.hid, &o.hid}, {&t.unhid, &o.unhid}, {&t.parks, &o.parks}, {&t.cured, &o.cured}} {
		g[0].Products += g[1].Products
		g[0].Samples = firstSamples(g[0].Samples, g[1].Samples, n)
	}
	for i := range t.fields {
		a, b := &t.fields[i], &o.fields[i]
		a.Changed, a.Up, a.Down = a.Changed+b.Changed, a.Up+b.Up, a.Down+b.Down
		a.Samples = firstSamples(a.Samples, b.Samples, n)
		a.ByAmount = largest(append(a.ByAmount, b.ByAmount...), n, byAmount)
		a.ByPercent = largest(append(a.ByPercent, b.ByPercent...), n, byPercent)
	}
	for i := range t.guards {
		t.guards[i].Products += o.guards[i].Products
		t.guards[i].Samples = firstSamples(t.guards[i].Samples, o.guards[i].Samples, n)
	}
	for name, r := range o.reasons {
		have := t.reasons[name]
		if have == nil {
			t.reasons[name] = r
			continue
		}
		have.Products, have.New = have.Products+r.Products, have.New+r.New
		have.Samples = firstSamples(have.Samples, r.Samples, n)
	}
}

func (c *PlanCounts) merge(o PlanCounts) {
	c.Shown, c.LeftOut, c.Parked = c.Shown+o.Shown, c.LeftOut+o.LeftOut, c.Parked+o.Parked
}

// firstSamples are the n samples whose keys come first, so that the same state always gives the same.
func firstSamples(a, b []PlanSample, n int) []PlanSample {
	out := append(a, b...)
	slices.SortStableFunc(out, func(x, y PlanSample) int { return strings.Compare(x.Key, y.Key) })
	return out[:min(n, len(out))]
}

// plan writes the counts out; fields that change most, and reasons that hold most, come first.
func (t *tally) plan() *Plan {
	p := &Plan{
		Products: t.products, Before: t.before, After: t.after, Unchanged: t.unchanged, Changed: t.changed,
		Created: t.created, Removed: t.removed, Hidden: t.hid, Unhidden: t.unhid, NewlyParked: t.parks, Cured: t.cured,
		Fields: []PlanField{}, Parked: []PlanParked{},
	}
	for _, f := range t.fields {
		if f.Changed > 0 {
			p.Fields = append(p.Fields, f)
		}
	}
	slices.SortStableFunc(p.Fields, func(a, b PlanField) int { return cmp.Compare(b.Changed, a.Changed) })
	for _, r := range t.reasons {
		p.Parked = append(p.Parked, *r)
	}
	slices.SortFunc(p.Parked, func(a, b PlanParked) int {
		return cmp.Or(cmp.Compare(b.Products, a.Products), strings.Compare(a.Where, b.Where), strings.Compare(a.What, b.What))
	})
	return p
}
