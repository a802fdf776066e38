package sinktest

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"shelfstream/internal/kafka"
	"shelfstream/internal/kafka/embedded"
	"shelfstream/internal/retry"
	"shelfstream/schemas"
	"shelfstream/schemas/registry"
	"shelfstream/sink"
)

// memoryLog keeps the registry's records.
type memoryLog struct {
	mu      sync.Mutex
	records [][2][]byte
}

func (l *memoryLog) Append(_ context.Context, key, value []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.records = append(l.records, [2][]byte{append([]byte(nil), key...), append([]byte(nil), value...)})
	return nil
}

func (l *memoryLog) Replay(_ context.Context, fn func(key, value []byte) error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.records {
		if err := fn(r[0], r[1]); err != nil {
			return err
		}
	}
	return nil
}

// World is a broker, a registry and the cleaned topic of one view, all in this process, for tests of runners.
type World struct {
	T          testing.TB
	Broker     *embedded.Broker
	Client     *kafka.Client
	HTTP       *httptest.Server // the registry
	Registry   *registry.Client
	View       sink.View
	Partitions int

	producer       *kafka.Producer
	codec          *schemas.Codec
	keyID, valueID int32
}

// NewWorld makes a world, which ends with the test. The view's topic must be named "suite.<view>".
func NewWorld(t testing.TB, view sink.View, partitions int) *World {
	t.Helper()
	b, err := embedded.Start(embedded.Config{Compaction: time.Hour}) // tests go by what they have written
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	w := &World{T: t, Broker: b, View: view, Partitions: partitions}
	if w.Client, err = kafka.Open(kafka.Config{Brokers: []string{b.Addr()}, ClientID: "test", Logger: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Client.Close() })
	srv, err := registry.NewServer(t.Context(), &memoryLog{})
	if err != nil {
		t.Fatal(err)
	}
	w.HTTP = httptest.NewServer(srv)
	t.Cleanup(w.HTTP.Close)
	w.Registry = registry.NewClient(w.HTTP.URL, registry.WithRetry(0))
	err = w.Client.EnsureTopics(t.Context(), kafka.TopicSpec{Name: view.Topic, Partitions: partitions, Configs: map[string]string{"cleanup.policy": "compact"}})
	if err != nil {
		t.Fatal(err)
	}
	if w.producer, err = w.Client.NewProducer(t.Context(), kafka.ProducerConfig{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		w.producer.Close(ctx)
	})
	w.Shape(view.Table)
	return w
}

// Shape registers a shape, in which what follows is written.
func (w *World) Shape(t *schemas.Table) {
	w.T.Helper()
	var err error
	if w.codec, err = schemas.Compile(t); err != nil {
		w.T.Fatal(err)
	}
	if w.keyID, err = w.Registry.Register(w.T.Context(), w.View.Topic+"-key", w.codec.KeySchema()); err != nil {
		w.T.Fatal(err)
	}
	if w.valueID, err = w.Registry.Register(w.T.Context(), w.View.Topic+"-value", w.codec.ValueSchema()); err != nil {
		w.T.Fatal(err)
	}
}

// Record is a row as it stands on the topic, or with gone its tombstone.
func (w *World) Record(row []schemas.Value, gone bool) kafka.Record {
	w.T.Helper()
	key, err := w.codec.AppendKey(schemas.AppendFrame(nil, w.keyID), row)
	if err != nil {
		w.T.Fatal(err)
	}
	r := kafka.Record{Key: key, Headers: []kafka.Header{{Key: "__source_ts_ms", Value: fmt.Append(nil, time.Now().UnixMilli())}, {Key: "__pos", Value: []byte("0/1")}}}
	if !gone {
		if r.Value, err = w.codec.AppendValue(schemas.AppendFrame(nil, w.valueID), row); err != nil {
			w.T.Fatal(err)
		}
	}
	return r
}

