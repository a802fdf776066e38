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
	"shelfstream/status"
)

// ParkedProduct is the value of a record of the parked topic: why the shop keeps its last good version of a product. The product is parked (a rule or a
// field stopped it), or guards hold its change.
type ParkedProduct struct {
	View  string      `json:"view"`
	Key   string      `json:"key"`
	Cause fault.Cause `json:"cause,omitempty"`
	Where string      `json:"where"`
	What  string      `json:"what"`
	Fix   string      `json:"fix,omitempty"`
	Since time.Time   `json:"since"`
	// Held are the guards that hold the product, Before and After what one of them would let happen to it.
	Held   []string `json:"held,omitempty"`
	Before string   `json:"before,omitempty"`
	After  string   `json:"after,omitempty"`
	// Skipped says that an operator left the product out of the list, until its rows change.
	Skipped *Skip `json:"skipped,omitempty"`
	// Signals is the offset in the signals topic up to which requests came before this.
	Signals int64 `json:"signals,omitempty"`
}

// Status is the part of it that every stage can say of what it holds.
func (p *ParkedProduct) Status() status.Parked {
	return status.Parked{Key: p.Key, Cause: string(p.Cause), Where: p.Where, What: p.What, Fix: p.Fix, Since: p.Since}
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

// saveEmitted notes what the output topic holds of a product.
func (t *task) saveEmitted(b *pebble.Batch, product []byte, hash uint64, key []byte) error {
	v := binary.BigEndian.AppendUint64(t.eval.scratch[:0], hash)
	v = binary.BigEndian.AppendUint64(v, uint64(t.clock().UnixMilli()))
	t.eval.scratch = append(v, key...)
	return t.setFact(b, product, slotEmitted, t.eval.scratch)
}

// parkReason says where and what is wrong, and what to do about it.
func parkReason(cause error) (where, what, fix string) {
	var ce *schemas.ColumnError
	if fs := fault.All(cause); len(fs) > 0 {
		where, what, fix = fs[0].Where, fs[0].What, fs[0].Fix
		if fs[0].Err != nil {
			what += ": " + fs[0].Err.Error()
		}
		return where, what, fix
	}
	if errors.As(cause, &ce) {
		where, fix = "field "+ce.Column, "round or shorten the value in the rule that sets the field"
	}
	return where, cause.Error(), fix
}

// parkCause names the reason in the catalogue.
func parkCause(reason error) fault.Cause {
	if fs := fault.All(reason); len(fs) > 0 && fs[0].Cause != "" {
		return fs[0].Cause
	}
	var ce *schemas.ColumnError
	if errors.As(reason, &ce) {
		return fault.RulesValue // of no size that its field can have
	}
	return fault.Unexpected
}

// park holds a product back with the reason; what the shop has of it stays.
func (e *evaluation) park(ctx context.Context, b *pebble.Batch, product []byte, cause error) error {
	t := e.t
	p := parkedFact{ParkedProduct: ParkedProduct{View: t.layout.view.Name, Key: keyText(product), Since: t.clock().UTC()}}
	p.Where, p.What, p.Fix = parkReason(cause)
	p.Cause = parkCause(cause)
	old := e.parkedFact()
	if old == nil {
		p.Signals = t.signals.end()
	} else {
		p.Since, p.Record, p.Signals, p.Applied = old.Since, old.Record, old.Signals, old.Applied
		p.Held, p.Before, p.After = old.Held, old.Before, old.After
		p.Skipped = e.stillSkipped(old)
		if old.Cause == p.Cause && old.What == p.What && old.Where == p.Where && p.Skipped == old.Skipped {
			return nil
		}
		if p.Skipped == nil && old.Skipped != nil {
			p.Signals = t.signals.end()
		}
	}
	if p.Record == nil {
		p.Record = e.recordKey()
	}
	if p.Record == nil {
		// Not even the key can be read, so there is nothing to name in a topic: keep the fact in the state and the log.
		t.log.Error("product parked", "view", p.View, "product", p.Key, "error", cause)
	} else if err := e.report(ctx, &p); err != nil {
		return err
	}
	return t.setParked(b, product, old, &p)
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
	p := e.parkedFact()
	if p != nil && p.Record != nil {
		if err := t.producer.Produce(ctx, t.parked, t.partition, kafka.Record{TimestampMS: t.clock().UnixMilli(), Key: p.Record}); err != nil {
			return fmt.Errorf("emit: %w", err)
		}
	}
	return t.setParked(b, product, p, nil)
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

// restoredPark makes the store's fact from a record of the parked topic.
func restoredPark(r *kafka.Record) *parkedFact {
	p := &parkedFact{Record: bytes.Clone(r.Key)}
	if err := json.Unmarshal(r.Value, &p.ParkedProduct); err != nil || p.What == "" {
		p.What = "unknown: the record in the parked topic cannot be read"
	}
	return p
}
