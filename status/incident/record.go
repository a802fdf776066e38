package incident

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"shelfstream/internal/kafka"
)

// load reads what keepers before have left.
func (t *turn) load(ctx context.Context) error {
	s := newShelf()
	err := t.k.cfg.Client.Scan(ctx, Topic(t.k.cfg.Pipeline), 0, 0, -1, func(r *kafka.Record) error {
		s.record(r)
		if r.Value == nil {
			delete(t.written, string(r.Key))
			return nil
		}
		t.written[string(r.Key)] = bytes.Clone(r.Value)
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the incidents: %w", err)
	}
	t.state, t.marks = &State{Incidents: s.incidents}, s.marks
	t.k.teller.back(t.state)
	return nil
}

// write brings the topic up to the state, and returns when it is acknowledged. What has changed in numbers and words only may wait, unless all is urgent.
func (t *turn) write(ctx context.Context, next *State, urgent bool, now time.Time) error {
	topic := Topic(t.k.cfg.Pipeline)
	put := func(key string, value []byte) error {
		return t.producer.Produce(ctx, topic, 0, kafka.Record{Key: []byte(key), Value: value})
	}
	fresh := map[string][]byte{}
	for id, i := range next.Incidents {
		value, err := json.Marshal(i)
		if err != nil {
			return fmt.Errorf("encode incident %s: %w", id, err)
		}
		if bytes.Equal(value, t.written[id]) || !urgent && onlyNumbers(t.state.Incidents[id], i) && now.Sub(t.at[id]) < calmly {
			continue
		}
		if err := put(id, value); err != nil {
			return fmt.Errorf("write incident %s: %w", id, err)
		}
		fresh[id] = value
	}
	for id := range t.written {
		if next.Incidents[id] == nil && id != marksKey {
			if err := put(id, nil); err != nil {
				return fmt.Errorf("forget incident %s: %w", id, err)
			}
			fresh[id] = nil
		}
	}
	// The incidents first: a request is done when what it asked for is written.
	if err := t.producer.Flush(ctx); err != nil {
		return fmt.Errorf("write incidents: %w", err)
	}
	value, err := json.Marshal(t.marks)
	if err != nil {
		return fmt.Errorf("encode the keeper's marks: %w", err)
	}
	if !bytes.Equal(value, t.written[marksKey]) {
		if err := put(marksKey, value); err != nil {
			return fmt.Errorf("write the keeper's marks: %w", err)
		}
		if err := t.producer.Flush(ctx); err != nil {
			return fmt.Errorf("write the keeper's marks: %w", err)
		}
		t.written[marksKey] = value
	}
	for id, value := range fresh {
		t.at[id] = now
		if t.written[id] = value; value == nil {
			delete(t.written, id)
			delete(t.at, id)
		}
	}
	return nil
}

// onlyNumbers says whether nothing happened to an incident but that its numbers, words and times moved.
func onlyNumbers(before, after *Incident) bool {
	return before != nil && len(before.Log) == len(after.Log) && before.Severity == after.Severity && before.Resolved.Equal(after.Resolved) && before.Behind == after.Behind
}
