package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

const shopYAML = `pipeline: %[1]s
log: { brokers: ["%[2]s"], partitions: 2, registry: { url: "%[3]s" } }
sources:
  erp:
    postgres:
      dsn: ${ERP_DSN}
      tables: { products: {} }
views:
  product: { from: erp.products, rules: [rules.yaml] }
sinks:
  shop:
    mysql:
      dsn: ${SHOP_DSN}
      tables: { ss_products: { from: product, create: true } }
admin: { listen: "127.0.0.1:0" }
`

const shopRules = `rules:
  - name: everything
    set: { sku: sku, name: name, descr: descr, price: price, stock: stock, vat_code: vat_code, updated_at: updated_at, blocked: blocked }
  - name: gross
    set: { gross: "round(price * 1.25, 2)" }
  - name: status
    status:
      field: status
      first:
        - { when: blocked, is: hidden, because: blocked }
        - { when: stock <= 0, is: sold_out, because: no stock }
      otherwise: { is: published, because: complete }
`

func (b *bench) shopFiles(pipeline string) map[string]string {
	return map[string]string{"pipeline.yaml": fmt.Sprintf(shopYAML, pipeline, b.servers.brokers, b.servers.registry), "rules.yaml": shopRules}
}

// loaded starts the whole way and waits until the shop has every product.
func (b *bench) loaded(ctx context.Context, pipeline string) (*process, error) {
	if err := b.servers.my(ctx, "DROP TABLE IF EXISTS ss_products, shelfstream_offsets, shelfstream_parked"); err != nil {
		return nil, err
	}
	p, err := b.start(ctx, pipeline, b.shopFiles(pipeline), "run")
	if err != nil {
		return nil, err
	}
	return p, p.poll(ctx, "the shop's first load", 20*time.Minute, 200*time.Millisecond, func() (bool, error) {
		n, err := b.count(ctx, "SELECT count(*) FROM ss_products")
		return n == b.rows, err
	})
}

// count reads one number from the shop; a table that is not there yet counts 0.
func (b *bench) count(ctx context.Context, query string) (int, error) {
	db, err := sql.Open("mysql", b.servers.myDSN)
	if err != nil {
		return 0, err
	}
	defer db.Close()
	var n int
	err = db.QueryRowContext(ctx, query).Scan(&n)
	if err != nil && strings.Contains(err.Error(), "1146") {
		return 0, nil
	}
	return n, err
}

// latency: commit in PostgreSQL to visible in MariaDB, at 1,000 row changes a second, 10 a transaction, for 60 s.
func (b *bench) latency(ctx context.Context) error {
	var p50, p95, p99, worst, cpu, rss, peer50, peer99, peerCPU, peerRSS series
	const seconds, warmup, rate = 60, 20, 1000 // as the peer's
	pipeline := b.name("live")
	// The peer first, with all its repetitions: ours would go on working beside it.
	if b.peers != nil {
		for range b.runs {
			if err := b.servers.settle(ctx); err != nil {
				return err
			}
			// Its poll interval tuned to 5 ms.
			rows, err := b.peers.measure(ctx, "e_latency(1, src=FAST, label='poll5ms')")
			if err != nil {
				return err
			}
			collect(&peer50, rows, "p50_ms")
			collect(&peer99, rows, "p99_ms")
			collect(&peerRSS, rows, "rss_connect_mib")
			var c series
			collect(&c, rows, "cpu_connect_s")
			for _, v := range c {
				peerCPU.add(v * 1e6 / (rate * (seconds + 20)))
			}
		}
	}
	p, err := b.loaded(ctx, pipeline)
	stopped := p == nil
	defer func() {
		if !stopped {
			_ = p.stop()
		}
	}()
	if err != nil {
		return err
	}
	for r := range b.runs {
		if err := b.servers.settle(ctx); err != nil {
			return err
		}
		before := p.usage()
		d, err := b.probe(ctx, rate, seconds, warmup, 20_000+b.uid*10+r)
		if err != nil {
			return errors.Join(err, p.alive())
		}
		u := p.usage()
		cpu.add((u.cpu - before.cpu) * 1e6 / float64(rate*(seconds+warmup)))
		rss.add(u.rss)
		p50.add(d.at(.5))
		p95.add(d.at(.95))
		p99.add(d.at(.99))
		worst.add(d.at(1))
		say("latency ms: ours p50 %s p95 %s p99 %s max %s; peer p50 %s p99 %s", p50, p95, p99, worst, peer50, peer99)
	}
	note := fmt.Sprintf("commit in PostgreSQL to visible in MariaDB, 1,000 row changes a second for 60 s, 10 a transaction; p95 %s ms, max %s ms. Ours with a checkpoint for each step, rules and state; the peer copies rows, its poll interval tuned to 5 ms.", p95, worst)
	b.put(&result{Case: "latency_p50", Unit: "ms", Ours: p50.median(), Peer: peer50.median(), CPU: cpu.median(), RSS: rss.median(), PeerCPU: peerCPU.median(), PeerRSS: peerRSS.median(), Runs: b.runs, Note: note})
	b.put(&result{Case: "latency_p99", Unit: "ms", Ours: p99.median(), Peer: peer99.median(), CPU: cpu.median(), RSS: rss.median(), PeerCPU: peerCPU.median(), PeerRSS: peerRSS.median(), Runs: b.runs, Note: note})
	stopped = true
	return errors.Join(p.stop(), b.servers.dropSlots(ctx))
}

