package casefile

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shelfstream/internal/fault"
	"shelfstream/transform/rules"
)

const shopRules = `rules:
  - name: title
    set: { title: upper(name) }
  - name: price
    pick:
      from: prices
      where: amount > 0
      valid: [starts, null]
      order: [amount]
      set: { price: amount }
  - name: cheap
    when: price < 10
    set: { cheap: true }
  - name: list
    list: { from: prices, set: { all: { qty: qty, amount: amount } } }
  - name: shown
    include: not hidden
`

const shopHead = `view:
  from: erp.product
  children: { prices: { from: erp.price, on: no, order_by: [qty desc] } }
zone: Europe/Oslo
rules: [shop.rules.yaml]
tables:
  product: { no: text key, name: text, hidden: bool = false }
  price: { no: text key, qty: int key = 0, amount: "numeric(10,2)", starts: date }
`

// reader serves files from a map, as if they stood in the folder cases.
func reader(files map[string]string) Options {
	return Options{ReadFile: func(name string) ([]byte, error) {
		if text, ok := files[filepath.ToSlash(name)]; ok {
			return []byte(text), nil
		}
		return nil, os.ErrNotExist
	}}
}

func run(t *testing.T, cases string) (*Report, string) {
	t.Helper()
	r, err := Run([]string{"cases/shop.yaml"}, reader(map[string]string{"cases/shop.yaml": shopHead + cases, "cases/shop.rules.yaml": shopRules}))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	return r, b.String()
}

func TestPassingCase(t *testing.T) {
	r, text := run(t, `cases:
  - name: a price begins later
    now: 2026-03-28
    rows:
      product: { no: 007, name: saw }
      price: [{ qty: 1, amount: 20 }, { qty: 5, amount: 9.5, starts: 2026-03-29 }, { no: other, amount: 1 }]
    wake: 2026-03-29
    expect: { no: '007', title: SAW, price: 20.00, cheap: null, all: [{ qty: 5 }, { qty: 1, amount: 20 }] }
    then:
      - { now: "2026-03-29 03:30", wake: never, expect: { price: 9.50, cheap: true } }
      - { rows: { product: { no: 007, hidden: true } }, expect: left out }
      - { delete: { product: { no: 007 } }, expect: gone }
`)
	if len(r.Failures) > 0 || r.Percent() != 100 || r.Cases != 1 || r.Steps != 4 {
		t.Error(text)
	}
}

// TestDiffs: each difference stands at its line, with who set the field and from what.
func TestDiffs(t *testing.T) {
	_, text := run(t, `cases:
  - name: wrong
    now: 2026-03-28
    rows: { product: { no: A, name: saw }, price: [{ qty: 1, amount: 20 }, { qty: 5, amount: 30 }] }
    wake: never
    expect:
      price: 21
      all:
        - { qty: 5, amount: 31 }
        - { qty: 1 }
    then:
      - expect: { all: [{ qty: 1 }], title: null }
      - { rows: { price: { no: A, qty: 6, amount: 1, starts: 2026-04-01 } }, wake: 2026-04-02 }
      - expect: left out
      - fault: something
`)
	want := `cases/shop.yaml:10: wrong (now 2026-03-28)
  cases/shop.yaml:15: price
      want 21
      got  20.00
           set by rule price (shop, cases/shop.rules.yaml:10)
           from prices[2].amount = 20.00
           from prices[2].starts = null
  cases/shop.yaml:17: all[1].amount
      want 31
      got  30.00
           set by rule list (shop, cases/shop.rules.yaml:15)
           from prices[1].qty = 5
           from prices[1].amount = 30.00
           from prices[2].qty = 1
           from prices[2].amount = 20.00
cases/shop.yaml:20: wrong, step 1 (now 2026-03-28)
  cases/shop.yaml:20: all
      want 1 row
      got  2 rows: [{ qty: 5, amount: 30.00 }, { qty: 1, amount: 20.00 }]
           set by rule list (shop, cases/shop.rules.yaml:15)
           from prices[1].qty = 5
           from prices[1].amount = 30.00
           from prices[2].qty = 1
           from prices[2].amount = 20.00
  cases/shop.yaml:20: title
      want null
      got  SAW
           set by rule title (shop, cases/shop.rules.yaml:3)
           from root[1].name = saw
`
	if !strings.HasPrefix(text, want) {
		t.Errorf("got:\n%s\nwant the beginning:\n%s", text, want)
	}
	for _, part := range []string{
		"cases/shop.yaml:21: wake\n      want 2026-04-02\n      got  2026-04-01\n",
		"cases/shop.yaml:22: product\n      want left out\n      got  a product\n",
		"cases/shop.yaml:23: product\n      want fault: something\n      got  a product\n",
		"rules that no case covers:\n  cases/shop.rules.yaml:11: cheap: its `when` is never true\n",
		"1 cases, 5 steps, 5 failed; 4 of 5 rules covered (80 %)\n",
	} {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not in:\n%s", part, text)
		}
	}
}

