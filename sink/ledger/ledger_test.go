package ledger_test

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"testing"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/internal/kafka"
	"shelfstream/sink"
	"shelfstream/sink/ledger"
	"shelfstream/sink/sinktest"
)

const topic = "suite.erp.deliveries"

func part() sink.Partition { return sink.Partition{View: sinktest.View(), ID: 3, Owner: "test"} }

func world(t *testing.T) (*sinktest.World, ledger.Config) {
	t.Helper()
	w := sinktest.NewWorld(t, sinktest.View(), 4)
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	return w, ledger.Config{Client: w.Client, Sink: "erp", Topic: ledger.Topic("suite", "erp"), Awaits: true, Now: func() time.Time { return now }}
}

func open(t *testing.T, cfg ledger.Config, p sink.Partition) *ledger.Ledger {
	t.Helper()
	l, err := ledger.Open(t.Context(), cfg, p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func entry(key string, state ledger.State, offset int64) ledger.Entry {
	return ledger.Entry{Key: []byte(key), State: state, Offset: offset, Hash: 1<<63 + 7, Name: key + ".edi", Temp: "t", Answer: "å", Attempt: 2, At: time.Date(2026, 3, 1, 12, 0, 0, 1000, time.UTC)}
}

// TestWhatEachStepLeaves opens the ledger anew after each step of a delivery, as after a crash there.
func TestWhatEachStepLeaves(t *testing.T) {
	_, cfg := world(t)
	p := part()
	for _, step := range []struct {
		name             string
		do               func(l *ledger.Ledger) error
		pending, waiting int
		state            ledger.State
		next             int64
		held             int
	}{
		{"nothing yet", func(*ledger.Ledger) error { return nil }, 0, 0, 0, 0, 0},
		{"intended", func(l *ledger.Ledger) error { return l.Put(t.Context(), entry("a", ledger.Intended, 5)) }, 1, 0, ledger.Intended, 0, 0},
		{"delivered", func(l *ledger.Ledger) error { return l.Put(t.Context(), entry("a", ledger.Delivered, 5)) }, 0, 1, ledger.Delivered, 0, 0},
		{"moved", func(l *ledger.Ledger) error { return l.Move(t.Context(), sink.Place{Next: 6}) }, 0, 1, ledger.Delivered, 6, 0},
		{"refused and parked", func(l *ledger.Ledger) error {
			f := &fault.Fault{Cause: "x.y", Where: "w", What: "said no", Fix: "mend", Err: errors.New("because")}
			return l.Write(t.Context(), ledger.Change{Entries: []ledger.Entry{entry("a", ledger.Refused, 5)}, Park: []sink.Parked{{Offset: 5, ID: []byte("a"), Key: "4711", Fault: f}}})
		}, 0, 0, ledger.Refused, 6, 1},
		{"acknowledged after all", func(l *ledger.Ledger) error {
			return l.Write(t.Context(), ledger.Change{Entries: []ledger.Entry{entry("a", ledger.Acknowledged, 5)}, Free: [][]byte{[]byte("a"), []byte("never parked")}})
		}, 0, 0, ledger.Acknowledged, 6, 0},
		{"an intent withdrawn", func(l *ledger.Ledger) error {
			must(t, l.Put(t.Context(), entry("b", ledger.Intended, 7)))
			return l.Write(t.Context(), ledger.Change{Forget: [][]byte{[]byte("b")}})
		}, 0, 0, ledger.Acknowledged, 6, 0},
	} {
		l := open(t, cfg, p)
		must(t, step.do(l))
		for which, l := range map[string]*ledger.Ledger{"at once": l, "opened again": open(t, cfg, p)} {
			e, _ := l.Get([]byte("a"))
			if len(l.Pending()) != step.pending || len(l.Waiting()) != step.waiting || e.State != step.state || l.Place().Next != step.next || l.Held() != step.held {
				t.Fatalf("%s, %s: pending %v, waiting %v, entry %+v, place %+v, held %d", step.name, which, l.Pending(), l.Waiting(), e, l.Place(), l.Held())
			}
			if want := entry("a", step.state, 5); step.state != 0 {
				if step.state != ledger.Intended {
					want.Temp = ""
				}
				if !reflect.DeepEqual(e, want) {
					t.Errorf("%s, %s: the entry came back as\n%+v, want\n%+v", step.name, which, e, want)
				}
			}
			if step.held > 0 {
				got := l.Parked(-1, 10)
				if len(got) != 1 || string(got[0].ID) != "a" || got[0].Key != "4711" || !got[0].Since.Equal(cfg.Now()) || got[0].Fault.Cause != "x.y" || len(l.Parked(5, 10)) != 0 {
					t.Errorf("%s, %s: parked %+v", step.name, which, got)
				}
			}
		}
	}
}

// TestAnOldOwnerWritesNothing is the guard that all of the connectors' promises stand on.
func TestAnOldOwnerWritesNothing(t *testing.T) {
	_, cfg := world(t)
	p := part()
	old := open(t, cfg, p)
	must(t, old.Put(t.Context(), entry("a", ledger.Intended, 1)))
	mine := open(t, cfg, p)
	for range 2 {
		if err := old.Put(t.Context(), entry("b", ledger.Intended, 2)); !errors.Is(err, sink.ErrLost) {
			t.Fatalf("the old owner's Put says %v, want ErrLost", err)
		}
	}
	must(t, mine.Put(t.Context(), entry("c", ledger.Intended, 3)))
	var got []string
	for _, e := range open(t, cfg, p).Pending() {
		got = append(got, string(e.Key))
	}
	if fmt.Sprint(got) != "[a c]" {
		t.Errorf("pending are %v, want a and c", got)
	}
	if _, ok := old.Get([]byte("b")); ok {
		t.Error("the old owner believes what it could not write")
	}
}

func TestViewsShareATopic(t *testing.T) {
	_, cfg := world(t)
	p, q := part(), part()
	q.View.Name = "product2" // begins like the other
	a, b := open(t, cfg, p), open(t, cfg, q)
	must(t, a.Put(t.Context(), entry("k", ledger.Delivered, 1)))
	must(t, b.Put(t.Context(), entry("k", ledger.Delivered, 2)))
	must(t, b.Move(t.Context(), sink.Place{Next: 9}))
	a, b = open(t, cfg, p), open(t, cfg, q)
	ea, _ := a.Get([]byte("k"))
	eb, _ := b.Get([]byte("k"))
	if ea.Offset != 1 || eb.Offset != 2 || a.Place().Next != 0 || b.Place().Next != 9 {
		t.Errorf("they see %+v at %+v, and %+v at %+v", ea, a.Place(), eb, b.Place())
	}
}

func TestRewind(t *testing.T) {
	_, cfg := world(t)
	p := part()
	if before, err := ledger.Rewind(t.Context(), cfg, p, 0); err != nil || before.Next != 0 || !open(t, cfg, p).Place().Updated.IsZero() {
		t.Fatalf("of a partition never opened: %+v, %v", before, err)
	}
	l := open(t, cfg, p)
	must(t, l.Move(t.Context(), sink.Place{Next: 8}))
	if before, err := ledger.Rewind(t.Context(), cfg, p, 3); err != nil || before.Next != 8 {
		t.Fatalf("rewound from %+v, %v", before, err)
	}
	if err := l.Move(t.Context(), sink.Place{Next: 9}); !errors.Is(err, sink.ErrLost) {
		t.Errorf("the session before goes on: %v", err)
	}
	if got := open(t, cfg, p).Place(); got.Next != 3 || got.ReplayUntil != math.MaxInt64 {
		t.Errorf("rewound to %+v", got)
	}
	if _, err := ledger.Rewind(t.Context(), cfg, p, 100); err != nil || open(t, cfg, p).Place().Next != 3 {
		t.Errorf("a rewind went forward, or fails: %v", err)
	}
}

// TestForeignRecordsStopIt: what cannot be read may be that something was delivered.
func TestForeignRecordsStopIt(t *testing.T) {
	w, cfg := world(t)
	p := part()
	must(t, open(t, cfg, p).Put(t.Context(), entry("a", ledger.Delivered, 1)))
	producer, err := w.Client.NewProducer(t.Context(), kafka.ProducerConfig{})
	must(t, err)
	must(t, producer.Produce(t.Context(), topic, p.ID, kafka.Record{Key: []byte("product\x00ea"), Value: []byte("{")}))
	must(t, producer.Close(t.Context()))
	_, err = ledger.Open(t.Context(), cfg, p)
	var f *fault.Fault
	if !errors.As(err, &f) || f.Cause != fault.TopicForeign || f.Fix == "" {
		t.Errorf("opened with a broken entry: %v", err)
	}
}