// Row is a row of the suite's View.
func Row(no int64, name string, counter int64) []schemas.Value {
	return []schemas.Value{schemas.Int(no), schemas.Text(name), schemas.Int(counter)}
}

// Partition is where a row's key belongs.
func (w *World) Partition(row []schemas.Value) int32 {
	var key []schemas.Value
	for _, k := range w.View.Table.Key {
		key = append(key, row[k])
	}
	return schemas.Partition(key, w.Partitions)
}

// Put writes rows, and returns when the broker has them.
func (w *World) Put(rows ...[]schemas.Value) {
	w.T.Helper()
	for _, r := range rows {
		w.Raw(w.Partition(r), w.Record(r, false))
	}
	w.Flush()
}

// Remove writes tombstones of rows; only the key of each counts.
func (w *World) Remove(rows ...[]schemas.Value) {
	w.T.Helper()
	for _, r := range rows {
		w.Raw(w.Partition(r), w.Record(r, true))
	}
	w.Flush()
}

// Raw produces any record; Flush makes sure of it.
func (w *World) Raw(partition int32, r kafka.Record) {
	w.T.Helper()
	if err := w.producer.Produce(w.T.Context(), w.View.Topic, partition, r); err != nil {
		w.T.Fatal(err)
	}
}

// Flush returns when the broker has everything produced.
func (w *World) Flush() {
	w.T.Helper()
	if err := w.producer.Flush(w.T.Context()); err != nil {
		w.T.Fatal(err)
	}
}

// Running is a runner that works until stop, or the test's end.
type Running struct {
	*sink.Runner
	Stop func()
	Err  chan error
}

// Config is that of a quick runner.
func (w *World) Config(target sink.Target) sink.RunnerConfig {
	return sink.RunnerConfig{
		Pipeline: "suite", Sink: "shop", Views: []string{w.View.Name}, Client: w.Client, Registry: w.Registry, Target: target, Owner: "test",
		RetryParked: 50 * time.Millisecond, Retries: retry.Policy{First: time.Millisecond, Most: 20 * time.Millisecond, Slow: 20 * time.Millisecond},
		SessionTimeout: 30 * time.Second, Heartbeat: 100 * time.Millisecond, // who stops says so; a machine that stands still for a moment loses nothing
		Logger: slog.New(slog.NewTextHandler(w.T.Output(), nil)),
	}
}

// Start runs a runner until Stop, or the end of the test.
func (w *World) Start(cfg sink.RunnerConfig) *Running {
	w.T.Helper()
	r, err := sink.NewRunner(cfg)
	if err != nil {
		w.T.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	run := &Running{Runner: r, Err: make(chan error, 1)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		run.Err <- r.Run(ctx)
	}()
	run.Stop = func() {
		cancel()
		select {
		case <-done:
		case <-time.After(20 * time.Second):
			w.T.Error("the runner did not stop within 20 s")
		}
	}
	w.T.Cleanup(run.Stop)
	return run
}

// Wait polls a condition until it holds.
func Wait(t testing.TB, what string, cond func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		if time.Now().After(deadline) {
			t.Fatalf("after 20 s still not: %s", what)
		}
		<-tick.C
	}
}

// CaughtUp waits until everything written so far is applied; place tells where the target has a partition.
func (w *World) CaughtUp(place func(partition int32) int64) {
	w.T.Helper()
	ends, err := w.Client.EndOffsets(w.T.Context(), w.View.Topic)
	if err != nil {
		w.T.Fatal(err)
	}
	Wait(w.T, fmt.Sprintf("all partitions at %v", ends), func() bool {
		for id, end := range ends {
			if place(int32(id)) < end { // a replay moves it at its end only
				return false
			}
		}
		return true
	})
}

// Next gives CaughtUp the places of a Memory.
func (m *Memory) Next(w *World) func(int32) int64 {
	return func(id int32) int64 { return m.Place(w.View.Topic, id).Next }
}
