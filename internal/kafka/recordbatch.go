package kafka

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"math/bits"
)

// The record batch, format 2 (KIP-98), big endian:
//
//	 0 int64  base offset                 27 int64 first timestamp, ms
//	 8 int32  bytes after this field      35 int64 max timestamp, ms
//	12 int32  partition leader epoch      43 int64 producer id
//	16 int8   magic, 2                    51 int16 producer epoch
//	17 uint32 CRC32C of 21 to the end     53 int32 base sequence
//	21 int16  attributes                  57 int32 number of records
//	23 int32  last offset delta           61       records, compressed as a whole
const (
	headerBytes   = 61
	sizePrefix    = 4  // a record set in a request or an answer has its length in front
	lengthField   = 12 // offset of what the length field counts
	crcFrom       = 21
	magicAt       = 16
	attrCodec     = 0x07
	attrLogAppend = 0x08
	attrTxn       = 0x10
	attrControl   = 0x20
)

// Compression is how a producer compresses its batches.
type Compression int8

// What a producer can write; everything that exists is read.
const (
	LZ4    Compression = iota // the default
	None                      // as it is
	Zstd                      // half of LZ4's size, at about its CPU to write and three times that to read
	Snappy                    // half of LZ4's CPU to write, at its size
)

// The codecs' ids on the wire.
const (
	codecNone = iota
	codecGzip
	codecSnappy
	codecLZ4
	codecZstd
)

func (c Compression) wire() (int, error) {
	switch c {
	case None:
		return codecNone, nil
	case LZ4:
		return codecLZ4, nil
	case Zstd:
		return codecZstd, nil
	case Snappy:
		return codecSnappy, nil
	}
	return 0, fmt.Errorf("unknown compression %d", c)
}

//nolint:gochecknoglobals // a constant table
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// varintSize is the length of x as a zig-zag varint.
func varintSize(x int64) int {
	u := uint64(x)<<1 ^ uint64(x>>63)
	return (bits.Len64(u|1) + 6) / 7
}

func bytesSize(b []byte) int {
	if b == nil {
		return 1
	}
	return varintSize(int64(len(b))) + len(b)
}

// recordBody is the length of one record without its own length field.
func recordBody(r *Record, tsDelta int64, offsetDelta int32) int {
	n := 1 + varintSize(tsDelta) + varintSize(int64(offsetDelta)) + bytesSize(r.Key) + bytesSize(r.Value) + varintSize(int64(len(r.Headers)))
	for i := range r.Headers {
		h := &r.Headers[i]
		n += varintSize(int64(len(h.Key))) + len(h.Key) + bytesSize(h.Value)
	}
	return n
}

func appendBytes(dst, b []byte) []byte {
	if b == nil {
		return append(dst, 1) // -1
	}
	dst = binary.AppendVarint(dst, int64(len(b)))
	return append(dst, b...)
}

// appendRecord appends one record; body is what recordBody said.
func appendRecord(dst []byte, r *Record, body int, tsDelta int64, offsetDelta int32) []byte {
	dst = binary.AppendVarint(dst, int64(body))
	dst = append(dst, 0) // attributes, unused
	dst = binary.AppendVarint(dst, tsDelta)
	dst = binary.AppendVarint(dst, int64(offsetDelta))
	dst = appendBytes(dst, r.Key)
	dst = appendBytes(dst, r.Value)
	dst = binary.AppendVarint(dst, int64(len(r.Headers)))
	for i := range r.Headers {
		h := &r.Headers[i]
		dst = binary.AppendVarint(dst, int64(len(h.Key)))
		dst = append(dst, h.Key...)
		dst = appendBytes(dst, h.Value)
	}
	return dst
}

// batchMeta is what a finished batch's header says beside what follows from its records.
type batchMeta struct {
	attributes       int16 // compression and transaction bits
	count            int32
	firstTS, maxTS   int64
	producerID       int64
	producerEpoch    int16
	baseSequence     int32
	transactionalBit bool
}

// putHeader fills in the first headerBytes of b, which holds the whole batch, records included. Offsets start at 0: the broker sets them.
func putHeader(b []byte, m *batchMeta) {
	be := binary.BigEndian
	attrs := m.attributes
	if m.transactionalBit {
		attrs |= attrTxn
	}
	be.PutUint64(b, 0)
	be.PutUint32(b[8:], uint32(len(b)-lengthField))
	be.PutUint32(b[12:], math.MaxUint32) // leader epoch: not known to a producer
	b[magicAt] = 2
	be.PutUint16(b[21:], uint16(attrs))
	be.PutUint32(b[23:], uint32(m.count-1))
	be.PutUint64(b[27:], uint64(m.firstTS))
	be.PutUint64(b[35:], uint64(m.maxTS))
	be.PutUint64(b[43:], uint64(m.producerID))
	be.PutUint16(b[51:], uint16(m.producerEpoch))
	be.PutUint32(b[53:], uint32(m.baseSequence))
	be.PutUint32(b[57:], uint32(m.count))
	putChecksum(b)
}

// putChecksum fills in the checksum of a whole batch.
func putChecksum(b []byte) {
	binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[crcFrom:], castagnoli))
}

// builder gathers records into one uncompressed batch, with room for the size prefix and the header in front.
type builder struct {
	buf            []byte
	count          int32
	firstTS, maxTS int64
}

// size is what appending r would add.
func (b *builder) size(r *Record) int {
	var delta int64
	if b.count > 0 {
		delta = r.TimestampMS - b.firstTS
	}
	body := recordBody(r, delta, b.count)
	return varintSize(int64(body)) + body
}

// add appends r to buf, which must have room as told by size; a nil buf is grown.
func (b *builder) add(r *Record) {
	if b.count == 0 {
		b.firstTS, b.maxTS = r.TimestampMS, r.TimestampMS
		if len(b.buf) < sizePrefix+headerBytes {
			b.buf = append(b.buf, make([]byte, sizePrefix+headerBytes-len(b.buf))...)
		}
	}
	delta := r.TimestampMS - b.firstTS
	b.buf = appendRecord(b.buf, r, recordBody(r, delta, b.count), delta, b.count)
	b.maxTS = max(b.maxTS, r.TimestampMS)
	b.count++
}

// finish writes header and size prefix in place around the records of buf (compressed ones or not).
func finish(buf []byte, m *batchMeta) {
	binary.BigEndian.PutUint32(buf, uint32(len(buf)-sizePrefix))
	putHeader(buf[sizePrefix:], m)
}
