//go:build integration

package examples_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"shelfstream/internal/kafka"
	"shelfstream/internal/testenv"
)

// TestOrdersComeBack runs the example of orders: an order of the shop goes to the ERP's HTTP interface, and its number and its status come back into the shop's row. Nothing else of the row changes,
// no row is made, and what is written back is not captured as a change of the shop's.
func TestOrdersComeBack(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	w := &world{}
	var err error
	w.pg, err = testenv.StartPostgres(ctx, "", testenv.PostgresNoFsync())
	check(t, err)
	t.Cleanup(func() { check(t, w.pg.Close()) })
	w.my, err = testenv.StartMariaDB(ctx, "", testenv.MariaDBRelaxed(), testenv.MariaDBCaptured())
	check(t, err)
	t.Cleanup(func() { check(t, w.my.Close()) })
	w.bin, err = testenv.BuildBinary(ctx, t.TempDir(), false)
	check(t, err)

	const name = "orders"
	_, err = w.pg.CreateDatabase(ctx, name)
	check(t, err)
	shopDSN, err := w.my.CreateDatabase(ctx, name)
	check(t, err)
	read := func(file string) string {
		text, err := os.ReadFile(filepath.Join("orders", file))
		check(t, err)
		return string(text)
	}
	check(t, w.pg.Exec(ctx, name, read("erp.sql")))
	check(t, w.my.Exec(ctx, name, read("shop.sql")))

	var taken atomic.Int64
	api := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		var order struct {
			ID string `json:"externalId"`
		}
		if r.Method == http.MethodPost && json.NewDecoder(r.Body).Decode(&order) == nil {
			taken.Add(1)
			fmt.Fprintf(rw, `{"orderNo": "SO-%s"}`, order.ID)
			return
		}
		fmt.Fprint(rw, `{"items": []}`)
	}))
	t.Cleanup(api.Close)

	p := &pipeline{w: w, dir: "orders"}
	p.start(t, ctx, w.pg.DSN(name), shopDSN, "ORDER_DIR="+t.TempDir(), "ERP_URL="+api.URL, "ERP_TOKEN=x")

	shown := func(query string) (text string) {
		check(t, p.shop.QueryRowContext(ctx, query).Scan(&text))
		return text
	}
	becomes := func(what, query, want string) {
		t.Helper()
		var got string
		if err := testenv.WaitFor(ctx, what, func() (bool, error) {
			got = shown(query)
			return got == want, nil
		}); err != nil {
			out, _ := os.ReadFile(p.log)
			t.Fatalf("%v: the shop has %q, want %q\n%s", err, got, want, out[max(0, len(out)-4000):])
		}
	}
	order := func(no int) {
		check(t, w.my.Exec(ctx, name, fmt.Sprintf(`BEGIN; INSERT INTO web_order (order_no, email, name, address, postcode, city, paid_at, freight, total)
			VALUES ('WEB-%d', 'kari@example.no', 'Kari', 'Storgata 1', '0155', 'Oslo', now(), 99, 558.60);
			INSERT INTO web_order_line VALUES (last_insert_id(), 1, '67001', 'Periquita 2014', 4, 'FLASKE', 459.60, 25); COMMIT`, no)))
	}
	back := func(id int) string {
		return fmt.Sprintf("SELECT CONCAT_WS(' ', erp_order_no, erp_status, erp_invoice_no, erp_removed) FROM web_order WHERE order_id = %d", id)
	}
	const rest = "SELECT CONCAT_WS('|', order_id, order_no, email, name, address, paid_at, ordered_at, freight, total) FROM web_order WHERE order_id = 1"

	order(1)
	before := shown(rest)
	becomes("the ERP's number", back(1), "SO-WEB-1 0")
	for _, step := range []struct{ sql, want string }{
		{"INSERT INTO sales_order (web_order_id, order_no) VALUES (1, 'SO-WEB-1')", "SO-WEB-1 received 0"},
		{"UPDATE sales_order SET picked_at = now()", "SO-WEB-1 picked 0"},
		{"UPDATE sales_order SET invoiced_at = now(), invoice_no = '7001'", "SO-WEB-1 invoiced 7001 0"},
		{"DELETE FROM sales_order", "SO-WEB-1 invoiced 7001 1"},
		{"INSERT INTO sales_order (web_order_id, order_no) VALUES (99, 'SO-99'), (2, 'SO-WEB-2')", "SO-WEB-1 invoiced 7001 1"},
	} {
		check(t, w.pg.Exec(ctx, name, step.sql))
		becomes(step.sql, back(1), step.want)
	}
	becomes("what the ERP says of unknown orders to be held", "SELECT COALESCE(GROUP_CONCAT(record_key, ' ', cause ORDER BY record_key SEPARATOR ', '), '') FROM shelfstream_parked", "2 product.row_missing, 99 product.row_missing")

	// What the shop does next comes after all that was written back, in its log: as soon as that is there, so would be what was captured by mistake.
	order(2)
	becomes("the number of the next order", "SELECT COALESCE(erp_order_no, '') FROM web_order WHERE order_id = 2", "SO-WEB-2") // its status may come any moment
	if got := shown(rest); got != before {
		t.Errorf("the order is %s, and was %s", got, before)
	}
	if got := shown("SELECT GROUP_CONCAT(order_id) FROM web_order"); got != "1,2" || taken.Load() != 2 {
		t.Errorf("the shop has the orders %s; the ERP was called %d times", got, taken.Load())
	}
	client, err := kafka.Open(kafka.Config{Brokers: []string{p.addr["LOG_LISTEN"]}})
	check(t, err)
	t.Cleanup(func() { check(t, client.Close()) })
	ends, err := client.EndOffsets(ctx, "orders.shop.order")
	check(t, err)
	n := 0
	for i := range ends {
		check(t, client.Scan(ctx, "orders.shop.order", int32(i), 0, -1, func(*kafka.Record) error { n++; return nil }))
	}
	if n != 2 {
		t.Errorf("%d changes of orders were captured, and the shop made 2", n)
	}
	// Commands and the page take the answers for what they are.
	for _, c := range []struct{ command, want string }{
		{"replay shop_numbers -to beginning", "orders.api.answers/"},
		{"parked shop", "product.row_missing"},
		{"explain order 1", "IN SINK shop_numbers"},
		{"explain order 1", "WEB-1.edi"},
		{"explain order 1", "IN SINK api: order"},
		{"status", "shop_numbers"},
	} {
		if out := p.command(t, ctx, strings.Fields(c.command)...); !strings.Contains(out, c.want) {
			t.Errorf("%s prints no %q:\n%s", c.command, c.want, out)
		}
	}
	becomes("the same after a replay", back(1), "SO-WEB-1 invoiced 7001 1")
	// The status that waited for its order is written within a minute of it, or at the next start.
	check(t, p.run.Stop(ctx))
	p.starts(t)
	check(t, p.run.WaitReady(ctx, time.Minute)) // before that it may not know yet how to end
	becomes("the status that waited", back(2), "SO-WEB-2 received 0")
	check(t, p.run.Stop(ctx))
}
