package kafka

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"shelfstream/internal/fault"
)

// abortedSkipped mixes committed and aborted transactions of two foreign producers with plain records.
func abortedSkipped(t *testing.T, addrs []string) {
	t.Helper()
	c := client(t, addrs...)
	name := topic(t, c, 1)
	ctx := within(t, 60*time.Second)
	p := producer(t, c, ProducerConfig{})
	var txns []*kgo.Client
	for i := range 2 {
		k, err := kgo.NewClient(kgo.SeedBrokers(addrs...), kgo.TransactionalID(fmt.Sprint(name, i)), kgo.DefaultProduceTopic(name))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(k.Close)
		txns = append(txns, k)
	}
	var want []string
	plain := func(v string) {
		want = append(want, v)
		if err := p.Produce(ctx, name, 0, Record{Value: []byte(v)}); err != nil {
			t.Fatal(err)
		}
		if err := p.Flush(ctx); err != nil {
			t.Fatal(err)
		}
	}
	write := func(k *kgo.Client, v string) {
		if err := k.ProduceSync(ctx, kgo.StringRecord(v)).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	for round := range 5 {
		commit := round%2 == 0
		for _, k := range txns {
			if err := k.BeginTransaction(); err != nil {
				t.Fatal(err)
			}
		}
		plain(fmt.Sprint("plain ", round))
		for i := range 3 {
			for j, k := range txns {
				v := fmt.Sprintf("txn %d.%d.%d", round, j, i)
				write(k, v)
				if commit == (j == 0) {
					want = append(want, v) // one of the two commits, in the order written
				}
			}
			plain(fmt.Sprint("between ", round, i))
		}
		for j, k := range txns {
			if err := k.EndTransaction(ctx, kgo.TransactionEndTry(commit == (j == 0))); err != nil {
				t.Fatal(err)
			}
		}
	}
	plain("last")
	for from := range int64(20) { // begin within transactions too
		var got []string
		var first int64 = -1
		if err := c.Scan(ctx, name, 0, from, -1, func(r *Record) error {
			if first < 0 {
				first = r.Offset
			}
			got = append(got, string(r.Value))
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		tail := want[len(want)-len(got):]
		for i := range got {
			if got[i] != tail[i] {
				t.Fatalf("from %d: record %d is %q, want %q\ngot  %q\nwant %q", from, i, got[i], tail[i], got, want)
			}
		}
		if from == 0 && len(got) != len(want) {
			t.Fatalf("%d records, want %d", len(got), len(want))
		}
	}
	// Uncommitted reading sees them all, but no markers.
	f := fetcher(t, c, FetchConfig{ReadUncommitted: true})
	f.Add(name, 0, 0)
	if values, _ := drain(t, f, name, 0, 5*(1+3*3)+1); values[len(values)-1] != "last" {
		t.Fatalf("%q", values)
	}
}

func TestAbortedTransactionsAreSkipped(t *testing.T) { abortedSkipped(t, cluster(t).ListenAddrs()) }

// answerFetch makes the cluster answer every fetch of the partition with what fn puts in.
func answerFetch(c interface {
	ControlKey(int16, func(kmsg.Request) (kmsg.Response, error, bool))
	KeepControl()
}, topic string, fn func(offset int64, p *kmsg.FetchResponseTopicPartition),
) {
	c.ControlKey(int16(kmsg.Fetch), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		req := r.(*kmsg.FetchRequest)
		resp := req.ResponseKind().(*kmsg.FetchResponse)
		rt := kmsg.NewFetchResponseTopic()
		rt.Topic = topic
		rp := kmsg.NewFetchResponseTopicPartition()
		fn(req.Topics[0].Partitions[0].FetchOffset, &rp)
		rt.Partitions = append(rt.Partitions, rp)
		resp.Topics = append(resp.Topics, rt)
		return resp, nil, true
	})
}

// A log whose tail holds no batch at all any more: brokers answer nothing, although the end lies further on.
func TestTailWithoutBatches(t *testing.T) {
	k := cluster(t)
	c := client(t, k.ListenAddrs()...)
	name := topic(t, c, 1)
	answerFetch(k, name, func(_ int64, p *kmsg.FetchResponseTopicPartition) { p.HighWatermark, p.LastStableOffset = 50, 50 })
	f := fetcher(t, c, FetchConfig{})
	f.Add(name, 0, 10)
	b, err := f.Poll(within(t, 10*time.Second))
	if err != nil || b.Err != nil || b.Next != 50 || len(b.Records) != 0 {
		t.Fatalf("%+v, %v", b, err)
	}
	f.Release(b)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if b, err := f.Poll(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("at the end there is nothing more, got %+v, %v", b, err)
	}
}

// Damaged bytes are named, not skipped, and what came before them is delivered.
func TestDamagedLogIsReported(t *testing.T) {
	k := cluster(t)
	c := client(t, k.ListenAddrs()...)
	name := topic(t, c, 1)
	good := encodeBatch(t, &c.codecs, codecNone, []Record{{Value: []byte("good")}})
	bad := encodeBatch(t, &c.codecs, codecNone, []Record{{Value: []byte("bad")}})
	bad[7] = 1 // offset 1
	bad[len(bad)-2] ^= 1
	answerFetch(k, name, func(_ int64, p *kmsg.FetchResponseTopicPartition) {
		p.HighWatermark, p.LastStableOffset, p.RecordBatches = 2, 2, append(append([]byte{}, good...), bad...)
	})
	f := fetcher(t, c, FetchConfig{})
	f.Add(name, 0, 0)
	ctx := within(t, 10*time.Second)
	b, err := f.Poll(ctx)
	if err != nil || b.Err != nil || len(b.Records) != 1 || string(b.Records[0].Value) != "good" {
		t.Fatalf("%+v, %v", b, err)
	}
	f.Release(b)
	b, err = f.Poll(ctx)
	var ft *fault.Fault
	if err != nil || !errors.As(b.Err, &ft) || ft.Where != name+"/0@1" || !errors.Is(b.Err, errCorrupt) || b.Next != 1 {
		t.Fatalf("%+v, %v", b, err)
	}
	f.Release(b)
}

// largeBatches are larger than what a partition is fetched with.
func largeBatches(t *testing.T, addrs []string) {
	t.Helper()
	c := client(t, addrs...)
	name := topic(t, c, 3, "max.message.bytes", "8000000")
	p := producer(t, c, ProducerConfig{Compression: None})
	ctx := within(t, 60*time.Second)
	for i := range 9 {
		if err := p.Produce(ctx, name, int32(i%3), Record{Key: []byte{byte(i)}, Value: noise(2<<20 + i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	f := fetcher(t, c, FetchConfig{MaxBytes: 64 << 10, PartitionBytes: 16 << 10})
	for part := range int32(3) {
		f.Add(name, part, 0)
	}
	for n := 0; n < 9; {
		b, err := f.Poll(ctx)
		if err != nil || b.Err != nil {
			t.Fatal(err, b)
		}
		for _, r := range b.Records {
			if len(r.Value) != 2<<20+int(r.Key[0]) || int32(r.Key[0]%3) != b.Partition {
				t.Fatalf("record %d of partition %d has %d bytes", r.Key[0], b.Partition, len(r.Value))
			}
			n++
		}
		f.Release(b)
	}
}

func TestLargeBatches(t *testing.T) { largeBatches(t, cluster(t).ListenAddrs()) }
