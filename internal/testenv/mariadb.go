package testenv

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/go-sql-driver/mysql"

	"shelfstream/internal/fault"
)

// MariaDB is a running MariaDB or MySQL with a row-based binlog and utf8mb4. The user root may log in without a password from
// 127.0.0.1.
type MariaDB struct {
	server
	version string
	port    int
}

// MariaDBOption changes how StartMariaDB starts the server.
type MariaDBOption func(*mariadbConfig)

type mariadbConfig struct {
	settings [][2]string
	port     int
}

// MariaDBSetting sets a server variable, e.g. "max_allowed_packet", "64M", or an option without a value, e.g. "skip_log_bin", ""; later options win.
func MariaDBSetting(name, value string) MariaDBOption {
	return func(c *mariadbConfig) { c.settings = append(c.settings, [2]string{name, value}) }
}

// MariaDBRelaxed writes the logs once a second and not at each commit: faster, and safe over Kill for all but the last second.
func MariaDBRelaxed() MariaDBOption {
	return func(c *mariadbConfig) {
		c.settings = append(c.settings, [2]string{"innodb_flush_log_at_trx_commit", "2"}, [2]string{"sync_binlog", "0"})
	}
}

// MariaDBCaptured makes the server fit to be a source: each event of its binlog describes the columns, and GTIDs only grow.
func MariaDBCaptured() MariaDBOption {
	return func(c *mariadbConfig) {
		c.settings = append(c.settings, [2]string{"binlog_row_metadata", "FULL"},
			[2]string{"loose_gtid_strict_mode", "1"}, [2]string{"loose_enforce_gtid_consistency", "ON"}, [2]string{"loose_gtid_mode", "ON"}) // the last two are MySQL's
	}
}

// MariaDBPort sets the port to listen on; without it a free one is taken.
func MariaDBPort(port int) MariaDBOption { return func(c *mariadbConfig) { c.port = port } }

// StartMariaDB makes a data directory in dir, or takes up the one that is there, and starts the server. With dir "" it lives in
// a directory of its own that Close removes.
func StartMariaDB(ctx context.Context, dir string, opts ...MariaDBOption) (*MariaDB, error) {
	u, err := serverAccount("MariaDB", "mysql")
	if err != nil {
		return nil, err
	}
	cfg := mariadbConfig{settings: [][2]string{
		{"server_id", "7"},
		{"log_bin", "binlog"},
		{"binlog_format", "ROW"},
		{"binlog_row_image", "FULL"},
		{"local_infile", "1"},
		{"character_set_server", "utf8mb4"},
		{"skip_name_resolve", "1"},
		{"max_connections", "200"},
	}}
	for _, o := range opts {
		o(&cfg)
	}
	bin, err := findMariaDB(ctx)
	if err != nil {
		return nil, err
	}
	if cfg.port == 0 {
		if cfg.port, err = freePort(); err != nil {
			return nil, err
		}
	}
	p, err := newPlace("my", dir, u)
	if err != nil {
		return nil, err
	}
	data, err := initMariaDB(ctx, bin, p, u)
	if err != nil {
		return nil, errors.Join(err, p.remove())
	}
	initFile := filepath.Join(p.dir, "init.sql")
	if err := writeFile(initFile, openRoot); err != nil {
		return nil, errors.Join(err, p.remove())
	}
	m := &MariaDB{version: bin.version, port: cfg.port}
	args := []string{
		"--no-defaults", "--datadir=" + data, "--bind-address=127.0.0.1", "--port=" + fmt.Sprint(cfg.port),
		"--socket=" + mysqlSocket(data, cfg.port), "--pid-file=" + filepath.Join(data, "server.pid"), "--init-file=" + initFile,
	}
	if bin.install == "" {
		args = append(args, "--mysqlx=OFF") // MySQL's second port would be the same for every server of the machine
	}
	for _, s := range cfg.settings {
		args = append(args, setting(s[0], s[1]))
	}
	m.server = server{
		place: p,
		command: command{
			name: bin.version, path: bin.server, args: args, dir: data, user: u,
			log: filepath.Join(p.dir, "mariadb.log"),
		},
		timeout: 90 * time.Second,
		stopSig: syscall.SIGTERM,
		probe:   func(ctx context.Context) error { return m.Exec(ctx, "", "SELECT 1") },
	}
	if err := m.Restart(ctx); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, report(m.version)
}

