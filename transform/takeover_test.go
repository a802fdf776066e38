package transform

import (
	"context"

	"shelfstream/internal/kafka"
)

// newcomer is a view's runner with a state of its own that has not read any checkpoint yet, so that a test says what it knows of them.
func (l *lab) newcomer(cfg Config) (*Runner, *bound) {
	l.t.Helper()
	l.stateDir = l.t.TempDir()
	store, err := OpenStore(l.stateDir, StoreOptions{CacheMB: 8})
	check(l.t, err)
	l.t.Cleanup(func() { check(l.t, store.Close()) })
	cfg.Store = store
	r, err := NewRunner(cfg)
	check(l.t, err)
	b, err := r.bind(l.t.Context())
	check(l.t, err)
	return r, b
}

// takesOver gives the newcomer all partitions, until it has done everything there is to do.
func (l *lab) takesOver(r *Runner, b *bound) {
	l.t.Helper()
	ctx, cancel := context.WithCancel(l.t.Context())
	done := make(chan error, 1)
	go func() {
		done <- r.generation(ctx, b, kafka.Generation{Assignment: map[string][]int32{r.cfg.View.Root: {0, 1}}})
	}()
	r.mu.Lock()
	r.bound = b
	r.mu.Unlock()
	l.settled(&worker{Runner: r})
	cancel()
	check(l.t, <-done)
}
