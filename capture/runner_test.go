package capture_test

import (
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"shelfstream/capture"
	"shelfstream/capture/capturetest"
	"shelfstream/status"
)

const (
	head = capturetest.Head
	line = capturetest.Line
)

// clerk writes random transactions over both tables, with changes of keys and partitions.
type clerk struct {
	rnd  *rand.Rand
	rows map[string]map[int64]capturetest.Row
	next int64
}

func newClerk(seed uint64) *clerk {
	return &clerk{
		rnd:  rand.New(rand.NewPCG(seed, 1)),
		rows: map[string]map[int64]capturetest.Row{head: {}, line: {}},
	}
}

// transaction makes up to n changes; each row is changed at most once, as the order within a map is not the same twice.
func (c *clerk) transaction(n int) []capturetest.Change {
	var out []capturetest.Change
	for range 1 + c.rnd.IntN(n) {
		table := head
		if c.rnd.IntN(2) == 0 {
			table = line
		}
		rows := c.rows[table]
		c.next++
		fresh := capturetest.Row{ID: c.next, Owner: c.rnd.Int64N(9), Label: "row", Cents: c.next}
		var old *capturetest.Row
		if len(rows) > 0 && c.rnd.IntN(3) > 0 {
			pick := c.rnd.Int64N(c.next) // any row from a random id on
			for id := pick; id <= c.next && old == nil; id++ {
				if r, ok := rows[id]; ok {
					old = &r
				}
			}
		}
		switch {
		case old == nil:
			out = append(out, insert(table, fresh))
			rows[fresh.ID] = fresh
		case c.rnd.IntN(4) == 0:
			out = append(out, remove(table, *old))
			delete(rows, old.ID)
		case c.rnd.IntN(4) == 0: // another key
			out = append(out, update(table, *old, fresh))
			delete(rows, old.ID)
			rows[fresh.ID] = fresh
		default: // perhaps another partition
			r := *old
			r.Owner, r.Cents = fresh.Owner, fresh.Cents
			out = append(out, update(table, *old, r))
			rows[r.ID] = r
		}
	}
	return out
}

// Every checkpoint is an offset vector below which the topics are exactly the source as of its position.
func TestVectorsAreExact(t *testing.T) {
	e := newEnv(t)
	c := newClerk(1)
	for range 5 {
		e.db.Commit(c.transaction(6)...)
	}
	_, stop := e.run()
	e.reaches("5")
	for range 150 {
		e.db.Commit(c.transaction(6)...)
		if c.rnd.IntN(4) == 0 {
			e.reaches(e.db.End())
		}
	}
	e.reaches(e.db.End())
	stop()
	all := e.checkpoints()
	if len(all) < 20 {
		t.Errorf("%d checkpoints were written", len(all))
	}
	for _, cp := range all {
		e.exact(cp)
	}
	if n := e.db.Confirmed(); n != 155 {
		t.Errorf("position %d is confirmed, 155 is captured", n)
	}
}

// A commit that waits for its checkpoint gets it while a long transaction is being read, without a row of that one.
func TestCheckpointInsideALongTransaction(t *testing.T) {
	e := newEnv(t)
	e.change = func(c *capture.RunnerConfig) { c.CheckpointEvery = 50 * time.Millisecond }
	var inside atomic.Bool
	e.db.Hook = func(position int64, n int) error {
		switch {
		case position != 2:
		case n == 999:
			inside.Store(e.db.Confirmed() == 1)
		case n >= 200 && e.db.Confirmed() == 0: // read on slowly, until the first one has its checkpoint
			<-time.After(10 * time.Millisecond)
		}
		return nil
	}
	_, stop := e.run()
	e.reaches("0")
	e.db.Commit(insert(head, capturetest.Row{ID: 1}), insert(line, capturetest.Row{ID: 1, Owner: 5}))
	e.db.CommitMany(1000, func(i int) capturetest.Change {
		return insert([]string{head, line}[i%2], capturetest.Row{ID: int64(i + 10), Owner: int64(i)})
	})
	e.reaches("2")
	stop()
	if !inside.Load() {
		t.Error("the first transaction had no checkpoint before the end of the second")
	}
	for _, cp := range e.checkpoints() {
		e.exact(cp)
	}
}

// Confirm comes only when the checkpoint that covers the position can be read back.
func TestConfirmFollowsTheCheckpoint(t *testing.T) {
	e := newEnv(t)
	var calls, early atomic.Int64
	e.db.OnConfirm = func(p capture.Position) {
		calls.Add(1)
		if cp := e.checkpoint(); cp == nil || len(cp.Position) < len(p) || len(cp.Position) == len(p) && cp.Position < string(p) {
			early.Add(1)
		}
	}
	_, stop := e.run()
	c := newClerk(2)
	for range 60 {
		p := e.db.Commit(c.transaction(4)...)
		e.eventually("confirmed", func() bool { return positionOf(e.db.Confirmed()) == p })
	}
	stop()
	if early.Load() > 0 || calls.Load() < 60 {
		t.Errorf("%d of %d positions were confirmed before their checkpoint was durable", early.Load(), calls.Load())
	}
}

// Heartbeats move the position of an idle source, not more often than asked for.
func TestHeartbeats(t *testing.T) {
	e := newEnv(t)
	e.change = func(c *capture.RunnerConfig) { c.HeartbeatEvery = 50 * time.Millisecond }
	e.db.HeartbeatEvery = time.Millisecond
	begun := time.Now()
	r, stop := e.run()
	e.eventually("five heartbeats", func() bool {
		n := 0
		if e.checkpoint() == nil {
			return false
		}
		for _, cp := range e.checkpoints() {
			if cp.Heartbeat {
				n++
			}
		}
		return n >= 5
	})
	if st := r.Status(); st.State != status.StateLive || st.LastHeartbeat.IsZero() || st.Positions[0].LagSeconds != 0 {
		t.Errorf("an idle source is %+v", st)
	}
	stop()
	took := time.Since(begun) // all that was written lies within
	if most := int(took/(50*time.Millisecond)) + 3; len(e.checkpoints()) > most {
		t.Errorf("%d checkpoints in %v", len(e.checkpoints()), took)
	}
	if r.Status().State != status.StateStopped {
		t.Errorf("after its end the stage is %q", r.Status().State)
	}
}
