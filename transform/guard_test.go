package transform

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"shelfstream/schemas"
)

const guardRules = `
rules:
  - name: facts
    set: { title: name, rev: rev }
  - name: price
    set: { net: "first(prices, price order qty)" }
  - name: status
    status: { field: status, first: [{ when: vat = 9, is: draft }], otherwise: { is: publish } }
`

func (l *lab) guarded(gs ...Guard) Config {
	cfg := l.config(guardRules)
	cfg.View.Children, cfg.View.Lookups = cfg.View.Children[:1], nil
	cfg.Guards = gs
	return cfg
}

func removals() Guard { return Guard{Name: "removals", Removed: true, Share: 10, AtLeast: 5} }

// shop writes n products with a price of 100 and gives the number.
func (l *lab) shop(n int64) {
	for no := range n {
		l.put("product", num(no), txt(fmt.Sprintf("wine %d", no)), num(1), num(1))
		l.put("price", num(no), num(1), dec(10000), num(1))
	}
	l.checkpoint()
}

// remove deletes n products from one number on, in one transaction.
func (l *lab) remove(w *worker, from, n int64) {
	l.t.Helper()
	for no := range n {
		l.del("product", num(from+no))
	}
	l.checkpoint()
	l.settled(w)
}

func (l *lab) held(w *worker) map[string]int {
	l.t.Helper()
	hs, err := w.Held(3)
	check(l.t, err)
	out := map[string]int{}
	for _, h := range hs {
		if h.Count > 0 {
			out[h.Guard] = h.Count
		}
	}
	return out
}

func (l *lab) signal(s Signal) {
	l.t.Helper()
	if s.By == "" {
		s.By, s.Why = "anna", "the range was cleared out"
	}
	check(l.t, SendSignal(l.t.Context(), l.client, "t", "shop", s))
}

// want waits until as many products as that are published and held.
func (l *lab) want(w *worker, when string, published, held int) {
	l.t.Helper()
	l.eventually(fmt.Sprintf("%s: %d published, %d held", when, published, held), func() bool {
		got, _ := l.products()
		n := 0
		for _, c := range l.held(w) {
			n += c
		}
		return len(got) == published && n == held
	})
}

// TestMassRemovalIsHeld: a transaction removes 30 of 100 products. Each of the two tasks sees 15 of them and none of them may go out; but what else
// the transaction changes does.
func TestMassRemovalIsHeld(t *testing.T) {
	for _, n := range []int64{12, 30, 100} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			l := newLab(t)
			l.shop(100)
			l.put("product", num(1000), txt("other"), num(1), num(1))
			l.checkpoint()
			w := l.running(l.guarded(removals()))
			for no := range n {
				l.del("product", num(no))
			}
			l.put("product", num(1000), txt("changed"), num(1), num(2))
			l.checkpoint()
			l.settled(w)
			got, records := l.products()
			if len(got) != 101 || records != 102 || l.held(w)["removals"] != int(n) || !strings.Contains(got["1000"], "changed") {
				t.Fatalf("%d products in %d records, held %v, the other one %q", len(got), records, l.held(w), got["1000"])
			}
			f := w.Status().Faults
			if len(f) != 1 || !strings.Contains(f[0].Fix, "shelfstream held apply shop removals") || !strings.Contains(f[0].What, fmt.Sprintf("%d changes are held", n)) || !strings.Contains(f[0].What, "in the view → removed") {
				t.Fatalf("faults: %v", f)
			}
			hs, err := w.Held(3)
			check(t, err)
			if len(hs[0].Samples) != 3 || hs[0].Products != 101 || hs[0].Allowed != 10 {
				t.Fatalf("held: %+v", hs)
			}
			// The source is put right, for all but one; that one alone would have been free to go, but it stays held.
			for no := range n - 1 {
				l.put("product", num(no), txt(fmt.Sprintf("wine %d", no)), num(1), num(1))
			}
			l.checkpoint()
			l.settled(w)
			l.want(w, "all but one are put right", 101, 1)
			if _, again := l.products(); again != records {
				t.Fatalf("%d records were sent for products that are as they were", again-records)
			}
			l.put("product", num(n-1), txt("wine and new"), num(1), num(2))
			l.checkpoint()
			l.settled(w)
			l.want(w, "the last is back", 101, 0)
			if got, _ := l.products(); !strings.Contains(got[fmt.Sprint(n-1)], "wine and new") {
				t.Fatalf("the product that came back changed: %s", got[fmt.Sprint(n-1)])
			}
			if f := w.Status().Faults; len(f) != 0 {
				t.Fatalf("faults: %v", f)
			}
		})
	}
}

