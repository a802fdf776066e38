package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"shelfstream/internal/kafka"
)

// The outcomes of an action.
const (
	Done    = "done"
	Refused = "refused" // by a guard: no login, no role, a wrong form, a wrong password
	Failed  = "failed"
)

// Entry is one action of a person.
type Entry struct {
	At  time.Time `json:"at"`
	Who string    `json:"who"` // empty: nobody was logged in
	// Role is what they may, From the address they came from.
	Role string `json:"role,omitempty"`
	From string `json:"from,omitempty"`
	// Action is one of few words: "log in", "acknowledge", "retry parked", "skip parked", "apply held".
	Action string `json:"action"`
	// Target is what it was done to, Note the reason they gave.
	Target string `json:"target,omitempty"`
	Note   string `json:"note,omitempty"`
	// Outcome is Done, Refused or Failed; Why says more of the latter two, or of what was done.
	Outcome string `json:"outcome"`
	Why     string `json:"why,omitempty"`
}

// Config says where the entries are kept. Required: Client, Topic.
type Config struct {
	Client *kafka.Client
	Topic  string // "<pipeline>.audit"
	// Replication is the topic's, 0 = the broker's default.
	Replication int
	// Keep is how many entries Last can give; 0 = 1000.
	Keep   int
	Logger *slog.Logger
}

// Retention is for how long entries are kept: a year, and a month to look at it.
const Retention = 400 * 24 * time.Hour

// Trail writes what people did to a topic, and reads what they did on any process.
type Trail struct {
	cfg Config

	mu   sync.Mutex
	last []Entry // oldest first, at most 2*Keep
}

// NewTrail makes a trail. Run reads it.
func NewTrail(cfg Config) *Trail {
	if cfg.Keep <= 0 {
		cfg.Keep = 1000
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Trail{cfg: cfg}
}

// Add writes an entry, and returns when it is safe. It shows in Last when Run has read it.
func (t *Trail) Add(ctx context.Context, e Entry) error {
	value, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode an audit entry: %w", err)
	}
	if err := t.ensure(ctx); err != nil {
		return err
	}
	p, err := t.cfg.Client.NewProducer(ctx, kafka.ProducerConfig{MaxBytes: 1 << 20})
	if err != nil {
		return fmt.Errorf("open a producer for the audit topic: %w", err)
	}
	err = p.Produce(ctx, t.cfg.Topic, 0, kafka.Record{Key: []byte(e.Who), Value: value, TimestampMS: e.At.UnixMilli()})
	if err == nil {
		err = p.Flush(ctx)
	}
	if err := errors.Join(err, p.Close(ctx)); err != nil {
		return fmt.Errorf("write an audit entry: %w", err)
	}
	return nil
}

func (t *Trail) ensure(ctx context.Context) error {
	err := t.cfg.Client.EnsureTopics(ctx, kafka.TopicSpec{
		Name: t.cfg.Topic, Partitions: 1, Replication: t.cfg.Replication,
		Configs: map[string]string{"cleanup.policy": "delete", "retention.ms": strconv.FormatInt(Retention.Milliseconds(), 10)},
	})
	if err != nil {
		return fmt.Errorf("create the audit topic: %w", err)
	}
	return nil
}

// Last gives the newest n entries, newest first.
func (t *Trail) Last(n int) []Entry {
	t.mu.Lock()
	defer t.mu.Unlock()
	n = min(max(n, 0), len(t.last), t.cfg.Keep)
	out := make([]Entry, n)
	for i := range out {
		out[i] = t.last[len(t.last)-1-i]
	}
	return out
}

func (t *Trail) seen(r *kafka.Record) {
	var e Entry
	if err := json.Unmarshal(r.Value, &e); err != nil {
		t.cfg.Logger.Warn("a record of the audit topic is no entry", "topic", t.cfg.Topic, "offset", r.Offset, "error", err)
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = append(t.last, e)
	if len(t.last) > 2*t.cfg.Keep {
		t.last = append(t.last[:0], t.last[len(t.last)-t.cfg.Keep:]...)
	}
}
