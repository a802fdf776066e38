//go:build integration

package e2e

import (
	"context"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"shelfstream/internal/demo"
	"shelfstream/internal/demo/pages"
	"shelfstream/internal/testenv"
	"shelfstream/status/login"
)

// People of the pipelines that browsers look at.
const (
	operator, operatorPassword = "anna", "a long walk by the sea"
	viewer, viewerPassword     = "vera", "looking is enough"
)

// front is a pipeline in one process, with its page, the shop's page and the ERP form.
type front struct {
	*world
	tab     func() *tab // a new one
	process *testenv.Process
	admin   string // "http://…" of the page
	shop    string
	erp     string
}

// newFront starts everything, and waits until the shop equals the ERP. replace are pairs of texts, by which the demo's pipeline is changed.
func newFront(t *testing.T, kind string, replace ...string) *front {
	t.Helper()
	hash := func(password string) string {
		h, err := login.Hash(password)
		must(t, err)
		return h
	}
	admin, err := testenv.FreeAddr()
	must(t, err)
	f := &front{admin: "http://" + admin}
	f.world = newWorld(t, kind, options{products: 200, rules: demo.Rules, pipeline: strings.NewReplacer(replace...).Replace(demo.Pipeline) +
		"admin: { listen: " + admin + ", open: true, users: { " + operator + ": { role: operate, password_hash: '" + hash(operatorPassword) + "' }, " + viewer + ": { role: view, password_hash: '" + hash(viewerPassword) + "' } } }\n"})
	f.process, err = program.Start(testenv.ProcessConfig{
		Name: "run", Args: []string{"run", "-config", filepath.Join(f.dir, "pipeline.yaml")}, Env: f.env(filepath.Join(f.dir, "state")), Log: filepath.Join(f.dir, "run.log"), Admin: admin,
	})
	must(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the pipeline's log ends:\n%s", f.process.LogTail(30))
		}
		must(t, f.process.Stop(context.Background()))
	})
	shop, err := pages.OpenShop(pages.ShopConfig{DB: f.world.shop, Listen: "127.0.0.1:0"})
	must(t, err)
	f.serve(shop)
	f.shop = "http://" + shop.Addr()
	erp, err := pages.OpenERP(pages.ERPConfig{DSN: postgres.DSN(f.name), Shop: f.world.shop, ShopURL: f.shop, Listen: "127.0.0.1:0"})
	must(t, err)
	f.serve(erp)
	f.erp = "http://" + erp.Addr()
	f.equal()
	f.tab = browser(t)
	return f
}

func (f *front) serve(s *pages.Server) {
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	f.t.Cleanup(func() {
		stop()
		must(f.t, <-ended)
	})
}

// as opens a tab of somebody who is logged in, at a path of the page.
func (f *front) as(name, password, path string) *tab {
	f.t.Helper()
	b := f.tab()
	b.open(f.admin + "/login?to=" + path)
	b.login(name, password)
	return b
}

// login fills in the form of the page that is open.
func (b *tab) login(name, password string) {
	b.t.Helper()
	b.types("input[name=name]", name)
	b.types("input[name=password]", password)
	b.click("main form button")
	b.sees(name+" logged in", "document.querySelector('.who .name') && document.querySelector('.who .name').textContent.includes('"+name+"')")
}

// at serves a page from a place of its own: another origin on the same machine.
func at(t *testing.T, html string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte(html))
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// article adds a product to the ERP: complete but for its VAT code, which may be one that nobody knows.
func (f *front) article(no int64, name string, code int16) {
	f.t.Helper()
	_, err := f.world.erp().Exec(f.ctx, strings.ReplaceAll(`
		WITH a AS (INSERT INTO product (product_no, name, producer, country, vintage, alcohol, volume_ml, vat_code) VALUES ($1, $2, 'Domaine Lefèvre', 'fr', 2019, 12.5, 750, $3)),
		     b AS (INSERT INTO price (product_no, list, min_qty, valid_from, price) VALUES ($1, 'SHOP', 1, '2020-01-01', 200)),
		     c AS (INSERT INTO stock (product_no, warehouse, on_hand) VALUES ($1, 'OSL', 36))
		INSERT INTO image (image_id, product_no, position, url, alt) VALUES ($1 * 10, $1, 10, 'https://images.example/new.jpg', 'a new bottle')`, "\t", " "), no, name, code)
	must(f.t, err)
}
