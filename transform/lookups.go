package transform

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"shelfstream/schemas"
	"shelfstream/transform/rules"
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
		in := e.t.layout.lookup(i)
		if in.spread {
			err := e.spread(ctx, i, in)
			if err != nil && !unreadable(err) {
				return err
			}
			bad = errors.Join(bad, err)
			continue
		}
		join, null := e.joinValue(append(e.looked[i], 1), in, nil)
		e.looked[i] = join
		if null {
			e.looked[i] = join[:0]
			continue
		}
		rows, err := e.lookupRows(ctx, i, join[1:])
		if err != nil {
			if !unreadable(err) {
				return err
			}
			bad = errors.Join(bad, err)
			continue
		}
		e.in.Lookups[i] = rows
	}
	return bad
}

// spread finds the rows of a lookup that several rows of the product point at, each once, in the order of its key. Its join values are noted one
// behind the other, each after its length.
func (e *evaluation) spread(ctx context.Context, lookup int, in *input) error {
	var by [][]schemas.Value
	for _, w := range in.wanted {
		switch {
		case w.child >= 0:
			by = e.in.Children[w.child]
		case w.lookup >= 0 && e.t.layout.lookup(w.lookup).spread:
			by = e.in.Lookups[w.lookup]
		}
	}
	if len(by) == 0 {
		return nil
	}
	joins := append(e.looked[lookup], 1)
	rows := e.spreadRows[lookup][:0]
	clear(e.seen)
	var bad error
	for _, row := range by {
		join, null := e.joinValue(e.scratch[:0], in, row)
		e.scratch = join
		if null {
			continue
		}
		if _, twice := e.seen[string(join)]; twice {
			continue
		}
		e.seen[string(join)] = struct{}{}
		joins = append(binary.AppendUvarint(joins, uint64(len(join))), join...)
		found, err := e.lookupRows(ctx, lookup, join)
		if err != nil {
			if !unreadable(err) {
				return err
			}
			bad = errors.Join(bad, err)
			continue
		}
		rows = append(rows, found...)
	}
	e.looked[lookup], e.spreadRows[lookup] = joins, rows
	e.sort(in, rows)
	e.in.Lookups[lookup] = rows
	return bad
}

// lookupRows are the rows under a join value, remembered from the last time if they are.
func (e *evaluation) lookupRows(ctx context.Context, lookup int, join []byte) ([][]schemas.Value, error) {
	if rows, ok := e.lookups[lookup][string(join)]; ok {
		return rows, nil
	}
	value := string(join) // reading uses the buffers
	rows, err := e.readLookup(ctx, lookup, []byte(value))
	if err != nil {
		return nil, err
	}
	if e.lookups[lookup] == nil || len(e.lookups[lookup]) >= lookupCached {
		e.lookups[lookup] = lookupCache{}
	}
	e.lookups[lookup][value] = rows
	return rows, nil
}

// joinValue adds the value that a lookup is found by; row is the one at hand of those that a spread lookup goes by. null says that a part of it
// is null, or that the row that it comes from is not there.
func (e *evaluation) joinValue(dst []byte, in *input, row []schemas.Value) (join []byte, null bool) {
	for i, w := range in.wanted {
		if i > 0 {
			dst = append(dst, joinSeparator)
		}
		var v schemas.Value
		switch {
		case w.constant != nil:
			v = *w.constant
		case w.child >= 0 || w.lookup >= 0 && e.t.layout.lookup(w.lookup).spread:
			v = row[w.column]
		case w.lookup >= 0:
			if len(e.in.Lookups[w.lookup]) == 0 {
				return dst, true
			}
			v = e.in.Lookups[w.lookup][0][w.column]
		default:
			v = e.in.Root[w.column]
		}
		if v.IsNull() {
			return dst, true
		}
		dst = in.appendJoined(dst, i, v)
	}
	return dst, false
}

// appendJoined adds one value of a join, folded where the lookup wants that.
func (in *input) appendJoined(dst []byte, i int, v schemas.Value) []byte {
	if in.fold == nil || !in.fold[i] {
		return schemas.AppendCanonical(dst, v)
	}
	return rules.AppendFold(dst, schemas.AppendCanonical(nil, v))
}

// joinOf is the join value of one of the input's rows; null says that a part of it is null.
func (in *input) joinOf(row []schemas.Value) (join []byte, null bool) {
	if in.fold == nil {
		return appendValues([]byte{}, row, in.join)
	}
	join = []byte{}
	for i, c := range in.join {
		if i > 0 {
			join = append(join, joinSeparator)
		}
		if row[c].IsNull() {
			return nil, true
		}
		join = in.appendJoined(join, i, row[c])
	}
	return join, false
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
	err := e.t.layout.view.eachJoin(e.joins, func(lookup int, join []byte) error {
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
	err := e.t.layout.view.eachJoin(e.facts.joins, func(lookup int, join []byte) error {
		k := appendPart(e.t.prefix.indexed(nil, kindReverse, e.t.layout.lookupInput(lookup)), join)
		return b.Delete(append(k, product...), nil)
	})
	if err != nil {
		return fmt.Errorf("add to a state batch: %w", err)
	}
	return e.t.deleteFact(b, product, slotJoins)
}

// eachJoin calls fn for every value that a product looks up.
func (v *View) eachJoin(joins []byte, fn func(lookup int, join []byte) error) error {
	for i := 0; len(joins) > 0; i++ {
		n, w := binary.Uvarint(joins)
		if w <= 0 || uint64(len(joins)-w) < max(n, 1)-1 {
			return errRowCorrupt
		}
		joins = joins[w:]
		if n == 0 {
			continue
		}
		value := joins[:n-1]
		joins = joins[n-1:]
		if !v.spreads(i) {
			if err := fn(i, value); err != nil {
				return err
			}
			continue
		}
		for len(value) > 0 {
			n, w := binary.Uvarint(value)
			if w <= 0 || uint64(len(value)-w) < n {
				return errRowCorrupt
			}
			if err := fn(i, value[w:w+int(n)]); err != nil {
				return err
			}
			value = value[w+int(n):]
		}
	}
	return nil
}

// spreads says whether a lookup is found by the values of several rows: those of a child, or of a lookup that is.
func (v *View) spreads(lookup int) bool {
	if lookup >= len(v.Lookups) {
		return false
	}
	return slices.ContainsFunc(v.Lookups[lookup].On, func(on LookupOn) bool {
		if on.From == Members && v.GroupBy != nil || slices.ContainsFunc(v.Children, func(c Child) bool { return c.Name == on.From }) {
			return true
		}
		at := slices.IndexFunc(v.Lookups, func(l Lookup) bool { return l.Name == on.From })
		return at >= 0 && v.spreads(at) // lookups never wait for each other in a circle
	})
}
