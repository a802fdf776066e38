package retry

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

var errDown = errors.New("the shop is down")

// link is a system that workers speak to.
type link struct {
	up      atomic.Bool
	calls   atomic.Int64
	now     atomic.Int64 // calls under way
	most    atomic.Int64
	took    time.Duration
	success atomic.Int64
}

func (l *link) call(ctx context.Context) error {
	l.calls.Add(1)
	n := l.now.Add(1)
	for m := l.most.Load(); n > m && !l.most.CompareAndSwap(m, n); m = l.most.Load() {
	}
	defer l.now.Add(-1)
	up := l.up.Load()
	if err := Sleep(ctx, l.took); err != nil {
		return err
	}
	if !up {
		return errDown
	}
	l.success.Add(1)
	return nil
}

// workers repeat calls through the breaker until ctx ends.
func workers(ctx context.Context, b *Breaker, l *link, n int) *sync.WaitGroup {
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			for ctx.Err() == nil {
				_ = b.Do(ctx, l.call)
				_ = Sleep(ctx, time.Millisecond) // other work
			}
		})
	}
	return &wg
}

// TestBreakerProbesForAll: of eight workers before a dead link one tries at a time, slower and slower; when the link is back all of them go on after one wait.
func TestBreakerProbesForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		l := &link{took: 10 * time.Millisecond}
		l.up.Store(true)
		b := NewBreaker(Policy{}, nil, nil)
		wg := workers(ctx, b, l, 8)
		_ = Sleep(ctx, time.Second)
		if got := b.Link(); got.Circuit != Closed || got.Failed != 0 || l.most.Load() != 8 {
			t.Errorf("while it works: %+v, %d at once", got, l.most.Load())
		}
		l.up.Store(false)
		_ = Sleep(ctx, 20*time.Millisecond) // what was under way has ended
		if got := b.Link(); got.Failed != 1 || got.Circuit == Closed || !errors.Is(got.Err, errDown) {
			t.Errorf("eight workers that fail at once: %+v, want one try and no way through", got)
		}
		before := l.calls.Load()
		l.most.Store(0)
		_ = Sleep(ctx, time.Minute)
		// 0.2 + 0.4 + 0.8 + 1.6 + 4 + 8 + 16 + 30 s, each at least half of it.
		if n := l.calls.Load() - before; n < 6 || n > 10 || l.most.Load() != 1 {
			t.Errorf("%d tries in a minute, %d at once", n, l.most.Load())
		}
		if got := b.Link(); got.Failed < 7 || got.Circuit == Closed || got.NextTry.IsZero() {
			t.Errorf("after a minute: %+v", got)
		}
		l.up.Store(true)
		wait := time.Until(b.Link().NextTry)
		_ = Sleep(ctx, wait+100*time.Millisecond)
		if got := b.Link(); got.Circuit != Closed || got.Failed != 0 || l.most.Load() != 8 {
			t.Errorf("it is back for %v: %+v, %d at once", wait, got, l.most.Load())
		}
		cancel()
		wg.Wait()
	})
}

// TestBreakerFindsShortOutages: after an outage of a few seconds the work goes on within twice as long, whatever the jitter.
func TestBreakerFindsShortOutages(t *testing.T) {
	for _, out := range []time.Duration{100 * time.Millisecond, time.Second, 2 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			l := &link{took: time.Millisecond}
			b := NewBreaker(Policy{}, nil, nil)
			wg := workers(ctx, b, l, 8)
			_ = Sleep(ctx, out)
			l.up.Store(true)
			back := time.Now()
			for l.success.Load() == 0 {
				_ = Sleep(ctx, time.Millisecond)
			}
			if d := time.Since(back); d > 2*out+210*time.Millisecond {
				t.Errorf("after an outage of %v the work went on after %v", out, d)
			}
			cancel()
			wg.Wait()
		})
	}
}

