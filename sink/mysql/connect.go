package mysql

import (
	"context"
	"database/sql/driver"
	"fmt"
	"strings"
	"time"

	mysqldriver "github.com/go-sql-driver/mysql"
)

// sessionSettings are run on each new connection, whatever the server's defaults and the address' parameters are. Strict mode, so that nothing is cut or
// zeroed (but without NO_ZERO_DATE: we write none, and with it an old shop's table with such a default takes no new column); UTC, so that datetimes are what was
// written; READ COMMITTED, so that upserts of several workers do not wait for each other's gaps. A connection that is idle in a
// transaction (its process stopped, its network gone) is closed by the server after wait_timeout, which frees the partition's row for the next owner.
var sessionSettings = []string{
	"SET SESSION sql_mode = 'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'",
	"SET NAMES utf8mb4",
	"SET SESSION autocommit = 1",
	"SET SESSION foreign_key_checks = 1",
	"SET SESSION unique_checks = 1",
	"SET SESSION sql_safe_updates = 0",
	"SET SESSION time_zone = '+00:00'",
	"SET SESSION wait_timeout = 60",
	"SET SESSION innodb_lock_wait_timeout = 10",
	"SET SESSION lock_wait_timeout = 10", // LOCK TABLES and ALTER TABLE of others; a day without it, and nobody would know why nothing moves
}

// connector opens connections with our settings.
type connector struct {
	inner driver.Connector
}

func newConnector(dsn string) (*connector, *mysqldriver.Config, error) {
	cfg, err := mysqldriver.ParseDSN(dsn)
	if err != nil {
		return nil, nil, err
	}
	cfg.MultiStatements = true // a transaction is one packet
	cfg.InterpolateParams = true
	cfg.ParseTime = false
	cfg.ClientFoundRows = false
	cfg.MaxAllowedPacket = 0 // ask the server
	cfg.Logger = &mysqldriver.NopLogger{}
	if cfg.Timeout == 0 {
		cfg.Timeout = 10 * time.Second
	}
	if cfg.ReadTimeout == 0 {
		cfg.ReadTimeout = 2 * time.Minute
	}
	if cfg.WriteTimeout == 0 {
		cfg.WriteTimeout = time.Minute
	}
	inner, err := mysqldriver.NewConnector(cfg)
	if err != nil {
		return nil, nil, err
	}
	return &connector{inner: inner}, cfg, nil
}

// Connect implements driver.Connector.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.inner.Connect(ctx)
	if err != nil {
		return nil, err
	}
	if err := settle(ctx, conn); err != nil {
		return nil, fmt.Errorf("prepare connection: %w", joinClose(err, conn))
	}
	return conn, nil
}

// Driver implements driver.Connector.
func (c *connector) Driver() driver.Driver { return c.inner.Driver() }

func joinClose(err error, conn driver.Conn) error {
	if cerr := conn.Close(); cerr != nil {
		return fmt.Errorf("%w (and closing it: %w)", err, cerr)
	}
	return err
}

func settle(ctx context.Context, conn driver.Conn) error {
	e, ok := conn.(driver.ExecerContext)
	if !ok {
		return fmt.Errorf("driver %T cannot execute", conn)
	}
	if _, err := e.ExecContext(ctx, strings.Join(sessionSettings, "; "), nil); err != nil {
		return err
	}
	// A server that logs statements (binlog_format=STATEMENT) refuses writes under READ COMMITTED; there the default level stays.
	_, err := e.ExecContext(ctx, "SET @shelfstream_level = IF(@@log_bin AND @@binlog_format = 'STATEMENT', 'REPEATABLE-READ', 'READ-COMMITTED')", nil)
	if err == nil {
		err = setLevel(ctx, e)
	}
	return err
}

func setLevel(ctx context.Context, e driver.ExecerContext) error {
	// The variable is tx_isolation in MariaDB before 11.1 and transaction_isolation in MySQL 8; neither knows the other's name.
	_, err := e.ExecContext(ctx, "SET SESSION tx_isolation = @shelfstream_level", nil)
	if err != nil {
		_, err = e.ExecContext(ctx, "SET SESSION transaction_isolation = @shelfstream_level", nil)
	}
	return err
}
