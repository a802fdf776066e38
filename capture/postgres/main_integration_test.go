//go:build integration

package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"shelfstream/capture"
	"shelfstream/capture/capturetest"
	"shelfstream/internal/fault"
	"shelfstream/internal/testenv"
)

// server is shared by all tests of the package; each has a database of its own.
var server *testenv.Postgres

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) int {
	var err error
	server, err = testenv.StartPostgres(context.Background(), "", testenv.PostgresNoFsync(), testenv.PostgresSetting("max_wal_size", "4GB"))
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

var databases atomic.Int64

// database is one test's.
type database struct {
	testing.TB
	name string
	dsn  string
	conn *pgx.Conn
}

func newDatabase(t testing.TB, statements ...string) *database {
	t.Helper()
	name := fmt.Sprintf("t%d", databases.Add(1))
	dsn, err := server.CreateDatabase(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	d := &database{TB: t, name: name, dsn: dsn}
	d.reconnect()
	t.Cleanup(func() {
		d.conn.Close(context.Background())
		if err := server.DropDatabase(context.Background(), name); err != nil {
			t.Error(err)
		}
	})
	d.exec(statements...)
	return d
}

// reconnect is needed after a restart of the server.
func (d *database) reconnect() {
	d.Helper()
	conn, err := pgx.Connect(d.Context(), d.dsn)
	if err != nil {
		d.Fatal(err)
	}
	d.conn = conn
}

// beside gives a second connection while the first is in a transaction. No limit of the database's ends it.
func (d *database) beside(use func(*database)) {
	d.Helper()
	other := &database{TB: d.TB, name: d.name, dsn: d.dsn + "&idle_session_timeout=0"}
	other.reconnect()
	defer other.conn.Close(context.Background())
	use(other)
}

// exec runs each statement, or each list of statements in one transaction.
func (d *database) exec(statements ...string) {
	d.Helper()
	for _, s := range statements {
		if _, err := d.conn.PgConn().Exec(d.Context(), s).ReadAll(); err != nil {
			d.Fatalf("%s: %v", s, err)
		}
	}
}

// text gives a query's rows as text, columns joined by "|".
func (d *database) text(sql string) []string {
	d.Helper()
	results, err := d.conn.PgConn().Exec(d.Context(), sql).ReadAll()
	if err != nil {
		d.Fatalf("%s: %v", sql, err)
	}
	var rows []string
	for _, r := range results {
		for _, row := range r.Rows {
			cells := make([]string, len(row))
			for i, c := range row {
				cells[i] = string(c)
			}
			rows = append(rows, strings.Join(cells, "|"))
		}
	}
	return rows
}

func (d *database) one(sql string) string {
	d.Helper()
	rows := d.text(sql)
	if len(rows) != 1 {
		d.Fatalf("%s: %d rows", sql, len(rows))
	}
	return rows[0]
}

// config is a source on the database that captures tables of the same names.
func (d *database) config(tables map[string]capture.TableConfig) Config {
	return Config{DSN: d.dsn, Pipeline: "p", Source: d.name, Tables: tables, Heartbeat: 50 * time.Millisecond, StatusEvery: 20 * time.Millisecond, SnapshotLanes: 3}
}

func (d *database) slot() string { return "shelfstream_p_" + d.name }

// tables names captured tables without more.
func tables(names ...string) map[string]capture.TableConfig {
	m := map[string]capture.TableConfig{}
	for _, n := range names {
		m[n] = capture.TableConfig{}
	}
	return m
}

// until polls a condition.
func until(t testing.TB, what string, cond func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if err := testenv.WaitFor(ctx, what, func() (bool, error) { return cond(), nil }); err != nil {
		t.Fatal(err)
	}
}

// running is a source at work against a recorder.
type running struct {
	*capturetest.Recorder
	t     testing.TB
	cfg   Config
	src   *Source
	ended chan error
	end   context.CancelFunc
	ctx   context.Context
}

// start runs a source from the recorder's checkpoint, with the snapshots that the runner would ask for and those given.
func start(t testing.TB, cfg Config, rec *capturetest.Recorder, fresh bool, resnapshot ...string) *running {
	t.Helper()
	src, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if rec == nil {
		rec = capturetest.NewRecorder(t, nil)
	}
	rec.Reopen(src.Confirm)
	from := capture.Start{Checkpoint: rec.Checkpoint(), Fresh: fresh}
	for name := range cfg.Tables {
		if fresh || from.Checkpoint == nil || from.Checkpoint.Topic("test."+name) == nil || contains(resnapshot, name) {
			from.Snapshot = append(from.Snapshot, name)
		}
	}
	r := &running{Recorder: rec, t: t, cfg: cfg, src: src, ended: make(chan error, 1)}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	r.ctx, r.end = ctx, cancel
	go func() {
		err := src.Run(ctx, from, rec)
		r.ended <- err
	}()
	return r
}

// wait polls, and fails at once if the source ends.
func (r *running) wait(what string, cond func() bool) {
	r.t.Helper()
	until(r.t, what, func() bool {
		select {
		case err := <-r.ended:
			r.t.Fatalf("while waiting for %s, Run ended with %v", what, err)
		default:
		}
		return cond()
	})
}

// heal is wait for what may take a new Run, which the runner begins after an error. A lost position is none that passes.
func (r *running) heal(what string, cond func() bool) {
	r.t.Helper()
	until(r.t, what, func() bool {
		select {
		case err := <-r.ended:
			r.end()
			if errors.Is(err, capture.ErrPositionLost) {
				r.t.Fatalf("while waiting for %s: %v", what, err)
			}
			r.t.Logf("%s: %v", what, err)
			*r = *start(r.t, r.cfg, r.Recorder, false)
		default:
		}
		return cond()
	})
}

// stop ends the source as an operator would.
func (r *running) stop() {
	r.t.Helper()
	r.end()
	if err := <-r.ended; err != nil {
		r.t.Errorf("Run ended with %v", err)
	}
}

// leave is stop for a source that may just have found a table to be read anew.
func (r *running) leave() {
	r.t.Helper()
	r.end()
	err := <-r.ended
	if f := fault.All(err); err != nil && (len(f) != 1 || f[0].Cause != fault.PostgresTableChanged) {
		r.t.Errorf("Run ended with %v", err)
	}
}

// failure waits until the source ends by itself and gives its error.
func (r *running) failure() error {
	r.t.Helper()
	select {
	case err := <-r.ended:
		r.end()
		if err == nil {
			r.t.Fatal("Run ended without an error")
		}
		return err
	case <-r.ctx.Done():
		r.t.Fatal("Run did not end")
		return nil
	}
}

// equals says whether the recorder's rows of a table are those of a query whose first column is the key as text.
func (r *running) equals(d *database, table, sql string) bool {
	d.Helper()
	got, want := r.Rows(table), d.text(sql)
	if len(got) != len(want) {
		return false
	}
	for _, row := range want {
		key, _, _ := strings.Cut(row, "|")
		if got[key] != row {
			return false
		}
	}
	return true
}
