package sink

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/status"
)

// board is what a runner shows of itself. Workers write to it with each batch; Status copies it.
type board struct {
	mu        sync.Mutex
	now       string
	detail    string
	since     time.Time
	failures  map[string]*failure // what is tried again, by whose it is
	parts     []*partition
	records   int64
	heartbeat time.Time
	progress  []*status.Progress
	others    map[string]*fault.Fault // by view: keys that the topic does not have and that nobody has decided about
}

// shown is the part of a partition that Status reads, guarded by board.mu.
type shown struct {
	open     bool
	next     int64
	end      int64 // high watermark, -1 unknown
	sourceMS int64 // of the newest record applied
	held     int
	blocked  *fault.Fault // why this partition rests
}

func (b *board) start(now time.Time) { b.state(status.StateStarting, "", now) }

func (b *board) state(name, detail string, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.set(name, detail, now)
}

func (b *board) set(name, detail string, now time.Time) {
	if b.now != name {
		b.now, b.since = name, now
	}
	b.detail = detail
}

// leave shows what a comparison of all keys left for people to decide; nil: nothing.
func (b *board) leave(view string, f *fault.Fault) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.others == nil {
		b.others = map[string]*fault.Fault{}
	}
	delete(b.others, view)
	if f != nil {
		b.others[view] = f
	}
}

// left says whether something of a view is shown so.
func (b *board) left(view string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.others[view] != nil
}

func (b *board) assign(parts []*partition, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.parts = parts
	b.progress, b.failures = nil, nil
	for _, p := range parts {
		p.shown.end = -1
	}
	if len(parts) == 0 {
		b.set(status.StateStandby, "other workers have all partitions", now)
	} else {
		b.set(status.StateStarting, "takes over its partitions", now)
	}
}

// update changes what is shown of a partition.
func (b *board) update(p *partition, fn func(s *shown)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	fn(&p.shown)
}

// applied notes a batch.
func (b *board) applied(p *partition, records int, next, sourceMS int64, held int, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.records += int64(records)
	b.heartbeat = now
	delete(b.failures, p.String())
	s := &p.shown
	s.next, s.held = next, held
	s.end = max(s.end, next)
	s.sourceMS = max(s.sourceMS, sourceMS)
	b.judge(now)
}

// judge finds the state from the partitions. b.mu is held.
func (b *board) judge(now time.Time) {
	state, detail := status.StateLive, ""
	for _, p := range b.parts {
		switch s := &p.shown; {
		case s.blocked != nil:
			b.set(status.StatePositionLost, s.blocked.Error(), now)
			return
		case !s.open:
			state = status.StateStarting
		case state == status.StateLive && s.end-s.next > 1000:
			state = status.StateCatchingUp
		}
	}
	if f := b.worst(); f != nil {
		b.set(f.state, f.detail, now)
		return
	}
	if slices.ContainsFunc(b.progress, func(p *status.Progress) bool { return p.FinishedAt.IsZero() }) {
		state, detail = status.StateCatchingUp, "replays, or compares all keys"
	}
	b.set(state, detail, now)
}

// begin shows a long piece of work; the function returned notes how much of it is done, and -1 that all is.
func (b *board) begin(name string, total int64, now func() time.Time) func(done int64) {
	p := &status.Progress{Name: name, Total: total, StartedAt: now()}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.progress = append(slices.DeleteFunc(b.progress, func(o *status.Progress) bool { return o.Name == name }), p)
	return func(done int64) {
		b.mu.Lock()
		defer b.mu.Unlock()
		if done < 0 {
			p.Done, p.FinishedAt = p.Total, now()
			return
		}
		p.Done = done
	}
}

// Status implements status.Reporter.
func (r *Runner) Status() status.Stage {
	b := &r.board
	var notices fault.List
	if n, ok := r.cfg.Target.(Noticer); ok {
		notices = n.Notices()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	s := status.Stage{
		Kind: status.KindSink, Name: r.cfg.Sink, State: b.now, Since: b.since, Detail: b.detail,
		LastHeartbeat: b.heartbeat, Records: b.records,
	}
	b.failing(&s, r.link.Link())
	tallies := make([]*status.Tally, len(b.parts))
	now := r.cfg.Now()
	for i, p := range b.parts {
		tallies[i] = &p.tally
		records, seconds := p.shown.lag(now)
		value := "not opened yet"
		if p.shown.open {
			value = fmt.Sprint(p.shown.next)
		}
		s.Positions = append(s.Positions, status.Position{Name: fmt.Sprintf("%s/%d", p.View.Name, p.ID), Value: value, LagRecords: records, LagSeconds: seconds})
		s.Parked += int64(p.shown.held)
		if p.shown.blocked != nil {
			s.Faults = append(s.Faults, p.shown.blocked)
		}
	}
	s.Troubles = status.Troubles(tallies...)
	for _, view := range slices.Sorted(maps.Keys(b.others)) {
		s.Faults = append(s.Faults, b.others[view])
	}
	s.Faults = append(s.Faults, notices...)
	for _, p := range b.progress {
		s.Progress = append(s.Progress, *p)
	}
	return s
}

// lag is how far a partition is behind; -1 unknown.
func (s *shown) lag(now time.Time) (records int64, seconds float64) {
	if !s.open || s.end < 0 {
		return -1, -1
	}
	records = max(0, s.end-s.next)
	switch {
	case records == 0:
		return 0, 0
	case s.sourceMS == 0:
		return records, -1
	}
	return records, max(0, now.Sub(time.UnixMilli(s.sourceMS)).Seconds())
}

// lag sums up the partitions for the metrics.
func (r *Runner) lag() (records int64, seconds float64) {
	b := &r.board
	b.mu.Lock()
	defer b.mu.Unlock()
	now := r.cfg.Now()
	for _, p := range b.parts {
		n, s := p.shown.lag(now)
		records += max(0, n)
		seconds = max(seconds, s)
	}
	return records, seconds
}

// held is how many records are parked now, for the metrics.
func (r *Runner) held() int64 {
	b := &r.board
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for _, p := range b.parts {
		n += p.shown.held
	}
	return int64(n)
}
