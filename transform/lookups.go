package transform

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"shelfstream/schemas"
)

// lookupCached is how many join values a task remembers the decoded rows of, for each lookup.
const lookupCached = 4096

// lookupCache remembers the decoded rows of join values; applying a row of the lookup forgets its join value.
type lookupCache map[string][][]schemas.Value

// lookUp finds the rows of every lookup for the product that is loaded, and notes the join values. After a fault it goes on with the others, so
// that the product stands under every value that can cure it.
func (e *evaluation) lookUp(ctx context.Context) error {
	clear(e.in.Lookups)
	for i := range e.looked {
		e.looked[i] = e.looked[i][:0]
	}
	var bad error
	for _, i := range e.t.layout.lookupOrder {
		join, null := e.joinValue(e.looked[i], e.t.layout.lookup(i).wanted)
		e.looked[i] = join
		if null {
			e.looked[i] = join[:0]
			continue
		}
		rows, ok := e.lookups[i][string(join[1:])]
		if !ok {
			var err error
			if rows, err = e.readLookup(ctx, i, join[1:]); err != nil {
				if !unreadable(err) {
					return err
				}
				bad = errors.Join(bad, err)
				continue
			}
			if e.lookups[i] == nil || len(e.lookups[i]) >= lookupCached {
				e.lookups[i] = lookupCache{}
			}
			e.lookups[i][string(join[1:])] = rows
		}
		e.in.Lookups[i] = rows
	}
	return bad
}

// joinValue composes the value that a lookup is found by, after one byte that tells it from none. null says that a part of it is null, or that
// the row that it comes from is not there.
func (e *evaluation) joinValue(dst []byte, wanted []joinValue) (join []byte, null bool) {
	dst = append(dst[:0], 1)
	for i, w := range wanted {
		if i > 0 {
			dst = append(dst, joinSeparator)
		}
		row := e.in.Root
		switch {
		case w.constant != nil:
			dst = schemas.AppendCanonical(dst, *w.constant)
			continue
		case w.lookup >= 0:
			if len(e.in.Lookups[w.lookup]) == 0 {
				return dst, true
			}
			row = e.in.Lookups[w.lookup][0]
		}
		if row[w.column].IsNull() {
			return dst, true
		}
		dst = schemas.AppendCanonical(dst, row[w.column])
	}
	return dst, false
}

// readLookup reads the rows under a join value, in the order of their key. They are copies, to be kept.
func (e *evaluation) readLookup(ctx context.Context, lookup int, join []byte) ([][]schemas.Value, error) {
	index := e.t.layout.lookupInput(lookup)
	lower := appendPart(e.t.prefix.indexed(nil, kindLookup, index), join)
	it, err := e.reader().NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upperBound(lower)})
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
	for _, join := range e.looked {
		if len(join) == 0 {
			e.joins = append(e.joins, 0)
			continue
		}
		e.joins = binary.AppendUvarint(e.joins, uint64(len(join)))
		e.joins = append(e.joins, join[1:]...)
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
