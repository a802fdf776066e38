//go:build integration

package mysql

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	_ "github.com/go-sql-driver/mysql" // the driver

	"shelfstream/internal/testenv"
)

// server is shared by all tests of the package; each has a database of its own.
var server *testenv.MariaDB

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) int {
	var err error
	server, err = testenv.StartMariaDB(context.Background(), "", testenv.MariaDBRelaxed(), testenv.MariaDBCaptured())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if err := server.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	return code
}

// needsMariaDB is for what MySQL does not have.
func needsMariaDB(t *testing.T) {
	t.Helper()
	if onMySQL() {
		t.Skip("MySQL has no such thing")
	}
}

func onMySQL() bool { return strings.HasPrefix(server.Version(), "MySQL") }

var databases atomic.Int64

// database is one test's, on the shared server or on one of its own.
type database struct {
	testing.TB
	server *testenv.MariaDB
	name   string
	conn   *sql.Conn
}

func newDatabase(t testing.TB, statements ...string) *database {
	t.Helper()
	return newDatabaseOn(t, server, statements...)
}

func newDatabaseOn(t testing.TB, on *testenv.MariaDB, statements ...string) *database {
	t.Helper()
	d := &database{TB: t, server: on, name: fmt.Sprintf("t%d", databases.Add(1))}
	if _, err := on.CreateDatabase(t.Context(), d.name); err != nil {
		t.Fatal(err)
	}
	d.connect()
	t.Cleanup(func() {
		if err := on.DropDatabase(context.Background(), d.name); err != nil {
			t.Log(err) // a test may have left the server down
		}
	})
	d.exec(statements...)
	return d
}

func (d *database) dsn() string { return d.server.DSN(d.name) }

// connect opens the connection for statements, anew after a restart of the server.
func (d *database) connect() {
	d.Helper()
	db, err := sql.Open("mysql", d.dsn())
	if err != nil {
		d.Fatal(err)
	}
	if d.conn, err = db.Conn(d.Context()); err != nil {
		d.Fatal(err)
	}
	d.Cleanup(func() { _ = db.Close() })
}

// sequence is one of MariaDB's tables of numbers, which need not be made.
var sequence = regexp.MustCompile(`seq_1_to_(\d+)`)

// exec runs statements one after another on the same connection.
func (d *database) exec(statements ...string) {
	d.Helper()
	for _, s := range statements {
		if m := sequence.FindStringSubmatch(s); m != nil && onMySQL() {
			d.exec("SET cte_max_recursion_depth = 10000000", "CREATE TABLE IF NOT EXISTS numbers_to_"+m[1]+` AS
				WITH RECURSIVE s (seq) AS (SELECT 1 UNION ALL SELECT seq + 1 FROM s WHERE seq < `+m[1]+") SELECT CAST(seq AS UNSIGNED) seq FROM s")
			s = strings.ReplaceAll(s, m[0], "numbers_to_"+m[1])
		}
		if _, err := d.conn.ExecContext(d.Context(), s); err != nil {
			d.Fatalf("%s: %v", s, err)
		}
	}
}

// text gives a query's rows as text, columns joined by "|".
func (d *database) text(query string) []string {
	d.Helper()
	rows, err := d.conn.QueryContext(d.Context(), query)
	if err != nil {
		d.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		d.Fatal(err)
	}
	var out []string
	for rows.Next() {
		cells, into := make([]sql.NullString, len(columns)), make([]any, len(columns))
		for i := range cells {
			into[i] = &cells[i]
		}
		if err := rows.Scan(into...); err != nil {
			d.Fatalf("%s: %v", query, err)
		}
		row := make([]string, len(cells))
		for i := range cells {
			if row[i] = cells[i].String; !cells[i].Valid {
				row[i] = "null"
			}
		}
		out = append(out, strings.Join(row, "|"))
	}
	if err := rows.Err(); err != nil {
		d.Fatalf("%s: %v", query, err)
	}
	return out
}

// one is the only row of a query.
func (d *database) one(query string) string {
	d.Helper()
	rows := d.text(query)
	if len(rows) != 1 {
		d.Fatalf("%s: %d rows", query, len(rows))
	}
	return rows[0]
}
