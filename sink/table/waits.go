package table

import (
	"slices"
	"sync"

	"shelfstream/sink"
)

type waitKey = sink.KeyHash

// waitKeyOf stands for what one unique index of a table has of one product.
func waitKeyOf(table, index, key string) waitKey {
	return sink.HashKey([]byte(table + "\x1f" + index + "\x1f" + key))
}

// holds knows, over all sessions of the process, who waits for which row to give up a value. Products held by other processes are woken by their
// periodic retry.
type holds struct {
	mu    sync.Mutex
	waits map[waitKey]map[*session][]int64 // offsets of parked records
	woken map[*session][]int64
}

func (h *holds) init() {
	h.waits = map[waitKey]map[*session][]int64{}
	h.woken = map[*session][]int64{}
}

// wait notes that the record at offset waits for k.
func (h *holds) wait(s *session, k waitKey, offset int64) {
	if k == (waitKey{}) {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	m := h.waits[k]
	if m == nil {
		m = map[*session][]int64{}
		h.waits[k] = m
	}
	if slices.Contains(m[s], offset) {
		return
	}
	m[s] = append(m[s], offset)
}

// any says whether somebody waits at all.
func (h *holds) any() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.waits) > 0
}

// wake signals everybody who waits for k, and forgets them.
func (h *holds) wake(k waitKey) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s, offsets := range h.waits[k] {
		h.woken[s] = append(h.woken[s], offsets...)
		if s.wake != nil {
			s.wake()
		}
	}
	delete(h.waits, k)
}

// drop forgets a session.
func (h *holds) drop(s *session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.woken, s)
	for k, m := range h.waits {
		if delete(m, s); len(m) == 0 {
			delete(h.waits, k)
		}
	}
}

// OnWake implements sink.Retrier.
func (s *session) OnWake(wake func()) {
	s.t.holds.mu.Lock()
	s.wake = wake
	s.t.holds.mu.Unlock()
}

// Held implements sink.Retrier.
func (s *session) Held() int { return len(s.held) }

// TakeWoken implements sink.Retrier.
func (s *session) TakeWoken() []int64 {
	s.t.holds.mu.Lock()
	defer s.t.holds.mu.Unlock()
	w := s.t.holds.woken[s]
	delete(s.t.holds.woken, s)
	return w
}

// settle notes after a commit who is held now, and wakes those who waited for rows of the batch.
func (s *session) settle(vp *viewPlan, b *sink.Batch, parked []held) {
	isParked := map[int64]bool{}
	for i := range parked {
		isParked[parked[i].Offset] = true
	}
	waiting := s.t.holds.any()
	for i := range b.Records {
		r := &b.Records[i]
		if isParked[r.Offset] {
			continue
		}
		if len(s.held) > 0 {
			delete(s.held, sink.HashKey(r.Key))
		}
		if waiting {
			key := keyText(r.KeyValues)
			for _, p := range vp.all() {
				if !p.guard {
					continue
				}
				s.t.holds.wake(waitKeyOf(p.name, keyIndex, key))
				for _, ix := range p.secondary {
					s.t.holds.wake(waitKeyOf(p.name, ix.Name, key))
				}
			}
		}
	}
	for _, id := range b.Gone {
		delete(s.held, sink.HashKey(id))
	}
	for i := range parked {
		if len(s.held) < maxHeld {
			s.held[parked[i].hash] = struct{}{}
		} else {
			s.heldMore = true
		}
		s.t.holds.wait(s, parked[i].waitsFor, parked[i].Offset)
	}
}
