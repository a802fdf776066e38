package transform

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/cockroachdb/pebble/v2"

	"shelfstream/internal/fault"
	"shelfstream/internal/kafka"
	"shelfstream/schemas"
)

// Skip says who left a parked product out of the list, and why.
type Skip struct {
	By  string    `json:"by"`
	Why string    `json:"why"`
	At  time.Time `json:"at"`
	// Rows tells the product's rows from what they are later: when they change, the skip ends. 0: not known yet.
	Rows uint64 `json:"rows,omitempty"`
}

// parkedFact is what the store keeps of a parked or held product; Record is its key in the topics.
type parkedFact struct {
	ParkedProduct
	Record []byte `json:"record"`
	// Applied are the guards that were told to let the change go out; what else guards count of it is counted as new.
	Applied []string `json:"applied,omitempty"`
}

// list is the list that the product stands in: kindParked, kindHeld, or none.
func (p *parkedFact) list() byte {
	switch {
	case p == nil || p.What == "" || len(p.Held) == 0 && p.Skipped != nil:
		return 0
	case len(p.Held) > 0:
		return kindHeld
	default:
		return kindParked
	}
}

// record is the value in the parked topic.
func (p *parkedFact) record() ([]byte, error) {
	value, err := json.Marshal(p.ParkedProduct)
	if err != nil {
		return nil, fmt.Errorf("describe a parked product: %w", err)
	}
	return value, nil
}

// parkedFact is what the store knows of the loaded product; nil if it is neither parked nor held.
func (e *evaluation) parkedFact() *parkedFact {
	if e.facts.parked == nil {
		return nil
	}
	var p parkedFact
	if json.Unmarshal(e.facts.parked, &p) != nil {
		return nil
	}
	return &p
}

// setParked follows a product from one state to the next: its fact, its list, and the counts.
func (t *task) setParked(b *pebble.Batch, product []byte, was, is *parkedFact) error {
	n := 0
	if was.list() == kindParked {
		n--
	}
	if is.list() == kindParked {
		n++
	}
	t.watch.set(func(o *observer) { o.parked += n })
	if t.guarding != nil {
		t.guarding.board.holds(t.partition, was, is)
	}
	return t.putParked(b, product, is)
}

// putParked writes the fact (nil: none) and the lists.
func (t *task) putParked(b *pebble.Batch, product []byte, p *parkedFact) error {
	list := p.list()
	for _, kind := range []byte{kindParked, kindHeld} {
		key := append(t.prefix.key(nil, kind), product...)
		var err error
		if kind == list {
			err = b.Set(key, nil, nil)
		} else {
			err = b.Delete(key, nil)
		}
		if err != nil {
			return fmt.Errorf("add to a state batch: %w", err)
		}
	}
	if p == nil {
		return t.deleteFact(b, product, slotParked)
	}
	fact, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("describe a parked product: %w", err)
	}
	return t.setFact(b, product, slotParked, fact)
}

// readParked reads a product's fact from the store; nil if there is none.
func (t *task) readParked(product []byte) (*parkedFact, error) {
	raw, err := t.store.get(nil, append(t.prefix.product(nil, product), slotParked))
	if err != nil || raw == nil {
		return nil, err
	}
	var p parkedFact
	if json.Unmarshal(raw, &p) != nil {
		return nil, nil
	}
	return &p, nil
}

// eachListed calls f for every product of a list, in the order of their keys.
func (t *task) eachListed(kind byte, f func(product []byte, p *parkedFact) error) error {
	lower := t.prefix.key(nil, kind)
	it, err := t.store.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: t.prefix.key(nil, kind+1)})
	if err != nil {
		return fmt.Errorf("read the held products: %w", err)
	}
	for it.First(); it.Valid(); it.Next() {
		product := slices.Clone(it.Key()[len(lower):])
		p, err := t.readParked(product)
		if err == nil && p != nil {
			err = f(product, p)
		}
		if err != nil {
			return errors.Join(err, it.Close())
		}
	}
	return it.Close()
}

