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

	gomysql "github.com/go-mysql-org/go-mysql/mysql"
	mysqldriver "github.com/go-sql-driver/mysql"

	"shelfstream/internal/fault"
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

// Error numbers that are told apart (the servers' reference, "Server Error Message Reference").
const (
	codeTooManyConnections = 1040
	codeDatabaseDenied     = 1044
	codeLoginDenied        = 1045
	codeNoDatabase         = 1049
	codeTooManyOfUser      = 1203
	codeLimit              = 1226
	codeHostDenied         = 1130
	codeAuthMode           = 1251
	codeAuthPlugin         = 1524
	codeMustChange         = 1820 // the password, as codeExpired
	codeExpired            = 1862
	codeLockedMySQL        = 3118
	codeLockedMariaDB      = 4151
	codeNoTable            = 1146
	codeTableDenied        = 1142
	codeColumnDenied       = 1143
	codeSpecificDenied     = 1227
	codeLockTimeout        = 1205
	codeTableChanged       = 1412
)

// errorCode is the server's number of an error, 0 if the server sent none.
func errorCode(err error) int {
	var d *mysqldriver.MySQLError
	if errors.As(err, &d) {
		return int(d.Number)
	}
	var g *gomysql.MyError
	if errors.As(err, &g) {
		return int(g.Code)
	}
	return 0
}

// unreachable makes a fault of a connection that could not be opened.
func (c *Config) unreachable(err error) error {
	f := &fault.Fault{
		Class: fault.Environment, Cause: fault.BinlogUnreachable, Where: "source " + c.Source, What: "the database cannot be reached", Err: err,
		Fix: "check host, port and network, and that the server runs and listens there (bind-address, firewall)",
	}
	switch errorCode(err) {
	case 0:
	case codeLoginDenied, codeHostDenied, codeAuthMode, codeAuthPlugin:
		f.Cause, f.What = fault.BinlogLogin, "the database refuses the login"
		f.Fix = "check user and password in dsn, and that the user may come from this host (SELECT user, host, plugin FROM mysql.user)"
	case codeMustChange, codeExpired:
		f.Cause, f.What = fault.BinlogLogin, "the database refuses the login"
		f.Fix = "give the user a password anew: ALTER USER … IDENTIFIED BY …, and put it into dsn; ALTER USER … PASSWORD EXPIRE NEVER keeps it"
	case codeLockedMySQL, codeLockedMariaDB:
		f.Cause, f.What, f.Fix = fault.BinlogLogin, "the database refuses the login", "ALTER USER … ACCOUNT UNLOCK"
	case codeDatabaseDenied, codeNoDatabase:
		f.Cause, f.What = fault.BinlogDatabase, "the database does not exist, or the user may not see it"
		f.Fix = "check the database's name in dsn; or make it; or GRANT SELECT ON its tables TO the user"
	case codeTooManyConnections, codeTooManyOfUser, codeLimit:
		f.Cause, f.What = fault.BinlogConnections, "the server has no free connection"
		f.Fix = "end other clients, or raise max_connections (SET GLOBAL max_connections = …) or the user's limit that the message names (ALTER USER … WITH MAX_USER_CONNECTIONS 0 MAX_CONNECTIONS_PER_HOUR 0 MAX_QUERIES_PER_HOUR 0)"
	default:
		f.Cause, f.What = fault.BinlogNotAccepting, "the server refuses the connection"
		f.Fix = "see the server's message: a start or a shutdown ends by itself, an init_connect that fails is corrected (SET GLOBAL init_connect = …); it is tried again by itself"
	}
	return f
}

// unread is a statement about or from tables that the server did not answer. what says what cannot be read.
func (c *Config) unread(what string, err error) *fault.Fault {
	if errors.Is(err, errTagged) {
		return c.tagged(err)
	}
	if errorCode(err) == codeLockTimeout {
		return &fault.Fault{
			Class: fault.Environment, Cause: fault.BinlogTableLocked, Where: "source " + c.Source, What: "somebody holds a table, so it can be neither looked at nor read", Err: err,
			Fix: "let that statement, transaction or LOCK TABLES end, or end it (SHOW FULL PROCESSLIST; KILL …); it is tried again by itself",
		}
	}
	return &fault.Fault{
		Class: fault.Environment, Cause: fault.BinlogCatalog, Where: "source " + c.Source, What: what, Err: err,
		Fix: "see the server's message: a table that is damaged is repaired or put back from a backup, a connection that broke is made anew; it is tried again by itself",
	}
}
