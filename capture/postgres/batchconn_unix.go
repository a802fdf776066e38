//go:build linux || darwin || freebsd

package postgres

import (
	"errors"
	"io"
	"syscall"

	"golang.org/x/sys/unix"
)

const canBatch = true

// setLowWater sets how many bytes must be there before a reader is woken.
func setLowWater(raw syscall.RawConn, bytes int) error {
	var err error
	if e := raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVLOWAT, bytes) }); e != nil {
		return e
	}
	return err
}

// readNow reads what is there without waiting; 0 if there is nothing.
func readNow(raw syscall.RawConn, b []byte) (int, error) {
	var n int
	var err error
	e := raw.Read(func(fd uintptr) bool {
		for {
			n, err = unix.Read(int(fd), b)
			if !errors.Is(err, unix.EINTR) {
				return true
			}
		}
	})
	switch {
	case e != nil:
		return 0, e
	case errors.Is(err, unix.EAGAIN):
		return 0, nil
	case err != nil:
		return 0, err
	case n == 0 && len(b) > 0:
		return 0, io.EOF
	}
	return n, nil
}
