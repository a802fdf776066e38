package kafka

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

// drain polls one partition until want records have come, and gives them back.
func drain(t testing.TB, f *Fetcher, topic string, partition int32, want int) (values []string, next int64) {
	t.Helper()
	ctx := within(t, 60*time.Second)
	for len(values) < want {
		b, err := f.PollPartition(ctx, topic, partition)
		if err != nil {
			t.Fatalf("after %d records: %v", len(values), err)
		}
		if b.Err != nil {
			t.Fatal(b.Err)
		}
		for _, r := range b.Records {
			values = append(values, string(r.Value))
		}
		next = b.Next
		f.Release(b)
	}
	return values, next
}

func fetcher(t testing.TB, c *Client, cfg FetchConfig) *Fetcher {
	t.Helper()
	f := c.NewFetcher(cfg)
	t.Cleanup(f.Close)
	return f
}

func TestFetcherTakesPartitionsInTurn(t *testing.T) {
	c := client(t, cluster(t).ListenAddrs()...)
	name := topic(t, c, 4)
	p := producer(t, c, ProducerConfig{BatchBytes: 1 << 10})
	for part := range int32(4) {
		put(t, p, name, part, 0, 1000)
	}
	f := fetcher(t, c, FetchConfig{})
	for part := range int32(4) {
		f.Add(name, part, int64(part)*100)
	}
	got := map[int32][]string{}
	ctx := within(t, 30*time.Second)
	for n := 0; n < 4000-600; {
		b, err := f.Poll(ctx)
		if err != nil || b.Err != nil {
			t.Fatal(err, b)
		}
		if b.HighWatermark != 1000 {
			t.Fatalf("high watermark %d", b.HighWatermark)
		}
		for _, r := range b.Records {
			got[b.Partition] = append(got[b.Partition], string(r.Value))
			n++
		}
		f.Release(b)
	}
	for part := range int32(4) {
		wantSequence(t, got[part], int(part)*100, 1000)
	}
	if b := f.TryPollPartition(name, 0); b != nil {
		t.Fatalf("nothing is left, got %+v", b)
	}
	if f.used != 0 {
		t.Fatalf("%d bytes are still counted after everything was released", f.used)
	}
}

