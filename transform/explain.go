package transform

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"shelfstream/internal/fault"
	"shelfstream/schemas"
	"shelfstream/status"
)

// Explain explains one product out of the state and the topic, which it only reads; what the targets have of it is left empty. key is the product's key as
// text, see SplitKey. The error is ErrNoSuchProduct, by a NoSuchProduct in a *fault.Fault, for a key that no row and no product has.
func (r *Runner) Explain(ctx context.Context, key string) (*status.Explanation, error) {
	b, err := r.inspect(ctx)
	if err != nil {
		return nil, err
	}
	root := b.layout.root().table
	parts, ok := SplitKey(key, len(root.Key))
	if !ok {
		return nil, &fault.Fault{
			Class: fault.Config, Where: "key " + key, What: fmt.Sprintf("the key of view %s has the columns %v", r.cfg.View.Name, names(root, root.Key)),
			Fix: "give them with a slash between, and write a backslash before a slash that belongs to one of them",
		}
	}
	values := make([]schemas.Value, len(parts))
	for i, part := range parts {
		values[i] = keyValue(&root.Columns[root.Key[i]].Type, part)
	}
	snapshot := r.cfg.Store.db.NewSnapshot()
	defer func() { err = errors.Join(err, snapshot.Close()) }()
	e, err := r.look(b, schemas.Partition(values, r.cfg.Partitions), snapshot)
	if err != nil {
		return nil, err
	}
	x, err := e.explain(ctx, bytes.Clone(e.t.rowKey(values)))
	if err := errors.Join(err, e.iter.Close()); err != nil {
		return nil, err
	}
	if x == nil {
		return nil, r.noSuchProduct(b, snapshot, key)
	}
	return x, nil
}

// keyValue reads a part of a key as its column would have it: 0042 is the number 42.
func keyValue(t *schemas.Type, text string) schemas.Value {
	var v schemas.Value
	var err error
	switch t.Kind {
	case schemas.KindInt:
		var n int64
		n, err = strconv.ParseInt(text, 10, 64)
		v = schemas.Int(n)
	case schemas.KindDecimal:
		v, err = schemas.ParseDecimal(text)
	case schemas.KindBool:
		var b bool
		b, err = strconv.ParseBool(text)
		v = schemas.Bool(b)
	case schemas.KindUUID:
		return schemas.Text(strings.ToLower(text))
	default: // names of products hold the others as the text that they are written with
		return schemas.Text(text)
	}
	if err != nil {
		return schemas.Text(text)
	}
	return v
}

// explain is nil if there is nothing of the product.
func (e *evaluation) explain(ctx context.Context, product []byte) (*status.Explanation, error) {
	t := e.t
	x := &status.Explanation{View: t.layout.view.Name, Key: keyText(product), Topic: t.topic, Partition: t.partition, Fields: []status.ExplainedField{}, Rows: []status.ExplainedRow{}}
	err := e.load(ctx, product)
	if err != nil && !unreadable(err) {
		return nil, err
	}
	e.facts.explain(x)
	if err == nil && e.in.Root == nil && e.facts.emitted == nil && e.facts.parked == nil && len(e.origins) == 0 {
		return nil, nil
	}
	if err == nil && e.in.Root != nil {
		err = e.lookUp(ctx)
	}
	if err != nil && !unreadable(err) {
		return nil, err
	}
	e.explainRows(x)
	x.Gone = err == nil && e.in.Root == nil
	if err == nil && !x.Gone {
		err = e.explainFields(x)
	}
	if err != nil {
		x.Problem = &status.ExplainedProblem{}
		x.Problem.Where, x.Problem.What, x.Problem.Fix = parkReason(err)
	}
	if len(e.facts.emitted) >= 16 {
		if err := e.explainEmitted(ctx, x); err != nil {
			x.Limited = append(x.Limited, "what was sent last was not found: "+err.Error())
		}
	}
	return x, nil
}

