//go:build integration

package examples_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"

	"shelfstream/internal/testenv"
	"shelfstream/status"
)

// world is the servers and the program that the data sets share.
type world struct {
	pg  *testenv.Postgres
	my  *testenv.MariaDB
	bin *testenv.Binary
	// path holds the directory of psql.
	path string
}

// TestAdventureWorks runs the example on a small data set in the same file format, and on the real one if it is there: in the directory
// that SHELFSTREAM_ADVENTUREWORKS names, or in shared/data/adventureworks beside the repository.
func TestAdventureWorks(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Minute)
	defer cancel()
	w := startWorld(t, ctx)
	t.Run("synthetic", func(t *testing.T) {
		dir := t.TempDir()
		writeData(t, dir)
		t.Log("runs on a small synthetic data set")
		w.example(t, ctx, "small", dir, 20)
	})
	real, named := os.LookupEnv("SHELFSTREAM_ADVENTUREWORKS")
	if !named {
		root, err := testenv.ModuleRoot()
		check(t, err)
		real = filepath.Join(root, "../shared/data/adventureworks")
		if _, err := os.Stat(real); err != nil {
			t.Log("AdventureWorks itself is not there; name its directory in SHELFSTREAM_ADVENTUREWORKS to run on it too")
			return
		}
	}
	t.Run("AdventureWorks", func(t *testing.T) {
		t.Log("runs on AdventureWorks in " + real)
		w.example(t, ctx, "adventureworks", real, 200)
	})
}

func startWorld(t *testing.T, ctx context.Context) *world {
	t.Helper()
	w := &world{}
	var err error
	w.pg, err = testenv.StartPostgres(ctx, "", testenv.PostgresNoFsync())
	check(t, err)
	t.Cleanup(func() { check(t, w.pg.Close()) })
	w.my, err = testenv.StartMariaDB(ctx, "", testenv.MariaDBRelaxed())
	check(t, err)
	t.Cleanup(func() { check(t, w.my.Close()) })
	w.bin, err = testenv.BuildBinary(ctx, t.TempDir(), false)
	check(t, err)
	bin, _, err := testenv.FindPostgres(ctx)
	check(t, err)
	w.path = bin + ":" + os.Getenv("PATH")
	check(t, w.pg.Exec(ctx, "postgres", "CREATE ROLE capture LOGIN REPLICATION"))
	return w
}

