package kafka

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	kgo "github.com/segmentio/kafka-go"
	fetchAPI "github.com/segmentio/kafka-go/protocol/fetch"
)

// fetched is one partition in the answer to a fetch.
type fetched struct {
	tp
	code    int16
	hw, lso int64 // high watermark and last stable offset
	aborted []abortedTxn
	set     []byte // the record set as it came, from the client's pool
}

// abortedTxn says that the records of a producer from an offset on, up to its next abort marker, count for nothing.
type abortedTxn struct{ producerID, first int64 }

// wanted is one partition of a fetch request.
type wantedPart struct {
	tp
	offset   int64
	maxBytes int
}

// fetch asks one leader. Record sets are taken as raw bytes: kafka-go's own decoding copies them piece by piece, and sticks where a
// set holds only batches that compaction has emptied.
func (c *Client) fetch(ctx context.Context, addr string, parts []wantedPart, maxBytes int, wait time.Duration, committed bool, arrives *atomic.Bool) ([]fetched, error) {
	req := &fetchAPI.Request{
		ReplicaID: -1, MaxWaitTime: int32(wait.Milliseconds()), MinBytes: 1, MaxBytes: int32(maxBytes), SessionID: 0, SessionEpoch: -1,
	}
	if committed {
		req.IsolationLevel = 1
	}
	topics := map[string]int{}
	for _, p := range parts {
		k, ok := topics[p.topic]
		if !ok {
			k = len(req.Topics)
			topics[p.topic] = k
			req.Topics = append(req.Topics, fetchAPI.RequestTopic{Topic: p.topic})
		}
		req.Topics[k].Partitions = append(req.Topics[k].Partitions, fetchAPI.RequestPartition{
			Partition: p.partition, CurrentLeaderEpoch: -1, FetchOffset: p.offset, LogStartOffset: -1, PartitionMaxBytes: int32(p.maxBytes),
		})
	}
	// answer is only read after the exchange has ended well: one that was given up may still be writing to it.
	var answer []fetched
	c.metrics.fetchRequests.Inc()
	_, err := c.send(ctx, addr, wait+10*time.Second, &exchange{req: req, decode: func(version int16, r *frameReader) (err error) {
		arrives.Store(true)
		answer, err = c.readFetch(version, r)
		return err
	}})
	if err != nil {
		return nil, err
	}
	return answer, nil
}

// readFetch reads the body of a fetch answer of version 4 to 11.
func (c *Client) readFetch(version int16, r *frameReader) ([]fetched, error) {
	if version < 4 {
		return nil, errors.New("the broker is older than Kafka 0.11")
	}
	r.int32() // throttle time
	if version >= 7 {
		if e := r.int16(); e != 0 && r.err == nil {
			return nil, kgo.Error(e)
		}
		r.int32() // session
	}
	var out []fetched
	for range r.length(6) {
		topic := r.string()
		for range r.length(30) {
			f := fetched{tp: tp{topic: topic, partition: r.int32()}, code: r.int16(), hw: r.int64(), lso: r.int64()}
			if version >= 5 {
				r.int64() // log start
			}
			for range r.length(16) {
				f.aborted = append(f.aborted, abortedTxn{r.int64(), r.int64()})
			}
			if version >= 11 {
				r.int32() // preferred replica
			}
			if n := int(r.int32()); n > 0 && r.err == nil {
				if n > r.left {
					return nil, corrupt("record set of %d bytes in an answer with %d left", n, r.left)
				}
				f.set = c.pool.get(n)[:n]
				r.full(f.set)
			}
			if r.err != nil {
				return nil, r.err
			}
			out = append(out, f)
		}
	}
	return out, r.err
}

// eachBatch calls fn with the header of every batch from an offset to the present end, until it returns false.
func (c *Client) eachBatch(ctx context.Context, topic string, partition int32, from int64, fn func(*batchHeader) bool) error {
	start, err := c.StartOffset(ctx, topic, partition)
	if err != nil {
		return err
	}
	end, err := c.EndOffset(ctx, topic, partition)
	if err != nil {
		return err
	}
	at, more := max(from, start), true
	for at < end && more {
		_, addr, err := c.leader(ctx, topic, partition)
		if err != nil {
			return err
		}
		got, err := c.fetch(ctx, addr, []wantedPart{{tp{topic, partition}, at, 4 << 20}}, 4<<20, 0, false, new(atomic.Bool))
		if err != nil {
			return err
		}
		if len(got) != 1 {
			return kgo.NetworkException
		}
		if got[0].code != 0 {
			return code(got[0].code)
		}
		before := at
		for set := got[0].set; more; {
			h, err := parseHeader(set)
			if errors.Is(err, errPartial) {
				break
			}
			if err != nil {
				return err
			}
			at, set = h.next(), set[h.size:]
			more = fn(&h)
		}
		if at == before {
			return nil // nothing but holes up to the end
		}
	}
	return nil
}
