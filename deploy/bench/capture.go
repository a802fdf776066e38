package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"shelfstream/schemas"
)

const captureYAML = `pipeline: %s
log: { brokers: ["%s"], partitions: 4, registry: { url: "%s" } }
admin: { listen: "127.0.0.1:0" }
sources:
  erp:
    %s:
      dsn: ${%s}
      tables: { products: {} }
`

// captured is one kind of database as the cases of capture see it.
type captured struct {
	// kind is the peers' name of it ("pg", "my") and the beginning of the cases' names.
	kind string
	// connector and dsn are what a pipeline's source names: the connector, and the environment's variable.
	connector, dsn string
	// dump reads the whole table with the database's own client and throws the rows away.
	dump     func(context.Context) (time.Duration, error)
	dumpName string
	// update changes n rows, 100 a transaction.
	update func(ctx context.Context, n, mark int) error
	// drain makes ready to read the changes that follow with the database's own client, and gives what reads them.
	drain     func(context.Context) (read func(context.Context) (time.Duration, error), err error)
	drainName string
	// end is a test whether a checkpoint covers everything that is committed now.
	end func(context.Context) (func(*schemas.Checkpoint) (bool, error), error)
	// after frees what a finished pipeline has left in the database.
	after func(context.Context) error
}

func (b *bench) snapshotPG(ctx context.Context) error { return b.snapshot(ctx, b.postgres()) }
func (b *bench) snapshotMy(ctx context.Context) error { return b.captureMy(ctx, b.snapshot) }
func (b *bench) backlogPG(ctx context.Context) error  { return b.backlog(ctx, b.postgres()) }
func (b *bench) backlogMy(ctx context.Context) error  { return b.captureMy(ctx, b.backlog) }

func (b *bench) captureFiles(d captured, pipeline string) map[string]string {
	return map[string]string{"pipeline.yaml": fmt.Sprintf(captureYAML, pipeline, b.servers.brokers, b.servers.registry, d.connector, d.dsn)}
}

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

// snapshot: a table into Kafka, whole.
func (b *bench) snapshot(ctx context.Context, d captured) error {
	var ours, whole, cpu, rss, limit, peer, peerCPU, peerRSS series
	million := float64(b.rows) / 1e6
	for range b.runs {
		if b.peers != nil {
			rows, err := b.peers.measure(ctx, fmt.Sprintf("snapshot('%s', 1, cold=False, extra=BIG, label='big')", d.kind))
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
		took, err := d.dump(ctx)
		if err != nil {
			return err
		}
		limit.add(float64(b.rows) / took.Seconds())

		pipeline := b.name("snap")
		p, err := b.start(ctx, pipeline, b.captureFiles(d, pipeline), "capture")
		if err != nil {
			return err
		}
		first, last, err := b.timed(ctx, p, pipeline+".erp.products", 0, "the snapshot", func() (bool, error) {
			c, err := b.last(ctx, pipeline)
			return c != nil && len(c.Topics) > 0, err
		})
		u := p.usage()
		if err = errors.Join(err, p.stop(), d.after(ctx)); err != nil {
			return err
		}
		ours.add(float64(b.rows) / last.Sub(first).Seconds())
		whole.add(last.Sub(p.at).Seconds())
		cpu.add(u.cpu / million)
		rss.add(u.rss)
		say("%s snapshot: ours %s rows/s, %s %s, peer %s", d.kind, ours, d.dumpName, limit, peer)
	}
	b.put(&result{
		Case: d.kind + "_snapshot", Unit: "rows/s", Ours: ours.median(), Peer: peer.median(), Limit: limit.median(), CPU: cpu.median(), RSS: rss.median(), PeerCPU: peerCPU.median(), PeerRSS: peerRSS.median(), Runs: b.runs,
		Note: fmt.Sprintf("first record to the acknowledged checkpoint; with the start of the process it took %s s. The peer with larger queues, batches, lz4. Limit: %s.", whole, d.dumpName),
	})
	return nil
}

// backlog: changes made while nobody captured, drained into Kafka.
func (b *bench) backlog(ctx context.Context, d captured) error {
	const n = 500_000
	var ours, cpu, rss, limit, peer, peerCPU, peerRSS series
	pipeline := b.name("backlog")
	files := b.captureFiles(d, pipeline)
	caughtUp := func(covers func(*schemas.Checkpoint) (bool, error)) func() (bool, error) {
		return func() (bool, error) {
			c, err := b.last(ctx, pipeline)
			if err != nil || c == nil {
				return false, err
			}
			return covers(c)
		}
	}
	p, err := b.start(ctx, pipeline, files, "capture")
	if err != nil {
		return err
	}
	if err := p.poll(ctx, "the first snapshot", 10*time.Minute, 50*time.Millisecond, caughtUp(func(c *schemas.Checkpoint) (bool, error) { return len(c.Topics) > 0, nil })); err != nil {
		return err
	}
	if err := p.stop(); err != nil {
		return err
	}
	for r := range b.runs {
		if b.peers != nil {
			rows, err := b.peers.measure(ctx, fmt.Sprintf("backlog('%s', 1, 'resume', extra=BIG, label='big')", d.kind))
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
			to, err := d.end(ctx)
			if err != nil {
				return err
			}
			if err := errors.Join(p.poll(ctx, "the peer's changes", 10*time.Minute, 50*time.Millisecond, caughtUp(to)), p.stop()); err != nil {
				return err
			}
		}
		read, err := d.drain(ctx)
		if err != nil {
			return err
		}
		if err := d.update(ctx, n, 10_000+r); err != nil {
			return err
		}
		to, err := d.end(ctx)
		if err != nil {
			return err
		}
		if err := b.servers.settle(ctx); err != nil {
			return err
		}
		took, err := read(ctx)
		if err != nil {
			return err
		}
		limit.add(n / took.Seconds())

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
		say("%s backlog: ours %s changes/s, %s %s, peer %s", d.kind, ours, d.drainName, limit, peer)
	}
	b.put(&result{
		Case: d.kind + "_backlog", Unit: "changes/s", Ours: ours.median(), Peer: peer.median(), Limit: limit.median(), CPU: cpu.median(), RSS: rss.median(), PeerCPU: peerCPU.median(), PeerRSS: peerRSS.median(), Runs: b.runs,
		Note: "500,000 updates, 100 a transaction, made while nobody captured; first record to the checkpoint that covers the last. Limit: " + d.drainName + ".",
	})
	return d.after(ctx)
}
