package testenv

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"shelfstream/internal/fault"
)

// Postgres is a running PostgreSQL with wal_level=logical. Every user that exists may log in without a password from 127.0.0.1.
type Postgres struct {
	server
	version string
	port    int
}

// PostgresOption changes how StartPostgres starts the server.
type PostgresOption func(*postgresConfig)

type postgresConfig struct {
	settings [][2]string
	port     int
}

// PostgresSetting sets a configuration parameter (postgresql.conf), e.g. "wal_level", "replica"; later options win.
func PostgresSetting(name, value string) PostgresOption {
	return func(c *postgresConfig) { c.settings = append(c.settings, [2]string{name, value}) }
}

// PostgresNoFsync turns durability off where no test kills the machine's power: faster, and safe over Kill, since the operating system lives on.
func PostgresNoFsync() PostgresOption { return PostgresSetting("fsync", "off") }

// PostgresPort sets the port to listen on; without it a free one is taken.
func PostgresPort(port int) PostgresOption { return func(c *postgresConfig) { c.port = port } }

// StartPostgres makes a cluster in dir, or takes up the one that is there, and starts it. With dir "" it lives in a directory
// of its own that Close removes. Superuser: postgres.
func StartPostgres(ctx context.Context, dir string, opts ...PostgresOption) (*Postgres, error) {
	bin, version, err := FindPostgres(ctx)
	if err != nil {
		return nil, err
	}
	u, err := serverAccount("PostgreSQL", "postgres")
	if err != nil {
		return nil, err
	}
	cfg := postgresConfig{settings: [][2]string{
		{"wal_level", "logical"},
		{"max_replication_slots", "40"},
		{"max_wal_senders", "40"},
		{"max_connections", "200"},
		{"wal_sender_timeout", "60s"},
		{"log_line_prefix", "%m [%p] "},
	}}
	for _, o := range opts {
		o(&cfg)
	}
	if cfg.port == 0 {
		if cfg.port, err = freePort(); err != nil {
			return nil, err
		}
	}
	p, err := newPlace("pg", dir, u)
	if err != nil {
		return nil, err
	}
	pg := &Postgres{version: version, port: cfg.port}
	data, err := initPostgres(ctx, bin, p, u)
	if err != nil {
		return nil, errors.Join(err, p.remove())
	}
	// A socket's path may have at most 107 bytes, and test directories are long.
	sockets, err := p.sub("s", u)
	if err != nil {
		return nil, errors.Join(err, p.remove())
	}
	if len(sockets) > 80 {
		sockets = ""
	}
	args := []string{"-D", data, "-p", fmt.Sprint(cfg.port), "-h", "127.0.0.1", "-k", sockets}
	for _, s := range cfg.settings {
		args = append(args, "-c", s[0]+"="+s[1])
	}
	pg.server = server{
		place: p,
		command: command{
			name: "PostgreSQL", path: filepath.Join(bin, "postgres"), args: args, dir: data, user: u,
			log: filepath.Join(p.dir, "postgres.log"),
		},
		timeout: 60 * time.Second,
		stopSig: syscall.SIGINT, // fast shutdown: SIGTERM would wait for every client to leave
		// After a kill the last back end may take a moment to see that its postmaster is gone.
		retry: func(log string) bool { return strings.Contains(log, "pre-existing shared memory block") },
		probe: func(ctx context.Context) error {
			c, err := pgx.Connect(ctx, pg.DSN("postgres"))
			if err != nil {
				return err
			}
			defer c.Close(ctx)
			return c.Ping(ctx)
		},
	}
	if err := pg.Restart(ctx); err != nil {
		return nil, errors.Join(err, pg.Close())
	}
	return pg, report("PostgreSQL " + version)
}

// initPostgres makes the cluster unless there is one, and gives its directory.
func initPostgres(ctx context.Context, bin string, p place, u *account) (string, error) {
	made := p.exists("data/PG_VERSION")
	data, err := p.sub("data", u)
	if err != nil || made {
		return data, err
	}
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
	cmd.Dir = data
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	cmd.SysProcAttr = sysProcAttr(u)
	if out, err := runLocked(cmd); err != nil {
		return "", &fault.Fault{Class: fault.Environment, Where: "PostgreSQL", What: "initdb ended with:\n" + string(out), Err: err}
	}
	return data, nil
}

