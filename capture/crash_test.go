package capture_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"shelfstream/capture"
	"shelfstream/capture/capturetest"
	"shelfstream/internal/kafka"
)

// A worker dies before its n-th produce request of any kind, for each of the first ones and then at random: while rows are on their
// way, after their acknowledgement and before the checkpoint, after the checkpoint. Each time another starts from what
// the topics hold. At the end every checkpoint ever written is still exact, so no restart made a half transaction visible, and nothing
// is missing.
func TestCrashBetweenAnyTwoSteps(t *testing.T) {
	e := newEnv(t)
	e.change = func(c *capture.RunnerConfig) { c.CloseTimeout = time.Millisecond }
	topic := capture.CheckpointTopic(pipeline, sourceName)
	c := newClerk(3)
	rnd := rand.New(rand.NewPCG(3, 3))
	var beforeCheckpoint, beforeRows int
	for round := range 45 {
		for range 6 {
			e.db.Commit(c.transaction(12)...)
		}
		left := int64(round)
		if round >= 20 {
			left = rnd.Int64N(12)
		}
		if round >= 20 && round%2 == 1 {
			left = 0
		}
		died := make(chan bool, 1)
		var requests atomic.Int64
		cut := func(topics []string) bool {
			if left == 0 && round >= 20 && requests.Load() == 0 && !slices.ContainsFunc(topics, func(t string) bool { return t != topic }) {
				return false // rather the first rows: on a busy machine most requests are heartbeats' checkpoints
			}
			switch n := requests.Add(1); {
			case n <= left:
				return false
			case n == left+1:
				died <- len(topics) == 1 && topics[0] == topic
			}
			return true
		}
		e.cut.Store(&cut)
		ctx, cancel := context.WithCancel(e.ctx)
		done := make(chan error, 1)
		r := e.runner()
		go func() { done <- r.Own(ctx) }()
		// The heartbeats' checkpoints are requests too, so every worker dies.
		select {
		case checkpoint := <-died:
			if checkpoint {
				beforeCheckpoint++
			} else {
				beforeRows++
			}
		case err := <-done:
			t.Fatalf("round %d: the worker ended by itself: %v", round, err)
		case <-e.ctx.Done():
			t.Fatalf("round %d: the worker does not die", round)
		}
		cancel()
		if err := <-done; err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		e.cut.Store(nil)
		confirmed, cp := e.db.Confirmed(), e.checkpoint()
		if confirmed > 0 && (cp == nil || fmt.Sprint(confirmed) > cp.Position && len(fmt.Sprint(confirmed)) >= len(cp.Position)) {
			t.Fatalf("round %d: position %d is confirmed, the last checkpoint is %+v", round, confirmed, cp)
		}
	}
	_, stop := e.run()
	e.reaches(e.db.End())
	stop()
	all := e.checkpoints()
	for _, cp := range all {
		e.exact(cp)
	}
	if beforeCheckpoint < 5 || beforeRows < 5 {
		t.Errorf("%d workers died before a checkpoint, %d before rows: not what this test is about", beforeCheckpoint, beforeRows)
	}
	t.Logf("%d checkpoints; %d workers died before a checkpoint, %d before rows", len(all), beforeCheckpoint, beforeRows)
}

// A source that breaks off within a transaction leaves half of it on the topics. Until the whole has come again no checkpoint
// may be written, although an earlier transaction comes first.
func TestHalfATransactionIsNeverBelowACheckpoint(t *testing.T) {
	e := newEnv(t)
	var sources atomic.Int64
	e.change = func(c *capture.RunnerConfig) {
		c.CloseTimeout = 50 * time.Millisecond
		c.NewSource = func() (capture.Source, error) {
			sources.Add(1)
			return e.db.Source(e.tables), nil
		}
	}
	e.db.HeartbeatEvery = time.Hour
	checkpoints := capture.CheckpointTopic(pipeline, sourceName)
	var runs atomic.Int64
	e.db.Hook = func(position int64, n int) error {
		if position != 3 || n != 6 {
			return nil
		}
		if runs.Add(1) == 1 {
			if !until(func() bool {
				for p := range partitions {
					r, err := e.client.Last(e.ctx, capture.RawTopic(pipeline, sourceName, head), int32(p))
					if err == nil && r != nil && slices.ContainsFunc(r.Headers, func(h kafka.Header) bool { return string(h.Value) == "tx3" }) {
						return true
					}
				}
				return false
			}) {
				t.Error("no row of the third transaction reached the topic")
			}
			return errors.New("the source broke off")
		}
		// Time for a checkpoint of the second transaction, which would be wrong.
		<-time.After(200 * time.Millisecond)
		return nil
	}
	_, stop := e.run()
	e.reaches("0")
	row := func(id, cents int64) capturetest.Row { return capturetest.Row{ID: id, Owner: id, Cents: cents} }
	var first, second, third []capturetest.Change
	for id := range int64(8) {
		first = append(first, insert(head, row(id, 1)))
		second = append(second, update(head, row(id, 1), row(id, 2)))
		third = append(third, update(head, row(id, 2), row(id, 3)))
	}
	e.db.Commit(first...)
	e.reaches("1")
	cut := func(topics []string) bool { return slices.Contains(topics, checkpoints) && sources.Load() == 1 }
	e.cut.Store(&cut)
	e.db.Commit(second[:4]...)
	e.db.Commit(append(slices.Clone(third[:4]), second[4:]...)...)
	e.reaches("3")
	stop()
	if runs.Load() != 2 {
		t.Fatalf("the third transaction was read %d times", runs.Load())
	}
	for _, cp := range e.checkpoints() {
		e.exact(cp)
	}
}

// A second worker that also believes it owns the source shuts the first one out before it reads where to go on.
func TestSecondOwnerFencesTheFirst(t *testing.T) {
	e := newEnv(t)
	e.db.HeartbeatEvery = time.Hour // the first one is quiet until we say
	first, second := e.runner(), e.runner()
	ended := make(chan error, 1)
	go func() { ended <- first.Own(e.ctx) }()
	e.reaches("0")
	e.db.Commit(insert(head, capturetest.Row{ID: 1, Cents: 1}))
	e.reaches("1")
	stop := e.start(second.Own)
	e.eventually("the second one has taken over", func() bool { return second.Status().State == "live" })
	e.db.Commit(insert(head, capturetest.Row{ID: 2, Cents: 2}), insert(line, capturetest.Row{ID: 2, Cents: 2}))
	if err := <-ended; !errors.Is(err, kafka.ErrFenced) {
		t.Fatalf("the first owner ended with %v", err)
	}
	e.reaches("2")
	for range 5 {
		e.db.Commit(update(head, capturetest.Row{ID: 1, Cents: 1}, capturetest.Row{ID: 1, Cents: 1}))
	}
	e.reaches("7")
	stop()
	for _, cp := range e.checkpoints() {
		e.exact(cp)
	}
}

// When the worker leaves, another of its group takes over.
func TestStandbyTakesOver(t *testing.T) {
	e := newEnv(t)
	_, stopFirst := e.run()
	e.reaches("0")
	e.db.Commit(insert(head, capturetest.Row{ID: 1}))
	e.reaches("1")
	second, _ := e.run()
	e.eventually("the second one stands by", func() bool { return second.Status().State == "standby" || second.Status().State == "live" })
	stopFirst()
	e.db.Commit(insert(head, capturetest.Row{ID: 2}))
	e.exact(e.reaches("2"))
	e.eventually("the second one is live", func() bool { return second.Status().State == "live" })
}
