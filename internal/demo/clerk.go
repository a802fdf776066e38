package demo

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// Clerk keeps changing the ERP in transactions over several tables. Every transaction that touches a product's price or stock writes the same new
// number into rev of the product, of its current price and of its stock rows, so that whoever reads the shop can see whether a transaction came whole.
type Clerk struct {
	// DSN is the ERP's.
	DSN string
	// Products is how many were seeded.
	Products int
	// Pause is how long the clerk rests between transactions; 0 = not at all.
	Pause time.Duration
	// Seed makes the work repeatable but for timing.
	Seed uint64
	// Share and Of are for several clerks at once: this one takes the products whose number is Share modulo Of, so that no two raise one product's
	// rev. Of 0 is a clerk alone.
	Share, Of int
	// OnCommit, if set, hears of each product whose rev was raised, right after the commit. Called from the clerk's goroutine.
	OnCommit func(product, rev int64, at time.Time)

	changes atomic.Int64
	rev     atomic.Int64
	mu      sync.Mutex
	held    map[int64]int16 // products with a made-up VAT code, and the right one
	gone    map[int64]int16 // VAT codes of products that were deleted
}

// Changes is how many rows were changed so far.
func (c *Clerk) Changes() int64 { return c.changes.Load() }

// Run works until ctx ends, over a new connection whenever one breaks; then it returns nil.
func (c *Clerk) Run(ctx context.Context) error {
	c.held, c.gone = map[int64]int16{}, map[int64]int16{}
	rng := rand.New(rand.NewPCG(c.Seed, 1))
	for ctx.Err() == nil {
		if err := c.shift(ctx, rng); err != nil && ctx.Err() == nil {
			if !rest(ctx, 50*time.Millisecond) {
				break
			}
		}
	}
	return nil
}

// shift works on one connection until it breaks.
func (c *Clerk) shift(ctx context.Context, rng *rand.Rand) error {
	conn, err := pgx.Connect(ctx, c.DSN)
	if err != nil {
		return fmt.Errorf("connect to the ERP: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	// A clerk who was here before has left higher numbers than this one would begin with.
	var rev int64
	err = conn.QueryRow(ctx, "SELECT greatest((SELECT max(rev) FROM product), (SELECT max(rev) FROM price), (SELECT max(rev) FROM stock), 0)").Scan(&rev)
	if err != nil {
		return fmt.Errorf("read the ERP's newest rev: %w", err)
	}
	c.rev.Store(max(rev, c.rev.Load()))
	for ctx.Err() == nil {
		if err := c.work(ctx, conn, rng); err != nil {
			return err
		}
		if !rest(ctx, c.Pause) {
			return nil
		}
	}
	return nil
}

// work does one transaction of one of the kinds that an ERP knows.
func (c *Clerk) work(ctx context.Context, conn *pgx.Conn, rng *rand.Rand) error {
	product := c.pick(rng)
	switch k := rng.IntN(100); {
	case k < 70:
		return c.reprice(ctx, conn, rng, product)
	case k < 80:
		return c.exec(ctx, conn, "INSERT INTO product_text VALUES ($1, 'nb', $2, $3) ON CONFLICT (product_no, lang) DO UPDATE SET name = excluded.name, description = excluded.description",
			product, fmt.Sprintf("%s nr. %d, utgave %d", grape(product), product, rng.IntN(1000)), "Ny tekst.")
	case k < 84:
		return c.exec(ctx, conn, "DELETE FROM image WHERE product_no = $1 AND position = 10", product)
	case k < 88:
		return c.exec(ctx, conn, "INSERT INTO image VALUES ($1, $2, 10, $3, NULL) ON CONFLICT (image_id) DO UPDATE SET url = excluded.url", product*10+7, product, fmt.Sprintf("https://images.example/%d_new.jpg", product))
	case k < 90:
		// An image moves to another product, perhaps one of another clerk's: an image has no rev.
		return c.exec(ctx, conn, "UPDATE image SET product_no = $1 WHERE image_id = $2", 1+rng.Int64N(int64(c.Products)), product*10)
	case k < 93:
		return c.exec(ctx, conn, "UPDATE product SET blocked = NOT blocked WHERE product_no = $1", product)
	case k < 95:
		return c.exec(ctx, conn, "UPDATE product SET discontinued = NOT discontinued WHERE product_no = $1", product)
	case k < 97:
		return c.replace(ctx, conn, product)
	default:
		return c.misfile(ctx, conn, product)
	}
}

// pick chooses one of this clerk's products.
func (c *Clerk) pick(rng *rand.Rand) int64 {
	if c.Of <= 1 {
		return 1 + rng.Int64N(int64(c.Products))
	}
	n := int64(c.Products / c.Of)
	return 1 + rng.Int64N(n)*int64(c.Of) + int64(c.Share)
}

func (c *Clerk) exec(ctx context.Context, conn *pgx.Conn, sql string, args ...any) error {
	tag, err := conn.Exec(ctx, sql, args...)
	c.changes.Add(tag.RowsAffected())
	return err
}

// reprice changes a product, its prices and its stock in one transaction; all get the same rev.
func (c *Clerk) reprice(ctx context.Context, conn *pgx.Conn, rng *rand.Rand, product int64) error {
	rev := c.rev.Add(1)
	var rows int64
	err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		rows = 0
		for _, q := range []struct {
			sql  string
			args []any
		}{
			{"UPDATE product SET rev = $2, updated_at = clock_timestamp() WHERE product_no = $1", []any{product, rev}},
			{"UPDATE price SET rev = $2, price = price + $3 WHERE product_no = $1", []any{product, rev, numeric(int64(rng.IntN(2000)-1000), 4)}},
			{"UPDATE stock SET rev = $2, on_hand = greatest(0, on_hand + $3) WHERE product_no = $1", []any{product, rev, rng.IntN(11) - 5}},
		} {
			tag, err := tx.Exec(ctx, q.sql, q.args...)
			if err != nil {
				return err
			}
			rows += tag.RowsAffected()
		}
		return nil
	})
	if err == nil {
		c.changes.Add(rows)
		if c.OnCommit != nil {
			c.OnCommit(product, rev, time.Now())
		}
	}
	return err
}

