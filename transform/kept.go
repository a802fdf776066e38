package transform

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"shelfstream/internal/kafka"
	"shelfstream/schemas"
	"shelfstream/schemas/registry"
	"shelfstream/transform/rules"
)

// kept says which fields of the product that was emitted last the next evaluation knows: those that `keep` rules name, and those that guards
// watch, and how many rows it was made of, where guards count those. The store holds them in a slot of the product, written with the hash of what was emitted; after a loss they come back from the output
// topic. nil: nothing is kept, and nothing is written. Shared by the tasks of a view.
type kept struct {
	// columns are those of the products' shape, each once. The first rules of them are rules.Program.Kept, in its order.
	columns []int
	rules   int
	codec   *schemas.Codec
	// inputs are those after the root whose numbers of rows are kept, each once, and their names.
	inputs []int
	names  []string
	// shape changes with what is kept: then the slots are written anew from the output topic.
	shape []byte

	registry *registry.Client
	current  int32 // the schema of the products as they are now
	whole    *schemas.Codec

	mu      sync.Mutex
	readers map[int32]*keptReader
}

// keptReader reads the kept fields off products written under one schema.
type keptReader struct {
	resolver *schemas.Resolver
	// at is where each kept field stands in what the resolver gives; -1: that shape had no such field, or one of a type that tells nothing.
	at []int
}

// newKept lays out the kept fields; nil if there are none.
func newKept(program *rules.Program, gs guards, whole *schemas.Codec, valueID int32, reg *registry.Client) (*kept, error) {
	k := &kept{columns: program.Kept(), registry: reg, current: valueID, whole: whole, readers: map[int32]*keptReader{}}
	k.rules = len(k.columns)
	for i := range gs {
		if in := gs[i].input; in >= 0 {
			if gs[i].kept = slices.Index(k.inputs, in); gs[i].kept < 0 {
				gs[i].kept = len(k.inputs)
				k.inputs, k.names = append(k.inputs, in), append(k.names, gs[i].Loses)
			}
		}
		if gs[i].column < 0 {
			continue
		}
		if gs[i].kept = slices.Index(k.columns, gs[i].column); gs[i].kept < 0 {
			gs[i].kept = len(k.columns)
			k.columns = append(k.columns, gs[i].column)
		}
	}
	if len(k.columns) == 0 && len(k.inputs) == 0 {
		return nil, nil
	}
	// A shape needs a key.
	for _, c := range whole.Table().Key {
		if !slices.Contains(k.columns, c) {
			k.columns = append(k.columns, c)
		}
	}
	var err error
	if k.codec, err = schemas.Compile(k.table(nil)); err != nil {
		return nil, fmt.Errorf("shape of the kept fields: %w", err)
	}
	what := k.codec.ValueSchema()
	if len(k.names) > 0 {
		what += fmt.Sprintf(" %q", k.names)
	}
	h := sha256.Sum256([]byte(what))
	k.shape = h[:]
	return k, nil
}

// table is the shape of the kept fields but those left out.
func (k *kept) table(without []string) *schemas.Table {
	t := &schemas.Table{Name: k.whole.Table().Name + ".kept"}
	for _, c := range k.columns {
		col := k.whole.Table().Columns[c]
		if slices.Contains(without, col.Name) {
			continue
		}
		if slices.Contains(k.whole.Table().Key, c) {
			t.Key = append(t.Key, len(t.Columns))
		}
		t.Columns = append(t.Columns, col)
	}
	return t
}

// ofRow encodes the kept fields of a product.
func (k *kept) ofRow(dst []byte, scratch, row []schemas.Value) ([]byte, []schemas.Value, error) {
	scratch = scratch[:0]
	for _, c := range k.columns {
		scratch = append(scratch, row[c])
	}
	dst, err := k.codec.AppendValue(dst, scratch)
	return dst, scratch, err
}

// ofRecord gives the kept fields of a product as it stands in the output topic, under whatever schema it was written.
func (k *kept) ofRecord(ctx context.Context, value []byte) ([]schemas.Value, error) {
	id, body, err := schemas.ParseFrame(value)
	if err != nil {
		return nil, err
	}
	out := make([]schemas.Value, len(k.columns))
	if id == k.current {
		row, err := k.whole.DecodeValue(nil, body)
		if err != nil {
			return nil, err
		}
		for i, c := range k.columns {
			out[i] = row[c]
		}
		return out, nil
	}
	r, err := k.reader(ctx, id)
	if err != nil {
		return nil, err
	}
	row, err := r.resolver.DecodeValue(nil, body)
	if err != nil {
		return nil, err
	}
	for i, at := range r.at {
		if at >= 0 {
			out[i] = row[at]
		}
	}
	return out, nil
}

