package transform

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/internal/kafka"
	"shelfstream/internal/retry"
)

// Signal is what an operator asks of a view: one of Apply, Override, Retry and Skip, or Apply and Override of the same guard. It is a record
// of the topic SignalsTopic, which keeps all of them: who asked for what, and why.
type Signal struct {
	// Apply names the guard (or "all") whose held changes go out: those that are held now, in their newest state.
	Apply string `json:"apply,omitempty"`
	// Override names the guard (or "all") that lets every new change pass until OverrideUntil. What is held stays so.
	Override      string    `json:"override,omitempty"`
	OverrideUntil time.Time `json:"override_until,omitzero"`
	// Retry are the keys of products to evaluate now ("all": every parked one), Skip that of one to leave out of the list.
	Retry []string  `json:"retry,omitempty"`
	Skip  string    `json:"skip,omitempty"`
	By    string    `json:"by"`
	Why   string    `json:"why,omitempty"`
	At    time.Time `json:"at"`
}

// SignalsTopic is where operators' requests to a view stand.
func SignalsTopic(pipeline, view string) string { return pipeline + "." + view + ".signals" }

func signalsSpec(pipeline, view string, replication int) kafka.TopicSpec {
	return kafka.TopicSpec{Name: SignalsTopic(pipeline, view), Partitions: 1, Replication: replication, Configs: map[string]string{"cleanup.policy": "compact"}}
}

// SendSignal asks something of a view, whichever workers have it. The request is durable when the call returns; a worker that does not run finds it
// when it starts. The error is a *fault.Fault of class Config if the request is not whole.
func SendSignal(ctx context.Context, client *kafka.Client, pipeline, view string, s Signal) error {
	if s.At.IsZero() {
		s.At = time.Now().UTC()
	}
	if err := s.check(view); err != nil {
		return err
	}
	value, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("encode a signal: %w", err)
	}
	if err := client.EnsureTopics(ctx, signalsSpec(pipeline, view, 0)); err != nil {
		return fmt.Errorf("create the signals topic: %w", err)
	}
	p, err := client.NewProducer(ctx, kafka.ProducerConfig{MaxBytes: 1 << 20})
	if err != nil {
		return fmt.Errorf("open a producer for the signals topic: %w", err)
	}
	// The key is of this request alone, so that compaction keeps them all.
	key := fmt.Appendf(nil, "%s %s", s.At.Format(time.RFC3339Nano), s.By)
	err = p.Produce(ctx, SignalsTopic(pipeline, view), 0, kafka.Record{Key: key, Value: value, TimestampMS: s.At.UnixMilli()})
	if err == nil {
		err = p.Flush(ctx)
	}
	if err = errors.Join(err, p.Close(ctx)); err != nil {
		return fmt.Errorf("write a signal: %w", err)
	}
	return nil
}

func (s *Signal) check(view string) error {
	bad := func(what, fix string) error {
		return &fault.Fault{Class: fault.Config, Where: "view " + view, What: what, Fix: fix}
	}
	asked := 0
	for _, set := range []bool{s.Apply != "" || s.Override != "", len(s.Retry) > 0, s.Skip != ""} {
		if set {
			asked++
		}
	}
	switch {
	case asked != 1:
		return bad("a request asks for one thing", "apply or override a guard, retry products, or skip one")
	case s.Apply != "" && s.Override != "" && s.Apply != s.Override:
		return bad("apply and override name different guards", "send two requests")
	case (s.Override == "") != s.OverrideUntil.IsZero():
		return bad("an override needs a guard and an end", "say until when it holds")
	case s.By == "":
		return bad("nobody asks", "say who does")
	case s.Why == "" && len(s.Retry) == 0:
		return bad("no reason is given", "say why")
	}
	return nil
}

// signalLog is every signal of a view so far, in the order of the topic. One goroutine (follow) writes it, the tasks read it.
type signalLog struct {
	topic string
	view  string
	board *guardBoard // nil without guards
	poke  *notifier
	log   *slog.Logger

	mu   sync.Mutex
	list []sentSignal
	next int64
}

