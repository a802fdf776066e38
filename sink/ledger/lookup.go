package ledger

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"time"

	"shelfstream/internal/kafka"
	"shelfstream/sink"
)

// Lookup is what the ledger has of a key (sink.Record.Key), for explain: one row of a table of the target's name with the newest delivery's name (as column name), its state, when it came to that, the attempt
// and the answer; no row if nothing was ever delivered. It takes nothing over, so it may be called beside a running sink. It reads the topic from end to end.
func Lookup(ctx context.Context, cfg Config, v sink.View, key []byte, table, name string) (sink.Found, error) {
	found := sink.Found{Table: table, Columns: []string{name, "state", "at", "attempt", "answer"}}
	e, ok, err := find(ctx, cfg, v, key)
	if err != nil || !ok {
		return found, err
	}
	attempt := ""
	if e.Attempt > 0 {
		attempt = strconv.Itoa(e.Attempt)
	}
	var row []*string
	for _, text := range []string{e.Name, e.State.String(), e.At.UTC().Format(time.RFC3339Nano), attempt, e.Answer} {
		cell := &text
		if text == "" {
			cell = nil
		}
		row = append(row, cell)
	}
	found.Rows = [][]*string{row}
	return found, nil
}

// find looks for a key's entry. It may stand in any partition: only whoever wrote the record knows in which.
func find(ctx context.Context, cfg Config, v sink.View, key []byte) (e Entry, ok bool, _ error) {
	want := topicKey(v, kindEntry, key)
	n, err := cfg.Client.Partitions(ctx, cfg.Topic)
	if err != nil {
		return e, false, err
	}
	for p := range n {
		err := cfg.Client.Scan(ctx, cfg.Topic, int32(p), 0, -1, func(r *kafka.Record) (err error) {
			switch {
			case !bytes.Equal(r.Key, want):
				return nil
			case r.Value == nil:
				ok = false
				return nil
			}
			if e, err = decodeEntry(nil, r.Value); err != nil {
				return fmt.Errorf("%s/%d@%d: %w", cfg.Topic, p, r.Offset, err)
			}
			ok = true
			return nil
		})
		if err != nil || ok {
			return e, ok, err
		}
	}
	return e, false, nil
}
