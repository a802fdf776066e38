package main

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"shelfstream/internal/config"
	"shelfstream/internal/fault"
	"shelfstream/transform"
)

const fourGuards = `    guards:
      - { name: mass removal, removed: true, share: 2%, at_least: 20, window: 5m }
      - { name: hidden, field: status, becomes: [hidden, draft], count: 50 }
      - { name: price moves, field: price, moves: 30%, share: 0.5%, count: 200 }
      - { name: half import, loses: prices, rows: 50%, share: 10% }
    rules: [standard.rules`

func TestGuardsOfTheConfiguration(t *testing.T) {
	file := writeConfig(t, strings.Replace(goodConfig, "    rules: [standard.rules", fourGuards, 1))
	p, err := loadPipeline(file, newShell(goodEnv).program.env)
	if err != nil {
		t.Fatal(err)
	}
	want := []transform.Guard{
		{Name: "mass removal", Removed: true, Share: 2, AtLeast: 20, Window: 5 * time.Minute},
		{Name: "hidden", Field: "status", Becomes: []string{"hidden", "draft"}, Count: 50, Window: 10 * time.Minute},
		{Name: "price moves", Field: "price", MovesPercent: 30, Share: 0.5, Count: 200, Window: 10 * time.Minute},
		{Name: "half import", Loses: "prices", RowsPercent: 50, Share: 10, Window: 10 * time.Minute},
	}
	got := p.guards("product")
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
	v, _ := p.Views.Get("product")
	for i, words := range []string{
		"products would leave the view; 2% of the products within 5m, and fewer than 20 always",
		"products would get the status hidden or draft; 50 products within 10m",
		"products would move their price by more than 30 %; 0.5% of the products and 200 products within 10m",
		"products would lose more than 50 % of their rows of prices; 10% of the products within 10m",
	} {
		if said := got[i].Counts() + "; " + allows(&v.Guards[i]); said != words {
			t.Errorf("got %q, want %q", said, words)
		}
	}
	for _, c := range []struct{ where, what, want string }{
		{"view product, guard hidden", "the products have no field status", "pipeline.yaml:18:32: view product, guard hidden"},
		{"view product, guard mass removal", "40 changes are held", "pipeline.yaml:17:17: view product, guard mass removal"},
		{"view product, guard gone", "40 changes are held", "pipeline.yaml:17:7: view product, guard gone"},
		{"view product, guard half import", "the view has no child or lookup prices", "pipeline.yaml:20:37: view product, guard half import"},
		{"view other, guard gone", "40 changes are held", "view other, guard gone"},
	} {
		f := p.placed("", fault.List{{Where: c.where, What: c.what}})[0]
		if !strings.HasSuffix(f.Where, c.want) {
			t.Errorf("%s: %s, want %s", c.where, f.Where, c.want)
		}
	}
}

func TestOverridesInForce(t *testing.T) {
	soon, past := time.Now().Add(time.Hour), time.Now().Add(-time.Hour)
	at := func(guard string, until time.Time) transform.Signal {
		return transform.Signal{Override: guard, OverrideUntil: until, By: "anna", Why: "x"}
	}
	for name, c := range map[string]struct {
		signals []transform.Signal
		want    bool
	}{
		"none":         {nil, false},
		"its own":      {[]transform.Signal{at("a", soon)}, true},
		"of all":       {[]transform.Signal{at(config.AllGuards, soon)}, true},
		"of another":   {[]transform.Signal{at("b", soon)}, false},
		"over":         {[]transform.Signal{at("a", past)}, false},
		"taken back":   {[]transform.Signal{at("a", soon), at(config.AllGuards, past)}, false},
		"apply only":   {[]transform.Signal{{Apply: "a", By: "anna", Why: "x"}}, false},
		"begins again": {[]transform.Signal{at("a", past), at("a", soon)}, true},
	} {
		g := heldGuard{Guard: "a"}
		if g.override(c.signals); g.OverrideUntil.IsZero() == c.want || (g.By != "") != c.want {
			t.Errorf("%s: %+v", name, g)
		}
	}
}
