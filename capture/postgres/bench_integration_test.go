//go:build integration

package postgres

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"shelfstream/capture"
	"shelfstream/internal/testenv"
)

const (
	benchRows    = 1_000_000
	benchChanges = 500_000
)

// productsSQL makes the table that the peers are measured with.
const productsSQL = `CREATE TABLE products(id bigint PRIMARY KEY, sku text NOT NULL, name text NOT NULL, descr text, price numeric(12,2) NOT NULL,
 stock int NOT NULL, vat_code smallint NOT NULL, updated_at timestamptz NOT NULL, blocked bool NOT NULL);
ALTER TABLE products REPLICA IDENTITY FULL;
INSERT INTO products SELECT i, 'SKU-' || lpad(i::text, 9, '0'), 'Artikel ' || i || ' Größe ' || (i %% 50),
 substr(md5(i::text) || ' ' || md5((i * 7)::text) || ' ' || md5((i * 13)::text) || ' ' || md5((i * 17)::text), 1, 120),
 ((i * 37) %% 1000000)::numeric / 100, i %% 1000, 1 + (i %% 3), timestamptz '2026-01-01 00:00:00+00' + (i %% 86400) * interval '1 second', i %% 97 = 0
FROM generate_series(1, %d) i`

// BenchmarkSnapshot reads a million rows into a log that does nothing, beside COPY TO STDOUT of the same table by one client.
func BenchmarkSnapshot(b *testing.B) {
	d := newDatabase(b, fmt.Sprintf(productsSQL, benchRows), "VACUUM ANALYZE products")
	b.Run("copy out", func(b *testing.B) {
		for b.Loop() {
			if _, err := d.conn.PgConn().CopyTo(b.Context(), io.Discard, "COPY products TO STDOUT"); err != nil {
				b.Fatal(err)
			}
		}
		report(b, benchRows, 0)
	})
	for _, lanes := range []int{1, 2, 4} {
		b.Run(fmt.Sprintf("lanes %d", lanes), func(b *testing.B) {
			cfg := d.config(tables("products"))
			cfg.SnapshotLanes = lanes
			cpu := cpuTime()
			for b.Loop() {
				log := &collector{}
				_, stop := run(b, cfg, log)
				stop()
				if n := log.rows.Load(); n != benchRows {
					b.Fatalf("%d rows", n)
				}
			}
			report(b, benchRows, cpuTime()-cpu)
		})
	}
}

// BenchmarkDrain reads a backlog of inserted and updated rows, beside pg_recvlogical with the same plugin into /dev/null.
func BenchmarkDrain(b *testing.B) {
	d := newDatabase(b, fmt.Sprintf(productsSQL, 0))
	cfg := d.config(tables("products"))
	cfg.Heartbeat, cfg.StatusEvery = time.Second, time.Second
	_, stop := run(b, cfg, &collector{})
	stop()
	for i := range benchChanges / 2000 {
		// Transactions of 1,000 changes, as an ERP's batch run makes them.
		d.exec(fmt.Sprintf("INSERT INTO products SELECT i, 'SKU-' || i, 'Artikel ' || i, repeat('x', 120), i::numeric / 100, i %% 1000, 1, now(), false FROM generate_series(%d, %d) i", i*1000, i*1000+999),
			fmt.Sprintf("UPDATE products SET stock = stock + 1 WHERE id BETWEEN %d AND %d", i*1000, i*1000+999))
	}
	end := d.one("SELECT pg_current_wal_insert_lsn()")
	from := d.one("SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = '" + d.slot() + "'")
	b.Run("ours", func(b *testing.B) {
		cpu := cpuTime()
		for b.Loop() {
			log := &collector{} // it confirms nothing, so the backlog stays
			src, err := New(cfg)
			if err != nil {
				b.Fatal(err)
			}
			ctx, cancel := context.WithCancel(b.Context())
			log.at = func(capture.Meta) {
				if log.changes.Load() == benchChanges-1 {
					cancel()
				}
			}
			if err := src.Run(ctx, capture.Start{Checkpoint: benchCheckpoint(b, src, from)}, log); err != nil {
				b.Fatal(err)
			}
			cancel()
			if n := log.changes.Load(); n < benchChanges {
				b.Fatalf("%d changes", n)
			}
		}
		report(b, benchChanges, cpuTime()-cpu)
	})
	b.Run("pg_recvlogical", func(b *testing.B) {
		bin, _, err := testenv.FindPostgres(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		host, port := "127.0.0.1", server.Addr()[len("127.0.0.1:"):]
		for b.Loop() {
			b.StopTimer()
			d.exec("SELECT pg_copy_logical_replication_slot('" + d.slot() + "', 'bench', false)")
			b.StartTimer()
			cmd := exec.CommandContext(b.Context(), filepath.Join(bin, "pg_recvlogical"), "-h", host, "-p", port, "-U", "postgres", "-d", d.name, "--slot", "bench", "--start",
				"-f", "/dev/null", "-o", "proto_version=1", "-o", "publication_names="+d.slot(), "--endpos", end, "-s", "600", "--no-loop")
			cmd.Stderr = os.Stderr
			if err := cmd.Run(); err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			until(b, "the slot to be free", func() bool {
				return d.one("SELECT active::text FROM pg_replication_slots WHERE slot_name = 'bench'") == "false"
			})
			d.exec("SELECT pg_drop_replication_slot('bench')")
			b.StartTimer()
		}
		report(b, benchChanges, 0)
	})
}

// report turns the time of a benchmark into rows a second, and CPU seconds of this process a million rows.
func report(b *testing.B, rows int, cpu time.Duration) {
	all := float64(rows) * float64(b.N)
	b.ReportMetric(all/b.Elapsed().Seconds(), "rows/s")
	if cpu > 0 {
		b.ReportMetric(cpu.Seconds()*1e6/all, "cpu-s/M")
	}
}

func cpuTime() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
