package transform

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

func oslo(t *testing.T) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Oslo")
	check(t, err)
	return zone
}

// wakes reads the time index of a view: each instant with its product.
func (l *lab) wakes(w *worker) map[string]string {
	l.t.Helper()
	out := map[string]string{}
	for p := range int32(labPartitions) {
		pre := makePrefix(w.bound.viewID, p)
		lower := pre.key(nil, kindWake)
		it, err := w.store.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: pre.key(nil, kindWake+1)})
		check(l.t, err)
		for it.First(); it.Valid(); it.Next() {
			product := string(it.Key()[len(lower)+8:])
			if out[product] != "" {
				l.t.Errorf("product %s stands twice in the time index", product)
			}
			out[product] = time.UnixMicro(wakeInstant(it.Key())).UTC().Format(time.RFC3339Nano)
		}
		check(l.t, it.Close())
	}
	return out
}

// TestBoundariesOnDaysOfOtherLength: days of 23 and 25 hours begin at midnight in Oslo, not 24 hours after the one before.
func TestBoundariesOnDaysOfOtherLength(t *testing.T) {
	zone := oslo(t)
	for _, c := range []struct{ first, second, begins, ends string }{
		{"2026-03-29", "2026-03-30", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"}, // 23 hours
		{"2026-10-25", "2026-10-26", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"}, // 25 hours
	} {
		t.Run(c.first, func(t *testing.T) {
			l := newLab(t)
			l.vatRates()
			begins, err := time.Parse(time.RFC3339, c.begins)
			check(t, err)
			ends, err := time.Parse(time.RFC3339, c.ends)
			check(t, err)
			l.put("product", num(1), txt("wine"), num(1), num(1))
			l.put("price", num(1), num(1), dec(10_000), num(1))
			l.put("price", num(1), num(2), dec(20_000), num(1), day(c.first))
			l.put("vatrate", num(1), num(1), dec(2500), day("2020-01-01"), day(c.first))
			l.put("vatrate", num(2), num(1), dec(1500), day(c.second))
			l.clock.set(begins.Add(-time.Hour))
			l.checkpoint()
			w := l.start(l.vatConfig(zone))
			for _, at := range []struct {
				now  time.Time
				net  string
				wake string
			}{
				{begins.Add(-time.Hour), "net=100.00 gross=125.00", c.begins},
				{begins.Add(-time.Microsecond), "net=100.00 gross=125.00", c.begins},
				{begins, "net=200.00 gross=250.00", c.ends},
				{ends.Add(-time.Microsecond), "net=200.00 gross=250.00", c.ends},
				{ends, "net=200.00 gross=230.00", ""},
			} {
				l.clock.set(at.now)
				l.checkpoint()
				l.settled(w)
				got, _ := l.products()
				if !strings.Contains(got["1"], at.net) || l.wakes(w)["1"] != at.wake {
					t.Errorf("at %v: %s, next %q; want %s, next %q", at.now.In(zone), got["1"], l.wakes(w)["1"], at.net, at.wake)
				}
			}
			if _, n := l.products(); n != 3 {
				t.Errorf("%d records, want one for each price", n)
			}
		})
	}
}

// TestMissedBoundariesAreCaughtUp: what began and ended while the process was down is not sent; what holds now is, once, and the next
// boundary is one that lies ahead.
func TestMissedBoundariesAreCaughtUp(t *testing.T) {
	l := newLab(t)
	l.vatRates()
	l.put("vatrate", num(1), num(1), dec(2500), day("2020-01-01"))
	const products = 5
	for no := range int64(products) {
		l.put("product", num(no), txt("wine"), num(1), num(1))
		l.put("price", num(no), num(0), dec(10_000), num(1))
		// the first product has a boundary each day, the second each second day …
		for d := int64(1); d <= 8; d++ {
			if d%(no+1) == 0 {
				l.put("price", num(no), num(d), dec(10_000+100*d), num(1), day(fmt.Sprintf("2026-03-%02d", d+1)))
			}
		}
	}
	l.checkpoint()
	w := l.start(l.vatConfig(time.UTC))
	l.settled(w)
	w.stop()
	l.clock.set(time.Date(2026, 3, 7, 10, 0, 0, 0, time.UTC))
	w = l.start(l.vatConfig(time.UTC))
	l.settled(w)
	got, n := l.products()
	want := map[int64][2]string{ // after six days
		0: {"106.00", "2026-03-08"}, 1: {"106.00", "2026-03-09"}, 2: {"106.00", ""}, 3: {"104.00", "2026-03-09"}, 4: {"105.00", ""},
	}
	for no, x := range want {
		wake := x[1]
		if wake != "" {
			wake += "T00:00:00Z"
		}
		if p := fmt.Sprint(no); !strings.Contains(got[p], "net="+x[0]) || l.wakes(w)[p] != wake {
			t.Errorf("product %s: %s, next %q; want %v", p, got[p], l.wakes(w)[p], x)
		}
	}
	if n != 2*products {
		t.Errorf("%d records, want two for each product", n)
	}
}

// TestWakeInALookupRow: the boundary stands in a row that many products look up; it wakes those, and no others.
func TestWakeInALookupRow(t *testing.T) {
	l := newLab(t)
	l.vatRates()
	for no := range int64(10) {
		l.put("product", num(no), txt("wine"), num(no%2), num(1))
		l.put("price", num(no), num(1), dec(10_000), num(1))
	}
	l.put("vatrate", num(1), num(0), dec(2500), day("2020-01-01"), day("2026-03-01"))
	l.put("vatrate", num(2), num(0), dec(1200), day("2026-03-02"))
	l.put("vatrate", num(3), num(1), dec(1500), day("2020-01-01"))
	l.checkpoint()
	w := l.start(l.vatConfig(time.UTC))
	l.settled(w)
	if n := len(l.wakes(w)); n != 5 {
		t.Errorf("%d products wait for a boundary, want 5", n)
	}
	l.clock.set(time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC))
	l.checkpoint()
	l.settled(w)
	got, n := l.products()
	if !strings.Contains(got["4"], "gross=112.00") || !strings.Contains(got["5"], "gross=115.00") || n != 15 {
		t.Errorf("%d records: %v", n, got)
	}
	// The boundary is taken away again before it comes.
	l.put("vatrate", num(2), num(0), dec(1200), day("2026-03-02"), day("2026-03-05"))
	l.checkpoint()
	l.settled(w)
	if wake := l.wakes(w); len(wake) != 5 || wake["4"] != "2026-03-06T00:00:00Z" {
		t.Errorf("the rate has an end now, and the time index is %v", wake)
	}
	l.put("vatrate", num(2), num(0), dec(1200), day("2026-03-02"))
	l.checkpoint()
	l.settled(w)
	if wake := l.wakes(w); len(wake) != 0 {
		t.Errorf("no boundary is ahead, and the time index is %v", wake)
	}
}

// TestWakeInAViewOverAView: the group shows what its members became by themselves.
func TestWakeInAViewOverAView(t *testing.T) {
	l := newLab(t)
	l.vatRates()
	l.put("vatrate", num(1), num(1), dec(2500), day("2020-01-01"))
	for no := range int64(6) {
		l.put("product", num(no), txt("all"), num(1), num(1))
		l.put("price", num(no), num(1), dec(10_000), num(1))
		l.put("price", num(no), num(2), dec(30_000), num(1), day("2026-03-02"))
	}
	l.checkpoint()
	l.clock.set(time.Date(2026, 3, 1, 23, 59, 59, 500e6, time.UTC))
	shop := l.vatConfig(time.UTC)
	shop.Rules[0].Data = append(shop.Rules[0].Data, "  - name: title\n    set: { title: name }\n"...)
	shop.Announces = true
	groups := l.groupView()
	groups.Rules[0].Data = []byte("rules: [{ name: sum, set: { members: count(members), total: \"sum(members, gross)\" } }]")
	l.startAll(shop, groups)
	l.eventually("the group", func() bool { return l.newest("t.variant", "members", "total")["all"] == "6 750.00" })
	l.clock.set(time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC))
	l.eventually("midnight", func() bool { return l.newest("t.variant", "members", "total")["all"] == "6 2250.00" })
}
