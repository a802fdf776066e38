package kafka

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	kgo "github.com/segmentio/kafka-go"

	"shelfstream/internal/fault"
)

// committedOffsets shows on any cluster that an offset is kept under a group's name, for each partition.
func committedOffsets(t *testing.T, addrs []string) {
	t.Helper()
	ctx := within(t, 60*time.Second)
	c := client(t, addrs...)
	name := topic(t, c, 2)
	group := "group of " + name
	is := func(partition int32, want int64) {
		t.Helper()
		if got, err := c.CommittedOffset(ctx, group, name, partition); err != nil || got != want {
			t.Errorf("partition %d: %d, %v; want %d", partition, got, err, want)
		}
	}
	is(0, -1)
	for _, offset := range []int64{0, 7, 3} {
		if err := c.CommitOffset(ctx, group, name, 0, offset); err != nil {
			t.Fatal(err)
		}
		is(0, offset)
		is(1, -1)
	}
	if got, err := c.CommittedOffset(ctx, "another", name, 0); err != nil || got != -1 {
		t.Errorf("of another group: %d, %v", got, err)
	}
	once, cancel := context.WithCancel(ctx)
	defer cancel()
	c = client(t, addrs...)
	c.log = slog.New(slog.NewTextHandler(told(cancel), nil)) // that it tries again
	var f *fault.Fault
	if err := c.CommitOffset(once, group, "no-such-topic", 0, 1); !errors.As(err, &f) || f.Cause != fault.KafkaTopicMissing {
		t.Errorf("of a topic that does not exist: %v", err)
	}
}

// told is called with the first thing that is written.
type told func()

func (t told) Write(b []byte) (int, error) {
	t()
	return len(b), nil
}

func TestCommittedOffsets(t *testing.T) { committedOffsets(t, cluster(t).ListenAddrs()) }

// TestWhatIsWrongOutlivesTheTime: a call whose time is over in the middle of a request says what was wrong before, and not that there was no answer.
func TestWhatIsWrongOutlivesTheTime(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	tries := 0
	err := client(t, "127.0.0.1:1").retrying(ctx, "x", func(ctx context.Context) error {
		if tries++; tries == 1 {
			return kgo.UnknownTopicOrPartition
		}
		<-ctx.Done()
		return ctx.Err()
	})
	var f *fault.Fault
	if !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &f) || f.Cause != fault.KafkaTopicMissing {
		t.Errorf("%v", err)
	}
}
