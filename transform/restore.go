package transform

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/cockroachdb/pebble/v2"

	"shelfstream/internal/kafka"
	"shelfstream/schemas"
)

// Facts about a task.
const (
	metaLayout = "layout" // what the keys of the store depend on; another value means to rebuild
	metaRules  = "rules"  // evaluationHash; another value means to evaluate everything
	metaOutput = "output" // next offset of the cleaned topic that the emitted hashes know of
	metaParked = "parked" // the same for the parked topic
	metaAlive  = "alive"  // when the task had last read all its inputs, ms
	// metaKept is the shape of what is kept of emitted products, metaProducts how many there are (kept up while there are guards), metaSignals the
	// next offset of the operators' requests.
	metaKept     = "kept"
	metaProducts = "products"
	metaSignals  = "signals"
)

// aliveEvery is how often metaAlive is written while nothing else is.
const aliveEvery = time.Minute

// restore brings the store in line with the topics before anything is evaluated.
func (t *task) restore(ctx context.Context) error {
	t.watch.set(func(o *observer) { o.state = "restoring" })
	if err := t.frontier.refresh(ctx, t.client); err != nil {
		return err
	}
	if err := t.checkAge(); err != nil {
		return err
	}
	if err := t.checkLayout(); err != nil {
		return err
	}
	rekeep, err := t.checkKept()
	if err != nil {
		return err
	}
	if err := t.restoreOutput(ctx, t.topic, metaOutput, func(b *pebble.Batch, product []byte, r *kafka.Record) error {
		return t.restoreEmitted(ctx, b, product, r)
	}); err != nil {
		return err
	}
	if rekeep {
		if err := t.noteKept(); err != nil {
			return err
		}
	}
	if err := t.restoreOutput(ctx, t.parked, metaParked, t.restoreParked); err != nil {
		return err
	}
	if err := t.restoreMarks(); err != nil {
		return err
	}
	if err := t.countParked(); err != nil {
		return err
	}
	if err := t.restoreGuards(ctx); err != nil {
		return err
	}
	if err := t.restoreSignals(); err != nil {
		return err
	}
	if err := t.checkRules(ctx); err != nil {
		return err
	}
	return t.openFeeds(ctx)
}

// checkAge throws the state away if the topics may have forgotten tombstones since it was last written.
func (t *task) checkAge() error {
	v, err := t.store.get(nil, t.prefix.meta(nil, metaAlive))
	if err != nil || len(v) != 8 {
		return err
	}
	age := t.clock().Sub(time.UnixMilli(int64(binary.BigEndian.Uint64(v))))
	if t.retention <= 0 || age < t.retention {
		return nil
	}
	t.log.Warn("state is older than the topics keep tombstones, rebuilding", "view", t.layout.view.Name, "partition", t.partition, "age", age)
	return t.wipe()
}

// wipe forgets everything about the task; what is emitted is restored from the topics.
func (t *task) wipe() error {
	if err := t.store.db.DeleteRange(t.prefix[:], t.prefix.end(), pebble.Sync); err != nil {
		return fmt.Errorf("clear the state: %w", err)
	}
	t.dirty.reset()
	t.forgetBatch()
	return nil
}

// layoutHash tells what the keys of the store depend on.
func (t *task) layoutHash() []byte {
	h := sha256.New()
	for _, in := range t.layout.inputs {
		fmt.Fprintf(h, "%d %s %v %v\n", in.kind, in.topic, names(in.table, in.join), names(in.table, in.table.Key))
		if in.kind == inputLookup {
			fmt.Fprintf(h, "%s\n", t.layout.describeWanted(in))
		}
	}
	return h.Sum(nil)
}

func (t *task) checkLayout() error {
	want := t.layoutHash()
	k := t.prefix.meta(nil, metaLayout)
	have, err := t.store.get(nil, k)
	if err != nil || bytes.Equal(have, want) {
		return err
	}
	if have != nil {
		t.log.Info("view reads other tables than before, rebuilding its state", "view", t.layout.view.Name, "partition", t.partition)
	}
	if err := t.wipe(); err != nil {
		return err
	}
	// The state is as old as its first row: what is read from now on may lose its tombstone before the rest is read.
	alive := binary.BigEndian.AppendUint64(nil, uint64(t.clock().UnixMilli()))
	if err := t.store.db.Set(t.prefix.meta(nil, metaAlive), alive, pebble.NoSync); err != nil {
		return fmt.Errorf("write the state store: %w", err)
	}
	return t.store.db.Set(k, want, pebble.Sync)
}

// stayAlive notes that all inputs were read up to now. Nothing less counts: a task that starts and fails, again and again, grows old.
func (t *task) stayAlive(b *pebble.Batch) error {
	now := t.clock()
	if b.Empty() && now.Sub(t.alive).Abs() < aliveEvery {
		return nil
	}
	t.alive = now
	if err := b.Set(t.prefix.meta(nil, metaAlive), binary.BigEndian.AppendUint64(nil, uint64(now.UnixMilli())), nil); err != nil {
		return fmt.Errorf("add to a state batch: %w", err)
	}
	return nil
}

