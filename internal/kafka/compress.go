package kafka

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// maxInflated bounds what one batch may grow to, so that a few hostile kilobytes cannot take all memory. Brokers accept 1 MiB compressed
// unless told otherwise.
const maxInflated = 128 << 20

// The lz4 frame this writes: independent blocks of up to 64 KiB (larger ones are 6 % smaller and a quarter slower), no checksums (the
// batch has one), no content size.
const (
	lz4Magic   = 0x184D2204
	lz4Flags   = 0x60 // version 1, blocks independent
	lz4Block   = 0x40 // 64 KiB
	lz4Check   = 0x82 // second byte of the xxh32 of the two bytes above
	lz4Max     = 64 << 10
	lz4RawFlag = 1 << 31 // the block is stored as it is
)

// codecs holds the reusable state of the compressors. Its methods may be called by several goroutines.
type codecs struct {
	zstdOnce sync.Once
	zstdEnc  *zstd.Encoder
	zstdDec  *zstd.Decoder
	zstdErr  error
	lz4Enc   sync.Pool // *lz4.Compressor
	lz4Dec   sync.Pool // *lz4.Reader
	gzipDec  sync.Pool // *gzip.Reader
	limit    int       // bytes; 0 means maxInflated
}

func (c *codecs) bound() int {
	if c.limit > 0 {
		return c.limit
	}
	return maxInflated
}

func (c *codecs) zstd() error {
	c.zstdOnce.Do(func() {
		if c.zstdEnc, c.zstdErr = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest)); c.zstdErr != nil {
			return
		}
		c.zstdDec, c.zstdErr = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(uint64(c.bound())), zstd.WithDecoderLowmem(true))
	})
	return c.zstdErr
}

// compress appends src, compressed, to dst. ok is false if that did not make it smaller; dst then has no meaning.
func (c *codecs) compress(dst, src []byte, codec int) (out []byte, ok bool, err error) {
	start := len(dst)
	switch codec {
	case codecNone:
		return dst, false, nil
	case codecLZ4:
		dst, err = c.lz4(dst, src)
	case codecSnappy:
		dst = growTo(dst, start+s2.MaxEncodedLen(len(src)))
		dst = dst[:start+len(s2.EncodeSnappy(dst[start:], src))] // bare, as franz-go writes it; every client reads it
	case codecZstd:
		if err = c.zstd(); err == nil {
			dst = c.zstdEnc.EncodeAll(src, dst)
		}
	default:
		err = fmt.Errorf("compression %d is only read", codec)
	}
	return dst, err == nil && len(dst)-start < len(src), err
}

func (c *codecs) lz4(dst, src []byte) ([]byte, error) {
	enc, _ := c.lz4Enc.Get().(*lz4.Compressor)
	if enc == nil {
		enc = new(lz4.Compressor)
	}
	defer c.lz4Enc.Put(enc)
	dst = binary.LittleEndian.AppendUint32(dst, lz4Magic)
	dst = append(dst, lz4Flags, lz4Block, lz4Check)
	for len(src) > 0 {
		block := src[:min(len(src), lz4Max)]
		src = src[len(block):]
		at := len(dst)
		dst = growTo(dst, at+4+lz4.CompressBlockBound(len(block)))
		n, err := enc.CompressBlock(block, dst[at+4:])
		if err != nil {
			return nil, fmt.Errorf("lz4: %w", err)
		}
		size := uint32(n)
		if n == 0 || n >= len(block) {
			n = copy(dst[at+4:], block)
			size = uint32(n) | lz4RawFlag
		}
		binary.LittleEndian.PutUint32(dst[at:], size)
		dst = dst[:at+4+n]
	}
	return append(dst, 0, 0, 0, 0), nil // end mark
}

// growTo lengthens b to n bytes, the new ones of any value.
func growTo(b []byte, n int) []byte {
	if n <= cap(b) {
		return b[:n]
	}
	g := make([]byte, n, max(n, 2*cap(b)))
	copy(g, b)
	return g
}

// decompress appends the plain form of src to dst, which must be empty but may have capacity.
func (c *codecs) decompress(dst, src []byte, codec int) ([]byte, error) {
	var err error
	switch codec {
	case codecGzip:
		dst, err = c.gunzip(dst, src)
	case codecSnappy:
		dst, err = unsnappy(dst, src, c.bound())
	case codecLZ4:
		dst, err = c.unlz4(dst, src)
	case codecZstd:
		if err = c.zstd(); err != nil {
			return dst, err
		}
		dst, err = c.zstdDec.DecodeAll(src, dst)
	default:
		return dst, corrupt("unknown compression %d", codec)
	}
	if err != nil {
		return dst, corrupt("decompress: %s", err)
	}
	return dst, nil
}

