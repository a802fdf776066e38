//go:build integration

package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"shelfstream/status"
)

const (
	erpTables = `
CREATE TABLE product (no bigint PRIMARY KEY, name text NOT NULL, vat text);
CREATE TABLE price (no bigint, qty int, amount numeric(10,2) NOT NULL, PRIMARY KEY (no, qty));
CREATE TABLE vat (code text PRIMARY KEY, rate numeric(4,2) NOT NULL);
ALTER TABLE product REPLICA IDENTITY FULL;
ALTER TABLE price REPLICA IDENTITY FULL;
INSERT INTO vat VALUES ('std', 0.25), ('food', 0.15);
INSERT INTO product SELECT n, 'Product ' || n, CASE WHEN n % 3 = 0 THEN 'food' ELSE 'std' END FROM generate_series(1, 200) n;
INSERT INTO price SELECT n, 1, n * 1.5 FROM generate_series(1, 200) n;`

	shopTable = `CREATE TABLE product (no bigint PRIMARY KEY, name varchar(40) NOT NULL, net decimal(12,2), gross decimal(14,2))`

	erpRules = `rules:
  - name: name
    set: { name: name }
  - name: net price
    pick: { from: prices, where: qty = 1, order: [qty], set: { net: amount } }
  - name: gross
    set: { gross: "round(net * (1 + vat.rate), 2)" }
`
	erpPipeline = `pipeline: it
log: %s
admin: { listen: "127.0.0.1:0" }
sources:
  erp:
    postgres:
      dsn: ${ERP_DSN}
      tables: { product: {}, price: { partition_by: [no] }, vat: { broadcast: true } }
views:
  product:
    from: erp.product
    children: { prices: { from: erp.price, on: no, order_by: [qty] } }
    lookups: { vat: { from: erp.vat, on: { code: vat } } }
    rules: [it.rules.yaml]
sinks:
  shop:
    mysql: { dsn: "${SHOP_DSN}", tables: { product: { from: product, unfit: park } } }
`
	erpQuery  = `SELECT concat_ws('|', p.no, p.name, r.amount, round(r.amount * (1 + v.rate), 2)) FROM product p JOIN price r ON r.no = p.no AND r.qty = 1 JOIN vat v ON v.code = p.vat ORDER BY p.no`
	shopQuery = `SELECT concat_ws('|', no, name, net, gross) FROM product ORDER BY no`
)

// world is an ERP and a shop.
type world struct {
	env  map[string]string
	erp  *pgx.Conn
	shop *sql.DB
}

func newWorld(t *testing.T) *world {
	t.Helper()
	ctx := t.Context()
	servers := databases(t)
	w := &world{env: map[string]string{"ERP_DSN": servers.erp.DSN("it"), "SHOP_DSN": servers.shop.DSN("it")}}
	var err error
	if w.erp, err = pgx.Connect(ctx, w.env["ERP_DSN"]); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeServer(t, func() error { return w.erp.Close(context.Background()) }) })
	if w.shop, err = sql.Open("mysql", w.env["SHOP_DSN"]); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeServer(t, w.shop.Close) })
	w.inERP(t, erpTables)
	if _, err := w.shop.ExecContext(ctx, shopTable); err != nil {
		t.Fatal(err)
	}
	return w
}

func closeServer(t *testing.T, closing func() error) {
	if err := closing(); err != nil {
		t.Error(err)
	}
}