// TestSingleRemovalsGoOut: as many as may, and what a task holds otherwise does not matter.
func TestSingleRemovalsGoOut(t *testing.T) {
	l := newLab(t)
	l.shop(100)
	w := l.running(l.guarded(removals()))
	l.remove(w, 0, 9)
	l.want(w, "nine of a hundred", 91, 0)
}

// TestSlowLeakIsStopped: one removal a transaction, until the window is full; what comes later is held until it is applied, even when the window has passed.
func TestSlowLeakIsStopped(t *testing.T) {
	l := newLab(t)
	l.shop(100)
	g := removals()
	g.Window = time.Hour
	w := l.running(l.guarded(g))
	at := l.clock.Now()
	for no := range int64(14) {
		at = at.Add(time.Minute)
		l.clock.set(at)
		l.remove(w, no, 1)
	}
	// A tenth of what there is now: after the ninth removal, of 91.
	l.want(w, "ten went out at most", 91, 5)
	l.clock.set(at.Add(24 * time.Hour))
	l.remove(w, 50, 1)
	l.want(w, "it stays held, and so does what comes", 91, 6)
	l.signal(Signal{Apply: "removals"})
	l.want(w, "applied", 85, 0)
	l.remove(w, 51, 1)
	l.want(w, "single ones go out again", 84, 0)
}

// TestWindowSlides: as many again may go out when the window has passed.
func TestWindowSlides(t *testing.T) {
	l := newLab(t)
	l.shop(100)
	w := l.running(l.guarded(Guard{Name: "removals", Removed: true, Count: 5}))
	l.remove(w, 0, 5)
	l.clock.set(l.clock.Now().Add(11 * time.Minute))
	l.remove(w, 5, 5)
	l.want(w, "five and five", 90, 0)
	l.remove(w, 20, 1)
	l.want(w, "the eleventh is one too many", 90, 1)
}

// TestHeldProductKeepsItsOrder: while prices are held nothing newer of these products goes out; apply sends the newest state, each once.
func TestHeldProductKeepsItsOrder(t *testing.T) {
	l := newLab(t)
	l.shop(40)
	w := l.running(l.guarded(Guard{Name: "prices", Field: "net", MovesPercent: 30, Share: 10, AtLeast: 5}))
	price := func(no, cents, rev int64) {
		l.put("price", num(no), num(1), dec(cents), num(rev))
		l.put("product", num(no), txt(fmt.Sprintf("wine %d", no)), num(1), num(rev))
	}
	for no := range int64(20) {
		price(no, 100, 2) // a hundredth: somebody mixed up a unit
	}
	for no := range int64(10) {
		price(no+20, 12900, 2) // 29 %
	}
	l.checkpoint()
	l.settled(w)
	if got, _ := l.products(); l.held(w)["prices"] != 20 || !strings.Contains(got["3"], "rev=1") || !strings.Contains(got["25"], "net=129.00") {
		t.Fatalf("held %v, product 3 %q, product 25 %q", l.held(w), got["3"], got["25"])
	}
	_, before := l.products()
	for rev := range int64(3) {
		for no := range int64(20) {
			price(no, 101+rev, rev+3)
		}
		l.checkpoint()
		l.settled(w)
	}
	if _, n := l.products(); n != before {
		t.Fatalf("%d records of held products", n-before)
	}
	// Another product's price moves: it is one of the same flood.
	price(39, 1, 2)
	l.checkpoint()
	l.settled(w)
	if got, _ := l.products(); l.held(w)["prices"] != 21 || !strings.Contains(got["39"], "net=100.00") {
		t.Fatalf("held %v, product 39 %q", l.held(w), got["39"])
	}
	// One is put right, with another price than it had.
	price(0, 10100, 9)
	l.checkpoint()
	l.settled(w)
	if got, _ := l.products(); l.held(w)["prices"] != 20 || !strings.Contains(got["0"], "rev=9 net=101.00") {
		t.Fatalf("held %v, product 0 %q", l.held(w), got["0"])
	}
	_, before = l.products()
	l.signal(Signal{Apply: "all"})
	l.want(w, "applied", 40, 0)
	l.eventually("all of them are sent", func() bool { _, n := l.products(); return n >= before+20 })
	got, n := l.products()
	if n != before+20 || !strings.Contains(got["3"], "rev=5 net=1.03") || !strings.Contains(got["39"], "net=0.01") {
		t.Fatalf("%d records, product 3 %q", n-before, got["3"])
	}
}