func (t *task) eachHeld(f func(product []byte, p *parkedFact) error) error {
	return t.eachListed(kindHeld, f)
}

// rowsHash tells the rows of the loaded product from what they are at another time. Lookups do not count.
func (e *evaluation) rowsHash() uint64 {
	h := xxhash.New()
	var buf []byte
	row := func(values []schemas.Value) {
		for i := range values {
			buf = append(buf[:0], byte(values[i].Kind))
			if !values[i].IsNull() {
				buf = schemas.AppendCanonical(buf, values[i])
			}
			buf = binary.AppendUvarint(buf, uint64(len(buf)))
			_, _ = h.Write(buf)
		}
		_, _ = h.Write([]byte{joinSeparator})
	}
	row(e.in.Root)
	for _, c := range e.in.Children {
		for _, r := range c {
			row(r)
		}
		_, _ = h.Write([]byte{joinSeparator})
	}
	return max(h.Sum64(), 1)
}

// stillSkipped is the skip of a product that is parked again: it ends when the product's rows are not what they were.
func (e *evaluation) stillSkipped(old *parkedFact) *Skip {
	if old.Skipped == nil {
		return nil
	}
	rows := e.rowsHash()
	switch old.Skipped.Rows {
	case rows:
		return old.Skipped
	case 0:
		now := *old.Skipped
		now.Rows = rows
		return &now
	default:
		return nil
	}
}

// takeSignals does what operators asked for since the task last looked.
func (t *task) takeSignals(ctx context.Context) error {
	list, next := t.signals.since(t.signalsNext)
	if next == t.signalsNext {
		return nil
	}
	var applies []sentSignal
	for _, s := range list {
		if s.Apply != "" {
			applies = append(applies, s)
		}
		for _, key := range s.Retry {
			if err := t.retryParked(ctx, key); err != nil {
				return err
			}
		}
		if s.Skip != "" {
			if err := t.skipParked(s); err != nil {
				return err
			}
		}
	}
	if err := t.applyHeld(ctx, applies); err != nil {
		return err
	}
	if err := t.openBatch().Set(t.prefix.meta(nil, metaSignals), binary.BigEndian.AppendUint64(nil, uint64(next)), nil); err != nil {
		return fmt.Errorf("add to a state batch: %w", err)
	}
	t.signalsNext = next
	return t.commitApplied(ctx)
}

// restoreSignals finds out which requests are done. Without the state none is known to be: what they did to products that are held or parked now
// is told by the offset that each of these carries.
func (t *task) restoreSignals() error {
	v, err := t.store.get(nil, t.prefix.meta(nil, metaSignals))
	t.signalsNext = 0
	if len(v) == 8 {
		t.signalsNext = int64(binary.BigEndian.Uint64(v))
	}
	return err
}

// retryParked makes a product wait to be evaluated, or with "all" every parked one.
func (t *task) retryParked(ctx context.Context, key string) error {
	if key != allGuards {
		product, mine := t.productOf(key)
		if !mine {
			return nil
		}
		return t.markDirty(t.openBatch(), product)
	}
	return t.eachListed(kindParked, func(product []byte, _ *parkedFact) error {
		if t.openBatch().Len() >= applyBatchBytes {
			if err := t.commitApplied(ctx); err != nil {
				return err
			}
		}
		return t.markDirty(t.openBatch(), product)
	})
}

// productOf is the product that a key means as people write it, and whether it belongs to this task.
func (t *task) productOf(key string) ([]byte, bool) {
	parts := splitKey(key, len(t.layout.root().table.Key))
	values := make([]schemas.Value, len(parts))
	for i, p := range parts {
		values[i] = schemas.Text(p)
	}
	return slices.Clone(t.rowKey(values)), schemas.Partition(values, t.partitions) == t.partition
}

