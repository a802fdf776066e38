package kafka

import (
	"encoding/binary"
	"io"
)

// maxFrame bounds an answer's size: far above any fetch, far below what would exhaust memory at once.
const maxFrame = 1 << 30

// frameReader reads the fields of one answer from a connection and never past the answer's end. The first error stays.
type frameReader struct {
	r    io.Reader
	left int
	buf  [8]byte
	err  error
}

func (f *frameReader) take(n int) []byte {
	if f.err == nil && n > f.left {
		f.err = io.ErrUnexpectedEOF
	}
	b := f.buf[:n]
	if f.err == nil {
		_, f.err = io.ReadFull(f.r, b)
		f.left -= n
	}
	if f.err != nil {
		clear(b)
	}
	return b
}

func (f *frameReader) int16() int16 { return int16(binary.BigEndian.Uint16(f.take(2))) }
func (f *frameReader) int32() int32 { return int32(binary.BigEndian.Uint32(f.take(4))) }
func (f *frameReader) int64() int64 { return int64(binary.BigEndian.Uint64(f.take(8))) }

// string reads a string with a length of two bytes; a null one is "".
func (f *frameReader) string() string {
	n := int(f.int16())
	if n <= 0 || f.err != nil {
		return ""
	}
	if n > f.left {
		f.err = io.ErrUnexpectedEOF
		return ""
	}
	b := make([]byte, n)
	f.full(b)
	return string(b)
}

// full fills b.
func (f *frameReader) full(b []byte) {
	if f.err == nil && len(b) > f.left {
		f.err = io.ErrUnexpectedEOF
	}
	if f.err != nil {
		return
	}
	_, f.err = io.ReadFull(f.r, b)
	f.left -= len(b)
}

// length reads an array's length; each of its elements takes at least least bytes, which bounds it by what the frame still holds.
func (f *frameReader) length(least int) int {
	n := int(f.int32())
	if f.err != nil || n < 0 {
		return 0
	}
	if n > f.left/least {
		f.err = io.ErrUnexpectedEOF
		return 0
	}
	return n
}

func (f *frameReader) skip(n int) {
	if f.err != nil || n <= 0 {
		return
	}
	_, f.err = io.CopyN(io.Discard, f.r, int64(n))
	f.left -= n
}
