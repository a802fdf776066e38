package transform

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/cockroachdb/pebble/v2"

	"shelfstream/internal/kafka"
	"shelfstream/schemas"
	"shelfstream/transform/rules"
)

// evaluateChunk is how many products are evaluated between two marks of the producer. Two chunks are under way at once, so that
// the next is computed while the one before is acknowledged.
const evaluateChunk = 2000

// evaluation computes products. It belongs to its task's goroutine; its buffers are used again for each product.
type evaluation struct {
	t         *task
	evaluator *rules.Evaluator
	in        rules.Input
	result    rules.Result
	lookups   []lookupCache

	arena   []byte          // the bytes of the rows of one product
	values  []schemas.Value // their values
	origins []rowOrigin     // where they came from, kept for explain and for the faults' texts
	iter    *pebble.Iterator
	facts   facts
	joins   []byte
	looked  [][]byte // the value that each lookup was found by, after one byte (of a spread one all, each after its length); empty: none
	// spreadRows are the rows of each spread lookup, seen the values that it was found by.
	spreadRows [][][]schemas.Value
	seen       map[string]struct{}
	product    []byte
	rowKey     []byte
	key        []schemas.Value
	row        []schemas.Value
	part       []schemas.Value
	group      []schemas.Value
	scratch    []byte
	keyBytes   []byte
	value      []byte
	headers    []kafka.Header
	pending    []chunk
	// snapshot is what is read instead of the store, where the state is only looked at; nil in a task.
	snapshot *pebble.Snapshot
	// published are the kept fields of what was emitted last; see previous.
	published []schemas.Value
	// was are the kept numbers of rows that it was made of, counts those of now; see guardrows.go.
	was, counts []int
	rowsHeader  []byte
	sent        []kafka.Header // of the record of the product that is loaded
}

// rowOrigin says where a row of the product came from; the row tells it apart after sorting.
type rowOrigin struct {
	input int
	row   []schemas.Value
	origin
}

// facts are what the store knows of a product beside its rows. They alias the evaluation's arena.
type facts struct {
	emitted []byte // hash 8, time ms 8, key
	parked  []byte // JSON
	wake    []byte // instant 8
	joins   []byte
	kept    []byte // the kept fields, in Avro
}

// chunk is evaluated products on their way: the batch is written once the records before mark are acknowledged.
type chunk struct {
	batch *pebble.Batch
	mark  *kafka.Mark
}

func newEvaluation(t *task) *evaluation {
	e := &evaluation{t: t, evaluator: t.program.NewEvaluator()}
	e.in.Children = make([][][]schemas.Value, t.layout.children)
	e.in.Lookups = make([][][]schemas.Value, t.layout.lookups())
	e.lookups = make([]lookupCache, t.layout.lookups())
	e.looked = make([][]byte, t.layout.lookups())
	e.spreadRows, e.seen = make([][][]schemas.Value, t.layout.lookups()), map[string]struct{}{}
	return e
}

// run evaluates every product that waits, and returns how many records it emitted.
func (e *evaluation) run(ctx context.Context, tgt *target) (int, error) {
	t := e.t
	if len(t.dirty.members) == 0 && !t.dirty.overflow {
		return 0, nil
	}
	e.in.Now = t.zoneNow
	e.headers = append(e.headers[:0],
		kafka.Header{Key: headerSourceTS, Value: fmt.Appendf(nil, "%d", tgt.commitUS/1000)},
		kafka.Header{Key: headerPos, Value: []byte(tgt.position)})
	t.guarding.begin()
	emitted, err := e.all(ctx)
	if err == nil {
		var late int
		late, err = e.decide(ctx, tgt)
		emitted += late
	}
	if e.iter != nil {
		err = errors.Join(err, e.iter.Close())
		e.iter = nil
	}
	for len(e.pending) > 0 && err == nil {
		err = e.settle(ctx)
	}
	for _, c := range e.pending {
		_ = c.batch.Close()
	}
	e.pending = e.pending[:0]
	if err == nil {
		t.dirty.reset()
	}
	return emitted, err
}

func (e *evaluation) all(ctx context.Context) (int, error) {
	var err error
	lower := e.t.prefix.key(nil, kindProduct)
	e.iter, err = e.t.store.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: e.t.prefix.key(nil, kindProduct+1)})
	if err != nil {
		return 0, fmt.Errorf("read the state store: %w", err)
	}
	if !e.t.dirty.overflow {
		return e.chunks(ctx, slices.Values(e.t.dirty.sorted()))
	}
	marks := e.t.prefix.key(nil, kindDirty)
	it, err := e.t.store.db.NewIter(&pebble.IterOptions{LowerBound: marks, UpperBound: e.t.prefix.key(nil, kindDirty+1)})
	if err != nil {
		return 0, fmt.Errorf("read the dirty marks: %w", err)
	}
	n, err := e.chunks(ctx, func(yield func(string) bool) {
		for it.First(); it.Valid(); it.Next() {
			if !yield(string(it.Key()[len(marks):])) {
				return
			}
		}
	})
	return n, errors.Join(err, it.Close())
}

// chunks evaluates products in the order given.
func (e *evaluation) chunks(ctx context.Context, products func(func(string) bool)) (int, error) {
	batch := e.t.store.db.NewBatch()
	emitted, in := 0, 0
	for p := range products {
		sent, err := e.one(ctx, batch, []byte(p))
		if err != nil {
			_ = batch.Close()
			return emitted, err
		}
		if sent {
			emitted++
		}
		if in++; in == evaluateChunk {
			if err := e.seal(ctx, batch); err != nil {
				return emitted, err
			}
			batch, in = e.t.store.db.NewBatch(), 0
			e.t.watch.set(func(o *observer) { o.state, o.waiting = "evaluating", fmt.Sprintf("%d products sent", emitted) })
		}
	}
	return emitted, e.seal(ctx, batch)
}

