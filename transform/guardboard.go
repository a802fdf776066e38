package transform

import (
	"context"
	"maps"
	"math/bits"
	"sync"
	"time"
)

// guardBoard is what the tasks of a view in this process know together of its guards: how many changes went out lately, and how many wait.
//
// A transaction that removes many products is spread over the tasks. So a task that has met a change that a guard counts puts it aside, evaluates the
// rest of its products, and then waits until each of the others has counted as far. Only then is it decided, for all of them alike, whether
// the changes go out. A task that has nothing to put aside never waits.
type guardBoard struct {
	guards guards
	clock  func() time.Time
	// poke wakes the tasks' loops, so that one whose products are due counts them too.
	poke *notifier
	// of is how many partitions the view has in all processes; 0: this one has them all.
	of int

	mu       sync.Mutex
	window   [][]counted // by guard: what went out, in the order of time
	override []override  // by guard
	members  map[int32]*member
	progress chan struct{} // closed and replaced whenever a wait may end
}

// counted is how many changes went out at an instant.
type counted struct {
	at time.Time
	n  int
}

// override lets everything pass until an instant.
type override struct {
	until   time.Time
	by, why string
}

// member is one task's part.
type member struct {
	absent bool // it has failed, or another worker has taken it over: nobody waits for it
	ready  bool // its products are counted
	cut    cut  // up to where it has counted, nil: nowhere yet
	at     time.Time
	idle   bool // it waits for something new, or for the instant wake (zero: none)
	wake   time.Time
	// waiting: it has counted, and waits for the others; pending are its changes put aside, by guard.
	waiting  bool
	pending  []int
	products int64
	held     []heldNow
}

// heldNow is what a task holds for one guard.
type heldNow struct {
	n       int
	since   time.Time
	samples []HeldSample
}

// guardPatience is for how long a task waits for one that has counted before and does not come. It has no bound for tasks that restore
// their state: what they will count may be the larger part.
const guardPatience = 30 * time.Second

func newGuardBoard(gs guards, clock func() time.Time, poke *notifier) *guardBoard {
	return &guardBoard{
		guards: gs, clock: clock, poke: poke, window: make([][]counted, len(gs)), override: make([]override, len(gs)),
		members: map[int32]*member{}, progress: make(chan struct{}),
	}
}

func (b *guardBoard) newMember() *member {
	return &member{pending: make([]int, len(b.guards)), held: make([]heldNow, len(b.guards))}
}

// assign begins a generation: its tasks are known before any of them counts.
func (b *guardBoard) assign(partitions []int32) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.members = map[int32]*member{}
	for _, p := range partitions {
		b.members[p] = b.newMember()
	}
	b.tell()
}

// update changes what is known of a task.
func (b *guardBoard) update(partition int32, f func(m *member)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	m := b.members[partition]
	if m == nil {
		m = b.newMember()
		b.members[partition] = m
	}
	f(m)
	b.tell()
}

// restart forgets what a task has said: it restores its state.
func (b *guardBoard) restart(partition int32) {
	b.update(partition, func(m *member) { *m = *b.newMember() })
}

// tell wakes who waits for the others. Callers hold mu.
func (b *guardBoard) tell() {
	close(b.progress)
	b.progress = make(chan struct{})
}

// overridden are the guards that let everything pass now.
func (b *guardBoard) overridden() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	var set uint64
	now := b.clock()
	for i, o := range b.override {
		if now.Before(o.until) {
			set |= 1 << i
		}
	}
	return set
}

func (b *guardBoard) letPass(set uint64, o override) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range b.override {
		if set&(1<<i) != 0 {
			b.override[i] = o
		}
	}
}

// trips says which of the guards in set hold already, or would be exceeded by counts (by guard) beside what the other tasks wait with.
// While a task's products are not counted, a share cannot be told, and only what holds already counts.
func (b *guardBoard) trips(partition int32, set uint64, counts []int) uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.exceeded(partition, set, counts, true)
}

