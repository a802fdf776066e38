package status

import (
	"sync"
	"time"
)

// Pulse knows when something last answered, whatever the wall clock does. The zero value has never answered, and has not begun to wait.
type Pulse struct {
	mu   sync.Mutex
	last time.Time
	ever bool
}

// Begin says that an answer is waited for from now on, if it was not before.
func (p *Pulse) Begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.last.IsZero() {
		p.last = time.Now()
	}
}

// Beat says that there was an answer.
func (p *Pulse) Beat() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last, p.ever = time.Now(), true
}

// Quiet is for how long there was no answer, since Begin if there was none ever.
func (p *Pulse) Quiet() (quiet time.Duration, ever bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.last.IsZero() {
		return 0, false
	}
	return time.Since(p.last), p.ever
}
