package incident

import (
	"errors"
	"fmt"
	"time"

	"shelfstream/status/escalate"
	"shelfstream/status/notify"
)

// teller has people told of the incidents of a state: by the keeper, or by a process alone.
type teller struct {
	pipeline string
	policies *escalate.Policies
	sender   *sender
	mask     func(string) string
	// count counts messages by how they ended; nil: nobody counts.
	count func(error)
}

// plan asks whom to tell now of what is told at all. What follows from other trouble is left out until it is over, and then for the all-clear of those who were told before.
func (t *teller) plan(next *State, now time.Time, told func(*Incident) bool) []escalate.Batch {
	if t.policies == nil || t.sender.notifier == nil {
		return nil
	}
	var cases []escalate.Case
	var of []*Incident
	for _, i := range next.Incidents {
		if i.Behind != "" && i.Open() || !told(i) {
			continue
		}
		s := i.Subject()
		s.Opened, s.Acked = notAfter(s.Opened, now), notAfter(s.Acked, now)
		cases, of = append(cases, escalate.Case{Subject: s, State: i.Escalation}), append(of, i)
	}
	batches, states, _ := t.policies.Plan(cases, now)
	for n, i := range of {
		i.Escalation = states[n]
	}
	return batches
}

// notAfter takes a time in the future, of a clock that went ahead, for now.
func notAfter(t, now time.Time) time.Time {
	if t.After(now) {
		return now
	}
	return t
}

// tell notes how deliveries ended.
func (t *teller) tell(state *State, outcomes []outcome) {
	for _, o := range outcomes {
		said := map[string]bool{}
		for _, id := range o.batch.About {
			i := state.Incidents[id]
			if i == nil || said[id] {
				continue
			}
			said[id] = true
			if errors.Is(o.err, errTurnOver) { // no channel has failed
				i.Escalation = t.policies.Back(i.Escalation, func(in string) bool { return in != o.batch.Message.ID })
				continue
			}
			i.Escalation = t.policies.Told(i.Escalation, o.batch.Message, o.channel, o.err, o.at)
			switch {
			case o.err != nil:
				i.note(o.at, "no channel reached "+o.batch.Message.Person+": "+shorten(t.mask(o.err.Error())), "")
			default:
				i.note(o.at, fmt.Sprintf("%s was told (%s) by %s", o.batch.Message.Person, o.batch.Message.Reason, o.channel), "")
			}
		}
		if t.count != nil {
			t.count(o.err)
		}
	}
}

// back has go out what was decided in a turn before, and not handed to the sender any more.
func (t *teller) back(state *State) {
	if t.policies == nil {
		return
	}
	for _, i := range state.Incidents {
		i.Escalation = t.policies.Back(i.Escalation, t.sender.has)
	}
}

// hide masks what is kept of a state's incidents.
func (t *teller) hide(state *State) {
	for _, i := range state.Incidents {
		i.Where, i.What, i.Fix = t.mask(i.Where), t.mask(i.What), t.mask(i.Fix)
		for n := range i.Samples {
			i.Samples[n] = t.mask(i.Samples[n])
		}
	}
}

// content is what a message says of the incidents that it is about.
func (t *teller) content(state *State, b escalate.Batch) notify.Content {
	var all []notify.Content
	for n, id := range b.About {
		i := state.Incidents[id]
		if i == nil {
			continue
		}
		all = append(all, notify.Content{
			Pipeline: t.pipeline, Incident: i.ID, Severity: string(i.Severity), Link: i.Link, Data: i.Data, Cause: string(i.Cause), Kind: string(i.Kind),
			Where: i.Where, What: i.What, Fix: i.Fix, Command: i.Command, Worker: i.Worker, By: i.By, Note: i.Note, Count: i.Count, Tries: i.Tries, Samples: i.Samples,
			Opened: i.Opened, Last: i.Last, Acked: i.Acked, Resolved: i.Resolved, Reason: b.Reasons[n],
		})
	}
	if len(all) == 0 {
		return notify.Content{Pipeline: t.pipeline}
	}
	return notify.Sum(all)
}
