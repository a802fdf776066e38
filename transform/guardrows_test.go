package transform

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"shelfstream/internal/kafka"
	"shelfstream/schemas"
)

func halfImport(rows float64) Guard {
	return Guard{Name: "half import", Loses: "prices", RowsPercent: rows, Share: 10, AtLeast: 5}
}

// pricesOf writes a product's prices for the quantities 1 to n; those up to had that are not among them are deleted.
func (l *lab) pricesOf(no, n, had int64) {
	for q := int64(1); q <= n; q++ {
		l.put("price", num(no), num(q), dec(10000), num(1))
	}
	for q := n + 1; q <= had; q++ {
		l.del("price", num(no), num(q))
	}
}

// TestHalfImportIsHeld: the job that loads the prices empties their table and dies half way. Nothing of it goes out, also where the state is lost in the
// meantime and more of the table goes; and when the reload is complete everything goes on by itself.
func TestHalfImportIsHeld(t *testing.T) {
	l := newLab(t)
	l.shop(100)
	w := l.start(l.guarded(halfImport(0)))
	l.settled(w)
	for no := range int64(40) {
		l.pricesOf(no, 0, 1)
		l.put("product", num(no), txt(fmt.Sprintf("wine %d", no)), num(1), num(2))
	}
	l.put("product", num(99), txt("changed"), num(1), num(2))
	l.checkpoint()
	l.settled(w)
	got, before := l.products()
	if l.held(w)["half import"] != 40 || before != 101 || !strings.Contains(got["3"], "rev=1 net=100.00") || !strings.Contains(got["99"], "changed") {
		t.Fatalf("held %v, %d records, product 3 %q, product 99 %q", l.held(w), before, got["3"], got["99"])
	}
	f := w.Status().Faults
	if len(f) != 1 || !strings.Contains(f[0].What, "40 changes are held") || !strings.Contains(f[0].What, "lose all their rows of prices") || !strings.Contains(f[0].What, "prices: 1 → 0 rows") ||
		!strings.Contains(f[0].Fix, `held apply shop "half import"`) || !strings.Contains(f[0].Fix, "the import that fills prices") {
		t.Fatalf("faults: %v", f)
	}
	w.stop()
	for no := range int64(20) {
		l.pricesOf(no+40, 0, 1)
	}
	l.checkpoint()
	l.stateDir = t.TempDir()
	w = l.start(l.guarded(halfImport(0)))
	l.settled(w)
	l.want(w, "the state is lost while more is lost", 100, 60)
	for no := range int64(60) {
		l.pricesOf(no, 1, 1)
		l.put("product", num(no), txt(fmt.Sprintf("wine %d", no)), num(1), num(1))
	}
	l.checkpoint()
	l.settled(w)
	l.want(w, "the reload is complete", 100, 0)
	if _, n := l.products(); n != before {
		t.Fatalf("%d records went out of products that are as they were", n-before)
	}
	// Applied, it goes out.
	for no := range int64(30) {
		l.pricesOf(no, 0, 1)
	}
	l.checkpoint()
	l.settled(w)
	l.want(w, "once more", 100, 30)
	l.signal(Signal{Apply: "half import"})
	l.want(w, "applied", 100, 0)
	l.eventually("they are sent", func() bool {
		got, _ := l.products()
		return strings.Contains(got["3"], "net=null") && strings.Contains(got["29"], "net=null")
	})
	// They have none now, so there is nothing to lose.
	for no := range int64(30) {
		l.put("product", num(no), txt("other"), num(1), num(3))
	}
	l.checkpoint()
	l.settled(w)
	l.want(w, "those without", 100, 0)
}

// TestShareOfTheRows: with rows, a product counts that loses more than so many of them; it stays held until enough are back.
func TestShareOfTheRows(t *testing.T) {
	l := newLab(t)
	l.shop(40)
	const four = 4
	for no := range int64(40) {
		l.pricesOf(no, four, four)
	}
	l.checkpoint()
	cfg := l.guarded(halfImport(50))
	cfg.Rules[0].Data = []byte(strings.Replace(guardRules, `"first(prices, price order qty)"`, "count(prices)", 1))
	w := l.start(cfg)
	l.settled(w)
	all := func(when string, rows int64, held int) {
		t.Helper()
		for no := range int64(20) {
			l.pricesOf(no, rows, four)
		}
		l.checkpoint()
		l.settled(w)
		l.want(w, when, 40, held)
		want := fmt.Sprintf("net=%d ", rows)
		if held > 0 {
			want = "net=4 "
		}
		if got, _ := l.products(); !strings.Contains(got["7"]+" ", want) {
			t.Fatalf("%s: product 7 %q", when, got["7"])
		}
	}
	all("half of them is not more than half", 2, 0)
	all("all four", four, 0)
	all("three of four", 1, 20)
	all("none", 0, 20)
	all("one came back", 1, 20)
	all("two came back", 2, 0)
}

