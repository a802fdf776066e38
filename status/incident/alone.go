package incident

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/status"
	"shelfstream/status/escalate"
)

// AloneConfig says what an Alone does. Pipeline, Worker, Stages and Log are required.
type AloneConfig struct {
	Pipeline string
	// Worker is this process.
	Worker string
	// Rules are the keeper's; of them Alone is the patience with the log.
	Rules Rules
	// Policies say whom to tell, and Notifier tells them; nil: nobody is told.
	Policies *escalate.Policies
	Notifier Notifier
	// Stages report, as to the roster.
	Stages func() []status.Stage
	// Log says for how long the log has not answered, whether it ever has answered this process, and what is wrong with it if that is known.
	Log func() (quiet time.Duration, ever bool, why *fault.Fault)
	// File keeps the state over a restart; empty: nothing does. Its folder is made.
	File string
	// Mask hides secrets in what is kept; nil: there are none.
	Mask func(string) string
	// Every is how often it looks; 0 means a second.
	Every time.Duration
	// Now is the clock; nil means time.Now.
	Now    func() time.Time
	Logger *slog.Logger
}

// Alone keeps what one process finds while the log does not answer, and has people told of it without the log. Its methods do nothing, and find nothing, on nil.
type Alone struct {
	cfg    AloneConfig
	teller *teller
	sender *sender
	news   status.News
	file   *file

	mu    sync.Mutex
	state *State
	last  time.Time // when the log was last known to be away, with its monotonic clock
	// looked is when it looked last, stood for how long this process stood still since the log answered.
	looked time.Time
	stood  time.Duration
}

// NewAlone makes one, with what the process before has left.
func NewAlone(cfg AloneConfig) *Alone {
	if cfg.Every <= 0 {
		cfg.Every = time.Second
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Mask == nil {
		cfg.Mask = func(s string) string { return s }
	}
	cfg.Rules.Keep, cfg.Rules.KeepFor = keptAlone, keptAloneFor
	cfg.Rules.defaults()
	a := &Alone{cfg: cfg, sender: newSender(cfg.Notifier), file: &file{path: cfg.File, log: cfg.Logger}}
	a.teller = &teller{pipeline: cfg.Pipeline, policies: cfg.Policies, sender: a.sender, mask: cfg.Mask}
	a.state = a.file.load()
	return a
}

// How many incidents that are over are kept here, and for how long.
const (
	keptAlone    = 20
	keptAloneFor = time.Hour
)

// Run looks until ctx ends, waits leaveWithin for what is being delivered, and returns nil. It may be run again after that.
func (a *Alone) Run(ctx context.Context) error {
	process, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	defer giveUp()
	tick := time.NewTicker(a.cfg.Every)
	defer tick.Stop()
	for {
		a.look(ctx, process)
		select {
		case <-ctx.Done():
			end, cancel := context.WithTimeout(process, leaveWithin)
			defer cancel()
			a.sender.idle(end)
			a.noted()
			return nil
		case <-tick.C:
		case <-a.sender.done:
		}
	}
}

// key is what the incident of a log that does not answer is told by. It is not the keeper's of a log that answers it and fails a stage.
func (a *Alone) key() string { return string(CauseLogDown) + "|" + a.cfg.Pipeline }

// nameSpan: processes that lose the log within one span of it give the incident the same ID.
const nameSpan = 10 * time.Minute

// condition is that of the log, nil if it answers. Until it has answered this process, what the process before has found holds.
func (a *Alone) condition(open bool, now time.Time) *condition {
	quiet, ever, why := a.cfg.Log()
	if stood := a.stoodStill(quiet, time.Now()); !open { // the clock that quiet is measured by, not the configured one
		quiet -= stood
	}
	if quiet < a.cfg.Rules.Alone && (ever || !open) {
		return nil
	}
	c := &condition{
		key: a.key(), link: LinkLog, cause: CauseLogDown, kind: fault.Connection, severity: escalate.Critical, title: "The log does not answer", where: "worker " + a.cfg.Worker,
		what: "the log does not answer this process, or takes nothing from it: no data goes through, and nobody keeps the pipeline's incidents",
		fix:  "start the brokers, or see to the network and the disk; the sources keep their changes meanwhile", command: "shelfstream check -connect",
		count: 1, worker: a.cfg.Worker, blocks: true, first: now.Add(-quiet), name: now.Add(-quiet).Truncate(nameSpan).UTC(),
	}
	if why != nil {
		f := status.FaultJSONOf(why)
		c.samples = []string{f.Where}
		c.what += " (" + f.What + ")"
		if f.Fix != "" {
			c.fix = f.Fix
		}
	}
	return c
}

// stoodStill is for how long of its silence this process could not have heard the log: it was stopped, or its machine was, so it did not look either.
func (a *Alone) stoodStill(quiet time.Duration, now time.Time) time.Duration {
	since := now.Sub(a.looked)
	if quiet < since { // it has answered since
		a.stood = 0
	}
	if !a.looked.IsZero() && since > a.cfg.Every+a.cfg.Rules.Alone/3 {
		a.stood += min(quiet, since)
	}
	a.looked = now
	return a.stood
}

// look goes one step, as the keeper does, with what this process knows. Only the log's incident is told of: what else there is may come of it, and is the keeper's when the log is back.
func (a *Alone) look(turn, process context.Context) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.cfg.Now()
	root := a.state.open()[a.key()]
	down := a.condition(root != nil, now)
	outcomes := a.sender.take()
	if down == nil && root == nil && len(outcomes) == 0 && len(a.state.Incidents) == 0 {
		return
	}
	prev := a.state.clone()
	a.teller.tell(prev, outcomes)
	self := Worker{Name: a.cfg.Worker, At: now}
	if down != nil || root != nil {
		self.Stages = a.cfg.Stages()
	}
	next := a.cfg.Rules.Look(prev, Input{Workers: []Worker{self}, alone: down, own: true, Now: now})
	if root = next.open()[a.key()]; root != nil {
		a.last = now
	}
	for id, i := range next.Incidents {
		switch {
		case i.Key == a.key():
		case root == nil:
			delete(next.Incidents, id) // the keeper's, from now on
		case i.Open():
			i.Behind = root.ID
		}
	}
	a.teller.hide(next)
	batches := a.teller.plan(next, now, func(i *Incident) bool { return i.Key == a.key() })
	a.put(next, len(outcomes) > 0 || len(batches) > 0, now)
	for _, b := range batches {
		a.sender.send(turn, process, b, a.teller.content(next, b))
	}
}

