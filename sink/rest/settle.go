package rest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/internal/retry"
)

// settle finds out what came of a call that nobody knows the outcome of, before another one is made. If the other side has the record as it is to be, it.call is nil.
func (s *session) settle(ctx context.Context, it *item) error {
	replayed := s.replaying && !it.unsure && it.has != 0 && it.hash != 0 && (it.has == it.hash || s.plan.once)
	if !it.unsure && !replayed {
		return nil
	}
	surely, over := s.over[it.id]
	if surely && over {
		return nil
	}
	if it.unsure && !over {
		// It may still be under way, in a process that does not know yet that it has lost the partition.
		if err := retry.Sleep(ctx, it.entry.At.Add(s.t.call.timeout+s.t.grace).Sub(s.t.now())); err != nil {
			return err
		}
	}
	if s.plan.lookup == nil || it.unsure && it.has != 0 && it.hash != 0 && it.entry.Hash != 0 {
		return nil // the same call with the same key; of a change, lookup could not tell whether it was made
	}
	found, answer, err := s.ask(ctx, it)
	if errors.Is(err, errUnrendered) {
		it.fault = s.unrendered(it, err)
		return nil
	}
	if err != nil {
		return err
	}
	if answer != "" {
		it.answer = answer
	}
	was := it.entry.Hash
	switch {
	case it.hash == 0: // it is to go
		if !found {
			it.call = nil
		}
	case !found: // it was never there, or is no more
		it.has, it.answer, it.call = 0, "", s.plan.create
	case replayed, was == it.hash, s.plan.once:
		it.call = nil
	default: // the other side has an older state
		it.has, it.unsure = hashSome, false
		if s.plan.update != nil {
			it.call = s.plan.update
		}
	}
	return nil
}

// errUnrendered says that a record's lookup cannot be made of it.
var errUnrendered = errors.New("lookup: path")

// ask asks whether the other side has a record, and what it calls it.
func (s *session) ask(ctx context.Context, it *item) (found bool, answer string, _ error) {
	l := s.plan.lookup
	path, err := l.path.Append(nil, s.plan.record(it.rec, it.answer))
	if err != nil {
		return false, "", fmt.Errorf("%w: %w", errUnrendered, err)
	}
	begun := s.t.now()
	req := &request{method: "GET", path: string(path)}
	a, err := s.t.call.do(ctx, req, begun.Add(s.t.call.timeout))
	if err != nil {
		err = s.t.lineFault(err)
		s.spoke("lookup", []*item{it}, req, begun, err)
		return false, "", err
	}
	switch {
	case a.status == 404 || a.status == 410:
	case a.status < 200 || a.status > 299:
		err = s.t.statusFault(a)
	case len(l.found) == 0:
		found = true
	default:
		v, jerr := decodeJSON(a.body)
		if jerr != nil {
			err = &fault.Fault{Class: fault.Environment, Cause: fault.RestAnswer, Where: s.t.where(), What: "the answer of the lookup is no JSON", Err: errors.Join(jerr, s.t.words(a.body)), Fix: "correct lookup of the sink"}
			break
		}
		if _, found = l.found.text(v); found {
			answer, _ = l.answer.text(v)
		}
	}
	s.spoke("lookup", []*item{it}, req, begun, err)
	if err != nil && (a.after > 0 || a.status == 429) {
		s.t.call.limit.pause(max(a.after, time.Second))
	}
	return found, answer, err
}
