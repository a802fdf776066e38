package main

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"
)

// probe changes distinct rows at a steady rate, 10 a transaction, and polls the shop every millisecond for them in the order of their commits. The first
// warmup seconds do not count.
func (b *bench) probe(ctx context.Context, rate, seconds, warmup, mark int) (delays, error) {
	const tx = 10
	n := rate * (seconds + warmup)
	ids := rand.New(rand.NewPCG(uint64(mark), 7)).Perm(b.rows)[:n]
	committed, seen := make([]time.Time, n), make([]time.Time, n)
	var done atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		c, err := pgx.Connect(ctx, b.servers.pgDSN)
		if err != nil {
			return fmt.Errorf("connect: %w", err)
		}
		defer c.Close(context.WithoutCancel(ctx))
		tick := time.NewTicker(time.Second * tx / time.Duration(rate))
		defer tick.Stop()
		for i := 0; i < n; i += tx {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-tick.C:
			}
			batch := &pgx.Batch{}
			batch.Queue("BEGIN")
			for k := i; k < i+tx; k++ {
				batch.Queue("UPDATE products SET stock = $1, updated_at = clock_timestamp() WHERE id = $2", mark, ids[k]+1)
			}
			batch.Queue("COMMIT")
			if err := c.SendBatch(ctx, batch).Close(); err != nil {
				return fmt.Errorf("update: %w", err)
			}
			now := time.Now()
			for k := i; k < i+tx; k++ {
				committed[k] = now
			}
			done.Store(int64(i + tx))
		}
		return nil
	})
	g.Go(func() error { return b.watch(ctx, ids, mark, seen, &done) })
	if err := g.Wait(); err != nil {
		return nil, err
	}
	var d delays
	for k := warmup * rate; k < n; k++ {
		d = append(d, max(0, float64(seen[k].Sub(committed[k]).Microseconds())/1000))
	}
	slices.Sort(d)
	return d, nil
}

func (b *bench) watch(ctx context.Context, ids []int, mark int, seen []time.Time, done *atomic.Int64) error {
	db, err := sql.Open("mysql", b.servers.myDSN)
	if err != nil {
		return err
	}
	defer db.Close()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	fresh := time.Now()
	for pos := 0; pos < len(ids); {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		// Everything committed and not yet seen, a few hundred at most.
		hi := min(pos+300, int(done.Load()))
		if hi == pos {
			fresh = time.Now()
			continue
		}
		if time.Since(fresh) > time.Minute {
			return fmt.Errorf("nothing new in the shop for a minute, at change %d of %d", pos, len(ids))
		}
		got, err := shown(ctx, db, ids[pos:hi], mark)
		if err != nil {
			return err
		}
		now := time.Now()
		for pos < hi && got[ids[pos]+1] {
			seen[pos] = now
			fresh = now
			pos++
		}
	}
	return nil
}

func shown(ctx context.Context, db *sql.DB, ids []int, mark int) (map[int]bool, error) {
	var in strings.Builder
	for i, id := range ids {
		if i > 0 {
			in.WriteByte(',')
		}
		fmt.Fprint(&in, id+1)
	}
	rows, err := db.QueryContext(ctx, fmt.Sprintf("SELECT id FROM ss_products WHERE stock = %d AND id IN (%s)", mark, in.String()))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	got := map[int]bool{}
	for rows.Next() {
		var id int
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		got[id] = true
	}
	return got, rows.Err()
}
