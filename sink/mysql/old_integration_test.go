//go:build integration

package mysql

import (
	"database/sql"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"

	"shelfstream/sink"
)

var databases atomic.Int64

// database makes a database; statements are run in it.
func database(t *testing.T, statements ...string) (dsn string, db *sql.DB) {
	t.Helper()
	name := fmt.Sprintf("t%d", databases.Add(1))
	dsn, err := server.CreateDatabase(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	if len(statements) > 0 {
		if err := server.Exec(t.Context(), name, strings.Join(statements, ";\n")); err != nil {
			t.Fatal(err)
		}
	}
	if db, err = sql.Open("mysql", dsn); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return dsn, db
}

// target opens a checked target.
func target(t *testing.T, cfg Config, views ...sink.View) *Target {
	t.Helper()
	tg, err := Open(cfg, Options{Sink: "shop", Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tg.Close() })
	faults, err := tg.Check(t.Context(), views)
	if err != nil || len(faults) > 0 {
		t.Fatalf("Check: %v %v", faults, err)
	}
	return tg
}

func open(t *testing.T, tg *Target, v sink.View, id int32) sink.Session {
	t.Helper()
	s, err := tg.Open(t.Context(), sink.Partition{View: v, ID: id, Owner: t.Name()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// rows gives the result of a query, values joined by "|", null as "-".
func rows(t *testing.T, db *sql.DB, query string, args ...any) []string {
	t.Helper()
	rs, err := db.QueryContext(t.Context(), query, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rs.Close()
	cols, err := rs.Columns()
	if err != nil {
		t.Fatal(err)
	}
	out := []string{}
	for rs.Next() {
		vals := make([]sql.NullString, len(cols))
		dest := make([]any, len(cols))
		for i := range vals {
			dest[i] = &vals[i]
		}
		if err := rs.Scan(dest...); err != nil {
			t.Fatal(err)
		}
		parts := make([]string, len(cols))
		for i, v := range vals {
			parts[i] = "-"
			if v.Valid {
				parts[i] = v.String
			}
		}
		out = append(out, strings.Join(parts, "|"))
	}
	if err := rs.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// innodbDeadlocks counts those the server has broken up since it started.
func innodbDeadlocks(t *testing.T, db *sql.DB) int {
	t.Helper()
	var name string
	var n int
	if err := db.QueryRowContext(t.Context(), "SHOW GLOBAL STATUS LIKE 'Innodb_deadlocks'").Scan(&name, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// lastDeadlock is what the server tells of it, without the records' contents.
func lastDeadlock(t *testing.T, db *sql.DB) string {
	t.Helper()
	var kind, name, text string
	if err := db.QueryRowContext(t.Context(), "SHOW ENGINE INNODB STATUS").Scan(&kind, &name, &text); err != nil {
		t.Fatal(err)
	}
	_, text, _ = strings.Cut(text, "LATEST DETECTED DEADLOCK")
	text, _, _ = strings.Cut(text, "\nTRANSACTIONS\n")
	var out []string
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(strings.TrimLeft(line, " 0123456789"), ": len") {
			out = append(out, line[:min(len(line), 400)])
		}
	}
	return strings.Join(out, "")
}
