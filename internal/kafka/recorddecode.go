package kafka

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// errPartial: the bytes end before the batch does, as at the end of every fetch answer.
var errPartial = errors.New("partial record batch")

// errCorrupt is wrapped by every error about bytes that are no valid record batch.
var errCorrupt = errors.New("corrupt record batch")

func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{errCorrupt}, args...)...)
}

// batchHeader is the head of one batch in a record set.
type batchHeader struct {
	base           int64 // offset of the first record the batch was written with
	size           int   // whole length in bytes
	attributes     int16
	lastDelta      int32
	firstTS, maxTS int64
	producerID     int64
	producerEpoch  int16
	baseSequence   int32
	count          int32 // records left; compaction may have taken some or all
}

// next is the offset after the batch. It does not depend on which records compaction has left.
func (h *batchHeader) next() int64 { return h.base + int64(h.lastDelta) + 1 }

func (h *batchHeader) control() bool       { return h.attributes&attrControl != 0 }
func (h *batchHeader) transactional() bool { return h.attributes&attrTxn != 0 }

// parseHeader reads the header of the batch at the beginning of b. errPartial means that b ends within the batch; h.size is then set if
// b reaches that far. It does not verify the checksum.
func parseHeader(b []byte) (h batchHeader, err error) {
	if len(b) < lengthField {
		return h, errPartial
	}
	be := binary.BigEndian
	n := int64(int32(be.Uint32(b[8:])))
	if n < 0 || n > maxFrame {
		return h, corrupt("length %d", n)
	}
	h.size = int(n) + lengthField
	if len(b) > magicAt && b[magicAt] != 2 {
		return h, corrupt("message format %d; only format 2 (Kafka 0.11 and later) is read", b[magicAt])
	}
	if h.size < headerBytes {
		return h, corrupt("length %d is less than a header", n)
	}
	if len(b) < h.size {
		return h, errPartial
	}
	h.base = int64(be.Uint64(b))
	h.attributes = int16(be.Uint16(b[21:]))
	h.lastDelta = int32(be.Uint32(b[23:]))
	h.firstTS = int64(be.Uint64(b[27:]))
	h.maxTS = int64(be.Uint64(b[35:]))
	h.producerID = int64(be.Uint64(b[43:]))
	h.producerEpoch = int16(be.Uint16(b[51:]))
	h.baseSequence = int32(be.Uint32(b[53:]))
	h.count = int32(be.Uint32(b[57:]))
	if h.base < 0 || h.lastDelta < 0 || h.count < 0 || int64(h.count) > int64(h.lastDelta)+1 || h.next() < 0 {
		return h, corrupt("base offset %d, last offset delta %d, %d records", h.base, h.lastDelta, h.count)
	}
	return h, nil
}

// checksum verifies the CRC of a whole batch.
func checksum(b []byte) error {
	if got, want := crc32.Checksum(b[crcFrom:], castagnoli), binary.BigEndian.Uint32(b[17:]); got != want {
		return corrupt("checksum %08x, computed %08x", want, got)
	}
	return nil
}

// controlType reads a control batch's record: 0 is an abort marker, 1 a commit marker, others exist (leader changes, snapshots).
func controlType(h *batchHeader, payload []byte) (int16, error) {
	if h.attributes&attrCodec != codecNone {
		return -1, corrupt("compressed control batch")
	}
	if h.count == 0 {
		return -1, nil
	}
	var d recordDecoder
	recs, err := d.records(nil, h, payload, h.base)
	if err != nil {
		return -1, err
	}
	if len(recs) == 0 || len(recs[0].Key) < 4 {
		return -1, corrupt("control record without a type")
	}
	return int16(binary.BigEndian.Uint16(recs[0].Key[2:])), nil
}

// recordDecoder turns a batch's uncompressed payload into records. Its headers and names are reused from batch to batch.
type recordDecoder struct {
	headers []Header
	names   map[string]string // header names seen, so that each is made a string once
}

