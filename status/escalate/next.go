package escalate

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Next decides for one incident alone, without the limit of messages a person: what to send now, the state to store before sending, and when to ask again
// at the latest; zero: not before something changes. A keeper of several incidents uses Plan.
func (p *Policies) Next(s Subject, st State, now time.Time) (send []Message, next State, wake time.Time) {
	next = st.clone()
	wake = p.advance(s, &next, now)
	for i := range next.Waiting {
		w := &next.Waiting[i]
		if at := p.ready(w, now); at.After(now) || at.IsZero() {
			wake = earliest(wake, at)
			continue
		}
		p.handOut(w, w.ID, now)
		wake = earliest(wake, w.Until)
		send = append(send, w.Message)
	}
	return send, next, wake
}

// advance fires what is due and gives when the next step is; zero if there is none.
func (p *Policies) advance(s Subject, st *State, now time.Time) time.Time {
	p.prune(st, now)
	if !s.Resolved.IsZero() {
		p.clear(s, st, now)
		return time.Time{}
	}
	back := !st.Cleared.IsZero()
	if back {
		p.comeBack(st, now)
	}
	policy := p.Match(s)
	acked := s.Acked.After(st.Void)
	switch {
	case acked && (policy == nil || policy.Again == 0 || now.Before(s.Acked.Add(policy.Again))):
		p.drop(st, now, func(w *Waiting) bool { return w.Reason != AllClear })
		if policy == nil || policy.Again == 0 {
			return time.Time{}
		}
		return s.Acked.Add(policy.Again)
	case policy == nil:
		return time.Time{}
	case acked: // and yet it is there
		st.Void = s.Acked
		st.begin(s, policy, s.Acked.Add(policy.Again))
	case back:
		st.begin(s, policy, now)
	case st.Policy == "":
		st.begin(s, policy, s.Opened)
	case st.Policy != policy.Name && s.Severity.rank() < st.Severity.rank(): // worse, and others are to know
		st.begin(s, policy, now)
	default:
		st.Policy = policy.Name // a configuration may have changed; it goes on where it is
	}
	return p.fire(s, st, policy, now)
}

// begin starts a round. The zero State is before its first.
func (st *State) begin(s Subject, policy *Policy, base time.Time) {
	if st.Policy != "" {
		st.Loop++
	}
	st.Policy, st.Severity = policy.Name, s.Severity
	st.First, st.Step, st.Base, st.Hurry = st.Loop, 0, base, time.Time{}
}

// fire puts the messages of each step that is due into Waiting. Each fires once at most: of loops that were missed one is made up for.
func (p *Policies) fire(s Subject, st *State, policy *Policy, now time.Time) time.Time {
	fired := make([]bool, len(policy.Steps))
	for {
		step, base := st.Step, st.Base
		if step >= len(policy.Steps) { // the next loop's first
			if policy.Every == 0 || policy.Times > 0 && st.Loop-st.First >= policy.Times {
				return time.Time{}
			}
			step, base = 0, base.Add(policy.Every)
		}
		at := &policy.Steps[step]
		due := base.Add(at.After)
		if !st.Hurry.IsZero() && st.Step < len(policy.Steps) && st.Hurry.Before(due) {
			due = st.Hurry
		}
		if fired[step] && !due.After(now) {
			st.Base = now
			continue
		}
		hours := p.calendar(at.Hours)
		if due = hours.Next(due); due.IsZero() || due.After(now) {
			return due
		}
		if open := hours.Next(now); open.IsZero() || open.After(now) { // it was due while nobody kept watch
			return open
		}
		if st.Step >= len(policy.Steps) {
			st.Loop, st.Step = st.Loop+1, 0
		}
		p.add(s, st, at, now)
		fired[step] = true
		st.Base, st.Hurry = due, time.Time{}
		st.Step++
	}
}

// add puts a step's messages into Waiting. An older one that the same person could not be sent yet gives way.
func (p *Policies) add(s Subject, st *State, step *Step, now time.Time) {
	reason := Reminder
	if st.Loop == 0 && st.Step == 0 {
		reason = Opened
	}
	var people []string
	for _, name := range step.To {
		members, err := p.Resolve(name)
		if err != nil {
			continue // New has looked
		}
		for _, m := range members {
			if !slices.Contains(people, m) {
				people = append(people, m)
			}
		}
	}
	for _, person := range people {
		p.drop(st, now, func(w *Waiting) bool { return w.Person == person && w.Reason != AllClear && w.In == "" })
		st.Waiting = append(st.Waiting, Waiting{Hours: step.Hours, Message: Message{
			ID: fmt.Sprintf("%s/%s/%d.%d/%s", s.ID, reason, st.Loop, st.Step, person), Reason: reason, Person: person,
			Channels: p.Channels(person, step.By...), Step: st.Step, Loop: st.Loop,
		}})
	}
}

