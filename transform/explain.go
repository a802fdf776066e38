package transform

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"shelfstream/internal/fault"
	"shelfstream/schemas"
)

// ErrNoSuchProduct is the cause of Explain's fault for a key that the state holds nothing of.
var ErrNoSuchProduct = errors.New("the state holds nothing of this key")

// Explanation says how a product came to be what it is.
type Explanation struct {
	View string `json:"view"`
	Key  string `json:"key"`
	// Topic and Partition are where the product is published.
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	// Included is false if a rule filters the product out, or its root row is gone.
	Included bool           `json:"included"`
	Fields   []FieldOrigin  `json:"fields"`
	Rows     []RowOrigin    `json:"rows"`
	Parked   *ParkedProduct `json:"parked,omitempty"`
	// EmittedAt is when the product was last sent; zero if it never was, or is gone.
	EmittedAt time.Time `json:"emitted_at,omitzero"`
	// Wake is when the product will be evaluated again without any change of a row.
	Wake time.Time `json:"wake,omitzero"`
}

// FieldOrigin says which rule set a field, and from what.
type FieldOrigin struct {
	Field string `json:"field"`
	Value string `json:"value"`
	Rule  string `json:"rule,omitempty"`
	Layer string `json:"layer,omitempty"`
	File  string `json:"file,omitempty"`
	Line  int    `json:"line,omitempty"`
	Uses  []Use  `json:"uses,omitempty"`
}

// Use is one value that a field was computed from.
type Use struct {
	Input  string `json:"input"`
	Row    int    `json:"row"`
	Column string `json:"column"`
	Value  string `json:"value"`
}

// RowOrigin is a source row of the product.
type RowOrigin struct {
	Input     string    `json:"input"`
	Row       int       `json:"row"`
	Topic     string    `json:"topic"`
	Partition int32     `json:"partition"`
	Offset    int64     `json:"offset"`
	Position  string    `json:"position"`
	Committed time.Time `json:"committed,omitzero"`
}

// Explain explains one product out of the state, which it only reads. key is the product's key as text; the parts of a composite key have
// a slash between. The error is ErrNoSuchProduct, in a *fault.Fault, for a key that no row and no product has.
func (r *Runner) Explain(ctx context.Context, key string) (*Explanation, error) {
	r.mu.Lock()
	b := r.bound
	r.mu.Unlock()
	if b == nil {
		var err error
		if b, err = r.bind(ctx); err != nil {
			return nil, err
		}
	}
	var values []schemas.Value
	for _, part := range splitKey(key, len(b.layout.root().table.Key)) {
		values = append(values, schemas.Text(part))
	}
	if len(values) != len(b.layout.root().table.Key) {
		return nil, &fault.Fault{
			Class: fault.Config, Where: "key " + key, What: fmt.Sprintf("the key of view %s has the columns %v", r.cfg.View.Name, names(b.layout.root().table, b.layout.root().table.Key)),
			Fix: "give them with a slash between",
		}
	}
	t := r.newTask(b, schemas.Partition(values, r.cfg.Partitions))
	t.dirty, t.owners = newDirtySet(t.dirtyLimit), map[string][]byte{}
	t.eval = newEvaluation(t)
	return t.eval.explain(ctx, t.rowKey(values))
}

func splitKey(key string, n int) []string {
	if n == 1 {
		return []string{key}
	}
	return strings.SplitN(key, "/", n)
}

func (e *evaluation) explain(ctx context.Context, product []byte) (x *Explanation, err error) {
	t := e.t
	product = bytes.Clone(product)
	if e.iter, err = t.store.db.NewIter(&pebble.IterOptions{LowerBound: t.prefix.key(nil, kindProduct), UpperBound: t.prefix.key(nil, kindProduct+1)}); err != nil {
		return nil, fmt.Errorf("read the state store: %w", err)
	}
	defer func() { err = errors.Join(err, e.iter.Close()) }()
	x = &Explanation{View: t.layout.view.Name, Key: displayKey(product), Topic: t.topic, Partition: t.partition}
	if err := e.load(ctx, product); err != nil {
		return nil, err
	}
	e.explainFacts(x)
	if e.in.Root == nil && e.facts.emitted == nil && e.facts.parked == nil && len(e.origins) == 0 {
		return nil, &fault.Fault{
			Where: fmt.Sprintf("view %s, key %s", x.View, x.Key), What: "no such product in the state",
			Fix: "check the key; a product of another worker's partition is explained by that worker", Err: ErrNoSuchProduct,
		}
	}
	if e.in.Root == nil {
		return x, nil
	}
	if err := e.lookUp(ctx); err != nil {
		return nil, err
	}
	e.explainRows(x)
	e.in.Now = t.clock()
	e.result.Include = true
	evalErr := e.evaluator.Eval(&e.in, &e.result)
	x.Included = evalErr == nil && e.result.Include
	steps, err := e.evaluator.Explain(&e.in)
	if err != nil && len(fault.All(err)) == 0 {
		return nil, err
	}
	for _, s := range steps {
		f := FieldOrigin{Field: s.Field, Value: s.Value.String(), Rule: s.Rule, Layer: s.Layer, File: s.File, Line: s.Line}
		for _, u := range s.Uses {
			f.Uses = append(f.Uses, Use{Input: u.Input, Row: u.Row, Column: u.Column, Value: u.Value.String()})
		}
		x.Fields = append(x.Fields, f)
	}
	return x, nil
}

func (e *evaluation) explainFacts(x *Explanation) {
	if len(e.facts.emitted) >= 16 {
		x.EmittedAt = time.UnixMilli(int64(binary.BigEndian.Uint64(e.facts.emitted[8:]))).UTC()
	}
	if len(e.facts.wake) == 8 {
		x.Wake = time.UnixMicro(int64(binary.BigEndian.Uint64(e.facts.wake))).UTC()
	}
	if e.facts.parked != nil {
		var p parkedFact
		if json.Unmarshal(e.facts.parked, &p) == nil {
			x.Parked = &p.ParkedProduct
		}
	}
}

// explainRows lists where the rows came from, numbered as the rules see them.
func (e *evaluation) explainRows(x *Explanation) {
	for _, o := range e.origins {
		in := e.t.layout.inputs[o.input]
		row := RowOrigin{Input: in.name, Topic: in.topic, Partition: o.partition, Offset: o.offset, Position: string(o.pos)}
		switch in.kind {
		case inputRoot:
			row.Input = "root"
		case inputChild:
			row.Row = rowIndex(e.in.Children[o.input-1], o.row)
		case inputLookup:
			row.Row = rowIndex(e.in.Lookups[e.t.layout.lookupIndex(o.input)], o.row)
		case inputGroups: // it has no rows of its own
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
