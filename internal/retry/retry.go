// Package retry repeats an operation with exponential back-off and full jitter, and never waits past the end of its context.
package retry

import (
	"context"
	"math/rand/v2"
	"time"
)

// Backoff says how long to wait between attempts: a random time between 0 and min(Max, Base·2^attempt). The random part keeps
// many workers that failed together from coming back together. The zero value waits up to 50 ms first and 5 s at most.
type Backoff struct {
	Base time.Duration // upper bound of the first wait; 0 means 50 ms
	Max  time.Duration // upper bound of any wait; 0 means 5 s
	// Rand gives numbers in [0,1); nil means math/rand. Tests set it.
	Rand func() float64
}

// Delay is the wait before attempt+1, for attempt counting from 0.
func (b Backoff) Delay(attempt int) time.Duration {
	base, most := b.Base, b.Max
	if base <= 0 {
		base = 50 * time.Millisecond
	}
	if most <= 0 {
		most = 5 * time.Second
	}
	ceil := most
	if attempt < 0 {
		attempt = 0
	}
	// Compared before shifting, so that a large attempt cannot overflow.
	if attempt < 62 && base <= most>>attempt {
		ceil = base << attempt
	}
	r := rand.Float64
	if b.Rand != nil {
		r = b.Rand
	}
	return time.Duration(r() * float64(ceil))
}

// Wait waits Delay(attempt), or until ctx ends, whose error it then returns.
func (b Backoff) Wait(ctx context.Context, attempt int) error {
	return Sleep(ctx, b.Delay(attempt))
}

// Sleep waits for d, or until ctx ends, whose error it then returns.
func Sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Do calls fn until it returns nil, or an error for which again says false, or ctx ends. The error is the last one of fn; if ctx
// ended before fn was called at all, it is the context's. A nil again repeats every error.
func (b Backoff) Do(ctx context.Context, fn func(context.Context) error, again func(error) bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for attempt := 0; ; attempt++ {
		err := fn(ctx)
		if err == nil || (again != nil && !again(err)) {
			return err
		}
		if b.Wait(ctx, attempt) != nil {
			return err
		}
	}
}