type sentSignal struct {
	offset int64
	Signal
}

// end is the offset after the newest signal that was read.
func (l *signalLog) end() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.next
}

// before corrects an offset that a fact holds: if it lies beyond the end, the topic was made anew.
func (l *signalLog) before(offset int64) int64 {
	if offset > l.end() {
		return 0
	}
	return offset
}

// since gives the signals from an offset on, and the offset after them.
func (l *signalLog) since(offset int64) ([]sentSignal, int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if offset > l.next {
		offset = 0
	}
	for i := range l.list {
		if l.list[i].offset >= offset {
			return l.list[i:len(l.list):len(l.list)], l.next
		}
	}
	return nil, l.next
}

// take adds a record; fresh says that it was sent while this process runs.
func (l *signalLog) take(r *kafka.Record, fresh bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.Offset < l.next {
		return
	}
	l.next = r.Offset + 1
	var s Signal
	if r.Value == nil {
		return
	}
	err := json.Unmarshal(r.Value, &s)
	if err == nil {
		err = s.check(l.view)
	}
	if err != nil {
		l.log.Error("a signal was left out", "topic", l.topic, "offset", r.Offset, "error", err)
		return
	}
	level := slog.LevelDebug
	if fresh {
		level = slog.LevelInfo
	}
	l.log.Log(context.Background(), level, "an operator asks", "view", l.view, "apply", s.Apply, "override", s.Override, "override_until", s.OverrideUntil, "retry", s.Retry, "skip", s.Skip, "by", s.By, "why", s.Why, "at", s.At)
	l.list = append(l.list, sentSignal{r.Offset, s})
	if l.board == nil {
		return
	}
	for _, name := range []string{s.Apply, s.Override} {
		if fresh && name != "" && name != allGuards && l.board.guards.mask([]string{name}) == 0 {
			l.log.Warn("no guard of this name", "view", l.view, "guard", name, "by", s.By)
		}
	}
	if s.Override == allGuards {
		l.board.letPass(1<<len(l.board.guards)-1, override{s.OverrideUntil, s.By, s.Why})
	} else if s.Override != "" {
		l.board.letPass(l.board.guards.mask([]string{s.Override}), override{s.OverrideUntil, s.By, s.Why})
	}
}

// read takes what the topic holds now.
func (l *signalLog) read(ctx context.Context, client *kafka.Client) error {
	err := client.Scan(ctx, l.topic, 0, l.end(), -1, func(r *kafka.Record) error {
		l.take(r, false)
		return nil
	})
	if err != nil {
		return fmt.Errorf("read %s: %w", l.topic, err)
	}
	return nil
}

// forget begins anew: the topic was made again.
func (l *signalLog) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list, l.next = nil, 0
}

// follow takes what comes, until ctx ends.
func (l *signalLog) follow(ctx context.Context, client *kafka.Client) error {
	backoff := retry.Backoff{Base: 50 * time.Millisecond, Max: 2 * time.Second}
	err := backoff.Do(ctx, func(ctx context.Context) error { return l.followOnce(ctx, client) }, nil)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (l *signalLog) followOnce(ctx context.Context, client *kafka.Client) error {
	fetcher := client.NewFetcher(kafka.FetchConfig{MaxBytes: 1 << 20, PartitionBytes: 1 << 20})
	defer fetcher.Close()
	fetcher.Add(l.topic, 0, l.end())
	for {
		b, err := fetcher.Poll(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("read %s: %w", l.topic, err)
		}
		var out *kafka.OffsetOutOfRangeError
		if errors.As(b.Err, &out) {
			if fetcher.Release(b); out.Offset > out.End {
				l.forget()
			}
			fetcher.Add(l.topic, 0, out.Start)
			continue
		}
		if b.Err != nil {
			return fmt.Errorf("read %s: %w", l.topic, b.Err)
		}
		for i := range b.Records {
			l.take(&b.Records[i], true)
		}
		fetcher.Release(b)
		l.poke.tell()
	}
}
