package transform

import (
	"fmt"
	"slices"
	"sort"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/status"
)

// say sets the state of the runner as a whole; a task's own state goes before it.
func (r *Runner) say(state, note string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state != state {
		r.state, r.since = state, r.cfg.Clock()
	}
	r.note = note
}

func (r *Runner) fail(err error) {
	r.say(status.StateStopped, "")
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = err
}

func (r *Runner) parkedNow() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, t := range r.tasks {
		t.watch.set(func(o *observer) { n += o.parked })
	}
	return n
}

// Status tells how the view does; the worst task's state is the view's.
func (r *Runner) Status() status.Stage {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := status.Stage{Kind: status.KindTransform, Name: r.cfg.View.Name, State: r.state, Since: r.since, Detail: r.note}
	if r.err != nil {
		if s.Faults = fault.All(r.err); len(s.Faults) == 0 {
			s.Faults = fault.List{{Cause: fault.Unexpected, Where: "view " + r.cfg.View.Name, What: r.err.Error()}}
		}
	}
	s.Faults = append(s.Faults, r.bound.guardFaults(r.cfg.View.Name)...)
	if f := r.cfg.Store.full(); f != nil {
		s.Faults = append(s.Faults, f)
	}
	now := r.cfg.Clock()
	var tallies []*status.Tally
	for _, t := range r.tasks {
		t.watch.set(func(o *observer) {
			p := status.Position{Name: fmt.Sprintf("%s/%d", r.topic, t.partition), LagRecords: -1, LagSeconds: -1}
			if o.target != nil {
				p.Value = o.target.position
				heard := time.UnixMicro(o.target.writtenUS)
				if s.LastHeartbeat.IsZero() || heard.Before(s.LastHeartbeat) {
					s.LastHeartbeat = heard
				}
				p.LagSeconds, p.LagRecords = r.lag(o.target, now)
			}
			s.Positions = append(s.Positions, p)
			s.Records += o.applied
			s.Parked += int64(o.parked)
			tallies = append(tallies, &o.troubles)
			if o.failed > s.Attempt {
				s.Attempt, s.NextTry = o.failed, o.nextTry
			}
			for _, f := range o.faults {
				if !slices.ContainsFunc(s.Faults, func(x *fault.Fault) bool { return x.Cause == f.Cause && x.Where == f.Where && x.What == f.What }) {
					s.Faults.Add(f)
				}
			}
			if o.state != status.StateLive {
				s.State, s.Detail = o.state, o.waiting
			}
			for i := range o.rejected {
				s.Faults.Add(o.rejected[i].fault)
			}
		})
	}
	s.Troubles = status.Troubles(tallies...)
	sort.Slice(s.Positions, func(i, j int) bool { return s.Positions[i].Name < s.Positions[j].Name })
	return s
}

// lag is how far a target is behind the newest checkpoint: 0 if it is that, else the age of its newest commit.
func (r *Runner) lag(have *target, now time.Time) (seconds float64, records int64) {
	if r.bound == nil {
		return -1, -1
	}
	newest := r.bound.frontier.newest()
	if newest == nil {
		return -1, -1
	}
	for i, c := range newest.checkpoints {
		for _, topic := range c.Topics {
			for p, next := range topic.Next {
				if known, ok := have.next(topic.Topic, int32(p)); ok && i < len(have.checkpoints) {
					records += max(0, next-known)
				}
			}
		}
	}
	if records == 0 {
		return 0, 0
	}
	return now.Sub(time.UnixMicro(have.commitUS)).Seconds(), records
}