func (w *world) inERP(t *testing.T, statement string) {
	t.Helper()
	if _, err := w.erp.Exec(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

func (w *world) config(t *testing.T, log string) string {
	t.Helper()
	file := writeConfig(t, fmt.Sprintf(erpPipeline, log))
	if err := os.WriteFile(filepath.Join(filepath.Dir(file), "it.rules.yaml"), []byte(erpRules), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// want is the shop as a direct query of the ERP gives it.
func (w *world) want(t *testing.T) []string {
	t.Helper()
	rows, err := w.erp.Query(t.Context(), erpQuery)
	if err != nil {
		t.Fatal(err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (w *world) have(t *testing.T) []string {
	t.Helper()
	rows, err := w.shop.QueryContext(t.Context(), shopQuery)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		out = append(out, s)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// converge waits until the shop equals the ERP, row by row.
func (w *world) converge(t *testing.T, logs ...*shell) {
	t.Helper()
	want := strings.Join(w.want(t), "\n")
	deadline := time.After(60 * time.Second)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for have := ""; have != want; have = strings.Join(w.have(t), "\n") {
		select {
		case <-deadline:
			for _, l := range logs {
				t.Log(l.stderr.String())
			}
			t.Fatalf("the shop has:\n%.2000s\nthe ERP:\n%.2000s", have, want)
		case <-tick.C:
		}
	}
}

// begin starts a command that runs until stop.
func begin(t *testing.T, env map[string]string, args ...string) (s *shell, stop func()) {
	t.Helper()
	s = newShell(env)
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(t.Context()))
	ended := make(chan int, 1)
	go func() { ended <- s.program.run(ctx, args) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel(errSignal)
		select {
		case code := <-ended:
			if code != 0 {
				t.Errorf("%v: exit code %d\n%s", args, code, s.stderr.String())
			}
		case <-time.After(time.Minute): // TestTerminates holds it to stopWithin
			t.Errorf("%v does not end\n%s", args, s.stderr.String())
		}
	}
	t.Cleanup(stop)
	return s, stop
}

// TestRunFromERPToShop takes 'run' on the embedded log through a day: the first load, changes, a product that a column of the shop
// has no room for, replay, explain while it runs and after it, a restart.
func TestRunFromERPToShop(t *testing.T) {
	w := newWorld(t)
	file := w.config(t, `{ listen: "127.0.0.1:0", registry: { listen: "127.0.0.1:0" } }`)
	with := func(args ...string) outcome { return execute(t, w.env, append(args, "-config", file)...) }
	if got := with("check", "-connect"); got.code != 0 {
		t.Fatalf("check: %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	s, stop := begin(t, w.env, "run", "-config", file)
	w.converge(t, s)
	w.inERP(t, `BEGIN; UPDATE price SET amount = amount + 1 WHERE no <= 50; UPDATE vat SET rate = 0.12 WHERE code = 'food'; DELETE FROM product WHERE no = 7; COMMIT`)
	w.converge(t, s)

	var x status.Explanation
	if got := with("explain", "product", "6", "-json"); got.code != 0 || json.Unmarshal([]byte(got.stdout), &x) != nil || !x.Included {
		t.Fatalf("explain: %d %s%s", got.code, got.stdout, got.stderr)
	}
	if len(x.Targets) != 1 || len(x.Targets[0].Rows) != 1 || *x.Targets[0].Rows[0][3] != "11.20" {
		t.Errorf("what the shop has: %+v", x.Targets)
	}
	if got := with("explain", "product", "7"); got.code != 0 || !strings.Contains(got.stdout, "its root row is gone") || !strings.Contains(got.stdout, "no row") {
		t.Errorf("a deleted product that still has a price: %d %s", got.code, got.stdout)
	}
	if got := with("explain", "product", "77777"); got.code != 1 || !strings.Contains(got.stderr, `there is no product "77777"`) {
		t.Errorf("a product that never was: %d %s", got.code, got.stderr)
	}
	if got := with("check", "-connect"); got.code != 0 || !strings.Contains(got.stdout, "ok      view product") || !strings.Contains(got.stdout, "ok      sink shop") {
		t.Errorf("check of a running pipeline: %d\n%s%s", got.code, got.stdout, got.stderr)
	}

	// What someone did to the shop by hand is put right by a replay.
	if _, err := w.shop.ExecContext(t.Context(), "UPDATE product SET net = 0"); err != nil {
		t.Fatal(err)
	}
	if got := with("replay", "shop", "-to", "beginning"); got.code != 0 || strings.Count(got.stdout, "back to") != 4 {
		t.Errorf("replay: %d %s%s", got.code, got.stdout, got.stderr)
	}
	w.converge(t, s)
	if got := with("capture", "resnapshot"); got.code != 0 {
		t.Errorf("resnapshot: %d %s", got.code, got.stderr)
	}
	w.inERP(t, "UPDATE product SET name = 'after' WHERE no = 1")
	w.converge(t, s)
	eventually(t, "ready", 30*time.Second, func() bool { return strings.Contains(with("status").stdout, ": ready\n") })

	stop()
	w.inERP(t, "UPDATE price SET amount = 99 WHERE no = 9; INSERT INTO product VALUES (1000, 'New', 'std'); INSERT INTO price VALUES (1000, 1, 10)")
	if got := with("explain", "product", "9", "-field", "gross"); got.code != 0 || !strings.Contains(got.stdout, "net = 14.50") {
		t.Errorf("explain of a stopped pipeline: %d %s%s", got.code, got.stdout, got.stderr)
	}
	s, _ = begin(t, w.env, "run", "-config", file)
	w.converge(t, s)
}

// TestStagesInProcessesOfTheirOwn runs capture, two transforms and two sinks beside each other on one broker and one registry.
func TestStagesInProcessesOfTheirOwn(t *testing.T) {
	w := newWorld(t)
	log, _ := sharedLog(t)

	var logs []*shell
	var stops []func()
	for _, stage := range []string{"capture", "transform", "transform", "sink", "sink"} {
		// Each process has a folder, and so a state, of its own.
		file := w.config(t, log)
		s, stop := begin(t, w.env, stage, "-config", file)
		logs, stops = append(logs, s), append(stops, stop)
	}
	w.converge(t, logs...)
	w.inERP(t, "UPDATE price SET amount = amount + 1; UPDATE vat SET rate = 0.10 WHERE code = 'food'; DELETE FROM product WHERE no % 10 = 0")
	w.converge(t, logs...)
	stops[1]() // the other transform and the other sink take over
	stops[3]()
	w.inERP(t, "UPDATE price SET amount = amount + 2")
	w.converge(t, logs...)
}
