package kafka

import (
	"context"
	"errors"
	"net"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The generation is over before its work begins. kafka-go then runs the work all the same and forgets it.
func TestGroupWaitsForWorkBegunTooLate(t *testing.T) {
	k := cluster(t)
	c := client(t, k.ListenAddrs()...)
	name := topic(t, c, 1)
	k.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Err: kerr.UnknownMemberID, Count: 1})
	ctx := within(t, 20*time.Second)
	release := make(chan struct{})
	var ended atomic.Int64
	m := &member{c: c, cfg: groupConfig(name), balance: &balancer{}, conns: map[net.Conn]struct{}{}, fn: func(ctx context.Context, _ Generation) error {
		<-ctx.Done()
		<-release // slow to end
		ended.Add(1)
		return nil
	}}
	cg, err := m.open()
	if err != nil {
		t.Fatal(err)
	}
	gen, err := cg.Next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	over := make(chan struct{})
	gen.Start(func(ctx context.Context) { <-ctx.Done(); close(over) })
	<-over
	m.begin(ctx, gen)
	time.AfterFunc(300*time.Millisecond, func() { close(release) })
	m.close(cg)
	if ended.Load() != 1 {
		t.Fatal("the group was left while its work went on")
	}
}

// A function that ends its goroutine, as t.FailNow does, must not keep the group waiting for ever.
func TestGroupEndsWithGoexit(t *testing.T) {
	c := client(t, cluster(t).ListenAddrs()...)
	name := topic(t, c, 1)
	err := c.RunGroup(within(t, 20*time.Second), groupConfig(name), func(context.Context, Generation) error {
		runtime.Goexit()
		return nil
	})
	if !errors.Is(err, errGoexit) {
		t.Fatal(err)
	}
}