func (c *codecs) gunzip(dst, src []byte) ([]byte, error) {
	z, _ := c.gzipDec.Get().(*gzip.Reader)
	if z == nil {
		z = new(gzip.Reader)
	}
	defer c.gzipDec.Put(z)
	if err := z.Reset(bytes.NewReader(src)); err != nil {
		return dst, err
	}
	return readBounded(dst, z, c.bound())
}

// readBounded appends all of r to dst, at most limit bytes.
func readBounded(dst []byte, r io.Reader, limit int) ([]byte, error) {
	for {
		if len(dst) == cap(dst) {
			g := make([]byte, len(dst), max(4<<10, 2*cap(dst)))
			copy(g, dst)
			dst = g
		}
		n, err := r.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		if len(dst) > limit {
			return dst, fmt.Errorf("more than %d bytes", limit)
		}
		if err == io.EOF {
			return dst, nil
		}
		if err != nil {
			return dst, err
		}
	}
}

// xerial is how snappy-java frames blocks, which is what the Java clients write: this magic, two versions, then lengths and blocks.
const xerial = "\x82SNAPPY\x00"

func unsnappy(dst, src []byte, limit int) ([]byte, error) {
	if len(src) < 16 || string(src[:8]) != xerial {
		return unsnappyBlock(dst, src, limit)
	}
	for src = src[16:]; len(src) > 0; {
		if len(src) < 4 {
			return dst, io.ErrUnexpectedEOF
		}
		n := int64(binary.BigEndian.Uint32(src))
		src = src[4:]
		if n > int64(len(src)) {
			return dst, io.ErrUnexpectedEOF
		}
		var err error
		if dst, err = unsnappyBlock(dst, src[:n], limit); err != nil {
			return dst, err
		}
		src = src[n:]
	}
	return dst, nil
}

func unsnappyBlock(dst, src []byte, limit int) ([]byte, error) {
	n, err := s2.DecodedLen(src)
	if err != nil {
		return dst, err
	}
	at := len(dst)
	if n > limit-at {
		return dst, fmt.Errorf("more than %d bytes", limit)
	}
	dst = growTo(dst, at+n)
	_, err = s2.Decode(dst[at:at+n:at+n], src)
	return dst, err
}

// unlz4 reads the plainest frames, as this package and most clients write them, by itself, and leaves the others to the library.
func (c *codecs) unlz4(dst, src []byte) ([]byte, error) {
	if len(src) < 7 || binary.LittleEndian.Uint32(src) != lz4Magic || src[4] != lz4Flags {
		return c.unlz4Other(dst, src)
	}
	var block int
	switch src[5] {
	case 0x40:
		block = 64 << 10
	case 0x50:
		block = 256 << 10
	case 0x60:
		block = 1 << 20
	case 0x70:
		block = 4 << 20
	default:
		return dst, fmt.Errorf("lz4: block size %#x", src[5])
	}
	b := src[7:]
	for {
		if len(b) < 4 {
			return dst, io.ErrUnexpectedEOF
		}
		size := binary.LittleEndian.Uint32(b)
		b = b[4:]
		if size == 0 {
			return dst, nil
		}
		n := int(size &^ lz4RawFlag)
		if n > len(b) || n > block {
			return dst, io.ErrUnexpectedEOF
		}
		at := len(dst)
		if size&lz4RawFlag != 0 {
			dst = append(dst, b[:n]...)
		} else {
			// Room for four to one at first, so that a small batch does not cost a whole block.
			dst = growTo(dst, at+min(block, 4*n+1024))
			k, err := lz4.UncompressBlock(b[:n], dst[at:])
			if err != nil {
				dst = growTo(dst, at+block)
				if k, err = lz4.UncompressBlock(b[:n], dst[at:]); err != nil {
					return dst[:at], err
				}
			}
			dst = dst[:at+k]
		}
		if len(dst) > c.bound() {
			return dst, fmt.Errorf("more than %d bytes", c.bound())
		}
		b = b[n:]
	}
}

func (c *codecs) unlz4Other(dst, src []byte) ([]byte, error) {
	z, _ := c.lz4Dec.Get().(*lz4.Reader)
	if z == nil {
		z = lz4.NewReader(nil)
	}
	defer c.lz4Dec.Put(z)
	z.Reset(bytes.NewReader(src))
	return readBounded(dst, z, c.bound())
}
