package mysql

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// errLineClosed is a connection asked for after the stream's end: go-mysql would open one more to kill the first, which is closed already.
var errLineClosed = errors.New("the stream has ended")

// line makes the stream's connections, so that they can be cut at once and a silent server is noticed.
type line struct {
	silence time.Duration // how long the server may say nothing
	bytes   prometheus.Counter

	mu     sync.Mutex
	conns  []net.Conn
	closed bool
}

func newLine(silence time.Duration, bytes prometheus.Counter) *line {
	return &line{silence: silence, bytes: bytes}
}

func (l *line) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if l.isClosed() {
		return nil, errLineClosed
	}
	conn, err := dialer.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		_ = conn.Close()
		return nil, errLineClosed
	}
	l.conns = append(l.conns, conn)
	return &lineConn{conn, l}, nil
}

func (l *line) isClosed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed
}

// close cuts the connections; whoever reads from them gets an error.
func (l *line) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for _, c := range l.conns {
		_ = c.Close()
	}
}

// lineConn gives each read its own time limit. go-mysql's limit runs from one packet to the next, also while the log is slow to take the first.
type lineConn struct {
	net.Conn
	line *line
}

func (c *lineConn) Read(b []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(c.line.silence)); err != nil {
		return 0, err
	}
	n, err := c.Conn.Read(b)
	c.line.bytes.Add(float64(n))
	return n, err
}
