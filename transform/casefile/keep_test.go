package casefile

import (
	"strings"
	"testing"
)

// TestKeepRemembersTheStepBefore: what a keep rule published stays, and is forgotten once the product was gone.
func TestKeepRemembersTheStepBefore(t *testing.T) {
	const rules = `rules:
  - name: slug
    keep: { field: slug, from: slug(name) }
`
	const cases = `view: { from: erp.product }
rules: [shop.rules.yaml]
tables: { product: { no: text key, name: text } }
cases:
  - name: a published slug
    now: 2026-01-01
    rows: { product: { no: A, name: Blue Wine } }
    expect: { slug: blue-wine }
    then:
      - rows: { product: { no: A, name: Red Wine } }
        expect: { slug: blue-wine }
      - delete: { product: { no: A } }
        expect: gone
      - rows: { product: { no: A, name: Red Wine } }
        expect: { slug: red-wine }
  - name: another story remembers nothing of it
    now: 2026-01-01
    rows: { product: { no: A, name: White Wine } }
    expect: { slug: white-wine }
`
	if n := runShop(t, cases, rules); n != 5 {
		t.Errorf("%d steps ran", n)
	}
}

// runShop runs a case file beside a rule file, and gives the number of steps.
func runShop(t *testing.T, cases, rules string) int {
	t.Helper()
	r, err := Run([]string{"cases/shop.yaml"}, reader(map[string]string{"cases/shop.yaml": cases, "cases/shop.rules.yaml": rules}))
	if err != nil {
		t.Fatal(err)
	}
	for i := range r.Failures {
		t.Error(r.Failures[i].String())
	}
	return r.Steps
}

// TestFinalLetsAProductBe: what was published stays in every field while what it is made of is the same; where that differs it stops, or is made anew.
func TestFinalLetsAProductBe(t *testing.T) {
	const rules = `rules:
  - name: content
    final: { field: content, from: text(amount), otherwise: "'it was ' || text(amount)" }
  - name: customer
    set: { customer: customer.no, amount: amount }
  - name: lines
    list: { from: lines, set: { lines: { n: n } } }
`
	const cases = `view: { from: order, children: { lines: { from: line, on: no } }, lookups: { customer: { from: customer, on: email } } }
rules: [shop.rules.yaml]
tables:
  order: { no: text key, email: text, amount: int }
  line: { no: text key, n: int key }
  customer: { email: text key, no: int }
cases:
  - name: an order that went is the ERP's
    now: 2026-01-01
    rows: { order: { no: A, email: a@b, amount: 5 }, line: [{ n: 1 }] }
    expect: { content: '5', customer: null, amount: 5, lines: [{ n: 1 }] }
    then:
      - rows: { customer: [{ email: a@b, no: 7 }], line: [{ no: A, n: 2 }] }
        expect: { content: '5', customer: null, lines: [{ n: 1 }] }
      - rows: { order: { no: A, amount: 6 } }
        fault: it was 6
      - rows: { order: { no: A, amount: 5 } }
        expect: { content: '5' }
      - delete: { order: { no: A } }
        expect: gone
      - rows: { order: { no: A, email: a@b, amount: null } }
        expect: { content: null, customer: 7, lines: [{ n: 1 }, { n: 2 }] }
      - rows: { customer: [{ email: a@b, no: 8 }] }
        expect: { customer: 8 }
`
	if n := runShop(t, cases, rules); n != 7 {
		t.Errorf("%d steps ran", n)
	}
	anew := strings.Replace(rules, `, otherwise: "'it was ' || text(amount)"`, "", 1)
	if n := runShop(t, strings.Replace(cases, "fault: it was 6", "expect: { content: '6', customer: 7, amount: 6, lines: [{ n: 1 }, { n: 2 }] }", 1), anew); n != 7 {
		t.Errorf("%d steps ran", n)
	}
}
