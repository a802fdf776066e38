package sink

import (
	"context"
	"slices"
	"time"

	"shelfstream/internal/kafka"
)

// retryPage is how many parked records are looked at in one step, so that new records do not wait long for them.
const retryPage = 500

// retryParked tries parked records again: those that were woken, and all of them when the session opens and then from time to time, a page a step. A parked record is still
// the newest of its key below the partition's place (a newer one would have removed it), so applying it shows nothing older.
func (w *worker) retryParked(ctx context.Context, p *partition) (bool, error) {
	t, ok := p.session.(Retrier)
	if !ok {
		return false, nil
	}
	if woken := t.TakeWoken(); len(woken) > 0 {
		slices.Sort(woken)
		return true, w.tryAgain(ctx, p, slices.Compact(woken))
	}
	now := w.r.cfg.Now()
	if now.Before(p.retryAt) {
		return false, nil
	}
	if t.Held() == 0 {
		p.retryAt = now.Add(w.r.cfg.RetryParked)
		return false, nil
	}
	if p.retryAfter < 0 {
		p.decoders.forget()
		if again, ok := w.r.cfg.Target.(interface {
			Refresh(ctx context.Context) error
		}); ok {
			if err := again.Refresh(ctx); err != nil && ctx.Err() == nil {
				w.r.fails(ctx, p.String(), 1, err)
			}
		}
	}
	list, err := t.Parked(ctx, p.retryAfter, retryPage)
	if err != nil {
		if ctx.Err() == nil {
			p.failed++
			p.retryAt = now.Add(max(w.r.fails(ctx, p.String(), p.failed, err), time.Second))
			err = nil
		}
		return false, err
	}
	if len(list) < retryPage {
		p.retryAt, p.retryAfter = now.Add(w.r.cfg.RetryParked), -1
	} else {
		p.retryAfter = list[len(list)-1].Offset
	}
	offsets := make([]int64, len(list))
	for i := range list {
		offsets[i] = list[i].Offset
	}
	return len(offsets) > 0, w.tryAgain(ctx, p, offsets)
}

// tryAgain reads records at their offsets and applies them, without moving the place. One that is no longer there was compacted away, because a newer one follows.
func (w *worker) tryAgain(ctx context.Context, p *partition, offsets []int64) error {
	place := p.session.Place().Next
	for len(offsets) > 0 {
		c := w.collect
		c.reset()
		n := 0
		for n < len(offsets) && !c.full() && offsets[n] < place {
			// Offsets that lie close together are read in one go.
			m := n + 1
			for m < len(offsets) && offsets[m] < place && offsets[m]-offsets[m-1] < 2000 && offsets[m]-offsets[n] < 100_000 {
				m++
			}
			err := w.r.cfg.Client.Scan(ctx, p.View.Topic, p.ID, offsets[n], offsets[m-1]+1, func(rec *kafka.Record) error {
				if _, ok := slices.BinarySearch(offsets[n:m], rec.Offset); ok {
					copied, _ := copyRecord(nil, rec)
					c.take(&copied)
				}
				return nil
			})
			if err != nil {
				if ctx.Err() != nil {
					return err
				}
				w.r.fails(ctx, p.String(), 1, err)
				return nil // the next pass comes by
			}
			n = m
		}
		if n == 0 {
			return nil // at or past the place: they will come by themselves
		}
		offsets = offsets[n:]
		if len(c.records) == 0 {
			continue
		}
		b, err := w.decode(ctx, p, place)
		if err != nil {
			return err
		}
		if _, err := w.apply(ctx, p, b, 0); err != nil {
			return err
		}
	}
	return nil
}
