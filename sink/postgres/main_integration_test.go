//go:build integration

package postgres

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"shelfstream/internal/testenv"
	"shelfstream/sink"
	"shelfstream/sink/sinktest"
)

// server is the package's PostgreSQL; each test has a database of its own.
var server *testenv.Postgres

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	var err error
	if server, err = testenv.StartPostgres(ctx, "", testenv.PostgresNoFsync()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer server.Close()
	return m.Run()
}

var databases atomic.Int64

// db is a connection of the test's own.
type db struct {
	t *testing.T
	c *pgconn.PgConn
}

// database makes a database; statements are run in it.
func database(t *testing.T, statements ...string) (dsn string, d db) {
	t.Helper()
	name := fmt.Sprintf("t%d", databases.Add(1))
	dsn, err := server.CreateDatabase(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	c, err := pgconn.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	d = db{t, c}
	d.exec(statements...)
	return dsn, d
}

func (d db) exec(statements ...string) {
	d.t.Helper()
	for _, s := range statements {
		if _, err := d.c.Exec(d.t.Context(), s).ReadAll(); err != nil {
			d.t.Fatalf("%s: %v", s, err)
		}
	}
}

// rows gives the result of a query, values joined by "|", null as "-".
func rows(t *testing.T, d db, query string) []string {
	t.Helper()
	results, err := d.c.Exec(t.Context(), query).ReadAll()
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	out := []string{}
	for _, r := range results[len(results)-1].Rows {
		parts := make([]string, len(r))
		for i, v := range r {
			parts[i] = "-"
			if v != nil {
				parts[i] = string(v)
			}
		}
		out = append(out, strings.Join(parts, "|"))
	}
	return out
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

// The contract, with a name that is refused before it is sent, and with one that only the server refuses, so that it is found by bisection.
func TestContract(t *testing.T) {
	for name, c := range map[string]struct{ ddl, bad string }{
		"too long": {"CREATE TABLE product (no bigint PRIMARY KEY, name varchar(40), counter bigint)", strings.Repeat("x", 41)},
		"check":    {"CREATE TABLE product (no bigint PRIMARY KEY, name varchar(40), counter bigint, CONSTRAINT nice CHECK (name <> 'bad'))", "bad"},
	} {
		t.Run(name, func(t *testing.T) {
			sinktest.Run(t, func(t *testing.T) sinktest.Harness {
				dsn, d := database(t, c.ddl)
				tg := target(t, Config{DSN: dsn, Tables: map[string]TableConfig{"product": {From: "product"}}}, sinktest.View())
				return sinktest.Harness{Target: tg, BadName: c.bad, NoNUL: true, Rows: func(t *testing.T) map[int64]string {
					out := map[int64]string{}
					for _, r := range rows(t, d, "SELECT no, name, counter FROM product") {
						no, rest, _ := strings.Cut(r, "|")
						var n int64
						fmt.Sscan(no, &n)
						out[n] = rest
					}
					return out
				}}
			})
		})
	}
}
