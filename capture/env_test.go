package capture_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"shelfstream/capture"
	"shelfstream/capture/capturetest"
	"shelfstream/internal/kafka"
	"shelfstream/internal/retry"
	"shelfstream/schemas"
	"shelfstream/schemas/registry"
)

const (
	pipeline   = "test"
	sourceName = "erp"
	partitions = 3
	limit      = 2 * time.Minute
)

// env is a broker, a registry and a database, all in process.
type env struct {
	*testing.T
	ctx      context.Context
	cluster  *kfake.Cluster // nil on another log
	brokers  []string
	client   *kafka.Client // of the test itself
	registry *registry.Client
	db       *capturetest.Database
	tables   map[string]capture.TableConfig
	change   func(*capture.RunnerConfig)

	// cut, if set, decides for each produce request whether its connection is cut before anything is written.
	cut atomic.Pointer[func(topics []string) bool]

	shapes sync.Map // ids of key and value schema -> *schemas.Codec
}

func newEnv(t *testing.T, opts ...kfake.Opt) *env {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	e := &env{T: t, ctx: ctx, tables: capturetest.Tables()}
	var err error
	e.cluster, err = kfake.NewCluster(append(opts, kfake.NumBrokers(1), kfake.GroupMinSessionTimeout(100*time.Millisecond))...)
	e.must(err)
	t.Cleanup(e.cluster.Close)
	e.cluster.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		e.cluster.KeepControl()
		cut := e.cut.Load()
		if cut == nil {
			return nil, nil, false
		}
		var topics []string
		for i := range r.(*kmsg.ProduceRequest).Topics {
			topics = append(topics, r.(*kmsg.ProduceRequest).Topics[i].Topic)
		}
		if (*cut)(topics) {
			return nil, errors.New("cut"), true
		}
		return nil, nil, false
	})
	e.brokers = e.cluster.ListenAddrs()
	e.begin()
	return e
}

// begin makes what stands on a log: a registry and a database.
func (e *env) begin() {
	e.Helper()
	e.client = e.open()
	server, err := registry.NewServer(e.ctx, &memoryLog{})
	e.must(err)
	web := httptest.NewServer(server)
	e.Cleanup(web.Close)
	e.registry = registry.NewClient(web.URL)
	e.db = capturetest.NewDatabase(map[string]*schemas.Table{capturetest.Head: capturetest.Shape(), capturetest.Line: capturetest.Shape()})
}

func (e *env) must(err error) {
	e.Helper()
	if err != nil {
		e.Fatal(err)
	}
}

func (e *env) open() *kafka.Client {
	e.Helper()
	c, err := kafka.Open(kafka.Config{Brokers: e.brokers})
	e.must(err)
	e.Cleanup(func() { _ = c.Close() })
	return c
}

// memoryLog keeps a registry's state.
type memoryLog struct{ records [][2][]byte }

func (l *memoryLog) Append(_ context.Context, key, value []byte) error {
	l.records = append(l.records, [2][]byte{slices.Clone(key), slices.Clone(value)})
	return nil
}

func (l *memoryLog) Replay(_ context.Context, fn func(key, value []byte) error) error {
	for _, r := range l.records {
		if err := fn(r[0], r[1]); err != nil {
			return err
		}
	}
	return nil
}

// runner makes a runner with a client of its own.
func (e *env) runner() *capture.Runner {
	e.Helper()
	cfg := capture.RunnerConfig{
		Pipeline: pipeline, Source: sourceName, Tables: e.tables, Partitions: partitions, Client: e.open(), Registry: e.registry,
		NewSource: func() (capture.Source, error) { return e.db.Source(e.tables), nil }, Registerer: prometheus.NewRegistry(),
		ScratchDir: e.TempDir(), HeartbeatEvery: 20 * time.Millisecond, CloseTimeout: 2 * time.Second,
		Retries:       retry.Policy{First: 5 * time.Millisecond, Most: 20 * time.Millisecond, Slow: 20 * time.Millisecond},
		PreflightWait: retry.Backoff{Base: 5 * time.Millisecond, Max: 20 * time.Millisecond},
		Logger:        slog.New(slog.NewTextHandler(testWriter{e.T}, nil)),
	}
	if e.change != nil {
		e.change(&cfg)
	}
	r, err := capture.NewRunner(cfg)
	e.must(err)
	return r
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}

// run starts a runner; stop ends it and waits.
func (e *env) run() (r *capture.Runner, stop func()) {
	e.Helper()
	r = e.runner()
	return r, e.start(r.Run)
}

func (e *env) start(run func(context.Context) error) (stop func()) {
	e.Helper()
	ctx, cancel := context.WithCancel(e.ctx)
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				e.Errorf("Run ended with %v", err)
			}
		})
	}
	e.Cleanup(stop)
	return stop
}

// eventually polls a condition. Only the test's own goroutine may call it.
func (e *env) eventually(what string, cond func() bool) {
	e.Helper()
	if !until(cond) {
		e.Fatalf("%s: not within %v", what, limit)
	}
}

