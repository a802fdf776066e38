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

// member is one membership in a group.
type member struct {
	c       *Client
	cfg     GroupConfig
	balance *balancer
	fn      func(context.Context, Generation) error
	stop    context.CancelCauseFunc // ends run, with fn's error
	work    sync.WaitGroup          // fn, while it runs

	mu    sync.Mutex
	conns map[net.Conn]struct{} // the ConsumerGroup's connections
	cut   bool                  // no more of them
}

func (m *member) open() (*kgo.ConsumerGroup, error) {
	dialer := *m.c.dialer
	dialer.DialFunc = m.dial
	return kgo.NewConsumerGroup(kgo.ConsumerGroupConfig{
		ID: m.cfg.ID, Brokers: m.c.cfg.Brokers, Dialer: &dialer, Topics: m.cfg.Topics, GroupBalancers: []kgo.GroupBalancer{m.balance},
		HeartbeatInterval: m.cfg.Heartbeat, SessionTimeout: m.cfg.SessionTimeout, RebalanceTimeout: m.cfg.RebalanceTimeout,
		JoinGroupBackoff: rejoinAfter, Timeout: min(5*time.Second, m.cfg.SessionTimeout/2),
	})
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
			Class: fault.Environment, Cause: fault.KafkaGroupForeign, Where: where, What: "other programs are members of this consumer group",
			Fix: "stop them, or rename the pipeline", Err: err,
		}
	case kgo.GroupAuthorizationFailed, kgo.TopicAuthorizationFailed, kgo.SASLAuthenticationFailed, kgo.InvalidGroupId:
		return faultFor(where, err)
	}
	return nil
}

// begin runs fn for one generation, on a goroutine that the ConsumerGroup waits for before it joins again. It does not wait if the
// generation was over before we began, so that begin and close do that themselves: two calls of fn at once, or one after RunGroup has
// returned, would be two owners.
func (m *member) begin(ctx context.Context, gen *kgo.Generation) {
	g := Generation{ID: gen.ID, MemberID: gen.MemberID, Assignment: m.balance.joined(gen)}
	counts := m.balance.shared()
	// Not a child of ctx: when ctx ends, the ConsumerGroup is closed, which ends the generation. Were fn to return before that, the
	// ConsumerGroup would take it for the generation's end and join again.
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	m.work.Wait()
	m.work.Add(1)
	gen.Start(func(over context.Context) {
		defer m.work.Done()
		defer cancel()
		unhook := context.AfterFunc(over, cancel)
		defer unhook()
		err := m.call(run, g)
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

// errGoexit is fn's end by runtime.Goexit (a test that gives up, for one).
var errGoexit = errors.New("the group's function ended its goroutine")

// call runs fn on a goroutine of its own. Were fn to end the ConsumerGroup's goroutine, that would wait for it for ever.
func (m *member) call(ctx context.Context, g Generation) error {
	err := errGoexit
	done := make(chan struct{})
	go func() {
		defer close(done)
		err = m.fn(ctx, g)
	}()
	<-done
	return err
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

// close leaves the group, by force if that takes too long, and waits for fn.
func (m *member) close(cg *kgo.ConsumerGroup) {
	defer m.work.Wait()
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
