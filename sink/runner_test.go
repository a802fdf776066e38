package sink_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"shelfstream/internal/fault"
	"shelfstream/internal/kafka"
	"shelfstream/schemas"
	"shelfstream/sink"
	"shelfstream/sink/sinktest"
	"shelfstream/status"
)

const partitions = 3

// readable puts a status into a test's log.
func readable(v any) string {
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func TestRunner(t *testing.T) {
	w := sinktest.NewWorld(t, sinktest.View(), partitions)
	m := sinktest.NewMemory()
	cfg := w.Config(m)
	reg := prometheus.NewRegistry()
	cfg.Registerer = reg
	cfg.MaxRecords = 7
	r := w.Start(cfg)
	for i := range int64(100) {
		w.Put(sinktest.Row(i%20, fmt.Sprintf("v%d", i), i))
	}
	w.Remove(sinktest.Row(3, "", 0), sinktest.Row(4, "", 0))
	w.CaughtUp(m.Next(w))
	rows := m.Rows("product")
	if len(rows) != 18 || rows["19"] != "19|v99|99" || rows["3"] != "" {
		t.Fatalf("rows are %v", rows)
	}
	sinktest.Wait(t, "all shown", func() bool { s := r.Status(); return s.State == status.StateLive && s.Records == 102 })
	s := r.Status()
	if s.Kind != status.KindSink || s.Name != "shop" || len(s.Positions) != partitions || s.Records != 102 || s.LastHeartbeat.IsZero() {
		t.Errorf("status: %s", readable(s))
	}
	n, err := testutil.GatherAndCount(reg, "shelfstream_sink_records_total", "shelfstream_sink_transactions_total", "shelfstream_sink_apply_seconds", "shelfstream_sink_lag_seconds")
	if err != nil || n != 4 {
		t.Errorf("%d metrics, %v", n, err)
	}
	r.Stop()
	if err := <-r.Err; err != nil {
		t.Errorf("Run returned %v", err)
	}
	if s := r.Status(); s.State != status.StateStopped {
		t.Errorf("after the end the state is %s", s.State)
	}
}

// A lone record is not kept waiting for others.
func TestLoneRecord(t *testing.T) {
	w := sinktest.NewWorld(t, sinktest.View(), partitions)
	m := sinktest.NewMemory()
	w.Put(sinktest.Row(1, "first", 0))
	w.Start(w.Config(m))
	w.CaughtUp(m.Next(w))
	best := time.Hour
	for i := range int64(20) {
		start := time.Now()
		w.Put(sinktest.Row(1, "again", i))
		sinktest.Wait(t, "the record", func() bool { return m.Rows("product")["1"] == fmt.Sprintf("1|again|%d", i) })
		best = min(best, time.Since(start))
	}
	if best > 100*time.Millisecond {
		t.Errorf("the fastest of 20 records took %v", best)
	}
}

// The target fails now and then before a transaction, and loses the answer now and then after it: everything arrives once and in order.
func TestUnreliableTarget(t *testing.T) {
	w := sinktest.NewWorld(t, sinktest.View(), partitions)
	m := sinktest.NewMemory()
	rnd := rand.New(rand.NewPCG(1, 2))
	last := map[string]int64{}
	var calls atomic.Int64
	m.Fail = func(sink.Partition, *sink.Batch) error {
		if calls.Add(1)%3 == 0 {
			return errors.New("connection refused")
		}
		return nil
	}
	m.Lose = func(sink.Partition, *sink.Batch) error {
		if calls.Add(1)%4 == 0 {
			return errors.New("connection reset")
		}
		return nil
	}
	m.Seen = func(_, key string, row []schemas.Value) { // under the target's lock
		if n := row[2].Int; n < last[key] {
			t.Errorf("product %s went from %d back to %d", key, last[key], n)
		} else {
			last[key] = n
		}
	}
	cfg := w.Config(m)
	cfg.MaxRecords = 5
	r := w.Start(cfg)
	for i := range int64(300) {
		w.Put(sinktest.Row(rnd.Int64N(10), "x", i))
	}
	w.CaughtUp(m.Next(w))
	if len(m.Rows("product")) != 10 {
		t.Errorf("rows: %v", m.Rows("product"))
	}
	sinktest.Wait(t, "no trouble", func() bool { return len(r.Status().Faults) == 0 })
}

func TestRetryingShows(t *testing.T) {
	w := sinktest.NewWorld(t, sinktest.View(), partitions)
	m := sinktest.NewMemory()
	var broken atomic.Bool
	broken.Store(true)
	m.Fail = func(sink.Partition, *sink.Batch) error {
		if broken.Load() {
			return errors.New("the shop is down")
		}
		return nil
	}
	r := w.Start(w.Config(m))
	w.Put(sinktest.Row(1, "one", 1))
	sinktest.Wait(t, "state retrying", func() bool {
		s := r.Status()
		return s.State == status.StateRetrying && len(s.Faults) > 0 && strings.Contains(s.Faults.Error(), "the shop is down")
	})
	broken.Store(false)
	w.CaughtUp(m.Next(w))
	sinktest.Wait(t, "state live", func() bool { s := r.Status(); return s.State == status.StateLive && len(s.Faults) == 0 })
}

// Records that are not Avro, or of a schema nobody knows, are parked; a newer record of the key clears them.
func TestNotAvro(t *testing.T) {
	w := sinktest.NewWorld(t, sinktest.View(), partitions)
	m := sinktest.NewMemory()
	good := sinktest.Row(1, "one", 1)
	p := schemas.Partition(good[:1], partitions)
	key := w.Record(good, false).Key
	w.Raw(p, kafka.Record{Key: []byte("plain text"), Value: []byte("{}")})
	w.Raw(p, kafka.Record{Key: key, Value: []byte("not Avro")})
	w.Raw(p, kafka.Record{Key: w.Record(sinktest.Row(2, "", 0), false).Key, Value: schemas.AppendFrame(nil, 4711)})
	w.Put(good)
	// Newest of its key, and unreadable: the one before it counts.
	late := w.Record(good, false)
	late.Value = late.Value[:len(late.Value)-1]
	w.Raw(p, late)
	w.Flush()
	r := w.Start(w.Config(m))
	w.CaughtUp(m.Next(w))
	if rows := m.Rows("product"); len(rows) != 1 || rows["1"] != "1|one|1" {
		t.Errorf("rows: %v", rows)
	}
	var said []string
	for _, p := range m.Parked() {
		if p.Topic != w.View.Topic || p.Fault.Fix == "" || !strings.Contains(p.Fault.Where, fmt.Sprintf("%s/%d@%d", p.Topic, p.Partition, p.Offset)) {
			t.Errorf("parked: %+v", p)
		}
		said = append(said, p.Key+": "+p.Fault.What)
	}
	all := strings.Join(said, "\n")
	for _, want := range []string{`"plain text": the key is not Avro`, "schema 4711 is not in the registry", "the value cannot be read with schema"} {
		if !strings.Contains(all, want) {
			t.Errorf("nothing is parked with %q:\n%s", want, all)
		}
	}
	if len(said) != 3 {
		t.Errorf("parked %d", len(said))
	}
	// The status follows the transaction.
	sinktest.Wait(t, "three shown", func() bool {
		s := r.Status()
		held := int64(0)
		for i := range s.Troubles {
			held += s.Troubles[i].Count
		}
		return s.Parked == 3 && held == 3 && len(s.Faults) == 0
	})
	w.Put(sinktest.Row(1, "mended", 2), sinktest.Row(2, "mended too", 2))
	w.CaughtUp(m.Next(w))
	sinktest.Wait(t, "one left", func() bool { return len(m.Parked()) == 1 && r.Status().Parked == 1 })
}

// A refused record is tried again by itself when the reason went away, without a newer record.
func TestRefusedIsRetried(t *testing.T) {
	w := sinktest.NewWorld(t, sinktest.View(), partitions)
	m := sinktest.NewMemory()
	var strict atomic.Bool
	strict.Store(true)
	m.Reject = func(r *sink.Record) *fault.Fault {
		if strict.Load() && r.Row != nil && string(r.Row[1].Bytes) == "bad" {
			return &fault.Fault{Where: "memory", What: "is bad", Fix: "mend it"}
		}
		return nil
	}
	for i := range int64(50) {
		name := "good"
		if i%10 == 5 {
			name = "bad"
		}
		w.Put(sinktest.Row(i, name, i))
	}
	r := w.Start(w.Config(m))
	w.CaughtUp(m.Next(w))
	if len(m.Rows("product")) != 45 || len(m.Parked()) != 5 {
		t.Fatalf("%d rows, %d parked", len(m.Rows("product")), len(m.Parked()))
	}
	strict.Store(false)
	sinktest.Wait(t, "all rows", func() bool { return len(m.Rows("product")) == 50 && len(m.Parked()) == 0 })
	sinktest.Wait(t, "none parked in the status", func() bool { s := r.Status(); return s.Parked == 0 && len(s.Faults) == 0 && len(s.Troubles) == 0 })
}

// While the registry is down nothing is parked and nothing lost.
func TestRegistryDown(t *testing.T) {
	w := sinktest.NewWorld(t, sinktest.View(), partitions)
	m := sinktest.NewMemory()
	w.Put(sinktest.Row(1, "one", 1))
	r := w.Start(w.Config(m))
	w.CaughtUp(m.Next(w))
	wider := *sinktest.View().Table
	wider.Columns = append(append([]schemas.Column{}, wider.Columns...), schemas.Column{Name: "note", Type: schemas.Type{Kind: schemas.KindText}, Nullable: true})
	w.Shape(&wider)
	rec := w.Record(append(sinktest.Row(1, "wide", 2), schemas.Text("new")), false)
	w.HTTP.CloseClientConnections()
	w.HTTP.Listener.Close()
	w.Raw(schemas.Partition([]schemas.Value{schemas.Int(1)}, partitions), rec)
	w.Flush()
	sinktest.Wait(t, "state retrying", func() bool { return r.Status().State == status.StateRetrying })
	if len(m.Parked()) != 0 || m.Rows("product")["1"] != "1|one|1" {
		t.Errorf("parked %v, rows %v", m.Parked(), m.Rows("product"))
	}
}

// A view that gets a column: the target is checked with the new shape, and rows of both shapes are written in it.
func TestShapeChanges(t *testing.T) {
	w := sinktest.NewWorld(t, sinktest.View(), partitions)
	m := sinktest.NewMemory()
	w.Put(sinktest.Row(1, "one", 1), sinktest.Row(2, "two", 2))
	w.Start(w.Config(m))
	w.CaughtUp(m.Next(w))
	wider := *sinktest.View().Table
	wider.Columns = append(append([]schemas.Column{}, wider.Columns...), schemas.Column{Name: "note", Type: schemas.Type{Kind: schemas.KindText}, Nullable: true})
	w.Shape(&wider)
	w.Put(append(sinktest.Row(1, "wide", 2), schemas.Text("new")))
	w.CaughtUp(m.Next(w))
	if got := m.Rows("product"); got["1"] != "1|wide|2|new" || got["2"] != "2|two|2" {
		t.Errorf("rows: %v", got)
	}
	checks := m.Checks()
	if last := checks[len(checks)-1]; len(checks) != 2 || len(last[0].Table.Columns) != 4 {
		t.Errorf("%d checks, the last of %d columns", len(checks), len(last[0].Table.Columns))
	}
}

// TestContention: a transaction that the target broke off because of others' locks is repeated and counted, and is no trouble that people must see.
func TestContention(t *testing.T) {
	w := sinktest.NewWorld(t, sinktest.View(), partitions)
	m := sinktest.NewMemory()
	var failed atomic.Int64
	m.Fail = func(_ sink.Partition, b *sink.Batch) error {
		if len(b.Records) > 0 && failed.Add(1) <= 2 {
			return fmt.Errorf("write: %w", sink.ErrContention)
		}
		return nil
	}
	cfg := w.Config(m)
	reg := prometheus.NewRegistry()
	cfg.Registerer = reg
	var log bytes.Buffer
	cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
	w.Put(sinktest.Row(1, "one", 1))
	r := w.Start(cfg)
	w.CaughtUp(m.Next(w))
	r.Stop()
	if got := m.Rows("product"); got["1"] != "1|one|1" {
		t.Errorf("rows are %v", got)
	}
	want := "# HELP shelfstream_sink_contention_total Transactions that the target broke off because of another one's locks (deadlocks, lock waits); they are repeated.\n" +
		"# TYPE shelfstream_sink_contention_total counter\nshelfstream_sink_contention_total{pipeline=\"suite\",sink=\"shop\"} 2\n"
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "shelfstream_sink_contention_total"); err != nil {
		t.Error(err)
	}
	if strings.Contains(log.String(), "retrying") {
		t.Errorf("it is shown as trouble: %s", log.String())
	}
}
