package kafka

import (
	"context"
	"fmt"
	"net"
	"time"
)

// GroupConfig names a consumer group and its topics.
type GroupConfig struct {
	ID     string
	Topics []string
	// SessionTimeout is how long a member may be silent before its work is given to others; 0 means 10 s. Brokers refuse less than their
	// group.min.session.timeout.ms (6 s, as shipped).
	SessionTimeout   time.Duration
	Heartbeat        time.Duration // 0 means 2 s, or a fifth of a shorter SessionTimeout
	RebalanceTimeout time.Duration // how long the others wait for this member to stop its work; 0 means 30 s
}

// Generation is one round of the group's assignment, valid until the context that comes with it ends.
type Generation struct {
	ID       int32
	MemberID string
	// Assignment is the partitions of each topic that are this member's, in ascending order. Topics with the same subscribers are shared out
	// by partition number: whoever has partition 3 of one has partition 3 of all. It may be empty, with more members than partitions.
	Assignment map[string][]int32
}

const (
	// leaveWithin bounds a clean leaving. A member that is still waiting for others to join cannot leave before that is over.
	leaveWithin = 5 * time.Second
	// rejoinAfter is the pause after a failed attempt to join.
	rejoinAfter = 250 * time.Millisecond
	// recount is how often the member that computed the assignment looks whether the topics still have the partitions it shared out.
	recount = 5 * time.Second
)

// RunGroup joins the group and calls fn for each generation. fn's context ends when the generation does: another member came or went,
// the broker or the connection to it was lost, or this process was stopped for longer than the session timeout. fn must then return
// promptly; the next generation does not begin before. RunGroup returns when ctx ends (its error) or when fn returns an error while
// its generation lasts (that error), after it has left the group, so that others take over at once. Offsets are none of its business.
//
// It stands on kafka-go's ConsumerGroup and works round four of its known faults: an assignment computed while a topic was unknown stays
// empty for ever (the topics are waited for, and counted again), Close can hang (it is bounded, and then its connections are cut),
// rejoining after a broker restart takes long or never happens (short pause, own time limits), and a rejoin while closing.
func (c *Client) RunGroup(ctx context.Context, cfg GroupConfig, fn func(ctx context.Context, gen Generation) error) error {
	if cfg.SessionTimeout <= 0 {
		cfg.SessionTimeout = 10 * time.Second
	}
	if cfg.Heartbeat <= 0 {
		cfg.Heartbeat = min(2*time.Second, cfg.SessionTimeout/5)
	}
	if cfg.RebalanceTimeout <= 0 {
		cfg.RebalanceTimeout = 30 * time.Second
	}
	if err := c.awaitTopics(ctx, cfg.Topics); err != nil {
		return err
	}
	run, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	m := &member{c: c, cfg: cfg, balance: &balancer{}, conns: map[net.Conn]struct{}{}, fn: fn, stop: stop}
	cg, err := m.open()
	if err != nil {
		return fmt.Errorf("consumer group %s: %w", cfg.ID, err)
	}
	err = m.run(run, cg)
	m.close(cg)
	return err
}

// awaitTopics waits until all topics exist.
func (c *Client) awaitTopics(ctx context.Context, topics []string) error {
	for attempt := 0; ; attempt++ {
		var counts map[string]int
		err := c.retrying(ctx, "topics of the group", func(ctx context.Context) (err error) {
			counts, err = c.counts(ctx, topics...)
			return err
		})
		if err != nil {
			return err
		}
		missing := ""
		for _, t := range topics {
			if counts[t] == 0 {
				missing = t
			}
		}
		if missing == "" {
			return nil
		}
		if attempt == 3 {
			c.log.Warn("kafka: waiting for a topic to exist", "topic", missing)
		}
		if err := c.backoff.Wait(ctx, attempt); err != nil {
			return err
		}
	}
}
