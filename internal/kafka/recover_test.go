package kafka

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	kgo "github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"shelfstream/internal/fault"
)

// forgets makes the broker refuse the next produce requests to a topic as one does that has lost its memory of the producer.
func forgets(k *kfake.Cluster, topic string, err *kerr.Error, times int) {
	k.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Err: err, Count: times})
}

func wantLost(t *testing.T, err error, where, what string) {
	t.Helper()
	var f *fault.Fault
	if !errors.As(err, &f) || f.Class != fault.Environment || f.Where != where || !strings.Contains(f.What, what) || f.Fix == "" {
		t.Fatalf("got %v", err)
	}
}

func TestForgottenSequenceBeginsAnew(t *testing.T) {
	for _, e := range []*kerr.Error{kerr.OutOfOrderSequenceNumber, kerr.UnknownProducerID} {
		for _, id := range []string{"", "owner"} {
			t.Run(e.Message+id, func(t *testing.T) {
				k := cluster(t)
				c := client(t, k.ListenAddrs()...)
				name := topic(t, c, 2)
				p := producer(t, c, ProducerConfig{TransactionalID: id, BatchBytes: 200})
				if id != "" {
					if err := p.Fence(within(t, 20*time.Second), map[string][]int32{name: {0, 1}}); err != nil {
						t.Fatal(err)
					}
				}
				put(t, p, name, 0, 0, 50)
				put(t, p, name, 1, 0, 50)
				forgets(k, name, e, 2)
				ctx := within(t, 30*time.Second)
				for i := 50; i < 150; i++ {
					for part := range int32(2) {
						if err := p.Produce(ctx, name, part, Record{Value: fmt.Appendf(nil, "v%d", i)}); err != nil {
							t.Fatal(err)
						}
					}
				}
				m := p.Mark()
				if err := m.Wait(ctx); err != nil {
					t.Fatal(err)
				}
				put(t, p, name, 0, 150, 170)
				wantSequence(t, all(t, c, name, 0, 0), 0, 170)
				wantSequence(t, all(t, c, name, 1, 0), 0, 150)
				for part := range int32(2) {
					next, ok := m.Next(name, part)
					if !ok {
						t.Fatal("the mark knows no offset")
					}
					if n := 150 - len(all(t, c, name, part, next)); part == 1 && n != 150 {
						t.Errorf("the mark's offset %d leaves %d records before it", next, n)
					}
				}
			})
		}
	}
}

// A broker that refuses every new beginning has another ailment.
func TestForgottenSequenceAgainAndAgain(t *testing.T) {
	k := cluster(t)
	c := client(t, k.ListenAddrs()...)
	name := topic(t, c, 1)
	p := producer(t, c, ProducerConfig{})
	put(t, p, name, 0, 0, 10)
	forgets(k, name, kerr.OutOfOrderSequenceNumber, -1)
	ctx := within(t, 20*time.Second)
	if err := p.Produce(ctx, name, 0, Record{Value: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	wantLost(t, p.Flush(ctx), name+"/0", "does not continue what this producer has written")
}

// twin makes a producer whose next batch to partition 0 a broker takes for p's.
func twin(t *testing.T, p *Producer, name string) *Producer {
	t.Helper()
	q := producer(t, p.c, ProducerConfig{})
	p.mu.Lock()
	defer p.mu.Unlock()
	q.pid, q.epoch = p.pid, p.epoch
	q.part(name, 0).nextSeq = p.part(name, 0).nextSeq
	return q
}

// An attempt's answer was lost, and then the log could not be read: the batch may stand there, and must not be sent to a broker that may have
// forgotten it.
func TestUnsureUntilLookedFor(t *testing.T) {
	k := cluster(t)
	c := client(t, k.ListenAddrs()...)
	name := topic(t, c, 1)
	p := producer(t, c, ProducerConfig{})
	put(t, p, name, 0, 0, 10)
	put(t, twin(t, p, name), name, 0, 10, 11)
	lost := k.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: name, Err: kerr.RequestTimedOut, Count: 1})
	moved := k.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: name, Err: kerr.NotLeaderForPartition, Count: 1})
	sent := k.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: name, Err: kerr.UnknownServerError, Count: 1})
	put(t, p, name, 0, 10, 11)
	if lost.Hits() != 1 || moved.Hits() != 1 || sent.Hits() != 0 {
		t.Fatalf("answers lost %d, looked for in vain %d, sent again %d", lost.Hits(), moved.Hits(), sent.Hits())
	}
	wantSequence(t, all(t, c, name, 0, 0), 0, 11)
}

