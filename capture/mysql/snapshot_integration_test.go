//go:build integration

package mysql

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sync/errgroup"

	"shelfstream/capture"
	"shelfstream/schemas"
)

// summed is a snapshot that adds up a column, and notes keys that come twice.
type summed struct {
	rows, sum atomic.Int64
	seen      [2 * chunkRows * 4]atomic.Bool
	twice     atomic.Int64
	column    int
}

func (s *summed) Row(_ context.Context, _ int, _ capture.Handle, row []schemas.Value) error {
	n := s.rows.Add(1)
	if s.column >= 0 {
		s.sum.Add(row[s.column].Int)
	}
	if k := row[len(row)-1].Int; s.seen[k].Swap(true) {
		s.twice.Add(1)
	}
	_ = n
	return nil
}
func (s *summed) End(context.Context, capture.Commit) error { return nil }
func (s *summed) Lanes() int                                { return 4 }

// TestChunks: tables that are divided come whole, and each row once, whatever their key is.
func TestChunks(t *testing.T) {
	const rows = 3*chunkRows + 17
	keys := map[string]string{
		"int":                                   "CAST(seq AS SIGNED) * 3 - 100",
		"bigint":                                "CAST(seq AS SIGNED) * 1000003 - 9000000000000",
		"bigint unsigned":                       "18446744073709551615 - seq * 10",
		"varchar(20) character set latin1":      "CONCAT('K''ø\\\\', seq)",
		"varchar(20) collate utf8mb4_danish_ci": "CONCAT('æ', seq)",
		"binary(9)":                             "CONCAT(seq, x'00')",
		"decimal(20,2)":                         "seq / 4 - 500",
		"uuid":                                  "CONCAT('00000000-0000-1000-8000-', LPAD(seq, 12, '0'))",
		"datetime(3)":                           "'2000-01-01' + INTERVAL seq SECOND",
		"double":                                "seq / 8",
	}
	if onMySQL() {
		delete(keys, "uuid")
	}
	for typ, key := range keys {
		t.Run(typ, func(t *testing.T) {
			d := newDatabase(t, "CREATE TABLE a (k "+typ+" NOT NULL, l int NOT NULL, n int, PRIMARY KEY (k, l))",
				fmt.Sprintf("INSERT INTO a SELECT %s, seq %% 7, seq FROM seq_1_to_%d", key, rows), "ANALYZE TABLE a")
			cfg := Config{DSN: d.dsn(), Pipeline: "p", Source: d.name, Tables: map[string]capture.TableConfig{"a": {}}, SnapshotLanes: 3}.withDefaults()
			s, err := cfg.openSnapshot(t.Context(), []string{"a"})
			if err != nil {
				t.Fatal(err)
			}
			defer s.close()
			planned := 0
			if err := plan(s.lanes[0], s.tables[0], func(chunk) error { planned++; return nil }); err != nil {
				t.Fatal(err)
			}
			got := &summed{column: -1}
			if err := s.read(t.Context(), got); err != nil {
				t.Fatal(err)
			}
			if got.rows.Load() != rows || got.twice.Load() > 0 {
				t.Errorf("%d rows, %d of them twice, not %d", got.rows.Load(), got.twice.Load(), rows)
			}
			if divided := planned > 1; divided != (typ != "double") {
				t.Errorf("%d chunks", planned)
			}
		})
	}
}

// TestConsistent: money moves between two tables while snapshots begin; each sees every transfer whole, and its place in the log is the very one.
func TestConsistent(t *testing.T) {
	d := newDatabase(t, "CREATE TABLE a (id int PRIMARY KEY, money int, n int)", "CREATE TABLE b (id int PRIMARY KEY, money int, n int)", "CREATE TABLE done (id bigint PRIMARY KEY AUTO_INCREMENT, x int)",
		"INSERT INTO a SELECT seq, 100, seq FROM seq_1_to_50", "INSERT INTO b SELECT seq, 100, 50 + seq FROM seq_1_to_50")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	transactions := func(gtids string) (n int) { // as MySQL writes them: <uuid>:1-n
		_, err := fmt.Sscanf(gtids[strings.LastIndex(gtids, "-")+1:], "%d", &n)
		if err != nil {
			t.Fatalf("%s: %v", gtids, err)
		}
		return n
	}
	before := 0
	if onMySQL() {
		before = transactions(d.one("SELECT @@gtid_executed"))
	}
	var g errgroup.Group
	for n := range 3 {
		g.Go(func() error {
			db, err := sql.Open("mysql", d.dsn())
			if err != nil {
				return err
			}
			defer db.Close()
			for i := 0; ctx.Err() == nil; i++ {
				tx, err := db.Begin()
				if err != nil {
					return err
				}
				for _, q := range []string{"UPDATE a SET money = money - 1 WHERE id = %d", "UPDATE b SET money = money + 1 WHERE id = %d"} {
					if _, err := tx.Exec(fmt.Sprintf(q, 1+(i*3+n)%48)); err != nil {
						return err
					}
				}
				if err := tx.Commit(); err != nil {
					return err
				}
			}
			return nil
		})
	}
	cfg := Config{DSN: d.dsn(), Pipeline: "p", Source: d.name, Tables: map[string]capture.TableConfig{"a": {}, "b": {}}, SnapshotLanes: 2}.withDefaults()
	locked := 0
	for range 5 {
		s, err := cfg.openSnapshot(ctx, []string{"a", "b"})
		if err != nil {
			t.Fatal(err)
		}
		if s.locked > 0 {
			locked++
		}
		got := &summed{column: 1}
		if err := s.read(ctx, got); err != nil {
			t.Fatal(err)
		}
		if got.rows.Load() != 100 || got.sum.Load() != 10_000 {
			t.Errorf("%d rows with %d øre", got.rows.Load(), got.sum.Load())
		}
		// Each transaction has one GTID, so the number of transfers that a's rows show must be the one that the place in the log tells.
		if !onMySQL() {
			if want := d.one(fmt.Sprintf("SELECT BINLOG_GTID_POS('%s', %d)", s.file, s.at)); want != s.gtids {
				t.Errorf("the GTIDs are %s, and %s at %s:%d", s.gtids, want, s.file, s.at)
			}
		}
		for _, w := range s.lanes[1:] {
			var sums []string
			if err := w.query("SELECT 5000 - SUM(money) FROM a UNION ALL SELECT SUM(money) - 5000 FROM b", func(cells [][]byte) error { sums = append(sums, string(cells[0])); return nil }); err != nil {
				t.Fatal(err)
			}
			if len(sums) != 2 || sums[0] != sums[1] {
				t.Errorf("a lane sees %v", sums)
			}
			if want := transactions(s.gtids) - before; onMySQL() && sums[0] != fmt.Sprint(want) {
				t.Errorf("a lane sees %s transfers, and the GTIDs are of %d", sums[0], want)
			}
		}
		if err := s.close(); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	// Nobody writes now: no lock is needed.
	s, err := cfg.openSnapshot(t.Context(), []string{"a", "b"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if s.locked > 0 && !onMySQL() { // which cannot tell a snapshot's place without
		t.Errorf("the writers were held up for %v", s.locked)
	}
	t.Logf("%d of 5 held the writers up", locked)
	// And while it is open nobody alters its tables.
	d.exec("SET lock_wait_timeout = 1")
	if _, err := d.conn.ExecContext(t.Context(), "ALTER TABLE a ADD COLUMN x int"); err == nil || !strings.Contains(err.Error(), "1205") {
		t.Errorf("the table was altered: %v", err)
	}
	s.close()
	d.exec("ALTER TABLE a ADD COLUMN x int")
}