// DSN is the address of a database for pgx, as the superuser.
func (p *Postgres) DSN(db string) string { return p.DSNAs("postgres", db) }

// DSNAs is the address of a database for another user; no password is asked for.
func (p *Postgres) DSNAs(user, db string) string {
	u := url.URL{Scheme: "postgres", User: url.User(user), Host: p.Addr(), Path: "/" + db, RawQuery: "sslmode=disable"}
	return u.String()
}

// DSNThrough is DSN by way of a proxy.
func (p *Postgres) DSNThrough(proxy *Proxy, db string) string {
	return strings.Replace(p.DSN(db), p.Addr(), proxy.Addr(), 1)
}

// Addr is host:port.
func (p *Postgres) Addr() string { return hostPort(p.port) }

// Version is the server's version, "15.18".
func (p *Postgres) Version() string { return p.version }

// CreateDatabase makes a database and gives its DSN.
func (p *Postgres) CreateDatabase(ctx context.Context, name string) (string, error) {
	if err := p.Exec(ctx, "postgres", "CREATE DATABASE "+pgx.Identifier{name}.Sanitize()); err != nil {
		return "", err
	}
	return p.DSN(name), nil
}

// SQLSTATEs of a slot that is read from, and of one that is not there.
const (
	codeInUse    = "55006"
	codeNoObject = "42704"
)

// DropDatabase ends the connections to a database, drops its replication slots, and drops it.
func (p *Postgres) DropDatabase(ctx context.Context, name string) error {
	c, err := pgx.Connect(ctx, p.DSN("postgres"))
	if err != nil {
		return err
	}
	defer c.Close(ctx)
	// A slot's walsender must be gone before the slot can be dropped. One whose client has just left may yet begin: the server reads to the end what was sent.
	err = WaitFor(ctx, "the slots of "+name+" to be gone", func() (bool, error) {
		var n int
		err := c.QueryRow(ctx, `SELECT count(*) FROM pg_replication_slots WHERE database = $1`, name).Scan(&n)
		if err != nil || n == 0 {
			return n == 0, err
		}
		_, err = c.Exec(ctx, `SELECT CASE WHEN active_pid IS NULL THEN pg_drop_replication_slot(slot_name)::text ELSE pg_terminate_backend(active_pid)::text END FROM pg_replication_slots WHERE database = $1`, name)
		var refused *pgconn.PgError
		if errors.As(err, &refused) && (refused.Code == codeInUse || refused.Code == codeNoObject) {
			err = nil // begun, or gone, since it was listed
		}
		return false, err
	})
	if err != nil {
		return fmt.Errorf("drop the slots of %s: %w", name, err)
	}
	if _, err = c.Exec(ctx, "DROP DATABASE IF EXISTS "+pgx.Identifier{name}.Sanitize()+" WITH (FORCE)"); err != nil {
		return fmt.Errorf("drop database %s: %w", name, err)
	}
	return nil
}

// Exec runs SQL statements, separated by semicolons, in a database on a connection of their own.
func (p *Postgres) Exec(ctx context.Context, db, sql string) error {
	c, err := pgx.Connect(ctx, p.DSN(db))
	if err != nil {
		return fmt.Errorf("connect to %s: %w", db, err)
	}
	defer c.Close(ctx)
	if _, err := c.PgConn().Exec(ctx, sql).ReadAll(); err != nil {
		return fmt.Errorf("execute in %s: %w", db, err)
	}
	return nil
}

// PostgresDefault leaves a setting to the server's own files, where ALTER SYSTEM can change it.
func PostgresDefault(name string) PostgresOption {
	return func(c *postgresConfig) {
		c.settings = slices.DeleteFunc(c.settings, func(s [2]string) bool { return s[0] == name })
	}
}
