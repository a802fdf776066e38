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
	"shelfstream/status"
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

// trouble is what the product counts under while it is parked.
func (p *parkedFact) trouble() *status.Held {
	return &status.Held{
		Key: p.Key, Since: p.Since,
		Fault: status.FaultJSONOf(&fault.Fault{Class: fault.Runtime, Cause: p.Cause, Where: p.Where, What: p.What, Fix: p.Fix}),
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
	t.watch.set(func(o *observer) {
		o.parked += n
		if was.list() == kindParked {
			o.troubles.Drop(was.trouble())
		}
		if is.list() == kindParked {
			o.troubles.Add(is.trouble())
		}
	})
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
	same := map[string]string{} // thousands are parked for one reason at one place: their texts are kept once
	for p := range int32(n) {
		err := client.Scan(ctx, topic, p, 0, -1, func(r *kafka.Record) error {
			var x ParkedProduct
			if r.Value == nil {
				delete(newest, string(r.Key))
			} else if err := json.Unmarshal(r.Value, &x); err != nil {
				return &fault.Fault{Where: fmt.Sprintf("%s/%d@%d", topic, p, r.Offset), What: "this record does not say why a product is parked", Fix: "see who else writes to this topic", Err: err}
			} else {
				x.Where, x.Fix = once(same, x.Where), once(same, x.Fix)
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

// once gives the text that was kept first of those that are equal. Of many different ones only the first thousand are kept.
func once(kept map[string]string, text string) string {
	if have, ok := kept[text]; ok {
		return have
	}
	if len(kept) < 1000 {
		kept[text] = text
	}
	return text
}
