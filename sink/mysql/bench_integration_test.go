//go:build integration

package mysql

import (
	"context"
	"database/sql"
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

const wideDDL = "(id bigint PRIMARY KEY, sku varchar(64) NOT NULL, name varchar(255) NOT NULL, descr text, price decimal(12,2) NOT NULL, stock int NOT NULL, vat_code smallint NOT NULL, updated_at datetime(6) NOT NULL, blocked tinyint(1) NOT NULL) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4"

func wideRow(i, version int64) []schemas.Value {
	return []schemas.Value{
		schemas.Int(i), schemas.Text(fmt.Sprintf("SKU-%09d", i)), schemas.Text(fmt.Sprintf("Artikel %d Größe %d", i, i%50)),
		schemas.Text(fmt.Sprintf("%032x %032x %032x %020x", i*31, i*7, i*13, i*17)), schemas.Dec((i*37)%1_000_000+version, 2),
		schemas.Int(i % 1000), schemas.Int(1 + i%3), schemas.TimestampTZ(1_767_225_600_000_000 + (i%86400)*1_000_000), schemas.Bool(i%97 == 0),
	}
}

// plainUpserts is the limit: 1,000-row multi-row upserts on one connection, each its own transaction, the SQL made beforehand.
func plainUpserts(b *testing.B, db *sql.DB, into string, n, version int64) time.Duration {
	b.Helper()
	var w writer
	var stmts []string
	for from := int64(0); from < n; from += 1000 {
		var s []byte
		s = append(s, "INSERT INTO "+into+" (id, sku, name, descr, price, stock, vat_code, updated_at, blocked) VALUES "...)
		for i := from; i < from+1000; i++ {
			if i > from {
				s = append(s, ',')
			}
			s = append(s, '(')
			for j, v := range wideRow(i, version) {
				if j > 0 {
					s = append(s, ',')
				}
				w.col = table.ColumnInfo{Nullable: true, FSP: 6, Class: table.ClassOther}
				s, _ = w.Literal(s, v)
			}
			s = append(s, ')')
		}
		s = append(s, " ON DUPLICATE KEY UPDATE sku=VALUES(sku), name=VALUES(name), descr=VALUES(descr), price=VALUES(price), stock=VALUES(stock), vat_code=VALUES(vat_code), updated_at=VALUES(updated_at), blocked=VALUES(blocked)"...)
		stmts = append(stmts, string(s))
	}
	conn, err := db.Conn(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	start := time.Now()
	for _, s := range stmts {
		if _, err := conn.ExecContext(context.Background(), s); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(start)
}

// BenchmarkSession writes 300,000 records through one session, against plain upserts.
func BenchmarkSession(b *testing.B) {
	const n = 300_000
	ctx := context.Background()
	for _, size := range []int64{1000, 4000, 10000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			for range b.N {
				name := fmt.Sprintf("b%d", databases.Add(1))
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
				tg, err := Open(Config{DSN: dsn, Tables: map[string]TableConfig{"products": {From: "products"}}}, Options{Sink: "bench"})
				if err != nil {
					b.Fatal(err)
				}
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
				b.ReportMetric(n/plainUpserts(b, db, "plain", n, 0).Seconds(), "plain_insert/s")
				b.ReportMetric(n/ours(0).Seconds(), "insert/s")
				b.ReportMetric(n/plainUpserts(b, db, "plain", n, 1).Seconds(), "plain_update/s")
				b.ReportMetric(n/ours(1).Seconds(), "update/s")
				db.Close()
				tg.Close()
			}
		})
	}
}
