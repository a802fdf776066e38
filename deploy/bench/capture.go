package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"

	"shelfstream/schemas"
)

const captureYAML = `pipeline: %s
log: { brokers: ["%s"], partitions: 4, registry: { url: "%s" } }
admin: { listen: "127.0.0.1:0" }
sources:
  erp:
    postgres:
      dsn: ${ERP_DSN}
      tables: { products: {} }
`

func (b *bench) name(prefix string) string {
	b.uid++
	return fmt.Sprintf("%s%d", prefix, b.uid)
}

// last reads the newest checkpoint of a pipeline; nil if there is none yet.
func (b *bench) last(ctx context.Context, pipeline string) (*schemas.Checkpoint, error) {
	topic := pipeline + ".erp.checkpoints"
	if n, err := b.servers.client.Partitions(ctx, topic); err != nil || n == 0 {
		return nil, err
	}
	r, err := b.servers.client.Last(ctx, topic, 0)
	if err != nil || r == nil || r.Value == nil {
		return nil, err
	}
	_, body, err := schemas.ParseFrame(r.Value)
	if err != nil {
		return nil, err
	}
	return schemas.DecodeCheckpoint(body)
}

// records counts what a topic was given, control records included.
func (b *bench) records(ctx context.Context, topic string) (int64, error) {
	if n, err := b.servers.client.Partitions(ctx, topic); err != nil || n == 0 {
		return 0, err
	}
	ends, err := b.servers.client.EndOffsets(ctx, topic)
	var sum int64
	for _, e := range ends {
		sum += e
	}
	return sum, err
}

// timed waits for done while it notes when the topic grew past base for the first time.
func (b *bench) timed(ctx context.Context, p *process, topic string, base int64, what string, done func() (bool, error)) (first, last time.Time, err error) {
	err = p.poll(ctx, what, 10*time.Minute, 20*time.Millisecond, func() (bool, error) {
		if first.IsZero() {
			n, err := b.records(ctx, topic)
			if err != nil {
				return false, err
			}
			if n > base+8 { // past the markers of a fence
				first = time.Now()
			}
		}
		return done()
	})
	return first, time.Now(), err
}

// snapshot: PostgreSQL's table into Kafka, whole. The limit is COPY to a client that throws the rows away.
func (b *bench) snapshot(ctx context.Context) error {
	var ours, whole, cpu, rss, limit, peer, peerCPU, peerRSS series
	million := float64(b.rows) / 1e6
	for range b.runs {
		if b.peers != nil {
			rows, err := b.peers.measure(ctx, "snapshot('pg', 1, cold=False, extra=BIG, label='big')")
			if err != nil {
				return err
			}
			collect(&peer, rows, "drain_per_s")
			collect(&peerRSS, rows, "rss_connect_mib")
			var c series
			collect(&c, rows, "cpu_connect_s")
			for _, v := range c {
				peerCPU.add(v / million)
			}
		}
		d, err := b.copyOut(ctx)
		if err != nil {
			return err
		}
		limit.add(float64(b.rows) / d.Seconds())

		pipeline := b.name("snap")
		p, err := b.start(ctx, pipeline, map[string]string{"pipeline.yaml": fmt.Sprintf(captureYAML, pipeline, b.servers.brokers, b.servers.registry)}, "capture")
		if err != nil {
			return err
		}
		first, last, err := b.timed(ctx, p, pipeline+".erp.products", 0, "the snapshot", func() (bool, error) {
			c, err := b.last(ctx, pipeline)
			return c != nil && len(c.Topics) > 0, err
		})
		u := p.usage()
		if err = errors.Join(err, p.stop(), b.servers.dropSlots(ctx)); err != nil {
			return err
		}
		ours.add(float64(b.rows) / last.Sub(first).Seconds())
		whole.add(last.Sub(p.at).Seconds())
		cpu.add(u.cpu / million)
		rss.add(u.rss)
		say("snapshot: ours %s rows/s, COPY %s, peer %s", ours, limit, peer)
	}
	b.put(&result{
		Case: "pg_snapshot", Unit: "rows/s", Ours: ours.median(), Peer: peer.median(), Limit: limit.median(), CPU: cpu.median(), RSS: rss.median(), PeerCPU: peerCPU.median(), PeerRSS: peerRSS.median(), Runs: b.runs,
		Note: fmt.Sprintf("first record to the acknowledged checkpoint; with the start of the process it took %s s. The peer with larger queues, batches, lz4. Limit: COPY out.", whole),
	})
	return nil
}

func (b *bench) copyOut(ctx context.Context) (time.Duration, error) {
	start := time.Now()
	cmd := exec.CommandContext(ctx, b.servers.pgBin+"/psql", "-q", "-d", b.servers.pgDSN, "-c", `\copy products to '/dev/null' (format binary)`)
	if out, err := cmd.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("copy out: %w\n%s", err, out)
	}
	return time.Since(start), nil
}

// updates changes n rows, 100 a transaction.
func (b *bench) updates(ctx context.Context, n, mark int) error {
	c, err := pgx.Connect(ctx, b.servers.pgDSN)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer c.Close(ctx)
	for i := range n / 100 {
		from := (i * 100 * 7) % (b.rows - 100)
		if _, err := c.Exec(ctx, "UPDATE products SET stock = $1, updated_at = clock_timestamp() WHERE id > $2 AND id <= $2 + 100", mark, from); err != nil {
			return fmt.Errorf("update: %w", err)
		}
	}
	return nil
}