// TestSleeping: a product that changes with the time alone, though its rules asked for nothing, would stand still in a running pipeline. No rule
// can be written that does so, so the outcomes are made by hand.
func TestSleeping(t *testing.T) {
	s := &step{now: mustInstant(t, "2026-04-01"), zone: mustInstant(t, "2026-04-01").Location(), moved: true}
	before, after := outcome{kind: isLeftOut}, outcome{kind: isGone}
	if d := s.slept(&before, &after); len(d) != 1 || !strings.Contains(d[0].Want, "wake by 2026-04-01") {
		t.Errorf("never woken: %+v", d)
	}
	before.wake = mustInstant(t, "2026-04-02")
	if d := s.slept(&before, &after); len(d) != 1 || d[0].Got != "2026-04-02" {
		t.Errorf("woken too late: %+v", d)
	}
	before.wake = mustInstant(t, "2026-04-01")
	if d := s.slept(&before, &after); d != nil {
		t.Errorf("woken in time: %+v", d)
	}
}

// TestUpdate: what differs is written in its place; comments, order and layout stay, and the file then holds.
func TestUpdate(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "shop.yaml")
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("shop.rules.yaml", shopRules)
	write("shop.yaml", shopHead+`
# what a saw costs
cases:
  - name: "a saw, æøå"   # its name
    now: 2026-03-28
    rows: { product: { no: A, name: "saw: 'x', #1" }, price: [{ qty: 1, amount: 20 }, { qty: 5, amount: 30 }] }
    wake: 2026-01-01   # is it?
    expect:
      price: 21   # a comment

      # another
      all:
        - { qty: 5, amount: 31 }
        - { qty: 1 }
        - { qty: 0 }
      title: 'it''s'
    then:
      - { expect: { title: x, price: 20, all: [] } } # flow
      - { rows: { product: { no: A, hidden: true } }, expect: { title: x } }
      - rows: { product: { no: A, hidden: false } }
        expect: left out
  - name: all of it
    now: 2026-03-28
    rows: { product: { no: B } }
    expect:
`)
	r, err := Run([]string{file}, Options{Update: true})
	if err != nil || !slices.Equal(r.Updated, []string{file}) {
		t.Fatal(err, r.Updated)
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := shopHead + `
# what a saw costs
cases:
  - name: "a saw, æøå"   # its name
    now: 2026-03-28
    rows: { product: { no: A, name: "saw: 'x', #1" }, price: [{ qty: 1, amount: 20 }, { qty: 5, amount: 30 }] }
    wake: never   # is it?
    expect:
      price: 20.00   # a comment

      # another
      all:
        - { qty: 5, amount: 30.00 }
        - { qty: 1, amount: 20.00 }
      title: 'SAW: ''X'', #1'
    then:
      - { expect: { title: 'SAW: ''X'', #1', price: 20, all: [{ qty: 5, amount: 30.00 }, { qty: 1, amount: 20.00 }] } } # flow
      - { rows: { product: { no: A, hidden: true } }, expect: left out }
      - rows: { product: { no: A, hidden: false } }
        expect:
          no: A
          title: 'SAW: ''X'', #1'
          price: 20.00
          cheap: null
          all:
            - { qty: 5, amount: 30.00 }
            - { qty: 1, amount: 20.00 }
  - name: all of it
    now: 2026-03-28
    rows: { product: { no: B } }
    expect:
      no: B
      title: null
      price: null
      cheap: null
      all: []
`
	if string(got) != want {
		t.Errorf("got:\n%s", got)
	}
	if r, err = Run([]string{file}, Options{Update: true}); err != nil || len(r.Failures) > 0 || len(r.Updated) > 0 {
		t.Error("a second update finds something again", err, r.Failures, r.Updated)
	}
}

