package kafka

import (
	"context"
	"fmt"

	kgo "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	commitAPI "github.com/segmentio/kafka-go/protocol/offsetcommit"
	committedAPI "github.com/segmentio/kafka-go/protocol/offsetfetch"
)

// CommitOffset notes an offset of a partition under a group's name. The group must have no members. Brokers keep it for offsets.retention.minutes (a week, as
// shipped), and no longer than the topic.
func (c *Client) CommitOffset(ctx context.Context, group, topic string, partition int32, offset int64) error {
	req := &commitAPI.Request{GroupID: group, GenerationID: -1, RetentionTimeMs: -1, Topics: []commitAPI.RequestTopic{{
		Name: topic, Partitions: []commitAPI.RequestPartition{{PartitionIndex: partition, CommittedOffset: offset, CommitTimestamp: -1, CommittedLeaderEpoch: -1}},
	}}}
	return c.ofGroup(ctx, group, topic, partition, req, func(m protocol.Message) error {
		for _, t := range m.(*commitAPI.Response).Topics {
			for _, p := range t.Partitions {
				return code(p.ErrorCode)
			}
		}
		return kgo.NetworkException
	})
}

// CommittedOffset is what was noted last; -1 if nothing is.
func (c *Client) CommittedOffset(ctx context.Context, group, topic string, partition int32) (offset int64, err error) {
	req := &committedAPI.Request{GroupID: group, Topics: []committedAPI.RequestTopic{{Name: topic, PartitionIndexes: []int32{partition}}}}
	err = c.ofGroup(ctx, group, topic, partition, req, func(m protocol.Message) error {
		r := m.(*committedAPI.Response)
		switch kgo.Error(r.ErrorCode) {
		case 0:
		case kgo.GroupIdNotFound: // of a group that nobody has spoken of yet; Kafka says so by the offset
			offset = -1
			return nil
		default:
			return code(r.ErrorCode)
		}
		for _, t := range r.Topics {
			for _, p := range t.Partitions {
				offset = p.CommittedOffset
				return code(p.ErrorCode)
			}
		}
		return kgo.NetworkException
	})
	return offset, err
}

// ofGroup asks the group's coordinator, which may be another one the next time.
func (c *Client) ofGroup(ctx context.Context, group, topic string, partition int32, req protocol.Message, take func(protocol.Message) error) error {
	return c.retrying(ctx, fmt.Sprintf("offset of group %s in %s/%d", group, topic, partition), func(ctx context.Context) error {
		m, err := c.askCoordinator(ctx, kgo.CoordinatorKeyTypeConsumer, group, req)
		if err != nil {
			return err
		}
		return take(m)
	})
}
