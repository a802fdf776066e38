package ledger

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/internal/kafka"
	"shelfstream/sink"
)

// Change is written in one go, in this order; a crash may leave the first part of it.
type Change struct {
	Entries []Entry
	// Forget removes entries: intents that were withdrawn before anything happened.
	Forget [][]byte
	// Park keeps records that cannot be delivered; each replaces what is parked of its ID.
	Park []sink.Parked
	// Free are the IDs of records that are parked no more.
	Free [][]byte
	// Place is where the partition stands after it. Its Updated is set to now.
	Place *sink.Place
}

// A record's key is the view, a zero byte, what it is, and the record's key or ID: several views share the topic's partitions.
const (
	kindEntry = 'e'
	kindHeld  = 'h'
	kindPlace = 'p'
)

func topicKey(v sink.View, kind byte, id []byte) []byte {
	b := make([]byte, 0, len(v.Name)+2+len(id))
	b = append(b, v.Name...)
	return append(append(b, 0, kind), id...)
}

// Write writes a change; all of it is durable when it returns. The errors are those of Put.
func (l *Ledger) Write(ctx context.Context, c Change) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	records, err := l.records(&c)
	if err != nil || len(records) == 0 {
		return err
	}
	for _, r := range records {
		if err := l.producer.Produce(ctx, l.cfg.Topic, l.p.ID, r); err != nil {
			return l.lost(err)
		}
	}
	if err := l.producer.Flush(ctx); err != nil {
		return l.lost(err)
	}
	l.mu.Lock()
	l.take(&c)
	l.mu.Unlock()
	return l.vouch(ctx)
}

