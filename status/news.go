package status

import "sync"

// News lets any number of goroutines wait for the next change of something. The zero value is ready.
type News struct {
	mu   sync.Mutex
	next chan struct{}
}

// Changed is closed at the next Tell. Take it before looking at what may change, so that no change is missed.
func (n *News) Changed() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.next == nil {
		n.next = make(chan struct{})
	}
	return n.next
}

// Tell wakes those who wait.
func (n *News) Tell() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.next != nil {
		close(n.next)
		n.next = nil
	}
}
