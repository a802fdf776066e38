package kafka

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	kgo "github.com/segmentio/kafka-go"

	"shelfstream/internal/fault"
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
	dialer := *c.dialer
	dialer.DialFunc = m.dial
	cg, err := kgo.NewConsumerGroup(kgo.ConsumerGroupConfig{
		ID: cfg.ID, Brokers: c.cfg.Brokers, Dialer: &dialer, Topics: cfg.Topics, GroupBalancers: []kgo.GroupBalancer{m.balance},
		HeartbeatInterval: cfg.Heartbeat, SessionTimeout: cfg.SessionTimeout, RebalanceTimeout: cfg.RebalanceTimeout,
		JoinGroupBackoff: rejoinAfter, Timeout: min(5*time.Second, cfg.SessionTimeout/2),
	})
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

// member is one membership in a group.
type member struct {
	c       *Client
	cfg     GroupConfig
	balance *balancer
	fn      func(context.Context, Generation) error
	stop    context.CancelCauseFunc // ends run, with fn's error

	mu    sync.Mutex
	conns map[net.Conn]struct{} // the ConsumerGroup's connections
	cut   bool                  // no more of them
}

// run takes generation after generation until ctx ends.
func (m *member) run(ctx context.Context, cg *kgo.ConsumerGroup) error {
	warned := false
	for {
		gen, err := cg.Next(ctx)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			if err := m.permanent(err); err != nil {
				return err
			}
			if !warned && !errors.Is(err, kgo.RebalanceInProgress) {
				warned = true
				m.c.log.Warn("kafka: joining the group again", "group", m.cfg.ID, "error", err)
			}
			continue
		}
		warned = false
		m.begin(ctx, gen)
	}
}

// permanent is the fault in err that no further attempt will cure, nil otherwise.
func (m *member) permanent(err error) error {
	var ke kgo.Error
	if !errors.As(err, &ke) {
		return nil
	}
	where := "consumer group " + m.cfg.ID
	switch ke {
	case kgo.InvalidSessionTimeout:
		return &fault.Fault{
			Class: fault.Config, Where: where, What: fmt.Sprintf("the broker does not accept a session timeout of %v", m.cfg.SessionTimeout),
			Fix: "choose one within the broker's group.min.session.timeout.ms and group.max.session.timeout.ms", Err: err,
		}
	case kgo.InconsistentGroupProtocol:
		return &fault.Fault{
			Class: fault.Environment, Where: where, What: "other programs are members of this consumer group",
			Fix: "stop them, or rename the pipeline", Err: err,
		}
	case kgo.GroupAuthorizationFailed, kgo.TopicAuthorizationFailed, kgo.SASLAuthenticationFailed, kgo.InvalidGroupId:
		return faultFor(where, err)
	}
	return nil
}

// begin runs fn for one generation, on a goroutine that the ConsumerGroup waits for before it joins again.
func (m *member) begin(ctx context.Context, gen *kgo.Generation) {
	g := Generation{ID: gen.ID, MemberID: gen.MemberID, Assignment: m.balance.joined(gen)}
	counts := m.balance.shared()
	// Not a child of ctx: when ctx ends, the ConsumerGroup is closed, which ends the generation. Were fn to return before that, the
	// ConsumerGroup would take it for the generation's end and join again.
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	gen.Start(func(over context.Context) {
		defer cancel()
		unhook := context.AfterFunc(over, cancel)
		defer unhook()
		err := m.fn(run, g)
		if err != nil && run.Err() == nil {
			m.stop(err)
			<-over.Done() // as above: first closed, then ended
		}
	})
	gen.Start(func(over context.Context) { m.watchdog(over, cancel) })
	if counts != nil {
		gen.Start(func(over context.Context) { m.recount(over, counts) })
	}
}

// watchdog ends fn's context as soon as a process that was stopped (SIGSTOP, a suspended machine, a stalled disk) runs again and its
// session must be over, without waiting for the broker to say so.
func (m *member) watchdog(over context.Context, cancel context.CancelFunc) {
	t := time.NewTicker(max(m.cfg.SessionTimeout/10, time.Millisecond))
	defer t.Stop()
	last := time.Now()
	for {
		select {
		case <-over.Done():
			return
		case <-t.C:
			// The clock and not the ticker's time: a tick that waited is old. Round(0) takes the wall clock, which also counts suspended time.
			now := time.Now()
			if now.Sub(last) > m.cfg.SessionTimeout || now.Round(0).Sub(last.Round(0)) > m.cfg.SessionTimeout {
				cancel()
				m.c.log.Warn("kafka: this process was stopped for longer than the session timeout", "group", m.cfg.ID, "for", now.Sub(last))
				return // which ends the generation
			}
			last = now
		}
	}
}

// recount ends the generation when the topics no longer have the partitions that were shared out.
func (m *member) recount(over context.Context, shared map[string]int) {
	// A topic without partitions was not known to the broker that was asked: look again soon.
	every := recount
	for _, n := range shared {
		if n == 0 {
			every = rejoinAfter
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	unhook := context.AfterFunc(over, cancel)
	defer unhook()
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-over.Done():
			return
		case <-t.C:
		}
		now, err := m.c.counts(ctx, m.cfg.Topics...)
		if err != nil {
			continue // heartbeats decide whether the cluster is lost
		}
		for topic, n := range shared {
			if now[topic] != n && now[topic] > 0 {
				return
			}
		}
	}
}

// close leaves the group, by force if that takes too long.
func (m *member) close(cg *kgo.ConsumerGroup) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = cg.Close() // always nil
	}()
	t := time.NewTimer(leaveWithin)
	defer t.Stop()
	select {
	case <-done:
	case <-t.C:
		m.mu.Lock()
		m.cut = true
		open := m.conns
		m.conns = map[net.Conn]struct{}{}
		m.mu.Unlock()
		for conn := range open {
			_ = conn.Close()
		}
		<-done
	}
}

func (m *member) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	m.mu.Lock()
	cut := m.cut
	m.mu.Unlock()
	if cut {
		return nil, ErrClosed
	}
	conn, err := m.c.dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	t := &memberConn{Conn: conn, m: m}
	m.mu.Lock()
	m.conns[t] = struct{}{}
	m.mu.Unlock()
	return t, nil
}

type memberConn struct {
	net.Conn
	m *member
}

func (t *memberConn) Close() error {
	t.m.mu.Lock()
	delete(t.m.conns, t)
	t.m.mu.Unlock()
	return t.Conn.Close()
}
