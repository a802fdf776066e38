package transform

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"shelfstream/internal/fault"
	"shelfstream/internal/kafka"
	"shelfstream/schemas"
	"shelfstream/status"
	"shelfstream/transform/rules"
)

// Budgets of one task. A worker may own all partitions of a view, so these count several times.
const (
	fetchBytes          = 6 << 20
	fetchPartitionBytes = 1 << 20
	producerBytes       = 4 << 20
	applyBatchBytes     = 1 << 20
)

// task owns one partition of one view. Everything in it belongs to the goroutine that calls run, but for what
// its observer holds under its own lock.
type task struct {
	partition int32
	topic     string // cleaned
	parked    string // parked products
	layout    *layout
	program   *rules.Program
	decoders  *decoders
	frontier  *frontier
	client    *kafka.Client
	store     *Store
	prefix    prefix
	clock     func() time.Time
	log       *slog.Logger
	metrics   *metrics
	retention time.Duration // delete.retention.ms of the topics
	// dirtyLimit is how many waiting products are remembered; 0 means dirtyInMemory.
	dirtyLimit int

	outCodec *schemas.Codec
	keyID    int32
	valueID  int32
	zoneNow  time.Time // the instant of the evaluation going on
	// partitions of the cleaned topic; outputEnd is the offset after the last record that this task knows of in its own.
	partitions int
	outputEnd  int64
	maxMessage int // bytes that the cleaned topic accepts of one record
	// announces says that other views read this one; checkpointID is the schema of what is announced.
	announces    bool
	checkpointID int32

	// kept and guarding are nil where the view needs none; products is how many are published, for guards.
	kept     *kept
	guarding *guarding
	products int64
	// signals is what operators asked for; the state holds what came before signalsNext. poke wakes the loop.
	signals     *signalLog
	signalsNext int64
	poke        *notifier

	fetcher  *kafka.Fetcher
	producer *kafka.Producer
	feeds    []*feed
	dirty    *dirtySet
	eval     *evaluation
	owners   map[string][]byte // child and lookup owners changed in the batch not yet committed
	batch    *pebble.Batch
	buf      []byte
	alive    time.Time // when metaAlive was last written

	watch observer
}

// feed is one partition of a topic, with the inputs that its rows are for: a table may be looked up in several ways.
type feed struct {
	topic     string
	ins       []*input
	partition int32
	// next is the offset of the first record that the store does not have.
	next  int64
	saved int64
	// batch holds fetched records from index at on.
	batch *kafka.Batch
	at    int
}

// observer is what others may see of a task.
type observer struct {
	mu       sync.Mutex
	state    string
	target   *target
	applied  int64
	emitted  int64
	parked   int
	troubles status.Tally // what parks them
	failed   int          // runs in a row that broke off before a step was done
	nextTry  time.Time
	faults   fault.List // of the newest of them
	rejected []rejection
	waiting  string
}

func (o *observer) set(f func(o *observer)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	f(o)
}

// run works until ctx ends (then it returns nil) or something breaks.
func (t *task) run(ctx context.Context) error {
	t.watch.set(func(o *observer) { o.state = "starting" })
	if t.guarding != nil {
		t.guarding.board.restart(t.partition)
		defer t.guardAbsent()
	}
	if err := t.open(ctx); err != nil {
		return t.ended(ctx, err)
	}
	defer t.close()
	if err := t.restore(ctx); err != nil {
		return t.ended(ctx, err)
	}
	return t.ended(ctx, t.loop(ctx))
}

// ended turns errors that only say that ctx is over into nil.
func (t *task) ended(ctx context.Context, err error) error {
	if ctx.Err() != nil || err == nil {
		return nil
	}
	return fmt.Errorf("view %s, partition %d: %w", t.layout.view.Name, t.partition, err)
}

