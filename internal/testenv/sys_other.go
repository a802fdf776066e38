//go:build !linux

package testenv

import (
	"errors"
	"syscall"
)

var errNoProc = errors.New("process figures are read from /proc, which this system has not")

func sysProcAttr(u *account) *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setpgid: true}
	if u != nil {
		a.Credential = &syscall.Credential{Uid: u.uid, Gid: u.gid}
	}
	return a
}

// processState and stopped say "stopped" at once: without /proc there is nothing to wait for after SIGSTOP.
func processState(int) (byte, error) { return 'T', nil }

func stopped(int) (bool, error) { return true, nil }

func children(int) []int { return nil }

func memory(int) (rss, peak int64, err error) { return 0, 0, errNoProc }

func cpuSeconds(int) (float64, error) { return 0, errNoProc }
