package chart

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
)

func TestRing(t *testing.T) {
	at := func(s int) time.Time { return time.Unix(1000+int64(s), 0) }
	r := NewRing(time.Second, 10)
	r.Put(at(0), 1)
	r.Put(at(0), 5)
	r.Put(at(0), 2)
	r.Put(at(3), 7)
	if got := fmt.Sprint(r.Between(at(0), at(5), 10)); got != "[5 NaN NaN 7 NaN]" {
		t.Errorf("got %s", got)
	}
	for s := range 30 {
		r.Put(at(s), float64(s))
	}
	if got := fmt.Sprint(r.Between(at(15), at(30), 15)); got != "[NaN NaN NaN NaN NaN 20 21 22 23 24 25 26 27 28 29]" {
		t.Errorf("what is too old is shown: %s", got)
	}
	if got := fmt.Sprint(r.Between(at(20), at(30), 5)); got != "[21 23 25 27 29]" {
		t.Errorf("the largest of each stretch: %s", got)
	}
	r.Put(at(-100), 3) // the clock was set back
	if r.Newest() != 29 {
		t.Errorf("newest is %v", r.Newest())
	}
	r.Put(at(1000), 1)
	if got := fmt.Sprint(r.Between(at(20), at(30), 10)); strings.Contains(got, "2") {
		t.Errorf("a gap longer than the ring shows %s", got)
	}
}

func TestDraw(t *testing.T) {
	from := time.Unix(0, 0)
	p := Draw("Lag <b>", "", from, from.Add(time.Hour), time.UTC, []Line{{Name: `"><script>`, Points: []float64{None, 1, None, 2, 3}, Now: "3 s"}}, func(v float64) string { return fmt.Sprint(v) })
	svg := string(p.SVG)
	if strings.Contains(svg, "<script>") || strings.Contains(svg, "<b>") || strings.Contains(svg, "NaN") {
		t.Errorf("not escaped: %s", svg)
	}
	if strings.Count(svg, "M") < 2 || p.Empty || fmt.Sprint(p.Y) != "[5 2.5 0]" || fmt.Sprint(p.X) != "[00:00 00:15 00:30 00:45 01:00]" {
		t.Errorf("drawn: %+v", p)
	}
	if p := Draw("Lag", "", from, from.Add(time.Hour), time.UTC, []Line{{Points: []float64{None}}}, func(float64) string { return "" }); !p.Empty {
		t.Error("nothing is not empty")
	}
	for v, want := range map[float64]float64{0: 1, 0.3: 0.5, 1: 1, 1.1: 2, 4: 5, 7: 10, 1234: 2000, math.Inf(1): 1} {
		if got := nice(v); math.Abs(got-want) > 1e-9 {
			t.Errorf("nice(%v) = %v, want %v", v, got, want)
		}
	}
}
