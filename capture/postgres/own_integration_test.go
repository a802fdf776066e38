//go:build integration

package postgres

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// TestOwnWritesAreDropped: rows of transactions that a sink of the same pipeline has marked are not captured; all others are, also those of other pipelines, of messages that are no part of
// the transaction, and what somebody else writes to the same rows afterwards.
func TestOwnWritesAreDropped(t *testing.T) {
	mark := "SELECT pg_logical_emit_message(true, 'shelfstream', 'p/erp')"
	writes := []string{
		mark + "; INSERT INTO item VALUES (1, 'ours'), (2, 'ours')",
		"SELECT pg_logical_emit_message(true, 'shelfstream', 'other/erp'); INSERT INTO item VALUES (3, 'of another pipeline')",
		"SELECT pg_logical_emit_message(false, 'shelfstream', 'p/erp'); INSERT INTO item VALUES (4, 'theirs')",
		"SELECT pg_logical_emit_message(true, 'else', 'p/erp'); INSERT INTO item VALUES (5, 'theirs')",
		mark + "; TRUNCATE other",
		mark + "; DELETE FROM item WHERE id = 0; UPDATE item SET name = 'ours too' WHERE id = 1",
		"UPDATE item SET name = 'seen by the ERP' WHERE id = 2",
		"INSERT INTO item VALUES (6, 'last')",
	}
	for _, keep := range []bool{false, true} {
		d := newDatabase(t, "CREATE TABLE item (id int PRIMARY KEY, name text)", "CREATE TABLE other (id int PRIMARY KEY)", "INSERT INTO item VALUES (0, 'zero')", "INSERT INTO other VALUES (1)")
		cfg := d.config(tables("item", "other"))
		want := "0|zero 2|seen by the ERP 3|of another pipeline 4|theirs 5|theirs 6|last"
		if keep {
			cfg.OwnWrites = ownKeep
			want = "1|ours too 2|seen by the ERP 3|of another pipeline 4|theirs 5|theirs 6|last"
		}
		r := start(t, cfg, nil, false)
		r.wait("the snapshot", func() bool { return r.Checkpoint() != nil })
		for _, w := range writes {
			d.exec("BEGIN; " + w + "; COMMIT")
		}
		r.wait("the last row", func() bool { return r.Rows("item")["6"] != "" })
		r.stop()
		var got []string
		for id := range strings.FieldsSeq("0 1 2 3 4 5 6") {
			if row := r.Rows("item")[id]; row != "" {
				got = append(got, row)
			}
		}
		if strings.Join(got, " ") != want || (len(r.Rows("other")) == 0) != keep {
			t.Errorf("keep %v: %q, want %q; other: %v", keep, got, want, r.Rows("other"))
		}
		if n := testutil.ToFloat64(r.src.metrics.own); n != map[bool]float64{false: 4, true: 0}[keep] {
			t.Errorf("keep %v: %v rows counted", keep, n)
		}
	}
}
