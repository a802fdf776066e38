package incident

import (
	"maps"
	"slices"
	"time"
)

// State is all incidents that are kept, and what one look remembers for the next. The zero value is an empty one.
type State struct {
	// Incidents are by ID; those that are not open are the history.
	Incidents map[string]*Incident
	memory    memory
}

// memory is lost with the keeper: what it times then begins anew.
type memory struct {
	heard   map[string]heard     // worker → its newest report
	pending map[string]time.Time // condition → since when it shows, while it is no incident yet
	missing map[string]time.Time // incident → since when its condition does not show
	looked  time.Time            // when it was looked last
	stood   time.Time            // when this process went on after it had stood still; zero: it never did
}

// wake notes a look. The keeper looks each second, so after a long gap it has stood still, with its machine or alone. What others said meanwhile it has not read yet: nothing new is an
// incident before that can have come, nor is anything over because it did not show for so long.
func (m *memory) wake(r *Rules, now time.Time) {
	if gap := now.Sub(m.looked); !m.looked.IsZero() && gap > r.Gone/3 {
		m.stood = now
		for id, since := range m.missing {
			m.missing[id] = since.Add(gap)
		}
	}
	m.looked = now
}

// clone is a state to change.
func (s *State) clone() *State {
	c := &State{Incidents: make(map[string]*Incident, len(s.Incidents)), memory: memory{
		heard: maps.Clone(s.memory.heard), pending: maps.Clone(s.memory.pending), missing: maps.Clone(s.memory.missing),
		looked: s.memory.looked, stood: s.memory.stood,
	}}
	for id, i := range s.Incidents {
		c.Incidents[id] = i.clone()
	}
	if c.memory.pending == nil {
		c.memory.pending = map[string]time.Time{}
	}
	if c.memory.missing == nil {
		c.memory.missing = map[string]time.Time{}
	}
	return c
}

// notLater takes ends in the future, of a clock that went ahead, for now: what is timed by them begins anew at worst, and does not wait for the clock to catch up.
func (s *State) notLater(now time.Time) {
	for _, i := range s.Incidents {
		i.Resolved = notAfter(i.Resolved, now)
	}
}

// open are the incidents that are not resolved, by key.
func (s *State) open() map[string]*Incident {
	open := map[string]*Incident{}
	for _, i := range s.Incidents {
		if i.Open() {
			open[i.Key] = i
		}
	}
	return open
}

// forget drops the history that is too old, or too much. What is behind or ahead of anything open is not looked at any more.
func (s *State) forget(r *Rules, now time.Time) {
	var old []*Incident
	for _, i := range s.Incidents {
		if !i.Open() {
			old = append(old, i)
		}
	}
	slices.SortFunc(old, func(a, b *Incident) int { return b.Resolved.Compare(a.Resolved) })
	for n, i := range old {
		if n >= r.Keep || now.Sub(i.Resolved) > r.KeepFor {
			delete(s.Incidents, i.ID)
			delete(s.memory.missing, i.ID)
		}
	}
}

// Sorted gives incidents in the order in which people read them: open ones by severity and age, then the resolved ones, newest first.
func Sorted(all []Incident) {
	slices.SortFunc(all, func(a, b Incident) int {
		switch {
		case a.Open() != b.Open():
			return first(a.Open(), b.Open())
		case !a.Open():
			return b.Resolved.Compare(a.Resolved)
		case (a.Behind == "") != (b.Behind == ""):
			return first(a.Behind == "", b.Behind == "")
		case a.Severity != b.Severity:
			return slices.Index(severities, a.Severity) - slices.Index(severities, b.Severity)
		}
		return a.Opened.Compare(b.Opened)
	})
}
