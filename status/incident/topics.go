package incident

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"shelfstream/internal/kafka"
)

// Topic is where the keeper writes incidents: one partition, key = ID, value = Incident as JSON, a tombstone for what is forgotten.
func Topic(pipeline string) string { return pipeline + ".incidents" }

// RequestsTopic is where any process asks the keeper for something: one partition, value = Request as JSON.
func RequestsTopic(pipeline string) string { return pipeline + ".requests" }

// marksKey is the key of the keeper's own record among the incidents.
const marksKey = "~keeper"

// marks are what the keeper knows besides incidents.
type marks struct {
	// Requests is the offset up to which requests are done.
	Requests int64 `json:"requests"`
	// Expecting has, by expectation, since when it is looked at: nothing is missed from before.
	Expecting map[string]time.Time `json:"expecting,omitempty"`
}

func topicSpecs(pipeline string, replication int) []kafka.TopicSpec {
	hour := strconv.FormatInt(time.Hour.Milliseconds(), 10)
	return []kafka.TopicSpec{
		{Name: Topic(pipeline), Partitions: 1, Replication: replication, Configs: map[string]string{
			"cleanup.policy": "compact", "delete.retention.ms": hour, "segment.bytes": strconv.Itoa(8 << 20), "segment.ms": hour, "min.cleanable.dirty.ratio": "0.1",
		}},
		{Name: RequestsTopic(pipeline), Partitions: 1, Replication: replication, Configs: map[string]string{
			"cleanup.policy": "delete", "retention.ms": strconv.FormatInt((30 * 24 * time.Hour).Milliseconds(), 10), "retention.bytes": strconv.Itoa(16 << 20),
		}},
	}
}

// Request is something that any process, or a command, asks the keeper for.
type Request struct {
	ID string    `json:"id"`
	At time.Time `json:"at"`
	By string    `json:"by"`
	// What is Ack.
	What     string `json:"what"`
	Incident string `json:"incident"`
	Note     string `json:"note,omitempty"`
}

// Ack is the request of somebody who takes an incident on.
const Ack = "ack"

// Send writes a request down. The keeper applies it at once, or when there is one again.
func Send(ctx context.Context, client *kafka.Client, pipeline string, replication int, r Request) error {
	value, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode a request: %w", err)
	}
	if err := client.EnsureTopics(ctx, topicSpecs(pipeline, replication)...); err != nil {
		return fmt.Errorf("create the topics of incidents: %w", err)
	}
	p, err := client.NewProducer(ctx, kafka.ProducerConfig{MaxBytes: 1 << 20})
	if err != nil {
		return fmt.Errorf("open a producer for requests: %w", err)
	}
	err = p.Produce(ctx, RequestsTopic(pipeline), 0, kafka.Record{Key: []byte(r.ID), Value: value})
	if err == nil {
		err = p.Flush(ctx)
	}
	if err = errors.Join(err, p.Close(ctx)); err != nil {
		return fmt.Errorf("write a request: %w", err)
	}
	return nil
}

// Read gives all incidents as the topic has them, in the order in which people read them; none if there is no topic.
func Read(ctx context.Context, client *kafka.Client, pipeline string) ([]Incident, error) {
	n, err := client.Partitions(ctx, Topic(pipeline))
	if err != nil || n == 0 {
		return nil, err
	}
	b := newShelf()
	err = client.Scan(ctx, Topic(pipeline), 0, 0, -1, func(r *kafka.Record) error {
		b.record(r)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the incidents: %w", err)
	}
	return b.list(), nil
}

// shelf is what the topic holds, by key.
type shelf struct {
	incidents map[string]*Incident
	marks     marks
}

func newShelf() *shelf { return &shelf{incidents: map[string]*Incident{}} }

// record takes one record in. What is no incident is passed over: it would be written anew, or is of a later version.
func (s *shelf) record(r *kafka.Record) {
	key := string(r.Key)
	if key == marksKey {
		var m marks
		if json.Unmarshal(r.Value, &m) == nil {
			s.marks = m
		}
		return
	}
	var i Incident
	if r.Value == nil || json.Unmarshal(r.Value, &i) != nil || i.ID != key {
		delete(s.incidents, key)
		return
	}
	s.incidents[key] = &i
}

func (s *shelf) list() []Incident {
	out := make([]Incident, 0, len(s.incidents))
	for _, i := range s.incidents {
		out = append(out, *i)
	}
	Sorted(out)
	return out
}
