package transform

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shelfstream/internal/fault"
	"shelfstream/schemas"
	"shelfstream/transform/rules"
)

// planned is the new rules of most tests: a field more, one less, other prices, a filter, a status, a rule that fails for one product.
const planned = `
rules:
  - name: leave out
    include: no <> 3
  - name: facts
    set: { title: name }
  - name: price
    pick:
      from: prices
      where: qty <= 1 and (from is null or from <= today())
      order: [from desc]
      set: { net: price, price_rev: rev }
  - name: vat
    when: net is not null
    set: { gross: "round(net * (110 + rate.pct) / 100, 2)" }
  - name: no
    when: no = 4
    set: { gross: "number('four')" }
  - name: images
    list:
      from: images
      order: [pos]
      set: { images: { url: url } }
  - name: status
    set: { status: "if(no = 5, 'draft', 'published')" }
`

// present is the old rules of the same tests.
const present = `
rules:
  - name: leave out
    include: no <> 2
  - name: facts
    set: { title: name, rev: rev, status: "'published'" }
` + "  - name: price" + "\n    pick: { from: prices, where: qty <= 1, order: [from desc], set: { net: price, price_rev: rev } }\n" + `
  - name: vat
    when: net is not null
    set: { gross: "round(net * (100 + rate.pct) / 100, 2)" }
  - name: no
    when: no = 6
    set: { gross: "number('six')" }
  - name: images
    list: { from: images, order: [pos], set: { images: { url: url } } }
`

// planLab is a lab with eight products under the present rules.
func planLab(t *testing.T) (*lab, Config) {
	t.Helper()
	l := newLab(t)
	l.put("rate", num(1), dec(2500))
	for no := range int64(8) {
		l.product(no+1, no+1)
	}
	l.checkpoint()
	return l, l.config(present)
}

func newRules(text string) []rules.Source {
	return []rules.Source{{Name: "new.rules.yaml", Layer: "customer", Data: []byte(text)}}
}

// stopped opens the state of a view that does not run, as the command does.
func (l *lab) stopped(cfg Config) (r *Runner, done func()) {
	l.t.Helper()
	store, err := OpenStore(l.stateDir, StoreOptions{CacheMB: 8, ReadOnly: true})
	check(l.t, err)
	cfg.Store = store
	r, err = NewRunner(cfg)
	check(l.t, err)
	return r, func() { check(l.t, store.Close()) }
}

func TestPlanSaysWhatNewRulesChange(t *testing.T) {
	l, cfg := planLab(t)
	w := l.start(cfg)
	l.settled(w)
	before, records := l.products()
	var last PlanProgress
	p, err := w.Plan(t.Context(), PlanConfig{Rules: newRules(planned), Progress: func(p PlanProgress) { last = p }})
	check(t, err)
	if last.Products != 8 || last.Fraction != 1 {
		t.Errorf("progress: %+v", last)
	}
	golden(t, "plan.json", p)
	w.stop()

	// A stopped pipeline gives the same, but for the note that it is stopped.
	r, done := l.stopped(cfg)
	q, err := r.Plan(t.Context(), PlanConfig{Rules: newRules(planned)})
	check(t, err)
	done()
	if len(q.Notes) != 1 || !strings.HasPrefix(q.Notes[0], "the pipeline does not run") {
		t.Errorf("notes: %v", q.Notes)
	}
	q.Notes, q.Took, p.Took = nil, 0, 0
	if a, b := mustJSON(t, p), mustJSON(t, q); a != b {
		t.Errorf("running:\n%s\nstopped:\n%s", a, b)
	}
	if after, n := l.products(); n != records || fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("the plan wrote: %d records, then %d", records, n)
	}

	// What the plan says is what happens.
	next := cfg
	next.Rules = newRules(planned)
	v := l.start(next)
	l.settled(v)
	if got := l.newestBytes("t.shop"); len(got) != int(p.After.Shown)+1 { // the parked product keeps its last good version
		t.Errorf("plan: %+v, products: %v", p.After, got)
	}
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.MarshalIndent(v, "", "  ")
	check(t, err)
	return string(b) + "\n"
}

