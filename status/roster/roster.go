package roster

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/internal/kafka"
	"shelfstream/status"
)

// Worker is one process, as it last reported.
type Worker struct {
	// Name is the key: no two processes have the same at one time.
	Name string `json:"name"`
	Host string `json:"host"`
	PID  int    `json:"pid"`
	// Role is the command: "run", "capture", "transform", "sink".
	Role    string `json:"role"`
	Version string `json:"version"`
	// Admin is the address of its admin port; empty if it has none.
	Admin     string    `json:"admin,omitempty"`
	StartedAt time.Time `json:"started_at"`
	// At is when it reported, by its own clock.
	At     time.Time      `json:"at"`
	Stages []status.Stage `json:"stages"`
}

// Config says what a Roster does. Client, Pipeline, Self.Name and Stages are required.
type Config struct {
	Client   *kafka.Client
	Pipeline string
	// Replication 0 is the brokers' default.
	Replication int
	// Self is this process; At and Stages are filled in.
	Self Worker
	// Stages are called with each report, so they must be cheap.
	Stages func() []status.Stage
	// Every is how often this process looks at its stages and reports what changed; 0 means a second. What did not change is reported five times less often.
	Every time.Duration
	// Forget is after what time of silence a process is not listed any more; 0 means a day.
	Forget time.Duration
	// Mask hides secrets in texts; nil: there are none. Mail addresses and telephone numbers are hidden in any case.
	Mask   func(string) string
	Now    func() time.Time
	Logger *slog.Logger
}

// idle is how many times less often an unchanged report is written.
const idle = 5

// Roster reports about this process and knows the others.
type Roster struct {
	cfg     Config
	news    status.News
	reading atomic.Pointer[fault.Fault]
	writing atomic.Pointer[fault.Fault]
	pulse   status.Pulse  // of the topic: it took a report
	patient time.Duration // lastWrite; tests, which go by what the end writes, give it more

	mu      sync.Mutex
	workers map[string]Worker // as the topic has them, this process too
}

// New makes a roster; Run reports and reads.
func New(cfg Config) *Roster {
	if cfg.Every <= 0 {
		cfg.Every = time.Second
	}
	if cfg.Forget <= 0 {
		cfg.Forget = 24 * time.Hour
	}
	if cfg.Mask == nil {
		cfg.Mask = func(s string) string { return s }
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Roster{cfg: cfg, patient: lastWrite, workers: map[string]Worker{}}
}

// Run reports and reads until ctx ends, takes this process' report away, for which it waits two seconds at most, and returns nil. A log that cannot be
// written or read shows in Fault and is tried again for ever.
func (r *Roster) Run(ctx context.Context) error {
	r.pulse.Begin()
	var wait sync.WaitGroup
	wait.Go(func() { r.read(ctx) })
	wait.Go(func() { r.report(ctx) })
	wait.Wait()
	return nil
}

// Fault says why this process does not see the others, or they do not see it; nil if all is well.
func (r *Roster) Fault() *fault.Fault {
	if f := r.writing.Load(); f != nil {
		return f
	}
	return r.reading.Load()
}

// Quiet is for how long the log has taken no report of this process, which writes one every five times Config.Every; ever says whether it has at all.
func (r *Roster) Quiet() (quiet time.Duration, ever bool) { return r.pulse.Quiet() }

// Changed is closed when there is something new, which is about once a second while data flows. Take it before reading.
func (r *Roster) Changed() <-chan struct{} { return r.news.Changed() }

// Workers lists the processes by name: this one as it is now, the others as they last reported. One that was silent for longer than Forget is left out; whether it is
// dead before that is for the reader to judge, by At.
func (r *Roster) Workers() []Worker {
	now := r.cfg.Now()
	r.mu.Lock()
	all := maps.Clone(r.workers)
	r.mu.Unlock()
	all[r.cfg.Self.Name] = r.self()
	var out []Worker
	for _, w := range all {
		if now.Sub(w.At) <= r.cfg.Forget {
			out = append(out, w)
		}
	}
	slices.SortFunc(out, func(a, b Worker) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// self is this process now, masked.
func (r *Roster) self() Worker {
	w := r.cfg.Self
	w.At = r.cfg.Now()
	w.Stages = slices.Clone(r.cfg.Stages())
	text := func(s string) string { return status.Personal(r.cfg.Mask(s)) }
	for i := range w.Stages {
		maskStage(&w.Stages[i], text)
	}
	return w
}

// maskStage hides what must not be shown. Slices are copied, as they belong to the stage.
func maskStage(s *status.Stage, text func(string) string) {
	s.Detail = text(s.Detail)
	faults := make(fault.List, len(s.Faults))
	for i, f := range s.Faults {
		masked := *f
		masked.Where, masked.What, masked.Fix = text(f.Where), text(f.What), text(f.Fix)
		if f.Err != nil {
			masked.Err = errors.New(text(f.Err.Error()))
		}
		faults[i] = &masked
	}
	s.Faults = faults
	s.Troubles = slices.Clone(s.Troubles)
	for i := range s.Troubles {
		t := &s.Troubles[i]
		t.Fault.Where, t.Fault.What, t.Fault.Fix = text(t.Fault.Where), text(t.Fault.What), text(t.Fault.Fix)
		t.Samples = slices.Clone(t.Samples)
		for j := range t.Samples {
			t.Samples[j] = text(t.Samples[j])
		}
	}
}

// encode writes a report, and the same without its time for comparison.
func encode(w Worker) (report, timeless []byte, err error) {
	if report, err = json.Marshal(w); err != nil {
		return nil, nil, err
	}
	w.At = time.Time{}
	for i := range w.Stages {
		s := &w.Stages[i]
		s.LastHeartbeat = time.Time{} // it moves by itself while all is well
	}
	timeless, err = json.Marshal(w)
	return report, timeless, err
}
