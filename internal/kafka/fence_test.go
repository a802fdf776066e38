package kafka

import (
	"errors"
	"testing"
	"time"
)

// fenced proves on any cluster that Fence shuts the older owner out; the integration test runs it on a real Kafka.
func fenced(t *testing.T, addrs []string) {
	t.Helper()
	ca, cb := client(t, addrs...), client(t, addrs...)
	name := topic(t, ca, 2)
	ctx := within(t, 90*time.Second)
	id := ProducerConfig{TransactionalID: name}
	parts := map[string][]int32{name: {0, 1}}
	old := producer(t, ca, id)
	if err := old.Fence(ctx, parts); err != nil {
		t.Fatal(err)
	}
	put(t, old, name, 0, 0, 100)
	put(t, old, name, 1, 0, 100)

	owner := producer(t, cb, id)
	if err := owner.Fence(ctx, parts); err != nil {
		t.Fatal(err)
	}
	for part := range int32(2) {
		// The old owner's very next write, on its warm connection, right after Fence.
		err := old.Produce(ctx, name, part, Record{Value: []byte("stale")})
		if err == nil {
			err = old.Flush(ctx)
		}
		if !errors.Is(err, ErrFenced) || !errors.Is(old.Err(), ErrFenced) {
			t.Fatalf("the old owner's write: %v", err)
		}
	}
	if err := old.Fence(ctx, parts); !errors.Is(err, ErrFenced) {
		t.Fatalf("the old owner's Fence: %v", err)
	}
	put(t, owner, name, 0, 100, 200)
	put(t, owner, name, 1, 100, 200)
	for part := range int32(2) {
		wantSequence(t, all(t, cb, name, part, 0), 0, 200) // past the markers, and without "stale"
	}
	m := owner.Mark()
	if err := m.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	end, err := cb.EndOffset(ctx, name, 0)
	if next, ok := m.Next(name, 0); err != nil || !ok || next != end {
		t.Fatalf("next %d, %v; end %d, %v", next, ok, end, err)
	}
	// Again and again, as on many restarts.
	for range 5 {
		p := producer(t, cb, id)
		if err := p.Fence(ctx, parts); err != nil {
			t.Fatal(err)
		}
	}
	if err := owner.Produce(ctx, name, 1, Record{Value: []byte("stale")}); err != nil {
		t.Fatal(err)
	}
	if err := owner.Flush(ctx); !errors.Is(err, ErrFenced) {
		t.Fatalf("the second owner's write after others came: %v", err)
	}
}

func TestFence(t *testing.T) { fenced(t, cluster(t).ListenAddrs()) }

// fencedUnderLoad fences an owner that never stops writing, and looks at what is in the log after Fence returned.
func fencedUnderLoad(t *testing.T, addrs []string) {
	t.Helper()
	ca, cb := client(t, addrs...), client(t, addrs...)
	name := topic(t, ca, 1)
	ctx := within(t, 90*time.Second)
	id := ProducerConfig{TransactionalID: name}
	parts := map[string][]int32{name: {0}}
	for round := range 5 {
		old := producer(t, ca, id)
		if err := old.Fence(ctx, parts); err != nil {
			t.Fatal(err)
		}
		put(t, old, name, 0, 0, 10)
		ended := make(chan error, 1)
		go func() {
			for {
				if err := old.Produce(ctx, name, 0, Record{Value: []byte("old")}); err != nil {
					ended <- err
					return
				}
			}
		}()
		owner := producer(t, cb, id)
		if err := owner.Fence(ctx, parts); err != nil {
			t.Fatal(err)
		}
		end, err := cb.EndOffset(ctx, name, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := <-ended; !errors.Is(err, ErrFenced) {
			t.Fatalf("round %d: the old owner ended with %v", round, err)
		}
		put(t, owner, name, 0, 0, 10)
		for i, v := range all(t, cb, name, 0, end) {
			if v == "old" {
				t.Fatalf("round %d: the old owner's record is %d after the offset at which Fence returned", round, i)
			}
		}
	}
}

func TestFenceUnderLoad(t *testing.T) { fencedUnderLoad(t, cluster(t).ListenAddrs()) }
