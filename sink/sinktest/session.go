package sinktest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/sink"
)

// memorySession writes one partition of a Memory.
type memorySession struct {
	m     *Memory
	p     sink.Partition
	place sink.Place
	epoch int64
	wake  func()
	woken []int64
}

// Place implements sink.Session.
func (s *memorySession) Place() sink.Place { return s.place }

// Close implements sink.Session.
func (s *memorySession) Close() error { return nil }

// Apply implements sink.Session. It bisects though it could just look, so that the runner's tests go through sink.Bisect.
func (s *memorySession) Apply(ctx context.Context, b *sink.Batch) ([]sink.Parked, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if s.m.Fail != nil {
		if err := s.m.Fail(s.p, b); err != nil {
			return nil, err
		}
	}
	parked, err := s.commit(b)
	if err == nil && s.m.Lose != nil {
		err = s.m.Lose(s.p, b)
	}
	if err != nil {
		return nil, err
	}
	if b.Next > s.place.Next {
		s.place.Next, s.place.ReplayUntil = b.Next, 0
	}
	return parked, nil
}

func (s *memorySession) commit(b *sink.Batch) ([]sink.Parked, error) {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	place := s.m.places[s.p.String()]
	if place.epoch != s.epoch {
		return nil, fmt.Errorf("%s: %w", s.p, sink.ErrLost)
	}
	if place.Next != s.place.Next {
		if place.Next == b.Next {
			return nil, nil // committed by an attempt whose answer was lost
		}
		return nil, fmt.Errorf("%s: %w", s.p, sink.ErrLost)
	}
	parked := slices.Clone(b.Parked)
	var good []*sink.Record
	err := sink.Bisect(len(b.Records), func(from, to int) error {
		for i := from; i < to; i++ {
			if s.m.Reject != nil {
				if f := s.m.Reject(&b.Records[i]); f != nil {
					return f
				}
			}
		}
		for i := from; i < to; i++ {
			good = append(good, &b.Records[i])
		}
		return nil
	}, func(error) bool { return true }, func(i int, err error) {
		r := &b.Records[i]
		p := sink.Parked{Topic: s.p.View.Topic, Partition: s.p.ID, Offset: r.Offset, ID: bytes.Clone(r.Key), Key: Text(r.KeyValues), SourceTSMS: r.SourceTSMS, Since: time.Now()}
		if !errors.As(err, &p.Fault) {
			p.Fault = &fault.Fault{What: err.Error()}
		}
		parked = append(parked, p)
	})
	if err != nil {
		return nil, err
	}
	for _, r := range good {
		s.m.put(s.p.View.Name, r.KeyValues, r.Row)
		place.parked = slices.DeleteFunc(place.parked, func(p sink.Parked) bool { return bytes.Equal(p.ID, r.Key) })
	}
	for _, p := range parked {
		place.parked = slices.DeleteFunc(place.parked, func(o sink.Parked) bool { return bytes.Equal(o.ID, p.ID) })
		place.parked = append(place.parked, p)
	}
	if b.Next > place.Next {
		place.Next, place.ReplayUntil = b.Next, 0
	}
	place.Updated = time.Now()
	return parked, nil
}

// Parked implements sink.Retrier.
func (s *memorySession) Parked(_ context.Context, after int64, limit int) ([]sink.Parked, error) {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	var out []sink.Parked
	for _, p := range s.m.places[s.p.String()].parked {
		if p.Offset > after {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b sink.Parked) int { return int(a.Offset - b.Offset) })
	return out[:min(limit, len(out))], nil
}

// Held implements sink.Retrier.
func (s *memorySession) Held() int {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	return len(s.m.places[s.p.String()].parked)
}

// OnWake implements sink.Retrier.
func (s *memorySession) OnWake(wake func()) {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	s.wake = wake
}

// TakeWoken implements sink.Retrier; nothing in memory waits for anything.
func (s *memorySession) TakeWoken() []int64 {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	w := s.woken
	s.woken = nil
	return w
}
