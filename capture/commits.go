package capture

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"shelfstream/internal/kafka"
	"shelfstream/schemas"
)

// commits turns source commits into checkpoints. One checkpoint is under way at a time; commits that arrive meanwhile replace
// each other, and the newest becomes the next checkpoint at once. So each small transaction of a calm source gets its own within
// milliseconds, and under a backlog many share one.
//
// The mark that seals a checkpoint's records is taken where it is cheapest to be exact: by the source's goroutine in Commit; if the
// commit had to wait, by the goroutine of run while no transaction is open; and if one is, by the source's goroutine at its next
// row (wanted), what it wrote since being taken off again (see vector).
type commits struct {
	cfg      *RunnerConfig
	producer *kafka.Producer
	vector   *vector
	state    *state
	metrics  *metrics
	schemaID int32
	confirm  func(Position)
	// note is what checkpoints carry beside the vector; it changes only while none is under way.
	note note

	mu       sync.Mutex
	inTx     bool      // the source's goroutine is inside a transaction
	busy     bool      // a checkpoint is under way
	pending  *Commit   // newest commit without one
	inexact  bool      // somebody else wrote to a raw topic: marks only at a transaction's end
	hold     *hold     // nil once nothing is left over any more
	last     time.Time // when the newest checkpoint was begun
	previous *schemas.Checkpoint
	err      error
	settled  chan struct{} // closed and replaced whenever a checkpoint ended
	tally    tally         // of the commits without a checkpoint

	wanted atomic.Bool
	jobs   chan job      // capacity 1, filled only while busy
	poke   chan struct{} // capacity 1: pending changed
}

// later is when to look again if only an event can change anything.
const later = time.Hour

// job is a checkpoint under way.
type job struct {
	commit Commit
	mark   *kafka.Mark
	open   []openRecords
	tally  tally
	begun  time.Time
}

func newCommits(cfg *RunnerConfig, producer *kafka.Producer, v *vector, st *state, m *metrics) *commits {
	return &commits{
		cfg: cfg, producer: producer, vector: v, state: st, metrics: m,
		settled: make(chan struct{}), jobs: make(chan job, 1), poke: make(chan struct{}, 1),
	}
}

// run writes checkpoints until ctx ends (nil) or one cannot be written.
func (c *commits) run(ctx context.Context) error {
	timer := time.NewTimer(later)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case j := <-c.jobs:
			before := c.checkpoint()
			err := c.write(ctx, j)
			c.exchanged(&j, before, c.checkpoint())
			c.end(err)
			if err != nil {
				return err
			}
		case <-c.poke:
		case <-timer.C:
		}
		c.mu.Lock()
		wait := c.tryLocked()
		c.mu.Unlock()
		timer.Reset(max(wait, time.Millisecond))
	}
}

// failure is why no checkpoint can be written any more, or nil.
func (c *commits) failure() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// checkpoint is the newest one that is acknowledged.
func (c *commits) checkpoint() *schemas.Checkpoint {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.previous
}

// begin enters a transaction.
func (c *commits) begin() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inTx = true
	return c.err
}

// commit leaves the transaction, whose rows were as given. It is called by the source's goroutine and never waits for the brokers.
func (c *commits) commit(n Commit, rows *tally) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tally.merge(rows)
	c.vector.commit() // under the lock: between transactions run looks at it too
	c.inTx = false
	if c.err != nil {
		return c.err
	}
	c.mergeLocked(n)
	if wait := c.tryLocked(); wait > 0 && wait < later {
		select {
		case c.poke <- struct{}{}:
		default:
		}
	}
	return nil
}

// mergeLocked makes n the newest commit. A heartbeat after a transaction that has no checkpoint yet only moves its position.
func (c *commits) mergeLocked(n Commit) {
	if p := c.pending; p != nil && n.Heartbeat && !p.Heartbeat {
		p.Position, p.System = n.Position, n.System
		c.holdLocked(&n)
		return
	}
	c.pending = &n
	c.holdLocked(&n)
}

func (c *commits) holdLocked(n *Commit) {
	if c.hold != nil && !c.hold.held(n) {
		c.hold = nil
	}
}

