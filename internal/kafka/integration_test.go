//go:build integration

package kafka

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/internal/testenv"
)

var (
	realOnce sync.Once
	realOne  *testenv.Kafka
	realErr  error
	realTLS  *testenv.KafkaTLS
)

// realKafka is one Apache Kafka for the tests of this package, cleaned quickly so that compaction can be waited for.
func realKafka(t testing.TB) *testenv.Kafka {
	t.Helper()
	realOnce.Do(func() {
		if realTLS, realErr = testenv.NewKafkaTLS(); realErr != nil {
			return
		}
		dir, err := os.MkdirTemp("", "shelfstream-kafka-test") //nolint:usetesting // it outlives the test that comes first
		if err != nil {
			realErr = err
			return
		}
		atExit = append(atExit, func() { _ = os.RemoveAll(dir) })
		realOne, realErr = testenv.StartKafka(context.Background(), dir,
			testenv.KafkaProperty("log.cleaner.backoff.ms", "100"), testenv.KafkaProperty("log.initial.task.delay.ms", "100"),
			testenv.KafkaUsers(map[string]string{"shelf": "secret"}), testenv.KafkaWithTLS(realTLS))
		if realErr == nil {
			atExit = append(atExit, func() { _ = realOne.Close() })
		}
	})
	if realErr != nil {
		t.Fatal(realErr)
	}
	return realOne
}

func realAddrs(t testing.TB) []string { return []string{realKafka(t).Addr()} }

func TestRealTopicsAndOffsets(t *testing.T) {
	topicsAndOffsets(t, realAddrs(t))
	c := client(t, realAddrs(t)...)
	var f *fault.Fault
	err := c.EnsureTopics(within(t, 20*time.Second), TopicSpec{Name: "bad-setting", Partitions: 1, Configs: map[string]string{"no.such.setting": "1"}})
	if !errors.As(err, &f) || f.Class != fault.Config {
		t.Errorf("unknown setting: %v", err)
	}
}

func TestRealCommittedOffsets(t *testing.T) { committedOffsets(t, realAddrs(t)) }

func TestRealFence(t *testing.T) { fenced(t, realAddrs(t)) }

func TestRealFenceUnderLoad(t *testing.T) { fencedUnderLoad(t, realAddrs(t)) }

// A real Kafka checks epochs partition by partition: without Fence, the older owner's plain batches still land.
func TestRealWithoutFenceNothingIsFenced(t *testing.T) {
	c := client(t, realAddrs(t)...)
	name := topic(t, c, 1)
	old := producer(t, c, ProducerConfig{TransactionalID: name})
	put(t, old, name, 0, 0, 10)
	producer(t, c, ProducerConfig{TransactionalID: name})
	put(t, old, name, 0, 10, 20)
	wantSequence(t, all(t, c, name, 0, 0), 0, 20)
}

func TestRealAbortedTransactionsAreSkipped(t *testing.T) { abortedSkipped(t, realAddrs(t)) }

func TestRealLargeBatches(t *testing.T) { largeBatches(t, realAddrs(t)) }

func TestRealLargestRecord(t *testing.T) { largestRecord(t, realAddrs(t)) }

func TestRealLostAnswersAreNoDuplicates(t *testing.T) {
	values, lost := produceThrough(t, realAddrs(t), 3000, nil)
	if lost < 10 {
		t.Fatalf("only %d answers were lost: nothing is proven", lost)
	}
	wantSequence(t, values, 0, 3000)
	if values, _ := produceThrough(t, realAddrs(t), 3000, func(p *Producer) { p.pid, p.epoch = -1, -1 }); len(values) <= 3000 {
		t.Fatalf("%d records of 3000 without sequences: the lost answers are not what makes duplicates", len(values))
	}
}

func TestRealGroup(t *testing.T) {
	addrs := realAddrs(t)
	c := client(t, addrs...)
	name := topic(t, c, 6)
	ctx := within(t, 60*time.Second)
	r := newRoster(t)
	leave := r.join(c, "one", groupConfig(name))
	r.await(ctx, name, 6)
	r.join(client(t, addrs...), "two", groupConfig(name))
	r.await(ctx, name, 3, 3)
	r.join(client(t, addrs...), "three", groupConfig(name))
	r.await(ctx, name, 2, 2, 2)
	start := time.Now()
	_ = leave()
	r.await(ctx, name, 3, 3)
	if d := time.Since(start); d > 15*time.Second { // half of its session
		t.Errorf("taking over from a member that left took %v", d)
	}
}

func TestRealPausedMemberLosesItsWork(t *testing.T) { pausedMember(t, realAddrs(t)[0]) }

func TestRealSecurity(t *testing.T) {
	k := realKafka(t)
	for _, mech := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		t.Run(mech, func(t *testing.T) {
			secured(t, Config{Brokers: []string{k.SASLTLSAddr()}, TLS: realTLS.ClientConfig(), SASL: &SASL{mech, "shelf", "secret"}})
			c, err := Open(Config{Brokers: []string{k.SASLAddr()}, SASL: &SASL{mech, "shelf", "wrong"}})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			var f *fault.Fault
			if err := c.Ping(within(t, 20*time.Second)); !errors.As(err, &f) || f.What != "Kafka refuses the login" {
				t.Fatalf("wrong password: %v", err)
			}
		})
	}
}