func (t *task) open(ctx context.Context) error {
	p, err := t.client.NewProducer(ctx, kafka.ProducerConfig{
		TransactionalID: fmt.Sprintf("%s.%d", t.topic, t.partition), MaxBytes: producerBytes, Compression: kafka.LZ4,
	})
	if err != nil {
		return fmt.Errorf("open the producer: %w", err)
	}
	t.producer = p
	mine := []int32{t.partition}
	outputs := map[string][]int32{t.topic: mine, t.parked: mine}
	if t.announces {
		outputs[CheckpointTopic(t.topic)] = []int32{0}
	}
	if err := p.Fence(ctx, outputs); err != nil {
		_ = p.Close(ctx)
		return fmt.Errorf("fence older owners out: %w", err)
	}
	t.fetcher = t.client.NewFetcher(kafka.FetchConfig{MaxBytes: fetchBytes, PartitionBytes: fetchPartitionBytes, ReadCommitted: true})
	t.dirty = newDirtySet(t.dirtyLimit)
	t.forgetBatch()
	t.alive = time.Time{}
	t.eval = newEvaluation(t)
	return nil
}

func (t *task) close() {
	t.fetcher.Close()
	closing, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	// What was not acknowledged is still marked dirty in the store, so an unfinished flush loses nothing.
	if err := t.producer.Close(closing); err != nil {
		t.log.Debug("close the producer", "partition", t.partition, "error", err)
	}
}

// loop goes from checkpoint to checkpoint.
func (t *task) loop(ctx context.Context) error {
	var done *target
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		poked := t.poke.wait()
		tgt, changed, err := t.frontier.next(done, t.announces)
		if err != nil {
			return err
		}
		if tgt != nil {
			tgt = t.complete(tgt)
		}
		var wake <-chan time.Time
		if tgt != nil && tgt != done {
			if done == nil || !sameTarget(done, tgt) {
				if err := t.step(ctx, tgt); err != nil {
					return err
				}
				done = tgt
				continue
			}
		}
		var timer *time.Timer
		if done != nil && t.signals.end() != t.signalsNext {
			if err := t.step(ctx, done); err != nil {
				return err
			}
			continue
		}
		if done != nil {
			at, ok, err := t.nextWake()
			if err != nil {
				return err
			}
			if ok {
				wait := at.Sub(t.clock())
				if wait <= 0 {
					if err := t.step(ctx, done); err != nil {
						return err
					}
					continue
				}
				// A wall clock may jump, so a far boundary is looked at again now and then.
				timer = time.NewTimer(min(wait, time.Minute))
				wake = timer.C
			}
			t.guardIdle(at, ok)
		}
		select {
		case <-ctx.Done():
		case <-changed:
		case <-wake:
		case <-poked:
		}
		if timer != nil {
			timer.Stop()
		}
	}
}

func sameTarget(a, b *target) bool {
	for i := range a.checkpoints {
		if a.checkpoints[i] != b.checkpoints[i] {
			return false
		}
	}
	return true
}

// complete gives the target back if every input is in it; nil while a table's snapshot is not finished.
func (t *task) complete(tgt *target) *target {
	for _, f := range t.feeds {
		if _, ok := tgt.next(f.topic, f.partition); !ok {
			t.watch.set(func(o *observer) { o.state, o.waiting = "waiting", "the first checkpoint with "+f.topic })
			return nil
		}
	}
	return tgt
}

// step brings the task to a target: apply, evaluate, emit.
func (t *task) step(ctx context.Context, tgt *target) error {
	started := t.clock()
	t.guardWorking()
	if err := t.advance(ctx, tgt); err != nil {
		return err
	}
	t.zoneNow = started
	if err := t.markDue(ctx, started); err != nil {
		return err
	}
	if err := t.takeSignals(ctx); err != nil {
		return err
	}
	emitted, err := t.eval.run(ctx, tgt)
	if err != nil {
		return err
	}
	t.guardCounted(tgt.cut, started)
	if err := t.announce(ctx, tgt, emitted); err != nil {
		return err
	}
	t.metrics.steps.Observe(t.clock().Sub(started).Seconds())
	t.watch.set(func(o *observer) {
		o.state, o.waiting, o.target = "live", "", tgt
		o.failed, o.faults = 0, nil
		o.emitted += int64(emitted)
	})
	return nil
}

