package exchange

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"shelfstream/internal/kafka"
	"shelfstream/internal/retry"
)

const (
	// patience is how long a write may take before it is shown as trouble, lastWrite how long the end waits for what is left.
	patience  = 10 * time.Second
	lastWrite = time.Second
	// hourEvery is how often a link's counts are written while they change.
	hourEvery = 10 * time.Second
)

// keepWriting writes until ctx ends and everything is merged, then once more.
func (r *Recorder) keepWriting(ctx context.Context, merged <-chan struct{}) {
	// A write that is under way when ctx ends has r.patient to finish, or the process would wait for a log that is away.
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(r.patient, stop) })()
	adopted := false
	back := retry.Backoff{Base: 200 * time.Millisecond, Max: 10 * time.Second}
	for attempt := 0; ; attempt++ { // once in any case: the end may come before the beginning
		begun := time.Now()
		err := r.session(ctx, work, merged, &adopted)
		if ctx.Err() != nil {
			break
		}
		if time.Since(begun) > time.Minute {
			attempt = 0
		}
		r.problem(err)
		if back.Wait(ctx, attempt) != nil {
			break
		}
	}
	<-merged
}

// session writes with one producer, until ctx ends or the producer does. work is what it does, which goes on a little longer.
func (r *Recorder) session(ctx, work context.Context, merged <-chan struct{}, adopted *bool) error {
	p, err := r.begin(work, adopted)
	if err != nil {
		return err
	}
	defer func() {
		if err := p.Close(work); err != nil && work.Err() == nil {
			r.cfg.Logger.Debug("the producer of exchanges did not end cleanly", "error", err)
		}
	}()
	hours := time.NewTicker(hourEvery)
	defer hours.Stop()
	for all := true; ; {
		if err := r.write(work, p, all); err != nil {
			return err
		}
		all = false
		select {
		case <-ctx.Done():
			<-merged
			return r.write(work, p, true)
		case <-r.wake:
		case <-hours.C:
			all = true
		}
	}
}

// begin prepares the topic, once takes over what it holds, and opens a producer.
func (r *Recorder) begin(ctx context.Context, adopted *bool) (*kafka.Producer, error) {
	late := time.AfterFunc(patience, func() { r.problem(errSlow) })
	defer late.Stop()
	if err := r.cfg.Client.EnsureTopics(ctx, topicSpec(r.cfg.Topic, r.cfg.Replication)); err != nil {
		return nil, err
	}
	if !*adopted {
		if err := r.adopt(ctx); err != nil {
			return nil, err
		}
		*adopted = true
	} else { // the producer before it ended, maybe since the topic is gone
		r.mu.Lock()
		r.links.each(func(e *entry) { e.sent = false })
		r.mu.Unlock()
	}
	return r.cfg.Client.NewProducer(ctx, kafka.ProducerConfig{MaxBytes: 4 << 20})
}

var errSlow = errors.New("no answer for 10 s")

// write writes what the topic does not have yet, and with hours all counts that changed; it returns when all of that is acknowledged.
func (r *Recorder) write(ctx context.Context, p *kafka.Producer, hours bool) error {
	records, entries, gone := r.due(hours)
	if len(records) == 0 {
		return nil
	}
	late := time.AfterFunc(patience, func() { r.problem(errSlow) })
	defer late.Stop()
	err := func() error {
		for _, rec := range records {
			if err := p.Produce(ctx, r.cfg.Topic, 0, rec); err != nil {
				return err
			}
		}
		return p.Flush(ctx)
	}()
	late.Stop()
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		for _, e := range entries {
			e.sent = false
		}
		for _, key := range gone {
			r.gone[key] = true
		}
		return fmt.Errorf("write exchanges: %w", err)
	}
	r.trouble.Store(nil)
	r.metrics.written.Add(float64(len(records)))
	end, _ := p.Mark().Next(r.cfg.Topic, 0)
	for _, e := range entries {
		e.offset = end
	}
	// What the topic will drop soon for its size goes to its end again.
	r.links.each(func(e *entry) {
		if e.sent && e.offset < end-r.refresh {
			e.sent = false
		}
	})
	return nil
}

// due collects what is to be written. An entry counts as sent from here on: if it falls out while it is on its way, its tombstone follows.
func (r *Recorder) due(hours bool) (records []kafka.Record, entries []*entry, gone []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.links.each(func(e *entry) {
		if !e.sent {
			e.sent = true
			entries = append(entries, e)
			records = append(records, kafka.Record{Key: []byte(e.key), Value: e.value})
		}
	})
	for key := range r.gone {
		gone = append(gone, key)
		records = append(records, kafka.Record{Key: []byte(key)})
	}
	clear(r.gone)
	now := r.cfg.Now()
	for link, h := range r.hours {
		if !h.changed || !hours && !h.first {
			continue
		}
		h.forget(now)
		value, err := json.Marshal(h)
		if err != nil {
			continue
		}
		h.changed, h.first = false, false
		records = append(records, kafka.Record{Key: []byte(hourPrefix + r.run + "/" + link), Value: value})
	}
	return records, entries, gone
}

// adopt takes over what earlier runs left in the topic, so that it counts among the newest, and goes when there are enough newer ones. Other processes of the
// pipeline may adopt the same: what is too old for one is too old for all.
func (r *Recorder) adopt(ctx context.Context) error {
	type held struct {
		value  []byte
		offset int64
	}
	found := map[string]held{}
	err := r.cfg.Client.Scan(ctx, r.cfg.Topic, 0, 0, -1, func(rec *kafka.Record) error {
		if rec.Value == nil {
			delete(found, string(rec.Key))
			return nil
		}
		found[string(rec.Key)] = held{append([]byte(nil), rec.Value...), rec.Offset + 1}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read %s: %w", r.cfg.Topic, err)
	}
	now := r.cfg.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	for key, h := range found {
		if isExchange(key) {
			var e Exchange
			if err := json.Unmarshal(h.value, &e); err != nil {
				r.gone[key] = true // nobody can read it
				continue
			}
			r.shelve(e.Link, e.Outcome, &entry{key: key, at: e.At, value: h.value, sent: true, offset: h.offset})
			continue
		}
		if _, _, ok := hourLink(key); ok {
			old, err := decodeHour(h.value)
			if err == nil {
				old.forget(now)
			}
			if err != nil || len(old.Minutes) == 0 {
				r.gone[key] = true
			}
		}
	}
	return nil
}