// TestLostRowsOfLeavingProducts: a product that the rules leave out since its prices are gone counts; one that was deleted with its prices does not.
func TestLostRowsOfLeavingProducts(t *testing.T) {
	l := newLab(t)
	l.shop(100)
	cfg := l.guarded(halfImport(0))
	cfg.Rules[0].Data = []byte(guardRules + "  - name: shown\n    include: net is not null\n")
	w := l.start(cfg)
	l.settled(w)
	for no := range int64(20) {
		l.del("product", num(no))
		l.pricesOf(no, 0, 1)
	}
	l.checkpoint()
	l.settled(w)
	l.want(w, "deleted with their prices", 80, 0)
	for no := range int64(20) {
		l.pricesOf(no+20, 0, 1)
	}
	l.checkpoint()
	l.settled(w)
	l.want(w, "left out without prices", 80, 20)
}

// TestRowsGuardAddedLater knows how many rows there were from the records of before, which it did not ask for.
func TestRowsGuardAddedLater(t *testing.T) {
	l := newLab(t)
	l.shop(100)
	w := l.start(l.guarded())
	l.settled(w)
	w.stop()
	for no := range int64(30) {
		l.pricesOf(no, 0, 1)
	}
	l.checkpoint()
	w = l.start(l.guarded(halfImport(0)))
	l.settled(w)
	l.want(w, "lost while nobody looked", 100, 30)
}

// TestRowsOverride lets a half import pass for a while.
func TestRowsOverride(t *testing.T) {
	l := newLab(t)
	l.shop(100)
	w := l.start(l.guarded(halfImport(0)))
	l.settled(w)
	until := l.clock.Now().Add(time.Hour)
	l.signal(Signal{Override: "half import", OverrideUntil: until})
	l.eventually("the override", func() bool {
		hs, err := w.Held(0)
		return err == nil && len(hs) == 1 && hs[0].OverrideUntil.Equal(until)
	})
	for no := range int64(30) {
		l.pricesOf(no, 0, 1)
	}
	l.checkpoint()
	l.settled(w)
	l.want(w, "during the override", 100, 0)
}

// TestRowsAreLearnt: a record that an earlier version wrote does not say how many rows the product had; it counts from when it is seen as it was published.
func TestRowsAreLearnt(t *testing.T) {
	l := newLab(t)
	l.shop(100)
	w := l.start(l.guarded())
	l.settled(w)
	w.stop()
	l.stripHeader("t.shop", headerRows)
	l.stateDir = t.TempDir()
	w = l.start(l.guarded(halfImport(0)))
	l.settled(w)
	for no := range int64(30) {
		l.pricesOf(no, 0, 1)
	}
	l.checkpoint()
	l.settled(w)
	l.want(w, "learnt", 100, 30)
}

func TestRowsGuardsAreChecked(t *testing.T) {
	v := View{Name: "shop", Children: []Child{{Name: "prices"}}, Lookups: []Lookup{{Name: "rate"}}, GroupBy: []string{"a"}}
	for _, c := range []struct {
		g    Guard
		want string
	}{
		{Guard{Name: "a", Loses: "images", Share: 1}, "no child or lookup images"},
		{Guard{Name: "a", Loses: "prices", Removed: true, Share: 1}, "must say what it counts"},
		{Guard{Name: "a", Loses: "prices", Field: "net", Share: 1}, "must say what it counts"},
		{Guard{Name: "a", Loses: "prices", RowsPercent: 100, Share: 1}, "rows is the share"},
		{Guard{Name: "a", Removed: true, RowsPercent: 50, Share: 1}, "rows is the share"},
		{Guard{Name: "a", Loses: "prices", RowsPercent: 50, Share: 1}, ""},
		{Guard{Name: "a", Loses: Members, Share: 1}, ""},
		{Guard{Name: "a", Loses: "rate", Share: 1}, ""},
	} {
		err := CheckGuards(v, []Guard{c.g}, &schemas.Table{})
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%+v: %v, want %q", c.g, err, c.want)
		}
	}
}

// stripHeader writes every product of a cleaned topic once more, without a header.
func (l *lab) stripHeader(topic, header string) {
	l.t.Helper()
	for p := range int32(labPartitions) {
		check(l.t, l.client.Scan(l.t.Context(), topic, p, 0, -1, func(r *kafka.Record) error {
			out := kafka.Record{TimestampMS: r.TimestampMS, Key: r.Key, Value: r.Value}
			for _, h := range r.Headers {
				if h.Key != header {
					out.Headers = append(out.Headers, h)
				}
			}
			if len(out.Headers) == len(r.Headers) {
				l.t.Errorf("a record without %s", header)
			}
			return l.producer.Produce(l.t.Context(), topic, p, out)
		}))
	}
	check(l.t, l.producer.Flush(l.t.Context()))
}
