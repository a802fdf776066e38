package kafka

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"shelfstream/internal/fault"
)

// swallower breaks connections in the worst way: the broker does what it was asked, and the answer is lost.
type swallower struct {
	mu    sync.Mutex
	rnd   *rand.Rand
	rate  float64
	lost  atomic.Int64
	spare int // reads at the beginning of a connection that go through, so that it gets past its opening questions
}

func (s *swallower) wrap(c net.Conn) net.Conn { return &swallowConn{Conn: c, s: s} }

type swallowConn struct {
	net.Conn
	s     *swallower
	reads int
}

func (c *swallowConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.s.mu.Lock()
	c.reads++
	lose := c.reads > c.s.spare && c.s.rnd.Float64() < c.s.rate
	c.s.mu.Unlock()
	if err == nil && lose {
		c.s.lost.Add(1)
		_ = c.Conn.Close()
		return 0, io.EOF
	}
	return n, err
}

func newSwallower(rate float64) *swallower {
	return &swallower{rnd: rand.New(rand.NewPCG(1, 2)), rate: rate, spare: 4}
}

// produceThrough writes n values in small batches through a client whose answers get lost, and reads them back with another.
func produceThrough(t *testing.T, addrs []string, n int, prepare func(*Producer)) (values []string, lost int64) {
	t.Helper()
	calm := client(t, addrs...)
	name := topic(t, calm, 1)
	c := client(t, addrs...)
	s := newSwallower(0.15)
	c.wrap = s.wrap
	p := producer(t, c, ProducerConfig{BatchBytes: 300, Compression: None})
	if prepare != nil {
		prepare(p)
	}
	put(t, p, name, 0, 0, n)
	return all(t, calm, name, 0, 0), s.lost.Load()
}

func TestLostAnswersAreNoDuplicates(t *testing.T) {
	values, lost := produceThrough(t, cluster(t).ListenAddrs(), 3000, nil)
	if lost < 10 {
		t.Fatalf("only %d answers were lost: nothing is proven", lost)
	}
	wantSequence(t, values, 0, 3000)
}

// The same without producer id and sequence must show duplicates, else the test above proves nothing.
func TestLostAnswersAreDuplicatesWithoutSequence(t *testing.T) {
	values, _ := produceThrough(t, cluster(t).ListenAddrs(), 3000, func(p *Producer) { p.pid, p.epoch = -1, -1 })
	if len(values) <= 3000 {
		t.Fatalf("%d records of 3000: the lost answers are not what makes duplicates", len(values))
	}
}

func TestReadingOverBrokenConnections(t *testing.T) {
	addrs := cluster(t).ListenAddrs()
	calm := client(t, addrs...)
	name := topic(t, calm, 3)
	p := producer(t, calm, ProducerConfig{BatchBytes: 500})
	for part := range int32(3) {
		put(t, p, name, part, 0, 5000)
	}
	c := client(t, addrs...)
	s := newSwallower(0.3)
	c.wrap = s.wrap
	f := fetcher(t, c, FetchConfig{PartitionBytes: 4 << 10})
	for part := range int32(3) {
		f.Add(name, part, 0)
	}
	for part := range int32(3) {
		values, _ := drain(t, f, name, part, 5000)
		wantSequence(t, values, 0, 5000)
	}
	if s.lost.Load() < 10 {
		t.Fatalf("only %d answers were lost: nothing is proven", s.lost.Load())
	}
}

