package transform

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// dirtyInMemory is how many waiting products a task remembers; past that it reads their marks from the store.
const dirtyInMemory = 20_000

// dirtySet is the products that wait to be evaluated. Each has a mark in the store, written with the row that made it wait; the
// set in memory only spares reading the marks back while there are few, and writing them twice.
type dirtySet struct {
	members  map[string]struct{}
	overflow bool
	limit    int
}

func newDirtySet(limit int) *dirtySet {
	if limit <= 0 {
		limit = dirtyInMemory
	}
	return &dirtySet{members: map[string]struct{}{}, limit: limit}
}

// add says whether the product has to be marked in the store.
func (d *dirtySet) add(product []byte) bool {
	if _, ok := d.members[string(product)]; ok {
		return false
	}
	if len(d.members) >= d.limit {
		// From here on the marks in the store are what counts; the members are those marked lately, so that the rows of one product, which
		// come together, do not mark it again and again.
		d.overflow = true
		clear(d.members)
	}
	d.members[string(product)] = struct{}{}
	return true
}

// sorted gives the members in the order of their names, so that a run always emits in the same order.
func (d *dirtySet) sorted() []string {
	out := make([]string, 0, len(d.members))
	for p := range d.members {
		out = append(out, p)
	}
	slices.Sort(out)
	return out
}

func (d *dirtySet) reset() {
	if len(d.members) > 1000 {
		d.members = map[string]struct{}{}
	}
	clear(d.members)
	d.overflow = false
}

// markDirty makes a product wait to be evaluated.
func (t *task) markDirty(b *pebble.Batch, product []byte) error {
	if !t.dirty.add(product) {
		return nil
	}
	t.buf = t.prefix.dirty(t.buf, product)
	if err := b.Set(t.buf, nil, nil); err != nil {
		return fmt.Errorf("mark a product: %w", err)
	}
	return nil
}

// markDue makes every product wait whose time has come.
func (t *task) markDue(ctx context.Context, now time.Time) error {
	lower := t.prefix.key(nil, kindWake)
	it, err := t.store.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: t.prefix.wake(nil, now.UnixMicro()+1, nil)})
	if err != nil {
		return fmt.Errorf("read the time index: %w", err)
	}
	b := t.openBatch()
	for it.First(); it.Valid(); it.Next() {
		if err := t.markDirty(b, it.Key()[len(lower)+8:]); err != nil {
			return err
		}
		// The entry itself goes when the product is evaluated and its next instant is known.
		if b.Len() >= applyBatchBytes {
			if err := t.commitApplied(ctx); err != nil {
				return err
			}
		}
	}
	if err := it.Close(); err != nil {
		return fmt.Errorf("read the time index: %w", err)
	}
	return t.commitApplied(ctx)
}

// nextWake is the first instant in the time index.
func (t *task) nextWake() (time.Time, bool, error) {
	lower := t.prefix.key(nil, kindWake)
	it, err := t.store.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: t.prefix.key(nil, kindWake+1)})
	if err != nil {
		return time.Time{}, false, fmt.Errorf("read the time index: %w", err)
	}
	var at time.Time
	ok := it.First()
	if ok {
		at = time.UnixMicro(wakeInstant(it.Key()))
	}
	return at, ok, it.Close()
}
