//go:build integration

package mysql

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"strconv"
	"strings"
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
	if onMySQL() {
		maps.Copy(kit.Words, tabletest.Words{"exact": "COLLATE utf8mb4_0900_bin", "int": "int", "smallint": "smallint", "too small fault": "int unsigned"})
		kit.Session.Query = strings.Replace(kit.Session.Query, "tx_isolation", "transaction_isolation", 1)
	}
	return m.Run()
}

func onMySQL() bool { return strings.HasPrefix(server.Version(), "MySQL") }

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
	Narrow: func(d *tabletest.Database) string {
		d.Exec("DROP USER IF EXISTS 'narrow'@'%'", "CREATE USER 'narrow'@'%' IDENTIFIED BY 'pw'", "GRANT SELECT ON {database}.* TO 'narrow'@'%'", "GRANT INSERT, UPDATE ON {database}.product TO 'narrow'@'%'")
		return server.DSNAs("narrow", "pw", d.Name)
	},
	Plain: func(d *tabletest.Database) string {
		d.Exec("DROP USER IF EXISTS 'plain'@'%'", "CREATE USER 'plain'@'%' IDENTIFIED BY 'pw'", "GRANT ALL ON {database}.* TO 'plain'@'%'")
		return server.DSNAs("plain", "pw", d.Name)
	},
	ReadOnly: []string{"SET GLOBAL read_only = 1"}, Writable: []string{"SET GLOBAL read_only = 0"},
	Session: tabletest.Session{
		Wrong:  []string{"SET GLOBAL autocommit = 0", "SET GLOBAL sql_mode = ''", "SET GLOBAL foreign_key_checks = 0"},
		Right:  []string{"SET GLOBAL autocommit = 1", "SET GLOBAL sql_mode = DEFAULT", "SET GLOBAL foreign_key_checks = 1"},
		Params: "charset=latin1&sql_safe_updates=1&time_zone=%27%2B05:00%27",
		Query:  "SELECT @@autocommit, @@foreign_key_checks, @@sql_safe_updates, @@time_zone, @@character_set_client, @@character_set_results, @@sql_mode LIKE '%STRICT_ALL%', @@tx_isolation",
		Want:   "1|1|0|+00:00|utf8mb4|utf8mb4|1|READ-COMMITTED",
	},
	Deadlocks: func(d *tabletest.Database) (int, string) {
		count := ""
		if onMySQL() {
			count = d.Rows("SELECT count FROM information_schema.innodb_metrics WHERE name = 'lock_deadlocks'")[0]
		} else {
			_, count, _ = strings.Cut(d.Rows("SHOW GLOBAL STATUS LIKE 'Innodb_deadlocks'")[0], "|")
		}
		n, err := strconv.Atoi(count)
		if err != nil {
			d.T.Fatal(err)
		}
		_, text, _ := strings.Cut(d.Rows("SHOW ENGINE INNODB STATUS")[0], "LATEST DETECTED DEADLOCK")
		text, _, _ = strings.Cut(text, "\nTRANSACTIONS\n")
		var out []string
		for line := range strings.Lines(text) {
			if !strings.HasPrefix(strings.TrimLeft(line, " 0123456789"), ": len") { // the records' contents
				out = append(out, line[:min(len(line), 400)])
			}
		}
		return n, strings.Join(out, "")
	},
	Words: tabletest.Words{
		"exact": "COLLATE utf8mb4_nopad_bin", "fold": "COLLATE utf8mb4_general_ci",
		"serial": "int AUTO_INCREMENT", "flag": "tinyint", "rank": "`rank`",
		"waiting": "information_schema.processlist WHERE command = 'Query' AND info",
		"text":    "longtext", "json": "json", "datetime": "datetime", "schema": "DATABASE()", "true": "1 = SLEEP(0) + 1", "connection": "CONNECTION_ID()", "erp": "",
		"varchar": "varchar", "int": "int(11)", "smallint": "smallint(6)", "decimal": "decimal", "not utf8": "character set",
		"folded key": "varchar(20) COLLATE utf8mb4_general_ci", "folded key fault": "its collation utf8mb4_general_ci", "too small": "int unsigned", "too small fault": "int(10) unsigned",
		"engine": "ENGINE=MyISAM", "engine fault": "engine MyISAM",
		"narrow": "'narrow'@'%'", "narrow lacks": "CREATE, INSERT, UPDATE, DELETE", "narrow grant": "`{database}`.* TO 'narrow'@'%'",
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

func TestContract(t *testing.T)       { tabletest.Contract(t, kit) }
func TestOwnership(t *testing.T)      { tabletest.Ownership(t, kit) }
func TestSwaps(t *testing.T)          { tabletest.Swaps(t, kit) }
func TestLocks(t *testing.T)          { tabletest.Locks(t, kit) }
func TestOrders(t *testing.T)         { tabletest.Orders(t, kit) }
func TestOthersRows(t *testing.T)     { tabletest.OthersRows(t, kit) }
func TestRows(t *testing.T)           { tabletest.Rows(t, kit) }
func TestChecks(t *testing.T)         { tabletest.Checks(t, kit) }
func TestServerSettings(t *testing.T) { tabletest.ServerSettings(t, kit) }
func TestFailures(t *testing.T)       { tabletest.Failures(t, kit) }
