package status

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func heldBack(key, cause, where, what string, at time.Time) *Held {
	return &Held{Key: key, Fault: FaultJSON{Cause: cause, Where: where, What: what, Fix: "add a row"}, Since: at}
}

// TestOneCauseIsOneTrouble: 5,000 products that lack the same thing are one trouble, and none once they have it; two tallies count as one.
func TestOneCauseIsOneTrouble(t *testing.T) {
	begin := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	for _, cause := range []string{"", "rules.vat_unknown"} {
		var a, b Tally
		held := make([]*Held, 5000)
		for i := range held {
			key := fmt.Sprint(i)
			held[i] = heldBack(key, cause, "wine.rules.yaml:12:7 rule vat", fmt.Sprintf(`product %s: there is no rate for the code "S%d" of column "vat_code" on 2026-11-22 08:00`, key, i%7), begin.Add(time.Duration(i)*time.Second))
			[]*Tally{&a, &b}[i%2].Add(held[i])
		}
		got := Troubles(&a, &b)
		if len(got) != 1 || got[0].Count != 5000 || !got[0].First.Equal(begin) || !got[0].Last.Equal(begin.Add(4999*time.Second)) || len(got[0].Samples) != MaxSamples {
			t.Fatalf("cause %q: %+v", cause, got)
		}
		if want := `product …: there is no rate for the code "…" of column "vat_code" on … …`; got[0].Fault.What != want {
			t.Errorf("it says %q, want %q", got[0].Fault.What, want)
		}
		for i, h := range held[:4990] {
			[]*Tally{&a, &b}[i%2].Drop(h)
		}
		if got := Troubles(&a, &b); len(got) != 1 || got[0].Count != 10 {
			t.Errorf("after 4,990 have gone: %+v", got)
		}
		for i, h := range held[4990:] {
			[]*Tally{&a, &b}[i%2].Drop(h)
		}
		if got := Troubles(&a, &b); len(got) != 0 {
			t.Errorf("all gone: %+v", got)
		}
	}
}

// TestPlacesOfOneRecord: what belongs to one record is no part of the place; what does not, is.
func TestPlacesOfOneRecord(t *testing.T) {
	for _, c := range []struct{ where, key, want string }{
		{"sink shop: product 4711", "4711", "sink shop: product …"},
		{"sink shop: product 4711", "11", "sink shop: product 4711"},
		{"wine.erp.price: row price/4711/3", "price/4711/3", "wine.erp.price: row …"},
		{"wine.product/3@1042", "", "wine.product"},
		{"wine.product/3@1042: the key", "x", "wine.product: the key"},
		{"anna@example.com", "7", "anna@example.com"},
		{"rules.yaml:12:7 rule price", "7", "rules.yaml:12:7 rule price"},
	} {
		if got := generalPlace(c.where, c.key); got != c.want {
			t.Errorf("%q of %q: %q, want %q", c.where, c.key, got, c.want)
		}
	}
}

// TestTallyIsBounded: however many causes there are, the memory is bounded and the sum is right; whatever order they go in, nothing is left.
func TestTallyIsBounded(t *testing.T) {
	var a Tally
	var held []*Held
	rnd := rand.New(rand.NewPCG(1, 2))
	letters := func() string {
		b := make([]byte, 12)
		for i := range b {
			b[i] = 'a' + byte(rnd.IntN(26))
		}
		return string(b)
	}
	for i := range 3000 {
		h := heldBack(fmt.Sprint(i), "", "place "+letters(), "x", time.Unix(int64(i), 0))
		held = append(held, h)
		a.Add(h)
	}
	if len(a.groups) != mostGroups || a.other.Count != 3000-mostGroups {
		t.Errorf("%d groups, %d others", len(a.groups), a.other.Count)
	}
	if got := Troubles(&a); len(got) != MaxTroubles || got[0].Count != 3000-mostGroups || got[0].Fault.What != otherReasons {
		t.Errorf("%d troubles, first %+v", len(got), got[0])
	}
	rnd.Shuffle(len(held), func(i, j int) { held[i], held[j] = held[j], held[i] })
	for i, h := range held {
		a.Drop(h)
		var sum int64
		for _, g := range a.groups {
			sum += g.Count
		}
		if sum += a.other.Count; sum != int64(len(held)-i-1) {
			t.Fatalf("%d dropped, %d left", i+1, sum)
		}
	}
	if got := Troubles(&a); len(got) != 0 || len(a.groups) != 0 {
		t.Errorf("left: %+v", got)
	}
	for range keptKeys + 10 {
		a.Add(heldBack("same", "c", "w", "x", time.Unix(1, 0)))
	}
	if many := Troubles(&a)[0]; !slices.Equal(many.Samples, []string{"same", "same", "same", "same", "same"}) || len(a.groups["c\x1fw"].keys) != keptKeys {
		t.Errorf("got %+v", many)
	}
}
