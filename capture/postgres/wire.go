package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// wire reads the messages of PostgreSQL's protocol in place from one large buffer: of a COPY TO, and of a replication stream. It takes
// a pgconn over while that is idle.
type wire struct {
	conn  net.Conn // perhaps TLS round batch
	batch *batchConn
	buf   []byte
	r, w  int // buf[r:w] is unread
}

const (
	wireBuffer = 256 << 10
	// wireKeep is how large a buffer may stay after a message that needed more than wireBuffer.
	wireKeep   = 4 << 20
	maxMessage = 1 << 30 // a row has at most 1 GB
)

// errBroke is in the errors of a connection that ends before all is said.
var errBroke = errors.New("the connection broke")

// The types of messages that matter here (PostgreSQL documentation, "Message Formats").
const (
	msgCopyData    = 'd'
	msgCopyDone    = 'c'
	msgCopyOut     = 'H'
	msgCopyBoth    = 'W'
	msgError       = 'E'
	msgNotice      = 'N'
	msgParameter   = 'S'
	msgNotify      = 'A'
	msgComplete    = 'C'
	msgReady       = 'Z'
	msgQuery       = 'Q'
	msgTerminate   = 'X'
	msgHeaderBytes = 5
)

// hijack takes an idle connection over.
func hijack(ctx context.Context, conn *pgconn.PgConn) (*wire, error) {
	if err := conn.SyncConn(ctx); err != nil {
		return nil, fmt.Errorf("take the connection over: %w", err)
	}
	hc, err := conn.Hijack()
	if err != nil {
		return nil, fmt.Errorf("take the connection over: %w", err)
	}
	w := &wire{conn: hc.Conn, buf: make([]byte, wireBuffer)}
	inner := hc.Conn
	if t, ok := inner.(interface{ NetConn() net.Conn }); ok { // tls.Conn
		inner = t.NetConn()
	}
	if w.batch, _ = inner.(*batchConn); w.batch == nil {
		return nil, fmt.Errorf("take the connection over: it is a %T", inner)
	}
	w.batch.enabled = true
	return w, nil
}

// interruptOn makes reading fail when ctx ends. The function it gives ends that.
func (w *wire) interruptOn(ctx context.Context) func() bool {
	return context.AfterFunc(ctx, w.batch.Interrupt)
}

// next gives the next message. body is valid until the next call.
func (w *wire) next() (kind byte, body []byte, err error) {
	for {
		kind, body, err = w.message()
		if err != nil {
			return 0, nil, err
		}
		switch kind {
		case msgNotice, msgParameter, msgNotify:
			continue
		case msgError:
			return 0, nil, parseError(body)
		}
		return kind, body, nil
	}
}

func (w *wire) message() (byte, []byte, error) {
	if w.w-w.r < msgHeaderBytes {
		if err := w.fill(msgHeaderBytes); err != nil {
			return 0, nil, err
		}
	}
	size := int(binary.BigEndian.Uint32(w.buf[w.r+1:])) + 1 // the length counts itself, not the type
	if size < msgHeaderBytes || size > maxMessage {
		return 0, nil, fmt.Errorf("read: a message of %d bytes", size)
	}
	if w.w-w.r < size {
		if err := w.fill(size); err != nil {
			return 0, nil, err
		}
	}
	kind, body := w.buf[w.r], w.buf[w.r+msgHeaderBytes:w.r+size:w.r+size]
	w.r += size
	return kind, body, nil
}

// fill reads until n bytes are unread.
func (w *wire) fill(n int) error {
	switch {
	case n > len(w.buf):
		grown := make([]byte, max(n, min(2*len(w.buf), maxMessage)))
		w.w = copy(grown, w.buf[w.r:w.w])
		w.r, w.buf = 0, grown
	case w.r == w.w:
		w.r, w.w = 0, 0
		if len(w.buf) > wireKeep && n <= wireBuffer {
			w.buf = make([]byte, wireBuffer)
		}
	case w.r+n > len(w.buf):
		w.w = copy(w.buf, w.buf[w.r:w.w])
		w.r = 0
	}
	for w.w-w.r < n {
		m, err := w.conn.Read(w.buf[w.w:])
		w.w += m
		if err != nil {
			if err == io.EOF { //nolint:errorlint // Read gives it bare
				err = io.ErrUnexpectedEOF
			}
			return fmt.Errorf("%w: read: %w", errBroke, err)
		}
	}
	return nil
}

func parseError(body []byte) error {
	var e pgproto3.ErrorResponse
	if err := e.Decode(body); err != nil {
		return fmt.Errorf("read the server's error: %w", err)
	}
	return pgconn.ErrorResponseToPgError(&e)
}

// writeTimeout bounds a write; all of them are small.
const writeTimeout = 10 * time.Second

// query sends a simple query.
func (w *wire) query(sql string) error {
	b := make([]byte, msgHeaderBytes, msgHeaderBytes+len(sql)+1)
	b[0] = msgQuery
	b = append(append(b, sql...), 0)
	binary.BigEndian.PutUint32(b[1:], uint32(len(b)-1))
	return w.send(b)
}

func (w *wire) send(b []byte) error {
	if err := w.conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return fmt.Errorf("write to the server: %w", err)
	}
	if _, err := w.conn.Write(b); err != nil {
		return fmt.Errorf("%w: write: %w", errBroke, err)
	}
	return nil
}

// close ends the connection; it tells the server so, if that can be done at once.
func (w *wire) close() {
	_ = w.send([]byte{msgTerminate, 0, 0, 0, 4})
	_ = w.conn.Close()
}