// golden compares with a file of testdata; UPDATE=1 writes it.
func golden(t *testing.T, name string, p *Plan) {
	t.Helper()
	c := *p
	c.Took = 0
	got := mustJSON(t, c)
	file := filepath.Join("testdata", name)
	if os.Getenv("UPDATE") != "" {
		check(t, os.MkdirAll("testdata", 0o755))
		check(t, os.WriteFile(file, []byte(got), 0o600))
	}
	want, err := os.ReadFile(file)
	check(t, err)
	if got != string(want) {
		t.Errorf("%s: got\n%s", name, got)
	}
}

func TestPlanOfTheSameRulesChangesNothing(t *testing.T) {
	l, cfg := planLab(t)
	w := l.start(cfg)
	l.settled(w)
	p, err := w.Plan(t.Context(), PlanConfig{Rules: newRules("# another comment\n" + present)})
	check(t, err)
	if !p.SameRules || p.Products != 8 || p.Unchanged != 8 || p.Changed+p.Created.Products+p.Removed.Products+p.NewlyParked.Products != 0 || len(p.Shape) != 0 {
		t.Errorf("got %s", mustJSON(t, p))
	}
	if len(p.Parked) != 1 || p.Parked[0].New != 0 || p.Before != p.After || p.Before.Parked != 1 {
		t.Errorf("parked: %+v", p.Parked)
	}
}

