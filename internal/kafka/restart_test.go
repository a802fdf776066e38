package kafka

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"shelfstream/internal/kafka/embedded"
)

// restartable is a broker that can be taken down and brought back with its data.
type restartable struct {
	addr     string
	dir      string // of an embedded one
	down, up func()
}

func embeddedBroker(t *testing.T) *restartable {
	t.Helper()
	cfg := embedded.Config{Dir: t.TempDir()}
	b, err := embedded.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Listen = b.Addr()
	down := func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(down)
	return &restartable{addr: b.Addr(), dir: cfg.Dir, down: down, up: func() {
		// The port may be held for a moment by the connections that were cut.
		for ctx := within(t, 20*time.Second); ; {
			if b, err = embedded.Start(cfg); err == nil {
				return
			}
			select {
			case <-time.After(20 * time.Millisecond):
			case <-ctx.Done():
				t.Error(err)
				return
			}
		}
	}}
}

// overRestarts writes, reads and holds a group's work while the broker goes down and comes back: nothing lost, nothing twice, in order.
func overRestarts(t *testing.T, b *restartable, times int, timeout time.Duration) {
	t.Helper()
	ctx := within(t, timeout)
	c := client(t, b.addr)
	name := topic(t, c, 2)
	p := producer(t, c, ProducerConfig{BatchBytes: 400})
	f := fetcher(t, c, FetchConfig{})
	f.Add(name, 0, 0)
	f.Add(name, 1, 0)
	r := newRoster(t)
	cfg := mortalConfig(name)
	r.join(c, "one", cfg)
	r.join(client(t, b.addr), "two", cfg)
	r.await(ctx, name, 1, 1)

	const flushes, each = 30, 40
	n := times * flushes * each
	written := make(chan error, 1)
	tick := make(chan struct{}, n)
	go func() {
		written <- func() error {
			for i := range n {
				for part := range int32(2) {
					if err := p.Produce(ctx, name, part, Record{Value: fmt.Appendf(nil, "v%d", i)}); err != nil {
						return err
					}
				}
				if i%each == each-1 {
					m := p.Mark()
					if err := m.Wait(ctx); err != nil {
						return err
					}
					if next, ok := m.Next(name, 0); !ok || next != int64(i+1) {
						return fmt.Errorf("after %d records the next offset is %d", i+1, next)
					}
					tick <- struct{}{}
				}
			}
			return nil
		}()
	}()
	for i := range times {
		for range flushes / 2 { // in the middle of the work
			select {
			case <-tick:
			case err := <-written:
				t.Fatalf("the writer ended: %v", err)
			}
		}
		b.down()
		if i == 0 {
			// Down for longer than the members' session.
			select {
			case <-time.After(cfg.SessionTimeout + 200*time.Millisecond):
			case <-ctx.Done():
			}
		}
		b.up()
	}
	for part := range int32(2) {
		values, next := drain(t, f, name, part, n)
		wantSequence(t, values, 0, n)
		if next != int64(n) {
			t.Errorf("partition %d ends at %d", part, next)
		}
	}
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	r.await(ctx, name, 1, 1)
	wantSequence(t, all(t, c, name, 0, 0), 0, n)
}

func TestOverBrokerRestarts(t *testing.T) { overRestarts(t, embeddedBroker(t), 3, time.Minute) }

func TestCallsEndWithTheirContext(t *testing.T) {
	b := embeddedBroker(t)
	c := client(t, b.addr)
	name := topic(t, c, 1)
	p := producer(t, c, ProducerConfig{})
	put(t, p, name, 0, 0, 1)
	b.down()
	short := func() context.Context {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		t.Cleanup(cancel)
		return ctx
	}
	start := time.Now()
	if err := p.Produce(short(), name, 0, Record{Value: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"Flush": p.Flush(short()),
		"EndOffset": func() error {
			_, err := c.EndOffset(short(), name, 0)
			return err
		}(),
		"EnsureTopics": c.EnsureTopics(short(), TopicSpec{Name: "other", Partitions: 1}),
		"NewProducer": func() error {
			_, err := c.NewProducer(short(), ProducerConfig{})
			return err
		}(),
		"RunGroup": c.RunGroup(short(), groupConfig(name), func(context.Context, Generation) error { return nil }),
	} {
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if d := time.Since(start); d > 14*time.Second { // a request by itself may take 15
		t.Errorf("took %v", d)
	}
	b.up() // for the cleanup
}
