package testenv

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"shelfstream/internal/fault"
)

// account is the system user a server runs as; nil means our own.
type account struct {
	name     string
	uid, gid uint32
}

// serverAccount is the account for a server that refuses to run as root: nil unless we are root.
func serverAccount(server string, names ...string) (*account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range names {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(err1, err2); err != nil {
			return nil, fmt.Errorf("look up user %s: %w", name, err)
		}
		return &account{name: name, uid: uint32(uid), gid: uint32(gid)}, nil
	}
	return nil, &fault.Fault{
		Class: fault.Environment, Where: server, What: "it refuses to run as root, and there is no user " + strings.Join(names, " or "),
		Fix: "scripts/install.sh, or run as an ordinary user",
	}
}

// place is the directory of one server.
type place struct {
	dir   string
	owned bool // made by us: removed by Close
}

// newPlace uses dir, or makes a directory below os.TempDir when dir is "". With an account the directory is made reachable for it:
// directories of ours on the way (testing's TempDir has mode 0700) get the search bit.
func newPlace(kind, dir string, u *account) (place, error) {
	p := place{dir: dir}
	if dir == "" {
		d, err := os.MkdirTemp("", "shelfstream-"+kind+"-")
		if err != nil {
			return p, fmt.Errorf("make a directory for %s: %w", kind, err)
		}
		p = place{dir: d, owned: true}
	}
	abs, err := filepath.Abs(p.dir)
	if err != nil {
		return p, err
	}
	p.dir = abs
	if err := os.MkdirAll(p.dir, 0o755); err != nil {
		return p, fmt.Errorf("make a directory for %s: %w", kind, err)
	}
	if u == nil {
		return p, nil
	}
	return p, openPath(p.dir)
}

// openPath gives every directory from dir up the bit that lets others pass through it.
func openPath(dir string) error {
	for d := dir; ; d = filepath.Dir(d) {
		st, err := os.Stat(d)
		if err != nil {
			return err
		}
		if st.Mode().Perm()&0o001 == 0 {
			if err := os.Chmod(d, st.Mode().Perm()|0o011); err != nil {
				return fmt.Errorf("let the server's user pass through %s: %w", d, err)
			}
		}
		if d == filepath.Dir(d) || d == filepath.Clean(os.TempDir()) {
			return nil
		}
	}
}

// sub makes a directory inside, owned by the account, with mode 0700 as PostgreSQL demands of its data.
func (p place) sub(name string, u *account) (string, error) {
	d := filepath.Join(p.dir, name)
	if err := os.MkdirAll(d, 0o700); err != nil {
		return "", err
	}
	if u != nil {
		if err := os.Chown(d, int(u.uid), int(u.gid)); err != nil {
			return "", err
		}
	}
	return d, nil
}

func (p place) exists(name string) bool {
	_, err := os.Stat(filepath.Join(p.dir, name))
	return !errors.Is(err, fs.ErrNotExist)
}

func (p place) remove() error {
	if !p.owned {
		return nil
	}
	return os.RemoveAll(p.dir)
}

// given are the ports that this process has picked: a server listens on its own only a while after, and comes back to it after a restart.
var given sync.Map

// freePort picks a port of 127.0.0.1 that nobody listens on. It stays out of the range that Linux gives to outgoing connections
// (32768 and up), or else a server that was killed could find its port taken by some client when it is restarted.
func freePort() (int, error) {
	for range 200 {
		port := 11000 + rand.IntN(21000)
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue
		}
		if err := l.Close(); err != nil {
			return 0, err
		}
		if _, twice := given.LoadOrStore(port, true); !twice {
			return port, nil
		}
	}
	return 0, errors.New("find a free port: 200 tries were all in use")
}

func hostPort(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
