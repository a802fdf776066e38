package exchange

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"shelfstream/internal/kafka"
	"shelfstream/internal/kafka/embedded"
	"shelfstream/status"
)

const (
	topic = "test.exchanges"
	limit = 30 * time.Second
)

func broker(t testing.TB) *kafka.Client {
	t.Helper()
	b, err := embedded.Start(embedded.Config{Compaction: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return client(t, b.Addr())
}

func client(t testing.TB, addrs ...string) *kafka.Client {
	t.Helper()
	c, err := kafka.Open(kafka.Config{Brokers: addrs})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// record starts a recorder; stop ends it as a process would.
func record(t testing.TB, cfg Config) (r *Recorder, stop func()) {
	t.Helper()
	cfg.Topic = topic
	if cfg.Merge == 0 {
		cfg.Merge = time.Millisecond
	}
	r, err := NewRecorder(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r.patient = limit // the tests go by what the end writes
	return r, start(t, r.Run)
}

func start(t testing.TB, run func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run ended with %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func read(t testing.TB, c *kafka.Client, keep, keepFailed int) *Book {
	t.Helper()
	b := NewBook(BookConfig{Client: c, Topic: topic, Keep: keep, KeepFailed: keepFailed})
	start(t, b.Run)
	return b
}

func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !cond(); <-time.After(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", limit, what)
		}
	}
}

var base = time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)

// ok and bad are the exchange of second n; each has a kind of its own, so that none is merged with another.
func ok(n int) Exchange {
	return Exchange{Link: "sink shop", Direction: Out, Kind: fmt.Sprintf("k%d", n), At: base.Add(time.Duration(n) * time.Second), Records: 1, Outcome: OK}
}

func bad(n int) Exchange {
	e := ok(n)
	e.Outcome, e.Fault = Failed, &status.FaultJSON{Cause: "shop.unreachable", What: "nobody answers"}
	return e
}

// kinds are those of a link, newest first.
func kinds(b *Book, failedOnly bool) string {
	var out []string
	for _, e := range b.Last("sink shop", 0, failedOnly) {
		out = append(out, e.Kind)
	}
	return strings.Join(out, " ")
}

// live are the keys that compaction leaves.
func live(t *testing.T, c *kafka.Client) map[string]int64 {
	t.Helper()
	keys := map[string]int64{}
	err := c.Scan(t.Context(), topic, 0, 0, -1, func(r *kafka.Record) error {
		if r.Value == nil {
			delete(keys, string(r.Key))
		} else {
			keys[string(r.Key)] = r.Offset
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func TestARestartKeepsTheNewest(t *testing.T) {
	c := broker(t)
	b := read(t, c, 5, 5)
	r, stop := record(t, Config{Client: c, Keep: 5})
	for i := range 12 {
		r.Add(ok(i))
	}
	stop() // what was added is written before the end
	eventually(t, "the newest five", func() bool { return kinds(b, false) == "k11 k10 k9 k8 k7" })
	r, stop = record(t, Config{Client: c, Keep: 5})
	r.Add(ok(12))
	eventually(t, "the new one pushes the oldest out", func() bool { return kinds(b, false) == "k12 k11 k10 k9 k8" })
	stop()
	later := read(t, c, 5, 5)
	eventually(t, "a page that starts later sees the same", func() bool { return kinds(later, false) == "k12 k11 k10 k9 k8" })
}

func TestFailuresAreKeptLonger(t *testing.T) {
	c := broker(t)
	b := read(t, c, 3, 4)
	r, _ := record(t, Config{Client: c, Keep: 3, KeepFailed: 4})
	for i := range 6 {
		r.Add(bad(i))
	}
	for i := range 50 {
		r.Add(ok(10 + i))
	}
	eventually(t, "both", func() bool {
		return kinds(b, true) == "k5 k4 k3 k2" && kinds(b, false) == "k59 k58 k57 k5 k4 k3 k2"
	})
	s := b.Links()
	if len(s) != 1 || s[0].Link != "sink shop" || s[0].Direction != Out || s[0].Last.Kind != "k59" || s[0].LastOK.Kind != "k59" || s[0].LastFailed.Kind != "k5" {
		t.Errorf("the link's summary is %+v", s)
	}
}

func TestTwoWorkersOnOneLink(t *testing.T) {
	c := broker(t)
	b := read(t, c, 4, 4)
	one, stopOne := record(t, Config{Client: c, Keep: 4, Worker: "one"})
	two, stopTwo := record(t, Config{Client: c, Keep: 4, Worker: "two"})
	for i := 0; i < 20; i += 2 {
		one.Add(ok(i))
		two.Add(ok(i + 1))
	}
	eventually(t, "the newest of both", func() bool { return kinds(b, false) == "k19 k18 k17 k16" })
	if l := b.Last("sink shop", 2, false); l[0].Worker != "two" || l[1].Worker != "one" {
		t.Errorf("the newest are of %s and %s", l[0].Worker, l[1].Worker)
	}
	stopOne()
	for i := range 4 {
		two.Add(ok(30 + i))
	}
	eventually(t, "one goes on alone", func() bool { return kinds(b, false) == "k33 k32 k31 k30" })
	stopTwo()
	third, _ := record(t, Config{Client: c, Keep: 4})
	third.Add(ok(40))
	eventually(t, "what both left is no more than what is kept", func() bool {
		n := 0
		for k := range live(t, c) {
			if isExchange(k) {
				n++
			}
		}
		return kinds(b, false) == "k40 k33 k32 k31" && n == 4
	})
}

func TestRestartsDoNotMakeTheTopicGrow(t *testing.T) {
	c := broker(t)
	b := read(t, c, 5, 5)
	for i := range 15 {
		r, stop := record(t, Config{Client: c, Keep: 5, KeepFailed: 5, Now: func() time.Time { return base.Add(time.Duration(i) * 2 * time.Hour) }})
		for n := range 4 {
			r.Add(ok(10*i + n))
			r.Add(bad(10*i + 5 + n))
		}
		// A restart whose recorder never got to see the topic cannot clean up; this one does.
		eventually(t, "written", func() bool { return strings.HasPrefix(kinds(b, true), fmt.Sprintf("k%d ", 10*i+8)) })
		stop()
	}
	keys := live(t, c)
	if len(keys) > 5+5+2 { // the counts of this run and, until the next start, of the one before
		t.Errorf("%d keys are alive after 15 restarts: %v", len(keys), keys)
	}
	if kinds(b, true) != "k148 k147 k146 k145 k138" {
		t.Errorf("kept: %s", kinds(b, true))
	}
}

// The embedded log drops the oldest where it has too much; what is still among the newest is written again before that.
func TestWhatIsKeptStaysNearTheEnd(t *testing.T) {
	c := broker(t)
	r, err := NewRecorder(Config{Client: c, Topic: topic, Merge: time.Millisecond, Keep: 5})
	if err != nil {
		t.Fatal(err)
	}
	r.refresh = 40
	start(t, r.Run)
	r.Add(bad(0))
	next := 1
	b := read(t, c, 5, 5)
	eventually(t, "the failure written again", func() bool {
		r.Add(ok(next))
		next++
		want := fmt.Sprintf("k%d ", next-1)
		eventually(t, "written", func() bool { return strings.HasPrefix(kinds(b, false), want) })
		for key, offset := range live(t, c) {
			if strings.HasSuffix(key, "/1") && offset > 40 {
				return true
			}
		}
		return false
	})
	if kinds(b, true) != "k0" {
		t.Errorf("failures: %s", kinds(b, true))
	}
}

func TestAFullInboxNeverBlocks(t *testing.T) {
	r, err := NewRecorder(Config{Topic: topic})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { // not running, so nobody takes anything out
		defer close(done)
		for i := range inbox + 1000 {
			r.Add(ok(i))
		}
	}()
	select {
	case <-done:
	case <-time.After(limit):
		t.Fatal("Add waits for the recorder")
	}
	if n := testutil.ToFloat64(r.metrics.dropped); n != 1000 {
		t.Errorf("%v counted as dropped, want 1000", n)
	}
}

func TestALogThatTakesNothingCostsNothing(t *testing.T) {
	k, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	var mu sync.Mutex
	cut := true
	k.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		k.KeepControl()
		mu.Lock()
		defer mu.Unlock()
		if cut {
			return nil, errors.New("cut"), true
		}
		return nil, nil, false
	})
	c := client(t, k.ListenAddrs()...)
	r, _ := record(t, Config{Client: c, Keep: 5, KeepFailed: 5})
	for i := range 200 { // more merges than the inbox holds
		for n := range 100 {
			e := bad(i)
			e.Keys = []string{fmt.Sprint(n)}
			r.Add(e)
		}
		eventually(t, "all merged, though nothing can be written", func() bool { return testutil.ToFloat64(r.metrics.added) == float64(100*(i+1)) })
	}
	if n := testutil.ToFloat64(r.metrics.dropped); n != 0 {
		t.Errorf("%v were dropped", n)
	}
	b := read(t, c, 5, 5)
	mu.Lock()
	cut = false
	mu.Unlock()
	eventually(t, "the newest written when the log is back", func() bool {
		l := b.Last("sink shop", 0, true)
		// One whose merging a tick fell into stands there twice.
		return len(l) == 5 && l[0].Kind == "k199" && l[4].Kind >= "k195"
	})
}

func TestSecretsAndPeopleAreHidden(t *testing.T) {
	c := broker(t)
	b := read(t, c, 5, 5)
	r, _ := record(t, Config{Client: c, Mask: func(s string) string { return strings.ReplaceAll(s, "hunter2", "****") }})
	e := bad(1)
	e.Fault = &status.FaultJSON{Where: "dsn shop:hunter2@host", What: "no such customer kari.nordmann@example.no", Fix: "call +47 22 33 44 55"}
	e.Keys = []string{"kari.nordmann@example.no", "4711"}
	r.Add(e)
	eventually(t, "shown", func() bool { return len(b.Last("sink shop", 0, false)) == 1 })
	got := b.Last("sink shop", 1, true)[0]
	if f := got.Fault; f.Where != "dsn shop:****@host" || f.What != "no such customer ****@example.no" || f.Fix != "call +****" || !slices.Equal(got.Keys, []string{"****@example.no", "4711"}) {
		t.Errorf("shown: %+v %+v", got, f)
	}
	err := c.Scan(t.Context(), topic, 0, 0, -1, func(rec *kafka.Record) error {
		for _, s := range []string{"hunter2", "kari", "22 33"} {
			if strings.Contains(string(rec.Value), s) {
				t.Errorf("%q stands in the topic: %s", s, rec.Value)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestTheLastHourIsCountedOverRestarts(t *testing.T) {
	c := broker(t)
	now := base
	r, stop := record(t, Config{Client: c, Now: func() time.Time { return now }})
	many := ok(1)
	many.Count = 1000
	r.Add(many)
	r.Add(bad(2))
	stop()
	r, stop = record(t, Config{Client: c, Now: func() time.Time { return now }})
	r.Add(ok(3))
	stop()
	shown := base.Add(50 * time.Minute)
	b := NewBook(BookConfig{Client: c, Topic: topic, Now: func() time.Time { return shown }})
	start(t, b.Run)
	eventually(t, "1001 and 1", func() bool { s := b.Links(); return len(s) == 1 && s[0].OK == 1001 && s[0].Failed == 1 })
	late := NewBook(BookConfig{Client: c, Topic: topic, Now: func() time.Time { return base.Add(61 * time.Minute) }})
	start(t, late.Run)
	eventually(t, "an hour later none", func() bool { s := late.Links(); return len(s) == 1 && s[0].OK == 0 && s[0].Failed == 0 })
}

// TestTheFirstOfAnHourIsToldAtOnce: a page that shows a failure shows it counted too; the next ones wait for the others.
func TestTheFirstOfAnHourIsToldAtOnce(t *testing.T) {
	r, err := NewRecorder(Config{Client: broker(t), Topic: topic, Now: func() time.Time { return base }})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		of   Exchange
		told bool
	}{{ok(1), true}, {ok(2), false}, {bad(3), true}, {bad(4), false}, {ok(5), false}} {
		c.of.Count = 1
		r.keep([]*Exchange{&c.of})
		records, _, _ := r.due(false)
		if told := slices.ContainsFunc(records, func(k kafka.Record) bool { return strings.HasPrefix(string(k.Key), hourPrefix) }); told != c.told {
			t.Errorf("%s %v: counts told: %v", c.of.Outcome, c.of.Keys, told)
		}
	}
}