// records are those that say the change.
func (l *Ledger) records(c *Change) ([]kafka.Record, error) {
	var out []kafka.Record
	put := func(kind byte, id []byte, v any) error {
		value, err := json.Marshal(v)
		out = append(out, kafka.Record{Key: topicKey(l.p.View, kind, id), Value: value})
		return err
	}
	for i := range c.Entries {
		value, err := c.Entries[i].encode()
		if err != nil {
			return nil, err
		}
		out = append(out, kafka.Record{Key: topicKey(l.p.View, kindEntry, c.Entries[i].Key), Value: value})
	}
	for _, key := range c.Forget {
		out = append(out, kafka.Record{Key: topicKey(l.p.View, kindEntry, key)})
	}
	for i := range c.Park {
		p := &c.Park[i]
		p.ID = bytes.Clone(p.ID) // it is kept
		if p.Since.IsZero() {
			p.Since = l.since(p.ID)
		}
		if err := put(kindHeld, c.Park[i].ID, wireOf(&c.Park[i])); err != nil {
			return nil, err
		}
	}
	for _, id := range c.Free {
		if l.IsHeld(id) {
			out = append(out, kafka.Record{Key: topicKey(l.p.View, kindHeld, id)})
		}
	}
	if p := c.Place; p != nil {
		p.Updated = l.cfg.Now()
		if err := put(kindPlace, nil, wirePlace{p.Next, p.ReplayUntil, p.Prune, p.Updated.UTC()}); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// since is when a record was first parked.
func (l *Ledger) since(id []byte) time.Time {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if p, ok := l.held[sink.HashKey(id)]; ok {
		return p.Since
	}
	return l.cfg.Now()
}

// take makes memory what was written. l.mu is held.
func (l *Ledger) take(c *Change) {
	l.seen = true
	for i := range c.Entries {
		l.keep(sink.HashKey(c.Entries[i].Key), &c.Entries[i])
	}
	for _, key := range c.Forget {
		h := sink.HashKey(key)
		delete(l.open, h)
		delete(l.done, h)
	}
	for i := range c.Park {
		l.held[sink.HashKey(c.Park[i].ID)] = c.Park[i]
	}
	for _, id := range c.Free {
		delete(l.held, sink.HashKey(id))
	}
	if len(c.Park)+len(c.Free) > 0 {
		l.sorted = nil
	}
	if c.Place != nil {
		l.place = *c.Place
	}
}

// lost is sink.ErrLost for a producer that has ended, whatever ended it: the partition has to be opened anew.
func (l *Ledger) lost(err error) error {
	if errors.Is(err, kafka.ErrFenced) || l.producer.Err() != nil {
		return fmt.Errorf("ledger %s/%d: %w: %w", l.cfg.Topic, l.p.ID, sink.ErrLost, err)
	}
	return fmt.Errorf("write the ledger %s/%d: %w", l.cfg.Topic, l.p.ID, err)
}

// read takes one record of the topic. Those of other views are not ours.
func (l *Ledger) read(r *kafka.Record) error {
	rest, ok := strings.CutPrefix(string(r.Key), l.p.View.Name+"\x00")
	if !ok || rest == "" {
		return nil
	}
	id := []byte(rest[1:])
	var c Change
	switch kind := rest[0]; {
	case kind == kindEntry && r.Value == nil:
		c.Forget = [][]byte{id}
	case kind == kindEntry:
		e, err := decodeEntry(id, r.Value)
		if err != nil {
			return l.unreadable(r, err)
		}
		c.Entries = []Entry{e}
	case kind == kindHeld && r.Value == nil:
		c.Free = [][]byte{id}
	case kind == kindHeld:
		var w wireParked
		if err := json.Unmarshal(r.Value, &w); err != nil {
			return l.unreadable(r, err)
		}
		c.Park = []sink.Parked{w.parked(l.p, id)}
	case kind == kindPlace && r.Value != nil:
		var w wirePlace
		if err := json.Unmarshal(r.Value, &w); err != nil {
			return l.unreadable(r, err)
		}
		c.Place = &sink.Place{Next: w.Next, ReplayUntil: w.ReplayUntil, Prune: w.Prune, Updated: w.Updated}
	}
	l.take(&c)
	return nil
}

// unreadable: going on without the entry could deliver something twice, so nothing goes on.
func (l *Ledger) unreadable(r *kafka.Record, err error) error {
	return &fault.Fault{
		Class: fault.Environment, Cause: fault.TopicForeign, Where: fmt.Sprintf("%s/%d@%d", l.cfg.Topic, l.p.ID, r.Offset), What: "what was delivered cannot be read", Err: err,
		Fix: "find out who else writes to " + l.cfg.Topic + ", and restore the topic; nothing is delivered meanwhile",
	}
}

type wirePlace struct {
	Next        int64     `json:"next"`
	ReplayUntil int64     `json:"replay_until,omitempty"`
	Prune       bool      `json:"prune,omitempty"`
	Updated     time.Time `json:"updated"`
}

// wireParked is a parked record as the topic has it.
type wireParked struct {
	Offset     int64       `json:"offset"`
	Key        string      `json:"key"`
	SourceTSMS int64       `json:"source_ts_ms,omitempty"`
	Since      time.Time   `json:"since"`
	Cause      fault.Cause `json:"cause,omitempty"`
	Where      string      `json:"where"`
	What       string      `json:"what"`
	Fix        string      `json:"fix,omitempty"`
}

func wireOf(p *sink.Parked) wireParked {
	w := wireParked{Offset: p.Offset, Key: p.Key, SourceTSMS: p.SourceTSMS, Since: p.Since.UTC()}
	if f := p.Fault; f != nil {
		w.Cause, w.Where, w.What, w.Fix = f.Cause, f.Where, f.What, f.Fix
		if f.Err != nil {
			w.What += ": " + f.Err.Error()
		}
	}
	return w
}

func (w *wireParked) parked(p sink.Partition, id []byte) sink.Parked {
	return sink.Parked{
		Topic: p.View.Topic, Partition: p.ID, Offset: w.Offset, ID: id, Key: w.Key, SourceTSMS: w.SourceTSMS, Since: w.Since,
		Fault: &fault.Fault{Class: fault.Runtime, Cause: w.Cause, Where: w.Where, What: w.What, Fix: w.Fix},
	}
}