// backlog: changes made while nobody captured, drained into Kafka. The limit is pg_recvlogical to /dev/null.
func (b *bench) backlog(ctx context.Context) error {
	const n = 500_000
	var ours, cpu, rss, limit, peer, peerCPU, peerRSS series
	pipeline := b.name("backlog")
	files := map[string]string{"pipeline.yaml": fmt.Sprintf(captureYAML, pipeline, b.servers.brokers, b.servers.registry)}
	caughtUp := func(to pglogrepl.LSN) func() (bool, error) {
		return func() (bool, error) {
			c, err := b.last(ctx, pipeline)
			if err != nil || c == nil {
				return false, err
			}
			at, err := pglogrepl.ParseLSN(c.Position)
			return at >= to, err
		}
	}
	p, err := b.start(ctx, pipeline, files, "capture")
	if err != nil {
		return err
	}
	if err := p.poll(ctx, "the first snapshot", 10*time.Minute, 50*time.Millisecond, caughtUp(1)); err != nil {
		return err
	}
	if err := p.stop(); err != nil {
		return err
	}
	for r := range b.runs {
		if b.peers != nil {
			rows, err := b.peers.measure(ctx, "backlog('pg', 1, 'resume', extra=BIG, label='big')")
			if err != nil {
				return err
			}
			collect(&peer, rows, "drain_per_s")
			collect(&peerRSS, rows, "rss_connect_mib")
			var c series
			collect(&c, rows, "cpu_connect_s")
			for _, v := range c {
				peerCPU.add(v * 1e6 / n)
			}
			// Skips the peer's changes, so that ours are all that is waiting.
			if p, err = b.start(ctx, pipeline, files, "capture"); err != nil {
				return err
			}
			to, err := b.walEnd(ctx)
			if err != nil {
				return err
			}
			if err := errors.Join(p.poll(ctx, "the peer's changes", 10*time.Minute, 50*time.Millisecond, caughtUp(to)), p.stop()); err != nil {
				return err
			}
		}
		if err := b.servers.pg(ctx, "DROP PUBLICATION IF EXISTS benchrecv", "CREATE PUBLICATION benchrecv FOR TABLE products", "SELECT pg_create_logical_replication_slot('benchrecv', 'pgoutput')"); err != nil {
			return err
		}
		if err := b.updates(ctx, n, 10_000+r); err != nil {
			return err
		}
		to, err := b.walEnd(ctx)
		if err != nil {
			return err
		}
		if err := b.servers.pg(ctx, "CHECKPOINT"); err != nil {
			return err
		}
		d, err := b.receive(ctx, to)
		if err != nil {
			return err
		}
		limit.add(n / d.Seconds())

		base, err := b.records(ctx, pipeline+".erp.products")
		if err != nil {
			return err
		}
		if p, err = b.start(ctx, pipeline, files, "capture"); err != nil {
			return err
		}
		first, last, err := b.timed(ctx, p, pipeline+".erp.products", base, "the backlog", caughtUp(to))
		u := p.usage()
		if err = errors.Join(err, p.stop()); err != nil {
			return err
		}
		ours.add(n / last.Sub(first).Seconds())
		cpu.add(u.cpu * 1e6 / n)
		rss.add(u.rss)
		say("backlog: ours %s changes/s, pg_recvlogical %s, peer %s", ours, limit, peer)
	}
	b.put(&result{
		Case: "pg_backlog", Unit: "changes/s", Ours: ours.median(), Peer: peer.median(), Limit: limit.median(), CPU: cpu.median(), RSS: rss.median(), PeerCPU: peerCPU.median(), PeerRSS: peerRSS.median(), Runs: b.runs,
		Note: "500,000 updates, 100 a transaction, made while nobody captured; first record to the checkpoint that covers the last. Limit: pg_recvlogical with pgoutput to /dev/null.",
	})
	return b.servers.dropSlots(ctx)
}

func (b *bench) walEnd(ctx context.Context) (pglogrepl.LSN, error) {
	c, err := pgx.Connect(ctx, b.servers.pgDSN)
	if err != nil {
		return 0, fmt.Errorf("connect: %w", err)
	}
	defer c.Close(ctx)
	var text string
	if err := c.QueryRow(ctx, "SELECT pg_current_wal_lsn()::text").Scan(&text); err != nil {
		return 0, err
	}
	return pglogrepl.ParseLSN(text)
}

// receive drains the slot benchrecv with PostgreSQL's own client.
func (b *bench) receive(ctx context.Context, to pglogrepl.LSN) (time.Duration, error) {
	start := time.Now()
	cmd := exec.CommandContext(ctx, b.servers.pgBin+"/pg_recvlogical", "-d", b.servers.pgDSN, "-S", "benchrecv", "--start", "-F", "0", "--endpos", to.String(),
		"-o", "proto_version=1", "-o", "publication_names=benchrecv", "-f", "/dev/null")
	if out, err := cmd.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("pg_recvlogical: %w\n%s", err, out)
	}
	d := time.Since(start)
	return d, b.servers.pg(ctx, "SELECT pg_drop_replication_slot('benchrecv')", "DROP PUBLICATION benchrecv")
}
