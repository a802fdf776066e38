package postgres

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// batchConn is a connection whose Read lets bytes pile up while many arrive. PostgreSQL's walsender sends every message by itself, so
// an eager reader is woken for each row; that costs several times what the row costs. Under load the kernel is therefore asked to wake the
// reader only for lowWater bytes (SO_RCVLOWAT), but for no longer than maxHold. A calm stream is read eagerly, without delay.
//
// It stands below TLS. One goroutine reads; any may call Interrupt.
type batchConn struct {
	net.Conn
	raw syscall.RawConn // nil: the platform cannot batch

	interrupted atomic.Bool
	enabled     bool          // only a stream is batched, not the exchange of commands
	silence     time.Duration // how long the peer may say nothing; 0 = for ever

	batching bool
	window   time.Time // when the present counting of reads began
	reads    int
	deadline time.Time // the eager mode's, moved seldom since moving it costs
}

const (
	lowWater = 64 << 10
	maxHold  = time.Millisecond
	// Batching begins at a rate of busyReads reads in busyWindow, and ends when maxHold brought less than calmBytes.
	busyWindow = 2 * time.Millisecond
	busyReads  = 64
	calmBytes  = 4 << 10
)

// errSilent is a peer that said nothing for too long, though keepalives were due.
var errSilent = errors.New("the server has been silent for too long")

// errInterrupted ends a Read after Interrupt.
var errInterrupted = errors.New("reading was interrupted")

func newBatchConn(c net.Conn) *batchConn {
	b := &batchConn{Conn: c}
	if sc, ok := c.(syscall.Conn); ok && canBatch {
		if raw, err := sc.SyscallConn(); err == nil {
			b.raw = raw
		}
	}
	return b
}

// Interrupt makes the present and every later Read fail.
func (c *batchConn) Interrupt() {
	c.interrupted.Store(true)
	// Reads look at the flag after they set a deadline of their own, so one of the two is always seen.
	_ = c.Conn.SetReadDeadline(time.Unix(1, 0))
}

// Read reads at least one byte.
func (c *batchConn) Read(b []byte) (int, error) {
	if !c.enabled {
		return c.Conn.Read(b)
	}
	if c.batching {
		n, err := c.readBatch(b)
		if n > 0 || err != nil {
			return n, err
		}
	}
	return c.readEager(b)
}

func (c *batchConn) readEager(b []byte) (int, error) {
	now := time.Now()
	if c.silence > 0 && c.deadline.Sub(now) < c.silence*3/4 {
		c.deadline = now.Add(c.silence)
		if err := c.Conn.SetReadDeadline(c.deadline); err != nil {
			return 0, err
		}
	}
	if c.interrupted.Load() {
		return 0, errInterrupted
	}
	n, err := c.Conn.Read(b)
	if err != nil {
		return n, c.readError(err)
	}
	c.reads++
	if took := now.Sub(c.window); took > busyWindow {
		if c.raw != nil && took*busyReads < time.Duration(c.reads)*busyWindow {
			c.batching = setLowWater(c.raw, lowWater) == nil
		}
		c.window, c.reads = now, 0
	}
	return n, nil
}

// readBatch waits for lowWater bytes or maxHold. It gives 0 bytes when it has gone back to eager reading.
func (c *batchConn) readBatch(b []byte) (int, error) {
	if err := c.Conn.SetReadDeadline(time.Now().Add(maxHold)); err != nil {
		return 0, err
	}
	if c.interrupted.Load() {
		return 0, errInterrupted
	}
	n, err := c.Conn.Read(b)
	if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
		return n, c.readError(err)
	}
	if c.interrupted.Load() {
		return 0, errInterrupted
	}
	// The deadline passed with less than lowWater bytes there: take them.
	c.deadline = time.Time{}
	if err := c.Conn.SetReadDeadline(c.deadline); err != nil {
		return 0, err
	}
	if c.interrupted.Load() {
		return 0, errInterrupted
	}
	if n, err = readNow(c.raw, b); err != nil {
		return 0, err
	}
	if n < calmBytes {
		c.batching, c.window, c.reads = false, time.Time{}, 0
		if err := setLowWater(c.raw, 1); err != nil {
			return n, err
		}
	}
	return n, nil
}

func (c *batchConn) readError(err error) error {
	switch {
	case err == nil:
		return nil
	case c.interrupted.Load():
		return errInterrupted
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errSilent
	}
	return err
}
