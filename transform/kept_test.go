package transform

import (
	"fmt"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"shelfstream/internal/kafka"
	"shelfstream/schemas"
)

const keepRules = `
rules:
  - name: facts
    set: { title: name, rev: rev }
  - name: slug
    keep: { field: slug, from: slug(name) }
`

func (l *lab) keeping(rulesText string) Config {
	cfg := l.config(rulesText)
	cfg.View.Children, cfg.View.Lookups = nil, nil
	return cfg
}

// latest decodes the newest record of each product only: older ones are of other shapes.
func (l *lab) latest() map[string]string {
	l.t.Helper()
	table, err := l.registry.Table(l.t.Context(), "t.shop")
	check(l.t, err)
	codec, err := schemas.Compile(table)
	check(l.t, err)
	raw := map[string][]byte{}
	for p := range int32(labPartitions) {
		check(l.t, l.client.Scan(l.t.Context(), "t.shop", p, 0, -1, func(r *kafka.Record) error {
			raw[string(r.Key)] = append([]byte(nil), r.Value...)
			return nil
		}))
	}
	out := map[string]string{}
	for _, value := range raw {
		_, body, err := schemas.ParseFrame(value)
		check(l.t, err)
		row, err := codec.DecodeValue(nil, body)
		check(l.t, err)
		var parts []string
		for i, v := range row {
			parts = append(parts, table.Columns[i].Name+"="+v.String())
		}
		out[row[0].String()] = strings.Join(parts, " ") + " "
	}
	return out
}

// TestKeptFieldStays: a slug that was published stays, whatever the name becomes: over restarts, a loss of state, a change of the rules and of the shape.
func TestKeptFieldStays(t *testing.T) {
	l := newLab(t)
	for no := range int64(20) {
		l.put("product", num(no), txt(fmt.Sprintf("First %d", no)), num(1), num(1))
	}
	l.checkpoint()
	// The slug is published under rules that keep nothing, so the state knows nothing of it when they come to keep it.
	w := l.start(l.keeping(strings.Replace(keepRules, "keep: { field: slug, from: slug(name) }", "set: { slug: slug(name) }", 1)))
	l.settled(w)
	w.stop()

	want := func(when, title string, rev int) {
		t.Helper()
		l.settled(w)
		got := l.latest()
		if p := got["7"]; len(got) != 20 || !strings.Contains(p, "title="+title) || !strings.Contains(p, fmt.Sprintf("rev=%d ", rev)) || !strings.Contains(p, "slug=first-7") {
			t.Fatalf("%s: %d products, product 7: %s", when, len(got), p)
		}
	}
	rename := func(name string, rev int64) {
		for no := range int64(20) {
			l.put("product", num(no), txt(fmt.Sprintf("%s %d", name, no)), num(1), num(rev))
		}
		l.checkpoint()
	}
	w = l.start(l.keeping(keepRules))
	want("kept from now on", "First 7", 1)
	rename("Second", 2)
	want("renamed", "Second 7", 2)
	w.stop()
	rename("Third", 3)
	w = l.start(l.keeping(keepRules))
	want("renamed while nobody ran", "Third 7", 3)
	w.stop()
	l.stateDir = t.TempDir()
	rename("Fourth", 4)
	w = l.start(l.keeping(keepRules))
	want("the state is lost", "Fourth 7", 4)
	w.stop()
	l.stateDir = t.TempDir()
	other := strings.Replace(keepRules, "title: name", "more: upper(name), title: name", 1) + `
  - name: second
    keep: { field: other, from: "'x' || name" }
`
	w = l.start(l.keeping(other))
	want("the state is lost, and the shape is another", "Fourth 7", 4)
	rename("Fifth", 5)
	want("another kept field", "Fifth 7", 5)
	if got := l.latest(); !strings.Contains(got["7"], "other=xFourth 7") {
		t.Fatalf("product 7: %s", got["7"])
	}
	// A product that left the view and comes back is a new one.
	l.del("product", num(7))
	l.checkpoint()
	l.settled(w)
	l.put("product", num(7), txt("Sixth 7"), num(1), num(6))
	l.checkpoint()
	l.settled(w)
	if got := l.latest(); !strings.Contains(got["7"], "slug=sixth-7") {
		t.Fatalf("product 7: %s", got["7"])
	}
}

// TestUniqueSlugs: no two products ever have the same slug at a time, though all are called alike and give names up to each other.
func TestUniqueSlugs(t *testing.T) {
	l := newLab(t)
	text := strings.Replace(keepRules, "from: slug(name)", "from: slug(name), unique: true", 1)
	for no := range int64(30) {
		l.put("product", num(no), txt([]string{"Wine", "Wine 1", "Wine-1-2"}[no%3]), num(1), num(1))
	}
	l.checkpoint()
	w := l.start(l.keeping(text))
	l.settled(w)
	first := l.newest("t.shop", "slug")
	for no := range int64(30) {
		l.put("product", num(no), txt([]string{"Wine-1-2", "Wine", "Wine 1"}[no%3]), num(1), num(2))
	}
	l.checkpoint()
	w.stop()
	l.stateDir = t.TempDir()
	w = l.start(l.keeping(text))
	l.settled(w)
	owner := map[string]string{}
	for key, slug := range l.newest("t.shop", "slug") {
		if slug != first[key] {
			t.Errorf("product %s had %s and has %s", key, first[key], slug)
		}
		if owner[slug] != "" {
			t.Errorf("products %s and %s have the slug %s", key, owner[slug], slug)
		}
		owner[slug] = key
	}
	if first["4"] != "wine-1-4" {
		t.Errorf("product 4: %s", first["4"])
	}
}