// Inputs may have other names, another order of their rows, or be left out; none may be added, and none found in another way.
func TestPlanOfAnotherView(t *testing.T) {
	l := newLab(t)
	l.put("rate", num(1), dec(2500))
	l.product(1, 1)
	l.put("price", num(1), num(5), dec(900))
	l.checkpoint()
	cfg := l.config("rules: [{ name: first, set: { first: \"first(prices, price)\", pct: rate.pct } }]")
	w := l.start(cfg)
	l.settled(w)

	view := cfg.View
	view.Children = []Child{{Name: "amounts", Topic: "t.erp.price", On: [][2]string{{"no", "no"}}, OrderBy: []Order{{Column: "qty", Desc: true}}}}
	p, err := w.Plan(t.Context(), PlanConfig{View: &view, Rules: newRules("rules: [{ name: first, set: { first: \"first(amounts, price)\", pct: rate.pct } }]")})
	check(t, err)
	if p.Changed != 1 || len(p.Fields) != 1 || p.Fields[0].Samples[0].New != "9.00" {
		t.Errorf("got %s", mustJSON(t, p))
	}

	for what, change := range map[string]func(*View){
		"t.erp.stock": func(v *View) {
			v.Lookups = append(slices.Clone(v.Lookups), Lookup{Name: "stock", Topic: "t.erp.stock"})
		},
		"another way": func(v *View) {
			v.Lookups = []Lookup{{Name: "rate", Topic: "t.erp.rate", On: []LookupOn{{Column: "code", Of: "rev"}}}}
		},
	} {
		view := cfg.View
		change(&view)
		_, err := w.Plan(t.Context(), PlanConfig{View: &view, Rules: cfg.Rules})
		if f := fault.All(err); len(f) == 0 || f[0].Class != fault.Config || !strings.Contains(f[0].Error(), what) || f[0].Fix == "" {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err = w.Plan(t.Context(), PlanConfig{Rules: newRules("rules: [{ name: x, set: { x: colour } }]")})
	if f := fault.All(err); len(f) != 2 || f[0].Class != fault.Config || !strings.Contains(f[0].Where, "new.rules.yaml:1") || !strings.Contains(f[1].What, "as the pipeline captures them now") {
		t.Errorf("unknown column: %v", err)
	}
}

// What is applied while a plan runs is not in it: of a transaction that is half applied it would see a part.
func TestPlanReadsOneSnapshot(t *testing.T) {
	l, cfg := planLab(t)
	w := l.start(cfg)
	l.settled(w)
	b, err := w.inspect(t.Context())
	check(t, err)
	c := PlanConfig{Rules: newRules(planned), Samples: 5}
	next, err := w.successor(t.Context(), b, c)
	check(t, err)
	snapshot := w.store.db.NewSnapshot()
	defer func() { check(t, snapshot.Close()) }()
	l.put("rate", num(1), dec(1200))
	l.del("product", num(7))
	l.checkpoint()
	l.settled(w)
	p, err := w.planOn(t.Context(), &planning{cfg: c, runner: w.Runner, bound: b, next: next, snapshot: snapshot, now: l.clock.Now()})
	check(t, err)
	if p.Products != 8 || p.Fields[0].Samples[0].Old != "1.26" {
		t.Errorf("got %s", mustJSON(t, p))
	}
}

// A field that the new rules keep is seen as it was published.
func TestPlanOfKeptFields(t *testing.T) {
	l := newLab(t)
	l.product(1, 1)
	l.checkpoint()
	cfg := l.config("rules: [{ name: facts, set: { title: name, rev: rev } }]")
	w := l.start(cfg)
	l.settled(w)
	p, err := w.Plan(t.Context(), PlanConfig{Rules: newRules("rules:\n  - { name: facts, set: { title: \"concat(name, '!')\", rev: rev + 1 } }\n  - { name: own, keep: { field: title, from: title } }\n")})
	check(t, err)
	if p.Changed != 1 || len(p.Fields) != 1 || p.Fields[0].Field != "rev" {
		t.Errorf("got %s", mustJSON(t, p))
	}
}

// Nothing of a plan grows with the products: samples and reasons are bounded, and the largest moves are kept.
func TestPlanKeepsFew(t *testing.T) {
	l := newLab(t)
	const products = 3000
	for no := range int64(products) {
		l.put("product", num(no), schemas.Text("wine"), num(1), num(no))
	}
	l.checkpoint()
	w := l.start(l.config("rules: [{ name: a, set: { a: rev } }]"))
	l.settled(w)
	p, err := w.Plan(t.Context(), PlanConfig{Samples: 3, Rules: newRules("rules: [{ name: a, set: { a: rev * rev } }, { name: b, when: rev % 10 = 0, set: { a: \"number(concat('x', text(rev)))\" } }]")})
	check(t, err)
	f := p.Fields[0]
	if f.Changed != products-products/10-1 || len(f.Samples) != 3 || len(f.ByAmount) != 3 || f.ByAmount[0].Key != "2999" || f.ByAmount[0].Difference != fmt.Sprintf("+%d", 2999*2999-2999) || f.ByAmount[2].Key != "2997" {
		t.Errorf("field: %+v", f)
	}
	if f.ByPercent[0].Percent != 299800 || f.Up != f.Changed || f.Down != 0 {
		t.Errorf("moves: %+v", f)
	}
	if len(p.Parked) != 1 || p.Parked[0].Products != products/10 || len(p.Parked[0].Samples) != 3 || p.NewlyParked.Products != products/10 {
		t.Errorf("parked: %+v", p.Parked)
	}
}

// BenchmarkPlan plans over a state of 100,000 products with their prices, images and rates.
func BenchmarkPlan(b *testing.B) {
	l := newLab(b)
	const products = 100_000
	for n := range int64(50) {
		l.put("rate", num(n), dec(2500))
	}
	for no := range int64(products) {
		l.put("product", num(no), schemas.Text("a wine of some name"), num(no%50), num(no))
		l.put("price", num(no), num(1), dec(1000+no), num(1))
		l.put("image", num(no), num(no), num(1), schemas.Text("https://example.org/image.jpg"))
	}
	l.checkpoint()
	w := l.start(l.config(present))
	l.settled(w)
	b.ResetTimer()
	for b.Loop() {
		p, err := w.Plan(b.Context(), PlanConfig{Rules: newRules(planned)})
		check(b, err)
		if p.Products != products {
			b.Fatalf("planned %d products", p.Products)
		}
	}
	b.ReportMetric(float64(products)*float64(b.N)/b.Elapsed().Seconds(), "products/s")
}

func TestPlanOfNothing(t *testing.T) {
	l := newLab(t)
	l.checkpoint()
	cfg := l.config(labRules)
	store, err := OpenStore(l.stateDir, StoreOptions{CacheMB: 8})
	check(t, err)
	check(t, store.Close())
	r, done := l.stopped(cfg)
	defer done()
	_, err = r.Plan(t.Context(), PlanConfig{Rules: cfg.Rules})
	if f := fault.All(err); len(f) != 1 || f[0].Class != fault.Environment || !strings.Contains(f[0].What, "the state holds nothing of view shop") {
		t.Errorf("got %v", err)
	}
}
