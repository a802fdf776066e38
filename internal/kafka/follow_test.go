package kafka

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestFollowReadsWhatIsThereAndWhatComes(t *testing.T) {
	k := cluster(t)
	c := client(t, k.ListenAddrs()...)
	name := topic(t, c, 1)
	p := producer(t, c, ProducerConfig{})
	put(t, p, name, 0, 0, 5)
	ctx, cancel := context.WithCancel(within(t, 20*time.Second))
	begun, seen, caughtUp := 0, 0, false
	err := c.Follow(ctx, name, 0, Follower{
		Begin: func() { begun++ },
		Record: func(*Record) {
			if seen++; seen == 8 {
				cancel()
			}
		},
		CaughtUp: func() {
			if !caughtUp {
				if caughtUp = true; seen != 5 {
					t.Errorf("caught up after %d records, want 5", seen)
				}
				put(t, p, name, 0, 5, 8)
			}
		},
	})
	if !errors.Is(err, context.Canceled) || begun != 1 || seen != 8 {
		t.Errorf("%v, begun %d times, %d records", err, begun, seen)
	}
}