func TestMassHidingIsHeldByANewRuleFile(t *testing.T) {
	l := newLab(t)
	l.shop(60)
	g := Guard{Name: "hiding", Field: "status", Becomes: []string{"draft", "archive"}, Share: 20, AtLeast: 5}
	w := l.running(l.guarded(g))
	w.stop()
	cfg := l.guarded(g, removals())
	cfg.Rules[0].Data = []byte(strings.Replace(guardRules, "vat = 9", "no % 2 = 0", 1))
	w = l.running(cfg)
	got, n := l.products()
	if l.held(w)["hiding"] != 30 || n != 60 || strings.Contains(fmt.Sprint(got), "draft") {
		t.Fatalf("held %v, %d records", l.held(w), n)
	}
	// Back to the rules of before: nothing is held any more, and nothing was sent.
	w.stop()
	w = l.running(l.guarded(g))
	l.want(w, "the old rules", 60, 0)
	if _, n := l.products(); n != 60 {
		t.Fatalf("%d records", n)
	}
}

// TestMassChangeByTimeIsCountedTogether: a day begins, and the prices of all products move at once, in tasks that wake by themselves.
func TestMassChangeByTimeIsCountedTogether(t *testing.T) {
	l := newLab(t)
	l.shop(100)
	for no := range int64(16) {
		l.put("price", num(no), num(0), dec(100), num(2), day("2026-03-02"))
	}
	l.checkpoint()
	cfg := l.guarded(Guard{Name: "prices", Field: "net", MovesPercent: 30, Count: 10})
	cfg.Rules[0].Data = []byte(strings.Replace(guardRules, `"first(prices, price order qty)"`, `"first(prices, price where from is null or from <= today() order qty)"`, 1))
	w := l.running(cfg)
	_, before := l.products()
	l.clock.set(time.Date(2026, 3, 2, 0, 0, 1, 0, time.UTC))
	l.checkpoint()
	l.eventually("16 held", func() bool { return l.held(w)["prices"] == 16 })
	if _, n := l.products(); n != before {
		t.Fatalf("%d records leaked", n-before)
	}
}

func TestGuardsAreChecked(t *testing.T) {
	shape := &schemas.Table{Columns: []schemas.Column{{Name: "status", Type: schemas.Type{Kind: schemas.KindText}}, {Name: "net", Type: schemas.Type{Kind: schemas.KindDecimal, Precision: 12, Scale: 2}}}}
	for _, c := range []struct {
		g    Guard
		want string
	}{
		{Guard{Name: "all", Removed: true, Share: 1}, "a name of its own"},
		{Guard{Name: "a", Share: 1}, "must say what it counts"},
		{Guard{Name: "a", Removed: true, Field: "net", Share: 1}, "must say what it counts"},
		{Guard{Name: "a", Field: "net", Share: 1}, "must say what it counts"},
		{Guard{Name: "a", Field: "nett", MovesPercent: 3, Share: 1}, "no field nett"},
		{Guard{Name: "a", Field: "status", MovesPercent: 3, Share: 1}, "no number"},
		{Guard{Name: "a", Removed: true}, "how many changes may go out"},
		{Guard{Name: "a", Removed: true, Share: 1}, ""},
	} {
		err := CheckGuards(View{Name: "shop"}, []Guard{c.g}, shape)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%+v: %v, want %q", c.g, err, c.want)
		}
	}
}
