package incident

import (
	"maps"
	"time"

	"shelfstream/status"
	"shelfstream/status/roster"
)

// Worker is what one process reports of itself.
type Worker = roster.Worker

// heard is when a worker's newest report came, by our clock.
type heard struct {
	at   time.Time // in the report
	seen time.Time
	// passed are the links of which others have had its work since.
	passed map[string]bool
}

// link is how a link does, by the reports of all who live.
type link struct {
	live    int // stages that take part in it, standby too
	working int // of them, those that do what they are there for
	unsure  int // of them, those that do not know yet
	// places are the positions that somebody who lives has.
	places map[string]bool
}

// atWork are the states of a stage that sees what is wrong with its link. In others it does not know, or cannot say, that trouble is over.
func atWork(s *status.Stage) bool {
	switch s.State {
	case status.StateLive, status.StateStreaming, status.StateSnapshot, status.StateCatchingUp:
		return true
	}
	return false
}

// scene is what the reports say together.
type scene struct {
	live  []Worker
	stale []Worker
	heard map[string]heard
	links map[string]*link
}

// survey sorts workers into those who live and those who do not, and looks at the links. It brings memory up to date.
func (r *Rules) survey(m *memory, workers []Worker, now time.Time) *scene {
	known := map[string]heard{}
	sc := &scene{heard: known, links: map[string]*link{}}
	for _, w := range workers {
		h, ok := m.heard[w.Name]
		if !ok || !h.at.Equal(w.At) {
			h = heard{at: w.At, seen: now}
		}
		known[w.Name] = h
		if now.Sub(h.seen) > r.Gone {
			sc.stale = append(sc.stale, w)
			continue
		}
		sc.live = append(sc.live, w)
		for i := range w.Stages {
			sc.link(&w.Stages[i])
		}
	}
	m.heard = known
	return sc
}

func (sc *scene) link(s *status.Stage) {
	name := LinkOf(s)
	l := sc.links[name]
	if l == nil {
		l = &link{places: map[string]bool{}}
		sc.links[name] = l
	}
	l.live++
	switch {
	case atWork(s):
		l.working++
	case s.State != status.StateStandby:
		l.unsure++
	}
	for _, p := range s.Positions {
		l.places[p.Name] = true
	}
}

// settled says whether what nobody reports of a link is not there: somebody is at work, and nobody is still finding out.
func (sc *scene) settled(name string) bool {
	l := sc.links[name]
	switch name {
	case LinkLog, LinkRegistry, LinkDisk:
		return len(sc.live) > 0
	}
	return l != nil && l.working > 0 && l.unsure == 0
}

// replaced says whether others do the work of a stage whose worker is gone, or did since: what they leave undone is then theirs.
func (sc *scene) replaced(w *Worker, s *status.Stage) bool {
	h, name := sc.heard[w.Name], LinkOf(s)
	if h.passed[name] {
		return true
	}
	if !sc.taken(s, sc.links[name]) {
		return false
	}
	if l := sc.links[name]; l != nil && l.unsure == 0 {
		passed := map[string]bool{name: true}
		maps.Copy(passed, h.passed)
		h.passed = passed
		sc.heard[w.Name] = h
	}
	return true
}

func (sc *scene) taken(s *status.Stage, l *link) bool {
	switch {
	case s.State == status.StateStandby:
		return true // it had none
	case l == nil || l.working+l.unsure == 0:
		return false
	case l.unsure > 0:
		return true // it is being taken over
	}
	for _, p := range s.Positions {
		if !l.places[p.Name] {
			return false
		}
	}
	return true
}
