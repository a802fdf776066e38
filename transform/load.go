package transform

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"shelfstream/internal/fault"
	"shelfstream/schemas"
)

// load reads a product's rows and facts from the store. A row that cannot be decoded is a fault of the product.
func (e *evaluation) load(ctx context.Context, product []byte) error {
	e.arena, e.values, e.origins = e.arena[:0], e.values[:0], e.origins[:0]
	e.facts = facts{}
	e.in.Root = nil
	for i := range e.in.Children {
		e.in.Children[i] = e.in.Children[i][:0]
	}
	e.rowKey = e.t.prefix.product(e.rowKey, product)
	pre := e.rowKey
	var bad error
	for ok := e.iter.SeekGE(pre); ok && bytes.HasPrefix(e.iter.Key(), pre); ok = e.iter.Next() {
		slot := e.iter.Key()[len(pre)]
		raw := e.keep(e.iter.Value())
		if slot >= slotFirstFact {
			switch slot {
			case slotEmitted:
				e.facts.emitted = raw
			case slotParked:
				e.facts.parked = raw
			case slotWake:
				e.facts.wake = raw
			case slotJoins:
				e.facts.joins = raw
			case slotKept:
				e.facts.kept = raw
			}
			continue
		}
		if int(slot) > e.t.layout.children {
			continue
		}
		row, err := e.decode(ctx, int(slot), raw)
		if err != nil && !unreadable(err) {
			return err
		}
		if err != nil {
			bad = errors.Join(bad, err)
			continue
		}
		if slot == 0 {
			e.in.Root = row
		} else {
			e.in.Children[slot-1] = append(e.in.Children[slot-1], row)
		}
	}
	if err := e.iter.Error(); err != nil {
		return fmt.Errorf("read the state store: %w", err)
	}
	for i := range e.in.Children {
		e.sort(e.t.layout.child(i), e.in.Children[i])
	}
	if e.t.layout.groups() {
		e.loadGroup()
	}
	if e.in.Previous = nil; e.t.kept != nil && e.t.kept.rules > 0 {
		if p := e.previous(); p != nil {
			e.in.Previous = p[:e.t.kept.rules]
		}
	}
	return bad
}

// loadGroup makes the root row of a group from its first member; without members there is none.
func (e *evaluation) loadGroup() {
	members := e.in.Children[0]
	if len(members) == 0 {
		return
	}
	e.group = e.group[:0]
	for _, c := range e.t.layout.child(0).join {
		e.group = append(e.group, members[0][c])
	}
	e.in.Root = e.group
}

// keep copies bytes that an iterator will change into the arena. Growing it leaves older slices on the older array.
func (e *evaluation) keep(b []byte) []byte {
	if cap(e.arena)-len(e.arena) < len(b) {
		e.arena = make([]byte, 0, max(2*cap(e.arena), len(b), 16<<10))
	}
	at := len(e.arena)
	e.arena = append(e.arena, b...)
	return e.arena[at:len(e.arena):len(e.arena)]
}

// decode reads a stored row into the values of this evaluation.
func (e *evaluation) decode(ctx context.Context, inputIndex int, raw []byte) ([]schemas.Value, error) {
	in := e.t.layout.inputs[inputIndex]
	o, value, err := parseRow(raw)
	if err != nil {
		return nil, err
	}
	n := len(in.table.Columns)
	if cap(e.values)-len(e.values) < n {
		e.values = make([]schemas.Value, 0, max(2*cap(e.values), n, 256))
	}
	at := len(e.values)
	row, err := e.t.decoders.row(ctx, in, e.values[at:at:at+n], value)
	if err != nil {
		if len(fault.All(err)) > 0 || !unreadable(err) {
			return nil, err
		}
		return nil, &rowError{&fault.Fault{
			Class: fault.Runtime, Cause: fault.TopicForeign, Where: fmt.Sprintf("%s/%d@%d", in.topic, o.partition, o.offset), What: "the row cannot be read",
			Fix: "see who else writes to this topic; `shelfstream capture resnapshot` writes the table's rows again", Err: err,
		}}
	}
	e.values = e.values[:at+n]
	e.origins = append(e.origins, rowOrigin{inputIndex, row, o})
	return row, nil
}

// sort puts child rows in the configured order, then in the order of their key.
func (e *evaluation) sort(in *input, rows [][]schemas.Value) {
	if len(rows) < 2 {
		return
	}
	slices.SortStableFunc(rows, func(a, b []schemas.Value) int {
		for _, o := range in.order {
			if c := schemas.Compare(a[o.column], b[o.column]); c != 0 {
				if o.desc {
					return -c
				}
				return c
			}
		}
		for _, k := range in.table.Key {
			if c := schemas.Compare(a[k], b[k]); c != 0 {
				return c
			}
		}
		return 0
	})
}
