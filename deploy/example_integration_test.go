//go:build integration

package deploy_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"shelfstream/internal/testenv"
	"shelfstream/schemas/registry"
)

// memoryLog is enough for a registry that lives as long as a test.
type memoryLog struct{ records [][2][]byte }

func (l *memoryLog) Append(_ context.Context, key, value []byte) error {
	l.records = append(l.records, [2][]byte{key, value})
	return nil
}

func (l *memoryLog) Replay(_ context.Context, fn func(key, value []byte) error) error {
	for _, r := range l.records {
		if err := fn(r[0], r[1]); err != nil {
			return err
		}
	}
	return nil
}

// oracle is what the example's rules say, as one query over the ERP.
const oracle = `
WITH d AS (SELECT (now() AT TIME ZONE 'Europe/Oslo')::date AS today), priced AS (
  SELECT p.*, (
      SELECT pr.price FROM price pr WHERE pr.product_no = p.product_no AND pr.price_list = 'SHOP' AND pr.min_qty <= 1
        AND pr.valid_from <= d.today AND (pr.valid_to IS NULL OR pr.valid_to >= d.today)
      ORDER BY pr.valid_from DESC LIMIT 1) AS net, (
      SELECT v.rate FROM vat_rate v WHERE v.vat_code = p.vat_code AND v.valid_from <= d.today AND (v.valid_to IS NULL OR v.valid_to >= d.today)) AS rate,
    greatest(0, coalesce((SELECT sum(s.on_hand - s.reserved) FROM stock s WHERE s.product_no = p.product_no AND s.warehouse IN ('OSL', 'BGO')), 0) - 2) AS web_stock,
    (SELECT count(*) FROM image i WHERE i.product_no = p.product_no) AS images
  FROM product p, d WHERE p.on_web)
SELECT concat_ws('|', p.product_no, upper(trim(p.item_code)), g.name,
  coalesce((SELECT t.name FROM product_text t WHERE t.product_no = p.product_no AND t.lang = 'nb'),
           (SELECT t.name FROM product_text t WHERE t.product_no = p.product_no AND t.lang = 'en'), p.name),
  coalesce(round(p.net * (1 + p.rate / 100), 2)::text, '-'), p.web_stock,
  CASE WHEN p.weight_g >= 20000 THEN 'pallet' ELSE 'parcel' END,
  CASE WHEN p.blocked OR p.net IS NULL THEN 'hidden' WHEN p.images = 0 THEN 'draft' WHEN p.web_stock <= 0 THEN 'sold_out' ELSE 'published' END, p.images)
FROM priced p JOIN product_group g ON g.group_no = p.group_no ORDER BY p.product_no`

const shop = `SELECT CONCAT_WS('|', p.product_no, p.sku, p.product_group, p.name, COALESCE(p.price, '-'), p.stock, p.freight, p.status,
  (SELECT COUNT(*) FROM product_image i WHERE i.product_no = p.product_no)) FROM product p ORDER BY p.product_no`

