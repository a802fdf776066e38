package roster

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/internal/kafka"
	"shelfstream/internal/kafka/embedded"
	"shelfstream/status"
)

const limit = 30 * time.Second

func broker(t *testing.T) *kafka.Client {
	t.Helper()
	b, err := embedded.Start(embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	c, err := kafka.Open(kafka.Config{Brokers: []string{b.Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func join(t *testing.T, cfg Config) (r *Roster, leave func()) {
	t.Helper()
	cfg.Pipeline = "test"
	if cfg.Every == 0 {
		cfg.Every = 5 * time.Millisecond
	}
	if cfg.Stages == nil {
		cfg.Stages = func() []status.Stage { return nil }
	}
	r = New(cfg)
	r.patient = limit // the tests go by the goodbye
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	leave = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run ended with %v", err)
		}
	})
	t.Cleanup(leave)
	return r, leave
}

func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !cond(); <-time.After(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", limit, what)
		}
	}
}

func names(r *Roster) string {
	var out []string
	for _, w := range r.Workers() {
		out = append(out, w.Name)
	}
	return strings.Join(out, " ")
}

func TestWorkersKnowEachOther(t *testing.T) {
	c := broker(t)
	var records atomic.Int64
	one, leaveOne := join(t, Config{Client: c, Self: Worker{Name: "one", PID: 7, Role: "sink"}, Stages: func() []status.Stage {
		return []status.Stage{{Kind: status.KindSink, Name: "shop", State: status.StateLive, Records: records.Load(), Attempt: 3}}
	}})
	two, _ := join(t, Config{Client: c, Self: Worker{Name: "two"}})
	eventually(t, "each sees both", func() bool { return names(one) == "one two" && names(two) == "one two" })
	news := two.Changed()
	records.Store(42)
	eventually(t, "what changed", func() bool {
		s := two.Workers()[0].Stages
		return len(s) == 1 && s[0].Records == 42 && s[0].Attempt == 3
	})
	select {
	case <-news:
	case <-time.After(limit):
		t.Error("Changed does not tell")
	}
	leaveOne()
	eventually(t, "a goodbye", func() bool { return names(two) == "two" })
	if names(one) != "one" && names(one) != "one two" {
		t.Errorf("after its end one knows %s", names(one))
	}
}

// Nobody says goodbye for a process that was killed: its last report stays, for others to judge by its time, until it is forgotten.
func TestTheSilentStayUntilTheyAreForgotten(t *testing.T) {
	c := broker(t)
	var clock atomic.Int64
	begun := time.Now()
	now := func() time.Time { return begun.Add(time.Duration(clock.Load())) }
	r, _ := join(t, Config{Client: c, Self: Worker{Name: "one"}, Forget: time.Hour, Now: now})
	value, err := json.Marshal(Worker{Name: "killed", At: begun})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "alone", func() bool { return names(r) == "one" && r.Fault() == nil })
	p, err := c.NewProducer(t.Context(), kafka.ProducerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the topic", func() bool { n, err := c.Partitions(t.Context(), Topic("test")); return err == nil && n == 1 })
	if err := p.Produce(t.Context(), Topic("test"), 0, kafka.Record{Key: []byte("killed"), Value: value}); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the killed one", func() bool { return names(r) == "killed one" })
	clock.Store(int64(59 * time.Minute))
	if names(r) != "killed one" {
		t.Errorf("after 59 minutes: %s", names(r))
	}
	clock.Store(int64(61 * time.Minute))
	if names(r) != "one" {
		t.Errorf("after 61 minutes: %s", names(r))
	}
}

func TestSecretsAndPeopleAreHidden(t *testing.T) {
	c := broker(t)
	stage := status.Stage{
		Kind: status.KindSink, Name: "shop", Detail: "hunter2", Faults: fault.List{{Where: "kari@example.no", What: "hunter2", Err: context.Canceled}},
		Troubles: []status.Trouble{{Fault: status.FaultJSON{What: "hunter2"}, Samples: []string{"ola@example.no"}}},
	}
	r, _ := join(t, Config{
		Client: c, Self: Worker{Name: "one"}, Stages: func() []status.Stage { return []status.Stage{stage} },
		Mask: func(s string) string { return strings.ReplaceAll(s, "hunter2", "****") },
	})
	for _, from := range []string{"itself", "the topic"} {
		if from == "the topic" {
			other, _ := join(t, Config{Client: c, Self: Worker{Name: "two"}})
			eventually(t, "both", func() bool { return names(other) == "one two" })
			r = other
		}
		text, err := json.Marshal(r.Workers()[0])
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []string{"hunter2", "kari", "ola@"} {
			if strings.Contains(string(text), s) {
				t.Errorf("%q is shown from %s: %s", s, from, text)
			}
		}
	}
	if stage.Faults[0].What != "hunter2" || stage.Troubles[0].Samples[0] != "ola@example.no" {
		t.Error("the stage's own words were changed")
	}
}

// What does not change is reported five times less often, so that a quiet pipeline writes little.
func TestTheUnchangedIsReportedSeldom(t *testing.T) {
	w := Worker{Name: "one", At: time.Now(), Stages: []status.Stage{{Name: "a", LastHeartbeat: time.Now()}}}
	_, first, err := encode(w)
	if err != nil {
		t.Fatal(err)
	}
	report := w
	report.At = report.At.Add(time.Hour)
	report.Stages = []status.Stage{{Name: "a", LastHeartbeat: time.Now().Add(time.Hour)}}
	full, second, err := encode(report)
	if err != nil || string(first) != string(second) {
		t.Errorf("time alone makes a change: %s and %s, %v", first, second, err)
	}
	if !strings.Contains(string(full), "last_heartbeat") {
		t.Errorf("the report lacks the heartbeat: %s", full)
	}
	report.Stages[0].Records++
	if _, third, _ := encode(report); string(third) == string(second) {
		t.Error("a record more is no change")
	}
}
