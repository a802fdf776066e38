package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"shelfstream/internal/kafka"
	"shelfstream/schemas"
	"shelfstream/sink"
	"shelfstream/status/web"
)

// historyRecords is how many of the newest records of a product's partition are read for its history, so that the page answers soon however long the log is.
const historyRecords = 20_000

// rawVersion is a record of one product.
type rawVersion struct {
	offset, at int64
	committed  string
	value      []byte // nil: a tombstone
}

// versions reads what was sent of a product lately, newest first, at most n, with what changed from each to the next.
func (a *app) versions(ctx context.Context, view, key string, n int) ([]web.Version, error) {
	topic := sink.Topic(a.cfg.Name, view)
	table, err := a.registry.Table(ctx, topic)
	if err != nil {
		return nil, err
	}
	values, bad := parseKey(table, key)
	if bad != nil {
		return nil, bad
	}
	partitions, err := a.client.Partitions(ctx, topic)
	if err != nil {
		return nil, err
	}
	if partitions == 0 {
		return nil, nil
	}
	codec, err := schemas.Compile(table)
	if err != nil {
		return nil, err
	}
	row := make([]schemas.Value, len(table.Columns))
	for i, at := range table.Key {
		row[at] = values[i]
	}
	wanted, err := codec.AppendKey(nil, row)
	if err != nil {
		return nil, err
	}
	partition := schemas.Partition(values, partitions)
	raw, err := a.rawVersions(ctx, topic, partition, wanted)
	if err != nil {
		return nil, err
	}
	raw = raw[max(0, len(raw)-n-1):]
	var out []web.Version
	var before []schemas.Value
	for i, r := range raw {
		v := web.Version{Partition: partition, Offset: r.offset, At: time.UnixMilli(r.at), First: i == 0, Gone: r.value == nil}
		if ms, err := strconv.ParseInt(r.committed, 10, 64); err == nil {
			v.Committed = time.UnixMilli(ms)
		}
		var now []schemas.Value
		if r.value != nil {
			if now, err = a.decodeVersion(ctx, topic, table, r.value); err != nil {
				return nil, fmt.Errorf("%s/%d@%d: %w", topic, partition, r.offset, err)
			}
		}
		if i > 0 {
			v.Changes = changes(table, before, now)
		}
		before = now
		out = append(out, v)
	}
	if len(out) > n {
		out = out[1:]
	}
	slices.Reverse(out)
	return out, nil
}

func (a *app) rawVersions(ctx context.Context, topic string, partition int32, key []byte) ([]rawVersion, error) {
	end, err := a.client.EndOffset(ctx, topic, partition)
	if err != nil {
		return nil, err
	}
	start, err := a.client.StartOffset(ctx, topic, partition)
	if err != nil {
		return nil, err
	}
	var out []rawVersion
	err = a.client.Scan(ctx, topic, partition, max(start, end-historyRecords), end, func(r *kafka.Record) error {
		_, body, err := schemas.ParseFrame(r.Key)
		if err != nil || !bytes.Equal(body, key) {
			return nil //nolint:nilerr // another writer's record is no version of this product
		}
		v := rawVersion{offset: r.Offset, at: r.TimestampMS, value: bytes.Clone(r.Value)}
		for _, h := range r.Headers {
			if h.Key == "__source_ts_ms" {
				v.committed = string(h.Value)
			}
		}
		out = append(out, v)
		return nil
	})
	return out, err
}

// decodeVersion reads a value that may have been written under an older shape, in the newest's columns.
func (a *app) decodeVersion(ctx context.Context, topic string, table *schemas.Table, value []byte) ([]schemas.Value, error) {
	id, body, err := schemas.ParseFrame(value)
	if err != nil {
		return nil, err
	}
	schema, err := a.registry.Schema(ctx, id)
	if err != nil {
		return nil, err
	}
	codec, err := schemas.Compile(table)
	if err != nil {
		return nil, err
	}
	writer, err := schemas.ParseTable(topic, codec.KeySchema(), schema)
	if err != nil {
		return nil, err
	}
	resolver, err := schemas.CompileResolver(writer, table)
	if err != nil {
		return nil, errors.New("it was written under another shape of the view")
	}
	return resolver.DecodeValue(nil, body)
}

// changes names the columns that differ.
func changes(table *schemas.Table, before, now []schemas.Value) []web.Change {
	if before == nil || now == nil {
		return nil
	}
	var out []web.Change
	for i := range table.Columns {
		if !schemas.Equal(before[i], now[i]) {
			out = append(out, web.Change{Field: table.Columns[i].Name, Before: before[i].String(), After: now[i].String()})
		}
	}
	return out
}
