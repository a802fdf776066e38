package incident

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"shelfstream/status/escalate"
	"shelfstream/status/notify"
)

// sendAtOnce is how many deliveries are under way at one time, so that one mail server that hangs does not hold up the rest.
const sendAtOnce = 4

// sender delivers messages beside the keeper. It belongs to the process and not to a turn: how a delivery ended is noted in the next turn, if this one is over.
type sender struct {
	notifier Notifier
	slots    chan struct{}
	done     chan struct{} // capacity 1: there is an outcome
	running  atomic.Int32

	mu       sync.Mutex
	outcomes []outcome
	under    map[string]bool // messages under way, by ID
}

// outcome is how a delivery ended.
type outcome struct {
	batch   escalate.Batch
	channel string
	err     error
	at      time.Time
}

func newSender(n Notifier) *sender {
	return &sender{notifier: n, slots: make(chan struct{}, sendAtOnce), done: make(chan struct{}, 1), under: map[string]bool{}}
}

// errTurnOver says that a message was not begun with: it was not this process's turn any more.
var errTurnOver = errors.New("another process keeps the incidents now")

// send delivers a message as soon as there is room for it. What is under way when the turn ends goes on until process ends: given up, it would be in doubt.
func (s *sender) send(turn, process context.Context, b escalate.Batch, c notify.Content) {
	s.running.Add(1)
	s.mu.Lock()
	s.under[b.Message.ID] = true
	s.mu.Unlock()
	go func() {
		select {
		case s.slots <- struct{}{}:
			defer func() { <-s.slots }()
		case <-turn.Done():
		}
		o := outcome{batch: b, err: errTurnOver}
		if turn.Err() == nil {
			o.channel, o.err = s.notifier.Deliver(process, b.Message, c)
		}
		o.at = time.Now()
		s.mu.Lock()
		s.outcomes = append(s.outcomes, o)
		delete(s.under, b.Message.ID)
		s.mu.Unlock()
		s.running.Add(-1)
		s.wake()
	}()
}

// idle waits until nothing is under way; false if ctx ended before.
func (s *sender) idle(ctx context.Context) bool {
	for s.running.Load() > 0 {
		select {
		case <-s.done:
		case <-ctx.Done():
			return s.running.Load() == 0
		}
	}
	return true
}

// has says whether a message is under way, or how it ended is not noted yet.
func (s *sender) has(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.under[id] || slices.ContainsFunc(s.outcomes, func(o outcome) bool { return o.batch.Message.ID == id })
}

// take gives the outcomes that nobody has noted.
func (s *sender) take() []outcome {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.outcomes
	s.outcomes = nil
	return all
}

func (s *sender) giveBack(all []outcome) {
	if len(all) == 0 {
		return
	}
	s.mu.Lock()
	s.outcomes = slices.Concat(all, s.outcomes)
	s.mu.Unlock()
	s.wake()
}

func (s *sender) wake() {
	select {
	case s.done <- struct{}{}:
	default:
	}
}
