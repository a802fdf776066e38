package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"shelfstream/internal/fault"
)

// tempEnd is how the names of temporary files end.
const tempEnd = ".tmp"

// fileMode lets the reader's group read; the folder's owner decides with its umask and its set-group-id bit.
const fileMode = 0o664

// writeTemp writes a file that must not be there yet, and makes its content durable.
func writeTemp(path string, content []byte) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.Write(content); err != nil {
		return err
	}
	return f.Sync()
}

// syncDir makes the names in a folder durable. Network file systems that cannot do that do it by themselves.
func syncDir(dir string) (err error) {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := f.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOTSUP) {
		return err
	}
	return nil
}

// exists says whether something has a path. A link that leads nowhere counts.
func exists(path string) (bool, error) {
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// hasDir is an error unless dir is a folder that is there.
func hasDir(dir string) error {
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		err = &fs.PathError{Op: "look at", Path: dir, Err: syscall.ENOTDIR}
	}
	return err
}

// mayWrite asks, without writing, whether this process may make files in dir.
func mayWrite(dir string) error {
	if err := unix.Access(dir, unix.W_OK|unix.X_OK); err != nil {
		return &fs.PathError{Op: "write into", Path: dir, Err: err}
	}
	return nil
}

// errTaken says that somebody else's file has the name.
var errTaken = errors.New("the name is taken")

// rename gives the temporary file its name. It is no error if it is there no longer: then it was renamed before. A file that has the name already is left alone (errTaken);
// only one whose writer is no Shelfstream could come between the look and the renaming.
func rename(dir, temp, name string) error {
	there, err := exists(filepath.Join(dir, temp))
	if err != nil || !there {
		return errors.Join(err, hasDir(dir)) // in a folder that is not there nothing is
	}
	if taken, err := exists(filepath.Join(dir, name)); err != nil || taken {
		return errors.Join(err, errTaken)
	}
	err = os.Rename(filepath.Join(dir, temp), filepath.Join(dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return hasDir(dir) // somebody renamed it in this moment: the owner that took over
	}
	return err
}

// removeRubbish removes temporary files of the partition that nobody intends: those of owners that ended while they wrote. tail is what follows the name in all of them but
// the token.
func removeRubbish(dir, tail string, intended map[string]bool) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := e.Name()
		rest, ok := strings.CutSuffix(name, tempEnd)
		if !ok || intended[name] || len(rest) < tokenLength || !strings.HasSuffix(rest[:len(rest)-tokenLength], tail) {
			continue
		}
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// folderFault puts an error of the file system into words.
func (t *Target) folderFault(d *document, err error) error {
	if err == nil {
		return nil
	}
	f := &fault.Fault{Class: fault.Environment, Cause: fault.FilesFolderFailed, Where: t.where(d.table), Err: err}
	dir := t.path(d.cfg.Dir)
	var at *fs.PathError
	if errors.As(err, &at) {
		f.Err = at.Err // without the temporary name, which is another one each time
		if !strings.HasPrefix(at.Path, dir) {
			dir = at.Path
		}
	}
	switch {
	case errors.Is(err, errTaken):
		f.Cause, f.What, f.Fix = fault.FilesNameTaken, "a file that was begun cannot get its name, which another one has now", fmt.Sprintf("move the other file out of %s; see that nobody else writes there", dir)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		f.Cause, f.What, f.Fix = fault.FilesFolderMissing, fmt.Sprintf("the folder %s is not there", dir), fmt.Sprintf("mount it, or mkdir -p %s; files are written when it is there", dir)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		f.Cause, f.What, f.Fix = fault.FilesFolderRefused, fmt.Sprintf("this process may not write in %s", dir), fmt.Sprintf("let user %d write there (chown, chmod u+rwx %s), or mount it for writing", os.Geteuid(), dir)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		f.Cause, f.What, f.Fix = fault.FilesFull, fmt.Sprintf("the disk of %s is full", dir), "make room there; files are written by themselves then"
	default:
		f.What, f.Fix = fmt.Sprintf("the file system of %s fails", dir), "look at the mount and its server (mount, dmesg); it is tried again by itself"
	}
	return f
}