// The example is run as README.md says, with a user that may read and replicate and nothing else, and compared with a query of the ERP.
func TestExampleKeepsTheShopEqual(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	pg, err := testenv.StartPostgres(ctx, "")
	check(t, err)
	t.Cleanup(func() { check(t, pg.Close()) })
	my, err := testenv.StartMariaDB(ctx, "")
	check(t, err)
	t.Cleanup(func() { check(t, my.Close()) })
	broker, err := testenv.StartBroker(ctx, "")
	check(t, err)
	t.Cleanup(func() { check(t, broker.Close()) })
	schemas, err := registry.NewServer(ctx, &memoryLog{})
	check(t, err)
	web := httptest.NewServer(schemas)
	t.Cleanup(web.Close)

	_, err = pg.CreateDatabase(ctx, "erp")
	check(t, err)
	ddl, err := os.ReadFile("examples/postgres-mysql/erp.sql")
	check(t, err)
	check(t, pg.Exec(ctx, "erp", string(ddl)))
	captureUser(t, ctx, pg)
	shopDSN, err := my.CreateDatabase(ctx, "shop")
	check(t, err)
	admin, err := testenv.FreeAddr()
	check(t, err)
	dir := t.TempDir()
	env := []string{
		"ERP_DSN=" + pg.DSNAs("capture", "erp"), "SHOP_DSN=" + shopDSN, "KAFKA_BROKER=" + broker.Addr(), "REGISTRY_URL=" + web.URL,
		"STATE_DIR=" + filepath.Join(dir, "state"), "ADMIN_LISTEN=" + admin, "SHELFSTREAM_CONFIG=examples/postgres-mysql/pipeline.yaml",
	}
	bin, err := testenv.BuildBinary(ctx, dir, false)
	check(t, err)

	checkRun, err := bin.Start(testenv.ProcessConfig{Name: "check", Args: []string{"check", "-connect"}, Env: env, Log: filepath.Join(dir, "check.log")})
	check(t, err)
	if code, err := checkRun.Wait(ctx); code != 0 || err != nil {
		t.Fatalf("check -connect: exit %d, %v\n%s", code, err, checkRun.LogTail(40))
	}
	run, err := bin.Start(testenv.ProcessConfig{Name: "run", Args: []string{"run"}, Env: env, Log: filepath.Join(dir, "run.log"), Admin: admin})
	check(t, err)
	t.Cleanup(func() { check(t, run.Kill()) })
	check(t, run.WaitReady(ctx, time.Minute))

	db, err := sql.Open("mysql", shopDSN)
	check(t, err)
	t.Cleanup(func() { db.Close() })
	equal(t, ctx, pg, db, run)

	// Several tables in one transaction, a product that leaves the shop, one that comes, an image and a child row that go.
	check(t, pg.Exec(ctx, "erp", `BEGIN;
		UPDATE stock SET on_hand = 0 WHERE product_no = 7;
		UPDATE price SET price = 99.995 WHERE product_no = 8;
		UPDATE product SET on_web = false WHERE product_no = 9;
		UPDATE product SET on_web = true, item_code = ' x-20 ' WHERE product_no = 20;
		DELETE FROM image WHERE product_no = 10;
		DELETE FROM product_text WHERE product_no = 11 AND lang = 'nb';
		UPDATE vat_rate SET rate = 16 WHERE vat_code = 2 AND valid_to IS NULL;
		COMMIT`))
	equal(t, ctx, pg, db, run)
	check(t, run.Stop(ctx))
}

// captureUser runs the script that the container runs.
func captureUser(t *testing.T, ctx context.Context, pg *testenv.Postgres) {
	t.Helper()
	bin, _, err := testenv.FindPostgres(ctx)
	check(t, err)
	host, port, _ := strings.Cut(pg.Addr(), ":")
	cmd := exec.CommandContext(ctx, "sh", "compose/capture-user.sh")
	cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "PGHOST="+host, "PGPORT="+port, "POSTGRES_USER=postgres", "POSTGRES_DB=erp", "CAPTURE_PASSWORD=o'hemmelig")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("capture-user.sh: %v\n%s", err, out)
	}
}

// equal waits until the shop is what the oracle says; when it does not come to that, the first differences are shown.
func equal(t *testing.T, ctx context.Context, pg *testenv.Postgres, db *sql.DB, run *testenv.Process) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	want := ask(t, ctx, pg)
	if len(want) < 250 {
		t.Fatalf("the oracle names only %d products", len(want))
	}
	var got []string
	var last error
	err := testenv.WaitFor(ctx, "the shop to be equal", func() (bool, error) {
		got, last = rowsOf(ctx, db)
		if !run.Running() {
			return false, errors.New("shelfstream has ended")
		}
		return slices.Equal(got, want), nil
	})
	if err == nil {
		return
	}
	diff := ""
	for i := 0; i < max(len(got), len(want)) && len(diff) < 1000; i++ {
		g, w := "", ""
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if g != w {
			diff += fmt.Sprintf("shop %q\n erp %q\n", g, w)
		}
	}
	t.Fatalf("%v (%v); %d rows, want %d\n%s\n%s", err, last, len(got), len(want), diff, run.LogTail(30))
}

func ask(t *testing.T, ctx context.Context, pg *testenv.Postgres) []string {
	t.Helper()
	c, err := pgx.Connect(ctx, pg.DSN("erp"))
	check(t, err)
	defer c.Close(ctx)
	rows, err := c.Query(ctx, oracle)
	check(t, err)
	out, err := pgx.CollectRows(rows, pgx.RowTo[string])
	check(t, err)
	return out
}

func rowsOf(ctx context.Context, db *sql.DB) ([]string, error) {
	rows, err := db.QueryContext(ctx, shop)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, rows.Err()
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