// clear gives everybody the all-clear who was told and has none.
func (p *Policies) clear(s Subject, st *State, now time.Time) {
	p.drop(st, now, func(w *Waiting) bool { return w.Reason != AllClear })
	if st.Cleared.IsZero() {
		st.Cleared = now
	}
	for i := range st.Told {
		t := &st.Told[i]
		if !t.Open {
			continue
		}
		t.Open = false
		st.Waiting = append(st.Waiting, Waiting{Hours: t.Hours, Message: Message{
			ID: s.ID + "/" + string(AllClear) + "/" + strconv.Itoa(st.Loop) + "/" + t.Person, Reason: AllClear, Person: t.Person,
			Channels: p.Channels(t.Person, t.Channel), Step: t.Step, Loop: st.Loop,
		}})
	}
}

// comeBack undoes an all-clear: what was not sent of it is owed again at the end, and who took the incident on before did so for what was over.
func (p *Policies) comeBack(st *State, now time.Time) {
	owed := map[string]bool{}
	p.drop(st, now, func(w *Waiting) bool {
		if w.Reason == AllClear && !p.inDelivery(w, now) && w.In == "" {
			owed[w.Person] = true
			return true
		}
		return false
	})
	for i := len(st.Told) - 1; i >= 0; i-- {
		if t := &st.Told[i]; owed[t.Person] && t.Reason != AllClear {
			t.Open = true
			delete(owed, t.Person)
		}
	}
	st.Void, st.Cleared = st.Cleared, time.Time{}
}

// ready is when a message may go out, zero if never.
func (p *Policies) ready(w *Waiting, now time.Time) time.Time {
	switch {
	case p.inDelivery(w, now):
		return w.Until
	case w.NotBefore.After(now):
		return w.NotBefore
	case w.Reason == AllClear && w.Tries == 0 && w.In == "":
		return p.calendar(w.Hours).Next(now)
	}
	return now
}

func (p *Policies) handOut(w *Waiting, in string, now time.Time) {
	w.In, w.Owner, w.Until = in, p.owner, now.Add(lease)
}

// Pauses between tries of a message that no channel takes. An all-clear is given up after maxClears tries, since no later message takes its place.
const (
	firstPause = time.Minute
	mostPause  = 15 * time.Minute
	maxClears  = 20
)

// Told notes how the delivery of a message ended that Next or Plan handed out: channel is what took it, err says why none did. An error with
// RetryAfter() time.Duration says when to try again. Of a message that is not waited for (any more) nothing is noted but that somebody was told.
func (p *Policies) Told(st State, m Message, channel string, err error, now time.Time) State {
	st = st.clone()
	kept := st.Waiting[:0]
	found := false
	failed := map[[2]int]bool{}
	for _, w := range st.Waiting {
		if w.ID != m.ID && w.In != m.ID {
			kept = append(kept, w)
			continue
		}
		found = true
		if err == nil {
			w.In = m.ID
			st.tell(w, channel, now)
			continue
		}
		w.Tries++
		w.Failed, w.NotBefore, w.In, w.Owner, w.Until = err.Error(), now.Add(pause(w.Tries, err)), "", "", time.Time{}
		if w.Reason == AllClear && w.Tries >= maxClears {
			continue
		}
		failed[[2]int{w.Loop, w.Step}] = w.Reason != AllClear
		kept = append(kept, w)
	}
	st.Waiting = kept
	if !found && err == nil && m.Reason != Several && !slices.ContainsFunc(st.Told, func(t Told) bool { return t.ID == m.ID }) {
		st.tell(Waiting{Message: m, In: m.ID}, channel, now)
	}
	if last := [2]int{st.Loop, st.Step - 1}; failed[last] && st.Hurry.IsZero() && !st.reached(last) {
		st.Hurry = now
	}
	return st
}

// Back takes messages back that this keeper handed out and does not have any more, since its turn ended before it began with them: they go out at once. has says which it has, by
// what they were handed out in.
func (p *Policies) Back(st State, has func(in string) bool) State {
	st = st.clone()
	for i := range st.Waiting {
		if w := &st.Waiting[i]; w.Owner == p.owner && !has(w.In) {
			w.Owner, w.Until = "", time.Time{} // In stays: a keeper before may have delivered it
		}
	}
	return st
}

// reached says whether somebody of a step was told, or may yet be with the first try.
func (st *State) reached(step [2]int) bool {
	return slices.ContainsFunc(st.Told, func(t Told) bool { return t.Reason != AllClear && [2]int{t.Loop, t.Step} == step }) ||
		slices.ContainsFunc(st.Waiting, func(w Waiting) bool {
			return w.Reason != AllClear && w.Tries == 0 && [2]int{w.Loop, w.Step} == step
		})
}

func pause(tries int, err error) time.Duration {
	d := min(firstPause<<min(tries-1, 10), mostPause)
	var later interface{ RetryAfter() time.Duration }
	if errors.As(err, &later) && later.RetryAfter() > 0 {
		d = min(max(later.RetryAfter(), time.Second), 24*time.Hour)
	}
	return d
}

// prune forgets who was told by an older message, once it does not count for the limit any more.
func (p *Policies) prune(st *State, now time.Time) {
	newest := map[string]int{}
	for i, t := range st.Told {
		newest[t.Person] = i
	}
	kept := st.Told[:0]
	for i, t := range st.Told {
		if newest[t.Person] == i || t.Open || p.cfg.Most > 0 && t.At.After(now.Add(-p.cfg.Within)) {
			kept = append(kept, t)
		}
	}
	st.Told = kept
}

// earliest is the earlier of two times, of which zero is never.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
