package capture

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"shelfstream/internal/fault"
	"shelfstream/internal/kafka"
	"shelfstream/schemas"
)

// takeOver makes this worker the only one that can write the source's topics, and finds out where to go on.
//
// The order matters: the last checkpoint is read after the fence, so no older owner can append another one behind it.
func (r *Runner) takeOver(ctx context.Context) (*session, error) {
	cfg := &r.cfg
	s := &session{r: r}
	if err := cfg.Client.EnsureTopics(ctx, r.topics()...); err != nil {
		return nil, fmt.Errorf("prepare the topics: %w", err)
	}
	schemaID, err := cfg.Registry.Register(ctx, cfg.checkpointTopic()+"-value", schemas.CheckpointSchema)
	if err != nil {
		return nil, fmt.Errorf("register the checkpoint's schema: %w", err)
	}
	s.producer, err = cfg.Client.NewProducer(ctx, kafka.ProducerConfig{
		TransactionalID: cfg.name(), MaxBytes: cfg.ProducerBytes, Compression: cfg.Compression,
	})
	if err != nil {
		return nil, fmt.Errorf("open the producer: %w", err)
	}
	if err := r.resume(ctx, s, schemaID); err != nil {
		s.close(ctx)
		return nil, err
	}
	return s, nil
}

// topics are all topics of the source.
func (r *Runner) topics() []kafka.TopicSpec {
	cfg := &r.cfg
	specs := []kafka.TopicSpec{
		{Name: cfg.checkpointTopic(), Partitions: 1, Replication: cfg.Replication, Configs: checkpointTopicConfigs()},
		signalsTopicSpec(cfg.Pipeline, cfg.Source, cfg.Replication),
		{Name: cfg.parkedTopic(), Partitions: 1, Replication: cfg.Replication, Configs: map[string]string{"cleanup.policy": "compact"}},
	}
	for _, table := range sortedTables(cfg.Tables) {
		specs = append(specs, kafka.TopicSpec{
			Name: cfg.rawTopic(table), Partitions: cfg.Partitions, Replication: cfg.Replication, Configs: rawTopicConfigs(cfg.TopicConfigs),
		})
	}
	return specs
}

func (r *Runner) resume(ctx context.Context, s *session, schemaID int32) error {
	cfg := &r.cfg
	tables := sortedTables(cfg.Tables)
	all := make([]int32, cfg.Partitions)
	for p := range all {
		all[p] = int32(p)
	}
	fence := map[string][]int32{cfg.checkpointTopic(): {0}, cfg.parkedTopic(): {0}}
	for _, t := range tables {
		fence[cfg.rawTopic(t)] = all
	}
	if err := s.producer.Fence(ctx, fence); err != nil {
		return fmt.Errorf("shut out older workers: %w", err)
	}
	previous, n, err := lastCheckpoint(ctx, cfg.Client, cfg.checkpointTopic())
	if err != nil {
		return err
	}
	if n.Tables == nil {
		n.Tables = map[string]tableLayout{}
	}
	v, err := readVector(ctx, cfg, tables, previous)
	if err != nil {
		return err
	}
	h := &hold{log: cfg.Logger, now: cfg.Now}
	if err := readLeftovers(ctx, cfg.Client, v, previous, h); err != nil {
		return err
	}
	if s.requests, err = readRequests(ctx, cfg, n.Signals, r.warn); err != nil {
		return err
	}
	if s.parking, err = loadParking(ctx, cfg, s.producer); err != nil {
		return err
	}
	r.state.parks(s.parking)
	s.start = r.startAt(previous, v, h, n, &s.requests, s.parking.smaller())
	if s.scratch, err = openScratch(cfg.ScratchDir, cfg.name()); err != nil {
		return err
	}
	if len(s.start.Snapshot) == 0 {
		n.Signals = s.requests.next // nothing was asked for, or only what cannot be done
	}
	if err := n.encode(); err != nil {
		return err
	}
	c := newCommits(cfg, s.producer, v, r.state, r.metrics)
	c.schemaID, c.previous, c.note = schemaID, previous, n
	if len(h.open) > 0 {
		c.hold = h
	}
	s.commits = c
	s.writer = newWriter(cfg, s, v, r.state, r.metrics, n.Tables)
	s.writer.rekeyed = r.rekeyed
	r.state.checkpointed(previous, false)
	return nil
}

