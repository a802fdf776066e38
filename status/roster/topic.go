package roster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/internal/kafka"
	"shelfstream/internal/retry"
	"shelfstream/status"
)

// Topic is where the processes of a pipeline report: one partition, key = the worker's name, value = Worker as JSON, a tombstone at a clean end.
func Topic(pipeline string) string { return pipeline + ".status" }

// topicSpec lets old reports go by age and size: every living process writes a new one within seconds.
func topicSpec(name string, replication int) kafka.TopicSpec {
	hour := strconv.FormatInt(time.Hour.Milliseconds(), 10)
	return kafka.TopicSpec{Name: name, Partitions: 1, Replication: replication, Configs: map[string]string{
		"cleanup.policy": "compact,delete", "retention.ms": strconv.FormatInt((24 * time.Hour).Milliseconds(), 10), "retention.bytes": strconv.Itoa(32 << 20),
		"delete.retention.ms": hour, "segment.bytes": strconv.Itoa(4 << 20), "segment.ms": hour, "min.cleanable.dirty.ratio": "0.1",
	}}
}

// lastWrite is how long the end waits for the tombstone, patience how long a report may take before that is shown as trouble.
const (
	lastWrite = time.Second
	patience  = 10 * time.Second
)

var errSlow = errors.New("no answer for 10 s")

// read keeps workers until ctx ends.
func (r *Roster) read(ctx context.Context) {
	topic := Topic(r.cfg.Pipeline)
	back := retry.Backoff{Base: 200 * time.Millisecond, Max: 10 * time.Second}
	for attempt := 0; ; attempt++ {
		err := r.cfg.Client.EnsureTopics(ctx, topicSpec(topic, r.cfg.Replication))
		if err == nil {
			err = r.cfg.Client.Follow(ctx, topic, 0, kafka.Follower{Begin: r.begin, Record: r.record, CaughtUp: func() {
				attempt = 0
				r.reading.Store(nil)
				r.news.Tell()
			}})
		}
		if ctx.Err() != nil {
			return
		}
		r.cfg.Logger.Warn("other processes' reports cannot be read", "topic", topic, "error", err)
		r.reading.Store(status.TopicFault(fault.StatusUnreadable, topic, "the reports of the pipeline's processes cannot be read; the data goes on", "read", err))
		r.news.Tell()
		if back.Wait(ctx, attempt) != nil {
			return
		}
	}
}

func (r *Roster) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.workers)
}

func (r *Roster) record(rec *kafka.Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	name := string(rec.Key)
	var w Worker
	if rec.Value == nil || json.Unmarshal(rec.Value, &w) != nil {
		delete(r.workers, name)
		return
	}
	w.Name = name
	r.workers[name] = w
	now := r.cfg.Now()
	for name, w := range r.workers {
		if now.Sub(w.At) > r.cfg.Forget {
			delete(r.workers, name)
		}
	}
}

// report writes about this process until ctx ends.
func (r *Roster) report(ctx context.Context) {
	topic := Topic(r.cfg.Pipeline)
	back := retry.Backoff{Base: 200 * time.Millisecond, Max: 10 * time.Second}
	for attempt := 0; ctx.Err() == nil; attempt++ {
		err := r.reports(ctx, topic, func() { attempt = 0 })
		if ctx.Err() != nil {
			return
		}
		r.unwritten(topic, err)
		if back.Wait(ctx, attempt) != nil {
			return
		}
	}
}

func (r *Roster) unwritten(topic string, err error) {
	f := status.TopicFault(fault.StatusUnwritable, topic, "this process cannot report how it does; the data goes on", "write", err)
	if old := r.writing.Swap(f); old == nil || old.Error() != f.Error() {
		r.cfg.Logger.Warn("this process cannot report how it does", "topic", topic, "error", err)
	}
	r.news.Tell()
}

// reports writes with one producer until ctx ends, then the tombstone.
func (r *Roster) reports(ctx context.Context, topic string, well func()) error {
	late := time.AfterFunc(patience, func() { r.unwritten(topic, errSlow) })
	defer late.Stop()
	if err := r.cfg.Client.EnsureTopics(ctx, topicSpec(topic, r.cfg.Replication)); err != nil {
		return err
	}
	p, err := r.cfg.Client.NewProducer(ctx, kafka.ProducerConfig{MaxBytes: 4 << 20})
	if err != nil {
		return err
	}
	key := []byte(r.cfg.Self.Name)
	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.patient)
		defer cancel()
		if ctx.Err() != nil && p.Err() == nil {
			if err := p.Produce(end, topic, 0, kafka.Record{Key: key}); err != nil {
				r.cfg.Logger.Debug("this process' report stays behind", "error", err)
			}
		}
		if err := p.Close(end); err != nil {
			r.cfg.Logger.Debug("the producer of reports did not end cleanly", "error", err)
		}
	}()
	var last []byte
	var at time.Time
	tick := time.NewTicker(r.cfg.Every)
	defer tick.Stop()
	for {
		w := r.self()
		report, timeless, err := encode(w)
		if err != nil {
			return fmt.Errorf("encode a report: %w", err)
		}
		if now := time.Now(); !bytes.Equal(timeless, last) || now.Sub(at) >= idle*r.cfg.Every {
			late.Reset(patience)
			if err := p.Produce(ctx, topic, 0, kafka.Record{Key: key, Value: report}); err != nil {
				return fmt.Errorf("report: %w", err)
			}
			if err := p.Flush(ctx); err != nil {
				return fmt.Errorf("report: %w", err)
			}
			late.Stop()
			r.writing.Store(nil)
			r.pulse.Beat()
			well()
			last, at = timeless, now
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
