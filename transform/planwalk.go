package transform

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"shelfstream/schemas"
	"shelfstream/transform/rules"
)

// planning is what the walks over the partitions share; they only read it, but for the progress.
type planning struct {
	cfg      PlanConfig
	runner   *Runner
	bound    *bound
	next     *successor
	snapshot *pebble.Snapshot
	now      time.Time
	progress *planProgress
}

// planWalk evaluates the products of one partition twice, one product after the other.
type planWalk struct {
	*planning
	index    int
	e        *evaluation
	tally    *tally
	old, new outcome
	input    rules.Input // of the new rules
	previous []schemas.Value
	before   []schemas.Value // what guards look at under the old rules, by guard
	// explainer names the rules that did it, for samples.
	explainer *rules.Evaluator
}

// outcome is a product under one of the two rules.
type outcome struct {
	evaluator *rules.Evaluator
	codec     *schemas.Codec
	result    rules.Result
	value     []byte // Avro
	err       error  // it is parked
}

func (o *outcome) shown() bool { return o.err == nil && o.result.Include }

// eval evaluates and encodes, as a task does: what cannot be encoded is parked too.
func (o *outcome) eval(in *rules.Input) {
	o.result.Wake, o.result.Include = time.Time{}, true
	if o.err = o.evaluator.Eval(in, &o.result); o.err == nil && o.result.Include {
		o.value, o.err = o.codec.AppendValue(o.value[:0], o.result.Row)
	}
}

func (p *planning) walk(partition int32, index int) (*planWalk, error) {
	e, err := p.runner.look(p.bound, partition, p.snapshot)
	if err != nil {
		return nil, err
	}
	w := &planWalk{planning: p, index: index, e: e, tally: newTally(p)}
	w.old = outcome{evaluator: e.evaluator, codec: p.bound.codec}
	w.new = outcome{evaluator: p.next.program.NewEvaluator(), codec: p.next.codec}
	e.in.Now, w.input.Now = p.now, p.now
	w.input.Children = make([][][]schemas.Value, len(p.next.children))
	w.input.Lookups = make([][][]schemas.Value, len(p.next.lookups))
	return w, nil
}

// reportEvery is how many products go by between two reports of progress.
const reportEvery = 512

// run goes through the products in the order of their names. Loading one leaves the iterator at the next.
func (w *planWalk) run(ctx context.Context) error {
	t, it := w.e.t, w.e.iter
	lower := t.prefix.key(nil, kindProduct)
	var product, own []byte
	n := int64(0)
	for ok := it.First(); ok; {
		var whole bool
		if product, _, whole = cutPart(product, it.Key()[len(lower):]); !whole {
			return errRowCorrupt
		}
		if err := w.one(ctx, product); err != nil {
			return err
		}
		own = t.prefix.product(own, product)
		if ok = it.Valid(); ok && bytes.HasPrefix(it.Key(), own) {
			ok = it.SeekGE(upperBound(own))
		}
		if n++; n%reportEvery == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			w.progress.at(w, reportEvery, own)
		}
	}
	if err := it.Error(); err != nil {
		return fmt.Errorf("read the state store: %w", err)
	}
	w.progress.done(w.index, n%reportEvery)
	return nil
}

// one evaluates a product under both rules and counts what differs.
func (w *planWalk) one(ctx context.Context, product []byte) error {
	err := w.e.load(ctx, product)
	if err == nil && w.e.in.Root == nil {
		return nil // rows of others wait for their root row; there is no product under any rules
	}
	if err == nil {
		err = w.e.lookUp(ctx)
	}
	if err != nil && !unreadable(err) {
		return err
	}
	if w.tally.products++; err != nil {
		w.old.err, w.new.err = err, err
	} else {
		w.old.eval(&w.e.in)
		w.rearrange()
		w.new.eval(&w.input)
	}
	w.tally.count(w, product)
	return nil
}

// rearrange gives the new rules the product that the old ones saw.
func (w *planWalk) rearrange() {
	in, next := &w.e.in, w.next
	w.input.Root = in.Root
	for i, from := range next.children {
		w.input.Children[i] = w.reordered(1+i, in.Children[from])
	}
	for i, from := range next.lookups {
		w.input.Lookups[i] = w.reordered(next.layout.lookupInput(i), in.Lookups[from])
	}
	w.input.Previous = nil
	if len(next.kept) == 0 || !w.e.isPublished() {
		return
	}
	// What was published is what the old rules gave: what they kept, and for fields that only the new rules keep, what the old ones give.
	w.previous = w.previous[:0]
	for _, c := range next.kept {
		v := schemas.Null
		switch at := w.keptAt(c); {
		case at >= 0 && in.Previous != nil:
			v = in.Previous[at]
		case c >= 0 && w.old.shown():
			v = w.old.result.Row[c]
		}
		w.previous = append(w.previous, v)
	}
	w.input.Previous = w.previous
}

// keptAt is where a field of the old products stands among those that the old rules keep; -1 if they keep it not.
func (w *planWalk) keptAt(column int) int { return slices.Index(w.tally.keptBefore, column) }

func (w *planWalk) reordered(input int, rows [][]schemas.Value) [][]schemas.Value {
	if !w.next.sorted[input] || len(rows) < 2 {
		return rows
	}
	rows = slices.Clone(rows)
	w.e.sort(w.next.layout.inputs[input], rows)
	return rows
}

// steps says which rule set each field under the new rules; for samples only.
func (w *planWalk) steps() []rules.Step {
	if w.explainer == nil {
		w.explainer = w.next.program.NewEvaluator() // the other one's result is still being read
	}
	steps, _ := w.explainer.Explain(&w.input) // where it fails, the rules before it have said theirs
	return steps
}
