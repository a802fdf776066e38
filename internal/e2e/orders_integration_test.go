//go:build integration

package e2e

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"shelfstream/internal/testenv"
)

// How many orders are placed, by how many customers at once.
const (
	ordersPlaced   = 20_000
	orderCustomers = 8
)

const ordersPipeline = `pipeline: wine
timezone: Europe/Oslo
sources:
  shop:
    mysql:
      dsn: ${ORDERS_DSN}
      tables:
        order: { table: web_order }
        order_line: { table: web_order_line, partition_by: [order_id] }
        account: { broadcast: true, columns: [customer_no] }
  erp:
    postgres:
      dsn: ${ERP_DSN}
      tables:
        customer: { broadcast: true, columns: [email] }
        product: { broadcast: true, columns: [unit, vat_code] }
        product_unit: { broadcast: true }
        vat_rate: { broadcast: true }
views:
  order:
    from: shop.order
    children:
      lines: { from: shop.order_line, on: order_id, order_by: [line_no] }
    lookups:
      account: { from: shop.account, on: customer_id }
      by_number: { from: erp.customer, on: { customer_no: account.customer_no } }
      by_email: { from: erp.customer, on: { email: { column: email, fold: true } } }
      products: { from: erp.product, on: { sku: { from: lines.sku, fold: true } } }
      units: { from: erp.product_unit, on: { sku: products.sku } }
      vat_rates: { from: erp.vat_rate, on: { vat_code: products.vat_code } }
    rules: ["standard:order"]
sinks:
  import:
    postgres:
      dsn: ${ERP_DSN}
      tables:
        web_order: { from: order, create: true, delete: soft }
        web_order_line: { from: order.lines, create: true }
  files:
    files:
      tables:
        order: { from: order, dir: "${ORDER_DIR}", name: "{{.order_no}}.json", template: json }
  api:
    rest:
      url: ${API_URL}
      tables:
        order:
          from: order
          once: true
          path: /orders
          body: '{"no": {{.order_no}}, "total": {{.total}}, "lines": {{.lines}}}'
          answer: number
          lookup: { path: "/orders?no={{.order_no}}", found: "items[0].number" }
`

// orderWorld is a shop that sells, and an ERP that gets its orders in every way.
type orderWorld struct {
	*world
	orders *sql.DB
	dir    string // of the instruction files
	placed sync.Map
	n      atomic.Int64

	mu    sync.Mutex
	files map[string]int // how often each order came as a file
	total map[string]string
	calls map[string]int // how often each order was taken by HTTP
	paid  map[string]string
	down  atomic.Bool // the HTTP server
}

// TestOrdersArriveOnceAndWhole: 20,000 orders are placed by 8 customers while capture, transform and sinks are killed at random, and the ERP's database, folder
// and HTTP server are away in turn; the server also fails after it has taken an order. Every order comes once, whole, in every way; the totals agree to the øre.
func TestOrdersArriveOnceAndWhole(t *testing.T) {
	w := newOrderWorld(t)
	w.startAll(1, 1, 1)
	ctx, done := context.WithCancel(w.ctx)
	var beside sync.WaitGroup
	beside.Go(func() { w.reads(ctx) })
	began := time.Now()
	var selling errgroup.Group
	for c := range orderCustomers {
		selling.Go(func() error { return w.sells(c) })
	}
	sold := make(chan error, 1)
	go func() { sold <- selling.Wait() }()
	w.disturb(sold)
	t.Logf("%d orders placed in %v", w.n.Load(), time.Since(began).Round(time.Second))
	w.arrived()
	done()
	beside.Wait()
	w.compare()
	w.alive()
}

func newOrderWorld(t *testing.T) *orderWorld {
	t.Helper()
	server, err := testenv.StartMariaDB(t.Context(), "", testenv.MariaDBRelaxed(), testenv.MariaDBCaptured())
	must(t, err)
	t.Cleanup(func() { must(t, server.Close()) })
	dsn, err := server.CreateDatabase(t.Context(), "shop")
	must(t, err)
	o := &orderWorld{dir: t.TempDir() + "/import", files: map[string]int{}, total: map[string]string{}, calls: map[string]int{}, paid: map[string]string{}}
	api := httptest.NewServer(http.HandlerFunc(o.takes))
	t.Cleanup(api.Close)
	must(t, os.Mkdir(o.dir, 0o755))
	example := func(name string) string {
		text, err := os.ReadFile(filepath.Join("../../deploy/examples/orders", name))
		must(t, err)
		return string(text)
	}
	must(t, server.Exec(t.Context(), "shop", example("shop.sql")+`
		INSERT INTO account (customer_id, email, customer_no) VALUES (1, 'kari@example.no', '10005'), (2, 'x@example.no', NULL)`))
	o.orders, err = sql.Open("mysql", dsn)
	must(t, err)
	t.Cleanup(func() { must(t, o.orders.Close()) })
	o.world = newWorld(t, "orders", options{
		session: 2 * time.Second, pipeline: ordersPipeline, rules: "rules: []\n", more: []string{"ORDERS_DSN=" + dsn, "ORDER_DIR=" + o.dir, "API_URL=" + api.URL},
		seed: func(w *world) {
			conn := w.erp()
			for _, text := range []string{example("erp.sql"), "ALTER TABLE customer REPLICA IDENTITY FULL", "ALTER TABLE product REPLICA IDENTITY FULL"} {
				_, err := conn.Exec(w.ctx, text)
				must(w.t, err)
			}
		},
	})
	return o
}

