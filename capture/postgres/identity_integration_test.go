//go:build integration

package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"shelfstream/capture"
	"shelfstream/capture/capturetest"
)

// silentChanges change what a table holds, or is, without a word in its change stream.
var silentChanges = map[string][]string{
	"a column with a default":          {"ALTER TABLE a ADD c int NOT NULL DEFAULT 7"},
	"a column with a volatile default": {"ALTER TABLE a ADD c float NOT NULL DEFAULT random()"},
	"a serial column":                  {"ALTER TABLE a ADD c serial"},
	"a column renamed":                 {"ALTER TABLE a RENAME p TO price"},
	"a column of another type":         {"ALTER TABLE a ALTER n TYPE numeric(8,2) USING n / 100.0"},
	"a scale":                          {"ALTER TABLE a ALTER p TYPE numeric(8,1)"},
	"made again":                       {"DROP TABLE a", "CREATE TABLE a (id int PRIMARY KEY, v varchar(20))", "INSERT INTO a VALUES (1, 'new'), (9, 'nine')", "ALTER TABLE a REPLICA IDENTITY FULL"},
	"exchanged":                        {"CREATE TABLE b (LIKE a INCLUDING ALL); ALTER TABLE b REPLICA IDENTITY FULL; INSERT INTO b SELECT id + 1, n, v, p FROM a; ALTER TABLE a RENAME TO old; ALTER TABLE b RENAME TO a"},
	"out of the publication and back":  {"ALTER PUBLICATION %[1]s DROP TABLE a", "UPDATE a SET n = 1000", "ALTER PUBLICATION %[1]s ADD TABLE ONLY a"},
	"out of the publication":           {"ALTER PUBLICATION %[1]s DROP TABLE a", "UPDATE a SET n = 1000"},
}

const silentTable = "CREATE TABLE a (id int PRIMARY KEY, n int, v varchar(20), p numeric(8,2)); ALTER TABLE a REPLICA IDENTITY FULL; INSERT INTO a SELECT i, i, 'v' || i, 1.25 FROM generate_series(1, 5) i"

// TestSilentChanges: the topic's rows become the table's again by themselves, whether it happens while the source runs or not; and what is written after it.
func TestSilentChanges(t *testing.T) {
	for what, statements := range silentChanges {
		for _, away := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, away %v", what, away), func(t *testing.T) {
				d := newDatabase(t, silentTable)
				r := start(t, d.config(tables("a")), nil, false)
				r.wait("the snapshot", func() bool { return equalsText(r, d, "a") })
				if away {
					r.stop()
				}
				for _, s := range statements {
					d.exec(strings.ReplaceAll(s, "%[1]s", d.slot()))
				}
				if away {
					r = start(t, r.cfg, r.Recorder, false)
				}
				r.heal("the rows as they are now", func() bool { return equalsText(r, d, "a") })
				d.exec("UPDATE a SET v = 'written later' WHERE id <= 2")
				r.heal("a change after it", func() bool { return equalsText(r, d, "a") })
				r.leave() // where the columns have other names only, the catalogue may not have been looked at yet
			})
		}
	}
}

// TestHarmlessChanges: what leaves the rows as they are, or comes in the stream, makes nobody read the table.
func TestHarmlessChanges(t *testing.T) {
	d := newDatabase(t, silentTable)
	r := start(t, d.config(tables("a")), nil, false)
	r.wait("the snapshot", func() bool { return equalsText(r, d, "a") })
	harmless := []string{
		"ALTER TABLE a ADD c int", "ALTER TABLE a ALTER v TYPE varchar(40)", "ALTER TABLE a ALTER p TYPE numeric(12,2)", "ALTER TABLE a ALTER n SET NOT NULL", "ALTER TABLE a ALTER n SET DEFAULT 5",
		"ALTER TABLE a ADD CONSTRAINT positive CHECK (n > 0)", "CREATE INDEX ON a (n)", "CREATE TABLE other (id int)", "ALTER PUBLICATION " + d.slot() + " ADD TABLE other", "UPDATE a SET c = n",
	}
	d.exec(harmless[:5]...)
	r.wait("two looks at the catalogue", func() bool { return r.Heartbeats() > 3*watchEvery })
	r.stop()
	d.exec(harmless[5:]...)
	before := len(r.Events())
	r = start(t, r.cfg, r.Recorder, false)
	from := r.Heartbeats()
	r.wait("two looks at the catalogue", func() bool { return equalsText(r, d, "a") && r.Heartbeats() > from+3*watchEvery })
	// VACUUM FULL writes every row to a new file.
	d.exec("VACUUM FULL a")
	from = r.Heartbeats()
	r.wait("two looks more", func() bool { return r.Heartbeats() > from+3*watchEvery })
	r.stop()
	for _, e := range r.Events()[before:] {
		if e.Kind == "row" {
			t.Fatal("the table was read anew")
		}
	}
}

