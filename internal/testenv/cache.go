package testenv

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// cacheDir is the user's cache of what is fetched or built once for all runs of the tests; it need not exist.
func cacheDir() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(cache, "shelfstream"), nil
}

// lockCache makes the cache and waits for an exclusive lock on one thing in it: several packages' tests start at once, and none may take what another is half
// through making. The lock ends with unlock, or with the process.
func lockCache(thing string) (dir string, unlock func(), err error) {
	if dir, err = cacheDir(); err != nil {
		return "", nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", nil, err
	}
	unlock, err = lockFile(filepath.Join(dir, thing+".lock"))
	return dir, unlock, err
}

// lockFile waits for an exclusive lock on a file and gives what releases it.
func lockFile(path string) (func(), error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
	}
	return func() { f.Close() }, nil
}
