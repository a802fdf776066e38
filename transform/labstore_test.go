package transform

import (
	"context"
	"encoding/binary"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"shelfstream/internal/kafka"
	"shelfstream/internal/kafka/embedded"
	"shelfstream/schemas"
)

func bigEndian(v []byte) int64 {
	if len(v) != 8 {
		return 0
	}
	return int64(binary.BigEndian.Uint64(v))
}

// admin asks the broker for what no part of the product ever does: deleting.
func (l *lab) admin(requests ...kmsg.Request) {
	l.t.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(l.brokerAddr))
	check(l.t, err)
	defer c.Close()
	for _, r := range requests {
		resp, err := c.Request(l.t.Context(), r)
		check(l.t, err)
		switch resp := resp.(type) {
		case *kmsg.DeleteTopicsResponse:
			if code := resp.Topics[0].ErrorCode; code != 0 {
				l.t.Fatalf("delete a topic: error %d", code)
			}
		case *kmsg.DeleteRecordsResponse:
			if code := resp.Topics[0].Partitions[0].ErrorCode; code != 0 {
				l.t.Fatalf("delete records: error %d", code)
			}
		}
	}
}

func (l *lab) deleteTopic(topic string) {
	l.t.Helper()
	r := kmsg.NewPtrDeleteTopicsRequest()
	x := kmsg.NewDeleteTopicsRequestTopic()
	x.Topic = &topic
	r.Topics, r.TopicNames = append(r.Topics, x), []string{topic}
	l.admin(r)
}

// cutTopic deletes a partition's records below an offset, as retention would.
func (l *lab) cutTopic(topic string, partition int32, below int64) {
	l.t.Helper()
	p := kmsg.NewDeleteRecordsRequestTopicPartition()
	p.Partition, p.Offset = partition, below
	x := kmsg.NewDeleteRecordsRequestTopic()
	x.Topic, x.Partitions = topic, append(x.Partitions, p)
	r := kmsg.NewPtrDeleteRecordsRequest()
	r.TimeoutMillis, r.Topics = 5000, append(r.Topics, x)
	l.admin(r)
}

// recreate deletes a table's topic and makes it anew, empty. The lab's own clients begin anew too: they remember sequences and topics.
func (l *lab) recreate(name string) {
	l.t.Helper()
	x := l.tables[name]
	l.deleteTopic(x.topic)
	l.reconnect()
	check(l.t, l.client.EnsureTopics(l.t.Context(), kafka.TopicSpec{Name: x.topic, Partitions: labPartitions, Configs: map[string]string{"cleanup.policy": "compact"}}))
	clear(x.next)
}

func (l *lab) reconnect() {
	l.t.Helper()
	client, err := kafka.Open(kafka.Config{Brokers: []string{l.brokerAddr}})
	check(l.t, err)
	l.t.Cleanup(func() { _ = client.Close() })
	l.client = client
	l.producer, err = client.NewProducer(l.t.Context(), kafka.ProducerConfig{})
	check(l.t, err)
	producer := l.producer
	l.t.Cleanup(func() { _ = producer.Close(context.Background()) })
}

// byHand makes one task of a view as a runner would, for tests that stop it between two of its steps; they close its store.
func (l *lab) byHand(cfg Config, partition int32) *task {
	l.t.Helper()
	store, err := OpenStore(l.stateDir, StoreOptions{CacheMB: 8})
	check(l.t, err)
	cfg.Store = store
	r, err := NewRunner(cfg)
	check(l.t, err)
	b, err := r.bind(l.t.Context())
	check(l.t, err)
	return r.newTask(b, partition)
}

// partitionOf is where a product's rows are.
func partitionOf(no int64) int32 {
	return schemas.Partition([]schemas.Value{num(no)}, labPartitions)
}

// inPartition finds product numbers of one partition.
func inPartition(p int32, n int) []int64 {
	var out []int64
	for no := int64(1); len(out) < n; no++ {
		if partitionOf(no) == p {
			out = append(out, no)
		}
	}
	return slices.Clip(out)
}

// compacting is a broker that compacts all the time.
var compacting = embedded.Config{Listen: "127.0.0.1:0", Compaction: 20 * time.Millisecond}
