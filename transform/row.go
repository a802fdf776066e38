package transform

import (
	"encoding/binary"
	"errors"
	"strconv"

	"shelfstream/internal/kafka"
)

// Headers of raw and cleaned records.
const (
	headerSourceTS = "__source_ts_ms"
	headerPos      = "__pos"
)

// origin is where a row of the state came from; explain shows it.
type origin struct {
	partition int32
	offset    int64
	tsMS      int64
	pos       []byte
}

// appendRow encodes a row for the store: origin, then the record's value as it was.
func appendRow(dst []byte, o origin, value []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(uint32(o.partition)))
	dst = binary.AppendUvarint(dst, uint64(o.offset))
	dst = binary.AppendVarint(dst, o.tsMS)
	dst = binary.AppendUvarint(dst, uint64(len(o.pos)))
	dst = append(dst, o.pos...)
	return append(dst, value...)
}

var errRowCorrupt = errors.New("row in the state store is corrupt")

// parseRow is the inverse of appendRow; the parts alias b.
func parseRow(b []byte) (o origin, value []byte, err error) {
	part, n := binary.Uvarint(b)
	if n <= 0 {
		return o, nil, errRowCorrupt
	}
	b = b[n:]
	off, n := binary.Uvarint(b)
	if n <= 0 {
		return o, nil, errRowCorrupt
	}
	b = b[n:]
	ts, n := binary.Varint(b)
	if n <= 0 {
		return o, nil, errRowCorrupt
	}
	b = b[n:]
	size, n := binary.Uvarint(b)
	if n <= 0 || uint64(len(b)-n) < size {
		return o, nil, errRowCorrupt
	}
	b = b[n:]
	return origin{partition: int32(part), offset: int64(off), tsMS: ts, pos: b[:size]}, b[size:], nil
}

// originOf reads the origin off a raw record's headers.
func originOf(partition int32, r *kafka.Record) origin {
	o := origin{partition: partition, offset: r.Offset}
	for i := range r.Headers {
		switch r.Headers[i].Key {
		case headerSourceTS:
			o.tsMS, _ = strconv.ParseInt(string(r.Headers[i].Value), 10, 64)
		case headerPos:
			o.pos = r.Headers[i].Value
		}
	}
	return o
}
