package ledger_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	kgo "github.com/segmentio/kafka-go"

	"shelfstream/internal/fault"
	"shelfstream/sink"
	"shelfstream/sink/ledger"
	"shelfstream/sink/sinktest"
)

// lose deletes the ledger's topic.
func lose(t *testing.T, w *sinktest.World) {
	t.Helper()
	c := &kgo.Client{Addr: kgo.TCP(w.Broker.Addr())}
	res, err := c.DeleteTopics(t.Context(), &kgo.DeleteTopicsRequest{Topics: []string{topic}})
	must(t, err)
	must(t, res.Errors[topic])
}

// TestLostLedger: a ledger whose topic is gone is no new one. Nothing is delivered until a person says from where on.
func TestLostLedger(t *testing.T) {
	first := func(l *ledger.Ledger) error { return l.Put(t.Context(), entry("a", ledger.Intended, 0)) }
	moved := func(l *ledger.Ledger) error {
		return errors.Join(first(l), l.Move(t.Context(), sink.Place{Next: 7}))
	}
	for name, c := range map[string]struct {
		leave func(l *ledger.Ledger) error // before the loss
		at    int64                        // what the fault says, -1 if it is none
		ends  bool                         // as it should; else it is killed
	}{
		"nothing was delivered":  {func(*ledger.Ledger) error { return nil }, -1, true},
		"killed at the first":    {first, 0, false},
		"killed behind it":       {moved, 0, false}, // within the hour
		"ended behind the first": {moved, 7, true},
	} {
		t.Run(name, func(t *testing.T) {
			w, cfg := world(t)
			p := part()
			l := open(t, cfg, p)
			must(t, c.leave(l))
			if c.ends {
				must(t, l.Close())
			}
			lose(t, w)
			again, err := ledger.Open(t.Context(), cfg, p)
			if c.at < 0 {
				must(t, err)
				must(t, again.Close())
				return
			}
			var f *fault.Fault
			if !errors.As(err, &f) || f.Cause != fault.LedgerLost || !strings.Contains(f.What, fmt.Sprintf("up to offset %d,", c.at)) || !strings.Contains(f.Fix, "shelfstream replay erp -to") {
				t.Fatalf("opened a ledger that was lost: %v", err)
			}
			for _, to := range []int64{5, 3} { // forward where the place is lost, and back as ever
				before, err := ledger.Rewind(t.Context(), cfg, p, to)
				must(t, err)
				if want := max(to, c.at); before.Next != want {
					t.Errorf("a replay to %d says that it was at %d, want %d", to, before.Next, want)
				}
				if got := open(t, cfg, p).Place().Next; got != to {
					t.Errorf("after a replay to %d the place is %d", to, got)
				}
				c.at = to
			}
		})
	}
}

// TestWitnessIsRenewed: brokers forget offsets after a week, so each take-over and each hour writes it anew.
func TestWitnessIsRenewed(t *testing.T) {
	w, cfg := world(t)
	p := part()
	at := func(want int64) {
		t.Helper()
		got, err := w.Client.CommittedOffset(t.Context(), topic, p.View.Topic, p.ID)
		if err != nil || got != want {
			t.Errorf("the witness says %d, %v; want %d", got, err, want)
		}
	}
	now := cfg.Now()
	cfg.Now = func() time.Time { return now }
	l := open(t, cfg, p)
	at(-1)
	must(t, l.Move(t.Context(), sink.Place{Next: 1}))
	at(1)
	must(t, l.Move(t.Context(), sink.Place{Next: 2}))
	at(1)
	now = now.Add(time.Hour)
	must(t, l.Move(t.Context(), sink.Place{Next: 3}))
	at(3)
	must(t, l.Move(t.Context(), sink.Place{Next: 4}))
	l = open(t, cfg, p)
	at(4)
	must(t, l.Move(t.Context(), sink.Place{Next: 5}))
	must(t, l.Close())
	at(5)
}
