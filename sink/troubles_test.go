package sink_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/internal/retry"
	"shelfstream/schemas"
	"shelfstream/sink"
	"shelfstream/sink/sinktest"
	"shelfstream/status"
)

// gate is a target that can be down: every call that would need a connection counts, and fails.
type gate struct {
	*sinktest.Memory
	down  atomic.Bool
	calls atomic.Int64
	last  atomic.Int64 // when the newest call came, in ns
	gap   atomic.Int64 // between it and the one before
}

var errDown = errors.New("connection refused")

func (g *gate) enter() error {
	if !g.down.Load() {
		return nil
	}
	g.calls.Add(1)
	now := time.Now().UnixNano()
	g.gap.Store(now - g.last.Swap(now))
	return errDown
}

func (g *gate) Open(ctx context.Context, p sink.Partition) (sink.Session, error) {
	if err := g.enter(); err != nil {
		return nil, err
	}
	return g.Memory.Open(ctx, p)
}

// TestEightWorkersSpareADeadTarget: while the target is down only one of eight workers tries it at a time, ever slower, which the status tells; when it is back all go on within
// one wait.
func TestEightWorkersSpareADeadTarget(t *testing.T) {
	w := sinktest.NewWorld(t, sinktest.View(), 8)
	g := &gate{Memory: sinktest.NewMemory()}
	g.Fail = func(sink.Partition, *sink.Batch) error { return g.enter() }
	cfg := w.Config(g)
	cfg.Workers = 8
	cfg.Retries = retry.Policy{Tries: 3, First: 10 * time.Millisecond, Most: 40 * time.Millisecond, Slow: 400 * time.Millisecond}
	r := w.Start(cfg)
	put := func(n int64) {
		for i := range int64(64) {
			w.Put(sinktest.Row(i, "x", n))
		}
	}
	put(1)
	w.CaughtUp(g.Next(w))
	if s := r.Status(); s.Attempt != 0 || !s.NextTry.IsZero() {
		t.Errorf("while all is well: %s", readable(s))
	}
	g.down.Store(true)
	put(2)
	sinktest.Wait(t, "the slow tries", func() bool { return r.Status().Attempt >= 6 })
	s := r.Status()
	if s.State != status.StateRetrying || s.NextTry.IsZero() || !strings.Contains(s.Detail, "circuit is open") || len(s.Faults) != 1 || !strings.Contains(s.Faults.Error(), "connection refused") {
		t.Errorf("while it is down: %s", readable(s))
	}
	sinktest.Wait(t, "two more tries", func() bool { return r.Status().Attempt >= 8 })
	gap, calls := time.Duration(g.gap.Load()), g.calls.Load()
	if tries := int64(r.Status().Attempt); calls > 8+3+tries || gap < 200*time.Millisecond { // each worker once before anybody knew, and one after the other since
		t.Errorf("%d calls in %d tries, the last two %v apart", calls, tries, gap)
	}
	g.down.Store(false)
	goesOn(t, r, time.Now(), cfg.Retries.Slow)
	w.CaughtUp(g.Next(w))
	sinktest.Wait(t, "state live", func() bool {
		s := r.Status()
		return s.State == status.StateLive && s.Attempt == 0 && s.NextTry.IsZero() && len(s.Faults) == 0
	})
}

// TestShortOutage: with the policy as it is shipped, an outage costs at most three times as long, and a second.
func TestShortOutage(t *testing.T) {
	w := sinktest.NewWorld(t, sinktest.View(), 8)
	g := &gate{Memory: sinktest.NewMemory()}
	g.Fail = func(sink.Partition, *sink.Batch) error { return g.enter() }
	cfg := w.Config(g)
	cfg.Workers, cfg.Retries = 8, retry.Policy{}
	r := w.Start(cfg)
	w.Put(sinktest.Row(1, "x", 1))
	w.CaughtUp(g.Next(w))
	g.down.Store(true)
	since := time.Now()
	for i := range int64(64) {
		w.Put(sinktest.Row(i, "y", 2))
	}
	sinktest.Wait(t, "three failed tries", func() bool { return r.Status().Attempt >= 3 })
	g.down.Store(false)
	goesOn(t, r, time.Now(), time.Second+3*time.Since(since))
	w.CaughtUp(g.Next(w))
}

