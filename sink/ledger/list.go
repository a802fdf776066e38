package ledger

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"

	"shelfstream/internal/kafka"
	"shelfstream/sink"
)

// ListParked lists what a sink holds back, of all views and partitions, the longest parked first, at most limit records. It takes nothing over, so it may be called
// beside a running sink. topicOf names a view's topic.
func ListParked(ctx context.Context, cfg Config, topicOf func(view string) string, limit int) ([]sink.Parked, error) {
	n, err := cfg.Client.Partitions(ctx, cfg.Topic)
	if err != nil {
		return nil, err
	}
	held := map[string]sink.Parked{}
	for p := range n {
		err := cfg.Client.Scan(ctx, cfg.Topic, int32(p), 0, -1, func(r *kafka.Record) error {
			view, rest, ok := strings.Cut(string(r.Key), "\x00")
			if !ok || rest == "" || rest[0] != kindHeld {
				return nil
			}
			delete(held, string(r.Key))
			if r.Value == nil {
				return nil
			}
			var w wireParked
			if err := json.Unmarshal(r.Value, &w); err != nil {
				return err
			}
			of := sink.Partition{View: sink.View{Name: view, Topic: topicOf(view)}, ID: int32(p)}
			held[string(r.Key)] = w.parked(of, []byte(rest[1:]))
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	out := make([]sink.Parked, 0, len(held))
	for _, p := range held {
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b sink.Parked) int {
		return cmp.Or(a.Since.Compare(b.Since), strings.Compare(a.Key, b.Key))
	})
	return out[:min(limit, len(out))], nil
}