// checkRules makes every product wait if the rules are not those under which the state was evaluated.
func (t *task) checkRules(ctx context.Context) error {
	want := t.evaluationHash()
	k := t.prefix.meta(nil, metaRules)
	have, err := t.store.get(nil, k)
	if err != nil || bytes.Equal(have, want) {
		return err
	}
	lower := t.prefix.key(nil, kindProduct)
	it, err := t.store.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: t.prefix.key(nil, kindProduct+1)})
	if err != nil {
		return fmt.Errorf("read the state store: %w", err)
	}
	b := t.openBatch()
	var product []byte
	for ok := it.First(); ok; {
		var whole bool
		product, _, whole = cutPart(product, it.Key()[len(lower):])
		if !whole {
			return errors.Join(errRowCorrupt, it.Close())
		}
		if err := t.markDirty(b, product); err != nil {
			return errors.Join(err, it.Close())
		}
		if b.Len() > applyBatchBytes {
			if err := t.commitApplied(ctx); err != nil {
				return errors.Join(err, it.Close())
			}
		}
		ok = it.SeekGE(upperBound(t.prefix.product(nil, product)))
	}
	if err := it.Close(); err != nil {
		return fmt.Errorf("read the state store: %w", err)
	}
	if err := b.Set(k, want, nil); err != nil {
		return fmt.Errorf("add to a state batch: %w", err)
	}
	return t.commitApplied(ctx)
}

// evaluationHash tells what products are made by: the program, and the order in which it is given rows.
func (t *task) evaluationHash() []byte {
	program := t.program.Hash()
	h := sha256.New()
	h.Write(program[:])
	for _, in := range t.layout.inputs {
		fmt.Fprintf(h, "%v", in.order)
	}
	return h.Sum(nil)
}

// restoreMarks reads the marks that an earlier run left.
func (t *task) restoreMarks() error {
	lower := t.prefix.key(nil, kindDirty)
	it, err := t.store.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: t.prefix.key(nil, kindDirty+1)})
	if err != nil {
		return fmt.Errorf("read the dirty marks: %w", err)
	}
	for it.First(); it.Valid() && !t.dirty.overflow; it.Next() {
		t.dirty.add(it.Key()[len(lower):])
	}
	return it.Close()
}

// countParked counts the products that earlier runs parked, by their causes.
func (t *task) countParked() error {
	n := 0
	t.watch.set(func(o *observer) { o.troubles.Reset() })
	err := t.eachListed(kindParked, func(_ []byte, p *parkedFact) error {
		n++
		t.watch.set(func(o *observer) { o.troubles.Add(p.trouble()) })
		return nil
	})
	t.watch.set(func(o *observer) { o.parked = n })
	return err
}

