package audit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"shelfstream/internal/kafka"
	"shelfstream/internal/retry"
)

// Run reads the topic until ctx ends. A log that is away is waited for: nobody's work depends on the trail being read.
func (t *Trail) Run(ctx context.Context) error {
	err := retry.Backoff{Base: 200 * time.Millisecond, Max: 10 * time.Second}.Do(ctx, t.read, nil)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// read follows the topic from the last entries that Last can give; each time it begins it starts over.
func (t *Trail) read(ctx context.Context) error {
	if err := t.ensure(ctx); err != nil {
		return t.told(err)
	}
	start, err := t.cfg.Client.StartOffset(ctx, t.cfg.Topic, 0)
	if err != nil {
		return t.told(fmt.Errorf("find the start of the audit topic: %w", err))
	}
	end, err := t.cfg.Client.EndOffset(ctx, t.cfg.Topic, 0)
	if err != nil {
		return t.told(fmt.Errorf("find the end of the audit topic: %w", err))
	}
	f := t.cfg.Client.NewFetcher(kafka.FetchConfig{MaxBytes: 1 << 20, PartitionBytes: 1 << 20})
	defer f.Close()
	t.mu.Lock()
	t.last = nil
	t.mu.Unlock()
	f.Add(t.cfg.Topic, 0, max(start, end-int64(t.cfg.Keep)))
	for {
		b, err := f.Poll(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return nil //nolint:nilerr // it was told to end
			}
			return t.told(fmt.Errorf("read the audit topic: %w", err))
		}
		if b.Err != nil {
			err := b.Err
			f.Release(b)
			return t.told(fmt.Errorf("read the audit topic: %w", err))
		}
		for i := range b.Records {
			t.seen(&b.Records[i])
		}
		f.Release(b)
	}
}

func (t *Trail) told(err error) error {
	if !errors.Is(err, context.Canceled) {
		t.cfg.Logger.Debug("the audit trail is not read", "error", err)
	}
	return err
}
