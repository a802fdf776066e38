package sink_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"shelfstream/schemas"
	"shelfstream/sink"
	"shelfstream/sink/sinktest"
)

// journal is what was logged.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(p)
}

func (j *journal) count(text string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Count(j.b.String(), text)
}

// opens counts how often partitions are taken over.
type opens struct {
	*sinktest.Memory
	n atomic.Int64
}

func (o *opens) Open(ctx context.Context, p sink.Partition) (sink.Session, error) {
	o.n.Add(1)
	return o.Memory.Open(ctx, p)
}

// The topic was made anew: what it holds may be older than what the shop shows, so nothing is written until a person decides. It is said once for
// each partition, however often it is looked at again.
func TestPositionLost(t *testing.T) {
	w := sinktest.NewWorld(t, sinktest.View(), partitions)
	m := &opens{Memory: sinktest.NewMemory()}
	for id := range int32(partitions) {
		s, err := m.Open(t.Context(), sink.Partition{View: w.View, ID: id})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Apply(t.Context(), &sink.Batch{Next: 1000}); err != nil {
			t.Fatal(err)
		}
	}
	w.Put(sinktest.Row(1, "one", 1))
	cfg := w.Config(m)
	j := &journal{}
	cfg.Logger = slog.New(slog.NewTextHandler(j, nil))
	var looks atomic.Int64
	cfg.Now = func() time.Time { return time.Now().Add(time.Duration(looks.Add(1)) * 11 * time.Second) } // each time it looks, the rest is over
	r := w.Start(cfg)
	sinktest.Wait(t, "position lost", func() bool {
		s := r.Status()
		return s.State == "position lost" && len(s.Faults) == partitions && s.Faults[0].Fix != ""
	})
	before := m.n.Load()
	sinktest.Wait(t, "it is looked at again", func() bool { return m.n.Load() > before+2*partitions })
	if n := j.count("position lost"); n != partitions {
		t.Errorf("logged %d times, want once for each of %d partitions", n, partitions)
	}
	if len(m.Rows("product")) != 0 {
		t.Errorf("rows: %v", m.Rows("product"))
	}
}

// forget deletes the records of a partition below an offset, as retention does.
func forget(t *testing.T, w *sinktest.World, id int32, below int64) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(w.Broker.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	p := kmsg.NewDeleteRecordsRequestTopicPartition()
	p.Partition, p.Offset = id, below
	x := kmsg.NewDeleteRecordsRequestTopic()
	x.Topic, x.Partitions = w.View.Topic, append(x.Partitions, p)
	req := kmsg.NewPtrDeleteRecordsRequest()
	req.Topics = append(req.Topics, x)
	for _, s := range cl.RequestSharded(t.Context(), req) {
		if s.Err != nil {
			t.Fatal(s.Err)
		}
		for _, x := range s.Resp.(*kmsg.DeleteRecordsResponse).Topics {
			for _, p := range x.Partitions {
				if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// The log begins past the sink's place, though it was away for a moment only: deletions between the two were never read, so all keys are compared. A place within
// the log, or at its very beginning, asks for no comparison.
func TestPruneWhenTheLogBeginsPastThePlace(t *testing.T) {
	for name, past := range map[string]int64{"past the place": 1, "at the place": 0} {
		t.Run(name, func(t *testing.T) {
			w := sinktest.NewWorld(t, sinktest.View(), 1)
			m := sinktest.NewMemory()
			cfg := w.Config(m)
			j := &journal{}
			cfg.Logger = slog.New(slog.NewTextHandler(j, nil))
			r := w.Start(cfg)
			w.Put(sinktest.Row(1, "x", 1), sinktest.Row(2, "x", 1))
			w.CaughtUp(m.Next(w))
			r.Stop()
			if n := j.count("compared all keys"); n != 0 {
				t.Fatalf("%d comparisons of a topic from its beginning", n)
			}
			w.Remove(sinktest.Row(2, "", 0))
			w.Put(sinktest.Row(1, "x", 2))
			forget(t, w, 0, 2+past)
			r = w.Start(cfg)
			w.CaughtUp(m.Next(w))
			if past == 0 {
				if n := j.count("compared all keys"); n != 0 || m.Rows("product")["2"] != "" {
					t.Errorf("%d comparisons, rows %v", n, m.Rows("product"))
				}
				return
			}
			sinktest.Wait(t, "the product whose tombstone is gone is named", func() bool {
				f := r.Status().Faults
				return len(f) == 1 && strings.Contains(f[0].What, "has 1 keys that suite.product does not have (2)")
			})
			if got := fmt.Sprint(m.Rows("product")); got != "map[1:1|x|2 2:2|x|1]" {
				t.Errorf("rows %s", got)
			}
		})
	}
}

// A key that moved to another partition left its tombstone in the old one, which a comparison may read after the living record: it counts for its own partition only.
func TestPruneOfKeysThatMoved(t *testing.T) {
	w := sinktest.NewWorld(t, sinktest.View(), 2)
	m := sinktest.NewMemory()
	cfg := w.Config(m)
	r := w.Start(cfg)
	const down, up, gone = 1, 2, 3 // moved to the partition that is read first, to the one that is read last, and gone from both
	for id, keys := range [][]int64{{up, gone}, {down, gone}} {
		for _, k := range keys {
			w.Raw(int32(id), w.Record(sinktest.Row(k, "x", 1), false))
		}
	}
	w.Flush()
	w.Raw(1, w.Record(sinktest.Row(down, "", 0), true))
	w.Raw(0, w.Record(sinktest.Row(up, "", 0), true))
	w.Raw(0, w.Record(sinktest.Row(gone, "", 0), true))
	w.Raw(1, w.Record(sinktest.Row(gone, "", 0), true))
	w.Raw(0, w.Record(sinktest.Row(down, "x", 2), false))
	w.Raw(1, w.Record(sinktest.Row(up, "x", 2), false))
	w.Flush()
	w.CaughtUp(m.Next(w))
	r.Stop()
	for k := range int64(4) { // 0 is one that the topic does not know
		m.Put("product", []schemas.Value{schemas.Int(k)}, sinktest.Row(k, "x", 2))
	}
	if _, err := m.Rewind(t.Context(), sink.Partition{View: w.View, ID: 0}, 1<<40, true); err != nil {
		t.Fatal(err)
	}
	w.Start(cfg)
	sinktest.Wait(t, "the comparison is done", func() bool { return !m.Place(w.View.Topic, 0).Prune })
	if got := fmt.Sprint(m.Rows("product")); got != "map[1:1|x|2 2:2|x|2]" {
		t.Errorf("rows %s", got)
	}
}