// replace deletes a product with all its rows, or brings it back, so that products go and come.
func (c *Clerk) replace(ctx context.Context, conn *pgx.Conn, product int64) error {
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		var code int16
		err := tx.QueryRow(ctx, "DELETE FROM product WHERE product_no = $1 RETURNING vat_code", product).Scan(&code)
		if err == nil {
			c.gone[product] = code // what was sold of it keeps its VAT
		}
		if errors.Is(err, pgx.ErrNoRows) {
			if code = c.gone[product]; code == 0 || code >= 90 {
				code = 1
			}
			_, err = tx.Exec(ctx, "INSERT INTO product (product_no, name, volume_ml, vat_code) VALUES ($1, $2, 750, $3)", product, fmt.Sprintf("Gjenoppstått %d", product), code)
		}
		c.changes.Add(1)
		return err
	})
}

// misfile gives a product a VAT code that nobody knows, so that it is parked; the next time it is put right.
func (c *Clerk) misfile(ctx context.Context, conn *pgx.Conn, product int64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for p, code := range c.held {
		if err := c.exec(ctx, conn, "UPDATE product SET vat_code = $2 WHERE product_no = $1", p, code); err != nil {
			return err
		}
		delete(c.held, p)
		return nil
	}
	var code int16
	err := conn.QueryRow(ctx, "SELECT vat_code FROM product WHERE product_no = $1 AND vat_code < 90", product).Scan(&code)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	// Remembered first: if the connection breaks in between, putting it right once too often does no harm.
	c.held[product] = code
	return c.exec(ctx, conn, "UPDATE product SET vat_code = 99 WHERE product_no = $1", product)
}

// Tidy puts right what the clerk left misfiled; call it after Run has returned.
func (c *Clerk) Tidy(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, c.DSN)
	if err != nil {
		return fmt.Errorf("connect to the ERP: %w", err)
	}
	defer conn.Close(ctx)
	for p, code := range c.held {
		if err := c.exec(ctx, conn, "UPDATE product SET vat_code = $2 WHERE product_no = $1", p, code); err != nil {
			return err
		}
	}
	clear(c.held)
	return nil
}

// rest waits; false if ctx ended.
func rest(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
