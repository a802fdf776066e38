//go:build integration

package mysql

import (
	"context"
	"database/sql"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"shelfstream/sink/table"
	"shelfstream/sink/table/tabletest"
)

var databases atomic.Int64 // of benchmarks

const wideDDL = "(id bigint PRIMARY KEY, sku varchar(64) NOT NULL, name varchar(255) NOT NULL, descr text, price decimal(12,2) NOT NULL, stock int NOT NULL, vat_code smallint NOT NULL, updated_at datetime(6) NOT NULL, blocked tinyint(1) NOT NULL) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4"

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
			for j, v := range tabletest.WideRow(i, version) {
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
				tg, err := Open(Config{DSN: dsn, Tables: tabletest.Tables{"products": {From: "products"}}}, Options{Sink: "bench"})
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(n/plainUpserts(b, db, "plain", n, 0).Seconds(), "plain_insert/s")
				b.ReportMetric(n/tabletest.WriteWide(b, tg, n, size, 0).Seconds(), "insert/s")
				b.ReportMetric(n/plainUpserts(b, db, "plain", n, 1).Seconds(), "plain_update/s")
				b.ReportMetric(n/tabletest.WriteWide(b, tg, n, size, 1).Seconds(), "update/s")
				db.Close()
				tg.Close()
			}
		})
	}
}
