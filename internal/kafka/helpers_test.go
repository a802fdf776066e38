package kafka

import (
	"bytes"
	"encoding/binary"
	"net"
	"sync/atomic"
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

// silentConns are connections on which the answer to a JoinGroup never comes.
type silentConns struct{ joined atomic.Bool }

func (s *silentConns) wrap(c net.Conn) net.Conn { return &silentConn{Conn: c, s: s} }

type silentConn struct {
	net.Conn
	s     *silentConns
	mutes atomic.Bool
}

func (c *silentConn) Write(b []byte) (int, error) {
	if len(b) > 6 && binary.BigEndian.Uint16(b[4:]) == 11 {
		c.mutes.Store(true)
		c.s.joined.Store(true)
	}
	return c.Conn.Write(b)
}

func (c *silentConn) Read(b []byte) (int, error) {
	for {
		n, err := c.Conn.Read(b)
		if err != nil || !c.mutes.Load() {
			return n, err
		}
	}
}
