package sink

import (
	"context"
	"errors"
	"fmt"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/internal/kafka"
)

// partition is one assigned partition. It belongs to one worker; only shown is shared, under the board's lock.
type partition struct {
	Partition
	decoders *decoders
	shown    shown

	session  Session
	attempts int       // of opening
	openAt   time.Time // not before
	next     int64     // where reading stands; may be past session.Place().Next by records that are no data
	touchAt  time.Time
	batch    *kafka.Batch // polled, not used up
	used     int          // records of it that are

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
	w.r.cfg.Logger.WarnContext(ctx, "sink: partition has another owner", "sink", w.r.cfg.Sink, "partition", p.String())
	w.close(ctx, p)
	w.later(p)
	return nil
}

// later lets a partition rest, longer each time.
func (w *worker) later(p *partition) {
	d := min(250*time.Millisecond<<min(p.attempts, 8), 10*time.Second)
	p.attempts++
	p.openAt = w.r.cfg.Now().Add(d)
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
	for attempt := 0; ; attempt++ {
		b, err := w.collect.decode(ctx, p, next)
		if err == nil || errors.Is(err, errShape) || ctx.Err() != nil {
			return b, err
		}
		w.r.trouble(ctx, err)
		if err := w.r.cfg.Backoff.Wait(ctx, attempt); err != nil {
			return nil, err
		}
	}
}

// apply applies a batch, repeated until the target takes it; ErrLost and the end of ctx end that. taken is the number of new records it stands for.
func (w *worker) apply(ctx context.Context, p *partition, b *Batch, taken int) ([]Parked, error) {
	r := w.r
	was := p.session.Place().Next
	for attempt := 0; ; attempt++ {
		start := r.cfg.Now()
		parked, err := p.session.Apply(ctx, b)
		if err == nil {
			w.gave(p, b, was, parked, taken, attempt, start)
			w.applied(ctx, p, b, parked, taken, start)
			return parked, nil
		}
		if errors.Is(err, ErrLost) || ctx.Err() != nil {
			return nil, err
		}
		r.metrics.retries.Inc()
		quiet := false
		if errors.Is(err, ErrContention) {
			r.metrics.contention.Inc()
			quiet = attempt < 3 // the way of things in a shop that others write as well
		}
		if !quiet {
			w.refused(p, b, was, taken, attempt, start, err)
			r.trouble(ctx, fmt.Errorf("apply %d records of %s: %w", len(b.Records), p.Partition, err))
		}
		if err := r.cfg.Backoff.Wait(ctx, attempt); err != nil {
			return nil, err
		}
	}
}

// applied counts and shows a batch.
func (w *worker) applied(ctx context.Context, p *partition, b *Batch, parked []Parked, taken int, start time.Time) {
	r := w.r
	now := r.cfg.Now()
	p.attempts = 0
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
	r.board.applied(p, taken, p.session.Place().Next, sourceMS, held, now)
	if len(parked) > 0 || held == 0 {
		r.board.update(p, func(s *shown) { s.sample(parked, held) })
	}
}

// sample keeps the faults of some parked records.
func (s *shown) sample(parked []Parked, held int) {
	if held == 0 {
		s.samples = nil
		return
	}
	for _, p := range parked {
		s.samples = append(s.samples, p.Fault)
	}
	if n := len(s.samples); n > maxSamples {
		s.samples = append(fault.List(nil), s.samples[n-maxSamples:]...)
	}
}

// broken handles a partition that cannot be fetched any further.
func (w *worker) broken(ctx context.Context, p *partition, err error) error {
	var gone *kafka.OffsetOutOfRangeError
	if errors.As(err, &gone) {
		// The place is judged again when it is opened: below the log's start, or past its end.
		w.close(ctx, p)
		w.later(p)
		return nil
	}
	w.r.trouble(ctx, fmt.Errorf("read %s: %w", p.Partition, err))
	w.close(ctx, p)
	w.later(p)
	return nil
}
