//go:build integration

package e2e

import (
	"context"
	"database/sql"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"

	"shelfstream/internal/demo"
	"shelfstream/internal/kafka"
	"shelfstream/internal/testenv"
	"shelfstream/schemas/registry"
)

// world is one pipeline with its ERP, its shop and its registry.
type world struct {
	t   *testing.T
	ctx context.Context
	options

	name     string // of the pipeline, and of its databases
	dir      string
	registry string // URL
	client   *kafka.Client
	shop     *sql.DB
	zone     *time.Location
	workers  []*worker

	erpDSN, shopDSN     string // for the pipeline
	erpProxy, shopProxy *testenv.Proxy
}

// options of a world; the zero value is the demo with 600 products.
type options struct {
	products int
	// session is log.session_timeout.
	session time.Duration
	// proxied lets the pipeline reach its databases through erpProxy and shopProxy.
	proxied bool
	// seed fills the empty ERP; nil is the demo's.
	seed func(w *world)
	// pipeline and rules are the files; "" are the demo's.
	pipeline, rules string
	// alerts are further lines of the section alerts, of a world that tells people.
	alerts string
	// more are further variables of the pipeline's environment.
	more []string
}

// worlds counts them: topics outlive a test, so its second run (-count=2) must have others.
var worlds atomic.Int64

// newWorld makes a pipeline whose name begins with kind.
func newWorld(t *testing.T, kind string, o options) *world {
	t.Helper()
	name := fmt.Sprintf("%s_%d", kind, worlds.Add(1))
	if o.products == 0 {
		o.products = 600
	}
	if o.session == 0 {
		o.session = 10 * time.Second
	}
	if o.pipeline == "" {
		o.pipeline, o.rules = demo.Pipeline, demo.Rules
	}
	if o.seed == nil {
		o.seed = func(w *world) { must(t, demo.Seed(w.ctx, w.erp(), w.products, 1)) }
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute)
	w := &world{t: t, ctx: ctx, options: o, name: name, dir: t.TempDir()}
	t.Cleanup(cancel)

	reg, err := registry.NewServer(ctx, memory{})
	must(t, err)
	web := httptest.NewServer(reg)
	t.Cleanup(web.Close)
	w.registry = web.URL

	w.erpDSN, err = postgres.CreateDatabase(ctx, name)
	must(t, err)
	shop, err := mariadb.CreateDatabase(ctx, name)
	must(t, err)
	w.shopDSN = shop
	t.Cleanup(func() {
		must(t, postgres.DropDatabase(context.Background(), name))
		must(t, mariadb.DropDatabase(context.Background(), name))
	})
	w.zone, err = time.LoadLocation("Europe/Oslo")
	must(t, err)
	w.shop, err = sql.Open("mysql", shop)
	must(t, err)
	t.Cleanup(func() { must(t, w.shop.Close()) })
	w.client, err = kafka.Open(kafka.Config{Brokers: []string{broker.Addr()}, ClientID: "e2e"})
	must(t, err)
	t.Cleanup(func() { must(t, w.client.Close()) })

	o.seed(w)
	w.configure(o.pipeline)
	must(t, os.WriteFile(filepath.Join(w.dir, "demo.rules.yaml"), []byte(o.rules), 0o600))
	if o.proxied {
		w.erpProxy, err = testenv.NewProxy(postgres.Addr())
		must(t, err)
		t.Cleanup(w.erpProxy.Close)
		w.shopProxy, err = testenv.NewProxy(mariadb.Addr())
		must(t, err)
		t.Cleanup(w.shopProxy.Close)
		w.erpDSN, w.shopDSN = postgres.DSNThrough(w.erpProxy, name), mariadb.DSNThrough(w.shopProxy, name)
	}
	return w
}

// configure writes the configuration. Nothing is compacted away, so that the topics are the whole history.
func (w *world) configure(pipeline string) {
	w.t.Helper()
	text := strings.Replace(pipeline, "pipeline: wine", "pipeline: "+w.name, 1) + fmt.Sprintf(`log:
  brokers: [%q]
  registry: { url: %q }
  session_timeout: %v
  topics: { min_compaction_lag: 24h, configs: { min.compaction.lag.ms: "86400000" } }
state: { dir: "${STATE}" }
`, broker.Addr(), w.registry, w.session)
	must(w.t, os.WriteFile(filepath.Join(w.dir, "pipeline.yaml"), []byte(text), 0o600))
}

func (w *world) env(state string) []string {
	return append([]string{"ERP_DSN=" + w.erpDSN, "SHOP_DSN=" + w.shopDSN, "STATE=" + state}, w.more...)
}

// erp is a new connection to the ERP, past any proxy.
func (w *world) erp() *pgx.Conn {
	w.t.Helper()
	c, err := pgx.Connect(w.ctx, postgres.DSN(w.name))
	must(w.t, err)
	w.t.Cleanup(func() { _ = c.Close(context.Background()) }) // a test may have restarted the server under it
	return c
}

// patience is how long anything may take that is waited for. Machines that test are loaded, and what never comes may take its time to fail.
const patience = 5 * time.Minute

// equal waits until the shop equals the ERP.
func (w *world) equal() {
	w.t.Helper()
	c, err := demo.Await(w.ctx, w.erp(), w.shop, w.zone, patience)
	must(w.t, err)
	if c.Equal() {
		w.t.Logf("equal: %d rows compared", c.Rows)
		return
	}
	for _, d := range c.Differences {
		w.t.Errorf("%s\n  ERP:  %s\n  shop: %s", d.Table, d.ERP, d.Shop)
	}
	w.tell()
	w.t.Fatalf("%d of %d rows differ after %v", c.Total, c.Rows, patience)
}

// tell logs what every worker says of itself.
func (w *world) tell() {
	w.t.Helper()
	for _, k := range w.workers {
		w.t.Logf("%s: %s\n%s", k.name, k.words(), k.process.LogTail(15))
	}
}

// until waits for a condition.
func (w *world) until(what string, cond func() (bool, error)) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	if err := testenv.WaitFor(ctx, what, cond); err != nil {
		w.tell()
		w.t.Fatal(err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// memory is a registry's log that ends with the test.
type memory struct{}

func (memory) Append(context.Context, []byte, []byte) error                { return nil }
func (memory) Replay(context.Context, func(key, value []byte) error) error { return nil }
