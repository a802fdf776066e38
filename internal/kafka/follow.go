package kafka

import (
	"context"
	"errors"
	"fmt"
)

// Follower is told what Follow reads, from one goroutine.
type Follower struct {
	// Begin is called before the first record, and again when the topic was made anew: what was told before is no longer true.
	Begin func()
	// Record is called for each record, tombstones included; it is valid during the call only.
	Record func(*Record)
	// CaughtUp is called when the end is reached that the topic had at the begin, and then after each batch. It may be nil.
	CaughtUp func()
}

// Follow reads one partition from its start, and what is added to it, until ctx ends (then the error is ctx's) or it cannot be read. Records that retention takes
// away before they are read are passed over: it is for topics of which only the newest record of each key counts.
func (c *Client) Follow(ctx context.Context, topic string, partition int32, to Follower) error {
	f := c.NewFetcher(FetchConfig{MaxBytes: 4 << 20, PartitionBytes: 2 << 20})
	defer f.Close()
	from, end, err := c.span(ctx, topic, partition)
	if err != nil {
		return err
	}
	to.Begin()
	f.Add(topic, partition, from)
	for next := from; ; {
		if next >= end && to.CaughtUp != nil {
			to.CaughtUp()
		}
		b, err := f.Poll(ctx)
		if err != nil {
			return err
		}
		var out *OffsetOutOfRangeError
		switch {
		case errors.As(b.Err, &out):
			if out.Offset > out.End {
				to.Begin()
			}
			next = out.Start
			f.Release(b)
			f.Add(topic, partition, next)
			continue
		case b.Err != nil:
			err := b.Err
			f.Release(b)
			return fmt.Errorf("follow %s/%d: %w", topic, partition, err)
		}
		for i := range b.Records {
			to.Record(&b.Records[i])
		}
		next = b.Next
		f.Release(b)
	}
}

func (c *Client) span(ctx context.Context, topic string, partition int32) (start, end int64, err error) {
	if start, err = c.StartOffset(ctx, topic, partition); err != nil {
		return 0, 0, err
	}
	end, err = c.EndOffset(ctx, topic, partition)
	return start, end, err
}
