package rest

import (
	"context"
	"errors"
	"net"
	"time"

	"shelfstream/sink/ledger"
)

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
			if s.row++; s.enough(suspects) {
				if s.good > 0 {
					return why
				}
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
		s.wentWell()
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
			s.wentWell() // it answers
			return s.turnDown(ctx, c, items[0], req, a, begun)
		}
	case failed, unknown:
	}
	err = s.t.statusFault(a)
	s.spoke(c.kind, items, req, begun, err)
	return &failure{v, err}
}

// wentWell counts a call that the other side understood.
func (s *session) wentWell() {
	s.good++
	s.row = 0
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
