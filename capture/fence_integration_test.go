//go:build integration

package capture_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"shelfstream/capture"
	"shelfstream/capture/capturetest"
	"shelfstream/internal/kafka"
	"shelfstream/internal/testenv"
)

// A worker with changes in hand is stopped, in the middle of reading its source, for so long that another takes the source over. Then both go on: the old
// one first, before the new one has written anything that would raise its epoch in a partition. All that stands between is the fence of the take-over;
// Apache Kafka shows it, as the embedded log refuses older epochs by itself.
//
// Without it the old worker's rows of T2 and T3 and its checkpoint land behind the point where the new one began to count, whose checkpoint at T2 then
// covers rows of T3.
func TestOldOwnerWithChangesInHand(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	broker, err := testenv.StartBroker(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = broker.Close() })
	e := &env{T: t, ctx: ctx, tables: capturetest.Tables(), brokers: []string{broker.Addr()}}
	e.begin()
	e.db.HeartbeatEvery = time.Hour // nobody writes but for a transaction
	oldWaits, newWaits := make(chan struct{}), make(chan struct{})
	oldGoesOn, newGoesOn := make(chan struct{}), make(chan struct{})
	var readers atomic.Int64
	e.db.Hook = func(position int64, n int) error {
		if position != 2 || n != 0 {
			return nil
		}
		switch readers.Add(1) {
		case 1:
			close(oldWaits)
			<-oldGoesOn
		case 2:
			close(newWaits)
			<-newGoesOn
		}
		return nil
	}
	first, second := e.runner(), e.runner()
	ended := make(chan error, 1)
	go func() { ended <- first.Own(ctx) }()
	e.reaches("0")
	const rows = 24 // so that the rows of T2 and T3 meet in every partition
	var changes [4][]capturetest.Change
	for id := range int64(rows) {
		r := func(cents int64) capturetest.Row { return capturetest.Row{ID: id, Owner: id, Cents: cents} }
		changes[1] = append(changes[1], insert(head, r(1)))
		if id%2 == 0 {
			changes[2] = append(changes[2], update(head, r(1), r(2)))
		} else {
			changes[3] = append(changes[3], update(head, r(1), r(3)))
		}
	}
	e.db.Commit(changes[1]...)
	e.reaches("1")
	e.db.Commit(changes[2]...)
	e.await("the old worker has changes in hand", oldWaits)
	e.db.Commit(changes[3]...)
	stop := e.start(second.Own)
	e.await("the new worker has taken over", newWaits)
	topic := capture.RawTopic(pipeline, sourceName, head)
	before, err := e.client.EndOffsets(ctx, topic)
	e.must(err)

	close(oldGoesOn)
	for over := false; !over; {
		select {
		case err := <-ended:
			over = true
			if !errors.Is(err, kafka.ErrFenced) {
				t.Errorf("the old worker ended with %v", err)
			}
		case <-time.After(20 * time.Millisecond):
			if e.checkpoint().Position == "3" {
				over = true
				t.Error("the old worker wrote its checkpoint after the new one had taken over")
			}
		case <-ctx.Done():
			t.Fatal("the old worker does not end")
		}
	}
	after, err := e.client.EndOffsets(ctx, topic)
	e.must(err)
	for p := range after {
		if after[p] != before[p] {
			t.Errorf("the old worker wrote %d records to %s/%d after the new one had taken over", after[p]-before[p], topic, p)
		}
	}
	close(newGoesOn)
	e.reaches("3")
	stop()
	for _, cp := range e.checkpoints() {
		e.exact(cp)
	}
}

func (e *env) await(what string, done <-chan struct{}) {
	e.Helper()
	select {
	case <-done:
	case <-e.ctx.Done():
		e.Fatal(what + ": not in time")
	}
}