// delays are sorted, in milliseconds.
type delays []float64

func (d delays) at(q float64) float64 { return d[int(float64(len(d)-1)*q)] }

// sinkDrain: 300,000 records waiting in the cleaned topic, into rows that are there. The limit is plain upserts of 1,000 rows a statement on one
// connection.
func (b *bench) sinkDrain(ctx context.Context) error {
	const n = 300_000
	var ours, cpu, rss, limit, peer, peerCPU, peerRSS series
	pipeline := b.name("drain")
	all, err := b.loaded(ctx, pipeline)
	if err != nil {
		return err
	}
	if err := all.stop(); err != nil {
		return err
	}
	for r := range b.runs {
		if b.peers != nil {
			rows, err := b.peers.measure(ctx, "e_drain(1, ['rewrite5000-reduce-fetch'])")
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
		}
		mark := 30_000 + b.uid%1000*10 + r
		l, err := b.plainUpserts(ctx, n, mark)
		if err != nil {
			return err
		}
		limit.add(n / l.Seconds())
		perRecord, u, err := b.drainOnce(ctx, pipeline, n, mark)
		if err != nil {
			return err
		}
		ours.add(1 / perRecord)
		cpu.add(u.cpu * 1e6 / n)
		rss.add(u.rss)
		say("sink drain: ours %s records/s, plain upserts %s, peer %s", ours, limit, peer)
	}
	b.put(&result{
		Case: "sink_drain", Unit: "records/s", Ours: ours.median(), Peer: peer.median(), Limit: limit.median(), CPU: cpu.median(), RSS: rss.median(), PeerCPU: peerCPU.median(), PeerRSS: peerRSS.median(), Runs: b.runs,
		Note: "300,000 changed products waiting in the topic, into rows that are there; first changed row to the last. The peer with batches of 5,000, reduction buffer, rewritten statements and large fetches. Limit: upserts of 1,000 rows a statement on one connection.",
	})
	return b.servers.dropSlots(ctx)
}

