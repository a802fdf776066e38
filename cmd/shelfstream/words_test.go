package main

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"shelfstream/internal/config"
	"shelfstream/schemas"
	"shelfstream/status"
	"shelfstream/transform"
)

func TestParsePlace(t *testing.T) {
	oslo, err := time.LoadLocation("Europe/Oslo")
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]place{
		"beginning":                 {},
		"1042":                      {kind: atOffset, number: 1042},
		"2026-03-14T08:00:00Z":      {kind: atTime, at: time.Date(2026, 3, 14, 8, 0, 0, 0, time.UTC)},
		"2026-07-14":                {kind: atTime, at: time.Date(2026, 7, 13, 22, 0, 0, 0, time.UTC)},
		"2026-03-14 08:00":          {kind: atTime, at: time.Date(2026, 3, 14, 7, 0, 0, 0, time.UTC)},
		"2026-03-14T08:00:30":       {kind: atTime, at: time.Date(2026, 3, 14, 7, 0, 30, 0, time.UTC)},
		"2026-03-14T08:00:00+05:00": {kind: atTime, at: time.Date(2026, 3, 14, 3, 0, 0, 0, time.UTC)},
	} {
		got, err := parsePlace(text, oslo)
		if err != nil || got.kind != want.kind || got.number != want.number || !got.at.Equal(want.at) {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	before := time.Now().Add(-7 * 24 * time.Hour)
	if got, err := parsePlace("7d", oslo); err != nil || got.at.Before(before) || got.at.After(time.Now().Add(-7*24*time.Hour)) {
		t.Errorf("7d: %+v, %v", got, err)
	}
	for _, text := range []string{"", "soon", "-5", "14.03.2026", "-2h"} {
		if got, err := parsePlace(text, oslo); err == nil {
			t.Errorf("%q is taken for %+v", text, got)
		}
	}
}

func TestParseKey(t *testing.T) {
	table := &schemas.Table{
		Columns: []schemas.Column{{Name: "no", Type: schemas.Type{Kind: schemas.KindInt, Bits: 64}}, {Name: "lang", Type: schemas.Type{Kind: schemas.KindText}}, {Name: "net", Type: schemas.Type{Kind: schemas.KindDecimal}}},
		Key:     []int{0, 1},
	}
	got, err := parseKey(table, "4711/nb/NO")
	if err != nil || !schemas.Equal(got[0], schemas.Int(4711)) || got[1].String() != "nb/NO" {
		t.Errorf("got %v, %v", got, err)
	}
	for _, text := range []string{"4711", "x/nb"} {
		if got, err := parseKey(table, text); err == nil {
			t.Errorf("%q is taken for %v", text, got)
		}
	}
	table.Key = []int{2}
	if got, err := parseKey(table, "12.50"); err != nil || !schemas.Equal(got[0], schemas.Dec(125, 1)) {
		t.Errorf("got %v, %v", got, err)
	}
}

// TestScreen: the line of progress stays below what is logged, and secrets are hidden in both.
func TestScreen(t *testing.T) {
	var b bytes.Buffer
	s := newScreen(&b, true)
	s.width = func() int { return 20 }
	s.redact(func(t string) string { return strings.ReplaceAll(t, "geheim", "****") })
	s.progress("price: 5 of about 10")
	if _, err := s.Write([]byte("password geheim\n")); err != nil {
		t.Fatal(err)
	}
	s.progress("done")
	s.progress("")
	want := "price: 5 of about 1" + "\r\x1b[Kpassword ****\nprice: 5 of about 1" + "\r\x1b[Kdone" + "\r\x1b[K"
	if b.String() != want {
		t.Errorf("got  %q\nwant %q", b.String(), want)
	}
	b.Reset()
	s = newScreen(&b, false)
	if s.progress("price"); b.Len() > 0 {
		t.Errorf("a file gets progress: %q", b.String())
	}
}

type fixedStage struct{ status.Stage }

func (f fixedStage) Status() status.Stage { return f.Stage }

func TestRunningWork(t *testing.T) {
	now := time.Now()
	s := fixedStage{status.Stage{Kind: status.KindCapture, Name: "erp", Progress: []status.Progress{
		{Name: "product", Done: 5, Total: 5, StartedAt: now.Add(-time.Second), FinishedAt: now},
		{Name: "price", Done: 500, Total: 2000, StartedAt: now.Add(-time.Second)},
		{Name: "stock", Total: 7},
	}}}
	got := runningWork([]status.Reporter{s}, now)
	if len(got) != 1 || strings.ReplaceAll(got[0], "\u202f", " ") != "capture erp price: 500 of about 2 000 (25 %), 500/s, 3 s left" {
		t.Errorf("got %q", got)
	}
}

// TestOldestFirst: what one transaction parks is listed by key, also when the clock's second changes in the middle of it.
func TestOldestFirst(t *testing.T) {
	second := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	row := func(key string, after time.Duration) status.Parked {
		return status.Parked{Key: key, Since: second.Add(after)}
	}
	got := oldest([]status.Parked{row("4", time.Minute), row("1", 3*time.Millisecond), row("3", 0), row("5", -time.Minute), row("2", -time.Millisecond)}, 4)
	for i, want := range []string{"5", "1", "2", "3"} {
		if len(got) != 4 || got[i].Key != want {
			t.Fatalf("the order is %v", got)
		}
	}
}

func TestOneField(t *testing.T) {
	text := "119.90"
	x := &status.Explanation{
		Fields: []status.ExplainedField{
			{Field: "net", Uses: []status.ExplainedUse{{Input: "prices", Row: 1, Column: "amount"}}},
			{Field: "price", Uses: []status.ExplainedUse{{Input: "field", Column: "net"}, {Input: "vat", Row: 0, Column: "rate"}}},
			{Field: "name", Uses: []status.ExplainedUse{{Input: "root", Column: "name"}}},
		},
		Rows:    []status.ExplainedRow{{Input: "root"}, {Input: "prices"}, {Input: "prices", Row: 1}, {Input: "vat"}},
		Targets: []status.ExplainedTarget{{Table: "product", Columns: []string{"no", "Price"}, Rows: [][]*string{{nil, &text}}}, {Table: "image", Columns: []string{"url"}}, {Error: "no answer"}},
	}
	if err := oneField(x, "price"); err != nil {
		t.Fatal(err)
	}
	if len(x.Fields) != 2 || len(x.Rows) != 2 || x.Rows[0].Input != "prices" || x.Rows[0].Row != 1 || len(x.Targets) != 2 || *x.Targets[0].Rows[0][0] != text {
		t.Errorf("got %+v", x)
	}
	var b bytes.Buffer
	if err := printExplanation(&b, x, time.Now()); err != nil || !strings.Contains(b.String(), "Price  119.90") || !strings.Contains(b.String(), "no answer") {
		t.Errorf("got %v\n%s", err, b.String())
	}
	if err := oneField(x, "prise"); err == nil || !strings.Contains(err.Error(), `did you mean "price"?`) {
		t.Errorf("got %v", err)
	}
}

// TestLongValuesAreShortened: a text of some hundred characters leaves the rules on the screen, and is whole when it was asked for.
func TestLongValuesAreShortened(t *testing.T) {
	long := strings.Repeat("å", 300)
	x := &status.Explanation{Fields: []status.ExplainedField{{Field: "text", Value: long, Rule: "texts", Uses: []status.ExplainedUse{{Input: "today", Column: "today()", Value: "2026-05-01"}}}}}
	for whole, printed := range map[bool]func(io.Writer, *status.Explanation, time.Time) error{false: printExplanation, true: printStory} {
		var b bytes.Buffer
		if err := printed(&b, x, time.Now()); err != nil || strings.Contains(b.String(), long) != whole || !strings.Contains(b.String(), "today() = 2026-05-01\n") {
			t.Errorf("whole %v: %v\n%s", whole, err, b.String())
		}
	}
}

// TestPrintingIsPlain: what a source wrote into a row cannot steer the terminal.
func TestPrintingIsPlain(t *testing.T) {
	evil := "a\x1b[2Jb\nc\td"
	var b bytes.Buffer
	x := &status.Explanation{View: evil, Key: evil, Fields: []status.ExplainedField{{Field: evil, Value: evil}}, Targets: []status.ExplainedTarget{{Sink: evil, Table: evil, Columns: []string{evil}, Rows: [][]*string{{&evil}}}}}
	r := &status.Report{Pipeline: evil, Stages: []status.Stage{{Name: evil, State: evil, Detail: evil, Positions: []status.Position{{Name: evil, Value: evil}}}}}
	if err := printExplanation(&b, x, time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := printStatus(&b, r); err != nil {
		t.Fatal(err)
	}
	if err := printParked(&b, []parkedList{{Name: evil, Parked: []status.Parked{{Key: evil, What: evil}}, Skipped: []skippedProduct{{status.Parked{Key: evil, What: evil}, evil, evil, time.Now()}}}}, true); err != nil {
		t.Fatal(err)
	}
	if err := printHeld(&b, []heldGuard{{View: evil, Guard: evil, Counts: evil, Allows: evil, Held: 1, By: evil, Why: evil, OverrideUntil: time.Now(), Samples: []transform.HeldSample{{Key: evil, Before: evil, After: evil}}}}); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(b.String(), "\x1b\t") {
		t.Errorf("got %q", b.String())
	}
}

func TestTransformView(t *testing.T) {
	p := &pipeline{Pipeline: &config.Pipeline{Name: "moestue"}}
	p.Views = config.Map[config.View]{{Name: "product", Value: config.View{
		From:     "erp.product",
		Children: config.Map[config.Child]{{Name: "prices", Value: config.Child{From: "erp.price", On: config.On{{Column: "item", Root: "no"}}, OrderBy: config.OrderBy{{Column: "qty", Desc: true}}}}},
		Lookups:  config.Map[config.Lookup]{{Name: "vat", Value: config.Lookup{From: "tax.rate", On: config.On{{Column: "code", Root: "vat"}}}}},
	}}}
	v := p.transformView("product")
	if v.Root != "moestue.erp.product" || v.Children[0].Topic != "moestue.erp.price" || v.Children[0].On[0] != [2]string{"item", "no"} || !v.Children[0].OrderBy[0].Desc ||
		v.Lookups[0].Topic != "moestue.tax.rate" || strings.Join(v.Checkpoints, " ") != "moestue.erp.checkpoints moestue.tax.checkpoints" {
		t.Errorf("got %+v", v)
	}
}
