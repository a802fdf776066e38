package sink

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"unicode/utf8"

	"shelfstream/internal/fault"
	"shelfstream/internal/kafka"
	"shelfstream/schemas"
)

// collector makes batches for a target of records of one partition. A worker has one and uses it again and again.
type collector struct {
	maxRecords, maxBytes int

	records []kafka.Record // taken, oldest first; their bytes belong to whoever they were taken from
	bytes   int
	newest  map[KeyHash]int32 // index in records
	hashes  []KeyHash

	batch Batch
	rows  []schemas.Value // room for the rows of a batch
	keys  []schemas.Value
}

func newCollector(maxRecords, maxBytes int) *collector {
	return &collector{maxRecords: maxRecords, maxBytes: maxBytes, newest: map[KeyHash]int32{}}
}

func (c *collector) reset() {
	c.records, c.hashes, c.bytes = c.records[:0], c.hashes[:0], 0
	clear(c.newest)
}

// full says that no more may be taken.
func (c *collector) full() bool { return len(c.records) >= c.maxRecords || c.bytes >= c.maxBytes }

// take adds a record, whose bytes must stay until the batch is applied.
func (c *collector) take(r *kafka.Record) {
	// The frame is left out of the key: two versions of a key's schema write the same key.
	key := r.Key
	if _, body, err := schemas.ParseFrame(r.Key); err == nil {
		key = body
	}
	h := HashKey(key)
	c.newest[h] = int32(len(c.records))
	c.hashes = append(c.hashes, h)
	c.records = append(c.records, *r)
	c.bytes += len(r.Key) + len(r.Value) + 64
}

// decode makes the batch: of each key only the newest record counts, in the order of these newest records. A record that cannot be
// read is parked; it does not keep an older one of its key in the batch from being applied.
func (c *collector) decode(ctx context.Context, p *partition, next int64) (*Batch, error) {
	b := &c.batch
	b.Records, b.Parked, b.Gone, b.Next = b.Records[:0], b.Parked[:0], b.Gone[:0], next
	width, keyWidth := len(p.View.Table.Columns), len(p.View.Table.Key)
	if n := width * len(c.records); cap(c.rows) < n {
		c.rows = make([]schemas.Value, n)
	}
	if n := keyWidth * len(c.records); cap(c.keys) < n {
		c.keys = make([]schemas.Value, n)
	}
	outOfOrder := false
	rows, keys := c.rows[:cap(c.rows)], c.keys[:cap(c.keys)]
	for i := range c.records {
		if c.newest[c.hashes[i]] != int32(i) {
			continue
		}
		at := i
		for {
			rec := &c.records[at]
			r := Record{KeyValues: keys[at*keyWidth : at*keyWidth : (at+1)*keyWidth]}
			err := p.decoders.decode(ctx, rec, rows[at*width:at*width:(at+1)*width], &r)
			if err == nil {
				b.Records = append(b.Records, r)
				outOfOrder = outOfOrder || at != i
				break
			}
			var f *fault.Fault
			if !errors.As(err, &f) || f.Class != fault.Runtime {
				return nil, err
			}
			if at == i && rec.Value == nil && f.Cause == fault.TopicForeign {
				b.Gone = append(b.Gone, rec.Key) // under a key that cannot be read nothing stands
				break
			}
			if at == i {
				b.Parked = append(b.Parked, p.unreadable(rec, &r, f))
			}
			if at = c.older(at); at < 0 {
				break
			}
		}
	}
	if outOfOrder {
		slices.SortFunc(b.Records, func(x, y Record) int { return cmp.Compare(x.Offset, y.Offset) })
	}
	return b, nil
}

// older is the record of the same key before the one at i, -1 if there is none.
func (c *collector) older(i int) int {
	for at := i - 1; at >= 0; at-- {
		if c.hashes[at] == c.hashes[i] {
			return at
		}
	}
	return -1
}

// unreadable is the parked form of a record that could not be read.
func (p *partition) unreadable(rec *kafka.Record, r *Record, f *fault.Fault) Parked {
	id := r.Key
	if id == nil {
		id = rec.Key
	}
	f.Where = fmt.Sprintf("%s@%d", p.Partition, rec.Offset)
	return Parked{
		Topic: p.View.Topic, Partition: p.ID, Offset: rec.Offset, ID: append([]byte(nil), id...), Key: rawKey(id),
		SourceTSMS: r.SourceTSMS, Fault: f,
	}
}

// rawKey shows bytes that are no readable key.
func rawKey(b []byte) string {
	const limit = 100
	if len(b) > limit {
		b = b[:limit]
	}
	if utf8.Valid(b) {
		return strconv.Quote(string(b))
	}
	return fmt.Sprintf("0x%x", b)
}
