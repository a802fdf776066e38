package postgres

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"shelfstream/internal/fault"
)

// sessionParams fix how values are printed, whatever the database or the role is set to, so that snapshot and stream agree; and
// they keep limits meant for people's sessions away from ours.
var sessionParams = map[string]string{
	"client_encoding":                     "UTF8",
	"datestyle":                           "ISO, YMD",
	"intervalstyle":                       "postgres",
	"timezone":                            "UTC",
	"extra_float_digits":                  "3",
	"bytea_output":                        "hex",
	"xmlbinary":                           "base64",
	"lc_monetary":                         "C",
	"row_security":                        "off", // an error rather than rows silently left out
	"statement_timeout":                   "0",
	"idle_in_transaction_session_timeout": "0",
	"lock_timeout":                        "0",
}

// noLimitsSQL takes off the limits that not every server knows (the second came with PostgreSQL 17): a connection waits idle while a slot is made,
// and a snapshot is one long transaction.
const noLimitsSQL = "SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings WHERE name IN ('idle_session_timeout', 'transaction_timeout')"

const (
	// lockTimeout is how long a statement waits for somebody who holds a table (ALTER TABLE, VACUUM FULL). It also ends a circle that the server does not see: the snapshot holds a table, an ALTER TABLE
	// waits for that, and the snapshot's other lanes, with every reader of the ERP, wait behind the ALTER TABLE. Making a slot waits for transactions, which may take their time: replication has no limit.
	lockTimeout    = "10s"
	connectTimeout = 10 * time.Second
	// deadPeer is after how long a peer that does not answer TCP is given up.
	deadPeer = 30 * time.Second
)

// connConfig makes the connection's configuration.
func (s *Source) connConfig(replication bool) (*pgconn.Config, error) {
	c, err := pgconn.ParseConfig(s.cfg.DSN)
	if err != nil {
		return nil, fmt.Errorf("read the dsn: %w", err)
	}
	maps.Copy(c.RuntimeParams, sessionParams)
	c.RuntimeParams["application_name"] = s.cfg.applicationName()
	if replication {
		c.RuntimeParams["replication"] = "database"
	} else {
		c.RuntimeParams["lock_timeout"] = lockTimeout
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = connectTimeout
	}
	c.AfterConnect = func(ctx context.Context, conn *pgconn.PgConn) error {
		if _, err := conn.Exec(ctx, noLimitsSQL).ReadAll(); err != nil {
			return fmt.Errorf("take the session's limits off: %w", err)
		}
		return nil
	}
	dialer := &net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: deadPeer / 3, Interval: deadPeer / 6, Count: 4}}
	c.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dialer.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		if tcp, ok := conn.(*net.TCPConn); ok {
			if err := setUserTimeout(tcp, deadPeer); err != nil {
				s.cfg.Logger.Debug("TCP_USER_TIMEOUT is not set", "error", err)
			}
		}
		return newBatchConn(conn), nil
	}
	return c, nil
}

// connect opens a connection for statements.
func (s *Source) connect(ctx context.Context) (*pgx.Conn, error) {
	c, err := s.connConfig(false)
	if err != nil {
		return nil, err
	}
	xc, err := pgx.ParseConfig(s.cfg.DSN)
	if err != nil {
		return nil, fmt.Errorf("read the dsn: %w", err)
	}
	xc.Config = *c
	conn, err := pgx.ConnectConfig(ctx, xc)
	if err != nil {
		return nil, s.unreachable(err)
	}
	return conn, nil
}

// connectReplication opens a connection for replication commands.
func (s *Source) connectReplication(ctx context.Context) (*pgconn.PgConn, error) {
	c, err := s.connConfig(true)
	if err != nil {
		return nil, err
	}
	conn, err := pgconn.ConnectConfig(ctx, c)
	if err != nil {
		return nil, s.unreachable(err)
	}
	return conn, nil
}

// SQLSTATEs that are told apart (PostgreSQL documentation, appendix A).
const (
	codeUndefinedObject    = "42704"
	codeInvalidPassword    = "28P01"
	codeInvalidAuth        = "28000"
	codeInvalidCatalog     = "3D000"
	codeInsufficient       = "42501"
	codeTooManyConnections = "53300"
	codeLockNotAvailable   = "55P03"
	codeAdminShutdown      = "57P01"
	codeCrashShutdown      = "57P02"
)

// unreachable makes a fault of a connection that could not be opened.
func (s *Source) unreachable(err error) error {
	f := &fault.Fault{
		Class: fault.Environment, Cause: fault.PostgresUnreachable, Where: "source " + s.cfg.Source, What: "does not answer", Err: err,
		Fix: "check host, port and network, and that PostgreSQL runs and listens there (listen_addresses, firewall)",
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		switch pg.Code {
		case codeInvalidPassword, codeInvalidAuth:
			f.Cause, f.What = fault.PostgresLogin, "the database refuses the login"
			f.Fix = "check user and password in dsn, that the role may log in (ALTER ROLE … LOGIN), and pg_hba.conf (it needs a line for the database and the role, for replication too)"
		case codeInvalidCatalog:
			f.Cause, f.What, f.Fix = fault.PostgresDatabase, "the database does not exist", "check the database's name in dsn, or make the database"
		case codeTooManyConnections:
			f.Cause, f.What = fault.PostgresConnections, "the server has no free connection"
			f.Fix = "end other clients, or raise max_connections, max_wal_senders or the role's limit (ALTER ROLE … CONNECTION LIMIT -1)"
		case codeInsufficient:
			f.Cause, f.What, f.Fix = fault.PostgresConnectRight, "the role may not connect", "GRANT CONNECT ON DATABASE … TO the role; ALTER ROLE … REPLICATION"
		case codeAdminShutdown, codeCrashShutdown: // while the session was set up
		default:
			f.Cause, f.What = fault.PostgresNotAccepting, "the server refuses the connection"
			f.Fix = "see the server's message: a start or a recovery ends by itself, a database that was closed is opened with ALTER DATABASE … ALLOW_CONNECTIONS true; it is tried again by itself"
		}
	}
	return f
}

// broke is the fault of a connection that ended: the server was stopped, or the way to it cut. The next try will say that it does not answer, which is the same
// trouble and one incident. nil if err is of something else.
func (s *Source) broke(err error) error {
	c := code(err)
	if len(fault.All(err)) > 0 || !errors.Is(err, errBroke) && c != codeAdminShutdown && c != codeCrashShutdown {
		return nil
	}
	return &fault.Fault{
		Class: fault.Environment, Cause: fault.PostgresUnreachable, Where: "source " + s.cfg.Source, What: "the connection was lost", Err: err,
		Fix: "nothing if it was cut for a moment: it is made anew by itself; else check the network, and that PostgreSQL runs",
	}
}

// locked is the fault of a wait for somebody else's lock that took too long; nil if err is of something else.
func (s *Source) locked(err error) error {
	if code(err) != codeLockNotAvailable {
		return nil
	}
	return &fault.Fault{
		Class: fault.Environment, Cause: fault.PostgresTableLocked, Where: "source " + s.cfg.Source, What: "a table is locked (ALTER TABLE, VACUUM FULL), so it can be neither looked at nor read", Err: err,
		Fix: "let that transaction end, or end it: SELECT pid, query FROM pg_stat_activity WHERE pid IN (SELECT pid FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted), then pg_terminate_backend(pid); it is tried again by itself",
	}
}
