package transform

import (
	"slices"
	"time"

	"shelfstream/schemas"
)

// guard binds the guards to the products of the new rules: those of the new configuration, or the present ones.
func (s *successor) guard(present, wanted []Guard, old *schemas.Table) error {
	if wanted == nil {
		wanted = present
	}
	var err error
	if s.guards, err = bindGuards(s.layout.view, wanted, s.codec.Table()); err != nil {
		return err
	}
	for i := range s.guards {
		// The values are laid side by side, one for each guard; see tally.guard.
		s.guards[i].kept = i
		s.guarded = append(s.guarded, old.Column(s.guards[i].Field))
	}
	return nil
}

// guard counts for each guard the products that it would count. What the rules give counts as what the shop has; and rows are the same for both rules, so
// nothing loses any.
func (t *tally) guard(w *planWalk, product []byte) {
	gs := t.p.next.guards
	if len(gs) == 0 || !w.old.shown() || w.new.err != nil {
		return
	}
	c := change{}
	if w.new.result.Include {
		c.row = w.new.result.Row
		w.before = w.before[:0]
		for _, column := range t.p.next.guarded {
			w.before = append(w.before, at(w.old.result.Row, column))
		}
		c.published = w.before
	}
	hits := gs.hits(&c)
	for i := range gs {
		if hits&(1<<i) != 0 {
			t.add(&t.guards[i], product, func(s *PlanSample) {
				if c.row != nil {
					s.Field, s.Old, s.New = gs[i].Field, sampleText(c.published[i]), sampleText(c.row[gs[i].column])
				}
			})
		}
	}
}

// foresee says what each guard would do, in a process that has these of so many partitions. It forgets what went out lately, as a start with new rules does.
func (t *tally) foresee(parts []int32, of int) ([]PlanGuard, error) {
	p := t.p
	if len(p.next.guards) == 0 {
		return nil, nil
	}
	held, err := p.heldNow(parts)
	if err != nil {
		return nil, err
	}
	out := make([]PlanGuard, len(p.next.guards))
	for i := range p.next.guards {
		g := &p.next.guards[i]
		out[i] = PlanGuard{
			Guard: g.Name, Counts: g.describe(), Window: g.Window, Products: t.guards[i].Products, Samples: t.guards[i].Samples, Of: t.before.Shown, Held: held[g.Name],
			Allowed:       g.allowed(t.before.Shown, func(n int) int { return partOf(n, slices.Values(parts), of) }),
			OverrideUntil: p.overridden(g.Name),
		}
		out[i].Holds = out[i].OverrideUntil.IsZero() && out[i].Products > 0 && (out[i].Held > 0 || out[i].Products > int64(out[i].Allowed))
	}
	return out, nil
}

// heldNow counts what is held already, by guard.
func (p *planning) heldNow(parts []int32) (map[string]int64, error) {
	held := map[string]int64{}
	for _, part := range parts {
		t := p.runner.newTask(p.bound, part)
		err := t.eachHeld(func(_ []byte, f *parkedFact) error {
			for _, name := range f.Held {
				held[name]++
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return held, nil
}

// overridden is until when an operator lets everything of a guard pass; zero if nobody does, or where no view runs that knows.
func (p *planning) overridden(name string) time.Time {
	b := p.bound.board
	if b == nil {
		return time.Time{}
	}
	for _, h := range b.now() {
		if h.Guard == name {
			return h.OverrideUntil
		}
	}
	return time.Time{}
}
