package capture

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"shelfstream/internal/fault"
	"shelfstream/internal/kafka"
)

// signal is a record of the signals topic.
type signal struct {
	// Resnapshot is "all" or a list of configured tables.
	Resnapshot json.RawMessage `json:"resnapshot,omitempty"`
	// By says who asked.
	By string `json:"by,omitempty"`
}

// RequestResnapshot asks the worker of a source to read tables again whole (nil or empty: all of them) and to send what differs. by
// says who asks. The request is durable when the call returns; a worker that does not run finds it when it starts. Reading all tables is
// also what ends the state "position lost".
func RequestResnapshot(ctx context.Context, client *kafka.Client, pipeline, source string, tables []string, by string) error {
	s := signal{By: by, Resnapshot: json.RawMessage(`"all"`)}
	if len(tables) > 0 {
		list, err := json.Marshal(tables)
		if err != nil {
			return fmt.Errorf("encode a resnapshot request: %w", err)
		}
		s.Resnapshot = list
	}
	value, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("encode a resnapshot request: %w", err)
	}
	if err := client.EnsureTopics(ctx, signalsTopicSpec(pipeline, source, 0)); err != nil {
		return fmt.Errorf("create the signals topic: %w", err)
	}
	p, err := client.NewProducer(ctx, kafka.ProducerConfig{MaxBytes: 1 << 20})
	if err != nil {
		return fmt.Errorf("open a producer for the signals topic: %w", err)
	}
	err = p.Produce(ctx, SignalsTopic(pipeline, source), 0, kafka.Record{Value: value})
	if err == nil {
		err = p.Flush(ctx)
	}
	if err = errors.Join(err, p.Close(ctx)); err != nil {
		return fmt.Errorf("write a resnapshot request: %w", err)
	}
	return nil
}

// requests are the signals that are not done.
type requests struct {
	all    bool
	tables []string
	// next is the offset after the newest of them.
	next int64
}

// readRequests collects the signals from an offset on. What cannot be read is reported and passed over: a typing error in one
// request must not stop the source.
func readRequests(ctx context.Context, cfg *RunnerConfig, from int64, warn func(*fault.Fault)) (requests, error) {
	topic := cfg.signalsTopic()
	r := requests{next: from}
	start, err := cfg.Client.StartOffset(ctx, topic, 0)
	if err != nil {
		return r, fmt.Errorf("read the signals: %w", err)
	}
	end, err := cfg.Client.EndOffset(ctx, topic, 0)
	if err != nil {
		return r, fmt.Errorf("read the signals: %w", err)
	}
	if r.next = max(from, start); r.next >= end {
		if from > end {
			r.next = end // the topic was made anew
		}
		return r, nil
	}
	err = cfg.Client.Scan(ctx, topic, 0, r.next, end, func(rec *kafka.Record) error {
		if err := r.take(cfg, rec); err != nil {
			warn(&fault.Fault{
				Class: fault.Runtime, Cause: fault.SignalForeign, Where: fmt.Sprintf("%s/0@%d", topic, rec.Offset), What: "this request is not understood and passed over",
				Fix: "ask with shelfstream capture resnapshot", Err: err,
			})
		}
		return nil
	})
	if err != nil {
		return r, fmt.Errorf("read the signals: %w", err)
	}
	r.next = end
	return r, nil
}

func (r *requests) take(cfg *RunnerConfig, rec *kafka.Record) error {
	var s signal
	if err := json.Unmarshal(rec.Value, &s); err != nil {
		return fmt.Errorf("decode the request: %w", err)
	}
	if string(s.Resnapshot) == `"all"` {
		r.all = true
		return nil
	}
	var tables []string
	if err := json.Unmarshal(s.Resnapshot, &tables); err != nil {
		return fmt.Errorf("decode the tables of the request: %w", err)
	}
	var unknown error
	for _, t := range tables {
		switch _, ok := cfg.Tables[t]; {
		case !ok:
			unknown = errors.Join(unknown, fmt.Errorf("table %q is not configured", t))
		case !slices.Contains(r.tables, t):
			r.tables = append(r.tables, t)
		}
	}
	return unknown
}

// watchSignals returns errSignalled when there is a signal at offset or beyond.
func watchSignals(ctx context.Context, cfg *RunnerConfig, offset int64) error {
	f := cfg.Client.NewFetcher(kafka.FetchConfig{MaxBytes: 1 << 20, PartitionBytes: 1 << 18})
	defer f.Close()
	f.Add(cfg.signalsTopic(), 0, offset)
	for {
		b, err := f.Poll(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("watch the signals: %w", err)
		}
		n, failed := len(b.Records), b.Err
		f.Release(b)
		var out *kafka.OffsetOutOfRangeError
		switch {
		case errors.As(failed, &out):
			f.Add(out.Topic, out.Partition, out.Start)
		case failed != nil:
			return fmt.Errorf("watch the signals: %w", failed)
		case n > 0:
			return errSignalled
		}
	}
}