// A compacted topic whose batches have become empty, with holes, control batches and aborted transactions: what kafka-go's own readers
// stick on.
func TestRealCompactedToEmptyBatches(t *testing.T) {
	c := client(t, realAddrs(t)...)
	name := topic(t, c, 1, "cleanup.policy", "compact", "segment.ms", "100", "segment.bytes", "1048576", "min.cleanable.dirty.ratio", "0.001",
		"min.compaction.lag.ms", "0", "delete.retention.ms", "0")
	ctx := within(t, 120*time.Second)
	// Every producer's last batch is kept, though empty, for its sequence.
	for gen := range 20 {
		p := producer(t, c, ProducerConfig{TransactionalID: name})
		if err := p.Fence(ctx, map[string][]int32{name: {0}}); err != nil {
			t.Fatal(err)
		}
		for i := range 50 {
			if err := p.Produce(ctx, name, 0, Record{Key: fmt.Appendf(nil, "k%d", i), Value: fmt.Appendf(nil, "g%d", gen)}); err != nil {
				t.Fatal(err)
			}
		}
		if err := p.Close(ctx); err != nil {
			t.Fatal(err)
		}
		other := producer(t, c, ProducerConfig{})
		if err := other.Produce(ctx, name, 0, Record{Key: []byte("gone"), Value: []byte("x")}); err != nil {
			t.Fatal(err)
		}
		if err := other.Produce(ctx, name, 0, Record{Key: []byte("gone")}); err != nil {
			t.Fatal(err)
		}
		if err := other.Close(ctx); err != nil {
			t.Fatal(err)
		}
	}
	tick := producer(t, c, ProducerConfig{})
	for n := 0; ; n++ {
		// A segment is closed by the first write after its time.
		if err := tick.Produce(ctx, name, 0, Record{Key: []byte("tick"), Value: fmt.Append(nil, n)}); err != nil {
			t.Fatal(err)
		}
		if err := tick.Flush(ctx); err != nil {
			t.Fatal(err)
		}
		empty, control, data := 0, 0, 0
		if err := c.eachBatch(ctx, name, 0, 0, func(h *batchHeader) bool {
			switch {
			case h.control():
				control++
			case h.count == 0:
				empty++
			default:
				data++
			}
			return true
		}); err != nil {
			t.Fatal(err)
		}
		if empty >= 10 {
			t.Logf("%d empty batches, %d control batches, %d with data", empty, control, data)
			break
		}
		select {
		case <-ctx.Done():
			t.Fatalf("the cleaner left %d empty batches, %d control, %d with data", empty, control, data)
		case <-time.After(200 * time.Millisecond):
		}
	}
	got := map[string]string{}
	f := fetcher(t, c, FetchConfig{ReadCommitted: true})
	f.Add(name, 0, 0)
	end, err := c.EndOffset(ctx, name, 0)
	if err != nil {
		t.Fatal(err)
	}
	for at := int64(0); at < end; {
		b, err := f.Poll(ctx)
		if err != nil || b.Err != nil {
			t.Fatal(err, b)
		}
		if b.Next <= at && len(b.Records) == 0 {
			t.Fatalf("no way on from offset %d", at)
		}
		for _, r := range b.Records {
			if r.Value == nil {
				delete(got, string(r.Key))
			} else {
				got[string(r.Key)] = string(r.Value)
			}
		}
		at = b.Next
		f.Release(b)
	}
	for i := range 50 {
		if k := fmt.Sprint("k", i); got[k] != "g19" {
			t.Errorf("%s is %q", k, got[k])
		}
	}
	if got["gone"] != "" || got["tick"] == "" {
		t.Errorf("gone %q, tick %q", got["gone"], got["tick"])
	}
	// From every single offset, also those in holes.
	for from := int64(0); from < end; from += max(1, end/50) {
		if err := c.Scan(ctx, name, 0, from, -1, func(r *Record) error {
			if r.Offset < from {
				return fmt.Errorf("offset %d when read from %d", r.Offset, from)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	if r, err := c.Last(ctx, name, 0); err != nil || !bytes.Equal(r.Key, []byte("tick")) {
		t.Errorf("Last: %+v, %v", r, err)
	}
}

func TestRealOverBrokerRestarts(t *testing.T) {
	k, err := testenv.StartKafka(within(t, 90*time.Second), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = k.Close() })
	n := 0
	overRestarts(t, &restartable{
		addr: k.Addr(),
		down: func() {
			n++
			stop := k.Kill // SIGKILL
			if n%2 == 0 {
				stop = func() error { return k.Stop(context.Background()) }
			}
			if err := stop(); err != nil {
				t.Error(err)
			}
		},
		up: func() {
			if err := k.Restart(context.Background()); err != nil {
				t.Error(err)
			}
		},
	}, 3, 3*time.Minute)
}

// The embedded log in a process of its own, killed each time but the first.
func TestEmbeddedOverKills(t *testing.T) {
	b, err := testenv.StartEmbedded(within(t, 90*time.Second), t.TempDir(), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	n := 0
	overRestarts(t, &restartable{
		addr: b.Addr(),
		down: func() {
			n++
			stop := b.Kill
			if n == 1 { // leaves its memory of producers, which is out of date at the next start
				stop = func() error { return b.Stop(context.Background()) }
			}
			if err := stop(); err != nil {
				t.Error(err)
			}
		},
		up: func() {
			if err := b.Restart(context.Background()); err != nil {
				t.Error(err)
			}
		},
	}, 6, 3*time.Minute)
}
