//go:build integration

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestPageIsLive: while the clerks work the picture of the pipeline moves, without the page being loaded again.
func TestPageIsLive(t *testing.T) {
	f := newFront(t, "live")
	b := f.tab()
	b.open(f.admin + "/")
	b.sees("three stages in the picture", "document.querySelectorAll('.picture .node').length === 3")
	b.mark()
	l := f.work(2, 5*time.Millisecond)
	figures := "document.querySelector('.picture').innerText"
	for range 3 {
		before := js[string](b, figures)
		b.sees("another figure in the picture", fmt.Sprintf("%s !== %q", figures, before))
	}
	b.sees("a rate above 0 at every stage", `Array.from(document.querySelectorAll(".picture .node .figures b:first-child")).filter(function (e) { return parseFloat(e.textContent.replace(/[^0-9.]/g, "")) > 0; }).length >= 3`)
	b.unloaded()
	b.album("overview")
	for _, path := range []string{"/links", "/link?name=sink+shop", "/workers", "/parked", "/incidents", "/held", "/charts", "/stage?kind=transform&name=product"} {
		b.open(f.admin + path)
		b.album(strings.Trim(strings.NewReplacer("/", "-", "?", "-", "=", "-", "&", "-", "+", "-").Replace(path), "-"))
	}
	var no int64
	must(t, f.world.shop.QueryRowContext(f.ctx, "SELECT min(product_no) FROM product WHERE status = 'published'").Scan(&no))
	b.open(f.admin + fmt.Sprintf("/explain?view=product&key=%d", no))
	b.album("product")
	b.clean()
	l.finish()
}

// TestPageShopStopped: the shop's database ends. The incident is seen with what to do, is taken on, and is over by itself when the database is back.
func TestPageShopStopped(t *testing.T) {
	f := newFront(t, "stopped")
	l := f.work(1, 10*time.Millisecond)
	b := f.tab()
	b.open(f.admin + "/")
	b.sees("the pipeline", "document.querySelectorAll('.picture .node').length === 3")
	shop := f.tab()
	shop.open(f.shop + "/")
	b.mark()
	shop.mark()
	must(t, mariadb.Stop(f.ctx))
	stopped := time.Now()
	b.sees("the incident on the overview", "document.querySelector('.incidents a.cover') && document.querySelector('.incidents').innerText.includes('sink shop')")
	t.Logf("the incident was seen %v after the end of the shop's database", time.Since(stopped).Round(time.Millisecond))
	b.unloaded()
	b.album("incident-on-overview")
	shop.reads("Closed for a moment")
	shop.album("shop-closed")

	b.click(".incidents a.cover")
	b.sees("the incident's page", "document.querySelector('.answers .do')")
	if do := js[string](b, "document.querySelector('.answers .do').innerText"); !strings.Contains(strings.ToLower(do), "start") {
		t.Errorf("the remedy does not say that the database is to be started: %q", do)
	}
	incident := js[string](b, "location.pathname + location.search")
	if js[bool](b, "document.querySelector('.act form') !== null") {
		t.Error("somebody who is not logged in is offered to acknowledge")
	}
	b.click(".act a")
	b.sees("the form of the login", "document.querySelector('input[name=password]')")
	b.album("login")
	b.login(operator, operatorPassword)
	b.sees("the incident after the login", fmt.Sprintf("location.pathname + location.search === %q && document.querySelector('.act button')", incident))
	b.album("incident")

	// With the keyboard alone, on a phone.
	b.look(phone, "light")
	b.reach(".act button")
	b.look(desktop, "light")
	b.types("#note", "I look into it")
	b.press(".act button")
	b.reads("The incident is yours")
	b.open(f.admin + incident)
	b.sees("who has it", fmt.Sprintf("document.querySelector('.answers').innerText.includes(%q) && document.querySelector('.answers').innerText.includes('I look into it')", operator))
	b.sees("nothing left to acknowledge", "!document.querySelector('.act button')")
	b.album("acknowledged")

	b.mark()
	must(t, mariadb.Restart(f.ctx))
	back := time.Now()
	b.sees("the incident resolved", "document.querySelector('.under').innerText.toLowerCase().includes('resolved')")
	t.Logf("it was seen resolved %v after the database was back", time.Since(back).Round(time.Millisecond))
	b.unloaded()
	b.album("resolved")
	shop.sees("the shop open again", "document.querySelectorAll('.shelf li').length > 0")
	shop.unloaded()
	b.clean()
	shop.clean()
	l.finish()
}

// TestPageProductWithoutVATCode: a new product is held back for its VAT code, which is seen. Somebody adds the code in the ERP, and the product is in the shop, without
// another hand.
func TestPageProductWithoutVATCode(t *testing.T) {
	f := newFront(t, "vatless")
	const no = 9001
	shop, page, erp := f.tab(), f.tab(), f.tab()
	shop.open(f.shop + fmt.Sprintf("/wine/%d", no))
	shop.reads("Not in the shop")
	shop.mark()
	page.open(f.admin + "/parked?kind=transform&name=product")
	page.reads("Nothing is held back")
	page.mark()

	f.article(no, "Cuvée de Novembre", 42)
	page.sees("the product among the parked", fmt.Sprintf("document.querySelector('table.parked') && document.querySelector('table.parked').innerText.includes('%d')", no))
	page.unloaded()
	page.reads("42")
	page.album("parked")
	incidents := f.tab()
	incidents.open(f.admin + "/incidents")
	incidents.sees("the incident", "document.querySelector('.incidents:not(.done) a.cover')")
	incidents.album("incidents")
	incidents.mark()

	erp.open(f.erp + "/vat?code=42")
	erp.reads("code that is not in the table")
	erp.album("erp-vat")
	erp.types("#rate", "25")
	erp.click("main form button")
	erp.sees("the time until the shop had it", "document.querySelector('[data-change] .ms')")
	t.Logf("from the ERP's commit until the shop showed it: %s", js[string](erp, "document.querySelector('[data-change] .ms').textContent"))
	shop.sees("the product in the shop", "document.querySelector('#price') && document.querySelector('#price').innerText.includes('250.00')")
	shop.unloaded()
	shop.album("shop-wine")
	page.reads("Nothing is held back")
	page.unloaded()
	incidents.sees("no open incident", "!document.querySelector('.incidents:not(.done) a.cover') && document.querySelector('.incidents.done a.cover')")
	incidents.unloaded()
	incidents.album("incidents-resolved")
	for _, b := range []*tab{shop, page, erp, incidents} {
		b.clean()
	}
	f.equal()
}

// press goes to a button with the keyboard and presses Enter.
func (b *tab) press(selector string) {
	b.t.Helper()
	b.reach(selector)
	b.key("\r")
}