// skipParked leaves a parked product out of the list; the evaluation says so in the topic.
func (t *task) skipParked(s sentSignal) error {
	product, mine := t.productOf(s.Skip)
	if !mine {
		return nil
	}
	was, err := t.readParked(product)
	if err != nil {
		return err
	}
	if was.list() != kindParked || t.signals.before(was.Signals) > s.offset {
		return nil
	}
	is := *was
	is.Skipped = &Skip{By: s.By, Why: s.Why, At: s.At}
	if err := t.setParked(t.openBatch(), product, was, &is); err != nil {
		return err
	}
	return t.markDirty(t.openBatch(), product)
}

// applyHeld releases what was held when each of the signals was sent.
func (t *task) applyHeld(ctx context.Context, applies []sentSignal) error {
	if len(applies) == 0 {
		return nil
	}
	released := 0
	err := t.eachHeld(func(product []byte, was *parkedFact) error {
		is := *was
		is.Held = slices.Clone(was.Held)
		for _, s := range applies {
			if t.signals.before(was.Signals) > s.offset {
				continue
			}
			switch at := slices.Index(is.Held, s.Apply); {
			case s.Apply == allGuards:
				is.Held = nil
				if t.guarding != nil {
					is.Applied = t.guarding.guards.names(1<<len(t.guarding.guards) - 1)
				}
			case at >= 0:
				is.Held = slices.Delete(is.Held, at, at+1)
				is.Applied = append(slices.Clone(is.Applied), s.Apply)
			}
		}
		if len(is.Held) == len(was.Held) {
			return nil
		}
		released++
		if len(is.Held) == 0 {
			is.What = "" // it is being released
		}
		if t.openBatch().Len() >= applyBatchBytes {
			if err := t.commitApplied(ctx); err != nil {
				return err
			}
		}
		if err := t.setParked(t.openBatch(), product, was, &is); err != nil {
			return err
		}
		return t.markDirty(t.openBatch(), product)
	})
	if released > 0 {
		last := applies[len(applies)-1]
		t.log.Info("held changes go out", "view", t.layout.view.Name, "partition", t.partition, "products", released, "by", last.By, "why", last.Why)
	}
	return err
}

// RetryParked asks for an evaluation of products now, whichever worker owns them; a key is written as Explain takes it, and "all" means every
// parked one. The request is durable when the call returns.
func (r *Runner) RetryParked(ctx context.Context, keys []string, by, why string) error {
	return SendSignal(ctx, r.cfg.Client, r.cfg.Pipeline, r.cfg.View.Name, Signal{Retry: keys, By: by, Why: why})
}

// Skip leaves a parked product out of the list until its rows change, whichever worker owns it. The request is durable when the call returns.
func (r *Runner) Skip(ctx context.Context, key, by, why string) error {
	return SendSignal(ctx, r.cfg.Client, r.cfg.Pipeline, r.cfg.View.Name, Signal{Skip: key, By: by, Why: why})
}

// ReadParked reads what a view's parked topic says now, of every worker: parked products, skipped ones (Skipped is set) and held ones (Held is set),
// ordered by key.
func ReadParked(ctx context.Context, client *kafka.Client, pipeline, view string) ([]ParkedProduct, error) {
	topic := pipeline + "." + view + ".parked"
	n, err := client.Partitions(ctx, topic)
	if err != nil {
		return nil, err
	}
	newest := map[string]ParkedProduct{}
	for p := range int32(n) {
		err := client.Scan(ctx, topic, p, 0, -1, func(r *kafka.Record) error {
			var x ParkedProduct
			if r.Value == nil {
				delete(newest, string(r.Key))
			} else if err := json.Unmarshal(r.Value, &x); err != nil {
				return &fault.Fault{Where: fmt.Sprintf("%s/%d@%d", topic, p, r.Offset), What: "this record does not say why a product is parked", Fix: "see who else writes to this topic", Err: err}
			} else {
				newest[string(r.Key)] = x
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", topic, err)
		}
	}
	out := make([]ParkedProduct, 0, len(newest))
	for _, x := range newest {
		out = append(out, x)
	}
	slices.SortFunc(out, func(a, b ParkedProduct) int { return strings.Compare(a.Key, b.Key) })
	return out, nil
}
