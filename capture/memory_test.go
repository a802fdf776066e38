package capture_test

import (
	"runtime"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kfake"

	"shelfstream/capture"
	"shelfstream/capture/capturetest"
)

// A transaction of 200,000 rows takes no more memory at its end than at its beginning, and gets one checkpoint.
func TestLargeTransactionInBoundedMemory(t *testing.T) {
	e := newEnv(t, kfake.DataDir(t.TempDir())) // the broker's records on disk, as it shares this process
	reg := prometheus.NewRegistry()
	e.change = func(c *capture.RunnerConfig) { c.ProducerBytes, c.Registerer = 4<<20, reg }
	const rows = 200_000
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	var early, late uint64
	e.db.Hook = func(position int64, n int) error {
		switch {
		case position == 1 && n == rows/10:
			early = heap()
		case position == 1 && n == rows-1:
			late = heap()
		}
		return nil
	}
	_, stop := e.run()
	e.reaches("0")
	e.db.CommitMany(rows, func(i int) capturetest.Change {
		return insert([]string{head, line}[i%2], capturetest.Row{ID: int64(i), Owner: int64(i), Label: "a row of a usual length, with some text in it", Cents: int64(i)})
	})
	cp := e.reaches("1")
	stop()
	if late > early+16<<20 {
		t.Errorf("the heap grew from %d to %d MB", early>>20, late>>20)
	}
	for i := range cp.Topics {
		if n := len(e.rowsBelow(&cp.Topics[i])); n != rows/2 {
			t.Errorf("%s: %d rows are below the checkpoint", cp.Topics[i].Topic, n)
		}
	}
	for _, c := range e.checkpoints() {
		if c.Position != "0" && c.Position != "1" {
			t.Errorf("a checkpoint at %s", c.Position)
		}
	}
	families, err := reg.Gather()
	e.must(err)
	for _, f := range families {
		if f.GetName() == "shelfstream_capture_transactions_total" && f.GetMetric()[0].GetCounter().GetValue() != 1 {
			t.Errorf("%v transactions were counted", f.GetMetric()[0].GetCounter().GetValue())
		}
	}
}