func TestExplainTellsWhatWasKept(t *testing.T) {
	l := newLab(t)
	l.put("product", num(1), txt("First"), num(1), num(1))
	l.checkpoint()
	w := l.start(l.keeping(keepRules))
	l.settled(w)
	l.put("product", num(1), txt("Second"), num(1), num(2))
	l.checkpoint()
	l.settled(w)
	x, err := w.Explain(t.Context(), "1")
	check(t, err)
	for _, f := range x.Fields {
		if f.Field == "slug" && (f.Value != "first" || f.Rule != "slug" || len(f.Uses) != 1 || f.Uses[0].Input != "published") {
			t.Errorf("slug: %+v", f)
		}
	}
}

func TestParkedRetryAndSkip(t *testing.T) {
	l := newLab(t)
	l.put("rate", num(1), dec(2500))
	for no := range int64(6) {
		l.put("product", num(no), txt("other"), num(7), num(1))
		l.put("price", num(no), num(1), dec(1000), num(1))
	}
	l.checkpoint()
	w := l.start(l.config(labRules))
	l.settled(w)
	parked := func(when string, want int) {
		t.Helper()
		l.eventually(fmt.Sprintf("%s: %d parked", when, want), func() bool {
			list, err := w.Parked(100)
			check(t, err)
			return len(list) == want && w.Status().Parked == int64(want)
		})
	}
	parked("no rate", 6)
	check(t, w.Skip(t.Context(), "3", "anna", "not sold any more"))
	parked("one is skipped", 5)
	skipped := func() *Skip {
		t.Helper()
		all, err := ReadParked(t.Context(), l.client, "t", "shop")
		check(t, err)
		for _, p := range all {
			if p.Key == "3" {
				return p.Skipped
			}
		}
		return nil
	}
	l.eventually("the topic says who and why", func() bool {
		s := skipped()
		return s != nil && s.By == "anna" && s.Why == "not sold any more" && s.Rows != 0
	})
	// Neither a restart nor a retry nor a loss of the state ends it.
	check(t, w.RetryParked(t.Context(), []string{"all", "3"}, "bo", ""))
	parked("tried again", 5)
	w.stop()
	l.stateDir = t.TempDir()
	w = l.start(l.config(labRules))
	l.settled(w)
	parked("the state is lost", 5)
	// Its rows change: it is in the list again.
	l.put("product", num(3), txt("other"), num(7), num(2))
	l.checkpoint()
	l.settled(w)
	parked("its rows change", 6)
	if s := skipped(); s != nil {
		t.Fatalf("skipped: %+v", s)
	}
	w.stop()
	l.stateDir = t.TempDir()
	w = l.start(l.config(labRules))
	l.settled(w)
	parked("the older request is read again, and does nothing", 6)
	l.put("rate", num(7), dec(1500))
	l.checkpoint()
	l.settled(w)
	parked("the rate is there", 0)
}

// TestRetryEvaluatesNow: nothing has changed, and only the products named are evaluated.
func TestRetryEvaluatesNow(t *testing.T) {
	l := newLab(t)
	for no := range int64(9) {
		l.put("product", num(no), txt("a"), num(1), num(1))
	}
	l.checkpoint()
	w := l.start(l.keeping("rules: [{ name: x, when: \"no < 4\", set: { bad: \"number('x')\" } }]"))
	l.settled(w)
	evaluated := func(want float64) {
		t.Helper()
		l.eventually(fmt.Sprintf("%v evaluations", want), func() bool { return testutil.ToFloat64(w.metrics.evaluated) == want })
	}
	evaluated(9)
	check(t, w.RetryParked(t.Context(), []string{"1", "8"}, "bo", ""))
	evaluated(11)
	check(t, w.RetryParked(t.Context(), []string{"all"}, "bo", ""))
	evaluated(15)
}

func TestSignalsAreChecked(t *testing.T) {
	l := newLab(t)
	for _, s := range []Signal{
		{By: "a", Why: "b"},
		{Apply: "x", Why: "b"},
		{Apply: "x", By: "a"},
		{Override: "x", By: "a", Why: "b"},
		{Apply: "x", Skip: "1", By: "a", Why: "b"},
	} {
		if err := SendSignal(t.Context(), l.client, "t", "shop", s); err == nil {
			t.Errorf("%+v was sent", s)
		}
	}
}
