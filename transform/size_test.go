package transform

import (
	"strings"
	"testing"
)

// TestProductTooLargeForItsTopic: one product that the topic would refuse is parked, the others go on, and it comes when it is small enough.
func TestProductTooLargeForItsTopic(t *testing.T) {
	l := newLab(t)
	cfg := l.simpleView()
	cfg.TopicConfigs = map[string]string{settingMaxMessage: "20000"}
	// Text that does not shrink much, so that its size is its size.
	var b strings.Builder
	for i, x := 0, uint32(1); i < 60_000; i++ {
		x = x*1664525 + 1013904223
		b.WriteByte('!' + byte(x>>24)%90)
	}
	l.simple(1, "small", 1)
	l.simple(2, b.String(), 1)
	l.simple(3, "small too", 1)
	l.checkpoint()
	w := l.start(cfg)
	l.settled(w)
	if got := l.newest("t.shop", "rev"); len(got) != 2 || got["1"] != "1" || got["3"] != "1" {
		t.Fatalf("products: %v", got)
	}
	parked, err := w.Parked(10)
	check(t, err)
	if len(parked) != 1 || parked[0].Key != "2" || !strings.Contains(parked[0].What, "its topic accepts 20000") {
		t.Fatalf("parked: %+v", parked)
	}
	l.simple(2, "small now", 2)
	l.checkpoint()
	l.settled(w)
	if got := l.newest("t.shop", "rev"); got["2"] != "2" {
		t.Fatalf("products: %v", got)
	}
}

// TestLargeProductFitsByDefault: a product may be as large as a raw row.
func TestLargeProductFitsByDefault(t *testing.T) {
	l := newLab(t)
	l.simple(1, strings.Repeat("a picture's worth ", 200_000), 1)
	l.checkpoint()
	w := l.start(l.simpleView())
	l.settled(w)
	if got := l.newest("t.shop", "rev"); got["1"] != "1" {
		t.Fatalf("products: %v", got)
	}
}