// drainOnce puts n changes into the cleaned topic while no sink runs, then times a sink: seconds for each record.
func (b *bench) drainOnce(ctx context.Context, pipeline string, n, mark int) (perRecord float64, u usage, err error) {
	topic := pipeline + ".product"
	c, err := b.start(ctx, pipeline, b.shopFiles(pipeline), "capture")
	if err != nil {
		return 0, usage{}, err
	}
	t, err := b.start(ctx, pipeline+"-transform", b.shopFiles(pipeline), "transform")
	if err != nil {
		return 0, usage{}, errors.Join(err, c.stop())
	}
	// The transform of this directory rebuilds its state the first time, and sends nothing, for nothing differs.
	base, err := b.records(ctx, topic)
	if err == nil {
		err = b.servers.pg(ctx, fmt.Sprintf("UPDATE products SET stock = %d WHERE id %% 3 = 1 AND id <= %d", mark, 3*n))
	}
	if err == nil {
		// The peer's run has changed the same table, so there may be more than n records: what counts is that no more come.
		var seen int64
		var since time.Time
		err = t.poll(ctx, "the changes in the cleaned topic", 10*time.Minute, 50*time.Millisecond, func() (bool, error) {
			have, err := b.records(ctx, topic)
			if have != seen {
				seen, since = have, time.Now()
			}
			return have >= base+int64(n) && time.Since(since) > 3*time.Second, err
		})
	}
	if err = errors.Join(err, t.stop(), c.stop()); err != nil {
		return 0, usage{}, err
	}
	applied := func() (int, error) {
		return b.count(ctx, "SELECT coalesce(sum(next_offset), 0) FROM shelfstream_offsets WHERE topic = '"+topic+"'")
	}
	begin, err := applied()
	if err != nil {
		return 0, usage{}, err
	}
	end, err := b.records(ctx, topic)
	if err != nil {
		return 0, usage{}, err
	}
	p, err := b.start(ctx, pipeline, b.shopFiles(pipeline), "sink")
	if err != nil {
		return 0, usage{}, err
	}
	// The clock starts with the first transaction that is seen, and what that one brought does not count. Asking the table of products would be slow
	// while it changes, and would slow the drain down.
	var first time.Time
	at := begin
	err = p.poll(ctx, "the drain", 10*time.Minute, 20*time.Millisecond, func() (bool, error) {
		have, err := applied()
		if first.IsZero() && have > begin {
			first, at = time.Now(), have
		}
		return int64(have) >= end, err
	})
	took := time.Since(first)
	u = p.usage()
	if err = errors.Join(err, p.stop()); err != nil {
		return 0, u, err
	}
	k, err := b.count(ctx, fmt.Sprintf("SELECT count(*) FROM ss_products WHERE stock = %d AND id %% 3 = 1 AND id <= %d", mark, 3*n))
	if err == nil && k != n {
		err = fmt.Errorf("%d of %d rows are in the shop after the drain", k, n)
	}
	return took.Seconds() / float64(end-int64(at)), u, err
}

// plainUpserts writes the same rows into a copy of the shop's table. The statements are made ahead of the clock.
func (b *bench) plainUpserts(ctx context.Context, n, mark int) (time.Duration, error) {
	if err := b.servers.my(ctx, "DROP TABLE IF EXISTS ss_limit", "CREATE TABLE ss_limit LIKE ss_products", "INSERT INTO ss_limit SELECT * FROM ss_products"); err != nil {
		return 0, err
	}
	db, err := sql.Open("mysql", b.servers.myDSN+"?maxAllowedPacket=0")
	if err != nil {
		return 0, err
	}
	defer db.Close()
	statements, err := upsertStatements(ctx, db, n, mark)
	if err != nil {
		return 0, err
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	start := time.Now()
	for _, s := range statements {
		if _, err := conn.ExecContext(ctx, s); err != nil {
			return 0, fmt.Errorf("upsert: %w", err)
		}
	}
	return time.Since(start), nil
}

func upsertStatements(ctx context.Context, db *sql.DB, n, mark int) ([]string, error) {
	rows, err := db.QueryContext(ctx, fmt.Sprintf("SELECT * FROM ss_products WHERE id %% 3 = 1 AND id <= %d ORDER BY id", 3*n))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var set []string
	for _, c := range columns[1:] {
		set = append(set, c+"=VALUES("+c+")")
	}
	values, dest := make([]sql.RawBytes, len(columns)), make([]any, len(columns))
	for i := range values {
		dest[i] = &values[i]
	}
	stock := slices.Index(columns, "stock")
	var out []string
	var s strings.Builder
	k := 0
	flush := func() {
		if k > 0 {
			out = append(out, s.String()+" ON DUPLICATE KEY UPDATE "+strings.Join(set, ","))
		}
		s.Reset()
		k = 0
	}
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			return nil, err
		}
		if k == 0 {
			s.WriteString("INSERT INTO ss_limit (" + strings.Join(columns, ",") + ") VALUES ")
		} else {
			s.WriteByte(',')
		}
		s.WriteByte('(')
		for i, v := range values {
			if i > 0 {
				s.WriteByte(',')
			}
			switch {
			case i == stock:
				fmt.Fprint(&s, mark)
			case v == nil:
				s.WriteString("NULL")
			default:
				s.WriteString("'" + strings.ReplaceAll(strings.ReplaceAll(string(v), `\`, `\\`), "'", "''") + "'")
			}
		}
		s.WriteByte(')')
		if k++; k == 1000 {
			flush()
		}
	}
	flush()
	return out, rows.Err()
}
