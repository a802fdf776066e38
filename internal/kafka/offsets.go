package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	kgo "github.com/segmentio/kafka-go"
	listAPI "github.com/segmentio/kafka-go/protocol/listoffsets"
)

// Times with a meaning of their own in a ListOffsets request.
const (
	atEnd   = -1
	atStart = -2
)

// StartOffset is the first offset the partition still holds.
func (c *Client) StartOffset(ctx context.Context, topic string, partition int32) (int64, error) {
	return c.offsetOf(ctx, topic, partition, atStart)
}

// EndOffset is the partition's high watermark: the offset that the next record will get, as far as all in-sync replicas have the rest.
func (c *Client) EndOffset(ctx context.Context, topic string, partition int32) (int64, error) {
	return c.offsetOf(ctx, topic, partition, atEnd)
}

// OffsetAt is the first offset whose record's timestamp is at or after the given time, the end offset if there is none.
func (c *Client) OffsetAt(ctx context.Context, topic string, partition int32, at time.Time) (int64, error) {
	o, err := c.offsetOf(ctx, topic, partition, max(at.UnixMilli(), 0))
	if err != nil || o >= 0 {
		return o, err
	}
	return c.EndOffset(ctx, topic, partition)
}

func (c *Client) offsetOf(ctx context.Context, topic string, partition int32, at int64) (int64, error) {
	o, err := c.listOffsets(ctx, topic, []int32{partition}, at)
	if err != nil {
		return 0, err
	}
	return o[0], nil
}

// EndOffsets is the high watermark of each of the topic's partitions; nil if the topic does not exist. One request to each leader.
func (c *Client) EndOffsets(ctx context.Context, topic string) ([]int64, error) {
	return c.allOffsets(ctx, topic, atEnd)
}

// StartOffsets is the first offset that each of the topic's partitions still holds; nil if the topic does not exist.
func (c *Client) StartOffsets(ctx context.Context, topic string) ([]int64, error) {
	return c.allOffsets(ctx, topic, atStart)
}

func (c *Client) allOffsets(ctx context.Context, topic string, at int64) ([]int64, error) {
	n := c.meta.partitions(topic)
	if n == 0 {
		var err error
		if n, err = c.Partitions(ctx, topic); err != nil || n == 0 {
			return nil, err
		}
	}
	all := make([]int32, n)
	for i := range all {
		all[i] = int32(i)
	}
	return c.listOffsets(ctx, topic, all, at)
}

// listOffsets asks for one offset of each partition, -1 where there is no record at or after the time. It repeats what fails for the
// moment, for the partitions concerned.
func (c *Client) listOffsets(ctx context.Context, topic string, partitions []int32, at int64) ([]int64, error) {
	out := make([]int64, len(partitions))
	open := make(map[int32]int, len(partitions)) // partition -> index in out, of those not answered yet
	for i, p := range partitions {
		open[p] = i
	}
	missing := 0
	err := c.retrying(ctx, "offsets of "+topic, func(ctx context.Context) error {
		byLeader := map[string][]int32{}
		var last error
		for p := range open {
			_, addr, err := c.leader(ctx, topic, p)
			if errors.Is(err, kgo.UnknownTopicOrPartition) {
				// Just made topics are unknown to some brokers for a moment; one that stays unknown, or is known to be smaller, is an error.
				if missing++; missing > 8 || c.meta.partitions(topic) > 0 {
					return faultFor(fmt.Sprintf("%s/%d", topic, p), err)
				}
			}
			if err != nil {
				return err
			}
			byLeader[addr] = append(byLeader[addr], p)
		}
		for addr, ps := range byLeader {
			if err := c.listFrom(ctx, addr, topic, ps, at, open, out); err != nil {
				c.forget(topic)
				last = err
			}
		}
		return last
	})
	return out, err
}

// listFrom asks one leader, and takes the partitions answered out of open. A request names no partition twice, so no leader has a
// reason to refuse it; kafka-go's own splitting into one request for each is not used.
func (c *Client) listFrom(ctx context.Context, addr, topic string, ps []int32, at int64, open map[int32]int, out []int64) error {
	req := &listAPI.Request{ReplicaID: -1, Topics: []listAPI.RequestTopic{{Topic: topic}}}
	for _, p := range ps {
		req.Topics[0].Partitions = append(req.Topics[0].Partitions, listAPI.RequestPartition{Partition: p, CurrentLeaderEpoch: -1, Timestamp: at})
	}
	m, err := c.ask(ctx, addr, req)
	if err != nil {
		return err
	}
	var last error
	for _, t := range m.(*listAPI.Response).Topics {
		for _, r := range t.Partitions {
			if r.ErrorCode != 0 {
				last = fmt.Errorf("%s/%d: %w", topic, r.Partition, kgo.Error(r.ErrorCode))
				continue
			}
			if i, ok := open[r.Partition]; ok {
				out[i] = r.Offset
				delete(open, r.Partition)
			}
		}
	}
	if last == nil {
		for _, p := range ps {
			if _, still := open[p]; still {
				return fmt.Errorf("%s/%d: not in the answer: %w", topic, p, kgo.NetworkException)
			}
		}
	}
	return last
}
