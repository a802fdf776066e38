package transform

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"

	"shelfstream/internal/fault"
	"shelfstream/internal/kafka"
	"shelfstream/schemas"
)

// headerCut is the header of a view's checkpoints that says at which checkpoint of each source the task stood.
const headerCut = "__cut"

// CheckpointTopic is where the tasks of a view announce how far they are, if other views read it.
func CheckpointTopic(viewTopic string) string { return viewTopic + ".checkpoints" }

// follow reads the checkpoint topics from their newest records on, until ctx ends.
func (f *frontier) follow(ctx context.Context, client *kafka.Client, log *slog.Logger) error {
	fetcher := client.NewFetcher(kafka.FetchConfig{MaxBytes: 4 << 20, PartitionBytes: 1 << 20})
	defer fetcher.Close()
	streams := map[string]stream{}
	for _, s := range f.streams {
		streams[s.topic] = s
		next, err := f.catchUp(ctx, client, s)
		if err != nil {
			return err
		}
		fetcher.Add(s.topic, 0, next)
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
		for i := range b.Records {
			if err = f.take(streams[b.Topic], &b.Records[i]); err != nil {
				break
			}
		}
		fetcher.Release(b)
		if err != nil {
			return err
		}
	}
}

// refresh reads the newest checkpoints now. A task needs it after its fence: follow may lie behind what the owner before has evaluated
// (its connection broke, its poll waits), and going by an older checkpoint would send older products over newer ones.
func (f *frontier) refresh(ctx context.Context, client *kafka.Client) error {
	for _, s := range f.streams {
		if _, err := f.catchUp(ctx, client, s); err != nil {
			return err
		}
	}
	return nil
}

// catchUp reads what a stream holds at its end, and says at which offset to go on. Of a source, the newest record will do. Of a view, it must reach
// back to the newest cut that all its tasks announced: nothing that an owner before us has evaluated is newer than that.
func (f *frontier) catchUp(ctx context.Context, client *kafka.Client, s stream) (int64, error) {
	if !s.view {
		last, err := client.Last(ctx, s.topic, 0)
		if err != nil {
			return 0, fmt.Errorf("read the last checkpoint of %s: %w", s.topic, err)
		}
		if last != nil {
			return last.Offset + 1, f.take(s, last)
		}
		start, err := client.StartOffset(ctx, s.topic, 0)
		if err != nil {
			return 0, fmt.Errorf("find the start of %s: %w", s.topic, err)
		}
		return start, nil
	}
	start, err := client.StartOffset(ctx, s.topic, 0)
	if err != nil {
		return 0, fmt.Errorf("find the start of %s: %w", s.topic, err)
	}
	end, err := client.EndOffset(ctx, s.topic, 0)
	if err != nil {
		return 0, fmt.Errorf("find the end of %s: %w", s.topic, err)
	}
	if reached, ok := f.reached(s.topic); ok && reached >= start && reached < end {
		return end, f.scan(ctx, client, s, reached+1, end)
	}
	for back := int64(64 * s.writers); ; back *= 4 {
		from := max(start, end-back)
		// A probe of its own finds out whether this is far enough back, so that what is tried and left does not count.
		probe := newFrontier(s)
		if err := probe.scan(ctx, client, s, from, end); err != nil {
			return 0, err
		}
		if probe.newest() != nil || from == start {
			probe.close()
			return end, f.scan(ctx, client, s, from, end)
		}
		probe.close()
	}
}

func (f *frontier) scan(ctx context.Context, client *kafka.Client, s stream, from, to int64) error {
	if from >= to {
		return nil
	}
	err := client.Scan(ctx, s.topic, 0, from, to, func(r *kafka.Record) error { return f.take(s, r) })
	if err != nil {
		return fmt.Errorf("read checkpoints of %s: %w", s.topic, err)
	}
	return nil
}

// take adds one record of a checkpoint topic.
func (f *frontier) take(s stream, r *kafka.Record) error {
	if r.Value == nil {
		return nil
	}
	k, n, err := parseCheckpoint(s, r)
	if err != nil {
		return &fault.Fault{
			Class: fault.Runtime, Cause: fault.TopicForeign, Where: fmt.Sprintf("%s/0@%d", s.topic, r.Offset), What: "this record is not a checkpoint",
			Fix: "see who else writes to this topic; only the capture worker of the source, or the tasks of the view, may", Err: err,
		}
	}
	if n < s.writers {
		f.add(writer{s.topic, n}, r.Offset, k)
	}
	return nil
}

func parseCheckpoint(s stream, r *kafka.Record) (k known, n int, err error) {
	_, body, err := schemas.ParseFrame(r.Value)
	if err != nil {
		return known{}, 0, err
	}
	if k.checkpoint, err = schemas.DecodeCheckpoint(body); err != nil {
		return known{}, 0, err
	}
	if !s.view {
		k.cut = cut{{s.topic, r.Offset}}
		return k, 0, nil
	}
	for _, h := range r.Headers {
		if h.Key == headerCut {
			var ok bool
			if k.cut, ok = parseCut(string(h.Value)); !ok {
				return known{}, 0, fmt.Errorf("header %s is %q", headerCut, h.Value)
			}
		}
	}
	if k.cut == nil {
		return known{}, 0, fmt.Errorf("it has no header %s", headerCut)
	}
	if n, err = strconv.Atoi(string(r.Key)); err != nil || n < 0 {
		return known{}, 0, fmt.Errorf("its key is %q and not a partition's number", r.Key)
	}
	return k, n, nil
}

// announce tells the views that read this one how far the task is. It comes after everything that it covers was acknowledged.
func (t *task) announce(ctx context.Context, tgt *target, emitted int) error {
	if !t.announces {
		return nil
	}
	next := make([]int64, t.partitions)
	next[t.partition] = t.outputEnd
	c := schemas.Checkpoint{
		Source: t.layout.view.Name, Position: tgt.position, CommitTimeUS: tgt.commitUS, WrittenUS: t.clock().UnixMicro(), Heartbeat: emitted == 0,
		Topics: []schemas.CheckpointTopic{{Table: t.layout.view.Name, Topic: t.topic, Next: next}},
	}
	err := t.producer.Produce(ctx, CheckpointTopic(t.topic), 0, kafka.Record{
		TimestampMS: t.clock().UnixMilli(), Key: strconv.AppendInt(nil, int64(t.partition), 10), Value: c.Append(schemas.AppendFrame(nil, t.checkpointID)),
		Headers: []kafka.Header{{Key: headerCut, Value: []byte(tgt.cut.String())}},
	})
	if err != nil {
		return fmt.Errorf("announce a checkpoint: %w", err)
	}
	return nil
}