// mysqlSocket is the path of the unix socket; a long one is not possible, so it goes by its bare name in the server's working directory.
func mysqlSocket(data string, port int) string {
	if s := filepath.Join(data, "sock"); len(s) < 100 {
		return s
	}
	return fmt.Sprintf("s%d", port)
}

// openRoot is read by the server at each start, before it takes connections. With skip_name_resolve a client on 127.0.0.1 is not "localhost", so
// root needs a row for that host. The binlog, which a test may read, is spared the statements.
const openRoot = `SET sql_log_bin = 0;
CREATE USER IF NOT EXISTS root@'127.0.0.1';
GRANT ALL PRIVILEGES ON *.* TO root@'127.0.0.1' WITH GRANT OPTION;
`

// initMariaDB makes the data directory unless there is one.
func initMariaDB(ctx context.Context, bin mysqlBinaries, p place, u *account) (string, error) {
	made := p.exists("data/mysql")
	data, err := p.sub("data", u)
	if err != nil || made {
		return data, err
	}
	var cmd *exec.Cmd
	if bin.install != "" {
		cmd = exec.CommandContext(ctx, bin.install, "--no-defaults", "--datadir="+data, "--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve")
	} else {
		cmd = exec.CommandContext(ctx, bin.server, "--no-defaults", "--datadir="+data, "--initialize-insecure")
	}
	cmd.Dir = data
	cmd.SysProcAttr = sysProcAttr(u)
	if out, err := runLocked(cmd); err != nil {
		return "", &fault.Fault{Class: fault.Environment, Where: bin.version, What: "making the data directory ended with:\n" + string(out), Err: err}
	}
	return data, nil
}

// DSN is the address of a database in go-sql-driver's form, as root; db may be "".
func (m *MariaDB) DSN(db string) string { return m.DSNAs("root", "", db) }

// DSNAs is the address of a database for another user.
func (m *MariaDB) DSNAs(user, password, db string) string {
	return mysqlDSN(m.Addr(), user, password, db)
}

// DSNThrough is DSN by way of a proxy.
func (m *MariaDB) DSNThrough(proxy *Proxy, db string) string {
	return mysqlDSN(proxy.Addr(), "root", "", db)
}

func mysqlDSN(addr, user, password, db string) string {
	c := mysql.NewConfig()
	c.Net, c.Addr, c.User, c.Passwd, c.DBName = "tcp", addr, user, password, db
	return c.FormatDSN()
}

// Addr is host:port.
func (m *MariaDB) Addr() string { return hostPort(m.port) }

// Version names the server: "MariaDB 10.11.14", "MySQL 8.4.6".
func (m *MariaDB) Version() string { return m.version }

// CreateDatabase makes a database and gives its DSN.
func (m *MariaDB) CreateDatabase(ctx context.Context, name string) (string, error) {
	if err := m.Exec(ctx, "", "CREATE DATABASE "+mysqlName(name)+" CHARACTER SET utf8mb4"); err != nil {
		return "", err
	}
	return m.DSN(name), nil
}

// DropDatabase drops a database if it exists.
func (m *MariaDB) DropDatabase(ctx context.Context, name string) error {
	return m.Exec(ctx, "", "DROP DATABASE IF EXISTS "+mysqlName(name))
}

func mysqlName(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

// Exec runs SQL statements, separated by semicolons, in a database (may be "") on a connection of their own.
func (m *MariaDB) Exec(ctx context.Context, db, text string) error {
	c, err := mysql.ParseDSN(m.DSN(db))
	if err != nil {
		return err
	}
	c.MultiStatements = true
	c.Logger = &mysql.NopLogger{} // while the server starts every try fails, and the error tells it already
	conn, err := mysql.NewConnector(c)
	if err != nil {
		return err
	}
	d := sql.OpenDB(conn)
	defer d.Close()
	if _, err := d.ExecContext(ctx, text); err != nil {
		return fmt.Errorf("execute in %q: %w", db, err)
	}
	return nil
}
