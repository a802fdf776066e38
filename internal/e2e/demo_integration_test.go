//go:build integration

package e2e

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"shelfstream/internal/testenv"
)

// TestDemoInTheBrowser: the demo as a person meets it. A price is changed in the ERP form, which tells the time until the shop had it; the shop's page, which was open
// all the time, shows it.
func TestDemoInTheBrowser(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	admin, err := testenv.FreeAddr()
	must(t, err)
	dir := t.TempDir()
	log := filepath.Join(dir, "demo.log")
	// The clerk does one thing and rests: nobody else is to change what is looked at.
	p, err := program.Start(testenv.ProcessConfig{
		Name: "demo", Log: log,
		Args: []string{"demo", "-products", "300", "-pause", "1h", "-dir", filepath.Join(dir, "demo"), "-admin", admin, "-shop", "127.0.0.1:0", "-erp", "127.0.0.1:0"},
	})
	must(t, err)
	t.Cleanup(func() { must(t, p.Stop(context.Background())) })
	must(t, testenv.WaitFor(ctx, "the demo's first load", func() (bool, error) {
		if !p.Running() {
			t.Fatalf("the demo has ended:\n%s", p.LogTail(30))
		}
		b, err := os.ReadFile(log)
		return strings.Contains(string(b), "the clerk begins"), err
	}))
	printed, err := os.ReadFile(log)
	must(t, err)
	address := func(what string) string {
		m := regexp.MustCompile(what + ` +(http://\S+)`).FindSubmatch(printed)
		if m == nil {
			t.Fatalf("the demo does not print where the %s is:\n%s", what, printed)
		}
		return string(m[1])
	}
	tab := browser(t)
	shop, erp, page := tab(), tab(), tab()

	shop.open(address("shop page") + "/?q=42&show=all")
	shop.click(".shelf a[href='/wine/42']")
	shop.sees("the wine", "document.querySelector('article.wine[data-no=\"42\"]')")
	before := js[string](shop, "document.querySelector('#price').innerText")
	shop.mark()
	erp.open(address("ERP form"))
	erp.album("erp-articles")
	erp.types("input[name=q]", "42")
	erp.click("form[role=search] button")
	erp.click("tbody a[href='/article/42']")
	erp.sees("the form", "document.querySelector('#net')")
	erp.types("#name", "Barolo Riserva")
	erp.run(setSelect("#vat", "1"))
	erp.types("#net", "1234.40")
	erp.click("form button.main")
	erp.sees("the time", "document.querySelector('#took')")
	took := js[string](erp, "document.querySelector('#took').innerText")
	if !regexp.MustCompile(`^[\d. \x{202f}]+ ms$`).MatchString(took) {
		t.Errorf("the time is %q", took)
	}
	t.Logf("from the ERP's commit until the shop showed it: %s (the price was %q)", took, before)
	erp.album("erp-article")
	shop.sees("the new price in the shop", "document.querySelector('#price').innerText.replace(/\\u202f/g, '').includes('1543.00')")
	shop.reads("Barolo Riserva")
	shop.unloaded()
	shop.album("shop-wine")

	// Somebody buys it: the order is in the ERP, as a row and as a file.
	shop.click("#buy")
	shop.sees("the order's way", "/^after /.test((document.querySelector('#order-row') || {}).innerText) && /^after /.test(document.querySelector('#order-file').innerText)")
	t.Logf("from the shop's commit until the ERP had the order: %s, as a file %s", js[string](shop, "document.querySelector('#order-row').innerText"), js[string](shop, "document.querySelector('#order-file').innerText"))
	shop.album("shop-order")

	// What cannot be taken is said where it stands, and changes nothing.
	erp.types("#net", "cheap")
	erp.click("form button.main")
	erp.sees("what is wrong", "document.querySelector('#net[aria-invalid]') && document.querySelector('.wrong')")
	erp.album("erp-wrong")

	shop.open(address("shop page"))
	shop.sees("the shelf", "document.querySelectorAll('.shelf li').length === 24")
	shop.album("shop")
	shop.open(address("shop page") + "/?show=not-shown")
	shop.reads("Hidden")
	shop.album("shop-not-shown")
	page.open(address("status page"))
	page.sees("the picture", "document.querySelectorAll('.picture .node').length === 7")
	page.album("status")
	for _, b := range []interface{ clean() }{shop, erp, page} {
		b.clean()
	}
}
