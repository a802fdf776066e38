//go:build integration

package mysql

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	"shelfstream/internal/testenv"
	"shelfstream/sink/table"
	"shelfstream/sink/table/tabletest"
)

// server is the package's MariaDB; each test has a database of its own.
var server *testenv.MariaDB

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	var err error
	if server, err = testenv.StartMariaDB(ctx, ""); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer server.Close()
	kit.Server = server
	return m.Run()
}

// kit is MySQL for the suite of all SQL targets.
var kit = &tabletest.Kit{
	Start: func(ctx context.Context) (tabletest.Server, error) { return testenv.StartMariaDB(ctx, "") },
	Connect: func(dsn string) (tabletest.Client, error) {
		db, err := sql.Open("mysql", dsn)
		if err != nil {
			return nil, err
		}
		db.SetMaxOpenConns(1)
		return client{db}, nil
	},
	Open: func(dsn string, tables tabletest.Tables, logger *slog.Logger) (*Target, error) {
		return Open(Config{DSN: dsn, Tables: tables}, Options{Sink: "shop", Logger: logger})
	},
	Pool: func(dsn string) (table.Pool, string, error) {
		return openPool(&Config{DSN: dsn})
	},
	Dialect: newDialect,
	Words: tabletest.Words{
		"exact": "COLLATE utf8mb4_nopad_bin", "fold": "COLLATE utf8mb4_general_ci",
		"serial": "int AUTO_INCREMENT", "flag": "tinyint", "rank": "`rank`",
		"waiting": "information_schema.processlist WHERE command = 'Query' AND info",
	},
}

// client is one connection.
type client struct{ *sql.DB }

// Query implements tabletest.Client.
func (c client) Query(ctx context.Context, statement string) (out [][]*string, err error) {
	rows, err := c.QueryContext(ctx, statement)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		vals, dest := make([]*string, len(columns)), make([]any, len(columns))
		for i := range vals {
			dest[i] = &vals[i]
		}
		if err := rows.Scan(dest...); err != nil {
			return nil, err
		}
		out = append(out, vals)
	}
	return out, rows.Err()
}

func TestContract(t *testing.T)  { tabletest.Contract(t, kit) }
func TestOwnership(t *testing.T) { tabletest.Ownership(t, kit) }
func TestSwaps(t *testing.T)     { tabletest.Swaps(t, kit) }
func TestFailures(t *testing.T)  { tabletest.Failures(t, kit) }