// exceeded is trips for callers that hold mu.
func (b *guardBoard) exceeded(partition int32, set uint64, counts []int, early bool) uint64 {
	var products int64
	ready := true
	for _, m := range b.members {
		products += m.products
		ready = ready && (m.ready || m.absent)
	}
	var out uint64
	for rest := set; rest != 0; rest &= rest - 1 {
		g := bits.TrailingZeros64(rest)
		n := counts[g] + b.recent(g)
		held := 0
		for p, m := range b.members {
			held += m.held[g].n
			if p != partition {
				n += m.pending[g]
			}
		}
		if held > 0 || (ready || !early) && n > b.guards[g].allowed(products, b.part) {
			out |= 1 << g
		}
	}
	return out
}

// part is this process's part of a number that all processes divide. Callers hold mu.
func (b *guardBoard) part(n int) int {
	if b.of == 0 {
		return n
	}
	return partOf(n, maps.Keys(b.members), b.of)
}

// recent is how many changes went out within the guard's window. Callers hold mu.
func (b *guardBoard) recent(g int) int {
	w := b.window[g]
	old := 0
	for old < len(w) && b.clock().Sub(w[old].at) > b.guards[g].Window {
		old++
	}
	b.window[g] = w[old:]
	n := 0
	for _, c := range b.window[g] {
		n += c.n
	}
	return n
}

// went notes changes that go out. Callers hold mu.
func (b *guardBoard) went(g, n int) {
	if n == 0 {
		return
	}
	now, w := b.clock(), b.window[g]
	// What goes out in the same sixtieth of the window counts as one.
	if last := len(w) - 1; last >= 0 && now.Sub(w[last].at) < b.guards[g].Window/60 {
		w[last].n += n
		return
	}
	b.window[g] = append(w, counted{now, n})
}

// settle decides on what a task has put aside (counts by guard, up to a cut, at an instant): it waits until every task has counted as far, and
// gives the guards that hold. What the others let pass is counted as gone out.
func (b *guardBoard) settle(ctx context.Context, partition int32, c cut, at time.Time, counts []int) (tripped uint64, err error) {
	b.update(partition, func(m *member) {
		m.cut, m.at, m.waiting = c, at, true
		copy(m.pending, counts)
	})
	b.poke.tell()
	patience := time.NewTimer(guardPatience)
	defer patience.Stop()
	out := false
	for {
		b.mu.Lock()
		if b.counted(partition, c, at, out) {
			var set uint64
			for g, n := range counts {
				if n > 0 {
					set |= 1 << g
				}
			}
			tripped = b.exceeded(partition, set, counts, false)
			m := b.members[partition]
			for g, n := range counts {
				if tripped&(1<<g) == 0 {
					b.went(g, n)
					m.pending[g] = 0
				}
			}
			b.mu.Unlock()
			return tripped, nil
		}
		progress := b.progress
		b.mu.Unlock()
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-progress:
		case <-patience.C:
			out = true
		}
	}
}

// settled ends a task's waiting: what it put aside has gone out or is held.
func (b *guardBoard) settled(partition int32) {
	b.update(partition, func(m *member) {
		m.waiting = false
		clear(m.pending)
	})
}

// counted says whether every other task has counted up to a cut and an instant. Callers hold mu.
func (b *guardBoard) counted(partition int32, c cut, at time.Time, impatient bool) bool {
	for p, m := range b.members {
		switch {
		case p == partition, m.absent:
		case m.cut == nil:
			return false
		case impatient:
		case m.waiting:
			// It is behind and waits only for tasks that are behind it (the order of cuts has no circles), or it has counted as far. Where each is
			// behind the other in some source, neither waits.
			if m.cut.compare(c) < 0 && c.compare(m.cut) >= 0 {
				return false
			}
		case m.cut.compare(c) < 0:
			return false
		case m.idle:
			if !m.wake.IsZero() && !m.wake.After(at) {
				return false
			}
		case m.at.Before(at):
			return false
		}
	}
	return true
}

// notifier wakes everybody who waits.
type notifier struct {
	mu sync.Mutex
	c  chan struct{}
}

func newNotifier() *notifier { return &notifier{c: make(chan struct{})} }

// wait gives a channel that closes at the next tell; ask for it before looking at what is told.
func (n *notifier) wait() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.c
}

func (n *notifier) tell() {
	n.mu.Lock()
	defer n.mu.Unlock()
	close(n.c)
	n.c = make(chan struct{})
}
