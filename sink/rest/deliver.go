package rest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/internal/retry"
	"shelfstream/sink"
	"shelfstream/sink/ledger"
)

// mostSuspects is how many records in a row may fail while nothing goes well before it is taken for trouble of everybody's.
const mostSuspects = 3

// deliver makes the calls for some records. What ends a call for some of them only is noted in them; the error is for what concerns everybody.
func (s *session) deliver(ctx context.Context, c *call, items []*item) error {
	var suspects []*item
	var why error
	for len(items) > 0 {
		n := 1
		if c.batch != nil {
			n = min(c.batch.size(), len(items))
		}
		chunk := items[:n]
		err := s.attempt(ctx, c, chunk)
		var f *failure
		if err != nil && !errors.As(err, &f) {
			return err
		}
		switch {
		case err == nil:
			if c.batch != nil {
				c.batch.went(n)
			}
			items = items[n:]
		case n == 1:
			why = f.err
			suspects = append(suspects, chunk[0])
			s.tries[chunk[0].id]++
			items = items[1:]
			if len(suspects) >= mostSuspects && s.good == 0 {
				items = nil
			}
		case f.verdict == refused || f.verdict == tooLarge:
			if f.verdict == tooLarge {
				c.batch.shrink(n)
			}
			if err := s.isolate(ctx, c, chunk, f); err != nil {
				return err
			}
			items = items[n:]
		default:
			c.batch.shrink(n)
		}
	}
	return s.judgeSuspects(ctx, c, suspects, why)
}

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

// attempt makes one call for some records, from intent to entry. Records that are refused by themselves are parked; a *failure is for what may be their fault.
func (s *session) attempt(ctx context.Context, c *call, items []*item) error {
	var ready []*item
	var intents []ledger.Entry
	var done ledger.Change
	for _, it := range items {
		if err := s.settle(ctx, it); err != nil {
			return err
		}
		if it.fault != nil {
			done.Park = append(done.Park, s.parked(it))
			continue
		}
		if it.call == nil { // the other side has it as it is to be
			s.record(&done, it)
			continue
		}
		e, err := s.prepare(it)
		if err != nil {
			it.fault = s.unrendered(it, err)
			done.Park = append(done.Park, s.parked(it))
			continue
		}
		intents, ready = append(intents, e), append(ready, it)
	}
	if err := s.conclude(ctx, &done); err != nil || len(ready) == 0 {
		return err
	}
	// Another call than the others': a record that lookup has found is changed now.
	if len(ready) > 1 {
		for _, it := range ready {
			if it.call != c {
				return s.oneByOne(ctx, ready)
			}
		}
	}
	if err := s.led.Put(ctx, intents...); err != nil {
		return err
	}
	s.t.step(stepIntended)
	for i, it := range ready {
		delete(s.over, it.id)
		it.entry, it.unsure = intents[i], true
	}
	return s.make(ctx, ready)
}

func (s *session) oneByOne(ctx context.Context, items []*item) error {
	for _, it := range items {
		if err := s.attempt(ctx, it.call, []*item{it}); err != nil {
			return err
		}
	}
	return nil
}

// make makes the call and records what came of it.
func (s *session) make(ctx context.Context, items []*item) error {
	c := items[0].call
	req, err := c.joined(items)
	if err != nil {
		return err
	}
	begun := s.t.now()
	a, err := s.t.call.do(ctx, req, items[0].entry.At.Add(s.t.call.timeout))
	if ctx.Err() != nil && err != nil {
		return ctx.Err()
	}
	for _, it := range items {
		s.over[it.id] = err != nil && notSent(err) || err == nil && a.status >= 300 && a.status < 500 && a.status != 408
	}
	if err != nil {
		err = s.t.lineFault(err)
		s.spoke(c.kind, items, req, begun, err)
		if s.over[items[0].id] {
			return err
		}
		return &failure{unknown, err}
	}
	s.t.step(stepCalled)
	v := judge(a.status, c.fixed || c.batch != nil)
	if c.kind == "delete" && (a.status == 404 || a.status == 410) {
		v = taken
	}
	switch v {
	case taken:
		s.good++
		s.t.blind.Store(false)
		return s.understood(ctx, c, items, req, a, begun)
	case everybody:
		err := s.t.statusFault(a)
		s.spoke(c.kind, items, req, begun, err)
		if a.after > 0 || a.status == 429 {
			s.t.call.limit.pause(max(a.after, time.Second))
		}
		return err
	case refused, tooLarge:
		if len(items) == 1 {
			s.t.blind.Store(false)
			s.good++ // it answers
			return s.turnDown(ctx, c, items[0], req, a, begun)
		}
	case failed, unknown:
	}
	err = s.t.statusFault(a)
	s.spoke(c.kind, items, req, begun, err)
	return &failure{v, err}
}

// notSent says whether a call surely did not reach the other side.
func notSent(err error) bool {
	var token *tokenError
	var op *net.OpError
	return errors.As(err, &token) || errors.As(err, &op) && (op.Op == "dial" || op.Op == "remote error") || badCertificate(err)
}

// turnDown parks a record that the other side refuses.
func (s *session) turnDown(ctx context.Context, c *call, it *item, req *request, a *reply, begun time.Time) error {
	said := s.t.words(a.body)
	if v, err := decodeJSON(a.body); err == nil && len(c.err) > 0 {
		if text, ok := c.err.text(v); ok {
			said = s.t.words([]byte(text))
		}
	}
	it.fault = s.t.recordFault(s.plan.view, it.key, a.status, "the server refuses it with "+a.text, said)
	s.spoke(c.kind, []*item{it}, req, begun, nil)
	var done ledger.Change
	s.record(&done, it)
	return s.conclude(ctx, &done)
}

// record adds what is to be written of a record that is through: delivered, or refused and parked.
func (s *session) record(c *ledger.Change, it *item) {
	delete(s.tries, it.id)
	delete(s.over, it.id)
	if it.fault != nil {
		c.Entries = append(c.Entries, it.turnedDown(s.t.now()))
		c.Park = append(c.Park, s.parked(it))
		return
	}
	s.told = append(s.told, it)
	c.Entries = append(c.Entries, it.delivered(s.t.now()))
	c.Free = append(c.Free, it.rec.Key)
}

// conclude writes a change. What the other side calls its records is on the topic of answers before it counts as delivered, so no crash can leave an answer out.
func (s *session) conclude(ctx context.Context, c *ledger.Change) error {
	told := s.told
	s.told = nil
	if err := s.t.tell(ctx, s.p, told); err != nil {
		return err
	}
	s.t.step(stepAnswered)
	if err := s.led.Write(ctx, *c); err != nil {
		return err
	}
	s.through += len(c.Entries)
	s.t.step(stepDelivered)
	return nil
}

// judgeSuspects decides about records whose calls failed one by one. If others went well it is them; else nobody knows, and everybody waits.
func (s *session) judgeSuspects(ctx context.Context, c *call, suspects []*item, why error) error {
	for _, it := range suspects {
		blind := false
		switch {
		case s.good > 0 && s.tries[it.id] < 2: // the other side is well: once more
			err := s.attempt(ctx, it.call0(c), []*item{it})
			var f *failure
			if err == nil {
				continue
			}
			if !errors.As(err, &f) {
				return err
			}
			why = f.err
		case s.good > 0:
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

// call0 is the call that a record is for, also if lookup had it for another.
func (it *item) call0(c *call) *call {
	if it.call != nil {
		return it.call
	}
	return c
}

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
