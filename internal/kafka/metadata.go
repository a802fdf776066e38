package kafka

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	kgo "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	metaAPI "github.com/segmentio/kafka-go/protocol/metadata"
)

// metadataCache knows the brokers' addresses and who leads what, as of the last answer. It is refreshed when someone is told that it
// is wrong, not by time.
type metadataCache struct {
	mu     sync.RWMutex
	seeds  []string
	addrs  map[int32]string
	topics map[string][]int32 // leader by partition, -1 for none
	first  int                // which of the candidates answered last
}

func (m *metadataCache) init(seeds []string) {
	m.seeds, m.addrs, m.topics = seeds, map[int32]string{}, map[string][]int32{}
}

// brokers is a copy of the known brokers' addresses by node id.
func (m *metadataCache) brokers() map[int32]string {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return maps.Clone(m.addrs)
}

// candidates are the addresses to ask, the one that answered last first.
func (m *metadataCache) candidates() []string {
	m.mu.RLock()
	defer m.mu.RUnlock()
	all := slices.Clone(m.seeds)
	for _, id := range slices.Sorted(maps.Keys(m.addrs)) {
		if !slices.Contains(all, m.addrs[id]) {
			all = append(all, m.addrs[id])
		}
	}
	k := m.first % len(all)
	return append(all[k:len(all):len(all)], all[:k]...)
}

// leader is the node and address that lead a partition; ok is false if that is not known.
func (m *metadataCache) leader(t string, p int32) (node int32, addr string, ok bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	parts := m.topics[t]
	if p < 0 || int(p) >= len(parts) || parts[p] < 0 {
		return -1, "", false
	}
	addr, ok = m.addrs[parts[p]]
	return parts[p], addr, ok
}

func (m *metadataCache) partitions(t string) int {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return len(m.topics[t])
}

func (m *metadataCache) merge(r *metaAPI.Response) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(r.Brokers) > 0 {
		clear(m.addrs)
	}
	for _, b := range r.Brokers {
		m.addrs[b.NodeID] = net.JoinHostPort(b.Host, strconv.Itoa(int(b.Port)))
	}
	for _, t := range r.Topics {
		if t.ErrorCode != 0 {
			delete(m.topics, t.Name)
			continue
		}
		leaders := make([]int32, len(t.Partitions))
		for i := range leaders {
			leaders[i] = -1
		}
		for _, p := range t.Partitions {
			if p.PartitionIndex >= 0 && int(p.PartitionIndex) < len(leaders) && p.ErrorCode == 0 {
				leaders[p.PartitionIndex] = p.LeaderID
			}
		}
		m.topics[t.Name] = leaders
	}
}

// refresh asks for the brokers and for the named topics. The error of a topic that does not exist is not one of refresh: the topic is
// then simply unknown.
func (c *Client) refresh(ctx context.Context, topics ...string) error {
	_, err := c.metadata(ctx, topics...)
	return err
}

func (c *Client) metadata(ctx context.Context, topics ...string) (*metaAPI.Response, error) {
	if topics == nil {
		topics = []string{} // null would mean all topics
	}
	m, err := c.askAny(ctx, &metaAPI.Request{TopicNames: topics})
	if err != nil {
		return nil, err
	}
	r := m.(*metaAPI.Response)
	c.meta.merge(r)
	return r, nil
}

// anyTimeout bounds a question that any broker can answer, so that a silent one does not hold it up for long.
const anyTimeout = 5 * time.Second

// askAny asks the brokers one after the other until one answers.
func (c *Client) askAny(ctx context.Context, req protocol.Message) (protocol.Message, error) {
	var last error
	for i, addr := range c.meta.candidates() {
		m, err := c.send(ctx, addr, anyTimeout, &exchange{req: req})
		if err == nil {
			if i > 0 {
				c.meta.mu.Lock()
				c.meta.first += i
				c.meta.mu.Unlock()
			}
			return m, nil
		}
		last = err
		if ctx.Err() != nil {
			break
		}
	}
	return nil, last
}

// leader finds who leads a partition, asking the cluster if that is not known. The error is transient while there is no leader.
func (c *Client) leader(ctx context.Context, t string, p int32) (node int32, addr string, err error) {
	if node, addr, ok := c.meta.leader(t, p); ok {
		return node, addr, nil
	}
	r, err := c.metadata(ctx, t)
	if err != nil {
		return -1, "", err
	}
	if node, addr, ok := c.meta.leader(t, p); ok {
		return node, addr, nil
	}
	for _, mt := range r.Topics {
		if mt.Name == t && mt.ErrorCode != 0 {
			return -1, "", fmt.Errorf("%s/%d: %w", t, p, kgo.Error(mt.ErrorCode))
		}
	}
	if n := c.meta.partitions(t); int(p) >= n {
		return -1, "", fmt.Errorf("%s/%d: the topic has %d partitions: %w", t, p, n, kgo.UnknownTopicOrPartition)
	}
	return -1, "", fmt.Errorf("%s/%d: %w", t, p, errNoLeader)
}

// forget drops what is known of the topic's leaders, so that the next use asks again.
func (c *Client) forget(t string) {
	c.meta.mu.Lock()
	delete(c.meta.topics, t)
	c.meta.mu.Unlock()
}
