package sink

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"shelfstream/internal/fault"
	"shelfstream/internal/kafka"
	"shelfstream/schemas"
)

const (
	keyPage   = 5000 // keys listed at once
	prunePage = 500  // keys removed in one transaction
	namedKeys = 5    // keys named of those that nobody has decided about
)

// prune compares all keys of the target with the topic. It is needed where tombstones may be gone from the topic that this sink never read.
//
// Keys of which the topic holds the tombstone are removed. Keys that the topic does not know at all may be products whose tombstone is gone, and may as well
// be rows that somebody else wrote into the shop; there is no telling. They are removed only with asked (an operator's replay -prune); else
// they stay and Status names them until somebody decides. keep_others decides that they stay.
//
// The order makes it exact though everything goes on meanwhile: first the target's keys are listed, then the ends of all partitions are taken, then
// the topic is read up to them. A key that was in the target when it was listed was in the topic before, so if the newest record below the ends is not a
// living one, the key is gone, unless it came back beyond the ends. That is looked at last, in the transaction that removes it, while no session of
// the topic can write.
func (r *Runner) prune(ctx context.Context, v View, asked bool) error {
	t, ok := r.cfg.Target.(Pruner)
	if !ok {
		return &fault.Fault{
			Class: fault.Environment, Cause: fault.Bug, Where: "sink " + r.cfg.Sink, What: "deletions may have been missed, and this kind of target cannot list its keys",
			Fix: "compare it by hand",
		}
	}
	r.pruning.Lock()
	defer r.pruning.Unlock()
	done, err := t.Compare(ctx, v, asked)
	if err != nil {
		return err
	}
	c := comparison{r: r, t: t, view: v, asked: asked && !t.KeepsOthers(v), slice: newKeySlice(r.cfg.MaxKeys)}
	progress := r.board.begin("comparison of all keys of "+v.Topic, 0, r.cfg.Now)
	for more := true; more; more = c.slice.next() {
		if err := c.pass(ctx); err != nil {
			return err
		}
		progress(c.seen)
	}
	if t.KeepsOthers(v) {
		c.others = 0
	}
	if err := done(ctx, c.others > 0); err != nil {
		return err
	}
	progress(-1)
	r.board.leave(v.Name, c.fault())
	r.cfg.Logger.InfoContext(ctx, "sink: compared all keys", "sink", r.cfg.Sink, "view", v.Name, "keys", c.seen, "removed", c.removed, "not in the topic", c.others)
	return nil
}

// comparison is one prune under way.
type comparison struct {
	r     *Runner
	t     Pruner
	view  View
	asked bool // keys that the topic does not know are removed
	slice *keySlice

	seen    int64
	removed int
	others  int      // keys that the topic does not know and that stay
	names   []string // some of them
}

// dead marks a key of which the topic holds the tombstone; a living one has the number of its partition plus one, one that the topic does not know 0.
const dead = -1

// pass compares the keys of the slice.
func (c *comparison) pass(ctx context.Context) error {
	err := eachKey(ctx, c.t, c.view, func(key []schemas.Value) error {
		c.slice.set(hashValues(key), 0)
		return nil
	})
	if err != nil {
		return err
	}
	c.seen += int64(len(c.slice.keys))
	ends, err := c.r.living(ctx, c.view, c.slice)
	if err != nil {
		return err
	}
	var gone, unknown [][]schemas.Value
	err = eachKey(ctx, c.t, c.view, func(key []schemas.Value) error {
		switch mark, ours := c.slice.keys[hashValues(key)]; {
		case !ours || mark > 0:
		case mark == dead || c.asked:
			gone = append(gone, key)
		default:
			unknown = append(unknown, key)
		}
		return c.flush(ctx, &gone, &unknown, ends, prunePage)
	})
	if err != nil {
		return err
	}
	return c.flush(ctx, &gone, &unknown, ends, 1)
}

// flush removes the keys that are gone and counts the unknown ones, where there are at least n of them.
func (c *comparison) flush(ctx context.Context, gone, unknown *[][]schemas.Value, ends []int64, n int) error {
	if len(*gone) >= n {
		removed, err := c.t.Prune(ctx, c.view, *gone, func(next map[int32]int64) ([]bool, error) { return c.r.stillGone(ctx, c.view, *gone, ends, next) })
		if err != nil {
			return err
		}
		c.removed += removed
		*gone = (*gone)[:0]
	}
	if len(*unknown) >= n {
		_, err := c.t.Prune(ctx, c.view, *unknown, func(next map[int32]int64) ([]bool, error) {
			still, err := c.r.stillGone(ctx, c.view, *unknown, ends, next)
			for i := range still {
				if still[i] {
					c.note((*unknown)[i])
				}
				still[i] = false
			}
			return still, err
		})
		if err != nil {
			return err
		}
		*unknown = (*unknown)[:0]
	}
	return nil
}

func (c *comparison) note(key []schemas.Value) {
	c.others++
	if len(c.names) < namedKeys {
		var b []byte
		for i := range key {
			if i > 0 {
				b = append(b, '/')
			}
			b = append(b, key[i].String()...)
		}
		c.names = append(c.names, string(b))
	}
}

// fault asks an operator to decide about the keys that stayed; nil if there are none.
func (c *comparison) fault() *fault.Fault {
	if c.others == 0 {
		return nil
	}
	some := strings.Join(c.names, ", ")
	if c.others > len(c.names) {
		some += ", …"
	}
	return &fault.Fault{
		Class: fault.Environment, Cause: fault.ShopOthers, Where: fmt.Sprintf("sink %s: view %s", c.r.cfg.Sink, c.view.Name),
		What: fmt.Sprintf("the target has %d keys that %s does not have (%s): rows of others, or products that went while the sink was away for longer than the topic keeps deletions", c.others, c.view.Topic, some),
		Fix:  fmt.Sprintf("nothing is removed unasked. If they are to go: shelfstream replay %s -view %s -to 1h -prune; if they are to stay: keep_others: true for the table", c.r.cfg.Sink, c.view.Name),
	}
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
// A key that moved to another partition leaves a tombstone in the old one, which takes away only the mark of its own partition. Keys of which it has the tombstone
// are marked dead.
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
			case alive && old > 0: // alive in a partition that was read before, whatever becomes of it in this one
			case alive:
				slice.keys[h] = mark
			case old == mark || old == 0:
				slice.keys[h] = dead
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
