package escalate

import (
	"slices"
	"time"
)

// State is how far the escalation of one incident is. It is kept as JSON with the incident; the zero State is an escalation that has not begun. Next, Plan and Told take one and give a new one, and leave the old one as it is.
type State struct {
	// Policy and Severity are those of the round that runs.
	Policy   string   `json:"policy,omitempty"`
	Severity Severity `json:"severity,omitempty"`
	// Loop and Step are the next to fire; Loop only grows. First is the loop with which the round began: repeats count from it.
	Loop  int `json:"loop"`
	Step  int `json:"step"`
	First int `json:"first"`
	// Base is what the next step's After counts from: when the step before it was due.
	Base time.Time `json:"base,omitzero"`
	// Hurry is when it turned out that nobody of the step before could be reached: the next is due then.
	Hurry time.Time `json:"hurry,omitzero"`
	// Void: acknowledgements until then count no more, as "again" is over or the incident came back.
	Void time.Time `json:"void,omitzero"`
	// Cleared is when the all-clear was decided.
	Cleared time.Time `json:"cleared,omitzero"`
	// Waiting are messages that were decided and whose delivery is not known, in order.
	Waiting []Waiting `json:"waiting,omitempty"`
	// Told are those who were told: of each person the newest, and those that still count for the limit.
	Told []Told `json:"told,omitempty"`
}

// Waiting is one message that is to be delivered.
type Waiting struct {
	Message

	// Hours is the calendar that an all-clear waits for.
	Hours string `json:"hours,omitempty"`
	// Tries is how often every channel failed, NotBefore when to try again, and Failed what was said last.
	Tries     int       `json:"tries,omitempty"`
	NotBefore time.Time `json:"not_before,omitzero"`
	Failed    string    `json:"failed,omitempty"`
	// In is the message it was handed out in: its own ID, or that of a message that sums up several. Empty: it was not, or came back undelivered.
	In string `json:"in,omitempty"`
	// Owner has it in delivery, until Until at the latest.
	Owner string    `json:"owner,omitempty"`
	Until time.Time `json:"until,omitzero"`
}

// Told is one message that was delivered.
type Told struct {
	ID      string    `json:"id"`
	In      string    `json:"in,omitempty"` // if it was summed up in another
	Reason  Reason    `json:"reason"`
	Person  string    `json:"person"`
	Channel string    `json:"channel"`
	Hours   string    `json:"hours,omitempty"`
	Loop    int       `json:"loop"`
	Step    int       `json:"step"`
	At      time.Time `json:"at"`
	// Open: an all-clear is owed.
	Open bool `json:"open,omitempty"`
}

// Settled says whether nothing is left to do for a resolved incident: everybody has the all-clear who has to. Until then it must be passed to Plan or Next.
func (st State) Settled(s Subject) bool {
	return !s.Resolved.IsZero() && !st.Cleared.IsZero() && len(st.Waiting) == 0 && !slices.ContainsFunc(st.Told, func(t Told) bool { return t.Open })
}

func (st State) clone() State {
	st.Waiting = slices.Clone(st.Waiting)
	st.Told = slices.Clone(st.Told)
	return st
}

// tell notes that a message was delivered, or may have been.
func (st *State) tell(w Waiting, channel string, at time.Time) {
	t := Told{ID: w.ID, Reason: w.Reason, Person: w.Person, Channel: channel, Hours: w.Hours, Loop: w.Loop, Step: w.Step, At: at, Open: w.Reason != AllClear}
	if w.In != w.ID {
		t.In = w.In
	}
	if t.Open { // one all-clear for each person
		for i := range st.Told {
			if st.Told[i].Person == w.Person {
				st.Told[i].Open = false
			}
		}
	}
	st.Told = append(st.Told, t)
}

// drop takes away the waiting messages that a decision made needless. What a process that is gone had in delivery may have arrived, so it counts as told;
// what is in delivery now stays until its outcome is known.
func (p *Policies) drop(st *State, now time.Time, needless func(w *Waiting) bool) {
	kept := st.Waiting[:0]
	for _, w := range st.Waiting {
		switch {
		case !needless(&w) || p.inDelivery(&w, now):
			kept = append(kept, w)
		case w.In != "" && w.Reason != AllClear:
			st.tell(w, w.Channels[0], w.Until.Add(-lease))
		}
	}
	st.Waiting = kept
}

// lease is longer than any delivery takes.
const lease = 10 * time.Minute

// inDelivery says whether this keeper handed a message out and does not know yet how it ended.
func (p *Policies) inDelivery(w *Waiting, now time.Time) bool {
	return w.Owner == p.owner && now.Before(w.Until)
}
