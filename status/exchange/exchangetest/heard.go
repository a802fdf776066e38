// Package exchangetest has what tests of stages and connectors need to see what they tell of their communications.
package exchangetest

import (
	"slices"
	"sync"

	"shelfstream/status/exchange"
)

// Heard is a Log that keeps everything. The zero value is ready.
type Heard struct {
	mu   sync.Mutex
	list []exchange.Exchange
}

var _ exchange.Log = (*Heard)(nil)

// Add implements exchange.Log.
func (h *Heard) Add(e exchange.Exchange) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.list = append(h.list, e)
}

// Find is the first exchange of a kind with an outcome; nil if there is none yet.
func (h *Heard) Find(kind, outcome string) *exchange.Exchange {
	for _, e := range h.All() {
		if e.Kind == kind && e.Outcome == outcome {
			return &e
		}
	}
	return nil
}

// All are those heard so far, in order.
func (h *Heard) All() []exchange.Exchange {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.list)
}
