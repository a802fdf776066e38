package rest

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/cespare/xxhash/v2"

	"shelfstream/internal/fault"
	"shelfstream/sink/ledger"
	"shelfstream/sink/render"
)

// joined is the request for some records: that of the one, or of all in a batch.
func (c *call) joined(items []*item) (*request, error) {
	first := items[0].req
	if c.batch == nil {
		return first, nil
	}
	list := []byte{'['}
	for i, it := range items {
		if i > 0 {
			list = append(list, ',')
		}
		list = append(list, it.req.body...)
	}
	r := *first
	r.path = c.batch.path
	var err error
	if r.body, err = c.batch.body.Append(nil, render.Record{"items": render.Raw(append(list, ']'))}); err != nil {
		return nil, &fault.Fault{Class: fault.Config, Cause: fault.RestUnrendered, Where: "batch", What: "its body cannot be made: " + err.Error(), Fix: "correct body in batch"}
	}
	if len(items) > 1 && r.key != "" {
		// The key of exactly these records: a smaller batch after a failure is another call.
		d := xxhash.New()
		for _, it := range items {
			_, _ = d.WriteString(it.req.key + "\x00")
		}
		r.key = fmt.Sprintf("batch-%016x", d.Sum64())
	}
	return &r, nil
}

// understood reads an answer that says that the call was taken, and records what it means for each record.
func (s *session) understood(ctx context.Context, c *call, items []*item, req *request, a *reply, begun time.Time) error {
	var done ledger.Change
	var all error
	if c.batch == nil {
		s.single(c, items[0], a)
	} else {
		all = s.each(c, items, a)
	}
	for _, it := range items {
		switch {
		case it.fault != nil && (it.fault.Cause == fault.RestAnswer || it.fault.Cause == fault.RestFails): // it stays intended: nobody knows whether it was done
			done.Park = append(done.Park, s.parked(it))
		case !it.unsure || it.fault != nil:
			s.record(&done, it)
		}
	}
	s.spoke(c.kind, items, req, begun, all)
	if err := s.conclude(ctx, &done); err != nil {
		return err
	}
	return all
}

// single reads the answer to a call of one record.
func (s *session) single(c *call, it *item, a *reply) {
	it.unsure = false
	if !c.named && len(c.err) == 0 {
		return
	}
	v, err := decodeJSON(a.body)
	if err != nil {
		if c.named {
			it.fault = s.answerFault(it, a, "is no JSON")
		}
		return
	}
	s.reads(c, it, v, a)
}

// reads takes what the other side calls a record, or why it refuses it, from an answer or an item of one.
func (s *session) reads(c *call, it *item, v any, a *reply) {
	if len(c.err) > 0 {
		if said, ok := c.err.text(v); ok {
			it.fault = s.t.recordFault(s.plan.view, it.key, 0, "the server refuses it", s.t.words([]byte(said)))
			return
		}
	}
	if !c.named {
		return
	}
	text, ok := c.answer.text(v)
	if !ok {
		it.fault = s.answerFault(it, a, "has nothing where 'answer' says")
		return
	}
	it.answer = text
}

func (s *session) answerFault(it *item, a *reply, what string) *fault.Fault {
	fix := "correct answer, error or batch of the sink; lookup tells then whether the server has it, within a minute"
	if s.plan.lookup == nil {
		fix = fmt.Sprintf("look whether the server has it; correct answer, error or batch of the sink, and send it again with shelfstream replay %s -view %s -to 1h (with the same idempotency key)", s.t.name, s.plan.view)
	}
	return &fault.Fault{
		Class: fault.Runtime, Cause: fault.RestAnswer, Where: fmt.Sprintf("sink %s: %s %s", s.t.name, s.plan.view, it.key),
		What: fmt.Sprintf("the server answers %s, and its answer %s", a.text, what), Err: s.t.words(a.body), Fix: fix,
	}
}

// each reads the answer to a call of several records. The error is for records that the other side asks to send later.
func (s *session) each(c *call, items []*item, a *reply) error {
	answers := s.assign(c.batch, items, a)
	var all error
	for i, it := range items {
		v := answers[i]
		if v == nil {
			it.fault = s.answerFault(it, a, "says nothing of it")
			continue
		}
		status := 200
		if text, ok := c.batch.status.text(v); ok && len(c.batch.status) > 0 {
			if n, err := strconv.Atoi(text); err == nil {
				status = n
			}
		}
		it.unsure = false
		switch judge(status, false) {
		case taken:
			s.reads(c, it, v, a)
		case everybody:
			it.unsure = true
			s.over[it.id] = status < 500
			if all == nil {
				all = s.t.statusFault(&reply{status: status, text: strconv.Itoa(status) + " for " + it.key, body: itemWords(c, v), after: a.after})
			}
		case failed, unknown:
			it.fault = s.t.recordFault(s.plan.view, it.key, status, fmt.Sprintf("the server fails over it with %d", status), s.t.words(itemWords(c, v)))
			it.fault.Cause = fault.RestFails
		case refused, tooLarge:
			it.fault = s.t.recordFault(s.plan.view, it.key, status, fmt.Sprintf("the server refuses it with %d", status), s.t.words(itemWords(c, v)))
		}
	}
	return all
}

func itemWords(c *call, v any) []byte {
	if len(c.err) > 0 {
		if text, ok := c.err.text(v); ok {
			return []byte(text)
		}
	}
	return []byte(plainAnswer(v))
}

// assign finds the item of the answer for each record: by its key, else, in a list as long as the request, by its place.
func (s *session) assign(b *batch, items []*item, a *reply) []any {
	out := make([]any, len(items))
	v, err := decodeJSON(a.body)
	if err != nil {
		return out
	}
	found, _ := b.items.find(v)
	list, ok := found.([]any)
	if !ok {
		return out
	}
	byKey := map[string]any{}
	keyless := make([]bool, len(list))
	for i, v := range list {
		text, has := b.key.text(v)
		if len(b.key) == 0 || !has {
			keyless[i] = true
			continue
		}
		byKey[text] = v
	}
	for i, it := range items {
		key := it.key
		if b.match != nil {
			if text, err := b.match.Append(nil, s.plan.record(it.rec, it.answer)); err == nil {
				key = string(text)
			}
		}
		if v, ok := byKey[key]; ok {
			out[i] = v
		} else if len(list) == len(items) && keyless[i] {
			out[i] = list[i]
		}
	}
	return out
}
