package embedded

import (
	"encoding/binary"
	"net"
	"sync"
	"time"
)

// patience is how long the answer to a client that is gone is waited for: longer than any rebalance of ours. Of some requests (produce with acks=0) there is none.
const patience = 2 * time.Minute

// listener's connections end for the broker when the last request is answered, and not before, even if whoever asked is gone.
//
// kfake starts a member's session with the answer to its JoinGroup. If the connection has ended by then it starts none, and the member, a process that was killed
// while it waited to join, keeps its share of the partitions for as long as the group lives. Kafka starts the session whatever becomes of the answer, and so does
// a broker that does not know yet.
type listener struct{ net.Listener }

// Accept implements net.Listener.
func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return newConn(c, patience), nil
}

// conn counts requests and answers; each is a size of 4 bytes and so many bytes. It is read by one goroutine and written by another; an answer is one Write.
type conn struct {
	net.Conn
	patience time.Duration
	answered chan struct{} // one Write was made
	closed   chan struct{}
	once     sync.Once

	mu    sync.Mutex
	open  int // requests without an answer
	head  [4]byte
	heads int // bytes of head that are read
	left  int // bytes of the request's body that are not
}

func newConn(c net.Conn, patience time.Duration) *conn {
	return &conn{Conn: c, patience: patience, answered: make(chan struct{}, 1), closed: make(chan struct{})}
}

// Read implements net.Conn.
func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.count(b[:n]); err == nil {
		return n, nil
	}
	timeout := time.NewTimer(c.patience)
	defer timeout.Stop()
	for c.asked() {
		select {
		case <-c.answered:
		case <-c.closed:
			return n, err
		case <-timeout.C:
			return n, err
		}
	}
	return n, err
}

// asked says whether a request has no answer yet.
func (c *conn) asked() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open > 0
}

func (c *conn) count(b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(b) > 0 {
		if c.left > 0 {
			n := min(c.left, len(b))
			if c.left -= n; c.left == 0 {
				c.open++
			}
			b = b[n:]
			continue
		}
		n := copy(c.head[c.heads:], b)
		b = b[n:]
		if c.heads += n; c.heads == len(c.head) {
			c.heads, c.left = 0, int(binary.BigEndian.Uint32(c.head[:]))
		}
	}
}

// Write implements net.Conn. What a client that is gone was to be told counts as told.
func (c *conn) Write(b []byte) (int, error) {
	_, _ = c.Conn.Write(b) // Read finds out as well
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open--
	select {
	case c.answered <- struct{}{}:
	default:
	}
	return len(b), nil
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}
