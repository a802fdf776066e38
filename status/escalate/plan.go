package escalate

import (
	"encoding/hex"
	"hash/fnv"
	"slices"
	"time"
)

// Case is one incident and how far its escalation is.
type Case struct {
	Subject Subject
	State   State
}

// Batch is one message to deliver, and the incidents it is about, the most urgent first. A message with the reason Several is about more than one, or about
// one several times; each other message is about exactly one.
type Batch struct {
	Message Message
	About   []string // Subject.ID
	// Reasons has for each of About why its person is told of it.
	Reasons []Reason
}

// due is a message that may go out.
type due struct {
	c int // index of its case
	w *Waiting
}

// Plan is Next for all incidents at once: the urgent ones first, and at most so many messages a person as the policies allow; the last one they allow sums
// up what is more, and while they allow none the messages wait. cases are all incidents the keeper has: the resolved ones count for the limit, too.
// states has a new state for each of the cases.
func (p *Policies) Plan(cases []Case, now time.Time) (send []Batch, states []State, wake time.Time) {
	states = make([]State, len(cases))
	order := make([]int, len(cases))
	for i := range cases {
		order[i] = i
		states[i] = cases[i].State.clone()
		wake = earliest(wake, p.advance(cases[i].Subject, &states[i], now))
	}
	slices.SortFunc(order, func(a, b int) int { return p.Compare(cases[a].Subject, cases[b].Subject) })

	var people []string // in the order of their most urgent message
	of := map[string][]due{}
	for _, c := range order {
		for i := range states[c].Waiting {
			w := &states[c].Waiting[i]
			if at := p.ready(w, now); at.After(now) || at.IsZero() {
				wake = earliest(wake, at)
				continue
			}
			if of[w.Person] == nil {
				people = append(people, w.Person)
			}
			of[w.Person] = append(of[w.Person], due{c, w})
		}
	}
	l := p.limit(states, now)
	type ranked struct {
		Batch
		at int
	}
	var all []ranked
	for _, person := range people {
		room, free := l.room(person)
		if room == 0 {
			wake = earliest(wake, free)
			continue
		}
		for _, group := range summedUp(of[person], room) {
			b := p.batch(cases, group, now)
			wake = earliest(wake, now.Add(lease))
			all = append(all, ranked{b, slices.Index(order, group[0].c)})
		}
	}
	slices.SortStableFunc(all, func(a, b ranked) int { return a.at - b.at })
	for _, r := range all {
		send = append(send, r.Batch)
	}
	return send, states, wake
}

// summedUp makes at most room groups of one person's messages. What was handed out together stays so: it may have arrived.
func summedUp(list []due, room int) [][]due {
	var groups [][]due
	at := map[string]int{}
	for _, d := range list {
		if d.w.In != "" {
			if i, ok := at[d.w.In]; ok {
				groups[i] = append(groups[i], d)
				continue
			}
			at[d.w.In] = len(groups)
		}
		groups = append(groups, []due{d})
	}
	if len(groups) > room {
		groups = append(groups[:room-1:room-1], slices.Concat(groups[room-1:]...))
	}
	return groups
}

// batch hands a group of messages to one person out as one.
func (p *Policies) batch(cases []Case, group []due, now time.Time) Batch {
	b := Batch{Message: group[0].w.Message}
	if len(group) > 1 {
		hash := fnv.New128a()
		for _, d := range group {
			hash.Write([]byte(d.w.ID + "\n"))
		}
		first := group[0].w
		b.Message = Message{ID: string(Several) + "/" + hex.EncodeToString(hash.Sum(nil)) + "/" + first.Person, Reason: Several, Person: first.Person, Channels: first.Channels}
	}
	for _, d := range group {
		p.handOut(d.w, b.Message.ID, now)
		id := cases[d.c].Subject.ID
		if at := slices.Index(b.About, id); at >= 0 { // of one incident the newest counts
			b.Reasons[at] = d.w.Reason
			continue
		}
		b.About, b.Reasons = append(b.About, id), append(b.Reasons, d.w.Reason)
	}
	return b
}

// limit counts what each person was sent within the policies' time: a message that sums up several counts once.
type limit struct {
	most int
	sent map[string]map[string]time.Time // person -> message -> when it counts no more
}

func (p *Policies) limit(states []State, now time.Time) limit {
	l := limit{most: p.cfg.Most, sent: map[string]map[string]time.Time{}}
	if l.most == 0 {
		return l
	}
	note := func(person, id string, until time.Time) {
		if !until.After(now) {
			return
		}
		if l.sent[person] == nil {
			l.sent[person] = map[string]time.Time{}
		}
		l.sent[person][id] = until
	}
	for i := range states {
		for _, t := range states[i].Told {
			id := t.In
			if id == "" {
				id = t.ID
			}
			note(t.Person, id, t.At.Add(p.cfg.Within))
		}
		for j := range states[i].Waiting {
			if w := &states[i].Waiting[j]; p.inDelivery(w, now) {
				note(w.Person, w.In, now.Add(p.cfg.Within))
			}
		}
	}
	return l
}

// room is how many messages a person may get now, and if none, when the next.
func (l *limit) room(person string) (n int, free time.Time) {
	if l.most == 0 {
		return 1 << 30, time.Time{}
	}
	for _, until := range l.sent[person] {
		free = earliest(free, until)
	}
	return max(0, l.most-len(l.sent[person])), free
}
