//go:build integration

package e2e

import (
	"context"
	"testing"
	"time"

	"shelfstream/internal/demo"
)

const (
	million = 1_000_000
	// limit is what each stage may hold in memory at its highest.
	limit = 400 << 20
)

// bigPipeline has one small table.
const bigPipeline = `pipeline: wine
timezone: Europe/Oslo
sources:
  erp:
    postgres:
      dsn: ${ERP_DSN}
      tables: { item: {} }
views:
  item: { from: erp.item, rules: [demo.rules.yaml] }
sinks:
  shop:
    mysql:
      dsn: ${SHOP_DSN}
      tables: { item: { from: item, create: true } }
`

const bigRules = `rules:
  - name: all
    set: { name: name, n: n, rev: rev }
`

// A transaction may be as large as the ERP likes, and what has gathered while a stage was away as much as the log holds: no stage keeps either in memory.
func TestMillionRowTransaction(t *testing.T) {
	w := newWorld(t, "million", options{
		pipeline: bigPipeline, rules: bigRules,
		seed: func(w *world) {
			_, err := w.erp().Exec(w.ctx, `CREATE TABLE item (item_no bigint PRIMARY KEY, name text NOT NULL, n int NOT NULL, rev bigint NOT NULL);
				ALTER TABLE item REPLICA IDENTITY FULL;
				INSERT INTO item SELECT i, 'item ' || i, i % 1000, 0 FROM generate_series(1, 1000000) i`)
			must(w.t, err)
		},
	})
	w.startAll(1, 1, 1)
	began := time.Now()
	lap := func(what string) {
		t.Logf("%s: %.1f s", what, time.Since(began).Seconds())
		for _, k := range w.workers {
			if k.process.Running() {
				k.slim()
			}
		}
		began = time.Now()
	}
	w.shows(0)
	lap("1,000,000 rows from the snapshot to the shop")
	w.update(1)
	lap("the ERP's transaction of 1,000,000 updates")
	w.shows(1)
	lap("that transaction to the shop")

	transform, sink := w.workers[1], w.workers[2]
	must(t, transform.process.Stop(w.ctx))
	must(t, sink.process.Stop(w.ctx))
	for rev := range int64(3) {
		w.update(2 + rev)
	}
	w.gathered(5 * million)
	lap("three such transactions into the log")
	transform.again()
	sink.again()
	w.shows(4)
	lap("the backlog of 3,000,000 records to the shop")
	w.whole()
	w.alive()
}

func (w *world) update(rev int64) {
	w.t.Helper()
	tag, err := w.erp().Exec(w.ctx, "UPDATE item SET rev = $1, n = n + 1", rev)
	must(w.t, err)
	if tag.RowsAffected() != million {
		w.t.Fatalf("%d rows updated", tag.RowsAffected())
	}
}

// shows waits until every item in the shop has this rev.
func (w *world) shows(rev int64) {
	w.t.Helper()
	w.until("1,000,000 items with the newest rev", func() (bool, error) {
		var n, ready int
		// The table is made by the sink.
		if err := w.shop.QueryRowContext(w.ctx, "SELECT count(*) FROM information_schema.tables WHERE table_schema = database() AND table_name = 'item'").Scan(&ready); err != nil || ready == 0 {
			return false, err
		}
		var newest int64
		if err := w.shop.QueryRowContext(w.ctx, "SELECT coalesce(min(next_offset), 0) FROM shelfstream_offsets").Scan(&newest); err != nil || newest < rev {
			return false, err
		}
		if !rested(w) {
			return false, nil
		}
		err := w.shop.QueryRowContext(w.ctx, "SELECT count(*) FROM item WHERE rev = ?", rev).Scan(&n)
		return n == million, err
	})
}

// rested says whether the sink has come to the end of its topic; counting a million rows again and again would take its time from it.
func rested(w *world) bool {
	s, err := w.workers[2].report()
	if err != nil || len(s.Positions) == 0 {
		return false
	}
	_, records := s.Lag()
	return records == 0
}

// gathered waits until the raw topic holds n records.
func (w *world) gathered(n int64) {
	w.t.Helper()
	w.until("the records in the log", func() (bool, error) {
		ends, err := w.client.EndOffsets(w.ctx, w.name+".erp.item")
		var sum int64
		for _, e := range ends {
			sum += e
		}
		return sum >= n, err
	})
}

// whole compares the shop with the ERP, row by row.
func (w *world) whole() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	c, err := demo.CompareTable(ctx, w.erp(), w.shop, "item",
		"SELECT i.item_no::text, i.name, i.n::text, i.rev::text FROM item i ORDER BY i.item_no", "SELECT CAST(item_no AS CHAR), name, CAST(n AS CHAR), CAST(rev AS CHAR) FROM item ORDER BY item_no")
	must(w.t, err)
	if !c.Equal() || c.Rows != million {
		w.t.Errorf("%d of %d rows differ: %v", c.Total, c.Rows, c.Differences)
	}
}

// slim checks the process's highest memory so far.
func (k *worker) slim() {
	k.w.t.Helper()
	rss, peak, err := k.process.Memory()
	must(k.w.t, err)
	cpu, err := k.process.CPUSeconds()
	must(k.w.t, err)
	k.w.t.Logf("  %-12s %4d MB now, %4d MB at its highest, %.1f CPU seconds", k.name, rss>>20, peak>>20, cpu)
	if peak > limit {
		k.w.t.Errorf("%s took %d MB, more than %d", k.name, peak>>20, limit>>20)
	}
}
