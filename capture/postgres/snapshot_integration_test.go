//go:build integration

package postgres

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"shelfstream/capture"
	"shelfstream/capture/capturetest"
	"shelfstream/internal/fault"
)

// counters writes to a table without pause, from several connections: each statement raises a row's counter by one.
func counters(t *testing.T, d *database, table string, writers int) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for w := range writers {
		conn, err := pgx.Connect(t.Context(), d.dsn)
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			defer conn.Close(context.Background())
			for i := w; ctx.Err() == nil; i++ {
				_, err := conn.Exec(ctx, fmt.Sprintf("UPDATE %s SET n = n + 1 WHERE id = %d", table, i%200))
				if err != nil && ctx.Err() == nil {
					t.Error(err)
					return
				}
			}
		})
	}
	return func() { cancel(); wg.Wait() }
}

// consecutive checks that every row of a table begins with its snapshot's counter and then rises by exactly one: a gap between snapshot and
// stream would skip a number, an overlap would bring one twice.
func consecutive(t *testing.T, events []capturetest.Event, table string) (changes int) {
	t.Helper()
	last, open := map[int64]int64{}, map[int64]int64{} // open: of the transaction that has no commit yet; a source that is stopped there sends it again
	for _, e := range events {
		switch {
		case e.Kind == "commit":
			maps.Copy(last, open)
			clear(open)
		case e.Table != table:
		case e.Kind == "row":
			last[e.Row[0].Int] = e.Row[1].Int
		case e.Kind == "change":
			id, n := e.Row[0].Int, e.Row[1].Int
			was, ok := last[id]
			if !ok || n != was+1 {
				t.Fatalf("%s: row %d went from %d (there: %v) to %d", table, id, was, ok, n)
			}
			open[id] = n
			changes++
		}
	}
	return changes
}

const counterTable = "CREATE TABLE %[1]s (id int PRIMARY KEY, n int NOT NULL); INSERT INTO %[1]s SELECT i, 0 FROM generate_series(0, 199) i"

// TestSnapshotUnderLoad: the first snapshot, and that of a table added later, meet the stream without gap or overlap while both are written to.
func TestSnapshotUnderLoad(t *testing.T) {
	d := newDatabase(t, fmt.Sprintf(counterTable, "a"), fmt.Sprintf(counterTable, "b"))
	stopA, stopB := counters(t, d, "a", 2), counters(t, d, "b", 2)
	r := start(t, d.config(tables("a")), nil, false)
	r.wait("the snapshot and some changes", func() bool { return len(r.Events()) > 1000 })
	r.stop()
	// Changes pile up between the checkpoint and the new table's snapshot.
	until(t, "a backlog", func() bool { return d.one("SELECT (sum(n) > 2000)::text FROM b") == "true" })
	rec := r.Recorder
	r = start(t, d.config(tables("a", "b")), rec, false)
	r.wait("the later snapshot and some changes", func() bool { return len(r.Rows("b")) == 200 && consecutive(t, rec.Events(), "b") > 300 })
	stopA()
	stopB()
	r.wait("the end", func() bool {
		return r.equals(d, "a", "SELECT * FROM a") && r.equals(d, "b", "SELECT * FROM b")
	})
	r.stop()
	t.Logf("%d and %d changes beside the snapshots", consecutive(t, rec.Events(), "a"), consecutive(t, rec.Events(), "b"))
	until(t, "only the source's slot to be there", func() bool {
		return slices.Equal(d.text("SELECT slot_name FROM pg_replication_slots WHERE database = current_database()"), []string{d.slot()})
	})
}

// TestQuietBarrier: a table is added while nobody writes; the server's word that it has reached the position is enough.
func TestQuietBarrier(t *testing.T) {
	d := newDatabase(t, fmt.Sprintf(counterTable, "a"), fmt.Sprintf(counterTable, "b"))
	r := start(t, d.config(tables("a")), nil, false)
	r.wait("the snapshot", func() bool { return r.Checkpoint() != nil })
	r.stop()
	r = start(t, d.config(tables("a", "b")), r.Recorder, false)
	r.wait("the later snapshot", func() bool { return r.equals(d, "b", "SELECT * FROM b") })
	r.stop()
}

// TestManyLanes: a table of many page ranges comes whole, each row once (the recorder checks that), also when rows were deleted and moved.
func TestManyLanes(t *testing.T) {
	d := newDatabase(t, "CREATE TABLE wide (id int PRIMARY KEY, v char(1500))", "INSERT INTO wide SELECT i, 'x' FROM generate_series(1, 60000) i", "UPDATE wide SET v = 'y' WHERE id % 10 = 0", "DELETE FROM wide WHERE id % 7 = 0", "ALTER TABLE wide REPLICA IDENTITY FULL")
	log := &collector{keep: true}
	src, err := New(d.config(tables("wide")))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := src.connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer closeSQL(conn)
	c, err := loadCatalog(t.Context(), conn, &src.cfg)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(chunks(&snapshotTable{}, c.tables["wide"], []string{"id"}, "")); n < 3 {
		t.Fatalf("the table has %d page ranges", n)
	}
	_, stop := run(t, d.config(tables("wide")), log)
	stop()
	seen := map[int64]bool{}
	for _, row := range log.read {
		if id := row[0].Int; seen[id] {
			t.Fatalf("row %d came twice", id)
		}
		seen[row[0].Int] = true
	}
	if want := d.one("SELECT count(*) FROM wide"); fmt.Sprint(len(seen)) != want {
		t.Errorf("%d rows came, %s are there", len(seen), want)
	}
}