// advance applies every record below the target, in batches of rows, marks and offsets.
func (t *task) advance(ctx context.Context, tgt *target) error {
	for _, f := range t.feeds {
		want, _ := tgt.next(f.topic, f.partition)
		if f.next < want && want-f.next > 10_000 {
			t.watch.set(func(o *observer) { o.state, o.waiting = "catching up", f.topic })
		}
		for f.next < want {
			if err := t.fill(ctx, f); err != nil {
				return err
			}
			if f.batch == nil {
				continue // the topic begins later
			}
			if err := t.consume(ctx, f, want); err != nil {
				return err
			}
		}
	}
	if err := t.stayAlive(t.openBatch()); err != nil {
		return err
	}
	return t.commitApplied(ctx)
}

// fill sees to it that the feed has a batch, whatever its offset; none where the topic turned out to begin later.
func (t *task) fill(ctx context.Context, f *feed) error {
	if f.batch != nil {
		return nil
	}
	b := t.fetcher.TryPollPartition(f.topic, f.partition)
	if b == nil {
		// A wait is a good moment to hand what we have to the store.
		if t.batch != nil && t.batch.Len() > applyBatchBytes/4 {
			if err := t.commitApplied(ctx); err != nil {
				return err
			}
		}
		var err error
		if b, err = t.fetcher.PollPartition(ctx, f.topic, f.partition); err != nil {
			return err
		}
	}
	var out *kafka.OffsetOutOfRangeError
	if errors.As(b.Err, &out) {
		t.fetcher.Release(b)
		return t.inputLost(f, out)
	}
	if b.Err != nil {
		err := b.Err
		t.fetcher.Release(b)
		return err
	}
	f.batch, f.at = b, 0
	return nil
}

// consume applies what the feed holds below want.
func (t *task) consume(ctx context.Context, f *feed, want int64) error {
	for ; f.at < len(f.batch.Records); f.at++ {
		r := &f.batch.Records[f.at]
		if r.Offset >= want {
			f.next = want
			return nil
		}
		for _, in := range f.ins {
			if err := t.apply(ctx, f, in, r); err != nil {
				return err
			}
		}
		f.next = r.Offset + 1
		if t.batch.Len() >= applyBatchBytes {
			if err := t.commitApplied(ctx); err != nil {
				return err
			}
		}
	}
	f.next = max(f.next, f.batch.Next)
	t.fetcher.Release(f.batch)
	f.batch = nil
	return nil
}

// commitApplied writes rows, marks and the offsets that cover them as one.
func (t *task) commitApplied(ctx context.Context) error {
	for _, f := range t.feeds {
		if f.next != f.saved {
			if err := t.saveOffset(t.openBatch(), f); err != nil {
				return err
			}
		}
	}
	if t.batch == nil || t.batch.Empty() {
		return nil
	}
	n := t.batch.Count()
	if err := t.commit(ctx, t.batch); err != nil {
		return err
	}
	t.watch.set(func(o *observer) { o.applied += int64(n) })
	t.batch.Reset()
	clear(t.owners)
	return nil
}

// commit writes a batch as soon as the disk has room for it.
func (t *task) commit(ctx context.Context, b *pebble.Batch) error {
	if !t.store.room.Room(b.Len()) {
		var state, waiting string
		t.watch.set(func(o *observer) {
			state, waiting, o.state, o.waiting = o.state, o.waiting, "waiting for disk space", t.store.dir
		})
		if err := t.store.room.Wait(ctx, b.Len()); err != nil {
			return err
		}
		t.watch.set(func(o *observer) { o.state, o.waiting = state, waiting })
	}
	if err := b.Commit(pebble.NoSync); err != nil {
		return fmt.Errorf("write the state store: %w", err)
	}
	return nil
}

// forgetBatch drops what was not committed: a run that broke leaves rows behind, which the next one reads again. Its feeds go too: their offsets
// cover those rows, and the next commit would save them.
func (t *task) forgetBatch() {
	if t.batch != nil {
		t.batch.Reset()
	}
	t.feeds = nil
	t.owners = map[string][]byte{}
}

func (t *task) openBatch() *pebble.Batch {
	if t.batch == nil {
		t.batch = t.store.db.NewBatchWithSize(applyBatchBytes + applyBatchBytes/4)
	}
	return t.batch
}
