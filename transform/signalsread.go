package transform

import (
	"context"
	"encoding/json"
	"fmt"

	"shelfstream/internal/kafka"
)

// ReadSignals reads what operators have asked of a view so far, the oldest first; none if nobody ever has.
func ReadSignals(ctx context.Context, client *kafka.Client, pipeline, view string) ([]Signal, error) {
	topic := SignalsTopic(pipeline, view)
	n, err := client.Partitions(ctx, topic)
	if err != nil || n == 0 {
		return nil, err
	}
	var out []Signal
	err = client.Scan(ctx, topic, 0, 0, -1, func(r *kafka.Record) error {
		var s Signal
		// Workers leave out what is no request too.
		if r.Value != nil && json.Unmarshal(r.Value, &s) == nil && s.check(view) == nil {
			out = append(out, s)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", topic, err)
	}
	return out, nil
}

// Counts says in words which changes the guard counts: "products would leave the view".
func (g Guard) Counts() string { return (&guard{Guard: g}).describe() }
