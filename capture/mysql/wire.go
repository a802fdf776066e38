package mysql

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/go-mysql-org/go-mysql/client"
	gomysql "github.com/go-mysql-org/go-mysql/mysql"
)

// wire is a connection that reads the rows of large tables. go-mysql's client logs in; from then on the packets are read here, in place in one large buffer: a row
// costs no allocation, where the clients at hand copy or convert each value.
type wire struct {
	conn *client.Conn
	net  net.Conn
	buf  []byte
	r, w int // what is read and not yet consumed is buf[r:w]
	big  []byte
	cell [][]byte
	// attributes: the server expects a statement's attributes before it (MySQL 8.0.23).
	attributes bool
}

const (
	// wireBuffer is what one read takes from the kernel at most.
	wireBuffer = 256 << 10
	// mostInPacket is the payload that says that the next packet goes on.
	mostInPacket = 1<<24 - 1
)

// dial opens a lane.
func (c *Config) dial(ctx context.Context, maria bool) (*wire, error) {
	e, err := c.endpoint()
	if err != nil {
		return nil, err
	}
	options := []client.Option{func(cc *client.Conn) error {
		if e.tls != nil {
			cc.SetTLSConfig(e.tls)
		}
		return nil
	}}
	conn, err := client.ConnectWithDialer(ctx, e.network, e.addr, e.user, e.password, e.database, dialer.DialContext, options...)
	if err != nil {
		return nil, c.unreachable(err)
	}
	w := &wire{conn: conn, net: conn.Conn.Conn, buf: make([]byte, wireBuffer)}
	w.attributes = strings.Contains(conn.CapabilityString(), "CLIENT_QUERY_ATTRIBUTES")
	for _, s := range slices.Concat(sessionSQL, []string{limitSQL(maria)}) {
		if err := w.exec(s); err != nil {
			return nil, errors.Join(c.unreachable(err), w.close())
		}
	}
	return w, nil
}

func (w *wire) close() error { return w.conn.Close() }

// interruptOn breaks reads and writes off when ctx ends.
func (w *wire) interruptOn(ctx context.Context) (stop func() bool) {
	return context.AfterFunc(ctx, func() { _ = w.net.SetDeadline(time.Unix(1, 0)) })
}

// send begins a statement.
func (w *wire) send(sql string) error {
	attributes := 0
	if w.attributes {
		attributes = 2
	}
	b := make([]byte, 5+attributes, 5+attributes+len(sql))
	b[4] = gomysql.COM_QUERY
	if attributes > 0 {
		b[6] = 1 // no parameters, one set of them
	}
	w.conn.ResetSequence()
	if err := w.conn.WritePacket(append(b, sql...)); err != nil {
		return fmt.Errorf("send a statement: %w", err)
	}
	return nil
}

// fill makes n bytes readable.
func (w *wire) fill(n int) error {
	if w.w-w.r >= n {
		return nil
	}
	if w.r+n > len(w.buf) || w.r == w.w {
		copy(w.buf, w.buf[w.r:w.w])
		w.r, w.w = 0, w.w-w.r
	}
	if n > len(w.buf) {
		buf := make([]byte, max(n, 2*len(w.buf)))
		copy(buf, w.buf[:w.w])
		w.buf = buf
	}
	for w.w-w.r < n {
		m, err := w.net.Read(w.buf[w.w:])
		w.w += m
		if w.w-w.r >= n {
			return nil
		}
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return fmt.Errorf("%w: read: %w", gomysql.ErrBadConn, err)
		}
	}
	return nil
}

// next gives the next packet. It is valid until the next call.
func (w *wire) next() ([]byte, error) {
	if len(w.buf) > 4*wireBuffer && w.w-w.r <= wireBuffer { // a rare huge row is not paid for ever
		buf := make([]byte, wireBuffer)
		w.w = copy(buf, w.buf[w.r:w.w])
		w.buf, w.r = buf, 0
	}
	w.big = nil
	for {
		if err := w.fill(4); err != nil {
			return nil, err
		}
		h := w.buf[w.r:]
		n := int(h[0]) | int(h[1])<<8 | int(h[2])<<16
		if err := w.fill(4 + n); err != nil {
			return nil, err
		}
		b := w.buf[w.r+4 : w.r+4+n]
		w.r += 4 + n
		if n < mostInPacket {
			if w.big == nil {
				return b, nil
			}
			w.big = append(w.big, b...)
			return w.big, nil
		}
		w.big = append(w.big, b...)
	}
}

