package web

import (
	"context"
	"sync"
	"time"
)

// Of what is read from the log.
const (
	soon       = 60 * time.Millisecond // for how long a page waits for it, if it has nothing that is new enough
	oldAt      = 30 * time.Second      // what is older than this is waited for
	readWithin = time.Minute           // and then given up
	readShare  = 10                    // it is read for at most one part in so many of the time
)

// reading holds a value that is read from the log, which takes the longer the more is held back. It is read beside the pages that show it, for all of them at once: a page waits a moment at most, and then
// shows what was read before.
type reading[T any] struct {
	mu    sync.Mutex
	value T
	err   error
	has   bool
	at    time.Time     // when the reading of value began
	next  time.Time     // no new one before, unless stale
	stale bool          // something was done since
	ended chan struct{} // closed when the one under way has ended; nil: none is
}

// get gives the value, and whether there is one yet. wait < 0 waits for one that is fresh: until ctx ends, whose error it then gives.
func (c *reading[T]) get(ctx context.Context, s *Server, lasts, wait time.Duration, read func(context.Context) (T, error)) (value T, has bool, err error) {
	now := s.cfg.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.has && !c.stale && now.Before(c.next) && !now.Before(c.at) {
		return c.value, true, c.err
	}
	if c.ended == nil {
		c.begin(s, now, lasts, read)
	}
	if c.has && !c.stale && wait >= 0 && now.Sub(c.at) < oldAt {
		return c.value, true, c.err
	}
	ended := c.ended
	c.mu.Unlock()
	var late <-chan time.Time
	if wait >= 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		late = timer.C
	}
	select {
	case <-ended:
	case <-late:
	case <-ctx.Done():
	}
	c.mu.Lock()
	if !c.has && ctx.Err() != nil {
		return c.value, false, ctx.Err()
	}
	return c.value, c.has, c.err
}

// begin reads beside. c.mu is held.
func (c *reading[T]) begin(s *Server, now time.Time, lasts time.Duration, read func(context.Context) (T, error)) {
	ended := make(chan struct{})
	c.ended, c.stale = ended, false
	s.beside(func(ctx context.Context) {
		began := time.Now()
		value, err := read(ctx)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.value, c.err, c.has, c.at, c.ended = value, err, true, now, nil
		c.next = now.Add(max(lasts, readShare*time.Since(began)))
		close(ended)
	})
}

// drop has it read anew for who asks next: something was done that changes it.
func (c *reading[T]) drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stale = true
}

// beside runs fn until it ends, or the server does.
func (s *Server) beside(fn func(ctx context.Context)) {
	ctx, cancel := context.WithTimeout(context.Background(), readWithin)
	s.reads.Go(func() {
		select {
		case <-s.closing:
			cancel()
		case <-ctx.Done():
		}
	})
	s.reads.Go(func() {
		defer cancel()
		fn(ctx)
	})
}
