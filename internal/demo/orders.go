package demo

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// Orders places orders in the shop as its customers do, and looks into the ERP for when they are there: as a row, and as an instruction file.
type Orders struct {
	// Shop is the shop's database, ERP the address of the ERP's, Dir the folder of instruction files.
	Shop *sql.DB
	ERP  string
	Dir  string
	// Pause is how long the customers rest between two orders; 0 = nobody buys by himself.
	Pause time.Duration
	Seed  uint64

	mu      sync.Mutex
	last    int64
	waiting map[string]*Order
	known   map[string]*Order
	rows    []time.Duration
}

// Order is one order and how long it took from its commit until the ERP had it; 0: not yet.
type Order struct {
	No, Wine, Total string
	Bottles         int
	Placed          time.Time
	Row, File       time.Duration
}

// ErrNotForSale says that the shop does not sell a product.
var ErrNotForSale = errors.New("the shop does not sell this")

// Place buys bottles of one product in one transaction and gives the order's number.
func (o *Orders) Place(ctx context.Context, product int64, bottles int) (string, error) {
	return o.place(ctx, product, bottles, "kari@example.no")
}

func (o *Orders) place(ctx context.Context, product int64, bottles int, email string) (string, error) {
	tx, err := o.Shop.BeginTx(ctx, nil)
	if err != nil {
		return "", fmt.Errorf("place an order: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // nothing after a commit
	order := &Order{Bottles: bottles}
	var vat string
	err = tx.QueryRowContext(ctx, `SELECT coalesce(name, ''), CAST(price * ? + 99 AS DECIMAL(12,2)), CAST(vat_rate AS DECIMAL(5,2)) FROM product
		WHERE product_no = ? AND status = 'published' AND price > 0`, bottles, product).Scan(&order.Wine, &order.Total, &vat)
	if errors.Is(err, sql.ErrNoRows) {
		return "", ErrNotForSale
	}
	if err != nil {
		return "", fmt.Errorf("place an order: %w", err)
	}
	o.mu.Lock()
	o.last++
	order.No = fmt.Sprintf("WEB-%d", 100_000+o.last)
	o.mu.Unlock()
	res, err := tx.ExecContext(ctx, `INSERT INTO web_order (order_no, email, name, address, postcode, city, paid_at, payment_method, freight, total)
		VALUES (?, ?, 'Kari Nordmann', 'Storgata 1', '0155', 'Oslo', now(3), 'vipps', 99, ?)`, order.No, email, order.Total)
	if err != nil {
		return "", fmt.Errorf("place an order: %w", err)
	}
	id, err := res.LastInsertId()
	if err != nil {
		return "", fmt.Errorf("place an order: %w", err)
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO web_order_line VALUES (?, 1, ?, ?, ?, 'FLASKE', ? - 99, ?)", id, fmt.Sprint(product), order.Wine, bottles, order.Total, vat); err != nil {
		return "", fmt.Errorf("place an order: %w", err)
	}
	if err := tx.Commit(); err != nil {
		return "", fmt.Errorf("place an order: %w", err)
	}
	order.Placed = time.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.waiting == nil {
		o.waiting, o.known = map[string]*Order{}, map[string]*Order{}
	}
	o.waiting[order.No], o.known[order.No] = order, order
	return order.No, nil
}

// Order tells of an order that was placed here.
func (o *Orders) Order(no string) (Order, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if x := o.known[no]; x != nil {
		return *x, true
	}
	return Order{}, false
}

// Delays gives the median of the times until the ERP had a row, since the last call, and how many orders that were.
func (o *Orders) Delays() (time.Duration, int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	rows := o.rows
	o.rows = nil
	if len(rows) == 0 {
		return 0, 0
	}
	slices.Sort(rows)
	return rows[len(rows)/2], len(rows)
}

// Shopping lets the customers buy, until ctx ends.
func (o *Orders) Shopping(ctx context.Context, products int) error {
	rng := rand.New(rand.NewPCG(o.Seed, 9))
	for o.Pause > 0 && rest(ctx, o.Pause) {
		email := []string{"kari@example.no", "OLA@example.no ", "guest@example.no"}[rng.IntN(3)]
		// What cannot be bought, or not now, is not bought.
		_, _ = o.place(ctx, 1+rng.Int64N(int64(products)), 1+rng.IntN(6), email)
	}
	return nil
}

// Run looks for the orders in the ERP until ctx ends, over a new connection whenever one breaks.
func (o *Orders) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := o.watch(ctx); err != nil && !rest(ctx, 100*time.Millisecond) {
			break
		}
	}
	return nil
}

