package embedded

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"shelfstream/internal/fault"
)

// dirLock keeps a second process out of a data directory. The lock is the kernel's (flock): it ends with the process, however it dies,
// so a stale file never has to be removed by hand. The file holds the owner's pid for the message.
type dirLock struct{ f *os.File }

func lockDir(path string) (*dirLock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return nil, &fault.Fault{Class: fault.Environment, Cause: fault.DiskUnusable, Where: "log " + path, What: "the log's lock file cannot be opened", Fix: "check the directory's permissions", Err: err}
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		holder, _ := os.ReadFile(path) // only for the message
		_ = f.Close()
		pid := strings.TrimSpace(string(holder))
		if pid == "" {
			pid = "unknown"
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		return nil, &fault.Fault{
			Class: fault.Environment, Cause: fault.DirectoryBusy, Where: "log " + path, What: "the embedded log is in use by process " + pid,
			Fix: "stop that process, give this one another log.data_dir, or point it at the running broker with log.brokers",
		}
	}
	if err := f.Truncate(0); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if _, err := fmt.Fprintf(f, "%d\n", os.Getpid()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &dirLock{f}, nil
}

func (l *dirLock) release() error {
	if l == nil {
		return nil
	}
	return l.f.Close() // closing the file ends the lock
}
