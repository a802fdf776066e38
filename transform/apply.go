package transform

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"shelfstream/internal/fault"
	"shelfstream/internal/kafka"
	"shelfstream/schemas"
)

// apply puts one raw record into the open batch and marks the products that it may change.
func (t *task) apply(ctx context.Context, f *feed, in *input, r *kafka.Record) error {
	b := t.openBatch()
	key, err := t.decodeKey(in, r.Key)
	if err != nil {
		return t.reject(in, f.partition, r, err)
	}
	t.metrics.applied.Inc()
	switch in.kind {
	case inputRoot:
		product, _ := appendValues(t.eval.product[:0], key, in.joinInKey)
		t.eval.product = product
		if err := t.putRow(b, product, in.index, nil, f.partition, r); err != nil {
			return err
		}
		return t.markDirty(b, product)
	case inputChild:
		return t.applyChild(ctx, b, f, in, r, key)
	case inputLookup:
		return t.applyLookup(ctx, b, f, in, r, key)
	case inputGroups: // it has no topic
	}
	return nil
}

// decodeKey reads a record's key into values indexed like the table's key.
func (t *task) decodeKey(in *input, framed []byte) ([]schemas.Value, error) {
	_, body, err := schemas.ParseFrame(framed)
	if err != nil {
		return nil, err
	}
	t.eval.key, err = in.codec.DecodeKey(t.eval.key, body)
	return t.eval.key, err
}

// rejection is a record of somebody else.
type rejection struct {
	topic, key string
	fault      *fault.Fault
}

// reject leaves out a record that nobody can read, and says so: it is not ours, and the others go on.
func (t *task) reject(in *input, partition int32, r *kafka.Record, err error) error {
	if r.Value == nil { // under such a key nothing stands; and a record that was taken back so is no trouble any more
		t.watch.set(func(o *observer) {
			o.rejected = slices.DeleteFunc(o.rejected, func(x rejection) bool { return x.topic == in.topic && x.key == string(r.Key) })
		})
		return nil
	}
	fl := &fault.Fault{
		Class: fault.Runtime, Cause: fault.TopicForeign, Where: fmt.Sprintf("%s/%d@%d", in.topic, partition, r.Offset), What: "this record is not a row of the table",
		Fix: "see who else writes to this topic, and delete the record with a tombstone: the same key without a value; rows written by capture are not affected", Err: err,
	}
	t.metrics.rejected.Inc()
	t.log.Error("record left out", "where", fl.Where, "error", fl)
	t.watch.set(func(o *observer) {
		if len(o.rejected) < 20 {
			o.rejected = append(o.rejected, rejection{in.topic, string(r.Key), fl})
		}
	})
	return nil
}

// putRow sets or removes one row of a product.
func (t *task) putRow(b *pebble.Batch, product []byte, in int, rowKey []byte, partition int32, r *kafka.Record) error {
	t.buf = append(append(t.prefix.product(t.buf, product), byte(in)), rowKey...)
	return t.setOrDelete(b, t.buf, partition, r)
}

func (t *task) setOrDelete(b *pebble.Batch, key []byte, partition int32, r *kafka.Record) error {
	var err error
	if r.Value == nil {
		err = b.Delete(key, nil)
	} else {
		t.eval.scratch = appendRow(t.eval.scratch[:0], originOf(partition, r), r.Value)
		err = b.Set(key, t.eval.scratch, nil)
	}
	if err != nil {
		return fmt.Errorf("add to a state batch: %w", err)
	}
	return nil
}

// applyChild finds the product of a child row: in its key, or in the row with the old product from the owner index.
func (t *task) applyChild(ctx context.Context, b *pebble.Batch, f *feed, in *input, r *kafka.Record, key []schemas.Value) error {
	if in.joinInKey != nil && in.scattered && t.belongs(key, in.joinInKey) != t.partition {
		return nil
	}
	rowKey := t.rowKey(key)
	if in.joinInKey != nil {
		product, _ := appendValues(t.eval.product[:0], key, in.joinInKey)
		t.eval.product = product
		if err := t.putRow(b, product, in.index, rowKey, f.partition, r); err != nil {
			return err
		}
		return t.markDirty(b, product)
	}
	index := append(t.prefix.indexed(nil, kindChildOwner, in.index), rowKey...)
	old, now, err := t.moved(ctx, in, r, index)
	if unreadable(err) {
		return t.reject(in, f.partition, r, err)
	}
	if err != nil {
		return err
	}
	if err := t.setOwner(b, index, old, now); err != nil {
		return err
	}
	if old != nil && !bytes.Equal(old, now) {
		t.buf = append(append(t.prefix.product(t.buf, old), byte(in.index)), rowKey...)
		if err := b.Delete(t.buf, nil); err != nil {
			return fmt.Errorf("add to a state batch: %w", err)
		}
		if err := t.markDirty(b, old); err != nil {
			return err
		}
	}
	if now == nil {
		return nil
	}
	if err := t.putRow(b, now, in.index, rowKey, f.partition, r); err != nil {
		return err
	}
	return t.markDirty(b, now)
}

