//go:build !linux && !darwin && !freebsd

package postgres

import (
	"errors"
	"syscall"
)

const canBatch = false

func setLowWater(syscall.RawConn, int) error { return errors.ErrUnsupported }

func readNow(syscall.RawConn, []byte) (int, error) { return 0, errors.ErrUnsupported }
