package transform

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/cespare/xxhash/v2"

	"shelfstream/internal/kafka"
	"shelfstream/schemas"
	"shelfstream/status"
)

// sentWithin is how long explain looks for the record that was sent last.
const sentWithin = 15 * time.Second

// errFound ends a scan.
var errFound = errors.New("found")

// explainEmitted reads the record that was sent last. The state knows its key, its hash and about when it was sent; after a loss of the state the time is that
// of the restore, and the whole partition is read.
func (e *evaluation) explainEmitted(ctx context.Context, x *status.Explanation) error {
	t := e.t
	ctx, cancel := context.WithTimeout(ctx, sentWithin)
	defer cancel()
	key, hash := e.facts.emitted[16:], binary.BigEndian.Uint64(e.facts.emitted)
	near, err := t.client.OffsetAt(ctx, t.topic, t.partition, x.EmittedAt.Add(-2*time.Second))
	if err != nil {
		return err
	}
	var found *kafka.Record
	look := func(from, to int64) error {
		err := t.client.Scan(ctx, t.topic, t.partition, from, to, func(r *kafka.Record) error {
			if r.Value == nil || !bytes.Equal(r.Key, key) || xxhash.Sum64(r.Value) != hash {
				return nil
			}
			c := *r
			c.Value, c.Headers = bytes.Clone(r.Value), nil
			for _, h := range r.Headers {
				c.Headers = append(c.Headers, kafka.Header{Key: h.Key, Value: bytes.Clone(h.Value)})
			}
			found = &c
			return errFound
		})
		if errors.Is(err, errFound) {
			return nil
		}
		return err
	}
	if err := look(near, -1); err != nil {
		return err
	}
	if found == nil && near > 0 {
		if err := look(0, near); err != nil {
			return err
		}
	}
	if found == nil {
		return fmt.Errorf("%s/%d has no record with its key and content", t.topic, t.partition)
	}
	return e.compareSent(ctx, x, found)
}

// compareSent decodes the record under the schema that it was written with, and marks the fields that are different now.
func (e *evaluation) compareSent(ctx context.Context, x *status.Explanation, r *kafka.Record) error {
	t := e.t
	id, body, err := schemas.ParseFrame(r.Value)
	if err != nil {
		return err
	}
	text, err := t.decoders.registry.Schema(ctx, id)
	if err != nil {
		return fmt.Errorf("schema %d: %w", id, err)
	}
	table, err := schemas.ParseTable(t.topic, t.outCodec.KeySchema(), text)
	if err != nil {
		return fmt.Errorf("schema %d: %w", id, err)
	}
	codec, err := schemas.Compile(table)
	if err != nil {
		return fmt.Errorf("schema %d: %w", id, err)
	}
	row, err := codec.DecodeValue(nil, body)
	if err != nil {
		return fmt.Errorf("decode: %w", err)
	}
	sent := &status.ExplainedRecord{Offset: r.Offset, At: time.UnixMilli(r.TimestampMS).UTC(), Fields: []status.ExplainedRecordField{}}
	for _, h := range r.Headers {
		switch h.Key {
		case headerPos:
			sent.Position = string(h.Value)
		case headerSourceTS:
			if ms, err := strconv.ParseInt(string(h.Value), 10, 64); err == nil && ms > 0 {
				sent.Committed = time.UnixMilli(ms).UTC()
			}
		}
	}
	for i := range row {
		sent.Fields = append(sent.Fields, status.ExplainedRecordField{Field: table.Columns[i].Name, Value: row[i].String()})
	}
	x.Emitted = sent
	if !x.Included {
		return nil
	}
	now := t.outCodec.Table()
	for i := range x.Fields {
		f := &x.Fields[i]
		is := now.Column(f.Field)
		if f.Field == "" || is < 0 {
			continue
		}
		was := table.Column(f.Field)
		before := at(row, was)
		if !sameValue(before, e.result.Row[is], was >= 0 && table.Columns[was].Type.Kind != now.Columns[is].Type.Kind) {
			text := before.String()
			f.Sent = &text
		}
	}
	return nil
}
