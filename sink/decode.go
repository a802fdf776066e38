package sink

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"shelfstream/internal/fault"
	"shelfstream/internal/kafka"
	"shelfstream/schemas"
	"shelfstream/schemas/registry"
)

// decoders turn a view's records into rows of the view's shape, whatever version wrote them. Shared by the view's partitions.
type decoders struct {
	registry *registry.Client
	view     View

	mu     sync.RWMutex
	values map[int32]valueDecoder
	keys   map[int32]*schemas.Codec
	bad    map[int32]*fault.Fault // schemas that no row can be read with
}

type valueDecoder interface {
	DecodeValue(dst []schemas.Value, body []byte) ([]schemas.Value, error)
}

func newDecoders(r *registry.Client, v View) *decoders {
	return &decoders{registry: r, view: v, values: map[int32]valueDecoder{}, keys: map[int32]*schemas.Codec{}, bad: map[int32]*fault.Fault{}}
}

// decode fills r from a record; the row is put into dst, whose room must do for it, and everything aliases rec's bytes. A *fault.Fault means
// that this record cannot be read, errShape that the view has a newer shape; every other error is about the registry, and worth another try.
func (d *decoders) decode(ctx context.Context, rec *kafka.Record, dst []schemas.Value, r *Record) error {
	r.Offset = rec.Offset
	r.SourceTSMS, r.Position = 0, ""
	for i := range rec.Headers {
		switch h := &rec.Headers[i]; h.Key {
		case "__source_ts_ms":
			r.SourceTSMS, _ = strconv.ParseInt(string(h.Value), 10, 64) // a foreign record may have anything there: unknown
		case "__pos":
			r.Position = string(h.Value)
		}
	}
	keyID, key, err := schemas.ParseFrame(rec.Key)
	if err != nil {
		return d.unreadable(rec, "the key is "+err.Error())
	}
	r.Key = key
	if rec.Value == nil {
		return d.tombstone(ctx, rec, keyID, r)
	}
	id, body, err := schemas.ParseFrame(rec.Value)
	if err != nil {
		return d.unreadable(rec, "the value is "+err.Error())
	}
	dec, err := d.value(ctx, keyID, id)
	if err != nil {
		return placed(err)
	}
	if r.Row, err = dec.DecodeValue(dst, body); err != nil {
		return d.unreadable(rec, fmt.Sprintf("the value cannot be read with schema %d: %v", id, err))
	}
	t := d.view.Table
	r.KeyValues = r.KeyValues[:0]
	for _, k := range t.Key {
		r.KeyValues = append(r.KeyValues, r.Row[k])
	}
	return nil
}

func (d *decoders) tombstone(ctx context.Context, rec *kafka.Record, keyID int32, r *Record) error {
	c, err := d.key(ctx, keyID)
	if err != nil {
		return placed(err)
	}
	r.Row = nil
	if r.KeyValues, err = c.DecodeKey(r.KeyValues, r.Key); err != nil {
		return d.unreadable(rec, fmt.Sprintf("the key cannot be read with schema %d: %v", keyID, err))
	}
	return nil
}

func (d *decoders) unreadable(rec *kafka.Record, what string) *fault.Fault {
	return &fault.Fault{
		Class: fault.Runtime, Cause: fault.TopicForeign, What: what,
		Fix: fmt.Sprintf("find out who else writes to %s; the next change of the product replaces the record, and where its key is nobody's, a tombstone does: the same key without a value; "+sendAnew, d.view.Topic),
	}
}

// placed gives a copy of a schema's fault, in which the record's place will be put.
func placed(err error) error {
	var f *fault.Fault
	if errors.As(err, &f) && f.Class == fault.Runtime {
		c := *f
		return &c
	}
	return err
}

// value finds the decoder of a schema.
func (d *decoders) value(ctx context.Context, keyID, id int32) (valueDecoder, error) {
	d.mu.RLock()
	dec, bad := d.values[id], d.bad[id]
	d.mu.RUnlock()
	if dec != nil {
		return dec, nil
	}
	if bad != nil {
		return nil, bad
	}
	dec, err := d.compile(ctx, keyID, id)
	d.mu.Lock()
	defer d.mu.Unlock()
	var f *fault.Fault
	switch {
	case err == nil:
		d.values[id] = dec
	case errors.As(err, &f) && f.Class == fault.Runtime:
		d.bad[id] = f
	}
	return dec, err
}

func (d *decoders) compile(ctx context.Context, keyID, id int32) (valueDecoder, error) {
	keyText, err := d.schema(ctx, keyID)
	if err != nil {
		return nil, err
	}
	valueText, err := d.schema(ctx, id)
	if err != nil {
		return nil, err
	}
	writer, err := schemas.ParseTable(d.view.Topic, keyText, valueText)
	if err != nil {
		return nil, d.useless(id, "describes no row", err)
	}
	if sameShape(writer, d.view.Table) {
		c, err := schemas.Compile(writer)
		if err != nil {
			return nil, d.useless(id, "cannot be compiled", err)
		}
		return c, nil
	}
	// Older than what we decode to, or newer? The newest says.
	latest, err := d.registry.Table(ctx, d.view.Topic)
	if err != nil {
		return nil, err
	}
	if !sameShape(latest, d.view.Table) {
		return nil, errShape
	}
	r, err := schemas.CompileResolver(writer, d.view.Table)
	if err != nil {
		return nil, d.useless(id, "cannot be read as the view is now", err)
	}
	return r, nil
}

func (d *decoders) useless(id int32, what string, err error) *fault.Fault {
	return &fault.Fault{Class: fault.Runtime, Cause: fault.TopicShape, What: fmt.Sprintf("its schema %d %s", id, what), Fix: "the next change of the product replaces the record; " + sendAnew, Err: err}
}

// sendAnew makes transform compare its products with what the topic has: a replay would read the same records again.
const sendAnew = "to have every product sent whose newest record is not what its rules give, stop transform, delete its state.dir and start it again"

// schema asks for a schema's text; an id the registry does not know is the record's fault.
func (d *decoders) schema(ctx context.Context, id int32) (string, error) {
	text, err := d.registry.Schema(ctx, id)
	if errors.Is(err, registry.ErrNotFound) {
		return "", &fault.Fault{
			Class: fault.Runtime, Cause: fault.RegistryMissing, What: fmt.Sprintf("its schema %d is not in the registry", id),
			Fix: "let log.registry name the registry that the writer of the topic uses; the record is tried again by itself",
		}
	}
	return text, err
}

// key finds the decoder of a key schema, for tombstones.
func (d *decoders) key(ctx context.Context, id int32) (*schemas.Codec, error) {
	d.mu.RLock()
	c := d.keys[id]
	d.mu.RUnlock()
	if c != nil {
		return c, nil
	}
	text, err := d.schema(ctx, id)
	if err != nil {
		return nil, err
	}
	own, err := schemas.Compile(d.view.Table)
	if err != nil {
		return nil, d.useless(id, "cannot be compiled", err)
	}
	t, err := schemas.ParseTable(d.view.Topic, text, own.ValueSchema())
	if err != nil {
		return nil, d.useless(id, "describes no key of this view", err)
	}
	if c, err = schemas.Compile(t); err != nil {
		return nil, d.useless(id, "cannot be compiled", err)
	}
	d.mu.Lock()
	d.keys[id] = c
	d.mu.Unlock()
	return c, nil
}

// forget drops what is known of schemas that could not be used, so that they are asked for again.
func (d *decoders) forget() {
	d.mu.Lock()
	clear(d.bad)
	d.mu.Unlock()
}