// applyLookup keeps a broadcast row under its join value and marks every product that looks the old or the new value up.
func (t *task) applyLookup(ctx context.Context, b *pebble.Batch, f *feed, in *input, r *kafka.Record, key []schemas.Value) error {
	rowKey := t.rowKey(key)
	lookup := t.layout.lookupIndex(in.index)
	var index, old, now []byte
	if in.joinInKey != nil {
		now, _ = appendValues([]byte{}, key, in.joinInKey)
	} else {
		var err error
		index = append(t.prefix.indexed(nil, kindLookupJoin, in.index), rowKey...)
		old, now, err = t.moved(ctx, in, r, index)
		if unreadable(err) {
			return t.reject(in, f.partition, r, err)
		}
		if err != nil {
			return err
		}
	}
	// The marks may be many, and are committed in between. So they come first: what says that the row has changed goes with the last of them, and after a
	// crash before it the record is read again.
	moves := old != nil && !bytes.Equal(old, now)
	rowKey = bytes.Clone(rowKey)
	if moves {
		if err := t.markLookers(ctx, lookup, in.index, old); err != nil {
			return err
		}
	}
	if now != nil {
		if err := t.markLookers(ctx, lookup, in.index, now); err != nil {
			return err
		}
	}
	if index != nil {
		if err := t.setOwner(b, index, old, now); err != nil {
			return err
		}
	}
	if moves {
		t.buf = append(appendPart(t.prefix.indexed(t.buf, kindLookup, in.index), old), rowKey...)
		if err := b.Delete(t.buf, nil); err != nil {
			return fmt.Errorf("add to a state batch: %w", err)
		}
	}
	if now == nil {
		return nil
	}
	t.buf = append(appendPart(t.prefix.indexed(t.buf, kindLookup, in.index), now), rowKey...)
	return t.setOrDelete(b, t.buf, f.partition, r)
}

// rowKey is the canonical text of a key.
func (t *task) rowKey(key []schemas.Value) []byte {
	dst := t.eval.rowKey[:0]
	for i := range key {
		if i > 0 {
			dst = append(dst, joinSeparator)
		}
		dst = schemas.AppendCanonical(dst, key[i])
	}
	t.eval.rowKey = dst
	return dst
}

// moved reads the join value that a row had before and the one it has now (nil: none, or the row is gone). A row that cannot be read stays where it
// was, so that the products that see it are parked with the reason; it is an error where it was nowhere.
func (t *task) moved(ctx context.Context, in *input, r *kafka.Record, index []byte) (old, now []byte, err error) {
	if o, ok := t.owners[string(index)]; ok {
		old = o
	} else if old, err = t.store.get(nil, index); err != nil {
		return nil, nil, err
	}
	if r.Value == nil {
		return old, nil, nil
	}
	row, err := t.decoders.row(ctx, in, t.eval.row, r.Value)
	if old != nil && unreadable(err) {
		return old, old, nil
	}
	if err != nil {
		return nil, nil, err
	}
	t.eval.row = row
	v, null := in.joinOf(row)
	if !null && (!in.scattered || t.belongs(row, in.join) == t.partition) {
		now = v
	}
	return old, now, nil
}

// setOwner keeps the join value of a row.
func (t *task) setOwner(b *pebble.Batch, index, old, now []byte) error {
	var err error
	switch {
	case now == nil && old == nil:
		return nil
	case now == nil:
		err = b.Delete(index, nil)
	case !bytes.Equal(old, now):
		err = b.Set(index, now, nil)
	}
	if err != nil {
		return fmt.Errorf("add to a state batch: %w", err)
	}
	t.owners[string(index)] = now
	return nil
}

// belongs says whose partition a scattered row belongs to, by the values that name its product.
func (t *task) belongs(row []schemas.Value, idx []int) int32 {
	t.eval.part = t.eval.part[:0]
	for _, i := range idx {
		t.eval.part = append(t.eval.part, row[i])
	}
	return schemas.Partition(t.eval.part, t.partitions)
}

// markLookers marks the products that look a value up, and forgets the rows that are cached for it.
func (t *task) markLookers(ctx context.Context, lookup, in int, join []byte) error {
	t.eval.forget(lookup, join)
	lower := appendPart(t.prefix.indexed(nil, kindReverse, in), join)
	it, err := t.store.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upperBound(lower)})
	if err != nil {
		return fmt.Errorf("read the reverse index: %w", err)
	}
	b := t.openBatch()
	for it.First(); it.Valid(); it.Next() {
		if err := t.markDirty(b, it.Key()[len(lower):]); err != nil {
			return errors.Join(err, it.Close())
		}
		if b.Len() >= applyBatchBytes {
			if err := t.commitApplied(ctx); err != nil {
				return errors.Join(err, it.Close())
			}
		}
	}
	return it.Close()
}

// upperBound is the first key that does not begin with p.
func upperBound(p []byte) []byte {
	u := bytes.Clone(p)
	for i := len(u) - 1; i >= 0; i-- {
		if u[i]++; u[i] != 0 {
			return u[:i+1]
		}
	}
	return nil
}
