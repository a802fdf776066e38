package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"shelfstream/internal/fault"
	"shelfstream/internal/kafka"
	"shelfstream/schemas/registry"
)

var _ registry.Log = (*registryLog)(nil)

// registryLog keeps the embedded registry's state in a compacted topic of one partition. An owner shuts the writer before it
// out: two registries that give out ids from one topic would give one id to two schemas.
type registryLog struct {
	client   *kafka.Client
	topic    string
	producer *kafka.Producer // nil: only to read

	mu    sync.Mutex // one append at a time, so that an append's error is its own
	taken atomic.Pointer[fault.Fault]
}

// openRegistryLog opens the topic; an owner makes it if it is missing, and takes it over.
func openRegistryLog(ctx context.Context, client *kafka.Client, cfg registryConfig) (*registryLog, error) {
	topic := cfg.topic
	if !cfg.owner {
		return &registryLog{client: client, topic: topic}, nil
	}
	spec := kafka.TopicSpec{Name: topic, Partitions: 1, Replication: cfg.replication, Configs: map[string]string{"cleanup.policy": "compact"}}
	if err := client.EnsureTopics(ctx, spec); err != nil {
		return nil, fmt.Errorf("prepare the registry's topic: %w", err)
	}
	producer, err := client.NewProducer(ctx, kafka.ProducerConfig{TransactionalID: topic + ".registry", MaxBytes: 8 << 20})
	if err != nil {
		return nil, fmt.Errorf("open the registry's topic: %w", err)
	}
	if err := producer.Fence(ctx, map[string][]int32{topic: {0}}); err != nil {
		return nil, errors.Join(fmt.Errorf("take over the registry's topic: %w", err), producer.Close(ctx))
	}
	return &registryLog{client: client, topic: topic, producer: producer}, nil
}

// Append implements registry.Log.
func (l *registryLog) Append(ctx context.Context, key, value []byte) error {
	if l.producer == nil {
		return errors.New("this schema is not registered yet: start the pipeline with 'shelfstream run' first")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.producer.Produce(ctx, l.topic, 0, kafka.Record{Key: key, Value: value}); err != nil {
		return l.lost(err)
	}
	return l.lost(l.producer.Flush(ctx))
}

// Fault says that another process has taken the topic over; nil as long as nobody has, or it was not noticed yet.
func (l *registryLog) Fault() *fault.Fault { return l.taken.Load() }

// lost says what another registry on the same topic means.
func (l *registryLog) lost(err error) error {
	if !errors.Is(err, kafka.ErrFenced) {
		return err
	}
	f := &fault.Fault{
		Class: fault.Environment, Cause: fault.RegistryTwice, Where: "topic " + l.topic, What: "another process runs the embedded registry of this log now", Err: err,
		Fix: "run one 'shelfstream run' only, and start it again; or name a registry for all of them in log.registry.url",
	}
	l.taken.Store(f) // who asks the registry over HTTP hears of an error of the server only
	return f
}

// Replay implements registry.Log.
func (l *registryLog) Replay(ctx context.Context, fn func(key, value []byte) error) error {
	partitions, err := l.client.Partitions(ctx, l.topic)
	if err != nil || partitions == 0 {
		return err // nothing was ever registered
	}
	return l.client.Scan(ctx, l.topic, 0, 0, -1, func(r *kafka.Record) error {
		if len(bytes.TrimSpace(r.Key)) == 0 {
			return nil // nothing that a registry writes
		}
		return fn(r.Key, r.Value)
	})
}

// Close ends the producer.
func (l *registryLog) Close(ctx context.Context) error {
	if l.producer == nil {
		return nil
	}
	if err := l.producer.Close(ctx); !errors.Is(err, kafka.ErrFenced) {
		return err
	}
	return nil // whoever registered last was told
}
