//go:build integration

package postgres

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"shelfstream/sink"
)

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
