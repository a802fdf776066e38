package transform

import (
	"context"
	"errors"
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

// rowError says that the row itself cannot be read, now or later. Any other error of decoders is one of the moment: the registry cannot be asked.
type rowError struct{ err error }

func (e *rowError) Error() string { return e.err.Error() }
func (e *rowError) Unwrap() error { return e.err }

// unreadable says whether an error is about the row, and not about who was asked for its schema.
func unreadable(err error) bool {
	var e *rowError
	return errors.As(err, &e)
}

// row decodes a framed value into dst[:0]; the result aliases value. The error is a *rowError where the row is to blame.
func (d *decoders) row(ctx context.Context, in *input, dst []schemas.Value, value []byte) ([]schemas.Value, error) {
	id, body, err := schemas.ParseFrame(value)
	if err != nil {
		return nil, &rowError{err}
	}
	dec, err := d.forID(ctx, in, id)
	if err != nil {
		return nil, err
	}
	row, err := dec.DecodeValue(dst, body)
	if err != nil {
		return nil, &rowError{err}
	}
	return row, nil
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
	if errors.Is(err, registry.ErrNotFound) {
		return nil, &rowError{fmt.Errorf("schema %d: %w", id, err)}
	}
	if err != nil {
		return nil, fmt.Errorf("schema %d: %w", id, err)
	}
	writer, err := schemas.ParseTable(in.topic, in.codec.KeySchema(), text)
	if err != nil {
		return nil, &rowError{fmt.Errorf("schema %d: %w", id, err)}
	}
	if text == in.codec.ValueSchema() {
		dec = in.codec
	} else {
		r, err := schemas.CompileResolver(writer, in.table)
		if err != nil {
			return nil, &rowError{&fault.Fault{
				Class: fault.Runtime, Cause: fault.TopicShape, Where: in.topic, What: fmt.Sprintf("rows written under schema %d cannot be read as the table is now", id),
				Fix: "run `shelfstream capture resnapshot` for this table, so that every row is written in its present shape", Err: err,
			}}
		}
		dec = r
	}
	d.mu.Lock()
	d.byID[k] = dec
	d.mu.Unlock()
	return dec, nil
}
