package transform

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"shelfstream/internal/fault"
	"shelfstream/internal/kafka"
	"shelfstream/schemas"
)

// frontier is the newest checkpoint of every source of a view. One goroutine (follow) writes it, the tasks read it.
type frontier struct {
	mu      sync.Mutex
	latest  map[string]*schemas.Checkpoint // by checkpoint topic
	offset  map[string]int64               // where latest stands in its topic
	changed chan struct{}                  // closed and replaced at each change
	err     error
}

func newFrontier() *frontier {
	return &frontier{latest: map[string]*schemas.Checkpoint{}, offset: map[string]int64{}, changed: make(chan struct{})}
}

// target is a set of checkpoints, one for each source, that a task goes to in one step.
type target struct {
	checkpoints []*schemas.Checkpoint
	// commitUS is the newest commit time among them; writtenUS the oldest time at which one was written: the age of what
	// the task knows.
	commitUS  int64
	writtenUS int64
	position  string
}

// next gives the offset below which a topic's partition belongs to the target, false if no checkpoint names the topic.
func (t *target) next(topic string, partition int32) (int64, bool) {
	for _, c := range t.checkpoints {
		if tp := c.Topic(topic); tp != nil && int(partition) < len(tp.Next) {
			return tp.Next[partition], true
		}
	}
	return 0, false
}

// current gives the newest target and a channel that closes when there is a newer one; nil until every source has a checkpoint.
func (f *frontier) current(sources []string) (*target, <-chan struct{}, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	t := &target{}
	for _, s := range sources {
		c := f.latest[s]
		if c == nil {
			return nil, f.changed, f.err
		}
		t.checkpoints = append(t.checkpoints, c)
		if c.CommitTimeUS > t.commitUS {
			t.commitUS, t.position = c.CommitTimeUS, c.Position
		}
		if t.writtenUS == 0 || c.WrittenUS < t.writtenUS {
			t.writtenUS = c.WrittenUS
		}
	}
	return t, f.changed, f.err
}

// set takes a checkpoint that stands later in its topic than what is known; follow and refresh may bring the same one.
func (f *frontier) set(topic string, offset int64, c *schemas.Checkpoint) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if known, ok := f.offset[topic]; ok && offset <= known {
		return
	}
	f.latest[topic], f.offset[topic] = c, offset
	close(f.changed)
	f.changed = make(chan struct{})
}

// forget makes the next checkpoint of a topic count wherever it stands: the topic begins anew.
func (f *frontier) forget(topic string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.offset, topic)
}

// refresh reads the newest checkpoints now. A task needs it after its fence: follow may lie behind what the owner before has evaluated
// (its connection broke, its poll waits), and going by an older checkpoint would send older products over newer ones.
func (f *frontier) refresh(ctx context.Context, client *kafka.Client, topics []string) error {
	for _, topic := range topics {
		last, err := client.Last(ctx, topic, 0)
		if err != nil {
			return fmt.Errorf("read the last checkpoint of %s: %w", topic, err)
		}
		if last == nil {
			continue
		}
		if err := f.take(topic, last); err != nil {
			return err
		}
	}
	return nil
}

func (f *frontier) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = err
		close(f.changed)
		f.changed = make(chan struct{})
	}
}

// follow reads the checkpoint topics from their newest record on, until ctx ends.
func (f *frontier) follow(ctx context.Context, client *kafka.Client, topics []string, log *slog.Logger) error {
	fetcher := client.NewFetcher(kafka.FetchConfig{MaxBytes: 4 << 20, PartitionBytes: 1 << 20})
	defer fetcher.Close()
	for _, topic := range topics {
		last, err := client.Last(ctx, topic, 0)
		if err != nil {
			return fmt.Errorf("read the last checkpoint of %s: %w", topic, err)
		}
		var from int64
		if last != nil {
			if err := f.take(topic, last); err != nil {
				return err
			}
			from = last.Offset + 1
		} else if from, err = client.StartOffset(ctx, topic, 0); err != nil {
			return fmt.Errorf("find the start of %s: %w", topic, err)
		}
		fetcher.Add(topic, 0, from)
	}
	for {
		b, err := fetcher.Poll(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("read checkpoints: %w", err)
		}
		var out *kafka.OffsetOutOfRangeError
		switch {
		case errors.As(b.Err, &out):
			log.Warn("checkpoint topic was cut, going on at its start", "topic", b.Topic, "offset", out.Offset, "start", out.Start)
			fetcher.Release(b)
			f.forget(out.Topic)
			fetcher.Add(out.Topic, out.Partition, out.Start)
			continue
		case b.Err != nil:
			return fmt.Errorf("read checkpoints: %w", b.Err)
		}
		// Only the newest matters: an evaluation goes to the end of what is known.
		if n := len(b.Records); n > 0 {
			err = f.take(b.Topic, &b.Records[n-1])
		}
		fetcher.Release(b)
		if err != nil {
			return err
		}
	}
}

func (f *frontier) take(topic string, r *kafka.Record) error {
	if r.Value == nil {
		return nil
	}
	where := fmt.Sprintf("%s/0@%d", topic, r.Offset)
	_, body, err := schemas.ParseFrame(r.Value)
	if err == nil {
		var c *schemas.Checkpoint
		if c, err = schemas.DecodeCheckpoint(body); err == nil {
			f.set(topic, r.Offset, c)
			return nil
		}
	}
	return &fault.Fault{
		Class: fault.Runtime, Where: where, What: "this record is not a checkpoint",
		Fix: "see who else writes to this topic; only the capture worker of the source may", Err: err,
	}
}
