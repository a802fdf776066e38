package transform

import (
	"fmt"
	"slices"
	"testing"
)

// TestSameInputGivesTheSameRecords: two runs from nothing send the same records in the same order, whether or not the waiting products fit in memory.
func TestSameInputGivesTheSameRecords(t *testing.T) {
	l := newLab(t)
	l.put("rate", num(1), dec(2500))
	for no := range int64(300) {
		l.product(no, 1)
	}
	l.checkpoint()
	run := func(pipeline string, limit int) []string {
		cfg := l.config(labRules)
		cfg.Pipeline, cfg.dirtyLimit = pipeline, limit
		l.stateDir = t.TempDir()
		w := l.start(cfg)
		l.settled(w)
		w.stop()
		return l.sequence(pipeline + ".shop")
	}
	first := run("a", 0)
	if len(first) != 300+labPartitions {
		t.Fatalf("%d records", len(first)-labPartitions)
	}
	for i, limit := range []int{0, 7, 299} {
		if !slices.Equal(first, run(fmt.Sprint("b", i), limit)) {
			t.Errorf("dirtyLimit %d: other records, or in another order", limit)
		}
	}
}

// TestRowsAreInOrder: by the configured columns, nulls lowest, then by key; the key's order is that of its values and not of their texts.
func TestRowsAreInOrder(t *testing.T) {
	l := newLab(t)
	cfg := l.config(`
rules:
  - name: images
    list: { from: images, set: { images: { id: id } } }
  - name: prices
    list: { from: prices, set: { prices: { qty: qty } } }
  - name: rates
    list: { from: every, set: { rates: { code: code } } }
`)
	cfg.View.Children[0].OrderBy = nil
	cfg.View.Children[1].OrderBy[0].Desc = true
	cfg.View.Lookups = append(cfg.View.Lookups, Lookup{Name: "every", Topic: "t.erp.rate"})
	l.put("product", num(1), txt("p"), num(1), num(1))
	for _, n := range []int64{10, 2, 1, 33} {
		l.put("price", num(1), num(n), dec(1), num(1))
		l.put("rate", num(n), dec(100*n))
		l.put("image", num(n), num(1), num(4), txt("tie.jpg"))
	}
	l.put("image", num(7), num(1), num(5), txt("first.jpg"))
	l.put("image", num(6), num(1))
	l.put("image", num(60), num(1))
	l.checkpoint()
	w := l.start(cfg)
	l.settled(w)
	got, _ := l.products()
	if want := "images=[{7}, {1}, {2}, {10}, {33}, {6}, {60}] prices=[{1}, {2}, {10}, {33}] rates=[{1}, {2}, {10}, {33}]"; got["1"] != want {
		t.Errorf("have %s\nwant %s", got["1"], want)
	}
	w.stop()
	cfg.View.Children[1].OrderBy[0].Desc = false
	l.stateDir = t.TempDir()
	w = l.start(cfg)
	l.settled(w)
	got, _ = l.products()
	if want := "images=[{6}, {60}, {1}, {2}, {10}, {33}, {7}] prices=[{1}, {2}, {10}, {33}] rates=[{1}, {2}, {10}, {33}]"; got["1"] != want {
		t.Errorf("have %s\nwant %s", got["1"], want)
	}
}
