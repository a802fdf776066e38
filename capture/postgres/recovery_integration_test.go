//go:build integration

package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"shelfstream/capture"
	"shelfstream/capture/capturetest"
	"shelfstream/internal/fault"
	"shelfstream/internal/testenv"
	"shelfstream/schemas"
)

// onceCaptured runs a source on a new counter table until its snapshot is done, and stops it.
func onceCaptured(t *testing.T) (*database, *capturetest.Recorder) {
	t.Helper()
	d := newDatabase(t, fmt.Sprintf(counterTable, "a"))
	r := start(t, d.config(tables("a")), nil, false)
	r.wait("the snapshot", func() bool { return r.Checkpoint() != nil })
	r.stop()
	until(t, "the slot to be free", func() bool {
		return d.one("SELECT active::text FROM pg_replication_slots WHERE slot_name = '"+d.slot()+"'") == "false"
	})
	return d, r.Recorder
}

// wantLost checks that the source refuses to go on, by name and with the remedy, and that the remedy helps.
func wantLost(t *testing.T, d *database, rec *capturetest.Recorder, what string) {
	t.Helper()
	err := start(t, d.config(tables("a")), rec, false).failure()
	f := fault.All(err)
	if !errors.Is(err, capture.ErrPositionLost) || len(f) != 1 || f[0].Class != fault.Environment || !strings.Contains(f[0].What, what) ||
		f[0].Fix != "shelfstream capture resnapshot -source "+d.name {
		t.Fatalf("the fault is %v", err)
	}
	d.exec("UPDATE a SET n = n + 1")
	r := start(t, d.config(tables("a")), rec, true)
	r.wait("the resnapshot", func() bool { return r.equals(d, "a", "SELECT * FROM a") })
	d.exec("UPDATE a SET n = n + 1")
	r.wait("the stream after it", func() bool { return r.equals(d, "a", "SELECT * FROM a") })
	r.stop()
}

func TestSlotDropped(t *testing.T) {
	d, rec := onceCaptured(t)
	d.exec("SELECT pg_drop_replication_slot('" + d.slot() + "')")
	wantLost(t, d, rec, "does not exist any more")
}

func TestSlotMadeAnew(t *testing.T) {
	d, rec := onceCaptured(t)
	d.exec("SELECT pg_drop_replication_slot('"+d.slot()+"')", "UPDATE a SET n = 1", "SELECT pg_create_logical_replication_slot('"+d.slot()+"', 'pgoutput')")
	wantLost(t, d, rec, "after the checkpoint's position")
}

func TestSlotInvalidated(t *testing.T) {
	d, rec := onceCaptured(t)
	d.exec("ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'", "SELECT pg_reload_conf()")
	defer d.exec("ALTER SYSTEM RESET max_slot_wal_keep_size", "SELECT pg_reload_conf()")
	until(t, "the slot to be lost", func() bool {
		d.exec("UPDATE a SET n = n + 1", "SELECT pg_switch_wal()", "CHECKPOINT") // whose process reads the setting when it is told
		return d.one("SELECT wal_status FROM pg_replication_slots WHERE slot_name = '"+d.slot()+"'") == "lost"
	})
	faults, err := mustNew(t, d.config(tables("a"))).Preflight(t.Context())
	if err != nil || len(faults) != 1 || !errors.Is(faults[0], capture.ErrPositionLost) {
		t.Errorf("preflight says %v %v", faults, err)
	}
	wantLost(t, d, rec, "removed WAL")
}

func TestPublicationDropped(t *testing.T) {
	d, rec := onceCaptured(t)
	d.exec("DROP PUBLICATION " + d.slot())
	wantLost(t, d, rec, "publication")
}

// TestPublicationMadeAnew: between the two the stream has a hole. PostgreSQL refuses to read over it; from 18 on it does so without a word, and the table's other entry in the publication tells.
func TestPublicationMadeAnew(t *testing.T) {
	d, rec := onceCaptured(t)
	d.exec("DROP PUBLICATION "+d.slot(), "UPDATE a SET n = 5", "CREATE PUBLICATION "+d.slot()+" FOR TABLE ONLY a WITH (publish_via_partition_root = true)")
	if d.one("SELECT (current_setting('server_version_num')::int >= 180000)::text") == "true" {
		r := start(t, d.config(tables("a")), rec, false)
		r.wait("the table read anew", func() bool { return r.equals(d, "a", "SELECT * FROM a") })
		r.stop()
		return
	}
	wantLost(t, d, rec, "did not exist when changes after the checkpoint were made")
}

