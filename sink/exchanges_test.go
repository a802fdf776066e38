package sink_test

import (
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/schemas"
	"shelfstream/sink"
	"shelfstream/sink/sinktest"
	"shelfstream/status/exchange"
	"shelfstream/status/exchange/exchangetest"
)

func TestExchangesAreTold(t *testing.T) {
	w := sinktest.NewWorld(t, sinktest.View(), 1)
	m := sinktest.NewMemory()
	var failures, rejects atomic.Int64
	m.Fail = func(_ sink.Partition, b *sink.Batch) error {
		if len(b.Records) > 0 && failures.Add(1) <= 2 {
			return &fault.Fault{Cause: "shop.unreachable", Where: "shop", What: "nobody answers"}
		}
		return nil
	}
	m.Reject = func(r *sink.Record) *fault.Fault {
		if r.KeyValues[0].Int == 2 {
			rejects.Add(1)
			return &fault.Fault{Cause: "shop.refused", What: "the name is taken"}
		}
		return nil
	}
	h := &exchangetest.Heard{}
	cfg := w.Config(m)
	cfg.Exchanges = h
	w.Put(sinktest.Row(1, "a", 0), sinktest.Row(2, "b", 0))
	w.Start(cfg)
	sinktest.Wait(t, "a parked record tried again", func() bool { return h.Find("retry", exchange.Parked) != nil })
	if e := h.Find("preflight", exchange.OK); e == nil || e.Link != "sink shop" || e.Direction != exchange.Out || e.Attempt != 1 {
		t.Errorf("preflight: %+v", e)
	}
	if e := h.Find("open", exchange.OK); e == nil || !slices.Equal(e.Keys, []string{w.View.Topic + "/0"}) {
		t.Errorf("open: %+v", e)
	}
	e := h.Find("transaction", exchange.Failed)
	if e == nil || e.Fault == nil || e.Fault.Cause != "shop.unreachable" || e.Attempt != 1 || e.Records != 2 {
		t.Errorf("failure: %+v", e)
	}
	e = h.Find("transaction", exchange.Parked)
	if e == nil || e.Fault == nil || e.Fault.Cause != "shop.refused" || e.Attempt != 3 || e.Records != 2 || e.Parked != 1 || e.Bytes == 0 ||
		!slices.Equal(e.Spans, []exchange.Span{{Topic: w.View.Topic, From: 0, To: 2}}) {
		t.Errorf("parked: %+v", e)
	}
	if e := h.Find("retry", exchange.Parked); e.Spans[0] != (exchange.Span{Topic: w.View.Topic, From: 1, To: 2}) {
		t.Errorf("retry: %+v", e)
	}
}

// BenchmarkExchanges runs the same records through a sink with and without a recorder, in turns, and says what the recorder costs in processor time of the whole
// process, broker and all: merging and encoding go on in other goroutines, so the clock on the wall would hide them on a machine with cores to spare. The target costs
// next to nothing, so this is more than the share in real use.
func BenchmarkExchanges(b *testing.B) {
	const rows = 40_000
	w := sinktest.NewWorld(b, sinktest.View(), 4)
	for range rows / 1000 {
		batch := make([][]schemas.Value, 0, 1000)
		for i := range int64(1000) {
			batch = append(batch, sinktest.Row(i, "name of a product", i))
		}
		w.Put(batch...)
	}
	drain := func(log exchange.Log) time.Duration {
		m := sinktest.NewMemory()
		cfg := w.Config(m)
		cfg.Logger, cfg.Exchanges, cfg.MaxRecords = nil, log, 200
		cfg.Sink = "shop" + time.Now().Format("150405.000000000")
		begun := processorTime(b)
		r := w.Start(cfg)
		w.CaughtUp(m.Next(w))
		took := processorTime(b) - begun
		r.Stop()
		return took
	}
	rec, err := exchange.NewRecorder(exchange.Config{Client: w.Client, Topic: "suite.exchanges"})
	if err != nil {
		b.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := rec.Run(b.Context()); err != nil {
			b.Error(err)
		}
	}()
	var with, without []time.Duration
	for b.Loop() {
		without = append(without, drain(nil))
		with = append(with, drain(rec), drain(rec))
		without = append(without, drain(nil))
	}
	slices.Sort(with)
	slices.Sort(without)
	x, y := with[len(with)/2].Seconds(), without[len(without)/2].Seconds()
	b.ReportMetric(1e9*y/rows, "cpu-ns/record-without")
	b.ReportMetric(1e9*x/rows, "cpu-ns/record-with")
	b.ReportMetric(100*(x-y)/y, "cost-%")
	b.ReportMetric(0, "ns/op")
}

func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
