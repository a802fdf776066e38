//go:build integration

package postgres

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"shelfstream/sink/table"
	"shelfstream/sink/table/tabletest"
)

var databases atomic.Int64 // of benchmarks

const wideDDL = "(id bigint PRIMARY KEY, sku varchar(64) NOT NULL, name varchar(255) NOT NULL, descr text, price decimal(12,2) NOT NULL, stock int NOT NULL, vat_code smallint NOT NULL, updated_at timestamptz NOT NULL, blocked boolean NOT NULL)"

// BenchmarkSession writes 200,000 records through one session, by INSERT … VALUES and by COPY, with batches of several sizes.
func BenchmarkSession(b *testing.B) {
	const n = 100_000
	ctx := context.Background()
	for _, size := range []int64{50, 100, 200, 1000, 4000} {
		for _, from := range []int{0, 1} {
			b.Run(fmt.Sprintf("%d load=%d", size, from), func(b *testing.B) {
				for range b.N {
					dsn, err := server.CreateDatabase(ctx, fmt.Sprintf("b%d", databases.Add(1)))
					if err != nil {
						b.Fatal(err)
					}
					cfg := Config{DSN: dsn, Tables: tabletest.Tables{"products": {From: "products"}}}
					p, name, err := newPool(cfg.DSN, "bench")
					if err != nil {
						b.Fatal(err)
					}
					d := newDialect("it", "bench")
					d.Facts = func(context.Context, table.Conn) (table.Facts, error) {
						return table.Facts{MaxPacket: maxPacket, LoadFrom: from}, nil
					}
					tg := table.Open(*cfg.tables(), d, p, table.Options{Sink: "bench", Database: name})
					c, err := p.Get(ctx)
					if err != nil {
						b.Fatal(err)
					}
					if err := c.Exec(ctx, []byte("CREATE TABLE products "+wideDDL)); err != nil {
						b.Fatal(err)
					}
					c.Release(false)
					b.ReportMetric(n/tabletest.WriteWide(b, tg, n, size, 0).Seconds(), "insert/s")
					b.ReportMetric(n/tabletest.WriteWide(b, tg, n, size, 1).Seconds(), "update/s")
					tg.Close()
				}
			})
		}
	}
}
