package embedded

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	kgo "github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"

	"shelfstream/internal/kafka"
)

// TestMemberKilledWhileItJoins: a process joins a group and is killed before it is told that it has. Its share goes to the others when its session is over.
func TestMemberKilledWhileItJoins(t *testing.T) {
	b, err := Start(Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	if err := open(t, b.Addr()).EnsureTopics(t.Context(), kafka.TopicSpec{Name: "t", Partitions: 4}); err != nil {
		t.Fatal(err)
	}
	stays, _ := joins(t, b, time.Minute)
	gen, err := stays.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// Whoever has joined stops its work before it joins again, and takes its time.
	stop := make(chan struct{})
	gen.Start(func(context.Context) { <-stop })
	killed, kill := joins(t, b, time.Second)
	go func() { _, _ = killed.Next(t.Context()) }()
	wait(t, b, "a second member", func(g *kfake.GroupInfo) bool { return len(g.Members) == 2 })
	kill()
	close(stop)
	if _, err = stays.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = stays.Next(t.Context()) }() // it joins once more when the other is found to be dead
	wait(t, b, "all partitions at the one that is left", func(g *kfake.GroupInfo) bool { return len(g.Members) == 1 && g.NumAssigned() == 4 })
}

// TestConnectionOfAClientThatIsGone ends at once where all is answered, else with the answer, or when it was waited for long enough.
func TestConnectionOfAClientThatIsGone(t *testing.T) {
	for _, tc := range []struct {
		name     string
		asked    string // two requests, the second of them broken off
		answers  int    // before the client goes
		after    int    // when it is gone
		patience time.Duration
	}{
		{"idle", "", 0, 0, time.Hour},
		{"answered", "\x00\x00\x00\x02ab\x00\x00", 1, 0, time.Hour},
		{"answered later", "\x00\x00\x00\x02ab\x00\x00\x00\x01c", 0, 2, time.Hour},
		{"never answered", "\x00\x00\x00\x02ab", 0, 0, time.Millisecond},
	} {
		t.Run(tc.name, func(t *testing.T) {
			client, server := net.Pipe()
			c := newConn(server, tc.patience)
			go func() {
				if tc.asked != "" { // a pipe passes on what is empty, too
					_, _ = client.Write([]byte(tc.asked))
				}
				_, _ = io.CopyN(io.Discard, client, int64(tc.answers))
				_ = client.Close()
			}()
			buf := make([]byte, 3)
			for n := 0; n < len(tc.asked); {
				m, err := c.Read(buf)
				if n += m; err != nil {
					t.Fatal(err)
				}
			}
			for range tc.answers {
				_, _ = c.Write([]byte("x"))
			}
			ended := make(chan error, 1)
			go func() { _, err := c.Read(buf); ended <- err }()
			for range tc.after {
				select {
				case err := <-ended:
					t.Fatalf("it ended before it was answered: %v", err)
				case <-time.After(20 * time.Millisecond):
				}
				_, _ = c.Write([]byte("x"))
			}
			select {
			case err := <-ended:
				if err == nil {
					t.Error("it goes on")
				}
			case <-time.After(10 * time.Second):
				t.Error("it does not end")
			}
		})
	}
}

// wait waits until the group is as wanted.
func wait(t *testing.T, b *Broker, what string, as func(*kfake.GroupInfo) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	g, err := b.cluster.WaitGroupInfo(ctx, "g", func(g *kfake.GroupInfo) bool { return g != nil && as(g) })
	if err != nil {
		t.Fatalf("waited for %s: %v: %+v", what, err, g)
	}
}

// joins is a member of a group, and what kills it: its connections end, and it makes no more.
func joins(t *testing.T, b *Broker, session time.Duration) (*kgo.ConsumerGroup, func()) {
	t.Helper()
	var mu sync.Mutex
	var conns []net.Conn
	dead := false
	cg, err := kgo.NewConsumerGroup(kgo.ConsumerGroupConfig{
		ID: "g", Brokers: []string{b.Addr()}, Topics: []string{"t"}, SessionTimeout: session, HeartbeatInterval: 100 * time.Millisecond,
		Dialer: &kgo.Dialer{DialFunc: func(ctx context.Context, network, address string) (net.Conn, error) {
			mu.Lock()
			defer mu.Unlock()
			if dead {
				return nil, net.ErrClosed
			}
			c, err := new(net.Dialer).DialContext(ctx, network, address)
			conns = append(conns, c)
			return c, err
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cg.Close() })
	return cg, func() {
		mu.Lock()
		defer mu.Unlock()
		dead = true
		for _, c := range conns {
			_ = c.Close()
		}
	}
}