// goesOn ends when the target is tried with success, which was back at a moment and was to be tried within a time of that.
func goesOn(t *testing.T, r *sinktest.Running, back time.Time, within time.Duration) {
	t.Helper()
	if wait := r.Status().NextTry.Sub(back); wait > within {
		t.Errorf("the target is back, and tried in %v", wait)
	}
	sinktest.Wait(t, "a try with success", func() bool { return r.Status().Attempt == 0 })
	if d := time.Since(back); d > within+10*time.Second {
		t.Errorf("the work went on %v after the target was back", d)
	}
}

// TestPartsAreProgress: a target that takes each record by itself, and fails now and then between two of them, is never waited for as one that is down.
func TestPartsAreProgress(t *testing.T) {
	w := sinktest.NewWorld(t, sinktest.View(), 1)
	m := sinktest.NewMemory()
	var left atomic.Int64
	left.Store(20)
	m.Fail = func(sink.Partition, *sink.Batch) error {
		if left.Add(-1) < 0 {
			return nil
		}
		return fmt.Errorf("%w; %w", errDown, sink.ErrAdvanced)
	}
	cfg := w.Config(m)
	cfg.Retries = retry.Policy{Tries: 3, First: time.Millisecond, Most: time.Millisecond, Slow: time.Hour}
	w.Start(cfg)
	w.Put(sinktest.Row(1, "x", 1))
	w.CaughtUp(m.Next(w))
}

// TestOneCauseOneTrouble: 5,000 products that the target refuses for one reason are one trouble, also right after a restart, and none when the reason has gone.
func TestOneCauseOneTrouble(t *testing.T) {
	w := sinktest.NewWorld(t, sinktest.View(), partitions)
	m := sinktest.NewMemory()
	var strict atomic.Bool
	strict.Store(true)
	m.Reject = func(r *sink.Record) *fault.Fault {
		if strict.Load() && string(r.Row[1].Bytes) == "bad" {
			no := sinktest.Text(r.KeyValues)
			return &fault.Fault{Where: "sink shop: product " + no, What: fmt.Sprintf("the name of %s has %d characters", no, r.Offset), Fix: "make the column wider"}
		}
		return nil
	}
	const bad = 5000
	rows := make([][]schemas.Value, 0, bad+100)
	for i := range int64(bad + 100) {
		name := "bad"
		if i < 100 {
			name = "good"
		}
		rows = append(rows, sinktest.Row(i, name, i))
	}
	w.Put(rows...)
	cfg := w.Config(m)
	cfg.RetryParked = time.Hour
	r := w.Start(cfg)
	w.CaughtUp(m.Next(w))
	one := func(r *sinktest.Running, count int64) func() bool {
		return func() bool {
			s := r.Status()
			return s.Parked == count && len(s.Troubles) == 1 && s.Troubles[0].Count == count
		}
	}
	sinktest.Wait(t, "one trouble", one(r, bad))
	x := r.Status().Troubles[0]
	if x.Fault.Where != "sink shop: product …" || x.Fault.What != "the name of … has … characters" || len(x.Samples) != status.MaxSamples || x.First.IsZero() || x.Last.Before(x.First) {
		t.Errorf("the trouble is %+v", x)
	}
	if len(r.Status().Faults) > 0 {
		t.Errorf("faults of the stage: %v", r.Status().Faults)
	}
	// Some are mended in the source.
	for i := range int64(10) {
		rows[100+i][1].Bytes = []byte("mended")
	}
	w.Put(rows[100:110]...)
	sinktest.Wait(t, "ten less", one(r, bad-10))
	r.Stop()

	again := w.Start(cfg)
	sinktest.Wait(t, "the same after a restart", one(again, bad-10))
	if y := again.Status().Troubles[0]; y.First.IsZero() || y.Fault.Where != x.Fault.Where || y.Fault.What != x.Fault.What {
		t.Errorf("after a restart: %+v, before: %+v", y, x)
	}
	again.Stop()
	strict.Store(false)
	cfg.RetryParked = 50 * time.Millisecond
	last := w.Start(cfg)
	sinktest.Wait(t, "none", func() bool {
		s := last.Status()
		return len(m.Parked()) == 0 && s.Parked == 0 && len(s.Troubles) == 0 && s.State == status.StateLive
	})
}