// The refused batch stands in the log already: it was written, and its sequence forgotten before the answer.
func TestForgottenButWritten(t *testing.T) {
	k := cluster(t)
	c := client(t, k.ListenAddrs()...)
	name := topic(t, c, 1)
	p := producer(t, c, ProducerConfig{})
	put(t, p, name, 0, 0, 10)
	put(t, twin(t, p, name), name, 0, 10, 11)
	forgets(k, name, kerr.OutOfOrderSequenceNumber, 1)
	put(t, p, name, 0, 10, 11)
	put(t, p, name, 0, 11, 20)
	wantSequence(t, all(t, c, name, 0, 0), 0, 20)
}

// remade deletes a topic and makes it anew, which is the plainest way to lose what was acknowledged.
func remade(t *testing.T, c *Client, name string) {
	t.Helper()
	ctx := within(t, 20*time.Second)
	admin := &kgo.Client{Addr: kgo.TCP(c.cfg.Brokers[0]), Transport: &kgo.Transport{}}
	r, err := admin.DeleteTopics(ctx, &kgo.DeleteTopicsRequest{Topics: []string{name}})
	if err != nil || r.Errors[name] != nil {
		t.Fatal(err, r)
	}
	if err := c.EnsureTopics(ctx, TopicSpec{Name: name, Partitions: 1}); err != nil {
		t.Fatal(err)
	}
}

func TestLostRecordsEndTheProducer(t *testing.T) {
	for _, forgotten := range []bool{false, true} {
		t.Run(strconv.FormatBool(forgotten), func(t *testing.T) {
			k := cluster(t)
			c := client(t, k.ListenAddrs()...)
			name := topic(t, c, 1)
			p := producer(t, c, ProducerConfig{})
			put(t, p, name, 0, 0, 10)
			remade(t, c, name)
			at := 0
			if forgotten {
				forgets(k, name, kerr.OutOfOrderSequenceNumber, 1)
			} else { // then a broker takes any sequence
				at = 3
				put(t, producer(t, c, ProducerConfig{}), name, 0, 0, at)
			}
			ctx := within(t, 20*time.Second)
			if err := p.Produce(ctx, name, 0, Record{Value: []byte("x")}); err != nil {
				t.Fatal(err)
			}
			wantLost(t, p.Flush(ctx), name+"/0", fmt.Sprintf("the log goes on at offset %d, and was acknowledged up to offset 10", at))
			if values := all(t, c, name, 0, 0); forgotten && len(values) > 0 {
				t.Fatalf("%d records were written behind the gap", len(values))
			}
		})
	}
}

// An owner that was shut out does not get back by a broker's forgetting, nor does it harm the owner that has its work.
func TestForgottenSequenceLeavesTheFenceAlone(t *testing.T) {
	k := cluster(t)
	ca, cb := client(t, k.ListenAddrs()...), client(t, k.ListenAddrs()...)
	name := topic(t, ca, 1)
	ctx := within(t, 30*time.Second)
	id, parts := ProducerConfig{TransactionalID: name}, map[string][]int32{name: {0}}
	old := producer(t, ca, id)
	if err := old.Fence(ctx, parts); err != nil {
		t.Fatal(err)
	}
	put(t, old, name, 0, 0, 10)
	owner := producer(t, cb, id)
	if err := owner.Fence(ctx, parts); err != nil {
		t.Fatal(err)
	}
	put(t, owner, name, 0, 10, 20)
	forgets(k, name, kerr.OutOfOrderSequenceNumber, 1)
	if err := old.Produce(ctx, name, 0, Record{Value: []byte("stale")}); err != nil {
		t.Fatal(err)
	}
	if err := old.Flush(ctx); !errors.Is(err, ErrFenced) {
		t.Fatalf("the old owner: %v", err)
	}
	put(t, owner, name, 0, 20, 30)
	wantSequence(t, all(t, cb, name, 0, 0), 0, 30)
}

// Between the two halves of Fence another owner took over. kfake lets the first one through, which would shut the second out.
func TestFenceNoticesANewerOwner(t *testing.T) {
	addrs := cluster(t).ListenAddrs()
	old := producer(t, client(t, addrs...), ProducerConfig{TransactionalID: "owner"})
	producer(t, client(t, addrs...), ProducerConfig{TransactionalID: "owner"})
	if _, _, err := old.nextID(within(t, 20*time.Second)); !errors.Is(err, ErrFenced) {
		t.Fatalf("the old owner gets an epoch: %v", err)
	}
}

// forgetful is an embedded log whose memory of producers after a restart is that of its first shutdown, as if it had been killed since.
func forgetful(t *testing.T) *restartable {
	t.Helper()
	b := embeddedBroker(t)
	memory := filepath.Join(b.dir, "data", "seq_windows.json")
	var first []byte
	down := b.down
	b.down = func() {
		down()
		now, err := os.ReadFile(memory)
		if err != nil {
			t.Error(err)
		}
		if first == nil {
			first = now
		}
		if err := os.WriteFile(memory, first, 0o600); err != nil {
			t.Error(err)
		}
	}
	return b
}

func TestOverForgetfulRestarts(t *testing.T) { overRestarts(t, forgetful(t), 3, time.Minute) }
