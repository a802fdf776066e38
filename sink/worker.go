package sink

import (
	"context"
	"errors"
	"fmt"
	"time"

	"shelfstream/internal/kafka"
	"shelfstream/internal/retry"
	"shelfstream/status"
)

// partition is one assigned partition. It belongs to one worker; only shown is shared, under the board's lock.
type partition struct {
	Partition
	decoders *decoders
	shown    shown
	tally    status.Tally // what is parked, and why; see troubles.go
	held     map[KeyHash]heldRecord

	session   Session
	lostTimes int       // how often in a row it turned out to have another owner
	failed    int       // tries in a row, of opening or applying
	openAt    time.Time // not before
	next      int64     // where reading stands; may be past session.Place().Next by records that are no data
	touchAt   time.Time
	batch     *kafka.Batch // polled, not used up
	used      int          // records of it that are

	retryAt    time.Time
	retryAfter int64 // offset up to which this pass has come; -1 before it
	stale      bool  // tombstones may have been missed
}

// worker owns some partitions and one connection's worth of the target.
type worker struct {
	r       *Runner
	parts   []*partition
	fetcher *kafka.Fetcher
	collect *collector
	wake    chan struct{} // capacity 1: something parked may be tried again
	lent    []*kafka.Batch
}

func newWorker(r *Runner, n int) *worker {
	return &worker{
		r: r, collect: newCollector(r.cfg.MaxRecords, r.cfg.MaxBytes), wake: make(chan struct{}, 1),
		fetcher: r.cfg.Client.NewFetcher(kafka.FetchConfig{MaxBytes: r.cfg.FetchBytes / n, ReadCommitted: true}),
	}
}

// run works until ctx ends (then it returns nil) or a view's shape changed (errShape).
func (w *worker) run(ctx context.Context) (err error) {
	defer func() {
		w.fetcher.Close()
		for _, p := range w.parts {
			w.close(ctx, p)
		}
		if ctx.Err() != nil {
			err = nil
		}
	}()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		worked := false
		for _, p := range w.parts {
			did, err := w.step(ctx, p)
			if err != nil {
				return err
			}
			worked = worked || did
		}
		if worked {
			continue
		}
		timer.Reset(w.pause())
		select {
		case <-ctx.Done():
			return nil
		case <-w.fetcher.Ready():
		case <-w.wake:
		case <-timer.C:
		}
	}
}

// pause is the time until something is due.
func (w *worker) pause() time.Duration {
	now := w.r.cfg.Now()
	d := time.Minute
	for _, p := range w.parts {
		if p.session == nil {
			d = min(d, p.openAt.Sub(now))
			continue
		}
		d = min(d, p.touchAt.Sub(now), p.retryAt.Sub(now))
	}
	return max(d, 0)
}

// step does what is due for one partition: at most one transaction. It says whether there was anything.
func (w *worker) step(ctx context.Context, p *partition) (bool, error) {
	now := w.r.cfg.Now()
	if p.session == nil {
		if now.Before(p.openAt) {
			return false, nil
		}
		return true, w.lost(ctx, p, w.open(ctx, p))
	}
	if did, err := w.drain(ctx, p); did || err != nil {
		return true, w.lost(ctx, p, err)
	}
	if did, err := w.retryParked(ctx, p); did || err != nil {
		return true, w.lost(ctx, p, err)
	}
	if !now.Before(p.touchAt) {
		b := Batch{Next: p.next}
		_, err := w.apply(ctx, p, &b, 0)
		return true, w.lost(ctx, p, err)
	}
	return false, nil
}

// lost gives a partition up that has another owner, and comes back to it later: if this worker is the one that is no longer a member of the group,
// its generation ends before that.
func (w *worker) lost(ctx context.Context, p *partition, err error) error {
	if !errors.Is(err, ErrLost) {
		return err
	}
	w.r.cfg.Logger.WarnContext(ctx, "sink: partition has another owner, or is to be begun anew", "sink", w.r.cfg.Sink, "partition", p.String(), "error", err)
	w.close(ctx, p)
	d := min(250*time.Millisecond<<min(p.lostTimes, 8), 10*time.Second)
	p.lostTimes++
	p.openAt = w.r.cfg.Now().Add(d)
	return nil
}

// later lets a partition rest that could not be opened or read.
func (w *worker) later(ctx context.Context, p *partition, err error) {
	p.failed++
	p.openAt = w.r.cfg.Now().Add(w.r.viaLink(ctx, p.String(), p.failed, err))
}

func (w *worker) close(ctx context.Context, p *partition) {
	w.fetcher.Remove(p.View.Topic, p.ID)
	if p.batch != nil {
		w.fetcher.Release(p.batch)
		p.batch = nil
	}
	if p.session == nil {
		return
	}
	if err := p.session.Close(); err != nil {
		w.r.cfg.Logger.WarnContext(ctx, "sink: close session", "sink", w.r.cfg.Sink, "partition", p.String(), "error", err)
	}
	p.session = nil
	w.r.board.update(p, func(s *shown) { s.open = false })
}

