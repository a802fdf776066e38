package main

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"shelfstream/capture"
	"shelfstream/internal/fault"
	"shelfstream/internal/retry"
	"shelfstream/status"
)

// patient runs a stage, and again when it ended for what somebody can put right while it waits: a table that is not there, a privilege. All stages
// have it, so that all tell a mistake in the configuration, which ends the process, from a system that is not ready, which is waited for, in the
// same way. What stages wait for by themselves (a system that does not answer, a source with faults) does not come here.
type patient struct {
	stage
	cfg  *pipeline
	sink string // the sink's name, or ""
	log  *slog.Logger
	wait retry.Backoff

	mu      sync.Mutex
	blocked fault.List // placed
	since   time.Time
	failed  int // runs in a row that ended so
	next    time.Time
}

func newPatient(s stage, cfg *pipeline, log *slog.Logger) *patient {
	p := &patient{stage: s, cfg: cfg, log: log, wait: retry.Backoff{Base: 2 * time.Second, Max: 15 * time.Second}}
	if st := s.Status(); st.Kind == status.KindSink {
		p.sink = st.Name
	}
	return p
}

// Run returns when ctx ends, or with what waiting does not mend.
func (p *patient) Run(ctx context.Context) error {
	shown := ""
	for attempt := 0; ; attempt++ {
		err := p.stage.Run(ctx)
		switch {
		case !mayMend(err):
			return p.cfg.placedError(p.sink, err)
		case ctx.Err() != nil:
			return nil
		}
		faults, _ := allFaults(p.cfg.placedError(p.sink, err))
		p.block(faults)
		if text := faults.Error(); text != shown {
			shown = text
			st := p.stage.Status()
			p.log.Error("a stage is blocked", "kind", st.Kind, "name", st.Name, "faults", text)
		}
		wait := p.wait.Delay(attempt)
		p.again(attempt+1, wait)
		if retry.Sleep(ctx, wait) != nil {
			return nil
		}
	}
}

// mayMend says whether everything in err is a fault of a system outside.
func mayMend(err error) bool {
	faults, others := allFaults(err)
	return len(faults) > 0 && len(others) == 0 &&
		!slices.ContainsFunc(faults, func(f *fault.Fault) bool { return f.Class != fault.Environment })
}

func (p *patient) block(faults fault.List) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.blocked == nil {
		p.since = time.Now()
	}
	p.blocked = faults
}

func (p *patient) again(failed int, wait time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failed, p.next = failed, time.Now().Add(wait)
}

// Status is the stage's own, with the places of its faults. While it waits, and until a new run has got anywhere, it is blocked.
func (p *patient) Status() status.Stage {
	st := p.stage.Status()
	st.Faults = p.cfg.placed(p.sink, st.Faults)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.blocked == nil:
	case slices.Contains([]string{status.StateStarting, status.StateStopped, stateWaiting}, st.State):
		st.State, st.Since, st.Faults = capture.StateBlocked, p.since, p.blocked
		st.Detail = fmt.Sprintf("%d faults must be put right first", len(p.blocked))
		st.Attempt, st.NextTry = max(st.Attempt, p.failed), p.next
	default:
		p.blocked = nil
	}
	return st
}

// stateWaiting is a view whose tables were never captured.
const stateWaiting = "waiting"
