package transform

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"shelfstream/internal/fault"
	"shelfstream/internal/kafka"
	"shelfstream/schemas"
)

// ParkedProduct is the value of a record of the parked topic: why a product is held. The shop keeps its last good version.
type ParkedProduct struct {
	View  string    `json:"view"`
	Key   string    `json:"key"`
	Where string    `json:"where"`
	What  string    `json:"what"`
	Fix   string    `json:"fix,omitempty"`
	Since time.Time `json:"since"`
}

// parkedFact is what the store keeps of a parked product; Record is its key in the topics.
type parkedFact struct {
	ParkedProduct
	Record []byte `json:"record"`
}

func (t *task) fact(product []byte, slot byte) []byte {
	t.buf = append(t.prefix.product(t.buf, product), slot)
	return t.buf
}

func (t *task) setFact(b *pebble.Batch, product []byte, slot byte, value []byte) error {
	if err := b.Set(t.fact(product, slot), value, nil); err != nil {
		return fmt.Errorf("add to a state batch: %w", err)
	}
	return nil
}

func (t *task) deleteFact(b *pebble.Batch, product []byte, slot byte) error {
	if err := b.Delete(t.fact(product, slot), nil); err != nil {
		return fmt.Errorf("add to a state batch: %w", err)
	}
	return nil
}

// setParked keeps the reason with the product (nil: no longer) and the product in the list of parked ones.
func (t *task) setParked(b *pebble.Batch, product, fact []byte) error {
	listed := append(t.prefix.key(nil, kindParked), product...)
	if fact == nil {
		if err := b.Delete(listed, nil); err != nil {
			return fmt.Errorf("add to a state batch: %w", err)
		}
		return t.deleteFact(b, product, slotParked)
	}
	if err := b.Set(listed, nil, nil); err != nil {
		return fmt.Errorf("add to a state batch: %w", err)
	}
	return t.setFact(b, product, slotParked, fact)
}

// saveEmitted notes what the output topic holds of a product.
func (t *task) saveEmitted(b *pebble.Batch, product []byte, hash uint64, key []byte) error {
	v := binary.BigEndian.AppendUint64(t.eval.scratch[:0], hash)
	v = binary.BigEndian.AppendUint64(v, uint64(t.clock().UnixMilli()))
	t.eval.scratch = append(v, key...)
	return t.setFact(b, product, slotEmitted, t.eval.scratch)
}

// park holds a product back with the reason; what the shop has of it stays.
func (e *evaluation) park(ctx context.Context, b *pebble.Batch, product []byte, cause error) error {
	t := e.t
	p := parkedFact{ParkedProduct: ParkedProduct{View: t.layout.view.Name, Key: displayKey(product), What: cause.Error(), Since: t.clock().UTC()}}
	var ce *schemas.ColumnError
	if fs := fault.All(cause); len(fs) > 0 {
		p.Where, p.What, p.Fix = fs[0].Where, fs[0].What, fs[0].Fix
		if fs[0].Err != nil {
			p.What += ": " + fs[0].Err.Error()
		}
	} else if errors.As(cause, &ce) {
		p.Where, p.Fix = "field "+ce.Column, "round or shorten the value in the rule that sets the field"
	}
	if e.facts.parked != nil {
		var old parkedFact
		if json.Unmarshal(e.facts.parked, &old) == nil {
			p.Since, p.Record = old.Since, old.Record
			if old.What == p.What && old.Where == p.Where {
				return nil
			}
		}
	}
	if p.Record == nil {
		p.Record = e.recordKey()
	}
	if p.Record == nil {
		// Not even the key can be read, so there is nothing to name in a topic: keep the fact in the state and the log.
		t.log.Error("product parked", "view", p.View, "product", p.Key, "error", cause)
	} else {
		value, err := json.Marshal(p.ParkedProduct)
		if err != nil {
			return fmt.Errorf("describe a parked product: %w", err)
		}
		if err := t.producer.Produce(ctx, t.parked, t.partition, kafka.Record{TimestampMS: t.clock().UnixMilli(), Key: p.Record, Value: value}); err != nil {
			return fmt.Errorf("emit: %w", err)
		}
	}
	fact, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("describe a parked product: %w", err)
	}
	if e.facts.parked == nil {
		t.watch.set(func(o *observer) { o.parked++ })
	}
	return t.setParked(b, product, fact)
}

// recordKey is the product's key in the output topics, from its root row or from what was emitted; nil if neither is there.
func (e *evaluation) recordKey() []byte {
	if len(e.facts.emitted) > 16 {
		return bytes.Clone(e.facts.emitted[16:])
	}
	if e.in.Root == nil {
		return nil
	}
	// The key columns come first in the output; the others do not count for a key.
	row := make([]schemas.Value, len(e.t.outCodec.Table().Columns))
	for i, c := range e.t.layout.root().table.Key {
		row[e.t.outCodec.Table().Key[i]] = e.in.Root[c]
	}
	k, err := e.t.outCodec.AppendKey(schemas.AppendFrame(nil, e.t.keyID), row)
	if err != nil {
		return nil
	}
	return k
}

// unpark says that the cause is gone.
func (e *evaluation) unpark(ctx context.Context, b *pebble.Batch, product []byte) error {
	if e.facts.parked == nil {
		return nil
	}
	t := e.t
	var p parkedFact
	if err := json.Unmarshal(e.facts.parked, &p); err == nil && p.Record != nil {
		if err := t.producer.Produce(ctx, t.parked, t.partition, kafka.Record{TimestampMS: t.clock().UnixMilli(), Key: p.Record}); err != nil {
			return fmt.Errorf("emit: %w", err)
		}
	}
	t.watch.set(func(o *observer) { o.parked-- })
	return t.setParked(b, product, nil)
}

// schedule keeps the product's next instant in the time index; a zero or past instant means none.
func (e *evaluation) schedule(b *pebble.Batch, product []byte, at time.Time) error {
	t := e.t
	var now []byte
	if at.After(e.in.Now) {
		now = binary.BigEndian.AppendUint64(nil, uint64(at.UnixMicro()))
	}
	if bytes.Equal(now, e.facts.wake) {
		return nil
	}
	if len(e.facts.wake) == 8 {
		if err := b.Delete(t.prefix.wake(nil, int64(binary.BigEndian.Uint64(e.facts.wake)), product), nil); err != nil {
			return fmt.Errorf("add to a state batch: %w", err)
		}
	}
	if now == nil {
		return t.deleteFact(b, product, slotWake)
	}
	if err := b.Set(t.prefix.wake(nil, at.UnixMicro(), product), nil, nil); err != nil {
		return fmt.Errorf("add to a state batch: %w", err)
	}
	return t.setFact(b, product, slotWake, now)
}

// displayKey shows a product's name to people: the parts of a composite key with a slash between.
func displayKey(product []byte) string {
	return string(bytes.ReplaceAll(product, []byte{joinSeparator}, []byte{'/'}))
}

// restoredPark makes the store's fact from a record of the parked topic.
func restoredPark(r *kafka.Record) []byte {
	p := parkedFact{Record: bytes.Clone(r.Key)}
	if err := json.Unmarshal(r.Value, &p.ParkedProduct); err != nil {
		p.What = "unknown: the record in the parked topic cannot be read"
	}
	fact, err := json.Marshal(p)
	if err != nil {
		return []byte("{}")
	}
	return fact
}