func (o *Orders) watch(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, o.ERP)
	if err != nil {
		return fmt.Errorf("connect to the ERP: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	for rest(ctx, 2*time.Millisecond) {
		if err := o.look(ctx, conn); err != nil {
			return err
		}
	}
	return nil
}

func (o *Orders) look(ctx context.Context, conn *pgx.Conn) error {
	var missing []string
	o.mu.Lock()
	for no, order := range o.waiting {
		if order.Row == 0 {
			missing = append(missing, no)
		}
	}
	o.mu.Unlock()
	var there []string
	if len(missing) > 0 {
		rows, err := conn.Query(ctx, "SELECT order_no FROM web_order WHERE order_no = ANY($1)", missing)
		if err == nil {
			there, err = pgx.CollectRows(rows, pgx.RowTo[string])
		}
		if err != nil {
			return fmt.Errorf("look for orders in the ERP: %w", err)
		}
	}
	now := time.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, no := range there {
		o.waiting[no].Row = now.Sub(o.waiting[no].Placed)
		o.rows = append(o.rows, o.waiting[no].Row)
	}
	for no, order := range o.waiting {
		if order.File == 0 {
			if _, err := os.Stat(filepath.Join(o.Dir, no+".edi")); err == nil {
				order.File = time.Since(order.Placed)
			}
		}
		if order.Row > 0 && order.File > 0 {
			delete(o.waiting, no)
		}
	}
	return nil
}

// Await waits until the ERP has every order as a row and as a file, at most for limit; it gives how many are missing.
func (o *Orders) Await(ctx context.Context, limit time.Duration) int {
	deadline := time.Now().Add(limit)
	for {
		o.mu.Lock()
		n := len(o.waiting)
		o.mu.Unlock()
		if n == 0 || time.Now().After(deadline) || !rest(ctx, 20*time.Millisecond) {
			return n
		}
	}
}

// CompareOrders compares the ERP's orders with the shop's: each once, with its total, which its lines make, and each line of goods.
func CompareOrders(ctx context.Context, erp *pgx.Conn, shop *sql.DB) (*Comparison, error) {
	c := &Comparison{}
	const erpOrders = `SELECT o.order_id::text, o.order_no, o.total::numeric(12,2)::text, sum(l.amount)::numeric(12,2)::text
		FROM web_order o JOIN web_order_line l ON l.order_id = o.order_id GROUP BY o.order_id, o.order_no, o.total ORDER BY o.order_id`
	const shopOrders = "SELECT CAST(order_id AS CHAR), order_no, CAST(total AS CHAR), CAST(total AS CHAR) FROM web_order ORDER BY order_id"
	if err := c.table(ctx, erp, shop, "web_order", 1, erpOrders, shopOrders); err != nil {
		return nil, err
	}
	const erpLines = `SELECT order_id::text, line_no::text, sku, quantity::numeric(12,3)::text, amount::numeric(12,2)::text, vat_rate::numeric(5,2)::text
		FROM web_order_line WHERE kind = 'goods' ORDER BY web_order_line.order_id, web_order_line.line_no`
	const shopLines = "SELECT CAST(order_id AS CHAR), CAST(line_no AS CHAR), sku, CAST(quantity AS CHAR), CAST(amount AS CHAR), CAST(vat_rate AS CHAR) FROM web_order_line ORDER BY order_id, line_no"
	return c, c.table(ctx, erp, shop, "web_order_line", 2, erpLines, shopLines)
}
