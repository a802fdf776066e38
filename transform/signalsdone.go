package transform

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	"shelfstream/schemas"
)

// takeSignals does what operators asked for since the task last looked.
func (t *task) takeSignals(ctx context.Context) error {
	list, next := t.signals.since(t.signalsNext)
	if next == t.signalsNext {
		return nil
	}
	var applies []sentSignal
	for _, s := range list {
		if s.Apply != "" {
			applies = append(applies, s)
		}
		for _, key := range s.Retry {
			if err := t.retryParked(ctx, key); err != nil {
				return err
			}
		}
		if s.Skip != "" {
			if err := t.skipParked(s); err != nil {
				return err
			}
		}
	}
	if err := t.applyHeld(ctx, applies); err != nil {
		return err
	}
	if err := t.openBatch().Set(t.prefix.meta(nil, metaSignals), binary.BigEndian.AppendUint64(nil, uint64(next)), nil); err != nil {
		return fmt.Errorf("add to a state batch: %w", err)
	}
	t.signalsNext = next
	return t.commitApplied(ctx)
}

// restoreSignals finds out which requests are done. Without the state none is known to be: what they did to products that are held or parked now
// is told by the offset that each of these carries.
func (t *task) restoreSignals() error {
	v, err := t.store.get(nil, t.prefix.meta(nil, metaSignals))
	t.signalsNext = 0
	if len(v) == 8 {
		t.signalsNext = int64(binary.BigEndian.Uint64(v))
	}
	return err
}

// retryParked makes a product wait to be evaluated, or with "all" every parked one.
func (t *task) retryParked(ctx context.Context, key string) error {
	if key != allGuards {
		product, mine := t.productOf(key)
		if !mine {
			return nil
		}
		return t.markDirty(t.openBatch(), product)
	}
	return t.eachListed(kindParked, func(product []byte, _ *parkedFact) error {
		if t.openBatch().Len() >= applyBatchBytes {
			if err := t.commitApplied(ctx); err != nil {
				return err
			}
		}
		return t.markDirty(t.openBatch(), product)
	})
}

// productOf is the product that a key means as people write it, and whether it belongs to this task.
func (t *task) productOf(key string) ([]byte, bool) {
	root := t.layout.root().table
	parts, ok := SplitKey(key, len(root.Key))
	if !ok {
		return nil, false
	}
	values := make([]schemas.Value, len(parts))
	for i, p := range parts {
		values[i] = keyValue(&root.Columns[root.Key[i]].Type, p)
	}
	return slices.Clone(t.rowKey(values)), schemas.Partition(values, t.partitions) == t.partition
}

// skipParked leaves a parked product out of the list; the evaluation says so in the topic.
func (t *task) skipParked(s sentSignal) error {
	product, mine := t.productOf(s.Skip)
	if !mine {
		return nil
	}
	was, err := t.readParked(product)
	if err != nil {
		return err
	}
	if was.list() != kindParked || t.signals.before(was.Signals) > s.offset {
		return nil
	}
	is := *was
	is.Skipped = &Skip{By: s.By, Why: s.Why, At: s.At}
	if err := t.setParked(t.openBatch(), product, was, &is); err != nil {
		return err
	}
	return t.markDirty(t.openBatch(), product)
}

// applyHeld releases what was held when each of the signals was sent.
func (t *task) applyHeld(ctx context.Context, applies []sentSignal) error {
	if len(applies) == 0 {
		return nil
	}
	released := 0
	err := t.eachHeld(func(product []byte, was *parkedFact) error {
		is := *was
		is.Held = slices.Clone(was.Held)
		for _, s := range applies {
			if t.signals.before(was.Signals) > s.offset {
				continue
			}
			switch at := slices.Index(is.Held, s.Apply); {
			case s.Apply == allGuards:
				is.Held = nil
				if t.guarding != nil {
					is.Applied = t.guarding.guards.names(1<<len(t.guarding.guards) - 1)
				}
			case at >= 0:
				is.Held = slices.Delete(is.Held, at, at+1)
				is.Applied = append(slices.Clone(is.Applied), s.Apply)
			}
		}
		if len(is.Held) == len(was.Held) {
			return nil
		}
		released++
		if len(is.Held) == 0 {
			is.What = "" // it is being released
		}
		if t.openBatch().Len() >= applyBatchBytes {
			if err := t.commitApplied(ctx); err != nil {
				return err
			}
		}
		if err := t.setParked(t.openBatch(), product, was, &is); err != nil {
			return err
		}
		return t.markDirty(t.openBatch(), product)
	})
	if released > 0 {
		last := applies[len(applies)-1]
		t.log.Info("held changes go out", "view", t.layout.view.Name, "partition", t.partition, "products", released, "by", last.By, "why", last.Why)
	}
	return err
}