// TestAllTables: with a publication of all tables, a table that was made again is published at once; the rows that it had before must go.
func TestAllTables(t *testing.T) {
	d := newDatabase(t, silentTable, "CREATE PUBLICATION everything FOR ALL TABLES WITH (publish_via_partition_root = true)")
	cfg := d.config(tables("a"))
	cfg.Publication = "everything"
	r := start(t, cfg, nil, false)
	r.wait("the snapshot", func() bool { return equalsText(r, d, "a") })
	d.exec("UPDATE a SET n = n + 1")
	d.exec(silentChanges["made again"]...)
	r.heal("the new table", func() bool { return equalsText(r, d, "a") })
	r.stop()
	d.exec("UPDATE a SET v = 'the last of it'")
	d.exec(silentChanges["made again"]...)
	r = start(t, cfg, r.Recorder, false)
	r.heal("the newer table", func() bool { return equalsText(r, d, "a") })
	r.stop()
}

// TestReadAnewAfterCrash: a table is published again, and its reading breaks off; the next start knows that it was not read.
func TestReadAnewAfterCrash(t *testing.T) {
	d := newDatabase(t, silentTable, fmt.Sprintf(counterTable, "b"))
	r := start(t, d.config(tables("a", "b")), nil, false)
	r.wait("the snapshot", func() bool { return equalsText(r, d, "a") })
	r.stop()
	for _, s := range silentChanges["out of the publication"] {
		d.exec(strings.ReplaceAll(s, "%[1]s", d.slot()))
	}
	for range 2 {
		src := mustNew(t, r.cfg)
		rec := capturetest.NewRecorder(t, nil)
		rec.Reopen(src.Confirm)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := src.Run(ctx, capture.Start{Checkpoint: r.Checkpoint()}, unreadable{rec}); !errors.Is(err, errBroken) {
			t.Fatal(err)
		}
	}
	r = start(t, r.cfg, r.Recorder, false)
	r.heal("the rows as they are now", func() bool { return equalsText(r, d, "a") })
	r.stop()
}

// unreadable is a log that takes no snapshot.
type unreadable struct{ *capturetest.Recorder }

func (unreadable) Snapshot(context.Context, capture.Position, []string) (capture.Snapshot, error) {
	return nil, errBroken
}

// TestDropped: a table that is dropped stops nobody while the source runs, and is named at its next start.
func TestDropped(t *testing.T) {
	d := newDatabase(t, silentTable, fmt.Sprintf(counterTable, "b"))
	r := start(t, d.config(tables("a", "b")), nil, false)
	r.wait("the snapshot", func() bool { return equalsText(r, d, "a") })
	d.exec("UPDATE a SET n = 0", "DROP TABLE a", "UPDATE b SET n = n + 1")
	from := r.Heartbeats()
	r.wait("the other table", func() bool { return r.equals(d, "b", "SELECT * FROM b") && r.Heartbeats() > from+3*watchEvery })
	r.stop()
	err := start(t, r.cfg, r.Recorder, false).failure()
	if !strings.Contains(err.Error(), "table a") || !strings.Contains(err.Error(), "does not exist") {
		t.Error(err)
	}
	// Its changes before the drop are still in the stream; without it in the configuration they are passed over.
	r = start(t, d.config(tables("b")), r.Recorder, false)
	d.exec("UPDATE b SET n = n + 1")
	r.wait("the rest", func() bool { return r.equals(d, "b", "SELECT * FROM b") })
	r.stop()
}
