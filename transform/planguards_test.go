package transform

import (
	"strings"
	"testing"
	"time"

	"shelfstream/schemas"
)

// TestPlanForeseesGuards: what a plan says that guards would hold is what they hold when the rules are put in place.
func TestPlanForeseesGuards(t *testing.T) {
	l := newLab(t)
	l.shop(100)
	gs := []Guard{
		{Name: "removals", Removed: true, Share: 10, AtLeast: 5},
		{Name: "hiding", Field: "status", Becomes: []string{"draft"}, Count: 30},
		{Name: "prices", Field: "net", MovesPercent: 30, Share: 10, AtLeast: 5},
		{Name: "half import", Loses: "prices", Share: 10, AtLeast: 5},
	}
	cfg := l.guarded(gs...)
	w := l.start(cfg)
	l.settled(w)
	text := strings.NewReplacer("vat = 9", "no >= 30 and no < 50", `"first(prices, price order qty)"`, `"first(prices, price order qty) * if(no >= 60, 2, 1)"`).Replace(guardRules) +
		"  - name: shown\n    include: no >= 15\n"
	p, err := w.Plan(t.Context(), PlanConfig{Rules: newRules(text)})
	check(t, err)
	want := []struct {
		products int64
		allowed  int
		holds    bool
		sample   PlanSample
	}{
		{15, 10, true, PlanSample{Key: "0"}},
		{20, 30, false, PlanSample{Key: "30", Field: "status", Old: "publish", New: "draft"}},
		{40, 10, true, PlanSample{Key: "60", Field: "net", Old: "100.00", New: "200.00"}},
		{0, 10, false, PlanSample{}},
	}
	foreseen := func(p *Plan) {
		t.Helper()
		for i, x := range want {
			g := p.Guards[i]
			if g.Guard != gs[i].Name || g.Products != x.products || g.Of != 100 || g.Allowed != x.allowed || g.Holds != x.holds || g.Held != 0 || x.products > 0 && g.Samples[0] != x.sample {
				t.Errorf("%+v, want %+v", g, x)
			}
		}
	}
	foreseen(p)
	// The same from a state that does not run.
	w.stop()
	r, done := l.stopped(cfg)
	p, err = r.Plan(t.Context(), PlanConfig{Rules: newRules(text)})
	check(t, err)
	done()
	foreseen(p)

	// Guards of the new configuration, and one that has no field any more.
	w = l.start(cfg)
	l.settled(w)
	p, err = w.Plan(t.Context(), PlanConfig{Rules: newRules(text), Guards: []Guard{{Name: "few", Removed: true, Count: 14}}})
	check(t, err)
	if len(p.Guards) != 1 || p.Guards[0].Guard != "few" || !p.Guards[0].Holds || p.Guards[0].Allowed != 14 {
		t.Errorf("other guards: %+v", p.Guards)
	}
	if _, err = w.Plan(t.Context(), PlanConfig{Rules: newRules("rules: [{ name: a, set: { title: name, status: name } }]")}); err == nil || !strings.Contains(err.Error(), "the products have no field net") {
		t.Errorf("rules without a guarded field: %v", err)
	}
	until := l.clock.Now().Add(time.Hour)
	l.signal(Signal{Override: "removals", OverrideUntil: until})
	l.eventually("the override", func() bool { hs, err := w.Held(0); return err == nil && hs[0].OverrideUntil.Equal(until) })
	p, err = w.Plan(t.Context(), PlanConfig{Rules: newRules(text)})
	check(t, err)
	if g := p.Guards[0]; g.Holds || !g.OverrideUntil.Equal(until) || !p.Guards[2].Holds {
		t.Errorf("overridden: %+v", p.Guards)
	}
	w.stop()

	// Put in place.
	cfg.Rules = newRules(text)
	w = l.start(cfg)
	l.settled(w)
	l.want(w, "the override lets them leave, the prices are held", 85, 40)
	// One more of what is held already.
	p, err = w.Plan(t.Context(), PlanConfig{Rules: newRules(strings.Replace(text, "if(no >= 60, 2, 1)", "if(no >= 59, 2, 1)", 1))})
	check(t, err)
	if g := p.Guards[2]; g.Products != 1 || g.Held != 40 || !g.Holds {
		t.Errorf("held already: %+v", g)
	}
}

// TestCountIsDivided: two processes share a view, and together they let out what one would.
func TestCountIsDivided(t *testing.T) {
	l := newLab(t)
	l.shop(100)
	g := Guard{Name: "removals", Removed: true, Count: 10}
	a := l.start(l.guarded(g))
	l.settled(a)
	first := l.stateDir
	l.stateDir = t.TempDir()
	b := l.start(l.guarded(g))
	l.stateDir = first
	l.eventually("each has a partition", func() bool {
		x, y := a.Status(), b.Status()
		return len(x.Positions) == 1 && len(y.Positions) == 1 && x.State == "live" && y.State == "live" && x.Positions[0].Value == "0/1" && y.Positions[0].Value == "0/1"
	})
	// As many as one process may let out, if it stood alone; there are seven of them in each partition.
	left := make([]int, labPartitions)
	for no := range int64(100) {
		if p := schemas.Partition([]schemas.Value{num(no)}, labPartitions); left[p] < 7 {
			left[p]++
			l.del("product", num(no))
		}
	}
	l.checkpoint()
	l.eventually("all are held", func() bool { return l.held(a)["removals"] == 7 && l.held(b)["removals"] == 7 })
	if got, _ := l.products(); len(got) != 100 {
		t.Fatalf("%d products", len(got))
	}
	hs, err := a.Held(0)
	check(t, err)
	if hs[0].Allowed != 5 {
		t.Errorf("%d allowed", hs[0].Allowed)
	}
}

func TestPartsAddUp(t *testing.T) {
	for _, n := range []int{8, 9, 20, 200, 1001} {
		sum := 0
		for _, process := range [][]int32{{0, 3, 5}, {1}, {2, 4, 6, 7}} {
			sum += partOf(n, func(yield func(int32) bool) {
				for _, p := range process {
					if !yield(p) {
						return
					}
				}
			}, 8)
		}
		if sum != n {
			t.Errorf("the parts of %d add up to %d", n, sum)
		}
	}
	one := func(yield func(int32) bool) { yield(0) }
	none := func(func(int32) bool) {}
	if partOf(3, one, 8) != 1 || partOf(0, one, 8) != 0 || partOf(3, none, 8) != 3 {
		t.Error("too few, nothing, and nobody")
	}
}

// TestTopicOfAViewThatIsReadLater gets what readers by offsets need, though it was made without.
func TestTopicOfAViewThatIsReadLater(t *testing.T) {
	l := newLab(t)
	l.shop(10)
	w := l.start(l.guarded())
	l.settled(w)
	w.stop()
	lag := func() string {
		set, err := l.client.TopicSettings(t.Context(), settingCompactionLag, "t.shop")
		check(t, err)
		return set["t.shop"]
	}
	if before := lag(); before != "" && before != "0" {
		t.Fatalf("made with %q", before)
	}
	cfg := l.guarded()
	cfg.Announces, cfg.TopicConfigs = true, map[string]string{settingCompactionLag: "3600000"}
	w = l.start(cfg)
	l.settled(w)
	if lag() != "3600000" {
		t.Fatalf("read by another: %q", lag())
	}
	w.stop()
	// Nobody lowers what somebody has raised.
	cfg.TopicConfigs = map[string]string{settingCompactionLag: "60000"}
	w = l.start(cfg)
	l.settled(w)
	if lag() != "3600000" {
		t.Fatalf("a lower one: %q", lag())
	}
}
