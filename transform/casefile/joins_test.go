package casefile_test

import (
	"strings"
	"testing"

	"shelfstream/internal/fault"
	"shelfstream/transform/casefile"
)

const joinsCase = `
view:
  from: product
  group_by: [parent_no]
  order_by: [size desc]
  children: { notes: { from: erp.note, on: parent_no, scattered: true } }
  lookups:
    rate: { from: rate, on: { code: parent.vat_code, country: { value: NO } } }
    parent: { from: parent, on: { no: { column: parent_no } } }
    settings: { from: setting, every: true }
rules:
  - r: "rules: [{ name: all, set: { sizes: \"join(members, size, ' ')\", notes: count(notes), pct: rate.pct, shop: \"join(settings, value, ' ' order name)\" } }]"
tables:
  product: { no: int key, parent_no: text, size: text }
  note: { id: int key, parent_no: text }
  parent: { no: text key, vat_code: text }
  rate: { code: text key, country: text key, pct: "numeric(5,2)" }
  setting: { name: text key, value: text }
given:
  rate: [{ code: H, country: NO, pct: 25 }, { code: L, country: NO, pct: 15 }, { code: H, country: SE, pct: 12 }]
  setting: [{ name: b, value: two }, { name: a, value: one }]
cases:
  - name: a group
    now: 2026-01-01
    rows:
      product: [{ no: 1, parent_no: P, size: S }, { no: 2, parent_no: P, size: XL }, { no: 3, parent_no: Q, size: M }, { no: 4, size: L }]
      note: [{ id: 1 }, { id: 2, parent_no: Q }]
    expect: { parent_no: P, sizes: XL S, notes: 1, pct: null, shop: one two }
    then:
      - rows: { parent: { no: P, vat_code: H } }
        expect: { pct: 25 }
      - rows: { parent: { no: P, vat_code: L }, product: { no: 1, parent_no: Q } }
        expect: { pct: 15, sizes: XL }
      - rows: { product: { no: 2, parent_no: Q } }
        expect: gone
      - rows: { product: { no: 1, parent_no: P } }
        expect: { sizes: S }
`

// TestViewsAsConfigurationsHaveThem: groups, lookups by other lookups and by constants, and tables that every product sees.
func TestViewsAsConfigurationsHaveThem(t *testing.T) {
	run := func(text string) (*casefile.Report, error) {
		return casefile.Run([]string{"joins.yaml"}, casefile.Options{ReadFile: func(string) ([]byte, error) { return []byte(text), nil }})
	}
	r, err := run(joinsCase)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := r.Write(&b); err != nil || len(r.Failures) > 0 || r.Steps != 5 {
		t.Errorf("%v\n%s", err, b.String())
	}
	for change, want := range map[string]string{
		"parent.vat_code|prent.vat_code": "there is no lookup or child prent in this view",
		"parent.vat_code|parent.vat_cod": "table parent has no column vat_cod",
		"[parent_no]|[parent_n]":         "table product has no column parent_n",
		"[size desc]|[sise desc]":        "table product has no column sise",
		"{ value: NO }|{ valu: NO }":     `unknown key "valu"`,
		"every: true|every: false":       "settings has no `on`",
	} {
		from, to, _ := strings.Cut(change, "|")
		_, err := run(strings.Replace(joinsCase, from, to, 1))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(fault.All(err)[0].Where, "joins.yaml:") {
			t.Errorf("%s: %v", change, err)
		}
	}
}
