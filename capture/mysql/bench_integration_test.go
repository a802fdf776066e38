//go:build integration

package mysql

import (
	"context"
	"database/sql"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/go-mysql-org/go-mysql/client"
	gomysql "github.com/go-mysql-org/go-mysql/mysql"

	"shelfstream/capture"
	"shelfstream/schemas"
)

// counted counts a snapshot's rows.
type counted struct{ n atomic.Int64 }

func (c *counted) Row(context.Context, int, capture.Handle, []schemas.Value) error {
	c.n.Add(1)
	return nil
}
func (c *counted) End(context.Context, capture.Commit) error { return nil }
func (c *counted) Lanes() int                                { return 4 }

const benchRows = 400_000

func benchTable(b *testing.B) *database {
	b.Helper()
	return newDatabase(b, `CREATE TABLE product (id int PRIMARY KEY, sku varchar(40) NOT NULL, name varchar(200) NOT NULL, descr varchar(500), price decimal(12,2), cost decimal(12,4), stock int,
		weight double, active tinyint, state enum('new','live','gone'), created datetime, changed timestamp(6) NULL)`,
		fmt.Sprintf(`INSERT INTO product SELECT seq, CONCAT('SKU-', seq), CONCAT('Product number ', seq), REPEAT('lorem ipsum ', 6), seq / 7, seq / 13, seq %% 1000, seq / 3, seq %% 2, 1 + seq %% 3,
			'2026-01-01' + INTERVAL seq SECOND, '2026-01-01' + INTERVAL seq SECOND FROM seq_1_to_%d`, benchRows), "ANALYZE TABLE product")
}

// BenchmarkSnapshot reads 400,000 rows of twelve columns.
func BenchmarkSnapshot(b *testing.B) {
	d := benchTable(b)
	cfg := Config{DSN: d.dsn(), Pipeline: "p", Source: d.name, Tables: map[string]capture.TableConfig{"product": {}}}.withDefaults()
	for _, lanes := range []int{1, 2, 4} {
		b.Run(fmt.Sprintf("lanes=%d", lanes), func(b *testing.B) {
			cfg.SnapshotLanes = lanes
			var c counted
			b.ReportAllocs()
			for b.Loop() {
				s, err := cfg.openSnapshot(b.Context(), []string{"product"})
				if err != nil {
					b.Fatal(err)
				}
				if err := s.read(b.Context(), &c); err != nil {
					b.Fatal(err)
				}
				if err := s.close(); err != nil {
					b.Fatal(err)
				}
			}
			rate(b, c.n.Load())
		})
	}
}

func rate(b *testing.B, rows int64) {
	b.Helper()
	if rows%benchRows != 0 {
		b.Fatalf("%d rows", rows)
	}
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkReaders compares what can read rows, on one connection and without looking at the values: our wire, go-sql-driver's RawBytes, and go-mysql's streaming select.
func BenchmarkReaders(b *testing.B) {
	d := benchTable(b)
	cfg := Config{DSN: d.dsn(), Pipeline: "p", Source: d.name}.withDefaults()
	const query = "SELECT * FROM product"
	b.Run("wire", func(b *testing.B) {
		w, err := cfg.dial(b.Context(), true)
		if err != nil {
			b.Fatal(err)
		}
		defer w.close()
		var n int64
		b.ReportAllocs()
		for b.Loop() {
			if err := w.query(query, func([][]byte) error { n++; return nil }); err != nil {
				b.Fatal(err)
			}
		}
		rate(b, n)
	})
	b.Run("go-sql-driver", func(b *testing.B) {
		var n int64
		b.ReportAllocs()
		cells, into := make([]sql.RawBytes, 12), make([]any, 12)
		for i := range cells {
			into[i] = &cells[i]
		}
		for b.Loop() {
			rows, err := d.conn.QueryContext(b.Context(), query)
			if err != nil {
				b.Fatal(err)
			}
			for ; rows.Next(); n++ {
				if err := rows.Scan(into...); err != nil {
					b.Fatal(err)
				}
			}
			if err := rows.Err(); err != nil {
				b.Fatal(err)
			}
		}
		rate(b, n)
	})
	b.Run("go-mysql", func(b *testing.B) {
		e, err := cfg.endpoint()
		if err != nil {
			b.Fatal(err)
		}
		conn, err := client.ConnectWithDialer(b.Context(), e.network, e.addr, e.user, e.password, e.database, dialer.DialContext)
		if err != nil {
			b.Fatal(err)
		}
		defer conn.Close()
		var n int64
		b.ReportAllocs()
		for b.Loop() {
			var r gomysql.Result
			if err := conn.ExecuteSelectStreaming(query, &r, func([]gomysql.FieldValue) error { n++; return nil }, nil); err != nil {
				b.Fatal(err)
			}
		}
		rate(b, n)
	})
}
