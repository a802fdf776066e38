package transform

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"shelfstream/internal/fault"
	"shelfstream/transform/rules"
)

// PlanConfig says what to compare with the rules that a view has now.
type PlanConfig struct {
	// View is the view as the new configuration has it; nil: as it is. It may leave inputs out, name and order them differently, but have none that the state lacks.
	View *View
	// Rules are the new rule files, in the order of their layers.
	Rules []rules.Source
	// Zone is the new time zone; nil: as it is.
	Zone *time.Location
	// Guards are the new configuration's; nil: as they are.
	Guards []Guard
	// Hidden are values of fields that hide a product in the shop; nil: DefaultHidden.
	Hidden []HiddenValue
	// Samples is how many products are named of each kind of change; 0 means 5.
	Samples int
	// Progress is called now and then, by one goroutine at a time; nil: nobody asks.
	Progress func(PlanProgress)
}

// HiddenValue is a value of a field that hides a product in the shop.
type HiddenValue struct {
	Field string `json:"field"`
	Value string `json:"value"`
}

// DefaultHidden are the usual words for it in a field named status.
func DefaultHidden() []HiddenValue {
	var out []HiddenValue
	for _, v := range []string{
		"hidden", "draft", "private", "pending", "inactive", "disabled", "blocked", "unpublished", "discontinued", "archived", "archive", "deleted", "removed", "expired", "off", "no", "false", "0",
	} {
		out = append(out, HiddenValue{Field: "status", Value: v})
	}
	return out
}

// PlanProgress is how far a plan is.
type PlanProgress struct {
	Products int64 `json:"products"`
	// Fraction is the part of the state that was read, 0 to 1; 0 also if it cannot be told.
	Fraction float64 `json:"fraction"`
}

const planSamples = 5

// Plan evaluates every product of the state under the rules as they are and under new ones, and says what would change. Nothing is sent or
// written, and both see the same snapshot of the state at the same instant, so the difference is the rules' alone. Memory does not grow with
// the number of products. On a running view it sees the partitions of this process, on a stopped one those of the state.
//
// The error is a fault.List of class Config for rules that do not fit the tables which the state holds.
func (r *Runner) Plan(ctx context.Context, cfg PlanConfig) (*Plan, error) {
	if cfg.Samples <= 0 {
		cfg.Samples = planSamples
	}
	if cfg.Hidden == nil {
		cfg.Hidden = DefaultHidden()
	}
	b, err := r.inspect(ctx)
	if err != nil {
		return nil, err
	}
	next, err := r.successor(ctx, b, cfg)
	if err != nil {
		return nil, err
	}
	snapshot := r.cfg.Store.db.NewSnapshot()
	plan, err := r.planOn(ctx, &planning{cfg: cfg, runner: r, bound: b, next: next, snapshot: snapshot, now: r.cfg.Clock()})
	return plan, errors.Join(err, snapshot.Close())
}

// planOn walks the partitions side by side, as many at once as there are processors.
func (r *Runner) planOn(ctx context.Context, p *planning) (*Plan, error) {
	started := time.Now()
	parts, notes, err := r.planPartitions(p)
	if err != nil {
		return nil, err
	}
	p.progress = newPlanProgress(p.cfg.Progress, len(parts))
	tallies := make([]*tally, len(parts))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, part := range parts {
		g.Go(func() error {
			w, err := p.walk(part, i)
			if err != nil {
				return err
			}
			tallies[i] = w.tally
			return errors.Join(w.run(gctx), w.e.iter.Close())
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	total := newTally(p)
	for _, t := range tallies {
		total.merge(t)
	}
	plan := total.plan()
	plan.View, plan.Topic, plan.At, plan.Took = r.cfg.View.Name, r.topic, p.now.UTC(), time.Since(started)
	plan.Partitions, plan.Of, plan.Notes = parts, r.cfg.Partitions, notes
	plan.Shape, plan.SameRules = p.next.shape, p.next.same
	plan.Guards, err = total.foresee(parts, r.cfg.Partitions)
	return plan, err
}

// planPartitions are those that the plan covers, and what has to be said of them.
func (r *Runner) planPartitions(p *planning) (parts []int32, notes []string, err error) {
	r.mu.Lock()
	running := r.bound != nil
	for part, t := range r.tasks {
		parts = append(parts, part)
		t.watch.set(func(o *observer) {
			if o.state != "live" {
				notes = append(notes, fmt.Sprintf("partition %d is %s, so what it shows is not the newest", part, stateWords(o)))
			}
		})
	}
	r.mu.Unlock()
	if !running {
		if parts, err = partitionsIn(p.snapshot, p.bound.viewID, r.cfg.Partitions); err != nil {
			return nil, nil, err
		}
	}
	slices.Sort(parts)
	slices.Sort(notes)
	if len(parts) == 0 {
		return nil, nil, &fault.Fault{
			Class: fault.Environment, Where: "view " + r.cfg.View.Name, What: "this process has none of its partitions", Fix: "ask the process that has them (-admin host:port), or start the pipeline",
		}
	}
	if len(parts) < r.cfg.Partitions {
		notes = append(notes, fmt.Sprintf("these are %d of the view's %d partitions; the others belong to other processes", len(parts), r.cfg.Partitions))
	}
	if !running {
		more, err := r.stoppedNotes(p, parts)
		if err != nil {
			return nil, nil, err
		}
		notes = append(notes, more...)
	}
	return parts, notes, nil
}

func stateWords(o *observer) string {
	if o.state == "" {
		return "starting"
	}
	if o.waiting != "" {
		return o.state + " (" + o.waiting + ")"
	}
	return o.state
}

// stoppedNotes says what the state of a pipeline that does not run may not be.
func (r *Runner) stoppedNotes(p *planning, parts []int32) ([]string, error) {
	oldest, other := int64(0), 0
	for _, part := range parts {
		t := r.newTask(p.bound, part)
		want := t.layoutHash()
		have, err := readOne(p.snapshot, t.prefix.meta(nil, metaLayout))
		if err != nil {
			return nil, err
		}
		if string(have) != string(want) {
			return nil, &fault.Fault{
				Class: fault.Config, Where: "view " + r.cfg.View.Name, What: "the state was made from other tables than the present configuration names",
				Fix: "name with -config the configuration that the pipeline last ran with",
			}
		}
		same, err := evaluatedWith(p.snapshot, t)
		if err != nil {
			return nil, err
		}
		if !same {
			other++
		}
		at, err := aliveAt(p.snapshot, t.prefix)
		if err != nil {
			return nil, err
		}
		if oldest == 0 || at < oldest {
			oldest = at
		}
	}
	notes := []string{"the pipeline does not run: this is its state of " + time.UnixMilli(oldest).In(r.cfg.Zone).Format("2006-01-02 15:04")}
	if other > 0 {
		notes = append(notes, "the pipeline last ran with other rules than the present configuration's: 'before' is what those would give, not what the shop has")
	}
	return notes, nil
}