// load runs load.sh and gives what it printed.
func (w *world) load(ctx context.Context, data, db string) (string, error) {
	cmd := exec.CommandContext(ctx, "adventureworks/load.sh", data, w.pg.DSN(db))
	cmd.Env = append(os.Environ(), "PATH="+w.path)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// example loads data, runs the program on it, and changes it step by step. The shop is compared after each.
func (w *world) example(t *testing.T, ctx context.Context, name, data string, atLeast int) {
	erpDSN, err := w.pg.CreateDatabase(ctx, name)
	check(t, err)
	t.Cleanup(func() { check(t, w.pg.DropDatabase(context.Background(), name)) }) // with its replication slot, whose name is the server's
	shopDSN, err := w.my.CreateDatabase(ctx, name)
	check(t, err)
	w.refuses(t, ctx, name)
	if out, err := w.load(ctx, data, name); err != nil {
		t.Fatalf("load.sh: %v\n%s", err, out)
	}
	check(t, w.pg.Exec(ctx, name, "GRANT USAGE ON SCHEMA production, web TO capture; GRANT SELECT ON ALL TABLES IN SCHEMA production, web TO capture"))
	p := &pipeline{w: w, dir: "adventureworks", tables: []string{"product", "text", "stock", "offer"}, erpDSN: erpDSN}
	p.start(t, ctx, w.pg.DSNAs("capture", name), shopDSN)

	before := p.equal(t, ctx, "after the load")
	if n := len(before["product"]); n < atLeast {
		t.Fatalf("the ERP has only %d products for the shop", n)
	}
	for _, step := range steps {
		check(t, w.pg.Exec(ctx, name, step.sql))
		after := p.equal(t, ctx, step.what)
		for _, table := range step.touches {
			if slices.Equal(before[table], after[table]) {
				t.Errorf("%s: %s has not changed, so the step shows nothing", step.what, table)
			}
		}
		before = after
	}
	if out := p.command(t, ctx, "check", "-connect"); strings.Contains(out, "later ") {
		t.Errorf("check -connect of a running pipeline leaves something out:\n%s", out)
	}
	p.explain(t, ctx)
	p.parks(t, ctx, name)
	check(t, p.run.Stop(ctx))
}

// parks takes the VAT rate of a product away: its last good version stays, and 'parked' says why. When the cause is gone it goes on.
func (p *pipeline) parks(t *testing.T, ctx context.Context, db string) {
	t.Helper()
	parked := func(want string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
		defer cancel()
		var out string
		if err := testenv.WaitFor(ctx, "parked: "+want, func() (bool, error) {
			out = p.command(t, ctx, "parked", "product")
			return strings.Contains(out, want), nil
		}); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	parked("0 parked")
	before, err := p.shopRows(ctx, "product")
	check(t, err)
	check(t, p.w.pg.Exec(ctx, db, `CREATE TABLE web.aside AS SELECT product_id, product_subcategory_id, name FROM production.product WHERE product_id = `+onSale+`;
		SELECT 1 / count(*) FROM web.aside;
		UPDATE production.product SET product_subcategory_id = NULL, name = 'not to be seen' WHERE product_id IN (SELECT product_id FROM web.aside)`))
	parked("has no rate that is valid")
	if after, err := p.shopRows(ctx, "product"); err != nil || !slices.Equal(before, after) {
		t.Errorf("the shop shows a product that is parked: %v", err)
	}
	check(t, p.w.pg.Exec(ctx, db, `UPDATE production.product p SET product_subcategory_id = a.product_subcategory_id, name = a.name || '!' FROM web.aside a WHERE p.product_id = a.product_id`))
	p.equal(t, ctx, "after the product is in order again")
	parked("0 parked")
}

// refuses runs load.sh where it cannot load: it must say why, and leave nothing behind.
func (w *world) refuses(t *testing.T, ctx context.Context, db string) {
	t.Helper()
	empty := t.TempDir()
	if out, err := w.load(ctx, empty, db); err == nil || !strings.Contains(out, filepath.Join(empty, "ProductCategory.csv")) {
		t.Errorf("load.sh of an empty directory: %v\n%s", err, out)
	}
	broken := t.TempDir()
	writeData(t, broken)
	check(t, os.WriteFile(filepath.Join(broken, "SpecialOfferProduct.csv"), []byte("1\t999999\tno uuid\t2022-03-31\n"), 0o600))
	if out, err := w.load(ctx, broken, db); err == nil || !strings.Contains(out, "no uuid") {
		t.Errorf("load.sh of a broken file: %v\n%s", err, out)
	}
}

// pipeline is the program at work on an example.
type pipeline struct {
	w *world
	// dir is the example's folder, tables what its compare/ compares.
	dir    string
	tables []string
	env    []string
	addr   map[string]string // by variable
	log    string
	erpDSN string
	shop   *sql.DB
	run    *testenv.Process
}

// command runs a command of the program to its end, which must be a good one, and gives what it printed.
func (p *pipeline) command(t *testing.T, ctx context.Context, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(ctx, p.w.bin.Path, args...)
	cmd.Env = append(os.Environ(), p.env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return string(out)
}

// start checks the example's configuration and runs it. more are variables that only this example has.
func (p *pipeline) start(t *testing.T, ctx context.Context, erpDSN, shopDSN string, more ...string) {
	t.Helper()
	dir := t.TempDir()
	p.log, p.addr = filepath.Join(dir, "run.log"), map[string]string{}
	p.env = append([]string{"SHELFSTREAM_CONFIG=" + filepath.Join(p.dir, "pipeline.yaml"), "DATA_DIR=" + dir, "ERP_DSN=" + erpDSN, "SHOP_DSN=" + shopDSN}, more...)
	for _, v := range []string{"LOG_LISTEN", "REGISTRY_LISTEN", "ADMIN_LISTEN"} {
		addr, err := testenv.FreeAddr()
		check(t, err)
		p.env, p.addr[v] = append(p.env, v+"="+addr), addr
	}
	// Nothing has run yet, and still the rules are compared with the tables' real columns.
	if out := p.command(t, ctx, "check", "-connect"); strings.Contains(out, "later ") {
		t.Errorf("check -connect leaves something out:\n%s", out)
	}
	p.starts(t)
	t.Cleanup(func() { check(t, p.run.Kill()) })
	check(t, p.run.WaitReady(ctx, time.Minute))
	var err error
	p.shop, err = sql.Open("mysql", shopDSN)
	check(t, err)
	t.Cleanup(func() { check(t, p.shop.Close()) })
}

// starts starts the process, or another one after it has ended.
func (p *pipeline) starts(t *testing.T) {
	t.Helper()
	var err error
	p.run, err = p.w.bin.Start(testenv.ProcessConfig{Name: "run", Args: []string{"run"}, Env: p.env, Log: p.log, Admin: p.addr["ADMIN_LISTEN"]})
	check(t, err)
}

// explain asks where the fields of a product with a price come from.
func (p *pipeline) explain(t *testing.T, ctx context.Context) {
	t.Helper()
	var id, price string
	check(t, p.shop.QueryRowContext(ctx, "SELECT CAST(product_id AS CHAR), CAST(price AS CHAR) FROM product WHERE price IS NOT NULL ORDER BY product_id LIMIT 1").Scan(&id, &price))
	var x status.Explanation
	check(t, json.Unmarshal([]byte(p.command(t, ctx, "explain", "-json", "product", id)), &x))
	found := map[string]status.ExplainedField{}
	for _, f := range x.Fields {
		found[f.Field] = f
	}
	f := found["price"]
	if f.Value != price || f.Rule != "vat" || f.Layer != "adventureworks" || f.Line == 0 {
		t.Errorf("explain: the price %s of product %s is %+v", price, id, f)
	}
	if !slices.ContainsFunc(f.Uses, func(u status.ExplainedUse) bool { return u.Input == "vat" && u.Column == "rate" }) {
		t.Errorf("explain: the price does not come from a VAT rate: %+v", f.Uses)
	}
	if found["texts"].Rule != "texts" || len(x.Rows) == 0 || len(x.Targets) != 4 {
		t.Errorf("explain: %d fields, %d rows, %d targets", len(x.Fields), len(x.Rows), len(x.Targets))
	}
	if out := p.command(t, ctx, "explain", "product", id); !strings.Contains(out, "vat (adventureworks, adventureworks.rules.yaml:") {
		t.Errorf("explain names no rule:\n%s", out)
	}
}

// equal waits until each table of the shop is what SQL over the ERP says, and gives those rows.
func (p *pipeline) equal(t *testing.T, ctx context.Context, what string) map[string][]string {
	t.Helper()
	limited, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	want, got := map[string][]string{}, map[string][]string{}
	var last error
	err := testenv.WaitFor(limited, "the shop to be equal", func() (bool, error) {
		if !p.run.Running() {
			return false, errors.New("shelfstream has ended")
		}
		same := true
		for _, table := range p.tables {
			want[table] = p.erpRows(t, ctx, table) // anew each time: the day may end
			if got[table], last = p.shopRows(ctx, table); last != nil || !slices.Equal(got[table], want[table]) {
				same = false
			}
		}
		return same, nil
	})
	if err != nil {
		t.Fatalf("%s: %v (%v)\n%s\n%s", what, err, last, difference(got, want), p.run.LogTail(30))
	}
	return want
}

// difference shows the first rows that are not the same.
func difference(got, want map[string][]string) string {
	var b strings.Builder
	for table := range want {
		fmt.Fprintf(&b, "%s: %d rows in the shop, want %d\n", table, len(got[table]), len(want[table]))
		shown := 0
		for i := 0; i < max(len(got[table]), len(want[table])) && shown < 3; i++ {
			g, w := at(got[table], i), at(want[table], i)
			if g != w {
				fmt.Fprintf(&b, "  shop %s\n   erp %s\n", g, w)
				shown++
			}
		}
	}
	return b.String()
}

func at(rows []string, i int) string {
	if i < len(rows) {
		return rows[i]
	}
	return "(none)"
}

func (p *pipeline) erpRows(t *testing.T, ctx context.Context, table string) []string {
	t.Helper()
	query, err := os.ReadFile(filepath.Join(p.dir, "compare", "erp_"+table+".sql"))
	check(t, err)
	c, err := pgx.Connect(ctx, p.erpDSN)
	check(t, err)
	defer c.Close(ctx)
	rows, err := c.Query(ctx, string(query))
	check(t, err)
	out, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (string, error) {
		values, err := r.Values()
		line := make([]string, len(values))
		for i, v := range values {
			if line[i] = "NULL"; v != nil {
				line[i] = fmt.Sprintf("%q", v)
			}
		}
		return strings.Join(line, " "), err
	})
	check(t, err)
	return out
}

func (p *pipeline) shopRows(ctx context.Context, table string) ([]string, error) {
	query, err := os.ReadFile(filepath.Join(p.dir, "compare", "shop_"+table+".sql"))
	if err != nil {
		return nil, err
	}
	rows, err := p.shop.QueryContext(ctx, string(query))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	values, into := make([]sql.NullString, len(columns)), make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	var out []string
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		line := make([]string, len(values))
		for i, v := range values {
			if line[i] = "NULL"; v.Valid {
				line[i] = fmt.Sprintf("%q", v.String)
			}
		}
		out = append(out, strings.Join(line, " "))
	}
	return out, rows.Err()
}
