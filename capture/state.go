package capture

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/schemas"
	"shelfstream/status"
)

// States beside status's own.
const (
	// StateBlocked: preflight found faults; they are listed and looked at again with back-off.
	StateBlocked = "blocked"
	// StateSnapshot: whole tables are read.
	StateSnapshot = status.StateSnapshot

	stateStreaming = status.StateStreaming // shown as live or catching up
)

// catchUpLag is from which age of the newest commit on a source counts as behind.
const catchUpLag = 10 * time.Second

// state is what the runner tells about itself. The session writes it, anybody reads it.
type state struct {
	now func() time.Time

	mu         sync.Mutex
	name       string
	since      time.Time
	detail     string
	faults     fault.List
	warnings   fault.List
	checkpoint *schemas.Checkpoint
	open       bool // changes are read that no checkpoint covers yet
	progress   []*progress
	failed     int       // tries in a row, 0 once the source was heard again
	failedAt   time.Time // the newest of them
	nextTry    time.Time
	parking    *parking // nil before the first session, and while another worker has the source

	heard   atomic.Int64 // when the source last committed or sent a heartbeat, in nanoseconds; 0 = never
	records atomic.Int64
}

// progress is a table's snapshot under way; the lanes count.
type progress struct {
	table    string
	rows     atomic.Int64
	total    atomic.Int64
	started  time.Time
	finished time.Time // under state.mu
}

// set goes to a state; the same state with other words keeps its beginning.
func (s *state) set(name, detail string, faults fault.List) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.name != name {
		s.name, s.since = name, s.now()
	}
	s.detail, s.faults = detail, faults
}

// tried notes that so many tries in a row have failed, and that the next one comes after wait. 0: none.
func (s *state) tried(failed int, wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	s.failed, s.failedAt, s.nextTry = failed, now, now.Add(wait)
}

// attempt is what Status says of the tries. What has failed counts until the source is heard, or rows of it are read. mu is held.
func (s *state) attempt() (int, time.Time) {
	if s.failed == 0 || s.heard.Load() > s.failedAt.UnixNano() {
		return 0, time.Time{}
	}
	for _, p := range s.progress {
		if p.finished.IsZero() && p.rows.Load() > 0 {
			return 0, time.Time{}
		}
	}
	if s.name != status.StateRetrying && s.name != StateBlocked {
		return s.failed, time.Time{} // one is under way
	}
	return s.failed, s.nextTry
}

// warn adds a fault that stays on the page until the next session.
func (s *state) warn(f *fault.Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.warnings.Add(f)
}

func (s *state) clearWarnings() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.warnings = nil
}

// parks says where to look for parked rows.
func (s *state) parks(k *parking) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parking = k
}

// parked is how many rows are parked, and why.
func (s *state) parked() (int, []status.Trouble) {
	s.mu.Lock()
	k := s.parking
	s.mu.Unlock()
	if k == nil {
		return 0, nil
	}
	return k.show()
}

func (s *state) checkpointed(c *schemas.Checkpoint, open bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.checkpoint, s.open = c, open
}

func (s *state) opened() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open = true
}

func (s *state) snapshotBegins(tables []*progress) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.progress = tables
}

func (s *state) snapshotEnds(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.progress {
		p.finished = at
	}
}

// snapshotGone forgets the progress of a snapshot that broke off.
func (s *state) snapshotGone() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.progress = slices.DeleteFunc(s.progress, func(p *progress) bool { return p.finished.IsZero() })
}

// heartbeatAge is in seconds, -1 if the source was never heard.
func (s *state) heartbeatAge() float64 {
	at := s.heard.Load()
	if at == 0 {
		return -1
	}
	return s.now().Sub(time.Unix(0, at)).Seconds()
}

func (s *state) lag() float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lagLocked()
}

func (s *state) lagLocked() float64 {
	switch {
	case s.checkpoint == nil:
		return -1
	case !s.open:
		return 0
	}
	return max(0, s.now().Sub(time.UnixMicro(s.checkpoint.CommitTimeUS)).Seconds())
}

// stage makes the public form.
func (s *state) stage(source string) status.Stage {
	parked, troubles := s.parked()
	s.mu.Lock()
	defer s.mu.Unlock()
	st := status.Stage{
		Kind: status.KindCapture, Name: source, State: s.name, Since: s.since, Detail: s.detail, Records: s.records.Load(),
		Parked: int64(parked), Faults: slices.Concat(s.faults, s.warnings), Troubles: troubles,
	}
	st.Attempt, st.NextTry = s.attempt()
	if at := s.heard.Load(); at != 0 {
		st.LastHeartbeat = time.Unix(0, at)
	}
	lag := s.lagLocked()
	if s.name == stateStreaming {
		st.State = status.StateLive
		if lag > catchUpLag.Seconds() {
			st.State = status.StateCatchingUp
			st.Detail = strings.TrimSpace(st.Detail + " newest commit is " + strconv.FormatFloat(lag, 'f', 0, 64) + " s old")
		}
	}
	if c := s.checkpoint; c != nil {
		st.Positions = []status.Position{{Name: "source", Value: c.Position, LagRecords: -1, LagSeconds: lag}}
	}
	for _, p := range s.progress {
		st.Progress = append(st.Progress, status.Progress{
			Name: p.table, Done: p.rows.Load(), Total: p.total.Load(), StartedAt: p.started, FinishedAt: p.finished,
		})
	}
	return st
}
