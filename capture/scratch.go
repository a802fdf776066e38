package capture

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"shelfstream/internal/fault"
)

// scratch is a directory for temporary files. A lock inside, which the kernel ends with the process, tells a later
// worker whether it may be swept away.
type scratch struct {
	dir  string
	lock *os.File
}

const scratchLock = "lock"

// openScratch makes a directory below parent, after removing those that dead workers of the same source left there.
func openScratch(parent, name string) (*scratch, error) {
	fail := func(err error) error {
		return &fault.Fault{
			Class: fault.Environment, Cause: fault.DiskUnusable, Where: "scratch directory " + parent, What: "temporary files cannot be written there",
			Fix: "make room, give the right to write, or name another directory for temporary files", Err: err,
		}
	}
	if err := os.MkdirAll(parent, 0o750); err != nil {
		return nil, fail(err)
	}
	prefix := "shelfstream-" + name + "-"
	old, err := filepath.Glob(filepath.Join(parent, prefix+"*"))
	if err != nil {
		return nil, fail(err)
	}
	for _, dir := range old {
		if f, err := lockScratch(dir); err == nil {
			_ = os.RemoveAll(dir) // what cannot be removed now may be the next time
			_ = f.Close()
		}
	}
	dir, err := os.MkdirTemp(parent, prefix)
	if err != nil {
		return nil, fail(err)
	}
	f, err := lockScratch(dir)
	if err != nil {
		return nil, errors.Join(fail(err), os.RemoveAll(dir))
	}
	return &scratch{dir: dir, lock: f}, nil
}

func lockScratch(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, scratchLock), os.O_CREATE|os.O_RDWR, 0o640)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (s *scratch) close() error {
	return errors.Join(os.RemoveAll(s.dir), s.lock.Close())
}