// TestUpdateLeaves: a value that goes on over two lines is replaced whole; one that two steps share gets the first one's; a file that the update would break
// stays as it is.
func TestUpdateLeaves(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "shop.yaml")
	if err := os.WriteFile(filepath.Join(dir, "shop.rules.yaml"), []byte(shopRules), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ before, after string }{
		{"    expect:\n      title: two\n        lines\n      price: null\n", "    expect:\n      title: SAW\n      price: null\n"},
		{"    expect: &e { title: x }\n    then: [{ rows: { product: { no: A, name: file } }, expect: *e }]\n", "    expect: &e { title: SAW }\n    then: [{ rows: { product: { no: A, name: file } }, expect: *e }]\n"},
		{"    expect: { title: &t x, price: null }\n", "    expect: { title: &t x, price: null }\n"},
	} {
		head := shopHead + "cases:\n  - name: a\n    now: 2026-03-28\n    rows: { product: { no: A, name: saw } }\n"
		if err := os.WriteFile(file, []byte(head+c.before), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Run([]string{file}, Options{Update: true}); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(file)
		if err != nil || string(got) != head+c.after {
			t.Errorf("%v, got:\n%s", err, strings.TrimPrefix(string(got), head))
		}
	}
}

// TestFaults: what is wrong in a case file is told all at once, each with its place and remedy.
func TestFaults(t *testing.T) {
	_, err := Load([]string{"cases/shop.yaml", "cases/none.yaml"}, reader(map[string]string{"cases/shop.rules.yaml": shopRules, "cases/shop.yaml": shopHead + `  broken: { a: strange, b: "int = x" }
given: { produkt: {} }
case: []
cases:
  - name: a
    now: tomorrow
    rows: { product: [{ no: A, nam: saw }, { no: B }], price: { amount: 1.234 } }
    expect: { titel: x, price: dear, all: { qty: 1 } }
  - now: 2026-03-28
    rows: { product: { no: A } }
    then:
      - { now: 2026-03-27, expect: gone away }
      - { delete: { product: { no: Z } }, fault: x, expect: gone }
`}))
	var list fault.List
	if !errors.As(err, &list) {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, f := range list {
		if f.Class != fault.Config || f.Fix == "" {
			t.Errorf("no remedy: %v", f)
		}
		all.WriteString(f.Where + ": " + f.What + "\n")
	}
	got := all.String()
	for _, want := range []string{
		`cases/shop.yaml:11:1: unknown key "case" in the case file`,
		`cases/shop.yaml:9:16: "strange" is no column`,
		`cases/shop.yaml:9:28: the default of b: "x" is no whole number`,
		`cases/shop.yaml:9:3: table broken has no key`,
		`cases/shop.yaml:10:10: there is no table produkt`,
		`cases/shop.yaml:14:10: "tomorrow" is no time`,
		`cases/shop.yaml:15:32: table product has no column nam`,
		`cases/shop.yaml:15:73: column amount: 1.234 has more than 2 digits after the point`,
		`cases/shop.yaml:13:5: the case has 2 rows of product, and is about one product`,
		`cases/shop.yaml:16:15: a product has no field titel`,
		`cases/shop.yaml:16:32: price:`,
		`cases/shop.yaml:16:43: all is a list`,
		`cases/shop.yaml:17:5: a case has no name`,
		`cases/shop.yaml:17:5: the case expects nothing`,
		`cases/shop.yaml:20:16: time goes back`,
		`cases/shop.yaml:20:36: expect is a map of fields, "left out" or "gone"`,
		`cases/shop.yaml:21:11: there is no such row to delete`,
		`cases/shop.yaml:21:43: a product has fields or a fault, not both`,
		`cases/none.yaml: the file cannot be read`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in:\n%s", want, got)
		}
	}
}

