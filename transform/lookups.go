package transform

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"shelfstream/schemas"
)

// lookupCached is how many join values a task remembers the decoded rows of, for each lookup.
const lookupCached = 4096

// lookupCache remembers the decoded rows of join values; applying a row of the lookup forgets its join value.
type lookupCache map[string][][]schemas.Value

// lookUp finds the rows of every lookup for the product that is loaded.
func (e *evaluation) lookUp(ctx context.Context) error {
	for i := range e.in.Lookups {
		in := e.t.layout.lookup(i)
		join, null := appendValues(e.scratch[:0], e.in.Root, in.rootJoin)
		e.scratch = join
		if null {
			e.in.Lookups[i] = nil
			continue
		}
		rows, ok := e.lookups[i][string(join)]
		if !ok {
			var err error
			if rows, err = e.readLookup(ctx, i, join); err != nil {
				return err
			}
			if e.lookups[i] == nil || len(e.lookups[i]) >= lookupCached {
				e.lookups[i] = lookupCache{}
			}
			e.lookups[i][string(join)] = rows
		}
		e.in.Lookups[i] = rows
	}
	return nil
}

// readLookup reads the rows under a join value, in the order of their key. They are copies, to be kept.
func (e *evaluation) readLookup(ctx context.Context, lookup int, join []byte) ([][]schemas.Value, error) {
	index := e.t.layout.lookupInput(lookup)
	lower := appendPart(e.t.prefix.indexed(nil, kindLookup, index), join)
	it, err := e.t.store.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upperBound(lower)})
	if err != nil {
		return nil, fmt.Errorf("read a lookup: %w", err)
	}
	defer it.Close()
	var rows [][]schemas.Value
	for it.First(); it.Valid(); it.Next() {
		row, err := e.decode(ctx, index, e.keep(it.Value()))
		if err != nil {
			return nil, err
		}
		kept := make([]schemas.Value, len(row))
		for i := range row {
			kept[i] = row[i].Clone()
		}
		rows = append(rows, kept)
		e.origins[len(e.origins)-1].row = kept
	}
	e.sort(e.t.layout.inputs[index], rows)
	return rows, it.Error()
}

// forget drops the remembered rows of a join value.
func (e *evaluation) forget(lookup int, join []byte) {
	delete(e.lookups[lookup], string(join))
}

// relate keeps the reverse index: the product stands under each value that it looks up, so that a row that comes or changes
// later wakes it. Missing rows count too.
func (e *evaluation) relate(b *pebble.Batch, product []byte) error {
	if len(e.in.Lookups) == 0 {
		return nil
	}
	e.joins = e.joins[:0]
	for i := range e.in.Lookups {
		join, null := appendValues(e.scratch[:0], e.in.Root, e.t.layout.lookup(i).rootJoin)
		e.scratch = join
		if null {
			e.joins = append(e.joins, 0)
			continue
		}
		e.joins = binary.AppendUvarint(e.joins, uint64(len(join))+1)
		e.joins = append(e.joins, join...)
	}
	if bytes.Equal(e.joins, e.facts.joins) {
		return nil
	}
	if err := e.unrelate(b, product); err != nil {
		return err
	}
	err := eachJoin(e.joins, func(lookup int, join []byte) error {
		k := appendPart(e.t.prefix.indexed(nil, kindReverse, e.t.layout.lookupInput(lookup)), join)
		return b.Set(append(k, product...), nil, nil)
	})
	if err != nil {
		return fmt.Errorf("add to a state batch: %w", err)
	}
	return e.t.setFact(b, product, slotJoins, e.joins)
}

// unrelate takes the product out of the reverse index.
func (e *evaluation) unrelate(b *pebble.Batch, product []byte) error {
	if e.facts.joins == nil {
		return nil
	}
	err := eachJoin(e.facts.joins, func(lookup int, join []byte) error {
		k := appendPart(e.t.prefix.indexed(nil, kindReverse, e.t.layout.lookupInput(lookup)), join)
		return b.Delete(append(k, product...), nil)
	})
	if err != nil {
		return fmt.Errorf("add to a state batch: %w", err)
	}
	return e.t.deleteFact(b, product, slotJoins)
}

func eachJoin(joins []byte, fn func(lookup int, join []byte) error) error {
	for i := 0; len(joins) > 0; i++ {
		n, w := binary.Uvarint(joins)
		if w <= 0 || uint64(len(joins)-w) < max(n, 1)-1 {
			return errRowCorrupt
		}
		joins = joins[w:]
		if n == 0 {
			continue
		}
		if err := fn(i, joins[:n-1]); err != nil {
			return err
		}
		joins = joins[n-1:]
	}
	return nil
}
