package rest

import (
	"context"
	"sync"
	"time"

	"shelfstream/internal/retry"
)

// limiter spaces the calls of all workers to one target, and holds all of them back while the other side wants to be left alone.
type limiter struct {
	every time.Duration // between two calls; 0: no limit
	now   func() time.Time

	mu    sync.Mutex
	next  time.Time // the first free slot
	until time.Time // nobody calls before
}

func newLimiter(rate float64, now func() time.Time) *limiter {
	l := &limiter{now: now}
	if rate > 0 {
		l.every = time.Duration(float64(time.Second) / rate)
	}
	return l
}

// wait returns when a call may be made, or ctx's error.
func (l *limiter) wait(ctx context.Context) error {
	for {
		d, granted := l.slot()
		if granted && d <= 0 {
			return ctx.Err()
		}
		if err := retry.Sleep(ctx, d); err != nil || granted {
			return err
		}
	}
}

// slot takes the next free one and says how long it is until then; not granted: everybody waits so long, and asks again.
func (l *limiter) slot() (time.Duration, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if d := l.until.Sub(now); d > 0 {
		return d, false
	}
	if l.every == 0 {
		return 0, true
	}
	at := l.next
	if at.Before(now) {
		at = now
	}
	l.next = at.Add(l.every)
	return at.Sub(now), true
}

// pause holds all calls back for d.
func (l *limiter) pause(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if until := l.now().Add(d); until.After(l.until) {
		l.until = until
	}
}