func newWriter(cfg *RunnerConfig, s *session, v *vector, st *state, m *metrics, layout map[string]tableLayout) *writer {
	w := &writer{
		cfg: cfg, producer: s.producer, commits: s.commits, parking: s.parking, vector: v, state: st, metrics: m, layout: layout,
		index: map[string]int{}, enc: newEncoder(), pending: map[string]bool{}, signals: s.requests.next, scratch: s.scratch.dir,
	}
	for i, t := range sortedTables(cfg.Tables) {
		w.index[t] = i
	}
	w.shapes = make([]atomic.Pointer[tableShape], len(w.index))
	for _, t := range s.start.Snapshot {
		w.pending[t] = true
	}
	return w
}

// startAt decides which tables are read whole: those that no checkpoint names, those that were asked for, those whose snapshot
// broke off, those whose routing was changed in the configuration, and those with parked rows that fit now.
func (r *Runner) startAt(previous *schemas.Checkpoint, v *vector, h *hold, n note, asked *requests, smaller []string) Start {
	start := Start{Checkpoint: previous, Fresh: r.lost && asked.all}
	broken := h.snapshots()
	for _, t := range v.topics {
		l, known := n.Tables[t.table]
		rerouted := known && !slices.Equal(l.By, routing(r.cfg.Tables[t.table]))
		if !t.inVector || start.Fresh || asked.all || rerouted || slices.Contains(asked.tables, t.table) || slices.Contains(broken, t.topic) ||
			slices.Contains(smaller, t.table) {
			start.Snapshot = append(start.Snapshot, t.table)
		}
	}
	slices.Sort(start.Snapshot)
	return start
}

// readVector makes the topics' state as of now: what a checkpoint names is complete, and where every partition ends.
func readVector(ctx context.Context, cfg *RunnerConfig, tables []string, previous *schemas.Checkpoint) (*vector, error) {
	v := &vector{}
	for _, table := range tables {
		t := &topicState{table: table, topic: cfg.rawTopic(table)}
		ends, err := cfg.Client.EndOffsets(ctx, t.topic)
		if err != nil {
			return nil, fmt.Errorf("read the end of %s: %w", t.topic, err)
		}
		t.base, t.total, t.since = ends, make([]int64, len(ends)), make([]int64, len(ends))
		if previous != nil {
			if was := previous.Topic(t.topic); was != nil {
				t.inVector = true
				if err := checkEnds(t.topic, was.Next, ends); err != nil {
					return nil, err
				}
			}
		}
		v.topics = append(v.topics, t)
	}
	slices.SortFunc(v.topics, func(a, b *topicState) int {
		if a.topic < b.topic {
			return -1
		}
		return 1
	})
	return v, nil
}

// checkEnds finds a topic that holds less than its checkpoint says: somebody deleted it or the brokers lost acknowledged records.
func checkEnds(topic string, next, ends []int64) error {
	for p := range next {
		if p >= len(ends) || next[p] > ends[p] {
			return &fault.Fault{
				Class: fault.Environment, Cause: fault.TopicLost, Where: topic,
				What: fmt.Sprintf("the topic ends before offset %d of partition %d, up to which a checkpoint says it was written: it was deleted, or the brokers lost records", next[p], p),
				Fix:  "delete the source's checkpoint topic too, and everything is read again",
			}
		}
	}
	return nil
}

// readLeftovers reads what lies beyond the checkpoint; see hold. It is what was in flight when a worker died, or one big transaction.
func readLeftovers(ctx context.Context, client *kafka.Client, v *vector, previous *schemas.Checkpoint, h *hold) error {
	if previous == nil {
		return nil
	}
	var mu sync.Mutex // guards h
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for _, t := range v.topics {
		was := previous.Topic(t.topic)
		for p := range t.base {
			if was == nil || was.Next[p] >= t.base[p] {
				continue
			}
			g.Go(func() error {
				err := client.Scan(ctx, t.topic, int32(p), was.Next[p], t.base[p], func(r *kafka.Record) error {
					mu.Lock()
					defer mu.Unlock()
					h.add(t.topic, r)
					return nil
				})
				if err != nil {
					return fmt.Errorf("read what was left over in %s/%d: %w", t.topic, p, err)
				}
				return nil
			})
		}
	}
	return g.Wait()
}
