//go:build integration

package e2e

import (
	"strings"
	"testing"
)

// TestPageHeld: half the products are taken out of the ERP at once, and a guard holds them. Somebody looks at what they are, lets them out with a reason, and lets the rest of the
// change through for half an hour: what is taken out after it goes at once.
func TestPageHeld(t *testing.T) {
	const rules = "    rules: [demo.rules.yaml]\n"
	f := newFront(t, "held", rules, rules+"    guards:\n      - { name: mass removal, removed: true, share: 2%, at_least: 10, window: 10m }\n")
	retire := func(where string) {
		t.Helper()
		_, err := f.world.erp().Exec(f.ctx, "UPDATE product SET discontinued = true WHERE "+where)
		must(t, err)
	}
	b := f.as(operator, operatorPassword, "/held")
	b.reads("nothing held")
	b.album("none")
	b.mark()
	retire("product_no <= 80")
	b.sees("what is held", "document.querySelector('.held .big b.num') && document.querySelectorAll('.held tbody tr').length === 10")
	b.unloaded()
	b.album("some")
	nobody := f.tab()
	nobody.open(f.admin + "/held")
	nobody.reads("Log in to act")
	if js[bool](nobody, "document.querySelector('.held form') !== null") {
		t.Error("somebody who is not logged in is offered to let changes out")
	}
	b.types(".held input[name=why]", "the summer list")
	b.run(setSelect(".held select[name=for]", "30m"))
	b.press(".held button")
	b.reads("new changes pass until")
	b.open(f.admin + "/held")
	b.reads("nothing held")
	b.reads("the summer list")
	f.equal()
	retire("product_no BETWEEN 81 AND 140")
	f.equal()
	b.album("let-out")
	b.loads(f.admin+"/audit", "who let it out", "document.body.innerText.includes('product mass removal 30m')")
	if text := js[string](b, "document.querySelector('main').innerText"); !strings.Contains(text, "the summer list") {
		t.Errorf("the audit does not say why: %s", text)
	}
	b.clean()
	nobody.clean()
}
