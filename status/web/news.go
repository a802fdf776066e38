package web

import (
	"context"
	"sync"
)

// news tells every open page that something has changed.
type news struct {
	mu   sync.Mutex
	ears map[chan struct{}]struct{}
}

func newNews() *news { return &news{ears: map[chan struct{}]struct{}{}} }

// join gives a channel that is signalled at news; leave ends it.
func (n *news) join() (ear <-chan struct{}, leave func()) {
	c := make(chan struct{}, 1)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ears[c] = struct{}{}
	return c, func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.ears, c)
	}
}

func (n *news) tell() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for c := range n.ears {
		select {
		case c <- struct{}{}:
		default: // it has not looked since the last time
		}
	}
}

// pass tells of what is new until ctx ends. changed gives a channel that is closed at the next news; it is taken before the pages look.
func (n *news) pass(ctx context.Context, changed func() <-chan struct{}) {
	for c := changed(); ; {
		select {
		case <-ctx.Done():
			return
		case <-c:
		}
		c = changed()
		n.tell()
	}
}