func (k *kept) reader(ctx context.Context, id int32) (*keptReader, error) {
	k.mu.Lock()
	r := k.readers[id]
	k.mu.Unlock()
	if r != nil {
		return r, nil
	}
	text, err := k.registry.Schema(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("schema %d: %w", id, err)
	}
	writer, err := schemas.ParseTable(k.whole.Table().Name, k.whole.KeySchema(), text)
	if err != nil {
		return nil, fmt.Errorf("schema %d: %w", id, err)
	}
	r = &keptReader{}
	var without []string
	var table *schemas.Table
	for {
		table = k.table(without)
		if r.resolver, err = schemas.CompileResolver(writer, table); err == nil {
			break
		}
		// A field whose older type cannot be read as the present one is as one that was not there.
		var ce *schemas.ColumnError
		if !errors.As(err, &ce) || ce.Column == "" || slices.Contains(without, ce.Column) {
			return nil, fmt.Errorf("schema %d: %w", id, err)
		}
		without = append(without, ce.Column)
	}
	for _, c := range k.columns {
		r.at = append(r.at, table.Column(k.whole.Table().Columns[c].Name))
	}
	k.mu.Lock()
	k.readers[id] = r
	k.mu.Unlock()
	return r, nil
}

// previous decodes what was kept of the product that is loaded; nil if it is not published.
func (e *evaluation) previous() []schemas.Value {
	if e.t.kept == nil || e.facts.kept == nil || !e.isPublished() {
		return nil
	}
	// Written by nobody but saveKept under the same shape; what it does not hold is unknown.
	was, fields, ok := e.t.kept.cutRows(e.was[:0], e.facts.kept)
	if !ok {
		return nil
	}
	var err error
	if e.published, err = e.t.kept.codec.DecodeValue(e.published, fields); err != nil {
		return nil
	}
	e.was = was
	return e.published
}

// saveKept writes the kept fields of the product that is being emitted.
func (e *evaluation) saveKept(b *pebble.Batch, product []byte) error {
	k := e.t.kept
	if k == nil {
		return nil
	}
	var err error
	if e.scratch, e.part, err = k.ofRow(k.appendRows(e.scratch[:0], e.rowCounts()), e.part, e.result.Row); err != nil {
		return fmt.Errorf("keep fields: %w", err)
	}
	return e.t.setFact(b, product, slotKept, e.scratch)
}

// restoreKept writes the kept fields of a product from its record in the output topic.
func (t *task) restoreKept(ctx context.Context, b *pebble.Batch, product []byte, r *kafka.Record) error {
	if t.kept == nil {
		return nil
	}
	if r.Value == nil {
		return t.deleteFact(b, product, slotKept)
	}
	row, err := t.kept.ofRecord(ctx, r.Value)
	if err != nil {
		var ce *schemas.ColumnError
		if !errors.As(err, &ce) {
			return fmt.Errorf("read what is kept of product %s: %w", keyText(product), err)
		}
		t.log.Warn("what was published of a product cannot be read as its fields are now; they are computed anew", "topic", t.topic, "product", keyText(product), "error", err)
		row = make([]schemas.Value, len(t.kept.columns))
	}
	fact, err := t.kept.codec.AppendValue(t.kept.rowsOf(nil, r), row)
	if err != nil {
		return fmt.Errorf("keep fields: %w", err)
	}
	return t.setFact(b, product, slotKept, fact)
}

// checkKept sees whether the store keeps the fields that it should; if not, the output topic is read from its start.
func (t *task) checkKept() (changed bool, err error) {
	var want []byte
	if t.kept != nil {
		want = t.kept.shape
	}
	have, err := t.store.get(nil, t.prefix.meta(nil, metaKept))
	if err != nil || bytes.Equal(have, want) {
		return false, err
	}
	if want != nil {
		if err := t.store.db.Delete(t.prefix.meta(nil, metaOutput), pebble.Sync); err != nil {
			return false, fmt.Errorf("write the state store: %w", err)
		}
	}
	return true, nil
}

// noteKept says that the slots hold what checkKept asked for.
func (t *task) noteKept() error {
	k := t.prefix.meta(nil, metaKept)
	if t.kept == nil {
		return t.store.db.Delete(k, pebble.Sync)
	}
	return t.store.db.Set(k, t.kept.shape, pebble.Sync)
}
