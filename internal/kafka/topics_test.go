package kafka

import (
	"errors"
	"strings"
	"testing"
	"time"

	"shelfstream/internal/fault"
)

// topicsAndOffsets is what must hold of them on any broker.
func topicsAndOffsets(t *testing.T, addrs []string) {
	t.Helper()
	c := client(t, addrs...)
	ctx := within(t, 60*time.Second)
	if n, err := c.Partitions(ctx, "no-such-topic"); err != nil || n != 0 {
		t.Errorf("Partitions of a missing topic: %d, %v", n, err)
	}
	if o, err := c.EndOffsets(ctx, "no-such-topic"); err != nil || o != nil {
		t.Errorf("EndOffsets of a missing topic: %v, %v", o, err)
	}
	name := topic(t, c, 3, "cleanup.policy", "compact")
	if err := c.EnsureTopics(ctx, TopicSpec{Name: name, Partitions: 3}); err != nil {
		t.Errorf("again: %v", err)
	}
	var f *fault.Fault
	if err := c.EnsureTopics(ctx, TopicSpec{Name: name, Partitions: 4}); !errors.As(err, &f) || !strings.Contains(f.What, "has 3 partitions") {
		t.Errorf("another number of partitions: %v", err)
	}
	if err := c.EnsureTopics(ctx, TopicSpec{Name: name + "-more", Partitions: 1, Replication: 50}); !errors.As(err, &f) || !strings.Contains(f.What, "fewer brokers") {
		t.Errorf("more replicas than brokers: %v", err)
	}
	const lag, other = "min.compaction.lag.ms", "max.message.bytes"
	before, err := c.TopicSettings(ctx, other, name)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		least int64
		want  string
	}{{60_000, "60000"}, {60_000, "60000"}, {3_600_000, "3600000"}, {1000, "3600000"}} {
		err := c.EnsureTopics(ctx, TopicSpec{Name: name, Partitions: 3, Least: map[string]int64{lag: x.least}})
		set, err2 := c.TopicSettings(ctx, lag, name)
		// Kafka answers before every broker knows what was altered.
		for tick := time.NewTicker(20 * time.Millisecond); err2 == nil && set[name] != x.want && ctx.Err() == nil; <-tick.C {
			set, err2 = c.TopicSettings(ctx, lag, name)
		}
		if err != nil || err2 != nil || set[name] != x.want {
			t.Errorf("%s at least %d: %q, %v, %v", lag, x.least, set[name], err, err2)
		}
	}
	if after, err := c.TopicSettings(ctx, other, name); err != nil || after[name] != before[name] {
		t.Errorf("%s went from %v to %v, %v", other, before, after, err)
	}
	if n, err := c.Partitions(ctx, name); err != nil || n != 3 {
		t.Errorf("Partitions: %d, %v", n, err)
	}
	if r, err := c.Last(ctx, name, 1); r != nil || err != nil {
		t.Errorf("Last of nothing: %v, %v", r, err)
	}
	p := producer(t, c, ProducerConfig{})
	for i := range int64(10) {
		if err := p.Produce(ctx, name, 1, Record{TimestampMS: 1_700_000_000_000 + i*1000, Key: []byte{byte(i)}, Headers: []Header{{"__op", []byte("c")}}}); err != nil {
			t.Fatal(err)
		}
		if err := p.Flush(ctx); err != nil {
			t.Fatal(err)
		}
	}
	ends, err := c.EndOffsets(ctx, name)
	starts, err2 := c.StartOffsets(ctx, name)
	if err != nil || err2 != nil || len(ends) != 3 || ends[0] != 0 || ends[1] != 10 || starts[1] != 0 {
		t.Errorf("offsets %v to %v, %v, %v", starts, ends, err, err2)
	}
	for at, want := range map[int64]int64{1_600_000_000_000: 0, 1_700_000_003_000: 3, 1_700_000_003_001: 4, 1_800_000_000_000: 10} {
		if o, err := c.OffsetAt(ctx, name, 1, time.UnixMilli(at)); err != nil || o != want {
			t.Errorf("OffsetAt(%d) = %d, %v; want %d", at, o, err, want)
		}
	}
	if _, err := c.EndOffset(ctx, name, 7); !errors.As(err, &f) {
		t.Errorf("a partition that is not there: %v", err)
	}
	r, err := c.Last(ctx, name, 1)
	if err != nil || r == nil || r.Offset != 9 || r.Value != nil || string(r.Key) != "\t" || len(r.Headers) != 1 || r.Headers[0].Key != "__op" {
		t.Errorf("Last: %+v, %v", r, err)
	}
	stop := errors.New("enough")
	n := 0
	if err := c.Scan(ctx, name, 1, 2, 5, func(*Record) error { n++; return nil }); err != nil || n != 3 {
		t.Errorf("Scan [2,5): %d, %v", n, err)
	}
	if err := c.Scan(ctx, name, 1, 0, -1, func(*Record) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("Scan ended by its function: %v", err)
	}
}

func TestTopicsAndOffsets(t *testing.T) { topicsAndOffsets(t, cluster(t).ListenAddrs()) }
