package kafka

import (
	"context"
	"errors"
)

// Scan calls fn for every live record with an offset in [from, to); to < 0 means up to the end offset at the time of the call. A from
// below the partition's start begins at its start, also where that moves on meanwhile. fn's record is valid during the call only; an error of fn ends the scan and is returned.
func (c *Client) Scan(ctx context.Context, topic string, partition int32, from, to int64, fn func(*Record) error) error {
	if to < 0 {
		end, err := c.EndOffset(ctx, topic, partition)
		if err != nil {
			return err
		}
		to = end
	}
	start, err := c.StartOffset(ctx, topic, partition)
	if err != nil {
		return err
	}
	if from = max(from, start); from >= to {
		return nil
	}
	f := c.NewFetcher(FetchConfig{MaxBytes: 4 << 20, PartitionBytes: 4 << 20})
	defer f.Close()
	f.Add(topic, partition, from)
	for from < to {
		b, err := f.PollPartition(ctx, topic, partition)
		if err != nil {
			return err
		}
		var out *OffsetOutOfRangeError
		if errors.As(b.Err, &out) && out.Start > from { // compaction, or retention, has moved the start meanwhile
			from = out.Start
			f.Release(b)
			f.Add(topic, partition, from)
			continue
		}
		if b.Err != nil {
			return b.Err
		}
		for i := range b.Records {
			if b.Records[i].Offset >= to {
				break
			}
			if err := fn(&b.Records[i]); err != nil {
				return err
			}
		}
		from = b.Next
		f.Release(b)
	}
	return nil
}

// Last is the newest live record of the partition, nil if there is none. Its bytes belong to the caller. The end of a log may hold only
// what is no data (control batches, batches emptied by compaction), so it looks back further and further until it finds a record.
func (c *Client) Last(ctx context.Context, topic string, partition int32) (*Record, error) {
	end, err := c.EndOffset(ctx, topic, partition)
	if err != nil {
		return nil, err
	}
	start, err := c.StartOffset(ctx, topic, partition)
	if err != nil {
		return nil, err
	}
	for back, to := int64(1), end; to > start; back *= 8 {
		from := max(start, to-back)
		var last *Record
		err := c.Scan(ctx, topic, partition, from, to, func(r *Record) error {
			if last == nil {
				last = &Record{}
			}
			r.copyTo(last)
			return nil
		})
		if err != nil {
			return nil, err
		}
		if last != nil {
			return last, nil
		}
		to = from
	}
	return nil, nil
}

// copyTo makes dst a copy of r with bytes of its own, reusing what dst has.
func (r *Record) copyTo(dst *Record) {
	dst.Offset, dst.TimestampMS = r.Offset, r.TimestampMS
	dst.Key, dst.Value = copyBytes(dst.Key, r.Key), copyBytes(dst.Value, r.Value)
	dst.Headers = dst.Headers[:0]
	for _, h := range r.Headers {
		dst.Headers = append(dst.Headers, Header{Key: h.Key, Value: copyBytes(nil, h.Value)})
	}
}

func copyBytes(dst, src []byte) []byte {
	if src == nil {
		return nil
	}
	if dst == nil {
		dst = []byte{}
	}
	return append(dst[:0], src...)
}

// lookBack is how many offsets before the end a batch is looked for when its producer has not yet been acknowledged in the partition.
const lookBack = 100_000

// locate finds the offset of a batch that may have been written before; -1 if it is not in the log.
func (p *Producer) locate(ctx context.Context, b *pbatch) (int64, error) {
	part := b.part
	p.mu.Lock()
	from := part.next // every batch before it is acknowledged, and this one comes right after them
	p.mu.Unlock()
	if from < 0 {
		end, err := p.c.EndOffset(ctx, part.topic, part.partition)
		if err != nil {
			return -1, err
		}
		from = max(0, end-lookBack)
	}
	found := int64(-1)
	err := p.c.eachBatch(ctx, part.topic, part.partition, from, func(h *batchHeader) bool {
		if (identity{h.producerID, h.producerEpoch, h.baseSequence}) == b.identity && !h.control() {
			found = h.base
		}
		return found < 0
	})
	return found, err
}
