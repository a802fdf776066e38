package transform

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"shelfstream/schemas"
)

// TestParkingKeepsTheLastGoodVersion: what the shop has of a product stays while it is held, whatever else changes.
func TestParkingKeepsTheLastGoodVersion(t *testing.T) {
	l := newLab(t)
	l.put("rate", num(1), dec(2500))
	l.product(1, 1)
	l.checkpoint()
	w := l.start(l.config(labRules))
	l.settled(w)
	good := l.sequence("t.shop")

	held := func(when string, reasons int) {
		t.Helper()
		l.checkpoint()
		l.settled(w)
		newest, n := l.parkedRecords()
		if len(newest) != 1 || n != reasons || w.Status().Parked != 1 {
			t.Errorf("%s: parked %v in %d records, status %d; want one, and %d records", when, newest, n, w.Status().Parked, reasons)
		}
		if now := l.sequence("t.shop"); fmt.Sprint(now) != fmt.Sprint(good) {
			t.Errorf("%s: the cleaned topic was %q and is %q", when, good, now)
		}
	}
	l.put("product", num(1), txt("no rate"), num(7), num(2))
	held("no rate for it", 1)
	l.put("product", num(1), txt("changed while it is held"), num(7), num(3))
	held("the same reason again", 1)
	w.stop()
	w = l.start(l.config(labRules))
	held("after a restart", 1)
	x := l.tables["product"]
	good1 := x.valueID
	x.valueID = 9999
	l.put("product", num(1), txt("nobody can read this"), num(7), num(4))
	x.valueID = good1
	held("another reason", 2)

	l.put("product", num(1), txt("cured"), num(1), num(5))
	l.checkpoint()
	l.settled(w)
	got, _ := l.products()
	newest, n := l.parkedRecords()
	if !strings.Contains(got["1"], "title=cured") || len(newest) != 0 || n != 3 || w.Status().Parked != 0 {
		t.Errorf("cured: %v, parked %v in %d records, status %d", got, newest, n, w.Status().Parked)
	}

	// A product that is gone is gone, held or not.
	l.put("product", num(1), txt("no rate"), num(7), num(6))
	l.checkpoint()
	l.settled(w)
	l.del("product", num(1))
	l.checkpoint()
	l.settled(w)
	got, _ = l.products()
	if newest, _ = l.parkedRecords(); len(got) != 0 || len(newest) != 0 || w.Status().Parked != 0 {
		t.Errorf("gone: %v, parked %v, status %d", got, newest, w.Status().Parked)
	}
}

// TestParkedProductWakesAtItsBoundary: no VAT rate is valid today, and one begins at midnight; nothing in the source changes then.
func TestParkedProductWakesAtItsBoundary(t *testing.T) {
	l := newLab(t)
	l.vatRates()
	l.put("product", num(1), txt("wine"), num(1), num(1))
	l.put("price", num(1), num(1), dec(10_000), num(1))
	l.put("vatrate", num(1), num(1), dec(2500), day("2026-03-02"))
	l.checkpoint()
	l.clock.set(time.Date(2026, 3, 1, 23, 59, 59, 700e6, time.UTC))
	w := l.start(l.vatConfig(time.UTC))
	l.settled(w)
	if got, _ := l.products(); len(got) != 0 || w.Status().Parked != 1 {
		t.Fatalf("before the rate begins: %v, parked %d", got, w.Status().Parked)
	}
	l.clock.set(time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC))
	l.eventually("the rate began", func() bool {
		got, _ := l.products()
		return strings.Contains(got["1"], "gross=125.00") && w.Status().Parked == 0
	})
}

// vatRates is a lookup of rates that begin on a day.
func (l *lab) vatRates() {
	n, date := schemas.Type{Kind: schemas.KindInt, Bits: 64}, schemas.Type{Kind: schemas.KindDate}
	l.table("vatrate", true, []string{"id"}, []string{"id"}, "id", n, "code", n,
		"pct", schemas.Type{Kind: schemas.KindDecimal, Precision: 12, Scale: 2}, "from", date, "to", date)
}

func (l *lab) vatConfig(zone *time.Location) Config {
	cfg := l.config(`
rules:
  - name: price
    pick: { from: prices, valid: [from, null], order: [from desc], set: { net: price } }
  - name: vat
    vat: { rates: rates, valid: [from, to], rate: pct, net: net, round: 2, set: { gross: gross } }
`)
	cfg.View.Lookups = []Lookup{{Name: "rates", Topic: "t.erp.vatrate", On: []LookupOn{{Column: "code", Of: "vat"}}}}
	cfg.Zone = zone
	return cfg
}