func TestErrorsThatPassAreRetried(t *testing.T) {
	for _, e := range []*kerr.Error{kerr.NotLeaderForPartition, kerr.RequestTimedOut, kerr.NotEnoughReplicas, kerr.NotEnoughReplicasAfterAppend, kerr.UnknownTopicOrPartition, kerr.KafkaStorageError, kerr.CorruptMessage} {
		t.Run(e.Message, func(t *testing.T) {
			k := cluster(t)
			c := client(t, k.ListenAddrs()...)
			name := topic(t, c, 1)
			p := producer(t, c, ProducerConfig{BatchBytes: 200})
			put(t, p, name, 0, 0, 10)
			h := k.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: name, Err: e, Count: 3})
			put(t, p, name, 0, 10, 100)
			if h.Hits() != 3 {
				t.Fatalf("%d faults injected", h.Hits())
			}
			wantSequence(t, all(t, c, name, 0, 0), 0, 100)
			h = k.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: name, Err: e, Count: 3})
			if e == kerr.CorruptMessage {
				return // on reading, a corrupt log does not pass
			}
			wantSequence(t, all(t, c, name, 0, 0), 0, 100)
			if h.Hits() != 3 {
				t.Fatalf("%d faults injected into fetching", h.Hits())
			}
		})
	}
}

func TestLeaderMoves(t *testing.T) {
	k := cluster(t, kfake.NumBrokers(3))
	c := client(t, k.ListenAddrs()...)
	name := topic(t, c, 3)
	p := producer(t, c, ProducerConfig{BatchBytes: 400})
	f := fetcher(t, c, FetchConfig{})
	for part := range int32(3) {
		f.Add(name, part, 0)
	}
	ctx := within(t, 60*time.Second)
	moved := make(chan error, 1)
	stop := make(chan struct{})
	go func() {
		for i := int32(0); ; i++ {
			select {
			case <-stop:
				moved <- nil
				return
			case <-time.After(5 * time.Millisecond):
				if err := k.MoveTopicPartition(name, i%3, (i/3)%3); err != nil {
					moved <- err
					return
				}
			}
		}
	}()
	for i := range 6000 {
		if err := p.Produce(ctx, name, int32(i%3), Record{Value: fmt.Appendf(nil, "v%d", i/3)}); err != nil {
			t.Fatal(err)
		}
		if i%100 == 0 {
			if err := p.Flush(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := p.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	for part := range int32(3) {
		values, _ := drain(t, f, name, part, 2000)
		wantSequence(t, values, 0, 2000)
	}
	close(stop)
	if err := <-moved; err != nil {
		t.Fatal(err)
	}
}

func TestFatalErrors(t *testing.T) {
	for _, tc := range []struct {
		err  *kerr.Error
		says string
	}{
		{kerr.TopicAuthorizationFailed, "denies this user"},
		{kerr.UnknownServerError, "could not store the records"},
	} {
		t.Run(tc.err.Message, func(t *testing.T) {
			k := cluster(t)
			c := client(t, k.ListenAddrs()...)
			name := topic(t, c, 1)
			p := producer(t, c, ProducerConfig{})
			put(t, p, name, 0, 0, 10)
			k.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: name, Err: tc.err, Count: 1})
			ctx := within(t, 10*time.Second)
			if err := p.Produce(ctx, name, 0, Record{Value: []byte("x")}); err != nil {
				t.Fatal(err)
			}
			err := p.Flush(ctx)
			var f *fault.Fault
			if !errors.As(err, &f) || f.Class != fault.Environment || f.Fix == "" || !strings.Contains(f.What, tc.says) {
				t.Fatalf("got %v", err)
			}
			if err := p.Produce(ctx, name, 0, Record{}); !errors.Is(err, f) || !errors.Is(p.Err(), f) {
				t.Fatalf("the producer goes on after a fatal error: %v, %v", err, p.Err())
			}
		})
	}
}

func TestTooLargeIsSplitOrNamed(t *testing.T) {
	c := client(t, cluster(t).ListenAddrs()...)
	name := topic(t, c, 1, "max.message.bytes", "3000")
	p := producer(t, c, ProducerConfig{Compression: None})
	ctx := within(t, 20*time.Second)
	var marks []*Mark
	for i := range 500 { // about 12 KB, in far fewer batches than the topic wants
		if err := p.Produce(ctx, name, 0, Record{Value: fmt.Appendf(nil, "v%d", i)}); err != nil {
			t.Fatal(err)
		}
		marks = append(marks, p.Mark())
	}
	for i, m := range marks {
		if err := m.Wait(ctx); err != nil {
			t.Fatal(err)
		}
		if next, ok := m.Next(name, 0); !ok || next != int64(i+1) {
			t.Fatalf("mark %d after splitting: %d, %v", i, next, ok)
		}
	}
	wantSequence(t, all(t, c, name, 0, 0), 0, 500)
	if err := p.Produce(ctx, name, 0, Record{Key: []byte("the key"), Value: make([]byte, 5000)}); err != nil {
		t.Fatal(err)
	}
	err := p.Flush(ctx)
	var f *fault.Fault
	if !errors.As(err, &f) || f.Where != name+"/0" || !strings.Contains(f.What, "key of 7 bytes") || !strings.Contains(f.Fix, "max.message.bytes") {
		t.Fatalf("got %v", err)
	}
}

func TestBackPressure(t *testing.T) {
	k := cluster(t)
	c := client(t, k.ListenAddrs()...)
	name := topic(t, c, 1)
	p := producer(t, c, ProducerConfig{MaxBytes: 10_000})
	k.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: name, Err: kerr.NotEnoughReplicas, Count: 8})
	ctx := within(t, 30*time.Second)
	for i := range 2000 {
		if err := p.Produce(ctx, name, 0, Record{Value: fmt.Appendf(nil, "v%d", i)}); err != nil {
			t.Fatal(err)
		}
		p.mu.Lock()
		buffered := p.buffered
		p.mu.Unlock()
		if buffered > 10_100 {
			t.Fatalf("%d bytes buffered", buffered)
		}
	}
	if err := p.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if err := p.Produce(ctx, name, 0, Record{}); !errors.Is(err, ErrClosed) {
		t.Fatalf("produce after close: %v", err)
	}
	wantSequence(t, all(t, c, name, 0, 0), 0, 2000)
}

