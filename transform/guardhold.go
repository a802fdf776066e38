package transform

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"shelfstream/internal/fault"
	"shelfstream/internal/kafka"
	"shelfstream/schemas"
)

// guarding is a task's part in its view's guards; nil if the view has none.
//
// An evaluation lets everything out that no guard counts, and puts aside what one does: the product keeps its dirty mark. Where more
// is put aside than may go out, the rest is held at once; else the tasks decide together when all products are counted. Then what was put aside
// is evaluated a second time, and goes out or is held.
type guarding struct {
	guards guards
	board  *guardBoard

	// aside and counts (by guard) are of the evaluation going on.
	aside   []string
	counts  []int
	decided bool
	tripped uint64
	// recount says that the products published must be counted: others have published some.
	recount bool
}

func newGuarding(board *guardBoard) *guarding {
	if board == nil {
		return nil
	}
	return &guarding{guards: board.guards, board: board, counts: make([]int, len(board.guards))}
}

func (g *guarding) begin() {
	if g != nil {
		g.aside, g.decided, g.tripped = g.aside[:0], false, 0
		clear(g.counts)
	}
}

// admit says whether a change of the loaded product may go out; row is nil if it leaves the view. What may not is put aside or held.
func (e *evaluation) admit(ctx context.Context, batch *pebble.Batch, product []byte, row []schemas.Value) (bool, error) {
	g := e.t.guarding
	if g == nil || len(e.facts.emitted) < 16 {
		return true, nil
	}
	c := change{row: row, is: e.rowCounts()}
	if c.published = e.previous(); c.published != nil {
		c.was = e.was
	}
	hits := g.guards.hits(&c)
	if hits == 0 {
		return true, nil
	}
	old := e.parkedFact()
	if old != nil {
		hits &^= g.guards.mask(old.Applied)
		if stays := hits & g.guards.mask(old.Held); stays != 0 {
			return false, e.hold(ctx, batch, product, &c, stays)
		}
	}
	if hits &^= g.board.overridden(); hits == 0 {
		return true, nil
	}
	if !g.decided {
		if hits&g.tripped == 0 {
			for i := range g.counts {
				if hits&(1<<i) != 0 {
					g.counts[i]++
				}
			}
			g.tripped |= g.board.trips(e.t.partition, hits, g.counts)
		}
		if hits&g.tripped == 0 {
			g.aside = append(g.aside, string(product))
			if err := batch.Set(e.t.prefix.dirty(e.t.buf, product), nil, nil); err != nil {
				return false, fmt.Errorf("add to a state batch: %w", err)
			}
			return false, nil
		}
	}
	if hits &= g.tripped; hits == 0 {
		return true, nil
	}
	return false, e.hold(ctx, batch, product, &c, hits)
}

// decide settles what was put aside, and evaluates it again.
func (e *evaluation) decide(ctx context.Context, tgt *target) (int, error) {
	t, g := e.t, e.t.guarding
	if g == nil || len(g.aside) == 0 {
		return 0, nil
	}
	t.watch.set(func(o *observer) {
		o.state, o.waiting = "evaluating", "until all tasks have counted what the guards count"
	})
	tripped, err := g.board.settle(ctx, t.partition, tgt.cut, e.in.Now, g.counts)
	defer g.board.settled(t.partition)
	if err != nil {
		return 0, err
	}
	g.decided, g.tripped = true, g.tripped|tripped
	return e.chunks(ctx, slices.Values(g.aside))
}

// hold keeps a change back: the product stays as it was published, and the store and the parked topic say so. set are the guards that hold it.
func (e *evaluation) hold(ctx context.Context, b *pebble.Batch, product []byte, c *change, set uint64) error {
	t, g := e.t, e.t.guarding
	old := e.parkedFact()
	p := &parkedFact{Record: e.recordKey()}
	p.Cause = fault.GuardHeld
	p.View, p.Key, p.Held, p.Since, p.Signals = t.layout.view.Name, keyText(product), g.guards.names(set), t.clock().UTC(), t.signals.end()
	first := &g.guards[slices.IndexFunc(g.guards, func(x guard) bool { return x.Name == p.Held[0] })]
	p.Before, p.After = first.texts(c)
	p.Where = fmt.Sprintf("view %s, guard %s", p.View, first.Name)
	p.What = fmt.Sprintf("held: %s → %s", p.Before, p.After)
	p.Fix = first.fix(p.View)
	if old != nil {
		p.Applied = old.Applied
		if len(old.Held) > 0 && set&^g.guards.mask(old.Held) == 0 {
			p.Since, p.Signals = old.Since, old.Signals
		}
		if slices.Equal(old.Held, p.Held) && old.What == p.What {
			return nil
		}
	}
	if err := e.report(ctx, p); err != nil {
		return err
	}
	return t.setParked(b, product, old, p)
}

