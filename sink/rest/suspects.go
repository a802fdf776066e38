package rest

import (
	"context"
	"errors"

	"shelfstream/internal/fault"
	"shelfstream/sink"
	"shelfstream/sink/ledger"
)

// So many records in a row may fail before it is taken for trouble of everybody's.
const (
	mostSuspects = 3  // while nothing has gone well
	mostInARow   = 10 // also if something has
)

// triesBeside is how often a call is made for one record while others go well.
const triesBeside = 3

// failure is why a call did not go well where that may be because of its records.
type failure struct {
	verdict verdict
	err     error
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// isolate finds the records because of which a call for several of them was refused; the others are delivered.
func (s *session) isolate(ctx context.Context, c *call, chunk []*item, first *failure) error {
	var suspects []*item
	var why error
	told := false
	err := sink.Bisect(len(chunk), func(from, to int) error {
		if !told { // the whole was tried
			told = true
			return first
		}
		return s.attempt(ctx, c, chunk[from:to])
	}, func(err error) bool {
		var f *failure
		return errors.As(err, &f)
	}, func(i int, err error) {
		s.tries[chunk[i].id]++
		suspects, why = append(suspects, chunk[i]), err
	})
	if err != nil {
		return err
	}
	return s.judgeSuspects(ctx, c, suspects, why)
}

// enough says whether so many records have failed in a row that the next would as well. Where that was said before and the same ones fail again and again, it looks
// further each time, as they may be what the other side cannot do, and the next one would go well.
func (s *session) enough(suspects []*item) bool {
	most := mostSuspects
	if s.good > 0 {
		most = mostInARow
	}
	tries := 0
	for _, it := range suspects { // not the first's alone: it may have been parked to see whether the next one goes
		tries = max(tries, s.tries[it.id])
	}
	deeper := min(tries/s.t.triesAlone, 5)
	if s.t.now().Sub(s.began) > s.t.call.timeout {
		deeper = 0
	}
	return s.row >= most<<deeper
}

// judgeSuspects decides about records whose calls failed one by one. If others went well it is them; else nobody knows, and everybody waits.
func (s *session) judgeSuspects(ctx context.Context, c *call, suspects []*item, why error) error {
	for _, it := range suspects {
		blind := false
		switch {
		case s.good > 0:
			f, err := s.again(ctx, c, it)
			if err != nil {
				return err
			}
			if f == nil {
				continue
			}
			why = f.err
		case s.tries[it.id] < s.t.triesAlone:
			return why
		case s.t.cfg.Probe != "" && s.t.probe(ctx) == nil:
		case s.t.blind.CompareAndSwap(false, true): // one record is worth it, to see whether the next one goes
			blind = true
		default:
			return why
		}
		it.fault = s.t.recordFault(s.plan.view, it.key, 0, "the server fails over it", why)
		it.fault.Cause, it.fault.Fix = fault.RestFails, "look into the server's log for what it cannot do with this record; it is tried again within a minute"
		if blind {
			it.fault.What = "the server fails over it, or over everything"
		}
		delete(s.tries, it.id)
		// It stays intended: nobody knows whether it was done.
		if err := s.conclude(ctx, &ledger.Change{Park: []sink.Parked{s.parked(it)}}); err != nil {
			return err
		}
	}
	return nil
}

// again makes the call for one suspect again, as others' went well; nil if it goes well now.
func (s *session) again(ctx context.Context, c *call, it *item) (f *failure, _ error) {
	for tries := s.tries[it.id]; f == nil || tries < triesBeside; tries++ {
		err := s.attempt(ctx, it.call0(c), []*item{it})
		if err == nil || !errors.As(err, &f) {
			return nil, err
		}
	}
	return f, nil
}

// call0 is the call that a record is for, also if lookup had it for another.
func (it *item) call0(c *call) *call {
	if it.call != nil {
		return it.call
	}
	return c
}
