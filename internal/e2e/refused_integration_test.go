//go:build integration

package e2e

import (
	"fmt"
	"html"
	"slices"
	"testing"
)

// TestPageRefuses: who may not act does not, whichever way they ask, and the audit trail has it.
func TestPageRefuses(t *testing.T) {
	f := newFront(t, "refused")
	f.article(9001, "Cuvée de Novembre", 42)
	parked := f.admin + "/parked?kind=transform&name=product"
	post := func(b *tab, token string) int {
		t.Helper()
		return await[int](b, fmt.Sprintf(`fetch("/parked/retry", {method: "POST", headers: {Accept: "application/json"}, body: new URLSearchParams({view: "product", key: "9001", csrf: %q})}).then(function (r) { return r.status; })`, token))
	}
	token := func(b *tab) string {
		t.Helper()
		return js[string](b, "document.querySelector('.who input[name=csrf]').value")
	}
	refused := func(what string, got int, want ...int) {
		t.Helper()
		if !slices.Contains(want, got) {
			t.Errorf("%s: answered with %d", what, got)
		}
	}

	nobody := f.tab()
	nobody.open(parked)
	nobody.sees("the product", "document.querySelector('table.parked')")
	if js[bool](nobody, "document.querySelector('button[form=retry]') !== null") {
		t.Error("somebody who is not logged in is offered to try again")
	}
	nobody.reads("Log in to act")
	nobody.album("nobody")
	refused("not logged in", post(nobody, ""), 401, 403)

	vera := f.as(viewer, viewerPassword, "/parked?kind%3Dtransform%26name%3Dproduct")
	vera.open(parked)
	vera.sees("the product", "document.querySelector('table.parked')")
	if js[bool](vera, "document.querySelector('button[form=retry]') !== null") {
		t.Error("the role view is offered to try again")
	}
	vera.reads("Your role is view")
	vera.album("role-view")
	refused("the role view", post(vera, token(vera)), 403)

	anna := f.as(operator, operatorPassword, "/")
	anna.open(parked)
	anna.sees("the button", "document.querySelector('button[form=retry]')")
	anna.album("role-operate")
	refused("no CSRF token", post(anna, ""), 403)
	refused("another session's CSRF token", post(anna, token(vera)), 403)

	// A page elsewhere on the machine, which is the same site to the browser and so comes with the cookie; it has even got hold of the token.
	mine := token(anna)
	foreign := at(t, fmt.Sprintf(`<form method="post" action="%s/parked/retry"><input name="view" value="product"><input name="key" value="9001"><input name="csrf" value="%s"><button>A prize!</button></form>`, f.admin, html.EscapeString(mine)))
	anna.open(foreign)
	anna.click("button")
	anna.sees("the answer", "location.href.startsWith('"+f.admin+"') && document.querySelector('main h1')")
	if h := js[string](anna, "document.querySelector('main h1').innerText"); h != "Not possible" {
		t.Errorf("a form of another origin is answered with %q", h)
	}
	anna.album("foreign-origin")

	anna.open(parked)
	refused("her own page", post(anna, token(anna)), 200)
	const retries = `Array.from(document.querySelectorAll("main tbody tr")).filter(function (r) { return r.innerText.includes("retry parked"); })`
	anna.loads(f.admin+"/audit", "who wanted to try again", retries+".length >= 6")
	for _, text := range []string{"retry parked", "refused", viewer, operator, "done"} {
		anna.reads(text)
	}
	if n := js[int](anna, retries+`.filter(function (r) { return r.innerText.toLowerCase().includes("refused"); }).length`); n != 5 {
		t.Errorf("%d refusals are in the audit trail, want 5", n)
	}
	anna.album("audit")
	for _, b := range []*tab{nobody, vera, anna} {
		b.clean()
	}
}
