package web

import (
	"context"
	"sync"
	"time"

	"shelfstream/status"
)

// moment is everything about the pipeline as it was at one time. It is made at most a few times a second, for all who look.
type moment struct {
	At        time.Time
	Report    *status.Report // of this process
	Workers   []Worker
	Stages    []*stageSum
	Processes []stageFaults // what is wrong with a process that is no stage's own
	Incidents []Incident
	Open      int // incidents that are neither resolved nor behind another
	Held      int
	heldRead  bool // guards is what was read; else nothing was yet
	heldErr   error
	guards    []Held
}

// freshFor is for how long a moment serves.
const freshFor = 200 * time.Millisecond

// heldFor is for how long the list of held changes serves: it is read from the log.
const heldFor = 3 * time.Second

// cache holds a value that is costly to make for a while. One caller makes it, the others wait for it.
type cache[T any] struct {
	mu   sync.Mutex
	at   time.Time
	has  bool
	held T
	err  error
}

func (c *cache[T]) get(now time.Time, lasts time.Duration, make func() (T, error)) (T, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if age := now.Sub(c.at); !c.has || age >= lasts || age < 0 {
		c.held, c.err = make()
		c.at, c.has = now, true
	}
	return c.held, c.err
}

func (c *cache[T]) drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.has = false
}

// now gives the present moment, for what people look at. Who asks by a program may have just changed something, and wants to see it: those answers are
// made anew.
func (s *Server) now() *moment {
	at := s.cfg.Now()
	m, _ := s.moments.get(at, freshFor, func() (*moment, error) { return s.look(at), nil })
	return m
}

func (s *Server) look(at time.Time) *moment {
	m := &moment{At: at, Report: s.Report()}
	if s.cfg.Workers != nil {
		m.Workers = s.cfg.Workers()
	}
	m.Processes = s.processes(m.Workers, at)
	m.Stages = s.stages(m.Report.Stages, m.Workers, at)
	m.Incidents = s.incidents()
	for i := range m.Incidents {
		if m.Incidents[i].Resolved.IsZero() && m.Incidents[i].Behind == "" {
			m.Open++
		}
	}
	if s.cfg.Held != nil {
		m.guards, m.heldRead, m.heldErr = s.helds.get(context.Background(), s, heldFor, s.wait, s.readHeld)
		for _, h := range m.guards {
			m.Held += h.Held
		}
	}
	return m
}

// incidents are those of now, sorted, with secrets hidden.
func (s *Server) incidents() []Incident {
	if s.cfg.Incidents == nil {
		return nil
	}
	list := sortIncidents(s.cfg.Incidents())
	for i := range list {
		s.redactIncident(&list[i])
	}
	return list
}
