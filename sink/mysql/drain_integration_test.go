//go:build integration

package mysql

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"strconv"
	"testing"
	"time"

	"shelfstream/schemas"
	"shelfstream/sink/sinktest"
	"shelfstream/sink/table/tabletest"
)

// BenchmarkDrain drains 300,000 records of the peers' table from the embedded broker (in this process) into MariaDB, new rows and then updates of all,
// with the whole runner, beside plain 1,000-row upserts on one connection.
func BenchmarkDrain(b *testing.B) {
	for _, workers := range []int{1, 2, 4} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) { benchmarkDrain(b, workers) })
	}
}

func benchmarkDrain(b *testing.B, workers int) {
	const n = 300_000
	ctx := context.Background()
	for range b.N {
		name := fmt.Sprintf("d%d", databases.Add(1))
		dsn, err := server.CreateDatabase(ctx, name)
		if err != nil {
			b.Fatal(err)
		}
		if err := server.Exec(ctx, name, "CREATE TABLE products "+wideDDL+"; CREATE TABLE plain "+wideDDL); err != nil {
			b.Fatal(err)
		}
		db, err := sql.Open("mysql", dsn)
		if err != nil {
			b.Fatal(err)
		}
		w := sinktest.NewWorld(b, tabletest.Wide("suite.products"), 4)
		tg, err := Open(Config{DSN: dsn, Tables: tabletest.Tables{"products": {From: "products"}}}, Options{Sink: "shop"})
		if err != nil {
			b.Fatal(err)
		}
		drain := func(version int64) float64 {
			var key []schemas.Value
			for i := range int64(n) {
				row := tabletest.WideRow(i, version)
				key = append(key[:0], row[0])
				w.Raw(schemas.Partition(key, 4), w.Record(row, false))
			}
			w.Flush()
			cfg := w.Config(tg)
			cfg.Logger = slog.New(slog.DiscardHandler)
			cfg.SessionTimeout, cfg.Heartbeat, cfg.Workers = 0, 0, workers
			start := time.Now()
			r := w.Start(cfg)
			for tick := time.NewTicker(5 * time.Millisecond); ; <-tick.C {
				done := int64(0)
				for _, p := range r.Status().Positions {
					next, _ := strconv.ParseInt(p.Value, 10, 64) // not a number before it is opened
					done += next
				}
				if done == (version+1)*n {
					break
				}
				if time.Since(start) > 5*time.Minute {
					b.Fatalf("not drained: %+v", r.Status())
				}
			}
			took := time.Since(start)
			r.Stop()
			return n / took.Seconds()
		}
		plainInsert := n / plainUpserts(b, db, "plain", n, 0).Seconds()
		insert := drain(0)
		plainUpdate := n / plainUpserts(b, db, "plain", n, 1).Seconds()
		update := drain(1)
		b.ReportMetric(plainInsert, "plain_insert/s")
		b.ReportMetric(insert, "insert/s")
		b.ReportMetric(100*insert/plainInsert, "insert_%")
		b.ReportMetric(plainUpdate, "plain_update/s")
		b.ReportMetric(update, "update/s")
		b.ReportMetric(100*update/plainUpdate, "update_%")
		var rows, sum int64
		if err := db.QueryRow("SELECT COUNT(*), SUM(p.price <> q.price) FROM products p JOIN plain q USING (id)").Scan(&rows, &sum); err != nil || rows != n || sum != 0 {
			b.Fatalf("%d rows, %d differ, %v", rows, sum, err)
		}
		db.Close()
		tg.Close()
	}
}