// explainFields evaluates, and says of each field who set it. The error is why the rules give no product.
func (e *evaluation) explainFields(x *status.Explanation) error {
	e.in.Now = e.t.clock()
	steps, err := e.evaluator.Explain(&e.in)
	for _, s := range steps {
		f := status.ExplainedField{Field: s.Field, Value: s.Value.String(), Rule: s.Rule, Layer: s.Layer, File: s.File, Line: s.Line}
		for _, u := range s.Uses {
			f.Uses = append(f.Uses, status.ExplainedUse{Input: u.Input, Row: u.Row, Column: u.Column, Value: u.Value.String()})
		}
		x.Fields = append(x.Fields, f)
	}
	e.result.Include = true
	if evalErr := e.evaluator.Eval(&e.in, &e.result); evalErr != nil {
		return evalErr
	}
	if x.Included = e.result.Include; x.Included {
		// What cannot be written is held too.
		if e.value, err = e.t.outCodec.AppendValue(e.value[:0], e.result.Row); err != nil {
			x.Included = false
		}
	}
	return err
}

// explain says what the store knows of the product beside its rows.
func (f *facts) explain(x *status.Explanation) {
	if len(f.emitted) >= 16 {
		x.EmittedAt = time.UnixMilli(int64(binary.BigEndian.Uint64(f.emitted[8:]))).UTC()
	}
	if len(f.wake) == 8 {
		x.Wake = time.UnixMicro(int64(binary.BigEndian.Uint64(f.wake))).UTC()
	}
	if f.parked != nil {
		var p parkedFact
		if json.Unmarshal(f.parked, &p) == nil && p.What != "" {
			parked := p.Status()
			x.Parked = &parked
		}
	}
}

// explainRows lists where the rows came from, numbered as the rules see them.
func (e *evaluation) explainRows(x *status.Explanation) {
	for _, o := range e.origins {
		in := e.t.layout.inputs[o.input]
		row := status.ExplainedRow{Input: in.name, Topic: in.topic, Partition: o.partition, Offset: o.offset, Position: string(o.pos)}
		switch in.kind {
		case inputRoot:
			row.Input = "root"
		case inputChild:
			row.Row = rowIndex(e.in.Children[o.input-1], o.row)
		case inputLookup:
			row.Row = rowIndex(e.in.Lookups[e.t.layout.lookupIndex(o.input)], o.row)
		case inputGroups: // it has no rows of its own
		}
		if view, ok := strings.CutPrefix(in.topic, strings.TrimSuffix(e.t.topic, e.t.layout.view.Name)); ok && slices.Contains(e.t.layout.view.Views, in.topic) {
			product, _ := appendValues(nil, o.row, in.table.Key)
			row.View, row.Product = view, keyText(product)
		}
		if o.tsMS > 0 {
			row.Committed = time.UnixMilli(o.tsMS).UTC()
		}
		x.Rows = append(x.Rows, row)
	}
}

// rowIndex finds a row by its identity.
func rowIndex(rows [][]schemas.Value, row []schemas.Value) int {
	for i := range rows {
		if &rows[i][0] == &row[0] {
			return i
		}
	}
	return 0
}

// Parked lists up to limit products that are held back in this worker's state, with their reasons.
func (r *Runner) Parked(limit int) ([]ParkedProduct, error) {
	r.mu.Lock()
	tasks := make([]*task, 0, len(r.tasks))
	for _, t := range r.tasks {
		tasks = append(tasks, t)
	}
	r.mu.Unlock()
	var out []ParkedProduct
	for _, t := range tasks {
		lower := t.prefix.key(nil, kindParked)
		it, err := t.store.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: t.prefix.key(nil, kindParked+1)})
		if err != nil {
			return nil, fmt.Errorf("read the parked products: %w", err)
		}
		for it.First(); it.Valid() && len(out) < limit; it.Next() {
			raw, err := t.store.get(nil, append(t.prefix.product(nil, it.Key()[len(lower):]), slotParked))
			if err != nil {
				return nil, errors.Join(err, it.Close())
			}
			var p parkedFact
			if raw != nil && json.Unmarshal(raw, &p) == nil {
				out = append(out, p.ParkedProduct)
			}
		}
		if err := it.Close(); err != nil {
			return nil, fmt.Errorf("read the parked products: %w", err)
		}
	}
	return out, nil
}