// TestBrokenRules: faults of the rule files come with their own places.
func TestBrokenRules(t *testing.T) {
	_, err := Load([]string{"cases/shop.yaml"}, reader(map[string]string{
		"cases/shop.yaml":       shopHead + "cases: [{ name: a, now: 2026-03-28, rows: { product: { no: A } }, expect: { title: x } }, { name: b, now: 2026-03-28, expect: gone }]\n",
		"cases/shop.rules.yaml": "rules:\n  - name: title\n    set: { title: nam }\n",
	}))
	if l := fault.All(err); len(l) != 1 || l[0].Where != "cases/shop.rules.yaml:3:19" || l[0].Fix != "did you mean name?" {
		t.Error(err)
	}
}

// TestPipeline: view, rules and zone come from a configuration.
func TestPipeline(t *testing.T) {
	files := map[string]string{
		"shop/pipeline.yaml":     "pipeline: shop\ntimezone: Europe/Oslo\nsources: {}\nviews:\n  product:\n    from: erp.product\n    rules: [a.rules.yaml]\n",
		"shop/a.rules.yaml":      "rules:\n  - name: t\n    set: { title: name, day: today() }\n",
		"shop/cases/a.yaml":      "pipeline: ../pipeline.yaml\nview: product\ntables: [shapes.yaml, { x: { id: int key } }]\ncases:\n  - { name: a, now: 2026-03-28T23:30:00Z, rows: { product: { no: 1, name: n } }, expect: { title: n, day: 2026-03-29 }, wake: 2026-03-30 }\n",
		"shop/cases/shapes.yaml": "tables: { product: { no: int key, name: text } }\n",
	}
	r, err := Run([]string{"shop/cases/a.yaml"}, reader(files))
	if err != nil || len(r.Failures) > 0 || r.Rules[0].File != "shop/a.rules.yaml" {
		t.Fatal(err, r)
	}
	files["shop/cases/a.yaml"] = strings.Replace(files["shop/cases/a.yaml"], "view: product", "view: produkt", 1)
	if _, err = Run([]string{"shop/cases/a.yaml"}, reader(files)); err == nil || !strings.Contains(err.Error(), `has no view "produkt" (fix: did you mean product?)`) {
		t.Error(err)
	}
}

// TestMutate: a mutant that no case notices is told, one that a case notices is not.
func TestMutate(t *testing.T) {
	s, err := Load([]string{"cases/shop.yaml"}, reader(map[string]string{"cases/shop.rules.yaml": shopRules, "cases/shop.yaml": shopHead + `cases:
  - name: a
    now: 2026-03-28
    rows: { product: { no: A, name: saw }, price: [{ qty: 1, amount: 20 }, { qty: 5, amount: 9.5 }, { qty: 6, amount: 0 }] }
    expect: { title: SAW, price: 9.5 }
    then: [{ rows: { product: { no: A, hidden: true } }, expect: left out }]
`}))
	if err != nil {
		t.Fatal(err)
	}
	score, err := s.Mutate(func(rules.Source) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range score.Survived {
		names = append(names, m.Name())
	}
	for _, want := range []string{"cheap / rule / dropped", "cheap / when / …price [< → >=] 10…", "price / pick.where / …amount > [0 → 1]…", "price / pick.valid[1] / open", "list / rule / dropped"} {
		if !slices.Contains(names, want) {
			t.Errorf("%q is told to be noticed", want)
		}
	}
	for _, not := range []string{"title / rule / dropped", "price / pick.where / …amount [> → <=] 0…", "price / pick.order[1] / descending", "shown / include / …[not → ] hidden…", "price / pick.where / left out"} {
		if slices.Contains(names, not) {
			t.Errorf("%q is told not to be noticed", not)
		}
	}
	if score.Killed == 0 || score.Percent() >= 100 {
		t.Errorf("%+v", score)
	}
}