func TestFetcherIsBounded(t *testing.T) {
	c := client(t, cluster(t).ListenAddrs()...)
	name := topic(t, c, 8)
	p := producer(t, c, ProducerConfig{Compression: None, BatchBytes: 8 << 10})
	ctx := within(t, 60*time.Second)
	val := make([]byte, 1000)
	for i := range 16000 {
		if err := p.Produce(ctx, name, int32(i%8), Record{Value: val}); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	cfg := FetchConfig{MaxBytes: 256 << 10, PartitionBytes: 64 << 10}
	f := fetcher(t, c, cfg)
	for part := range int32(8) {
		f.Add(name, part, 0)
	}
	// Read the last partition to its end first, while all others fill up: they must not keep it from coming.
	seen := 0
	for _, part := range []int32{7, 0, 1, 2, 3, 4, 5, 6} {
		for n := 0; n < 2000; {
			b, err := f.PollPartition(ctx, name, part)
			if err != nil || b.Err != nil {
				t.Fatal(err, b)
			}
			n += len(b.Records)
			seen += len(b.Records)
			f.mu.Lock()
			used := f.used
			f.mu.Unlock()
			if most := 2*cfg.MaxBytes + 8*cfg.PartitionBytes; used > most {
				t.Fatalf("%d bytes buffered, want at most %d", used, most)
			}
			f.Release(b)
		}
	}
	if seen != 16000 {
		t.Fatalf("%d records", seen)
	}
}

// A reader that holds everything it got must still get what it waits for, or it could never go on.
func TestFetcherServesReaderThatHoldsAll(t *testing.T) {
	c := client(t, cluster(t).ListenAddrs()...)
	name := topic(t, c, 1)
	p := producer(t, c, ProducerConfig{Compression: None, BatchBytes: 8 << 10})
	put(t, p, name, 0, 0, 20000)
	f := fetcher(t, c, FetchConfig{MaxBytes: 32 << 10, PartitionBytes: 16 << 10})
	f.Add(name, 0, 0)
	ctx := within(t, 30*time.Second)
	var held []*Batch
	for n := 0; n < 20000; {
		b, err := f.Poll(ctx)
		if err != nil || b.Err != nil {
			t.Fatal(err, b)
		}
		n += len(b.Records)
		held = append(held, b)
	}
	var values []string
	for _, b := range held {
		for _, r := range b.Records {
			values = append(values, string(r.Value))
		}
		f.Release(b)
		f.Release(b) // twice is once
	}
	wantSequence(t, values, 0, 20000)
}

func TestNewPartitionDoesNotWaitForLongPoll(t *testing.T) {
	c := client(t, cluster(t).ListenAddrs()...)
	name := topic(t, c, 12)
	p := producer(t, c, ProducerConfig{})
	for part := range int32(12) {
		put(t, p, name, part, 0, 10)
	}
	f := fetcher(t, c, FetchConfig{MaxWait: 20 * time.Second})
	// One after the other, each only when all before it hang in a long poll at their end: more of them than requests may wait.
	for part := range int32(12) {
		start := time.Now()
		f.Add(name, part, 5)
		values, _ := drain(t, f, name, part, 5)
		wantSequence(t, values, 5, 10)
		if d := time.Since(start); d > 10*time.Second {
			t.Fatalf("partition %d came after %v", part, d)
		}
	}
	// And all still hear of new records at once.
	for part := range int32(12) {
		start := time.Now()
		put(t, p, name, part, 10, 11)
		values, next := drain(t, f, name, part, 1)
		if values[0] != "v10" || next != 11 || time.Since(start) > 10*time.Second {
			t.Fatalf("partition %d: %v, next %d after %v", part, values, next, time.Since(start))
		}
	}
	f.Remove(name, 3)
	if _, err := f.PollPartition(within(t, time.Second), name, 3); !errors.Is(err, errNotAdded) {
		t.Fatalf("poll of a removed partition: %v", err)
	}
	f.Add(name, 3, 2)
	values, _ := drain(t, f, name, 3, 9)
	wantSequence(t, values, 2, 11)
}

func TestReadySignalsWhatTryPollFinds(t *testing.T) {
	c := client(t, cluster(t).ListenAddrs()...)
	name := topic(t, c, 2)
	p := producer(t, c, ProducerConfig{})
	f := fetcher(t, c, FetchConfig{})
	f.Add(name, 0, 0)
	f.Add(name, 1, 0)
	ctx := within(t, 30*time.Second)
	go func() {
		for i := range 200 {
			if p.Produce(ctx, name, int32(i%2), Record{Value: fmt.Append(nil, i)}) != nil || p.Flush(ctx) != nil {
				return
			}
		}
	}()
	for n := 0; n < 200; {
		select {
		case <-f.Ready():
		case <-ctx.Done():
			t.Fatalf("%d of 200 records", n)
		}
		for part := range int32(2) {
			for b := f.TryPollPartition(name, part); b != nil; b = f.TryPollPartition(name, part) {
				n += len(b.Records)
				f.Release(b)
			}
		}
	}
}

func TestOffsetOutOfRangeIsReported(t *testing.T) {
	k := cluster(t)
	c := client(t, k.ListenAddrs()...)
	name := topic(t, c, 1)
	p := producer(t, c, ProducerConfig{})
	put(t, p, name, 0, 0, 100)
	if err := k.DeleteRecords(name, 0, 40); err != nil {
		t.Fatal(err)
	}
	f := fetcher(t, c, FetchConfig{})
	for _, off := range []int64{10, 101} {
		f.Add(name, 0, off)
		b, err := f.Poll(within(t, 10*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		var oor *OffsetOutOfRangeError
		if !errors.As(b.Err, &oor) || *oor != (OffsetOutOfRangeError{name, 0, off, 40, 100}) {
			t.Fatalf("offset %d: %v", off, b.Err)
		}
		f.Release(b)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		if b, err := f.Poll(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("the partition must rest, got %+v, %v", b, err)
		}
		cancel()
	}
	f.Add(name, 0, 40)
	values, _ := drain(t, f, name, 0, 60)
	wantSequence(t, values, 40, 100)
}

func TestFetcherCloseEndsWaiters(t *testing.T) {
	c := client(t, cluster(t).ListenAddrs()...)
	name := topic(t, c, 1)
	f := c.NewFetcher(FetchConfig{MaxWait: 30 * time.Second})
	f.Add(name, 0, 0)
	got := make(chan error, 1)
	go func() {
		_, err := f.Poll(context.Background())
		got <- err
	}()
	start := time.Now()
	f.Close()
	if err := <-got; !errors.Is(err, ErrClosed) || time.Since(start) > 15*time.Second {
		t.Fatalf("%v after %v", err, time.Since(start))
	}
}