// drain applies what is buffered of a partition, up to one transaction's worth. It does not wait for more: one record that is alone becomes a
// transaction at once, and while that is on its way the next ones gather.
func (w *worker) drain(ctx context.Context, p *partition) (bool, error) {
	c := w.collect
	c.reset()
	defer w.release()
	next, end := p.next, int64(-1)
	for !c.full() {
		if p.batch == nil {
			b := w.fetcher.TryPollPartition(p.View.Topic, p.ID)
			if b == nil {
				break
			}
			if b.Err != nil {
				err := b.Err
				w.fetcher.Release(b)
				return true, w.broken(ctx, p, err)
			}
			p.batch, p.used = b, 0
		}
		b := p.batch
		end = b.HighWatermark
		for p.used < len(b.Records) && !c.full() {
			if r := &b.Records[p.used]; r.Offset >= next {
				c.take(r)
			}
			p.used++
		}
		next = b.Next
		if p.used < len(b.Records) {
			next = b.Records[p.used].Offset
			break
		}
		w.lent = append(w.lent, b)
		p.batch = nil
	}
	if end >= 0 {
		w.r.board.update(p, func(s *shown) { s.end = end })
	}
	if next == p.next {
		return false, nil
	}
	if len(c.records) == 0 {
		p.next = next // only holes: the place follows with the next record or touch
		w.r.board.update(p, func(s *shown) { s.next = next })
		return true, nil
	}
	b, err := w.decode(ctx, p, next)
	if err != nil {
		return true, err
	}
	if _, err := w.apply(ctx, p, b, len(c.records)); err != nil {
		return true, err
	}
	p.next = next
	return true, nil
}

// release gives back what was used up.
func (w *worker) release() {
	for _, b := range w.lent {
		w.fetcher.Release(b)
	}
	clear(w.lent)
	w.lent = w.lent[:0]
}

// decode is collector.decode, repeated while the registry cannot be asked.
func (w *worker) decode(ctx context.Context, p *partition, next int64) (*Batch, error) {
	for failed := 1; ; failed++ {
		b, err := w.collect.decode(ctx, p, next)
		if err == nil || errors.Is(err, errShape) || ctx.Err() != nil {
			return b, err
		}
		if err := retry.Sleep(ctx, w.r.fails(ctx, p.String(), failed, err)); err != nil {
			return nil, err
		}
	}
}

// longContention is how long an attempt may wait for another one's locks before that is shown.
const longContention = 5 * time.Second

// apply applies a batch, repeated until the target takes it; ErrLost and the end of ctx end that. taken is the number of new records it stands for.
func (w *worker) apply(ctx context.Context, p *partition, b *Batch, taken int) ([]Parked, error) {
	r := w.r
	was := p.session.Place().Next
	for contended := 0; ; {
		var parked []Parked
		var start time.Time
		err := r.link.Do(ctx, func(ctx context.Context) (err error) {
			start = r.cfg.Now()
			parked, err = p.session.Apply(ctx, b)
			return err
		})
		if err == nil {
			w.gave(p, b, was, parked, taken, p.failed, start)
			w.applied(ctx, p, b, parked, taken, start)
			return parked, nil
		}
		if errors.Is(err, ErrLost) || ctx.Err() != nil {
			return nil, err
		}
		r.metrics.retries.Inc()
		wait := retry.Backoff{}.Delay(contended)
		quiet := false
		if errors.Is(err, ErrContention) {
			r.metrics.contention.Inc()
			// The way of things in a shop that others write as well; but not if the server let us wait for as long as it may.
			quiet = contended < 3 && r.cfg.Now().Sub(start) < longContention
			contended++
		}
		if !quiet {
			w.refused(p, b, was, taken, p.failed, start, err)
			if errors.Is(err, ErrAdvanced) {
				p.failed = 0
			}
			p.failed++
			wait = r.viaLink(ctx, p.String(), p.failed, fmt.Errorf("apply %d records of %s: %w", len(b.Records), p.Partition, err))
		}
		if err := retry.Sleep(ctx, wait); err != nil {
			return nil, err
		}
	}
}

// applied counts and shows a batch.
func (w *worker) applied(ctx context.Context, p *partition, b *Batch, parked []Parked, taken int, start time.Time) {
	r := w.r
	now := r.cfg.Now()
	p.failed, p.lostTimes = 0, 0
	p.touchAt = now.Add(r.cfg.Touch)
	var sourceMS int64
	deletes := 0
	for i := range b.Records {
		sourceMS = max(sourceMS, b.Records[i].SourceTSMS)
		if b.Records[i].Row == nil {
			deletes++
		}
	}
	r.metrics.transactions.Inc()
	if len(b.Records) > 0 {
		r.metrics.records.Add(float64(taken))
		r.metrics.batch.Observe(float64(len(b.Records)))
		r.metrics.apply.Observe(now.Sub(start).Seconds())
		r.metrics.rows.WithLabelValues(p.View.Name, "upsert").Add(float64(len(b.Records) - deletes))
		r.metrics.rows.WithLabelValues(p.View.Name, "delete").Add(float64(deletes))
	}
	if len(parked) > 0 {
		r.metrics.parked.Add(float64(len(parked)))
	}
	if len(parked) > 0 && taken > 0 { // not again with each retry
		r.cfg.Logger.WarnContext(ctx, "sink: parked records", "sink", r.cfg.Sink, "partition", p.String(), "count", len(parked), "first", parked[0].Fault)
	}
	held := len(parked)
	if t, ok := p.session.(Retrier); ok {
		held = t.Held()
	}
	p.count(b, parked, held, now)
	r.board.applied(p, taken, p.session.Place().Next, sourceMS, held, now)
}

// broken handles a partition that cannot be fetched any further.
func (w *worker) broken(ctx context.Context, p *partition, err error) error {
	var gone *kafka.OffsetOutOfRangeError
	if errors.As(err, &gone) {
		// The place is judged again when it is opened: below the log's start, or past its end.
		w.close(ctx, p)
		p.openAt = w.r.cfg.Now().Add(250 * time.Millisecond)
		return nil
	}
	w.close(ctx, p)
	w.later(ctx, p, fmt.Errorf("read %s: %w", p.Partition, err))
	return nil
}
