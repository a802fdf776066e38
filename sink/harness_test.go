package sink_test

import (
	"context"
	"encoding/json"
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
	"shelfstream/sink/sinktest"
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

// world is a broker, a registry and a cleaned topic of one view, all in this process.
type world struct {
	t        *testing.T
	broker   *embedded.Broker
	client   *kafka.Client
	http     *httptest.Server
	registry *registry.Client
	producer *kafka.Producer
	topic    string

	codec      *schemas.Codec
	keyID, vID int32
}

const partitions = 3

func newWorld(t *testing.T) *world {
	t.Helper()
	b, err := embedded.Start(embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	w := &world{t: t, broker: b, topic: "suite.product"}
	if w.client, err = kafka.Open(kafka.Config{Brokers: []string{b.Addr()}, ClientID: "test", Logger: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.client.Close() })
	srv, err := registry.NewServer(t.Context(), &memoryLog{})
	if err != nil {
		t.Fatal(err)
	}
	w.http = httptest.NewServer(srv)
	t.Cleanup(w.http.Close)
	w.registry = registry.NewClient(w.http.URL, registry.WithRetry(0))
	err = w.client.EnsureTopics(t.Context(), kafka.TopicSpec{Name: w.topic, Partitions: partitions, Configs: map[string]string{"cleanup.policy": "compact"}})
	if err != nil {
		t.Fatal(err)
	}
	if w.producer, err = w.client.NewProducer(t.Context(), kafka.ProducerConfig{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		w.producer.Close(ctx)
	})
	w.shape(sinktest.View().Table)
	return w
}

// shape registers a shape, in which what follows is written.
func (w *world) shape(t *schemas.Table) {
	w.t.Helper()
	var err error
	if w.codec, err = schemas.Compile(t); err != nil {
		w.t.Fatal(err)
	}
	if w.keyID, err = w.registry.Register(w.t.Context(), w.topic+"-key", w.codec.KeySchema()); err != nil {
		w.t.Fatal(err)
	}
	if w.vID, err = w.registry.Register(w.t.Context(), w.topic+"-value", w.codec.ValueSchema()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) record(row []schemas.Value, gone bool) kafka.Record {
	w.t.Helper()
	key, err := w.codec.AppendKey(schemas.AppendFrame(nil, w.keyID), row)
	if err != nil {
		w.t.Fatal(err)
	}
	r := kafka.Record{Key: key, Headers: []kafka.Header{{Key: "__source_ts_ms", Value: fmt.Append(nil, time.Now().UnixMilli())}, {Key: "__pos", Value: []byte("0/1")}}}
	if !gone {
		if r.Value, err = w.codec.AppendValue(schemas.AppendFrame(nil, w.vID), row); err != nil {
			w.t.Fatal(err)
		}
	}
	return r
}

func row(no int64, name string, counter int64) []schemas.Value {
	return []schemas.Value{schemas.Int(no), schemas.Text(name), schemas.Int(counter)}
}

// put writes rows; partition by key.
func (w *world) put(rows ...[]schemas.Value) {
	w.t.Helper()
	for _, r := range rows {
		w.raw(schemas.Partition(r[:1], partitions), w.record(r, false))
	}
	w.flush()
}

func (w *world) remove(nos ...int64) {
	w.t.Helper()
	for _, no := range nos {
		r := row(no, "", 0)
		w.raw(schemas.Partition(r[:1], partitions), w.record(r, true))
	}
	w.flush()
}

func (w *world) raw(partition int32, r kafka.Record) {
	w.t.Helper()
	if err := w.producer.Produce(w.t.Context(), w.topic, partition, r); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) flush() {
	w.t.Helper()
	if err := w.producer.Flush(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// running is a runner that works until stop, or the test's end.
type running struct {
	*sink.Runner
	stop func()
	err  chan error
}

func (w *world) config(target sink.Target) sink.RunnerConfig {
	return sink.RunnerConfig{
		Pipeline: "suite", Sink: "shop", Views: []string{"product"}, Client: w.client, Registry: w.registry, Target: target, Owner: "test",
		RetryParked: 50 * time.Millisecond, Backoff: retry.Backoff{Base: time.Millisecond, Max: 20 * time.Millisecond},
		SessionTimeout: 2 * time.Second, Heartbeat: 100 * time.Millisecond,
		Logger: slog.New(slog.NewTextHandler(w.t.Output(), nil)),
	}
}

func (w *world) start(cfg sink.RunnerConfig) *running {
	w.t.Helper()
	r, err := sink.NewRunner(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	run := &running{Runner: r, err: make(chan error, 1)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		run.err <- r.Run(ctx)
	}()
	run.stop = func() {
		cancel()
		select {
		case <-done:
		case <-time.After(20 * time.Second):
			w.t.Error("the runner did not stop within 20 s")
		}
	}
	w.t.Cleanup(run.stop)
	return run
}

// wait polls a condition until it holds.
func wait(t *testing.T, what string, cond func() bool) {
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

// caughtUp waits until everything written so far is applied.
func (w *world) caughtUp(m *sinktest.Memory) {
	w.t.Helper()
	ends, err := w.client.EndOffsets(w.t.Context(), w.topic)
	if err != nil {
		w.t.Fatal(err)
	}
	wait(w.t, fmt.Sprintf("all partitions at %v", ends), func() bool {
		for id, end := range ends {
			if m.Place(w.topic, int32(id)).Next < end { // a replay moves it at its end only
				return false
			}
		}
		return true
	})
}

// readable puts a status into a test's log.
func readable(v any) string {
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return err.Error()
	}
	return string(b)
}
