package embedded

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/internal/kafka"
)

func open(t *testing.T, addr string) *kafka.Client {
	t.Helper()
	c, err := kafka.Open(kafka.Config{Brokers: []string{addr}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// started is a broker with a topic t, and a client of it.
func started(ctx context.Context, t *testing.T, cfg Config) (*Broker, *kafka.Client) {
	t.Helper()
	b, err := Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c := open(t, b.Addr())
	if err := c.EnsureTopics(ctx, kafka.TopicSpec{Name: "t", Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	return b, c
}

func produce(ctx context.Context, t *testing.T, c *kafka.Client, topic string, from, to int) {
	t.Helper()
	p, err := c.NewProducer(ctx, kafka.ProducerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	for i := from; i < to; i++ {
		if err := p.Produce(ctx, topic, 0, kafka.Record{Key: fmt.Appendf(nil, "k%d", i%10), Value: fmt.Appendf(nil, "v%d", i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Close(ctx); err != nil {
		t.Fatal(err)
	}
}

// count counts a partition's records. Where a compaction moves the start of the log in the middle of it, it counts again.
func count(ctx context.Context, t *testing.T, c *kafka.Client, topic string) int {
	t.Helper()
	for {
		start, err := c.StartOffset(ctx, topic, 0)
		n := 0
		if err == nil {
			err = c.Scan(ctx, topic, 0, 0, -1, func(*kafka.Record) error { n++; return nil })
		}
		if err != nil {
			t.Fatal(err)
		}
		if after, err := c.StartOffset(ctx, topic, 0); err == nil && after == start {
			return n
		}
	}
}

func TestSurvivesRestartOnItsPort(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cfg := Config{Dir: t.TempDir()}
	b, c := started(ctx, t, cfg)
	host, _, err := net.SplitHostPort(b.Addr())
	if err != nil || host != "127.0.0.1" {
		t.Fatalf("listens on %s", b.Addr())
	}
	produce(ctx, t, c, "t", 0, 1000)
	cfg.Listen = b.Addr()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal("closing twice:", err)
	}
	if b, err = Start(cfg); err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if n := count(ctx, t, c, "t"); n != 1000 {
		t.Fatalf("%d records after the restart", n)
	}
	produce(ctx, t, c, "t", 1000, 1100)
	if n := count(ctx, t, c, "t"); n != 1100 {
		t.Fatalf("%d records", n)
	}
}

func TestDirectoryIsLocked(t *testing.T) {
	dir := t.TempDir()
	b, err := Start(Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	_, err = Start(Config{Dir: dir})
	var f *fault.Fault
	if !errors.As(err, &f) || f.Class != fault.Environment || !strings.Contains(f.What, "process "+strconv.Itoa(os.Getpid())) || f.Fix == "" {
		t.Fatalf("second start: %v", err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if b, err = Start(Config{Dir: dir}); err != nil {
		t.Fatalf("after the first is closed: %v", err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestTakenPortIsAFault(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dir := t.TempDir()
	for _, listen := range []string{l.Addr().String(), "nonsense", "127.0.0.1:http-but-not"} {
		_, err = Start(Config{Dir: dir, Listen: listen})
		var f *fault.Fault
		if !errors.As(err, &f) || f.Fix == "" {
			t.Fatalf("%s: %v", listen, err)
		}
	}
	b, err := Start(Config{Dir: dir}) // the failed ones left no lock behind
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestCompacts(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	b, err := Start(Config{Dir: t.TempDir(), Compaction: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	c := open(t, b.Addr())
	err = c.EnsureTopics(ctx, kafka.TopicSpec{Name: "t", Partitions: 1, Configs: map[string]string{
		"cleanup.policy": "compact", "min.compaction.lag.ms": "0", "min.cleanable.dirty.ratio": "0.01", "segment.bytes": "1048576", "segment.ms": "1",
	}})
	if err != nil {
		t.Fatal(err)
	}
	produce(ctx, t, c, "t", 0, 5000)
	for {
		produce(ctx, t, c, "t", 5000, 5001) // rolls the segment
		if n := count(ctx, t, c, "t"); n < 100 {
			break
		}
		if ctx.Err() != nil {
			t.Fatal("nothing was compacted")
		}
	}
	last, err := c.Last(ctx, "t", 0)
	if err != nil || string(last.Value) != "v5000" {
		t.Fatalf("%+v, %v", last, err)
	}
}

// TestRefusesAfterFailedWrite: kfake would take a batch that it could not write for a duplicate when it is sent again, and acknowledge it.
func TestRefusesAfterFailedWrite(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	dir := t.TempDir()
	b, c := started(ctx, t, Config{Dir: dir})
	defer b.Close()
	produce(ctx, t, c, "t", 0, 10)
	b.disk.heard("compact t-0: read batch pass 1: EOF")
	if b.Fault() != nil {
		t.Fatal("failed by a message that is no failed write")
	}
	b.disk.heard("persist batch t-0: no space left on device")
	<-b.Failed()
	if f := b.Fault(); f == nil || f.Where != "log.data_dir "+dir || !strings.Contains(f.What, "no space left on device") || f.Fix == "" {
		t.Errorf("the fault is %v", f)
	}
	p, err := c.NewProducer(ctx, kafka.ProducerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Produce(ctx, "t", 0, kafka.Record{Key: []byte("k"), Value: []byte("v")}); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	if err := p.Flush(short); err == nil {
		t.Error("a broker that cannot write acknowledges")
	}
	if n := count(ctx, t, c, "t"); n != 10 {
		t.Errorf("%d records", n)
	}
}
