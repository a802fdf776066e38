package rest

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/schemas"
	"shelfstream/sink"
	"shelfstream/sink/ledger"
)

// item is one record on its way.
type item struct {
	rec *sink.Record
	id  sink.KeyHash
	key string // for people

	entry  ledger.Entry // as the ledger had it
	unsure bool         // a call was made or intended, and nobody knows what came of it
	has    uint64       // hash of what the other side has; 0 nothing, hashSome something
	answer string       // what the other side calls it

	hash uint64 // of what it is to have; 0: it is to go
	call *call
	req  *request

	fault *fault.Fault // why it is parked
}

// hashSome stands for a payload that nobody knows.
const hashSome = 1

// item reads what is known of a record.
func (s *session) item(r *sink.Record) *item {
	it := &item{rec: r, id: sink.HashKey(r.Key), key: keyText(r.KeyValues)}
	e, known := s.led.Get(r.Key)
	if !known {
		return it
	}
	it.entry, it.answer = e, e.Answer
	switch e.State {
	case ledger.Delivered, ledger.Acknowledged:
		it.has = e.Hash
	case ledger.Intended:
		it.unsure = true
		it.has, _ = strconv.ParseUint(e.Temp, 16, 64)
	case ledger.Refused:
		it.answer = ""
	}
	return it
}

// decide says what is to be done for a record; false: nothing. A fault parks it.
func (s *session) decide(it *item) bool {
	p := s.plan
	if it.rec.Row == nil {
		it.call = p.remove
		return p.remove != nil && (it.unsure || it.has != 0)
	}
	req, err := p.create.request(p.record(it.rec, ""))
	if err != nil {
		it.fault = s.unrendered(it, err)
		return false
	}
	it.hash = req.hash()
	it.call = p.create
	if it.has != 0 && p.update != nil && (!it.unsure || it.entry.Hash != 0) {
		it.call = p.update
	}
	if it.unsure || it.has == 0 {
		return true
	}
	if p.once || it.has == it.hash {
		// A replay is asked for when the other side has lost something: lookup tells whether it has, and what can be repeated without harm is.
		return s.replaying && (p.lookup != nil || !p.once && it.call.method == "PUT")
	}
	return true
}

// prepare renders the call as it is to be made, and gives the intent to record before it.
func (s *session) prepare(it *item) (ledger.Entry, error) {
	r := s.plan.record(it.rec, it.answer)
	req, err := it.call.request(r)
	if err != nil {
		return ledger.Entry{}, err
	}
	e := ledger.Entry{Key: it.rec.Key, State: ledger.Intended, Offset: it.rec.Offset, Hash: it.hash, Answer: it.answer, At: s.t.now()}
	if it.has != 0 {
		e.Temp = strconv.FormatUint(it.has, 16)
	}
	if it.repeats() {
		e.Name, e.Attempt = it.entry.Name, it.entry.Attempt
	} else {
		e.Attempt = it.entry.Attempt + 1
		if e.Name, err = s.plan.nameOf(r, it.key, e.Attempt); err != nil {
			return e, err
		}
	}
	req.key, req.keyHeader = e.Name, s.plan.header
	if req.keyHeader == "" {
		req.key = ""
	}
	it.req = req
	return e, nil
}

// repeats says whether a call is the repetition of one whose outcome nobody knows: then it has the same idempotency key. So has the first delivery of a record
// whose payload has changed since, for the other side must not have it twice.
func (it *item) repeats() bool {
	return it.unsure && it.entry.Name != "" && (it.entry.Hash == it.hash || it.has == 0 && it.hash != 0 && it.entry.Hash != 0)
}

// delivered is the entry of a record that the other side has now as it is to be.
func (it *item) delivered(now time.Time) ledger.Entry {
	e := it.entry
	e.Key, e.State, e.Offset, e.Hash, e.Answer, e.Temp, e.At = it.rec.Key, ledger.Delivered, it.rec.Offset, it.hash, it.answer, "", now
	return e
}

// turnedDown is the entry of a record that the other side has refused: it has what it had before.
func (it *item) turnedDown(now time.Time) ledger.Entry {
	e := it.entry
	e.Key, e.Offset, e.Temp, e.At = it.rec.Key, it.rec.Offset, "", now
	e.State, e.Hash = ledger.Delivered, it.has
	if it.has == 0 {
		e.State = ledger.Refused
		if it.fault != nil && it.fault.Err != nil {
			e.Answer = it.fault.Err.Error()
		}
	}
	return e
}

func (s *session) unrendered(it *item, err error) *fault.Fault {
	return &fault.Fault{
		Class: fault.Runtime, Cause: fault.RestUnrendered, Where: fmt.Sprintf("sink %s: %s %s", s.t.name, s.plan.view, it.key), What: "the call cannot be made of it: " + err.Error(),
		Fix: "correct the value in the source or in a rule, or the sink's template; it is tried again within a minute",
	}
}

func (s *session) parked(it *item) sink.Parked {
	return sink.Parked{
		Topic: s.p.View.Topic, Partition: s.p.ID, Offset: it.rec.Offset, ID: append([]byte(nil), it.rec.Key...), Key: it.key, SourceTSMS: it.rec.SourceTSMS, Fault: it.fault,
	}
}

// keyText is a key for people.
func keyText(key []schemas.Value) string {
	parts := make([]string, len(key))
	for i := range key {
		parts[i] = string(schemas.AppendCanonical(nil, key[i]))
	}
	return strings.Join(parts, "/")
}