// sells places one customer's share of the orders, each in one transaction.
func (o *orderWorld) sells(customer int) error {
	rng := rand.New(rand.NewPCG(7, uint64(customer)))
	for range ordersPlaced / orderCustomers {
		if err := o.order(rng); err != nil {
			return err
		}
		select {
		case <-o.ctx.Done():
			return o.ctx.Err()
		case <-time.After(time.Duration(rng.IntN(30)) * time.Millisecond):
		}
	}
	return nil
}

func kroner(oere int64) string {
	if oere < 0 {
		return "-" + kroner(-oere)
	}
	return fmt.Sprintf("%d.%02d", oere/100, oere%100)
}

// order places one: a few lines of books and wine, cartons and bottles, with and without freight, discount and gift card; some are refunds, and the shop rounds as it likes.
func (o *orderWorld) order(rng *rand.Rand) error {
	no := fmt.Sprintf("WEB-%d", o.n.Add(1))
	type line struct {
		sku, unit string
		quantity  int
		amount    int64
		vat       int
	}
	var lines []line
	total := int64(0)
	for range 1 + rng.IntN(4) {
		l := line{sku: "67001", unit: "FLASKE", quantity: 1 + rng.IntN(24), amount: 1 + rng.Int64N(500_000), vat: 25}
		switch rng.IntN(4) {
		case 0:
			l.sku, l.unit, l.vat = "BOK-1", "", 0
		case 1:
			l.unit = "KARTONG"
		case 2:
			l.sku = "67002 "
		}
		total += l.amount
		lines = append(lines, l)
	}
	freight, discount, card := rng.Int64N(2)*9900, rng.Int64N(2)*rng.Int64N(total/2+1), rng.Int64N(2)*rng.Int64N(total/2+1)
	total += freight - discount - card + rng.Int64N(9) - 4
	email := []string{"kari@example.no", " OLA@example.no", "new@example.no"}[rng.IntN(3)]
	var refund, account any
	if rng.IntN(20) == 0 {
		refund = 1
	}
	if rng.IntN(2) == 0 {
		account = 1 + rng.IntN(2)
	}
	tx, err := o.orders.BeginTx(o.ctx, nil)
	if err != nil {
		return fmt.Errorf("place an order: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // nothing after a commit
	res, err := tx.ExecContext(o.ctx, `INSERT INTO web_order (order_no, customer_id, email, name, address, postcode, city, paid_at, freight, discount, gift_card, refund_of, total)
		VALUES (?, ?, ?, 'Kari Nordmann', 'Storgata 1', '0155', 'Oslo', now(3), ?, ?, ?, ?, ?)`, no, account, email, kroner(freight), kroner(discount), kroner(card), refund, kroner(total))
	if err != nil {
		return fmt.Errorf("place an order: %w", err)
	}
	id, err := res.LastInsertId()
	if err != nil {
		return err
	}
	for i, l := range lines {
		if _, err := tx.ExecContext(o.ctx, "INSERT INTO web_order_line VALUES (?, ?, ?, 'Vin', ?, ?, ?, ?)", id, i+1, l.sku, l.quantity, l.unit, kroner(l.amount), l.vat); err != nil {
			return fmt.Errorf("place an order: %w", err)
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("place an order: %w", err)
	}
	if refund != nil && total > 0 {
		total = -total
	}
	o.placed.Store(no, kroner(total))
	return nil
}

// reads is the ERP that takes files: each at once, and whole.
func (o *orderWorld) reads(ctx context.Context) {
	for ctx.Err() == nil {
		entries, _ := os.ReadDir(o.dir) // it may be away
		for _, e := range entries {
			name := filepath.Join(o.dir, e.Name())
			if !strings.HasSuffix(name, ".json") {
				continue
			}
			text, err := os.ReadFile(name)
			if err != nil || os.Remove(name) != nil {
				continue
			}
			var order struct {
				No    string      `json:"order_no"`
				Total json.Number `json:"total"`
				Lines []struct {
					Amount json.Number `json:"amount"`
				} `json:"lines"`
			}
			o.mu.Lock()
			if err := json.Unmarshal(text, &order); err != nil || len(order.Lines) == 0 {
				o.t.Errorf("%s is not whole: %v\n%s", e.Name(), err, text)
			}
			o.files[order.No]++
			o.total[order.No] = order.Total.String()
			o.mu.Unlock()
		}
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// takes is the ERP's HTTP server. It takes an order and fails afterwards now and then, so that nobody knows whether it has it; it can be asked.
func (o *orderWorld) takes(w http.ResponseWriter, r *http.Request) {
	if o.down.Load() {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if r.Method == http.MethodGet {
		no := r.FormValue("no")
		if o.calls[no] == 0 {
			fmt.Fprint(w, `{"items": []}`)
			return
		}
		fmt.Fprintf(w, `{"items": [{"number": "E-%s"}]}`, no)
		return
	}
	var order struct {
		No    string      `json:"no"`
		Total json.Number `json:"total"`
		Lines []any       `json:"lines"`
	}
	if err := json.NewDecoder(r.Body).Decode(&order); err != nil {
		w.WriteHeader(http.StatusBadRequest) // whoever called was killed before it had said all
		return
	}
	if len(order.Lines) == 0 {
		o.t.Errorf("order %s came without lines", order.No)
	}
	o.calls[order.No]++
	o.paid[order.No] = order.Total.String()
	if len(o.calls)%50 == 0 {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	fmt.Fprintf(w, `{"number": "E-%s"}`, order.No)
}

// disturb kills processes, and takes the ERP's server, folder and database away in turn, until all is sold.
func (o *orderWorld) disturb(sold <-chan error) {
	rng := rand.New(rand.NewPCG(11, 0))
	killed, turns := map[string]int{}, 0
	for {
		select {
		case err := <-sold:
			must(o.t, err)
			o.t.Logf("killed %v; the ERP was away %d times", killed, turns)
			for stage, n := range killed {
				if n < 3 {
					o.t.Errorf("%s was killed only %d times", stage, n)
				}
			}
			return
		case <-time.After(time.Duration(500+rng.IntN(1500)) * time.Millisecond):
		}
		k := o.workers[rng.IntN(len(o.workers))]
		must(o.t, k.process.Kill())
		k.again()
		killed[k.name]++
		if rng.IntN(4) > 0 {
			continue
		}
		turns++
		if turns%3 == 1 {
			o.down.Store(true)
			<-time.After(2 * time.Second)
			o.down.Store(false)
			continue
		}
		if turns%3 == 2 {
			must(o.t, os.Rename(o.dir, o.dir+".away"))
			<-time.After(2 * time.Second)
			must(o.t, os.Rename(o.dir+".away", o.dir))
			continue
		}
		must(o.t, postgres.Kill())
		must(o.t, postgres.Restart(o.ctx))
	}
}

// arrived waits until as many orders as were placed have come in every way.
func (o *orderWorld) arrived() {
	o.t.Helper()
	conn := o.erp()
	began, told := time.Now(), false
	o.until("all orders", func() (bool, error) {
		var rows int64
		err := conn.QueryRow(o.ctx, "SELECT count(*) FROM web_order").Scan(&rows)
		if !told && rows >= ordersPlaced {
			told = true
			o.t.Logf("all rows %v after the last order", time.Since(began).Round(time.Second))
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		return rows >= ordersPlaced && len(o.files) >= ordersPlaced && len(o.calls) >= ordersPlaced, err
	})
	o.t.Logf("all rows, files and calls %v after the last order", time.Since(began).Round(time.Second))
}

// compare wants each order once, with the shop's total, which its lines make.
func (o *orderWorld) compare() {
	o.t.Helper()
	want := map[string]string{}
	o.placed.Range(func(no, total any) bool { want[no.(string)] = total.(string); return true })
	rows, err := o.erp().Query(o.ctx, `SELECT o.order_no, o.total::numeric(12,2)::text, (SELECT sum(l.amount)::numeric(12,2)::text FROM web_order_line l WHERE l.order_id = o.order_id) FROM web_order o`)
	must(o.t, err)
	come := map[string]int{}
	var no, total string
	var lines *string
	_, err = pgx.ForEachRow(rows, []any{&no, &total, &lines}, func() error {
		if come[no]++; total != want[no] || lines == nil || *lines != total {
			return fmt.Errorf("order %s: the shop's total is %s, the ERP's %s, and of its lines %v", no, want[no], total, lines)
		}
		return nil
	})
	must(o.t, errors.Join(err, rows.Err()))
	if len(want) != ordersPlaced || len(come) != len(want) || len(o.files) != len(want) {
		o.t.Errorf("%d orders placed, %d rows, %d files", len(want), len(come), len(o.files))
	}
	for no, total := range want {
		if come[no] != 1 || o.files[no] != 1 || o.total[no] != total || o.calls[no] != 1 || o.paid[no] != total {
			o.t.Fatalf("order %s of %s: %d rows, %d files, the last of %s, %d calls, the last of %s", no, total, come[no], o.files[no], o.total[no], o.calls[no], o.paid[no])
		}
	}
	left, err := os.ReadDir(o.dir)
	if must(o.t, err); len(left) > 0 {
		o.t.Errorf("%d files are left in the folder: %v", len(left), left[0])
	}
}