// seal queues a batch behind the records that it stands for, and keeps at most two on their way.
func (e *evaluation) seal(ctx context.Context, batch *pebble.Batch) error {
	if err := e.t.saveProducts(batch); err != nil {
		return err
	}
	e.pending = append(e.pending, chunk{batch: batch, mark: e.t.producer.Mark()})
	if len(e.pending) > 2 {
		return e.settle(ctx)
	}
	return nil
}

// settle waits for the oldest chunk's records and only then forgets that its products waited.
func (e *evaluation) settle(ctx context.Context) error {
	c := e.pending[0]
	if err := c.mark.Wait(ctx); err != nil {
		return fmt.Errorf("emit: %w", err)
	}
	e.pending = slices.Delete(e.pending, 0, 1)
	if err := e.t.saveOutput(c.batch, c.mark); err != nil {
		return err
	}
	if err := e.t.commit(ctx, c.batch); err != nil {
		return err
	}
	return c.batch.Close()
}

// one evaluates one product and produces what differs. batch gets what the store must know once it is acknowledged.
func (e *evaluation) one(ctx context.Context, batch *pebble.Batch, product []byte) (bool, error) {
	t := e.t
	t.metrics.evaluated.Inc()
	if err := batch.Delete(t.prefix.dirty(t.buf, product), nil); err != nil {
		return false, fmt.Errorf("add to a state batch: %w", err)
	}
	loadErr := e.load(ctx, product)
	if loadErr != nil && !unreadable(loadErr) {
		return false, loadErr
	}
	if e.in.Root == nil && loadErr == nil {
		return e.gone(ctx, batch, product)
	}
	if loadErr == nil {
		if loadErr = e.lookUp(ctx); loadErr != nil && !unreadable(loadErr) {
			return false, loadErr
		}
		if err := e.relate(batch, product); err != nil {
			return false, err
		}
	}
	e.result.Wake, e.result.Include = time.Time{}, true
	err := loadErr
	if err == nil {
		err = e.evaluator.Eval(&e.in, &e.result)
	}
	// A product that is parked today may be whole tomorrow, so its next instant counts either way.
	if err := e.schedule(batch, product, e.result.Wake); err != nil {
		return false, err
	}
	if err == nil && !e.result.Include {
		return e.withdraw(ctx, batch, product)
	}
	if err == nil {
		e.value, err = t.outCodec.AppendValue(schemas.AppendFrame(e.value[:0], t.valueID), e.result.Row)
	}
	if err == nil {
		e.keyBytes, err = t.outCodec.AppendKey(schemas.AppendFrame(e.keyBytes[:0], t.keyID), e.result.Row)
	}
	if err == nil {
		e.setHeaders()
		err = e.fits()
	}
	if err != nil {
		return false, e.park(ctx, batch, product, err)
	}
	hash := xxhash.Sum64(e.value)
	same := len(e.facts.emitted) >= 8 && binary.BigEndian.Uint64(e.facts.emitted) == hash
	if !same {
		if ok, err := e.admit(ctx, batch, product, e.result.Row); err != nil || !ok {
			return false, err
		}
	}
	if err := e.unpark(ctx, batch, product); err != nil {
		return false, err
	}
	if same {
		if e.learnRows() {
			return false, e.saveKept(batch, product)
		}
		return false, nil
	}
	return true, e.emit(ctx, batch, product, hash)
}

func (e *evaluation) emit(ctx context.Context, batch *pebble.Batch, product []byte, hash uint64) error {
	t := e.t
	if err := t.producer.Produce(ctx, t.topic, t.partition, kafka.Record{TimestampMS: t.clock().UnixMilli(), Key: e.keyBytes, Value: e.value, Headers: e.sent}); err != nil {
		return fmt.Errorf("emit: %w", err)
	}
	t.metrics.emitted.Inc()
	if !e.isPublished() {
		t.guarding.count(t, 1)
	}
	if err := e.saveKept(batch, product); err != nil {
		return err
	}
	return t.saveEmitted(batch, product, hash, e.keyBytes)
}

// gone removes a product whose root row is no more.
func (e *evaluation) gone(ctx context.Context, batch *pebble.Batch, product []byte) (bool, error) {
	if err := e.unrelate(batch, product); err != nil {
		return false, err
	}
	if err := e.schedule(batch, product, time.Time{}); err != nil {
		return false, err
	}
	return e.withdraw(ctx, batch, product)
}

// withdraw sends a tombstone if the product was ever emitted.
func (e *evaluation) withdraw(ctx context.Context, batch *pebble.Batch, product []byte) (bool, error) {
	t := e.t
	if ok, err := e.admit(ctx, batch, product, nil); err != nil || !ok {
		return false, err
	}
	if err := e.unpark(ctx, batch, product); err != nil {
		return false, err
	}
	if !e.isPublished() {
		return false, nil
	}
	if err := t.producer.Produce(ctx, t.topic, t.partition, kafka.Record{TimestampMS: t.clock().UnixMilli(), Key: e.facts.emitted[16:], Headers: e.headers}); err != nil {
		return false, fmt.Errorf("emit: %w", err)
	}
	t.metrics.tombstones.Inc()
	t.guarding.count(t, -1)
	if t.kept != nil {
		if err := t.deleteFact(batch, product, slotKept); err != nil {
			return false, err
		}
	}
	return true, t.deleteFact(batch, product, slotEmitted)
}
