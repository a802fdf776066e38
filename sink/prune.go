package sink

import (
	"context"
	"errors"
	"fmt"

	"shelfstream/internal/fault"
	"shelfstream/internal/kafka"
	"shelfstream/schemas"
)

const (
	keyPage   = 5000 // keys listed at once
	prunePage = 500  // keys removed in one transaction
)

// prune compares all keys of the target with the topic and removes those the topic does not have. It is needed where tombstones may be gone from the
// topic that this sink never read.
//
// The order makes it exact though everything goes on meanwhile: first the target's keys are listed, then the ends of all partitions are taken, then
// the topic is read up to them. A key that was in the target when it was listed was in the topic before, so if the newest record below the ends is not a
// living one, the key is gone, unless it came back beyond the ends. That is looked at last, in the transaction that removes it, while no session of
// the topic can write.
func (r *Runner) prune(ctx context.Context, v View) error {
	t, ok := r.cfg.Target.(Pruner)
	if !ok {
		return &fault.Fault{
			Class: fault.Environment, Where: "sink " + r.cfg.Sink, What: "deletions may have been missed, and this kind of target cannot list its keys",
			Fix: "compare it by hand",
		}
	}
	r.pruning.Lock()
	defer r.pruning.Unlock()
	slice := newKeySlice(r.cfg.MaxKeys)
	progress := r.board.begin("comparison of all keys of "+v.Topic, 0, r.cfg.Now)
	removed, seen := 0, int64(0)
	for more := true; more; more = slice.next() {
		err := eachKey(ctx, t, v, func(key []schemas.Value) error {
			slice.set(hashValues(key), 0)
			seen++
			return nil
		})
		if err != nil {
			return err
		}
		ends, err := r.living(ctx, v, slice)
		if err != nil {
			return err
		}
		var gone [][]schemas.Value
		flush := func() error {
			if len(gone) == 0 {
				return nil
			}
			n, err := t.Prune(ctx, v, gone, func(next map[int32]int64) ([]bool, error) { return r.stillGone(ctx, v, gone, ends, next) })
			removed += n
			gone = gone[:0]
			return err
		}
		err = eachKey(ctx, t, v, func(key []schemas.Value) error {
			if alive, ours := slice.keys[hashValues(key)]; !ours || alive != 0 {
				return nil
			}
			if gone = append(gone, key); len(gone) < prunePage {
				return nil
			}
			return flush()
		})
		if err != nil {
			return err
		}
		if err := flush(); err != nil {
			return err
		}
		progress(seen)
	}
	if err := t.Pruned(ctx, v); err != nil {
		return err
	}
	progress(-1)
	r.cfg.Logger.InfoContext(ctx, "sink: compared all keys", "sink", r.cfg.Sink, "view", v.Name, "keys", seen, "removed", removed)
	return nil
}

// eachKey pages through the target's keys.
func eachKey(ctx context.Context, t Pruner, v View, fn func(key []schemas.Value) error) error {
	var after []schemas.Value
	for {
		keys, err := t.Keys(ctx, v, after, keyPage)
		if err != nil {
			return err
		}
		for _, k := range keys {
			if err := fn(k); err != nil {
				return err
			}
		}
		if len(keys) < keyPage {
			return nil
		}
		after = keys[len(keys)-1]
	}
}

// hashValues stands for a key as its canonical text, in which the target's 42 and the topic's 42.00 meet.
func hashValues(key []schemas.Value) KeyHash {
	var b []byte
	for i := range key {
		b = append(schemas.AppendCanonical(b, key[i]), 0x1f)
	}
	return HashKey(b)
}

// living reads the topic up to its present ends, which it returns, and marks the slice's keys that are alive with the number of their partition plus one.
// A key that moved to another partition leaves a tombstone in the old one, which takes away only the mark of its own partition.
func (r *Runner) living(ctx context.Context, v View, slice *keySlice) ([]int64, error) {
	ends, err := r.cfg.Client.EndOffsets(ctx, v.Topic)
	if err != nil {
		return nil, err
	}
	d := newDecoders(r.cfg.Registry, v)
	for id, end := range ends {
		mark := int64(id) + 1
		err := r.scanKeys(ctx, d, int32(id), 0, end, func(key []schemas.Value, alive bool) {
			h := hashValues(key)
			old, ours := slice.keys[h]
			switch {
			case !ours:
			case alive:
				slice.keys[h] = mark
			case old == mark:
				slice.keys[h] = 0
			}
		})
		if err != nil {
			return nil, fmt.Errorf("look through %s/%d: %w", v.Topic, id, err)
		}
	}
	return ends, nil
}

// stillGone says which keys have not come back between ends and the places the partitions have reached.
func (r *Runner) stillGone(ctx context.Context, v View, keys [][]schemas.Value, ends []int64, next map[int32]int64) ([]bool, error) {
	index := map[KeyHash]int{}
	out := make([]bool, len(keys))
	for i, k := range keys {
		index[hashValues(k)] = i
		out[i] = true
	}
	d := newDecoders(r.cfg.Registry, v)
	for id, end := range ends {
		if next[int32(id)] <= end {
			continue
		}
		err := r.scanKeys(ctx, d, int32(id), end, next[int32(id)], func(key []schemas.Value, alive bool) {
			// Any record is reason enough to leave the key to the records themselves.
			if i, ok := index[hashValues(key)]; ok {
				out[i] = false
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// scanKeys calls fn with the key of each record. Records whose key cannot be read have no row in the target, so they are passed over.
func (r *Runner) scanKeys(ctx context.Context, d *decoders, id int32, from, to int64, fn func(key []schemas.Value, alive bool)) error {
	return r.cfg.Client.Scan(ctx, d.view.Topic, id, from, to, func(rec *kafka.Record) error {
		keyID, body, err := schemas.ParseFrame(rec.Key)
		if err != nil {
			return nil
		}
		rd := Record{Key: body}
		if err := d.tombstone(ctx, rec, keyID, &rd); err != nil {
			var f *fault.Fault
			if errors.As(err, &f) && f.Class == fault.Runtime {
				return nil
			}
			return err
		}
		fn(rd.KeyValues, rec.Value != nil)
		return nil
	})
}
