package transform

import (
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"shelfstream/internal/fault"
	"shelfstream/schemas"
	"shelfstream/status"
)

// ExplainState tells what the state alone knows of a product, without the topics and the registry: no values, since only the registry says how rows are
// read, but which records they came from, whether it is held and why, and when it was sent. why says what is missing.
func (r *Runner) ExplainState(key, why string) (x *status.Explanation, err error) {
	id, err := r.viewNumber()
	if err != nil {
		return nil, err
	}
	snapshot := r.cfg.Store.db.NewSnapshot()
	defer func() { err = errors.Join(err, snapshot.Close()) }()
	// How many parts a key has stands in the registry too.
	for n := 1; ; n++ {
		parts, ok := SplitKey(key, n)
		if !ok {
			break
		}
		values := make([]schemas.Value, n)
		product := []byte{}
		for i, part := range parts {
			values[i] = schemas.Text(part)
			if i > 0 {
				product = append(product, joinSeparator)
			}
			product = append(product, part...)
		}
		partition := schemas.Partition(values, r.cfg.Partitions)
		x := &status.Explanation{View: r.cfg.View.Name, Key: keyText(product), Topic: r.topic, Partition: partition, Fields: []status.ExplainedField{}, Rows: []status.ExplainedRow{}, Limited: []string{why}}
		found, err := r.cfg.View.stateRows(snapshot, makePrefix(id, partition), product, x)
		if found || err != nil {
			return x, err
		}
	}
	return nil, &fault.Fault{Where: fmt.Sprintf("view %s, key %s", r.cfg.View.Name, key), What: "no such product in the state", Fix: "check the key", Err: &NoSuchProduct{}}
}

// stateRows lists the records of a product's rows and lookups.
func (v *View) stateRows(from pebble.Reader, pre prefix, product []byte, x *status.Explanation) (found bool, err error) {
	var f facts
	counts := map[int]int{}
	err = eachUnder(from, pre.product(nil, product), func(rest, value []byte) error {
		found = true
		switch slot := rest[0]; {
		case slot == slotEmitted:
			f.emitted = value
		case slot == slotParked:
			f.parked = value
		case slot == slotWake:
			f.wake = value
		case slot == slotJoins:
			f.joins = value
		case slot < slotFirstFact:
			return v.stateRow(x, int(slot), counts, value)
		}
		return nil
	})
	if err != nil || !found {
		return found, err
	}
	f.explain(x)
	x.Gone = counts[0] == 0 && v.GroupBy == nil
	first := 1 + len(v.Children)
	if v.GroupBy != nil {
		first++
	}
	return true, v.eachJoin(f.joins, func(lookup int, join []byte) error {
		return eachUnder(from, appendPart(pre.indexed(nil, kindLookup, first+lookup), join), func(_, value []byte) error {
			return v.stateRow(x, first+lookup, counts, value)
		})
	})
}

func (v *View) stateRow(x *status.Explanation, input int, counts map[int]int, value []byte) error {
	o, _, err := parseRow(value)
	if err != nil {
		return err
	}
	row := status.ExplainedRow{Row: counts[input], Partition: o.partition, Offset: o.offset, Position: string(o.pos)}
	row.Input, row.Topic = v.input(input)
	counts[input]++
	if o.tsMS > 0 {
		row.Committed = time.UnixMilli(o.tsMS).UTC()
	}
	x.Rows = append(x.Rows, row)
	return nil
}

// input names an input and its topic as the layout will have them.
func (v *View) input(index int) (name, topic string) {
	if index == 0 {
		return "root", v.Root
	}
	index--
	if v.GroupBy != nil {
		if index == 0 {
			return Members, v.Root
		}
		index--
	}
	if index < len(v.Children) {
		return v.Children[index].Name, v.Children[index].Topic
	}
	if index -= len(v.Children); index < len(v.Lookups) {
		return v.Lookups[index].Name, v.Lookups[index].Topic
	}
	return fmt.Sprintf("input %d", index), ""
}

// eachUnder goes through the entries whose keys begin with p; rest is what comes behind it. The values are copies.
func eachUnder(from pebble.Reader, p []byte, fn func(rest, value []byte) error) error {
	it, err := from.NewIter(&pebble.IterOptions{LowerBound: p, UpperBound: upperBound(p)})
	if err != nil {
		return fmt.Errorf("read the state store: %w", err)
	}
	for it.First(); it.Valid(); it.Next() {
		if len(it.Key()) == len(p) {
			continue
		}
		if err := fn(it.Key()[len(p):], append([]byte{}, it.Value()...)); err != nil {
			return errors.Join(err, it.Close())
		}
	}
	return it.Close()
}
