package retry

import (
	"context"
	"sync"
	"time"
)

// Circuit is the state of a breaker.
type Circuit string

// The states of a breaker.
const (
	Closed   Circuit = "closed"    // everybody may try
	Open     Circuit = "open"      // nobody tries before NextTry
	HalfOpen Circuit = "half-open" // one tries for all
)

// openAfter is how many tries of all workers in a row must fail before a breaker opens: one broken connection among several is no link that is down.
const openAfter = 3

// Breaker stands before a link that several workers share. While the link works it lets everybody through. Once tries have failed three times
// in a row, whoever made them, it lets one through after the wait of the policy, and the others wait for what comes of it: if the link answers, all go on at once. The
// workers take turns, so that trouble of one of them alone cannot keep the others out. Make it with NewBreaker; several goroutines may use it.
type Breaker struct {
	policy Policy
	down   func(error) bool
	now    func() time.Time

	mu       sync.Mutex
	failures int           // tries that failed in a row, each worker's counted
	round    int           // the same, those that were under way together counted once
	err      error         // of the newest
	next     time.Time     // not before, while it is open
	probing  bool          // one is trying for all
	queue    []*waiter     // whose turn it is, while it is open
	closed   chan struct{} // closed when the breaker closes; nil while it is closed
}

// waiter is somebody in the queue; turn is closed when it is at its head and nobody tries.
type waiter struct{ turn chan struct{} }

// Link is how a breaker's link does.
type Link struct {
	Circuit Circuit
	// Failed is how many tries in a row have failed; tries of several workers at one time count once.
	Failed int
	// NextTry is when the next one may be made; zero while the circuit is closed.
	NextTry time.Time
	// Err is the newest failure.
	Err error
}

// NewBreaker makes a breaker that is closed. down says which errors mean that the link as a whole is down; with any other the link has answered. nil: all.
// now is the clock; nil means time.Now.
func NewBreaker(p Policy, down func(error) bool, now func() time.Time) *Breaker {
	if down == nil {
		down = func(error) bool { return true }
	}
	if now == nil {
		now = time.Now
	}
	return &Breaker{policy: p.WithDefaults(), down: down, now: now}
}

// Link says how the link does.
func (b *Breaker) Link() Link {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := Link{Circuit: Closed, Failed: b.round, Err: b.err}
	if b.closed != nil {
		l.Circuit, l.NextTry = Open, b.next
		if b.probing {
			l.Circuit = HalfOpen
		}
	}
	return l
}

// Do calls fn as soon as a try may be made, and gives its error back; if ctx ends before, ctx's. It does not repeat.
func (b *Breaker) Do(ctx context.Context, fn func(context.Context) error) error {
	mine, err := b.enter(ctx)
	if err != nil {
		return err
	}
	b.mu.Lock()
	round := b.round
	b.mu.Unlock()
	told := false
	defer func() {
		if !told { // fn panicked
			b.cancel(mine)
		}
	}()
	err = fn(ctx)
	told = true
	switch {
	case err != nil && ctx.Err() != nil:
		b.cancel(mine) // it says nothing of the link
	case err != nil && b.down(err):
		b.failed(mine, round, err)
	default:
		b.answered()
	}
	return err
}

// probe is what a try that is made for all has of the breaker: the channel that was there when it began. nil: an ordinary try.
type probe chan struct{}

// enter waits until a try may be made.
func (b *Breaker) enter(ctx context.Context) (probe, error) {
	b.mu.Lock()
	if b.closed == nil {
		b.mu.Unlock()
		return nil, ctx.Err()
	}
	w := &waiter{turn: make(chan struct{})}
	b.queue = append(b.queue, w)
	b.call()
	closed := b.closed
	b.mu.Unlock()

	select {
	case <-closed:
		return nil, ctx.Err()
	case <-ctx.Done():
		b.leave(w)
		return nil, ctx.Err()
	case <-w.turn:
	}
	b.mu.Lock()
	wait := b.next.Sub(b.now())
	b.mu.Unlock()
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-closed: // a try that was under way since before has succeeded
		return nil, ctx.Err()
	case <-ctx.Done():
		b.leave(w)
		return nil, ctx.Err()
	case <-t.C:
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed != closed {
		return nil, nil //nolint:nilnil // an ordinary try
	}
	b.probing = true
	return closed, nil
}

// call gives the head of the queue its turn. b.mu is held.
func (b *Breaker) call() {
	if len(b.queue) == 0 || b.probing {
		return
	}
	select {
	case <-b.queue[0].turn:
	default:
		close(b.queue[0].turn)
	}
}

// leave takes a waiter out of the queue.
func (b *Breaker) leave(w *waiter) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, o := range b.queue {
		if o == w {
			b.queue = append(b.queue[:i], b.queue[i+1:]...)
			break
		}
	}
	b.call()
}

// done ends a probe: its maker leaves the head of the queue. b.mu is held.
func (b *Breaker) done(p probe) {
	if p != nil && b.closed == p {
		b.probing, b.queue = false, b.queue[1:]
	}
}

// cancel ends a try that says nothing.
func (b *Breaker) cancel(p probe) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done(p)
	b.call()
}

// failed notes a try that failed. One that began before the newest failure was known tells nothing more than that did.
func (b *Breaker) failed(p probe, round int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done(p)
	b.failures++
	b.err = err
	if round == b.round {
		b.round++
		b.next = b.now().Add(b.policy.Delay(b.round, err))
	}
	if b.failures >= openAfter && b.closed == nil {
		b.closed = make(chan struct{})
	}
	b.call()
}

// answered notes that the link works: everybody goes on.
func (b *Breaker) answered() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures, b.round, b.err, b.next = 0, 0, nil, time.Time{}
	b.probing, b.queue = false, nil
	if b.closed != nil {
		close(b.closed)
		b.closed = nil
	}
}