// until polls a condition and says whether it came to hold.
func until(cond func() bool) bool {
	for deadline := time.Now().Add(limit); !cond(); <-time.After(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}

// checkpoint reads the newest checkpoint, nil if there is none.
func (e *env) checkpoint() *schemas.Checkpoint {
	e.Helper()
	r, err := e.client.Last(e.ctx, capture.CheckpointTopic(pipeline, sourceName), 0)
	if err != nil || r == nil {
		return nil // the topic may not be there yet
	}
	return e.decodeCheckpoint(r)
}

func (e *env) decodeCheckpoint(r *kafka.Record) *schemas.Checkpoint {
	e.Helper()
	_, body, err := schemas.ParseFrame(r.Value)
	e.must(err)
	cp, err := schemas.DecodeCheckpoint(body)
	e.must(err)
	return cp
}

// reaches waits for a checkpoint at a position that names all tables.
func (e *env) reaches(p capture.Position) *schemas.Checkpoint {
	e.Helper()
	var cp *schemas.Checkpoint
	e.eventually("a checkpoint at "+string(p), func() bool {
		cp = e.checkpoint()
		return cp != nil && cp.Position == string(p) && len(cp.Topics) == len(e.tables)
	})
	return cp
}

// checkpoints are all that were written, oldest first.
func (e *env) checkpoints() []*schemas.Checkpoint {
	e.Helper()
	var all []*schemas.Checkpoint
	e.must(e.client.Scan(e.ctx, capture.CheckpointTopic(pipeline, sourceName), 0, 0, -1, func(r *kafka.Record) error {
		all = append(all, e.decodeCheckpoint(r))
		return nil
	}))
	return all
}

// codecOf finds what a record was written with by its schema ids.
func (e *env) codecOf(topic string, keyID, valueID int32) *schemas.Codec {
	e.Helper()
	id := [2]int32{keyID, valueID}
	if c, ok := e.shapes.Load(id); ok {
		return c.(*schemas.Codec)
	}
	value, err := e.registry.Schema(e.ctx, valueID)
	e.must(err)
	key, err := e.registry.Schema(e.ctx, keyID)
	e.must(err)
	table, err := schemas.ParseTable(topic, key, value)
	e.must(err)
	codec, err := schemas.Compile(table)
	e.must(err)
	e.shapes.Store(id, codec)
	return codec
}

// rowsBelow reads the rows of a table below a vector, as text by key. A key that stands in two partitions fails the test.
func (e *env) rowsBelow(part *schemas.CheckpointTopic) map[string]string {
	e.Helper()
	rows := map[string]string{}
	for p := range part.Next {
		here := map[string]string{}
		e.must(e.client.Scan(e.ctx, part.Topic, int32(p), 0, part.Next[p], func(r *kafka.Record) error {
			if r.Value == nil {
				delete(here, string(r.Key))
				return nil
			}
			id, body, err := schemas.ParseFrame(r.Value)
			e.must(err)
			keyID, _, err := schemas.ParseFrame(r.Key)
			e.must(err)
			row, err := e.codecOf(part.Topic, keyID, id).DecodeValue(nil, body)
			e.must(err)
			here[string(r.Key)] = text(row)
			return nil
		}))
		for key, row := range here {
			id := row[:strings.IndexByte(row, '|')]
			if old, twice := rows[id]; twice {
				e.Errorf("%s: row %s stands twice: as %s and, in partition %d under key %x, as %s", part.Topic, id, old, p, key, row)
			}
			rows[id] = row
		}
	}
	return rows
}

func text(row []schemas.Value) string {
	vals := make([]string, len(row))
	for i, v := range row {
		vals[i] = v.String()
	}
	return strings.Join(vals, "|")
}

// exact checks that the rows below a checkpoint are the database as of its position.
func (e *env) exact(cp *schemas.Checkpoint) {
	e.Helper()
	for i := range cp.Topics {
		part := &cp.Topics[i]
		want := map[string]string{}
		for k, row := range e.db.RowsAt(part.Table, capture.Position(cp.Position)) {
			want[k] = text(row)
		}
		got := e.rowsBelow(part)
		if d := difference(want, got); d != "" {
			e.Fatalf("checkpoint at %s (tx %q, heartbeat %v), table %s: %s", cp.Position, cp.Transaction, cp.Heartbeat, part.Table, d)
		}
	}
}

func difference(want, got map[string]string) string {
	for k, w := range want {
		if g, ok := got[k]; !ok || g != w {
			return fmt.Sprintf("row %s is %q, the source has %q (%d rows, want %d)", k, g, w, len(got), len(want))
		}
	}
	for k, g := range got {
		if _, ok := want[k]; !ok {
			return fmt.Sprintf("row %s is %q, the source has none", k, g)
		}
	}
	return ""
}

// records are the number of rows and tombstones that a table's topic holds from a vector on.
func (e *env) recordsFrom(from *schemas.CheckpointTopic) (rows, tombstones int) {
	e.Helper()
	for p := range from.Next {
		e.must(e.client.Scan(e.ctx, from.Topic, int32(p), from.Next[p], -1, func(r *kafka.Record) error {
			if r.Value == nil {
				tombstones++
			} else {
				rows++
			}
			return nil
		}))
	}
	return rows, tombstones
}

// insert, update and remove make changes of a Database.
func insert(table string, r capturetest.Row) capturetest.Change {
	return capturetest.Change{Table: table, Op: capture.OpCreate, Row: r.Values()}
}

func update(table string, old, r capturetest.Row) capturetest.Change {
	return capturetest.Change{Table: table, Op: capture.OpUpdate, Row: r.Values(), Before: old.Values()}
}

func remove(table string, old capturetest.Row) capturetest.Change {
	return capturetest.Change{Table: table, Op: capture.OpDelete, Row: old.Values()}
}

func positionOf(n int64) capture.Position { return capture.Position(fmt.Sprint(n)) }