// tryLocked begins a checkpoint if there is something to write and nothing speaks against it; otherwise it says when to look again.
func (c *commits) tryLocked() time.Duration {
	if c.busy || c.pending == nil || c.hold != nil || c.err != nil {
		return later
	}
	every := c.cfg.CheckpointEvery
	if c.pending.Heartbeat {
		every = max(every, c.cfg.HeartbeatEvery)
	}
	if wait := every - c.cfg.Now().Sub(c.last); wait > 0 {
		return wait
	}
	if c.inTx {
		c.wanted.Store(!c.inexact)
		return later
	}
	c.startLocked()
	return 0
}

// startLocked takes the mark. Only the source's goroutine may call it inside a transaction.
func (c *commits) startLocked() {
	c.last = c.cfg.Now()
	j := job{commit: *c.pending, open: c.vector.open(), mark: c.producer.Mark(), tally: c.tally, begun: c.last}
	c.pending, c.busy, c.tally = nil, true, tally{}
	c.wanted.Store(false)
	c.jobs <- j
}

// midway begins the checkpoint that waits while a transaction is open. The source's goroutine calls it when wanted is set.
func (c *commits) midway() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.wanted.CompareAndSwap(true, false) && !c.busy && c.pending != nil && c.hold == nil {
		c.startLocked()
	}
}

// write is one checkpoint from its mark to its acknowledgement; then the source may forget.
func (c *commits) write(ctx context.Context, j job) error {
	if err := j.mark.Wait(ctx); err != nil {
		return fmt.Errorf("wait for the records of a checkpoint: %w", err)
	}
	topics, exact := c.vector.resolve(j.mark, j.open)
	if !exact {
		// The commit keeps its place in the queue unless a newer one has it; a mark at a transaction's end needs no arithmetic.
		c.mu.Lock()
		defer c.mu.Unlock()
		c.inexact = true
		if c.pending == nil {
			c.pending = &j.commit
		}
		return nil
	}
	cp := &schemas.Checkpoint{
		Source: c.cfg.Source, Position: string(j.commit.Position), System: j.commit.System, Transaction: j.commit.Transaction,
		CommitTimeUS: j.commit.CommitTimeUS, WrittenUS: c.cfg.Now().UnixMicro(), Heartbeat: j.commit.Heartbeat, Topics: topics,
	}
	if cp.Heartbeat {
		cp.Transaction = ""
	}
	if err := c.append(ctx, cp); err != nil {
		return err
	}
	c.mu.Lock()
	c.previous = cp
	open := c.inTx || c.pending != nil && !c.pending.Heartbeat
	c.mu.Unlock()
	c.confirm(j.commit.Position)
	c.state.checkpointed(cp, open)
	c.metrics.checkpoints.Inc()
	c.metrics.checkpointSeconds.Observe(c.cfg.Now().Sub(j.begun).Seconds())
	return nil
}

// end lets the next checkpoint begin, and wakes who waits for this one.
func (c *commits) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy = false
	if err != nil && c.err == nil {
		c.err = err
	}
	close(c.settled)
	c.settled = make(chan struct{})
}

// drain waits until no commit is without its checkpoint, apart from those that are held back. Not inside a transaction, unless the source's
// goroutine has ended.
func (c *commits) drain(ctx context.Context) error {
	for {
		c.mu.Lock()
		if c.pending != nil && !c.busy && c.hold == nil && c.err == nil && (!c.inTx || !c.inexact) {
			c.startLocked()
		}
		err, busy, settled := c.err, c.busy, c.settled
		c.mu.Unlock()
		if err != nil {
			return err
		}
		if !busy {
			return nil
		}
		select {
		case <-settled:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// settle writes the checkpoint of a snapshot's end in the calling goroutine, after drain.
func (c *commits) settle(ctx context.Context, n Commit) error {
	c.mu.Lock()
	if c.err != nil || c.busy {
		defer c.mu.Unlock()
		if c.err != nil {
			return c.err
		}
		return protocolError("a commit came in while a snapshot was read")
	}
	c.hold = nil
	c.pending = nil // of a moment before the snapshot's position, held back until now
	c.busy = true
	c.last = c.cfg.Now()
	j := job{commit: n, mark: c.producer.Mark(), begun: c.last}
	c.mu.Unlock()
	err := c.write(ctx, j)
	if err == nil {
		c.vector.rebase(j.mark)
	}
	c.end(err)
	return err
}
