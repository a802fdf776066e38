package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	kgo "github.com/segmentio/kafka-go"
	createAPI "github.com/segmentio/kafka-go/protocol/createtopics"

	"shelfstream/internal/fault"
)

// TopicSpec is a topic as it should be.
type TopicSpec struct {
	Name        string
	Partitions  int
	Replication int               // 0 means the brokers' default
	Configs     map[string]string // topic settings such as cleanup.policy
	// Least are settings that also a topic that exists must have, with the lowest number that will do, such as min.compaction.lag.ms.
	Least map[string]int64
}

// EnsureTopics creates the topics that are missing and returns when every partition of all has a leader. Settings of existing topics
// are left alone, but for those of Least: a lower number is raised, and where this user may not do that it is a *fault.Fault with the command. A topic with another number of partitions is a *fault.Fault: changing it would move keys to other partitions.
func (c *Client) EnsureTopics(ctx context.Context, specs ...TopicSpec) error {
	if len(specs) == 0 {
		return nil
	}
	names := make([]string, len(specs))
	for i, s := range specs {
		if s.Partitions <= 0 {
			return fmt.Errorf("topic %s: %d partitions", s.Name, s.Partitions)
		}
		names[i] = s.Name
	}
	return c.retrying(ctx, "create topics "+strings.Join(names, ", "), func(ctx context.Context) error {
		counts, err := c.counts(ctx, names...)
		if err != nil {
			return err
		}
		var missing []TopicSpec
		var faults fault.List
		for _, s := range specs {
			switch n := counts[s.Name]; n {
			case s.Partitions:
			case 0:
				missing = append(missing, s)
			default:
				faults.Add(&fault.Fault{
					Class: fault.Environment, Cause: fault.KafkaPartitions, Where: "topic " + s.Name, What: fmt.Sprintf("it has %d partitions, the configuration says %d", n, s.Partitions),
					Fix: fmt.Sprintf("set partitions: %d, or use another pipeline name for new topics", n),
				})
			}
		}
		if err := faults.Err(); err != nil {
			return err
		}
		if err := c.create(ctx, missing); err != nil {
			return err
		}
		if err := c.haveLeaders(ctx, specs); err != nil {
			return err
		}
		for _, s := range specs {
			if counts[s.Name] > 0 {
				if err := c.raise(ctx, s); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// counts asks for the number of partitions of each topic; 0 for one that does not exist.
func (c *Client) counts(ctx context.Context, names ...string) (map[string]int, error) {
	r, err := c.metadata(ctx, names...)
	if err != nil {
		return nil, err
	}
	n := map[string]int{}
	for _, t := range r.Topics {
		switch kgo.Error(t.ErrorCode) {
		case 0:
			n[t.Name] = len(t.Partitions)
		case kgo.UnknownTopicOrPartition:
		default:
			return nil, faultFor("topic "+t.Name, kgo.Error(t.ErrorCode))
		}
	}
	return n, nil
}

func (c *Client) create(ctx context.Context, specs []TopicSpec) error {
	if len(specs) == 0 {
		return nil
	}
	req := &createAPI.Request{TimeoutMs: int32(requestTimeout.Milliseconds() * 2 / 3)}
	for _, s := range specs {
		t := createAPI.RequestTopic{Name: s.Name, NumPartitions: int32(s.Partitions), ReplicationFactor: int16(s.Replication)}
		if s.Replication <= 0 {
			t.ReplicationFactor = -1
		}
		for k, v := range s.Configs {
			t.Configs = append(t.Configs, createAPI.RequestConfig{Name: k, Value: v})
		}
		slices.SortFunc(t.Configs, func(a, b createAPI.RequestConfig) int { return strings.Compare(a.Name, b.Name) })
		req.Topics = append(req.Topics, t)
	}
	// KRaft brokers pass it on to the controller; older ones want to be asked directly, and say NOT_CONTROLLER until the right one is.
	r, err := c.askController(ctx, req)
	if err != nil {
		return err
	}
	var errs []error
	for _, t := range r.Topics {
		if t.ErrorCode == 0 || kgo.Error(t.ErrorCode) == kgo.TopicAlreadyExists {
			continue
		}
		err := error(kgo.Error(t.ErrorCode))
		if t.ErrorMessage != "" {
			err = fmt.Errorf("%w (%s)", err, t.ErrorMessage)
		}
		if transient(err) {
			return err
		}
		errs = append(errs, faultFor("topic "+t.Name, err))
	}
	return errors.Join(errs...)
}

func (c *Client) askController(ctx context.Context, req *createAPI.Request) (*createAPI.Response, error) {
	meta, err := c.metadata(ctx)
	if err != nil {
		return nil, err
	}
	if addr, ok := c.meta.brokers()[meta.ControllerID]; ok {
		m, err := c.ask(ctx, addr, req)
		if err != nil {
			return nil, err
		}
		return m.(*createAPI.Response), nil
	}
	m, err := c.askAny(ctx, req)
	if err != nil {
		return nil, err
	}
	return m.(*createAPI.Response), nil
}

// haveLeaders is a transient error until every partition has a leader.
func (c *Client) haveLeaders(ctx context.Context, specs []TopicSpec) error {
	for _, s := range specs {
		for p := range s.Partitions {
			if _, _, err := c.leader(ctx, s.Name, int32(p)); err != nil {
				return err
			}
		}
	}
	return nil
}

// Partitions is the number of partitions of a topic, 0 if it does not exist.
func (c *Client) Partitions(ctx context.Context, topic string) (n int, err error) {
	err = c.retrying(ctx, "topic "+topic, func(ctx context.Context) error {
		counts, err := c.counts(ctx, topic)
		n = counts[topic]
		return err
	})
	return n, err
}
