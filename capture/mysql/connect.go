package mysql

import (
	"context"
	"crypto/tls"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	mysqldriver "github.com/go-sql-driver/mysql"
)

// sessionSQL fixes how values are printed, whatever the server or the address is set to, so that snapshot and log agree; and it keeps limits meant
// for people's sessions away from ours: a lane that waits for the log's brokers reads nothing for a while, and must not be thrown out.
var sessionSQL = []string{
	"SET NAMES utf8mb4",
	"SET SESSION sql_mode = ''",
	"SET SESSION time_zone = '+00:00'",
	"SET SESSION autocommit = 1",
	"SET SESSION wait_timeout = 28800",
	"SET SESSION net_write_timeout = 3600",
	"SET SESSION net_read_timeout = 3600",
	// Whoever waits for all tables makes everybody wait who writes. It also ends a circle that the server does not see: the snapshot holds a table, an ALTER TABLE waits for that, and the
	// snapshot's other lanes wait behind the ALTER TABLE.
	"SET SESSION lock_wait_timeout = 10",
	"SET SESSION sql_select_limit = DEFAULT",
	"SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
}

// limitSQL takes off the limit on a statement's time, which has another name and unit in each family.
func limitSQL(maria bool) string {
	if maria {
		return "SET SESSION max_statement_time = 0"
	}
	return "SET SESSION max_execution_time = 0"
}

const (
	connectTimeout = 10 * time.Second
	// deadPeer is after how long a peer that does not answer TCP is given up.
	deadPeer = 30 * time.Second
)

// endpoint is where the server is, and who logs in there.
type endpoint struct {
	network, addr, user, password, database string
	tls                                     *tls.Config // nil: none
}

// endpoint reads the dsn.
func (c *Config) endpoint() (endpoint, error) {
	d, err := mysqldriver.ParseDSN(c.DSN)
	if err != nil {
		return endpoint{}, fmt.Errorf("read the dsn: %w", err)
	}
	return endpoint{network: d.Net, addr: d.Addr, user: d.User, password: d.Passwd, database: d.DBName, tls: d.TLS}, nil
}

// connect opens one connection for questions to the catalogue.
func (c *Config) connect(ctx context.Context) (*session, error) {
	d, err := mysqldriver.ParseDSN(c.DSN)
	if err != nil {
		return nil, fmt.Errorf("read the dsn: %w", err)
	}
	d.MultiStatements, d.InterpolateParams, d.ParseTime = false, true, false
	d.Logger = &mysqldriver.NopLogger{}
	d.ConnectionAttributes = "program_name:shelfstream " + c.Pipeline + "." + c.Source
	if d.Timeout == 0 {
		d.Timeout = connectTimeout
	}
	inner, err := mysqldriver.NewConnector(d)
	if err != nil {
		return nil, fmt.Errorf("read the dsn: %w", err)
	}
	db := sql.OpenDB(&connector{inner: inner})
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, errors.Join(c.unreachable(err), db.Close())
	}
	s := &session{Conn: conn, db: db}
	if err := s.QueryRowContext(ctx, "SELECT VERSION()").Scan(&s.version); err != nil {
		return nil, errors.Join(c.unreachable(err), s.Close())
	}
	s.maria = strings.Contains(strings.ToLower(s.version), "mariadb")
	if _, err := s.ExecContext(ctx, limitSQL(s.maria)); err != nil {
		return nil, errors.Join(c.unreachable(err), s.Close())
	}
	return s, nil
}

// session is one connection for statements.
type session struct {
	*sql.Conn
	db      *sql.DB
	version string
	maria   bool
}

// Close ends the connection.
func (s *session) Close() error { return errors.Join(s.Conn.Close(), s.db.Close()) }

// atLeast says whether the server's version is so high.
func (s *session) atLeast(major, minor int) bool {
	var a, b int
	// Replicas of MariaDB give themselves the prefix that MySQL's clients wanted to see.
	if _, err := fmt.Sscanf(strings.TrimPrefix(s.version, "5.5.5-"), "%d.%d", &a, &b); err != nil {
		return false
	}
	return a > major || a == major && b >= minor
}

// connector opens connections with our settings.
type connector struct{ inner driver.Connector }

// Connect implements driver.Connector.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.inner.Connect(ctx)
	if err != nil {
		return nil, err
	}
	e, ok := conn.(driver.ExecerContext)
	if !ok {
		return nil, errors.Join(fmt.Errorf("driver %T cannot execute", conn), conn.Close())
	}
	for _, s := range sessionSQL {
		if _, err := e.ExecContext(ctx, s, nil); err != nil {
			return nil, errors.Join(fmt.Errorf("prepare the connection: %w", err), conn.Close())
		}
	}
	return conn, nil
}

// Driver implements driver.Connector.
func (c *connector) Driver() driver.Driver { return c.inner.Driver() }

// dialer notices peers that are gone.
var dialer = &net.Dialer{Timeout: connectTimeout, KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: deadPeer / 3, Interval: deadPeer / 6, Count: 4}}