// TestOneWorkerOpensNothing: a worker that fails for reasons of its own does not hold up others whose tries succeed, nor keep them out once it has opened the breaker while
// they were idle.
func TestOneWorkerOpensNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		b := NewBreaker(Policy{}, nil, nil)
		var wg sync.WaitGroup
		wg.Go(func() {
			for ctx.Err() == nil {
				_ = b.Do(ctx, func(context.Context) error { return errDown })
				_ = Sleep(ctx, 5*time.Millisecond)
			}
		})
		_ = Sleep(ctx, time.Minute)
		if b.Link().Circuit == Closed {
			t.Error("nobody has ever had an answer, and it is closed")
		}
		// Another one gets work: the turn after the first one's is its.
		until, began := b.Link().NextTry, time.Now()
		if err := b.Do(ctx, func(context.Context) error { return nil }); err != nil {
			t.Error(err)
		}
		if d := time.Since(began); d > until.Sub(began)+31*time.Second {
			t.Errorf("it waited %v", d)
		}
		good := 0
		for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
			_ = b.Do(ctx, func(context.Context) error { return nil })
			good++
			_ = Sleep(ctx, time.Millisecond)
		}
		if good < 2000 {
			t.Errorf("%d tries of the good worker in 10 s", good)
		}
		cancel()
		wg.Wait()
	})
}

// TestBreakerWaitsAsAsked: a link that says when to come back is left alone until then, by all workers.
func TestBreakerWaitsAsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBreaker(Policy{}, nil, nil)
		for b.Link().Circuit == Closed {
			_ = b.Do(t.Context(), func(context.Context) error { return comeBack(7 * time.Minute) })
		}
		began := time.Now()
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() { _ = b.Do(t.Context(), func(context.Context) error { return nil }) })
		}
		wg.Wait()
		if d := time.Since(began); d < 7*time.Minute || d > 8*time.Minute {
			t.Errorf("tried again after %v", d)
		}
	})
}

// TestAnswersAreNoFailures: an error by which the link has answered closes the breaker; one that only says that the context is over says nothing.
func TestAnswersAreNoFailures(t *testing.T) {
	answer := errors.New("duplicate key")
	b := NewBreaker(Policy{First: time.Millisecond}, func(err error) bool { return !errors.Is(err, answer) }, nil)
	fail := func(err error) { _ = b.Do(t.Context(), func(context.Context) error { return err }) }
	for range 3 {
		fail(errDown)
	}
	if b.Link().Circuit != Open {
		t.Fatalf("after three failures: %+v", b.Link())
	}
	ctx, cancel := context.WithCancel(t.Context())
	err := b.Do(ctx, func(context.Context) error { cancel(); return ctx.Err() })
	if l := b.Link(); !errors.Is(err, context.Canceled) || l.Circuit != Open || l.Failed != 3 {
		t.Errorf("after a probe whose context ended: %v, %+v", err, l)
	}
	fail(answer)
	if l := b.Link(); l.Circuit != Closed || l.Failed != 0 || l.Err != nil {
		t.Errorf("after an answer: %+v", l)
	}
}

// TestBreakerUnderLoad: whatever happens at once, nobody is forgotten in the queue.
func TestBreakerUnderLoad(t *testing.T) {
	b := NewBreaker(Policy{First: 10 * time.Microsecond, Most: 20 * time.Microsecond, Slow: 50 * time.Microsecond}, nil, nil)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(i), 2))
			for range 2000 {
				ctx, cancel := context.WithCancel(t.Context())
				what := rnd.IntN(10)
				if what == 0 {
					cancel()
				}
				_ = b.Do(ctx, func(context.Context) error {
					switch {
					case what == 1:
						cancel()
						return ctx.Err()
					case what < 8:
						return errDown
					}
					return nil
				})
				cancel()
			}
		})
	}
	wg.Wait()
	if err := b.Do(t.Context(), func(context.Context) error { return nil }); err != nil || b.Link().Circuit != Closed {
		t.Errorf("%v, %+v", err, b.Link())
	}
}