// restoreOutput reads what one of the task's output partitions holds beyond what the store knows: another owner wrote it, or this one
// before it crashed. The fence has been set, so the end is the end.
func (t *task) restoreOutput(ctx context.Context, topic, meta string, take func(b *pebble.Batch, product []byte, r *kafka.Record) error) error {
	v, err := t.store.get(nil, t.prefix.meta(nil, meta))
	if err != nil {
		return err
	}
	start, err := t.client.StartOffset(ctx, topic, t.partition)
	if err != nil {
		return fmt.Errorf("find the start of %s: %w", topic, err)
	}
	end, err := t.client.EndOffset(ctx, topic, t.partition)
	if err != nil {
		return fmt.Errorf("find the end of %s: %w", topic, err)
	}
	from := start
	if len(v) == 8 {
		from = max(start, int64(binary.BigEndian.Uint64(v)))
	}
	if from > end {
		return t.outputLost(topic, from, end)
	}
	b := t.openBatch()
	err = t.client.Scan(ctx, topic, t.partition, from, end, func(r *kafka.Record) error {
		_, body, err := schemas.ParseFrame(r.Key)
		if err == nil {
			t.eval.key, err = t.outCodec.DecodeKey(t.eval.key, body)
		}
		if err != nil {
			return t.reject(&input{topic: topic}, t.partition, r, err)
		}
		product := t.rowKey(t.eval.key)
		if err := take(b, bytes.Clone(product), r); err != nil {
			return err
		}
		if b.Len() > applyBatchBytes {
			return t.commitApplied(ctx)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("restore from %s/%d: %w", topic, t.partition, err)
	}
	if err := b.Set(t.prefix.meta(nil, meta), binary.BigEndian.AppendUint64(nil, uint64(end)), nil); err != nil {
		return fmt.Errorf("add to a state batch: %w", err)
	}
	if topic == t.topic {
		t.outputEnd = end
	}
	return t.commitApplied(ctx)
}

// outputLost: the output topic is shorter than it was, so it was made anew or lost records. Everything is sent again.
func (t *task) outputLost(topic string, from, end int64) error {
	t.log.Warn("output topic is shorter than it was, sending every product again", "topic", topic, "partition", t.partition, "known", from, "end", end)
	if err := t.wipe(); err != nil {
		return err
	}
	return &rebuildError{topic: topic}
}

// rebuildError makes the runner start the task again, on the state that was just cleared.
type rebuildError struct{ topic string }

func (e *rebuildError) Error() string { return "state cleared because of " + e.topic }

func (t *task) restoreEmitted(ctx context.Context, b *pebble.Batch, product []byte, r *kafka.Record) error {
	if r.Value == nil {
		if err := t.deleteFact(b, product, slotEmitted); err != nil {
			return err
		}
	} else if err := t.saveEmitted(b, product, xxhash.Sum64(r.Value), r.Key); err != nil {
		return err
	}
	if err := t.restoreKept(ctx, b, product, r); err != nil {
		return err
	}
	if t.guarding != nil && !t.guarding.recount {
		t.guarding.recount = true
		if err := b.Delete(t.prefix.meta(nil, metaProducts), nil); err != nil {
			return fmt.Errorf("add to a state batch: %w", err)
		}
	}
	// Whether it is right is for the evaluation to say: the same bytes are not sent again.
	return t.markDirty(b, product)
}

func (t *task) restoreParked(b *pebble.Batch, product []byte, r *kafka.Record) error {
	var p *parkedFact
	if r.Value != nil {
		p = restoredPark(r)
	}
	if err := t.putParked(b, product, p); err != nil {
		return err
	}
	return t.markDirty(b, product)
}

// openFeeds begins to fetch every topic where the store ends.
func (t *task) openFeeds(ctx context.Context) error {
	t.feeds = t.feeds[:0]
	for _, in := range t.layout.inputs {
		if in.kind == inputGroups {
			continue
		}
		ends, err := t.client.EndOffsets(ctx, in.topic)
		if err != nil {
			return fmt.Errorf("find the ends of %s: %w", in.topic, err)
		}
		for p, end := range ends {
			if in.kind != inputLookup && !in.scattered && int32(p) != t.partition {
				continue
			}
			if err := t.openFeed(ctx, in, int32(p), end); err != nil {
				return err
			}
		}
	}
	return nil
}

// openFeed begins to fetch one partition, or adds an input to those that its rows are for. The offset stands under the first of them. end is
// the partition's; a state that is past it would wait for the topic to grow that far, and never see what it holds.
func (t *task) openFeed(ctx context.Context, in *input, partition int32, end int64) error {
	at := slices.IndexFunc(t.feeds, func(f *feed) bool { return f.topic == in.topic && f.partition == partition })
	if at >= 0 {
		t.feeds[at].ins = append(t.feeds[at].ins, in)
		return nil
	}
	v, err := t.store.get(nil, t.prefix.offset(nil, in.index, partition))
	if err != nil {
		return err
	}
	f := &feed{topic: in.topic, ins: []*input{in}, partition: partition}
	if len(v) == 8 {
		f.next = int64(binary.BigEndian.Uint64(v))
	} else if f.next, err = t.client.StartOffset(ctx, in.topic, partition); err != nil {
		return fmt.Errorf("find the start of %s: %w", in.topic, err)
	}
	f.saved = f.next
	if f.next > end {
		return t.inputLost(f, &kafka.OffsetOutOfRangeError{Topic: in.topic, Partition: partition, Offset: f.next, End: end})
	}
	t.feeds = append(t.feeds, f)
	t.fetcher.Add(in.topic, partition, f.next)
	return nil
}

// inputLost: the store is not on the topic's line any more (offset below its start or beyond its end). It is a cache: rebuild.
func (t *task) inputLost(f *feed, out *kafka.OffsetOutOfRangeError) error {
	if f.saved == 0 && f.next <= out.Start {
		// Nothing was read yet and the topic begins later: compaction or retention took the beginning.
		f.next = out.Start
		t.fetcher.Add(out.Topic, out.Partition, out.Start)
		return nil
	}
	t.log.Warn("state is not on the topic's line any more, rebuilding", "topic", out.Topic, "partition", out.Partition, "offset", out.Offset, "start", out.Start, "end", out.End)
	if err := t.wipe(); err != nil {
		return err
	}
	return &rebuildError{topic: out.Topic}
}

func (t *task) saveOffset(b *pebble.Batch, f *feed) error {
	if err := b.Set(t.prefix.offset(nil, f.ins[0].index, f.partition), binary.BigEndian.AppendUint64(nil, uint64(f.next)), nil); err != nil {
		return fmt.Errorf("add to a state batch: %w", err)
	}
	f.saved = f.next
	return nil
}

// saveOutput notes how much of the output the store knows.
func (t *task) saveOutput(b *pebble.Batch, mark *kafka.Mark) error {
	for topic, meta := range map[string]string{t.topic: metaOutput, t.parked: metaParked} {
		if next, ok := mark.Next(topic, t.partition); ok {
			if topic == t.topic {
				t.outputEnd = next
			}
			if err := b.Set(t.prefix.meta(nil, meta), binary.BigEndian.AppendUint64(nil, uint64(next)), nil); err != nil {
				return fmt.Errorf("add to a state batch: %w", err)
			}
		}
	}
	return nil
}