func TestDuplicateWithoutOffsetIsLookedUp(t *testing.T) {
	k := cluster(t)
	c := client(t, k.ListenAddrs()...)
	name := topic(t, c, 1)
	p := producer(t, c, ProducerConfig{})
	put(t, p, name, 0, 0, 7)
	// The batch is written, its answer lost, and then the broker only says that it is a duplicate.
	k.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: name, Err: kerr.RequestTimedOut, Count: 1})
	again := false
	k.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: name, Err: kerr.DuplicateSequenceNumber, Count: 1, When: func(kmsg.Request) bool {
		was := again
		again = true
		return was
	}})
	ctx := within(t, 20*time.Second)
	if err := p.Produce(ctx, name, 0, Record{Value: []byte("v7")}); err != nil {
		t.Fatal(err)
	}
	m := p.Mark()
	if err := m.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	if next, ok := m.Next(name, 0); !ok || next != 8 {
		t.Fatalf("next offset %d, %v", next, ok)
	}
	wantSequence(t, all(t, c, name, 0, 0), 0, 8)
}

// TestRaiseIsDenied: who may not set what a topic must have is told how somebody else does.
func TestRaiseIsDenied(t *testing.T) {
	k := cluster(t)
	c := client(t, k.ListenAddrs()...)
	ctx := within(t, 20*time.Second)
	name := topic(t, c, 1)
	k.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.IncrementalAlterConfigs}, Err: kerr.TopicAuthorizationFailed})
	spec := TopicSpec{Name: name, Partitions: 1, Least: map[string]int64{"min.compaction.lag.ms": 3_600_000}}
	var f *fault.Fault
	if err := c.EnsureTopics(ctx, spec); !errors.As(err, &f) || f.Class != fault.Environment ||
		!strings.Contains(f.Fix, "--alter --entity-type topics --entity-name "+name+" --add-config min.compaction.lag.ms=3600000") {
		t.Errorf("denied: %v", err)
	}
}