// noted writes down how the last deliveries ended.
func (a *Alone) noted() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if outcomes := a.sender.take(); len(outcomes) > 0 {
		next := a.state.clone()
		a.teller.tell(next, outcomes)
		a.put(next, true, a.cfg.Now())
	}
}

// put takes a new state on, and keeps it. A disk that does not keep it is no reason to tell nobody.
func (a *Alone) put(next *State, urgent bool, now time.Time) {
	before := a.state
	a.state = next
	if a.file.save(before, next, urgent, now) {
		a.news.Tell()
	}
}

// Changed is closed when an incident is new or different. Take it before reading.
func (a *Alone) Changed() <-chan struct{} {
	if a == nil {
		return nil
	}
	return a.news.Changed()
}

// Incidents are what this process has found alone: the log's, and what waits behind it.
func (a *Alone) Incidents() []Incident {
	if a == nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []Incident
	for _, i := range a.state.Incidents {
		out = append(out, *i)
	}
	Sorted(out)
	return out
}

// Down says whether the log is known not to answer this process.
func (a *Alone) Down() bool {
	if a == nil {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.state.open()[a.key()] != nil
}

// Ack takes an incident on in this process, at once; what other processes tell of theirs goes on, as nothing connects them. The error is status.ErrNotFound if there is no such incident here.
func (a *Alone) Ack(id, by, note string) error {
	if a == nil {
		return fmt.Errorf("incident %s: %w", id, status.ErrNotFound)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.state.Incidents[id] == nil {
		return fmt.Errorf("incident %s: %w", id, status.ErrNotFound)
	}
	now := a.cfg.Now()
	next := a.state.clone()
	next.Incidents[id].take(by, note, now)
	a.put(next, true, now)
	return nil
}

// away is when the log was last known not to answer; zero: it was not, since this process runs.
func (a *Alone) away() time.Time {
	if a == nil {
		return time.Time{}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.last
}