// response reads the head of an answer: how many columns it has, 0 for a statement without rows.
func (w *wire) response() (int, error) {
	b, err := w.next()
	if err != nil {
		return 0, err
	}
	if len(b) == 0 {
		return 0, errors.New("the server sent an empty packet")
	}
	switch b[0] {
	case gomysql.OK_HEADER:
		return 0, nil
	case gomysql.ERR_HEADER:
		return 0, serverError(b)
	}
	n, _, _ := lengthOf(b)
	for range int(n) + 1 { // the columns' descriptions, and the end of them
		if _, err := w.next(); err != nil {
			return 0, err
		}
	}
	return int(n), nil
}

// row gives the next row's values as the server prints them, nil for null; ok is false after the last. They are valid until the next call.
func (w *wire) row(columns int) (cells [][]byte, ok bool, err error) {
	b, err := w.next()
	if err != nil {
		return nil, false, err
	}
	if len(b) > 0 && b[0] == gomysql.EOF_HEADER && len(b) < 9 {
		return nil, false, nil
	}
	if len(b) > 0 && b[0] == gomysql.ERR_HEADER {
		return nil, false, serverError(b)
	}
	if cap(w.cell) < columns {
		w.cell = make([][]byte, columns)
	}
	cells = w.cell[:columns]
	for i := range cells {
		if len(b) == 0 {
			return nil, false, errors.New("the server sent a row that is too short")
		}
		if c := int(b[0]); c < 0xfb { // nearly always
			if c >= len(b) {
				return nil, false, errors.New("the server sent a value that is too short")
			}
			cells[i] = b[1 : 1+c : 1+c]
			b = b[1+c:]
			continue
		}
		n, size, null := lengthOf(b)
		if null {
			cells[i], b = nil, b[1:]
			continue
		}
		if size == 0 || n > uint64(len(b)-size) {
			return nil, false, errors.New("the server sent a value that is too short")
		}
		end := size + int(n)
		cells[i], b = b[size:end:end], b[end:]
	}
	return cells, true, nil
}

// lengthOf reads a length of the protocol; size is how many bytes it has, 0 if b is too short.
func lengthOf(b []byte) (n uint64, size int, null bool) {
	switch b[0] {
	case 0xfb:
		return 0, 1, true
	case 0xfc:
		size = 3
	case 0xfd:
		size = 4
	case 0xfe:
		size = 9
	default:
		return uint64(b[0]), 1, false
	}
	if len(b) < size {
		return 0, 0, false
	}
	return little(b[1:size]), size, false
}

// serverError reads an ERR packet.
func serverError(b []byte) error {
	if len(b) < 3 {
		return errors.New("the server sent an error without a number")
	}
	e := &gomysql.MyError{Code: binary.LittleEndian.Uint16(b[1:])}
	text := b[3:]
	if len(text) > 5 && text[0] == '#' {
		e.State, text = string(text[1:6]), text[6:]
	}
	e.Message = string(text)
	return e
}

// exec runs a statement, and drops the rows it may give.
func (w *wire) exec(sql string) error {
	return w.query(sql, func([][]byte) error { return nil })
}

// query runs a statement and calls row for each row of its result. The cells are valid during the call only.
func (w *wire) query(sql string, row func(cells [][]byte) error) error {
	if err := w.send(sql); err != nil {
		return err
	}
	n, err := w.response()
	for err == nil && n > 0 {
		var cells [][]byte
		var more bool
		if cells, more, err = w.row(n); err != nil || !more {
			return err
		}
		err = row(cells)
	}
	return err
}
