package transform

import (
	"context"
	"fmt"
	"sync"

	"shelfstream/internal/fault"
	"shelfstream/schemas"
	"shelfstream/schemas/registry"
)

// decoders turn values into rows of an input's bound shape, whatever version of the table wrote them. Shared by the tasks of a view.
type decoders struct {
	registry *registry.Client

	mu   sync.RWMutex
	byID map[decoderKey]valueDecoder
}

type decoderKey struct {
	topic string
	id    int32
}

type valueDecoder interface {
	DecodeValue(dst []schemas.Value, body []byte) ([]schemas.Value, error)
}

func newDecoders(r *registry.Client) *decoders {
	return &decoders{registry: r, byID: map[decoderKey]valueDecoder{}}
}

// row decodes a framed value into dst[:0]; the result aliases value.
func (d *decoders) row(ctx context.Context, in *input, dst []schemas.Value, value []byte) ([]schemas.Value, error) {
	id, body, err := schemas.ParseFrame(value)
	if err != nil {
		return nil, err
	}
	dec, err := d.forID(ctx, in, id)
	if err != nil {
		return nil, err
	}
	return dec.DecodeValue(dst, body)
}

func (d *decoders) forID(ctx context.Context, in *input, id int32) (valueDecoder, error) {
	k := decoderKey{in.topic, id}
	d.mu.RLock()
	dec := d.byID[k]
	d.mu.RUnlock()
	if dec != nil {
		return dec, nil
	}
	text, err := d.registry.Schema(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("schema %d: %w", id, err)
	}
	writer, err := schemas.ParseTable(in.topic, in.codec.KeySchema(), text)
	if err != nil {
		return nil, fmt.Errorf("schema %d: %w", id, err)
	}
	if text == in.codec.ValueSchema() {
		dec = in.codec
	} else {
		r, err := schemas.CompileResolver(writer, in.table)
		if err != nil {
			return nil, &fault.Fault{
				Class: fault.Runtime, Where: in.topic, What: fmt.Sprintf("rows written under schema %d cannot be read as the table is now", id),
				Fix: "run `shelfstream capture resnapshot` for this table, so that every row is written in its present shape", Err: err,
			}
		}
		dec = r
	}
	d.mu.Lock()
	d.byID[k] = dec
	d.mu.Unlock()
	return dec, nil
}
