package kafka

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"testing"

	"github.com/klauspost/compress/gzip"
)

func gzipped(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func putChecksum(b []byte) {
	binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[crcFrom:], castagnoli))
}

// gzipBatch is a batch that this package reads but does not write.
func gzipBatch(t testing.TB, recs []Record) []byte {
	t.Helper()
	var c codecs
	b := encodeBatch(t, &c, codecNone, recs)
	out := append(bytes.Clone(b[:headerBytes]), gzipped(t, b[headerBytes:])...)
	binary.BigEndian.PutUint32(out[8:], uint32(len(out)-lengthField))
	binary.BigEndian.PutUint16(out[21:], codecGzip)
	putChecksum(out)
	return out
}
