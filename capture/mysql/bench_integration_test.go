//go:build integration

package mysql

import (
	"context"
	"fmt"
	"runtime"
	"syscall"
	"testing"
	"time"

	"shelfstream/capture"
	"shelfstream/schemas"
)

// counter is a log that counts, and keeps the newest checkpoint.
type counter struct {
	changes, rows int
	commit        capture.Commit
	enough        int // changes after which it ends the source
	end           context.CancelFunc
}

func (c *counter) Table(context.Context, string, *schemas.Table) (capture.Handle, error) {
	return 0, nil
}

func (c *counter) Change(context.Context, capture.Handle, capture.Op, []schemas.Value, []schemas.Value, capture.Meta) error {
	if c.changes++; c.changes == c.enough {
		c.end()
	}
	return nil
}

func (c *counter) Commit(_ context.Context, commit capture.Commit) error {
	c.commit = commit
	if c.enough == 0 && commit.Heartbeat {
		c.end()
	}
	return nil
}

func (c *counter) Snapshot(context.Context, capture.Position, []string) (capture.Snapshot, error) {
	return c, nil
}

func (c *counter) Row(context.Context, int, capture.Handle, []schemas.Value) error {
	c.rows++
	return nil
}

func (c *counter) End(_ context.Context, commit capture.Commit) error { c.commit = commit; return nil }
func (c *counter) Lanes() int                                         { return 1 }

// BenchmarkDrain reads a backlog of inserted and updated rows into a log that does nothing.
func BenchmarkDrain(b *testing.B) {
	const changes = 400_000
	d := newDatabase(b, `CREATE TABLE products(id bigint PRIMARY KEY, sku varchar(20) NOT NULL, name varchar(100) NOT NULL, descr text, price decimal(12,2) NOT NULL,
		stock int NOT NULL, vat_code smallint NOT NULL, updated_at datetime(6) NOT NULL, blocked bool NOT NULL)`)
	run := func(start capture.Start, log *counter) *counter {
		src, err := New(d.config(tables("products")))
		if err != nil {
			b.Fatal(err)
		}
		var ctx context.Context
		ctx, log.end = context.WithCancel(b.Context())
		defer log.end()
		if err := src.Run(ctx, start, log); err != nil {
			b.Fatal(err)
		}
		return log
	}
	begin := run(capture.Start{Snapshot: []string{"products"}}, &counter{}).commit
	for i := range changes / 2000 {
		d.exec(fmt.Sprintf("INSERT INTO products SELECT seq, CONCAT('SKU-', seq), CONCAT('Artikel ', seq), REPEAT('x', 120), seq / 100, seq %% 1000, 1, NOW(6), 0 FROM seq_%d_to_%d", i*1000, i*1000+999),
			fmt.Sprintf("UPDATE products SET stock = stock + 1 WHERE id BETWEEN %d AND %d", i*1000, i*1000+999))
	}
	from := capture.Start{Checkpoint: &schemas.Checkpoint{Position: string(begin.Position), System: begin.System, Topics: []schemas.CheckpointTopic{{Table: "products"}}}}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu := cpuTime()
	for b.Loop() {
		if n := run(from, &counter{enough: changes}).changes; n < changes {
			b.Fatalf("%d changes", n)
		}
	}
	took := b.Elapsed().Seconds() / float64(b.N)
	runtime.ReadMemStats(&after)
	total := float64(changes) * float64(b.N)
	b.ReportMetric(changes/took, "changes/s")
	b.ReportMetric((cpuTime()-cpu).Seconds()/total*1e6, "cpu-s/M")
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/total, "allocs/change")
	b.ReportMetric(float64(after.HeapSys)/1e6, "heap-MB")
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
