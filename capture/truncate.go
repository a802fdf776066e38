package capture

import (
	"context"
	"errors"
	"fmt"

	"shelfstream/internal/kafka"
)

// Truncate implements Truncater. Which rows the table had is read from its topic, what this transaction has
// written included.
func (w *writer) Truncate(ctx context.Context, h Handle, at Meta) error {
	t, err := w.handle(h)
	if err != nil {
		return err
	}
	if err := w.enter(at); err != nil {
		return err
	}
	if err := w.producer.Flush(ctx); err != nil {
		return fmt.Errorf("flush before a truncate: %w", err)
	}
	c, err := openContents(w.scratch)
	if err != nil {
		return err
	}
	if err := w.parking.only(ctx, nil, t.state.table); err != nil {
		return errors.Join(err, c.close())
	}
	_, err = c.load(ctx, w.cfg.Client, int(h), t.state.topic)
	if err == nil {
		w.enc.meta(at)
		err = c.rest(int(h), func(partition int32, key []byte) error {
			w.metrics.row(OpDelete)
			w.state.records.Add(1)
			return w.produce(ctx, t, partition, kafka.Record{Key: key, Headers: w.enc.tombstone()})
		})
	}
	if err = errors.Join(err, c.close()); err != nil {
		return fmt.Errorf("truncate %s: %w", t.state.topic, err)
	}
	return nil
}
