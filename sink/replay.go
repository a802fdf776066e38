package sink

import (
	"context"
	"fmt"
	"math"

	"shelfstream/internal/kafka"
	"shelfstream/schemas"
)

// endOfTopic is Place.ReplayUntil for a replay of everything there is.
const endOfTopic = math.MaxInt64

// replay applies the records in [place, end) again without ever showing an older state. A reader of the target has seen, for each key, the newest state
// below the place the sink once had. So a record may be applied only if no later one of its key follows in the stretch: one pass over it notes the newest
// offset of each key, a second one applies just those records. The place moves only at the end, in the last transaction; a replay that is cut off begins
// anew, which shows the same states once more and none that is older.
//
// Compaction may take a record away between the passes; then a newer one of its key lies beyond end and comes after the replay.
//
// Chosen over comparing with what the target holds (it would need a column for the offset in every table of the shop), and over a store on disk (a
// sink has no directory): memory is bounded by keySlice, at the price of one more pass over the stretch for each further slice of keys.
func (w *worker) replay(ctx context.Context, p *partition, end int64) error {
	r := w.r
	from := p.session.Place().Next
	slice := newKeySlice(r.cfg.MaxKeys)
	progress := r.board.begin("replay of "+p.String(), end-from, r.cfg.Now)
	for more := true; more; more = slice.next() {
		err := r.cfg.Client.Scan(ctx, p.View.Topic, p.ID, from, end, func(rec *kafka.Record) error {
			slice.set(recordHash(rec), rec.Offset)
			return nil
		})
		if err != nil {
			return fmt.Errorf("look through %s: %w", p.Partition, err)
		}
		if err := w.replaySlice(ctx, p, slice, from, end, progress); err != nil {
			return err
		}
	}
	b := Batch{Next: end}
	if _, err := w.apply(ctx, p, &b, 0); err != nil {
		return err
	}
	progress(-1)
	return nil
}

// replaySlice applies the newest record of each key of the slice.
func (w *worker) replaySlice(ctx context.Context, p *partition, slice *keySlice, from, end int64, progress func(int64)) error {
	c := w.collect
	c.reset()
	var arena []byte
	flush := func() error {
		if len(c.records) == 0 {
			return nil
		}
		b, err := w.decode(ctx, p, p.session.Place().Next)
		if err == nil {
			_, err = w.apply(ctx, p, b, len(c.records))
		}
		c.reset()
		arena = arena[:0]
		return err
	}
	err := w.r.cfg.Client.Scan(ctx, p.View.Topic, p.ID, from, end, func(rec *kafka.Record) error {
		h := recordHash(rec)
		if at, ok := slice.keys[h]; !ok || at != rec.Offset {
			return nil
		}
		copied, grown := copyRecord(arena, rec)
		arena = grown
		c.take(&copied)
		if !c.full() {
			return nil
		}
		progress(rec.Offset - from)
		return flush()
	})
	if err != nil {
		return err
	}
	return flush()
}

// recordHash stands for a record's key, whatever version of the key's schema wrote it.
func recordHash(rec *kafka.Record) KeyHash {
	if _, body, err := schemas.ParseFrame(rec.Key); err == nil {
		return HashKey(body)
	}
	return HashKey(rec.Key)
}

// copyRecord copies a record that is valid only for the moment; its bytes go to the end of arena, or into a new one.
func copyRecord(arena []byte, rec *kafka.Record) (kafka.Record, []byte) {
	need := len(rec.Key) + len(rec.Value)
	for i := range rec.Headers {
		need += len(rec.Headers[i].Value)
	}
	if cap(arena)-len(arena) < need {
		arena = make([]byte, 0, max(64<<10, need)) // records copied before keep the old one
	}
	put := func(b []byte) []byte {
		if b == nil {
			return nil
		}
		start := len(arena)
		arena = append(arena, b...)
		return arena[start:len(arena):len(arena)]
	}
	out := *rec
	out.Key, out.Value = put(rec.Key), put(rec.Value)
	out.Headers = make([]kafka.Header, len(rec.Headers))
	for i := range rec.Headers {
		out.Headers[i] = kafka.Header{Key: rec.Headers[i].Key, Value: put(rec.Headers[i].Value)}
	}
	return out, arena
}