// records appends to dst the records of payload whose offset is at least from. Keys, values and header values alias payload; headers
// stay valid until the next call.
func (d *recordDecoder) records(dst []Record, h *batchHeader, payload []byte, from int64) ([]Record, error) {
	d.headers = d.headers[:0]
	last := int64(-1)
	b := payload
	for i := int32(0); i < h.count; i++ {
		size, n := varint(b)
		if n <= 0 || size < 0 || size > int64(len(b)-n) {
			return dst, corrupt("record %d of %d: length %d in %d bytes", i, h.count, size, len(b))
		}
		rec := b[n : n+int(size)]
		b = b[n+int(size):]
		if len(dst) < cap(dst) {
			dst = dst[:len(dst)+1]
		} else {
			dst = append(dst, Record{})
		}
		r := &dst[len(dst)-1]
		delta, err := d.record(r, h, rec)
		if err != nil {
			return dst[:len(dst)-1], corrupt("record %d of %d: %s", i, h.count, err)
		}
		if delta <= last || delta > int64(h.lastDelta) {
			return dst[:len(dst)-1], corrupt("record %d of %d: offset delta %d after %d, last %d", i, h.count, delta, last, h.lastDelta)
		}
		last = delta
		if r.Offset < from {
			dst = dst[:len(dst)-1]
		}
	}
	if len(b) != 0 {
		return dst, corrupt("%d bytes after the last record", len(b))
	}
	return dst, nil
}

// record decodes one record's body, which it must use up exactly, into r and returns its offset delta.
func (d *recordDecoder) record(r *Record, h *batchHeader, b []byte) (delta int64, err error) {
	if len(b) < 1 {
		return 0, errShortRecord
	}
	b = b[1:] // attributes, unused in format 2
	ts, n := varint(b)
	if n <= 0 {
		return 0, errShortRecord
	}
	b = b[n:]
	delta, n = varint(b)
	if n <= 0 {
		return 0, errShortRecord
	}
	b = b[n:]
	r.Offset = h.base + delta
	r.TimestampMS = h.firstTS + ts
	if h.attributes&attrLogAppend != 0 {
		r.TimestampMS = h.maxTS
	}
	var ok bool
	if r.Key, b, ok = field(b); !ok {
		return 0, errShortRecord
	}
	if r.Value, b, ok = field(b); !ok {
		return 0, errShortRecord
	}
	count, n := varint(b)
	if n <= 0 || count < 0 || count > int64(len(b)) {
		return 0, errShortRecord
	}
	b = b[n:]
	r.Headers = nil
	if count > 0 {
		if r.Headers, b, ok = d.header(int(count), b); !ok {
			return 0, errShortRecord
		}
	}
	if len(b) != 0 {
		return 0, errLongRecord
	}
	return delta, nil
}

var (
	errShortRecord = errors.New("ends within a field")
	errLongRecord  = errors.New("bytes after the last field")
)

// header reads count headers into the common slice. Where that has to grow, records already decoded keep the old one.
func (d *recordDecoder) header(count int, b []byte) ([]Header, []byte, bool) {
	start := len(d.headers)
	for range count {
		k, rest, ok := field(b)
		if !ok || k == nil {
			return nil, nil, false
		}
		v, rest, ok := field(rest)
		if !ok {
			return nil, nil, false
		}
		d.headers = append(d.headers, Header{Key: d.name(k), Value: v})
		b = rest
	}
	return d.headers[start:len(d.headers):len(d.headers)], b, true
}

func (d *recordDecoder) name(b []byte) string {
	if s, ok := d.names[string(b)]; ok {
		return s
	}
	s := string(b)
	if d.names == nil {
		d.names = map[string]string{}
	}
	if len(d.names) < 256 && len(s) <= 128 { // foreign records may name headers as they like: bounded
		d.names[s] = s
	}
	return s
}

// field reads a length and that many bytes; a length of -1 is nil, and 0 is empty but not nil.
func field(b []byte) (v, rest []byte, ok bool) {
	size, n := varint(b)
	if n <= 0 || size < -1 || size > int64(len(b)-n) {
		return nil, nil, false
	}
	b = b[n:]
	if size < 0 {
		return nil, b, true
	}
	return b[:size:size], b[size:], true
}

// varint reads a zig-zag varint; n is 0 if b ends within it or it does not fit.
func varint(b []byte) (x int64, n int) {
	if len(b) > 0 && b[0] < 0x80 { // most of them
		u := b[0]
		return int64(u>>1) ^ -int64(u&1), 1
	}
	if len(b) > 1 && b[1] < 0x80 {
		u := uint64(b[0]&0x7f) | uint64(b[1])<<7
		return int64(u>>1) ^ -int64(u&1), 2
	}
	x, n = binary.Varint(b)
	if n < 0 {
		n = 0
	}
	return x, n
}
