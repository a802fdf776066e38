package incident

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/status"
)

// hermit is a process alone whose log and clock the test moves, a look at a time.
type hermit struct {
	t     *testing.T
	cfg   AloneConfig
	a     *Alone
	now   time.Time
	quiet time.Duration
	ever  bool
	posts *islands
}

func newHermit(t *testing.T) *hermit {
	h := &hermit{t: t, now: time.Date(2026, 11, 22, 10, 3, 0, 0, time.UTC), ever: true, posts: &islands{t: t}}
	h.cfg = AloneConfig{
		Pipeline: "test", Worker: "a", Policies: policies(t), Notifier: voice{h.posts, "a"}, File: filepath.Join(t.TempDir(), "made", "alone.json"), Now: func() time.Time { return h.now },
		Log: func() (time.Duration, bool, *fault.Fault) { return h.quiet, h.ever, nil },
		Stages: func() []status.Stage {
			return []status.Stage{{
				Kind: status.KindSink, Name: "shop", State: status.StateLive,
				Faults:   fault.List{{Cause: fault.KafkaUnreachable, Where: "log.brokers", What: "refused"}},
				Troubles: []status.Trouble{{Fault: status.FaultJSON{Cause: string(fault.ProductUnfit), Where: "table product", What: "too long"}, Count: 3}},
			}}
		},
	}
	h.a = NewAlone(h.cfg)
	return h
}

// pass looks each second, and waits for what is delivered meanwhile.
func (h *hermit) pass(d time.Duration) {
	h.t.Helper()
	for range int(d / time.Second) {
		h.now = h.now.Add(time.Second)
		h.a.look(h.t.Context(), h.t.Context())
		if !h.a.sender.idle(h.t.Context()) {
			h.t.Fatal("something is not delivered")
		}
	}
	h.a.noted()
}

// restart begins with what the process before has left.
func (h *hermit) restart() { h.a, h.ever, h.quiet = NewAlone(h.cfg), false, time.Second }

// shows are the incidents, "cause" each, in brackets if they wait behind another, with - if they are over.
func (h *hermit) shows(want string) {
	h.t.Helper()
	var have []string
	for _, i := range h.a.Incidents() {
		s := string(i.Cause)
		switch {
		case !i.Open():
			s = "-" + s
		case i.Behind != "":
			s = "(" + s + ")"
		}
		have = append(have, s)
	}
	if got := strings.Join(have, " "); got != want {
		h.t.Errorf("shows %q, want %q", got, want)
	}
}

// TestAloneStepByStep: patience, what waits behind the log, the restart of a process that the log has not answered yet, and what is left at the end.
func TestAloneStepByStep(t *testing.T) {
	h := newHermit(t)
	h.pass(10 * time.Second)
	h.quiet = 29 * time.Second
	h.pass(time.Second)
	h.shows("")
	if h.a.Down() || !h.a.away().IsZero() {
		t.Error("it has no patience")
	}
	h.quiet = 30 * time.Second
	h.pass(12 * time.Second)
	h.shows(string(CauseLogDown) + " (" + string(fault.ProductUnfit) + ")")
	h.posts.told("a", "x opened")
	if !h.a.Down() || !h.a.away().Equal(h.now) {
		t.Error("it is not down")
	}

	h.restart() // the log has not answered, but it is not patient again: it knows
	h.pass(time.Minute)
	h.shows(string(CauseLogDown) + " (" + string(fault.ProductUnfit) + ")")
	h.posts.told("a", "x opened")

	h.ever = true
	h.pass(5 * time.Second)
	h.posts.told("a", "x opened") // it must answer for a while
	h.pass(10 * time.Second)
	h.shows("-" + string(CauseLogDown)) // the rest is the keeper's
	h.posts.told("a", "x all clear", "x opened")
	h.restart()
	h.pass(time.Minute)
	h.posts.told("a", "x all clear", "x opened")
	h.pass(time.Hour)
	h.shows("")
}

// TestAloneAfterAPause: what a process did not hear while it stood still is no silence of the log; what it does not hear before and after it is.
func TestAloneAfterAPause(t *testing.T) {
	h := newHermit(t)
	h.pass(time.Second)
	paused := func(d time.Duration) {
		h.a.looked = h.a.looked.Add(-d)
		h.quiet += d
		h.pass(time.Second)
	}
	h.quiet = -10 * time.Millisecond // it answered after the last look
	paused(40 * time.Second)
	h.shows("")
	h.quiet = 0
	h.pass(time.Second)
	h.quiet = 5 * time.Second
	paused(40 * time.Second)
	paused(40 * time.Second)
	h.quiet += 20 * time.Second
	h.pass(time.Second)
	h.shows("")
	h.quiet += 10 * time.Second
	h.pass(time.Second)
	h.posts.told("a", "x opened")
	paused(40 * time.Second)
	if !h.a.Down() {
		t.Error("a pause ends it")
	}

	h.restart()
	h.ever, h.quiet = true, 0
	h.pass(20 * time.Second)
	paused(40 * time.Second)
	h.quiet = 0 // it answers: what was before does not count any more
	h.pass(time.Second)
	h.quiet = 30 * time.Second
	h.pass(time.Second)
	h.posts.told("a", "x all clear", "x opened", "x reminder")
}

// TestAloneFile: a file that is broken, or a folder that cannot be written, is no reason to tell nobody; and nothing is written while nothing is wrong.
func TestAloneFile(t *testing.T) {
	h := newHermit(t)
	h.pass(10 * time.Second)
	if _, err := os.Stat(filepath.Dir(h.cfg.File)); err == nil {
		t.Error("something is written while nothing is wrong")
	}
	if err := os.WriteFile(filepath.Dir(h.cfg.File), []byte("a file where a folder should be"), 0o600); err != nil {
		t.Fatal(err)
	}
	h.quiet = time.Minute
	h.pass(time.Second)
	h.posts.told("a", "x opened")
	if err := os.Remove(filepath.Dir(h.cfg.File)); err != nil {
		t.Fatal(err)
	}
	h.pass(time.Second) // it is written as soon as it can be
	if err := os.WriteFile(h.cfg.File, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	h.restart()
	h.quiet = time.Minute
	h.pass(time.Second)
	h.posts.told("a", "x opened", "x opened")
	if left, err := filepath.Glob(h.cfg.File + ".*"); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	var none *Alone
	if none.Down() || none.Incidents() != nil || none.Changed() != nil || none.Ack("x", "y", "") == nil {
		t.Error("a process without one")
	}
	if err := NewAlone(h.cfg).Run(canceled(t)); err != nil {
		t.Error(err)
	}
}

func canceled(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}