// TestSessionLimits: limits that a DBA sets for people's sessions end neither the waiting for a slot nor a snapshot.
func TestSessionLimits(t *testing.T) {
	d := newDatabase(t, fmt.Sprintf(counterTable, "a"), fmt.Sprintf(counterTable, "b"))
	d.exec("ALTER DATABASE " + d.name + " SET idle_session_timeout = '1s'") // it counts from the login on, before anybody can take it off
	r := start(t, d.config(tables("a")), nil, false)
	r.wait("the snapshot", func() bool { return r.Checkpoint() != nil })
	r.stop()
	// A slot waits until the transactions that are writing have ended.
	d.exec("BEGIN; UPDATE a SET n = n + 1")
	r = start(t, d.config(tables("a", "b")), r.Recorder, false)
	d.beside(func(beside *database) {
		r.wait("the slot to be waited for", func() bool {
			return beside.one("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND backend_type = 'walsender' AND now() - query_start > '1500ms'") == "1"
		})
	})
	d.exec("COMMIT")
	r.wait("the table added", func() bool { return r.equals(d, "b", "SELECT * FROM b") && r.equals(d, "a", "SELECT * FROM a") })
	r.stop()
}

// TestSnapshotCutOff: the connections break in the middle of the first snapshot, and in that of a table added later; the next Run reads all of it.
func TestSnapshotCutOff(t *testing.T) {
	d := newDatabase(t, "CREATE TABLE a (id int PRIMARY KEY, v text); ALTER TABLE a REPLICA IDENTITY FULL; INSERT INTO a SELECT i, repeat('x', 500) FROM generate_series(1, 20000) i", fmt.Sprintf(counterTable, "b"))
	proxy, err := testenv.NewProxy(server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	cut := func(tables map[string]capture.TableConfig, from capture.Start) {
		t.Helper()
		cfg := d.config(tables)
		cfg.DSN = server.DSNThrough(proxy, d.name)
		log := &cutting{collector: &collector{}, cut: proxy.Cut, after: 1000}
		err := mustNew(t, cfg).Run(t.Context(), from, log)
		if n := log.rows.Load(); err == nil || errors.Is(err, capture.ErrPositionLost) || n < 1000 || n >= 20000 || log.end.Load() != nil {
			t.Fatalf("after %d rows Run ended with %v", n, err)
		}
		if err := proxy.Heal(); err != nil {
			t.Fatal(err)
		}
	}
	cut(tables("a"), capture.Start{Snapshot: []string{"a"}})
	r := start(t, d.config(tables("b")), nil, true)
	r.wait("a snapshot", func() bool { return r.Checkpoint() != nil })
	r.stop()
	cut(tables("a", "b"), capture.Start{Checkpoint: r.Checkpoint(), Snapshot: []string{"a"}})
	d.exec("UPDATE a SET v = 'y' WHERE id <= 10", "DELETE FROM a WHERE id > 19990", "UPDATE b SET n = 1")
	r = start(t, d.config(tables("a", "b")), r.Recorder, false)
	r.wait("all rows", func() bool { return r.equals(d, "a", "SELECT * FROM a") && r.equals(d, "b", "SELECT * FROM b") })
	r.stop()
	until(t, "the temporary slots to be gone", func() bool {
		return d.one("SELECT count(*) FROM pg_replication_slots WHERE database = current_database()") == "1"
	})
}

// cutting is a log that cuts the connections off after so many rows.
type cutting struct {
	*collector
	cut   func()
	after int64
	once  sync.Once
}

func (l *cutting) Snapshot(context.Context, capture.Position, []string) (capture.Snapshot, error) {
	return l, nil
}

func (l *cutting) Row(ctx context.Context, lane int, h capture.Handle, row []schemas.Value) error {
	if l.rows.Load() >= l.after {
		l.once.Do(l.cut)
	}
	return l.collector.Row(ctx, lane, h, row)
}

func TestAnotherServer(t *testing.T) {
	d, rec := onceCaptured(t)
	src := mustNew(t, d.config(tables("a")))
	for what, change := range map[string]func(system string) (string, string){
		"another server": func(string) (string, string) { return "1234/1", rec.Checkpoint().Position },
		"later": func(s string) (string, string) {
			return s[:strings.IndexByte(s, '/')] + "/9", rec.Checkpoint().Position
		},
		"set back to an older state": func(s string) (string, string) { return s, "FFFFFF/0" },
		"cannot be read":             func(s string) (string, string) { return s, "nonsense" },
	} {
		c := *rec.Checkpoint()
		c.System, c.Position = change(c.System)
		err := src.Run(t.Context(), capture.Start{Checkpoint: &c}, &collector{})
		if !errors.Is(err, capture.ErrPositionLost) || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestTableMadeAnew: a table that was dropped and made again has left the publication; it is published and read anew by itself.
func TestTableMadeAnew(t *testing.T) {
	d, rec := onceCaptured(t)
	d.exec("DROP TABLE a", "CREATE TABLE a (id int PRIMARY KEY, n int, more text)", "INSERT INTO a VALUES (1, 1, NULL), (500, 5, 'five')", "ALTER TABLE a REPLICA IDENTITY FULL")
	r := start(t, d.config(tables("a")), rec, false)
	r.wait("the new table", func() bool { return len(r.Rows("a")) == 2 && r.has("a", "500") })
	d.exec("DELETE FROM a WHERE id = 1")
	r.wait("its changes", func() bool { return len(r.Rows("a")) == 1 })
	r.stop()
}

func (r *running) has(table, key string) bool {
	_, ok := r.Rows(table)[key]
	return ok
}

// TestServerRestarts: the server is killed, stopped cleanly, and its connections cut while rows are written; nothing is lost and nothing
// comes twice, though each new Run begins at the newest checkpoint.
func TestServerRestarts(t *testing.T) {
	d := newDatabase(t, fmt.Sprintf(counterTable, "a"))
	proxy, err := testenv.NewProxy(server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	cfg := d.config(tables("a"))
	cfg.DSN = server.DSNThrough(proxy, d.name)
	rec := capturetest.NewRecorder(t, nil)
	r := start(t, cfg, rec, false)
	r.wait("the snapshot", func() bool { return rec.Checkpoint() != nil })
	restart := map[int]func() error{
		1: func() error { return errors.Join(server.Kill(), server.Restart(t.Context())) },
		2: func() error {
			// A clean stop waits for the walsender, and that for our confirmation.
			ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
			defer cancel()
			return errors.Join(server.Stop(ctx), server.Restart(t.Context()))
		},
		3: func() error { proxy.Cut(); return proxy.Heal() },
	}
	for round := range 6 {
		for i := range 300 {
			if _, err := d.conn.Exec(t.Context(), fmt.Sprintf("UPDATE a SET n = n + 1 WHERE id = %d", i%200)); err != nil {
				t.Fatal(err)
			}
		}
		if round%2 == 0 {
			r.wait("some of it", func() bool { return len(rec.Events()) > round*300 })
		}
		if err := restart[round%3+1](); err != nil {
			t.Fatal(err)
		}
		d.reconnect()
		// Whoever is told of the first error is not told of another one when the server does not answer after it.
		err := r.failure()
		if f := fault.All(err); len(f) != 1 || f[0].Cause != fault.PostgresUnreachable && f[0].Cause != fault.PostgresNotAccepting {
			t.Fatalf("round %d: %v", round, err)
		}
		r = start(t, cfg, rec, false)
	}
	r.wait("the end", func() bool { return r.equals(d, "a", "SELECT * FROM a") })
	r.stop()
	// What lay beyond a checkpoint comes again, so numbers may be seen anew; but none may be skipped.
	last := map[int64]int64{}
	for _, e := range rec.Events() {
		if e.Kind == "row" || e.Kind == "change" {
			if n := e.Row[1].Int; n > last[e.Row[0].Int]+1 {
				t.Fatalf("row %d went from %d to %d", e.Row[0].Int, last[e.Row[0].Int], n)
			}
			last[e.Row[0].Int] = e.Row[1].Int
		}
	}
}

// TestIdle: while only a table is written that is not captured, the slot moves on all the same, so WAL does not pile up.
func TestIdle(t *testing.T) {
	d := newDatabase(t, fmt.Sprintf(counterTable, "a"), "CREATE TABLE other (v text)")
	r := start(t, d.config(tables("a")), nil, false)
	r.wait("the snapshot", func() bool { return r.Checkpoint() != nil })
	slot := func(column string) string {
		return d.one("SELECT " + column + " FROM pg_replication_slots WHERE slot_name = '" + d.slot() + "'")
	}
	restart, confirmed := slot("restart_lsn"), slot("confirmed_flush_lsn")
	r.wait("restart_lsn to move past 8 MB of WAL", func() bool {
		d.exec("INSERT INTO other SELECT repeat('x', 1000) FROM generate_series(1, 1000)", "CHECKPOINT")
		return d.one(fmt.Sprintf("SELECT (restart_lsn > '%s'::pg_lsn + 8388608 AND confirmed_flush_lsn > '%s')::text FROM pg_replication_slots WHERE slot_name = '%s'", restart, confirmed, d.slot())) == "true"
	})
	r.stop()
	for _, e := range r.Events() {
		if e.Kind == "change" {
			t.Error("a change came of a table that is not captured")
		}
	}
	if r.Checkpoint().Heartbeat != true {
		t.Error("the newest checkpoint is not a heartbeat")
	}
}

// TestUnconfirmed: the slot does not move past what the log has not confirmed, however often the server offers.
func TestUnconfirmed(t *testing.T) {
	d := newDatabase(t, fmt.Sprintf(counterTable, "a"), "CREATE TABLE other (v text)")
	log := &collector{}
	src := mustNew(t, d.config(tables("a")))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- src.Run(ctx, capture.Start{Snapshot: []string{"a"}}, log) }()
	until(t, "the snapshot", func() bool { return log.end.Load() != nil || len(ended) > 0 })
	confirmed := d.one("SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = '" + d.slot() + "'")
	for range 5 {
		d.exec("INSERT INTO other VALUES ('x')", "UPDATE a SET n = n + 1 WHERE id = 1")
		before := log.last.Load()
		until(t, "a commit", func() bool { return log.last.Load() != before })
	}
	until(t, "heartbeats past it", func() bool { return log.last.Load().Heartbeat })
	if now := d.one("SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = '" + d.slot() + "'"); now != confirmed {
		t.Errorf("the slot went from %s to %s though nothing was confirmed", confirmed, now)
	}
	// Everything the log got until then is confirmed at once, and the server hears of it.
	at := log.last.Load().Position
	src.Confirm(at)
	until(t, "the slot to follow", func() bool {
		return d.one("SELECT (confirmed_flush_lsn >= '"+string(at)+"')::text FROM pg_replication_slots WHERE slot_name = '"+d.slot()+"'") == "true"
	})
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestPredecessorHangs: a source of the same slot that was cut off but still holds it, as a stopped process does, is disconnected.
func TestPredecessorHangs(t *testing.T) {
	d := newDatabase(t, fmt.Sprintf(counterTable, "a"))
	hangs, hang := make(chan struct{}), make(chan struct{})
	log := &collector{}
	log.at = func(capture.Meta) { close(hangs); <-hang }
	src := mustNew(t, d.config(tables("a")))
	ended := make(chan error, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	go func() { ended <- src.Run(ctx, capture.Start{Snapshot: []string{"a"}}, log) }()
	until(t, "the snapshot", func() bool { return log.end.Load() != nil || len(ended) > 0 })
	d.exec("UPDATE a SET n = 1 WHERE id = 1")
	until(t, "the predecessor to hang", func() bool {
		select {
		case <-hangs:
			return true
		default:
			return len(ended) > 0
		}
	})
	defer func() {
		close(hang)
		if t.Failed() {
			cancel()
		}
		if err := <-ended; err == nil {
			t.Error("the predecessor goes on")
		}
	}()
	rec := capturetest.NewRecorder(t, nil)
	r := start(t, d.config(tables("a")), rec, false)
	r.wait("the successor", func() bool { return rec.Checkpoint() != nil })
	r.stop()
	until(t, "the slot to be free", func() bool {
		return d.one("SELECT active::text FROM pg_replication_slots WHERE slot_name = '"+d.slot()+"'") == "false"
	})
	// A client of another kind is not touched.
	foreign, err := pgx.Connect(t.Context(), d.dsn+"&replication=database")
	if err != nil {
		t.Fatal(err)
	}
	defer foreign.Close(context.Background())
	if err := foreign.PgConn().Exec(t.Context(), "START_REPLICATION SLOT "+d.slot()+" LOGICAL 0/0 (proto_version '1', publication_names '"+d.slot()+"')"); err == nil {
		t.Fatal("no stream")
	}
	until(t, "the foreign reader", func() bool {
		return d.one("SELECT active::text FROM pg_replication_slots WHERE slot_name = '"+d.slot()+"'") == "true"
	})
	faults, err := mustNew(t, d.config(tables("a"))).Preflight(t.Context())
	if err != nil || len(faults) != 1 || !strings.Contains(faults[0].What, "is read by the server's process") {
		t.Errorf("preflight says %v %v", faults, err)
	}
	err = start(t, d.config(tables("a")), rec, false).failure()
	if f := fault.All(err); len(f) != 1 || !strings.Contains(f[0].Fix, "pg_terminate_backend(") {
		t.Errorf("a source whose slot is in use ends with %v", err)
	}
}

// TestServerEndsStream: the server's own words reach whoever reads the error.
func TestServerEndsStream(t *testing.T) {
	d := newDatabase(t, fmt.Sprintf(counterTable, "a"))
	r := start(t, d.config(tables("a")), nil, false)
	r.wait("a heartbeat", func() bool { return r.Heartbeats() > 0 })
	d.exec("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = '" + d.slot() + "'")
	if err := r.failure(); code(err) != codeAdminShutdown {
		t.Errorf("Run ended with %v", err)
	}
}

// TestFailover: a server that was a standby for a moment goes on under another timeline; its slot is still there, so nothing is lost.
func TestFailover(t *testing.T) {
	pg, err := testenv.StartPostgres(t.Context(), "", testenv.PostgresNoFsync())
	if err != nil {
		t.Fatal(err)
	}
	defer pg.Close()
	d := &database{TB: t, name: "postgres", dsn: pg.DSN("postgres")}
	d.reconnect()
	d.exec(fmt.Sprintf(counterTable, "a"))
	r := start(t, d.config(tables("a")), nil, false)
	r.wait("the snapshot", func() bool { return r.Checkpoint() != nil })
	r.stop()
	rec := r.Recorder
	d.exec("UPDATE a SET n = n + 1")
	d.conn.Close(t.Context())
	if err := pg.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(pg.Dir(), "data", "standby.signal"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := pg.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.reconnect()
	faults, err := mustNew(t, d.config(tables("a"))).Preflight(t.Context())
	if err != nil || len(faults) == 0 || !strings.Contains(faults[0].What, "standby") {
		t.Errorf("preflight on a standby says %v %v", faults, err)
	}
	d.exec("SELECT pg_promote()")
	old := rec.Checkpoint()
	r = start(t, d.config(tables("a")), rec, false)
	r.wait("what was written before the failover", func() bool { return r.equals(d, "a", "SELECT * FROM a") })
	d.exec("UPDATE a SET n = n + 1")
	r.wait("what was written after it", func() bool { return r.equals(d, "a", "SELECT * FROM a") })
	r.stop()
	if now, _, _ := parseSystem(rec.Checkpoint().System); !strings.HasSuffix(now, "/2") {
		t.Errorf("the system is %s", now)
	}
	// A checkpoint from after the switch, but of the old timeline, is of a history that this server does not have.
	old.Position = rec.Checkpoint().Position
	err = mustNew(t, d.config(tables("a"))).Run(t.Context(), capture.Start{Checkpoint: old}, &collector{})
	if !errors.Is(err, capture.ErrPositionLost) || !strings.Contains(err.Error(), "left timeline 1") {
		t.Errorf("a checkpoint of a lost history gives %v", err)
	}
}