// TestRewrittenTable: a table rewritten between the snapshot's position and its lock would be read as empty; that is noticed.
func TestRewrittenTable(t *testing.T) {
	d := newDatabase(t, fmt.Sprintf(counterTable, "a"))
	src, err := New(d.config(tables("a")))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := src.connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer closeSQL(conn)
	if src.catalog, err = loadCatalog(t.Context(), conn, &src.cfg); err != nil {
		t.Fatal(err)
	}
	if src.publication, err = loadPublication(t.Context(), conn, src.cfg.Publication); err != nil {
		t.Fatal(err)
	}
	repl, err := src.connectReplication(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer closeReplication(repl)
	slot, err := src.createSlot(t.Context(), repl, src.temporarySlot(), true)
	if err != nil {
		t.Fatal(err)
	}
	d.exec("ALTER TABLE a ALTER n TYPE bigint")
	log := &collector{}
	if err := src.snapshot(t.Context(), log, slot, []string{"a"}); !errors.Is(err, errRewritten) {
		t.Errorf("the snapshot ended with %v after %d rows", err, log.rows.Load())
	}
}

// brokenLog fails in the middle of a snapshot.
type brokenLog struct{ *collector }

var errBroken = errors.New("broken on purpose")

func (l brokenLog) Snapshot(context.Context, capture.Position, []string) (capture.Snapshot, error) {
	return brokenSnapshot(l), nil
}

type brokenSnapshot struct{ *collector }

func (brokenSnapshot) End(context.Context, capture.Commit) error { return errBroken }

// TestBrokenSnapshot: without a checkpoint the slot that a crash left is dropped and made anew.
func TestBrokenSnapshot(t *testing.T) {
	d := newDatabase(t, fmt.Sprintf(counterTable, "a"))
	src, err := New(d.config(tables("a")))
	if err != nil {
		t.Fatal(err)
	}
	if err := src.Run(t.Context(), capture.Start{Snapshot: []string{"a"}}, brokenLog{&collector{}}); !errors.Is(err, errBroken) {
		t.Fatal(err)
	}
	old := d.one("SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = '" + d.slot() + "'")
	d.exec("UPDATE a SET n = 7")
	r := start(t, d.config(tables("a")), nil, false)
	r.wait("the snapshot", func() bool { return r.equals(d, "a", "SELECT * FROM a") })
	r.stop()
	if now := d.one("SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = '" + d.slot() + "'"); now == old {
		t.Error("the old slot was used")
	}
}

// TestPublishedPart: a publication made by hand with a column list and a row filter is respected by the snapshot as by the stream.
func TestPublishedPart(t *testing.T) {
	d := newDatabase(t, "CREATE TABLE p (id int PRIMARY KEY, n int, secret text, g int GENERATED ALWAYS AS (n * 2) STORED)", "INSERT INTO p VALUES (1, 1, 's'), (2, 100, 's')",
		"CREATE PUBLICATION mine FOR TABLE p (id, n) WHERE (id < 100)")
	cfg := d.config(tables("p"))
	cfg.Publication = "mine"
	d.exec("INSERT INTO p VALUES (200, 1, 's')")
	r := start(t, cfg, nil, false)
	r.wait("the snapshot", func() bool { return len(r.Rows("p")) == 2 && r.Rows("p")["1"] == "1|1" })
	d.exec("INSERT INTO p VALUES (3, 3, 's'), (300, 3, 's')")
	r.wait("the changes", func() bool { return len(r.Rows("p")) == 3 && r.Rows("p")["3"] == "3|3" })
	r.stop()
	faults, err := mustNew(t, cfg).Preflight(t.Context())
	if err != nil || len(faults) > 0 {
		t.Errorf("%v %v", faults, err)
	}
}

func mustNew(t *testing.T, cfg Config) *Source {
	t.Helper()
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestAlterTableDuringSnapshot: the snapshot holds table b, an ALTER TABLE waits for that, and the lane that comes to b waits behind the ALTER TABLE. Only the source can break the circle.
func TestAlterTableDuringSnapshot(t *testing.T) {
	d := newDatabase(t, fmt.Sprintf(counterTable, "a"), fmt.Sprintf(counterTable, "b"))
	cfg := d.config(tables("a", "b"))
	cfg.SnapshotLanes = 1
	altered := make(chan error, 1)
	log := &cutting{collector: &collector{}, cut: func() {
		go func() {
			conn, err := pgx.Connect(context.Background(), d.dsn)
			if err == nil {
				_, err = conn.Exec(context.Background(), "ALTER TABLE b ADD COLUMN more int")
				err = errors.Join(err, conn.Close(context.Background()))
			}
			altered <- err
		}()
		until(t, "ALTER TABLE to wait", func() bool {
			return d.one("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'ALTER TABLE b%'") == "1"
		})
	}}
	err := mustNew(t, cfg).Run(t.Context(), capture.Start{Snapshot: []string{"a", "b"}}, log)
	if f := fault.All(err); len(f) != 1 || f[0].Cause != fault.PostgresTableLocked {
		t.Errorf("Run ended with %v", err)
	}
	if err := <-altered; err != nil {
		t.Error(err)
	}
}
