package casefile

import "testing"

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
	r, err := Run([]string{"cases/shop.yaml"}, reader(map[string]string{"cases/shop.yaml": cases, "cases/shop.rules.yaml": rules}))
	if err != nil {
		t.Fatal(err)
	}
	for i := range r.Failures {
		t.Error(r.Failures[i].String())
	}
	if r.Steps != 5 {
		t.Errorf("%d steps ran", r.Steps)
	}
}