// isPublished says whether the shop has the product that is loaded.
func (e *evaluation) isPublished() bool { return len(e.facts.emitted) >= 16 }

// count keeps the number of products published, of which a share may change.
func (g *guarding) count(t *task, by int64) {
	if g != nil {
		t.products += by
	}
}

// saveProducts writes the number with the batch that holds the products.
func (t *task) saveProducts(b *pebble.Batch) error {
	if t.guarding == nil {
		return nil
	}
	if err := b.Set(t.prefix.meta(nil, metaProducts), binary.BigEndian.AppendUint64(nil, uint64(t.products)), nil); err != nil {
		return fmt.Errorf("add to a state batch: %w", err)
	}
	return nil
}

// restoreGuards finds out how many products are published and which are held.
func (t *task) restoreGuards(ctx context.Context) error {
	k := t.prefix.meta(nil, metaProducts)
	if t.guarding == nil {
		// The number is not kept up without guards.
		if err := t.store.db.Delete(k, pebble.NoSync); err != nil {
			return fmt.Errorf("write the state store: %w", err)
		}
		return t.restoreHeld(ctx)
	}
	v, err := t.store.get(nil, k)
	if err != nil {
		return err
	}
	if len(v) == 8 && !t.guarding.recount {
		t.products = int64(binary.BigEndian.Uint64(v))
	} else if err := t.countProducts(); err != nil {
		return err
	}
	if err := t.restoreHeld(ctx); err != nil {
		return err
	}
	t.guarding.recount = false
	t.tellProducts()
	return nil
}

// tellProducts tells the board how many products the task has published.
func (t *task) tellProducts() {
	t.guarding.board.update(t.partition, func(m *member) { m.ready, m.products = true, t.products })
}

func (t *task) countProducts() error {
	lower := t.prefix.key(nil, kindProduct)
	it, err := t.store.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: t.prefix.key(nil, kindProduct+1)})
	if err != nil {
		return fmt.Errorf("read the state store: %w", err)
	}
	t.products = 0
	var product []byte
	for ok := it.First(); ok; {
		var whole bool
		if product, _, whole = cutPart(product, it.Key()[len(lower):]); !whole {
			return errors.Join(errRowCorrupt, it.Close())
		}
		start := t.prefix.product(nil, product)
		fact := append(slices.Clone(start), slotEmitted)
		if it.SeekGE(fact) && string(it.Key()) == string(fact) {
			t.products++
		}
		ok = it.SeekGE(upperBound(start))
	}
	return it.Close()
}

// restoreHeld counts what is held for each guard. What no guard of today holds is evaluated.
func (t *task) restoreHeld(ctx context.Context) error {
	b := t.openBatch()
	err := t.eachHeld(func(product []byte, p *parkedFact) error {
		if t.guarding == nil || t.guarding.guards.mask(p.Held) == 0 {
			return t.markDirty(b, product)
		}
		t.guarding.board.holds(t.partition, nil, p)
		return nil
	})
	if err != nil {
		return err
	}
	return t.commitApplied(ctx)
}

// The loop tells the board what the task is at.

func (t *task) guardWorking() {
	if t.guarding != nil {
		t.guarding.board.update(t.partition, func(m *member) { m.idle = false })
	}
}

func (t *task) guardCounted(c cut, at time.Time) {
	if t.guarding != nil {
		t.guarding.board.update(t.partition, func(m *member) { m.cut, m.at, m.products = c, at, t.products })
	}
}

func (t *task) guardIdle(wake time.Time, ok bool) {
	if t.guarding != nil {
		if !ok {
			wake = time.Time{}
		}
		t.guarding.board.update(t.partition, func(m *member) { m.idle, m.wake = true, wake })
	}
}

// guardAbsent says that nobody needs to wait for the task.
func (t *task) guardAbsent() {
	if t.guarding != nil {
		t.guarding.board.update(t.partition, func(m *member) { m.absent, m.waiting = true, false; clear(m.pending) })
	}
}

// report writes why a product is not what it should be to the parked topic.
func (e *evaluation) report(ctx context.Context, p *parkedFact) error {
	value, err := p.record()
	if err != nil {
		return err
	}
	t := e.t
	if err := t.producer.Produce(ctx, t.parked, t.partition, kafka.Record{TimestampMS: t.clock().UnixMilli(), Key: p.Record, Value: value}); err != nil {
		return fmt.Errorf("emit: %w", err)
	}
	return nil
}
