//go:build integration

package postgres

import (
	"context"
	"fmt"
	"testing"
	"time"

	"shelfstream/schemas"
	"shelfstream/sink"
	"shelfstream/sink/table"
)

// wide is the table of the peers' measurements.
func wide() sink.View {
	text := schemas.Type{Kind: schemas.KindText}
	return sink.View{Name: "products", Topic: "bench.products", Table: &schemas.Table{Name: "bench.products", Key: []int{0}, Columns: []schemas.Column{
		{Name: "id", Type: schemas.Type{Kind: schemas.KindInt, Bits: 64}},
		{Name: "sku", Type: text},
		{Name: "name", Type: text},
		{Name: "descr", Type: text, Nullable: true},
		{Name: "price", Type: schemas.Type{Kind: schemas.KindDecimal, Precision: 12, Scale: 2}},
		{Name: "stock", Type: schemas.Type{Kind: schemas.KindInt, Bits: 32}},
		{Name: "vat_code", Type: schemas.Type{Kind: schemas.KindInt, Bits: 16}},
		{Name: "updated_at", Type: schemas.Type{Kind: schemas.KindTimestampTZ}},
		{Name: "blocked", Type: schemas.Type{Kind: schemas.KindBool}},
	}}}
}

const wideDDL = "(id bigint PRIMARY KEY, sku varchar(64) NOT NULL, name varchar(255) NOT NULL, descr text, price decimal(12,2) NOT NULL, stock int NOT NULL, vat_code smallint NOT NULL, updated_at timestamptz NOT NULL, blocked boolean NOT NULL)"

func wideRow(i, version int64) []schemas.Value {
	return []schemas.Value{
		schemas.Int(i), schemas.Text(fmt.Sprintf("SKU-%09d", i)), schemas.Text(fmt.Sprintf("Artikel %d Größe %d", i, i%50)),
		schemas.Text(fmt.Sprintf("%032x %032x %032x %020x", i*31, i*7, i*13, i*17)), schemas.Dec((i*37)%1_000_000+version, 2),
		schemas.Int(i % 1000), schemas.Int(1 + i%3), schemas.TimestampTZ(1_767_225_600_000_000 + (i%86400)*1_000_000), schemas.Bool(i%97 == 0),
	}
}

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
					cfg := Config{DSN: dsn, Tables: map[string]TableConfig{"products": {From: "products"}}}
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
					if f, err := tg.Check(ctx, []sink.View{wide()}); err != nil || len(f) > 0 {
						b.Fatal(f, err)
					}
					ours := func(version int64) time.Duration {
						s, err := tg.Open(ctx, sink.Partition{View: wide(), Owner: "bench"})
						if err != nil {
							b.Fatal(err)
						}
						defer s.Close()
						var batches []*sink.Batch
						for from := int64(0); from < n; from += size {
							batch := &sink.Batch{Next: version*n + min(from+size, n)}
							for i := from; i < min(from+size, n); i++ {
								row := wideRow(i, version)
								batch.Records = append(batch.Records, sink.Record{Key: fmt.Append(nil, i), KeyValues: row[:1], Row: row, Offset: i})
							}
							batches = append(batches, batch)
						}
						start := time.Now()
						for _, batch := range batches {
							if parked, err := s.Apply(ctx, batch); err != nil || len(parked) > 0 {
								b.Fatal(parked, err)
							}
						}
						return time.Since(start)
					}
					b.ReportMetric(n/ours(0).Seconds(), "insert/s")
					b.ReportMetric(n/ours(1).Seconds(), "update/s")
					tg.Close()
				}
			})
		}
	}
}
