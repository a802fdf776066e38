package main

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/status"
	"shelfstream/transform"
)

// inUTC shows times of golden files in UTC.
func inUTC(t *testing.T) {
	t.Helper()
	local := time.Local
	time.Local = time.UTC //nolint:gosmopolitan // what prints for people prints in their zone
	t.Cleanup(func() { time.Local = local })
}

var explainNow = time.Date(2026, 3, 29, 12, 0, 0, 0, time.UTC)

// wine is a product with all that an explanation may hold.
func wine() *status.Explanation {
	at := time.Date(2026, 3, 28, 8, 30, 0, 0, time.UTC)
	use := func(input string, row int, column, value string) status.ExplainedUse {
		return status.ExplainedUse{Input: input, Row: row, Column: column, Value: value}
	}
	return &status.Explanation{
		View: "product", Key: "4711", Topic: "moestue.product", Partition: 2, Included: true, EmittedAt: at, Wake: time.Date(2119, 12, 31, 0, 0, 0, 0, time.UTC),
		Fields: []status.ExplainedField{
			{Field: "no", Value: "4711", Uses: []status.ExplainedUse{use("root", 0, "no", "4711")}},
			{Field: "net", Value: "95.92", Rule: "price", Layer: "standard", File: "standard.rules.yaml", Line: 8, Uses: []status.ExplainedUse{use("prices", 1, "amount", "95.92"), use("today", 0, "today()", "2026-03-29")}},
			{Field: "gross", Value: "119.90", Rule: "vat", Layer: "customer", File: "moestue.rules.yaml", Line: 3, Uses: []status.ExplainedUse{use("field", 0, "net", "95.92"), use("vat", 0, "rate", "0.25")}, Sent: new("110.31")},
			{Field: "", Value: "true", Rule: "in the shop", Layer: "customer", File: "moestue.rules.yaml", Line: 9, Uses: []status.ExplainedUse{use("root", 0, "blocked", "false")}},
		},
		Rows: []status.ExplainedRow{
			{Input: "root", Topic: "moestue.erp.product", Partition: 2, Offset: 17, Position: "0/16B3748", Committed: at},
			{Input: "prices", Row: 1, Topic: "moestue.erp.price", Partition: 2, Offset: 40, Position: "0/16B3749", Committed: at},
			{Input: "vat", Topic: "moestue.simple", Offset: 3, Position: "0/16B3750", Committed: at, View: "simple", Product: "a b/it's"},
		},
		Emitted: &status.ExplainedRecord{Offset: 99, At: at, Position: "0/16B3748", Committed: at, Fields: []status.ExplainedRecordField{{Field: "no", Value: "4711"}, {Field: "gross", Value: "110.31"}}},
		Targets: []status.ExplainedTarget{
			{Sink: "shop", Table: "product", Columns: []string{"no", "gross"}, Rows: [][]*string{{new("4711"), new("110.31")}}},
			{Sink: "b2b", Table: "product", Error: "this sink cannot be asked for one product"},
		},
	}
}

// TestExplanationTexts compares what is printed of products in every state with testdata/explain.txt.
func TestExplanationTexts(t *testing.T) {
	inUTC(t)
	var b bytes.Buffer
	show := func(title string, x *status.Explanation, printed func(io.Writer, *status.Explanation, time.Time) error) {
		b.WriteString("== " + title + "\n")
		if err := printed(&b, x, explainNow); err != nil {
			t.Fatal(err)
		}
		b.WriteString("\n")
	}
	show("a product", wine(), printExplanation)
	x := wine()
	if err := oneField(x, "gross"); err != nil {
		t.Fatal(err)
	}
	show("one field", x, printStory)
	x = wine()
	if err := oneField(x, "no"); err != nil {
		t.Fatal(err)
	}
	show("a field of the key", x, printStory)

	x = wine()
	x.Included, x.Emitted, x.EmittedAt, x.Wake, x.Targets = false, nil, time.Time{}, explainNow.Add(26*time.Hour), nil
	x.Fields = []status.ExplainedField{{Value: "false", Rule: "in the shop", Layer: "customer", File: "moestue.rules.yaml", Line: 9, Uses: []status.ExplainedUse{{Input: "root", Column: "blocked", Value: "true"}}}}
	show("left out", x, printExplanation)

	x = wine()
	x.Included, x.Fields, x.Targets, x.Wake = false, nil, nil, time.Time{}
	x.Parked = &status.Parked{What: "there is no VAT rate for code 7", Where: "moestue.rules.yaml:3:5 rule vat", Fix: "add the code to vat", Since: explainNow}
	x.Problem = &status.ExplainedProblem{What: x.Parked.What, Where: x.Parked.Where, Fix: x.Parked.Fix}
	show("parked", x, printExplanation)
	x = wine()
	x.Fields, x.Targets, x.Rows, x.Parked = nil, nil, nil, &status.Parked{What: "there is no VAT rate for code 7", Where: "moestue.rules.yaml:3:5 rule vat", Fix: "add the code to vat", Since: explainNow}
	show("parked, and cured", x, printExplanation)
	show("gone", &status.Explanation{View: "product", Key: "4711", Topic: "moestue.product", Gone: true, Rows: wine().Rows[1:2]}, printExplanation)
	show("the state alone", &status.Explanation{View: "product", Key: "4711", Topic: "moestue.product", EmittedAt: explainNow, Rows: wine().Rows[:2], Limited: []string{"this is what the state alone knows, without values and rules: no broker answers"}}, printExplanation)
	goldenText(t, "explain.txt", b.String())
}

func TestShellWords(t *testing.T) {
	for key, want := range map[string]string{"4711": "4711", "a/b": "a/b", "": "''", "a b": "'a b'", "it's": `'it'\''s'`, "-1": "-- '-1'", `a\/b`: `'a\/b'`, "æ": "'æ'", "a\nb'": `$'a\x0ab\''`} {
		if got := shellWord(key); got != want {
			t.Errorf("%q: got %s, want %s", key, got, want)
		}
	}
}

// TestExplainOfTheStateAlone: where the log cannot be reached the state is asked alone, and both are told where there is none of that either.
func TestExplainOfTheStateAlone(t *testing.T) {
	cfg, err := loadPipeline(writeConfig(t, goodConfig), func(name string) (string, bool) { v, ok := goodEnv[name]; return v, ok })
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	away := &fault.Fault{Class: fault.Environment, Where: "log.brokers", What: "no broker answers", Fix: "start Kafka"}
	if _, err := explainState(cfg, log, "product", "1", away); !strings.Contains(err.Error(), "no broker answers") || !strings.Contains(err.Error(), "no state here") {
		t.Errorf("no state: %v", err)
	}
	bad := &fault.Fault{Class: fault.Config, What: "a mistake"}
	if _, err := explainState(cfg, log, "product", "1", bad); !errors.Is(err, bad) {
		t.Errorf("a mistake of the configuration: %v", err)
	}
	store, err := transform.OpenStore(filepath.Clean(cfg.StateDir()), transform.StoreOptions{CacheMB: 8})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := explainState(cfg, log, "product", "1", away); !strings.Contains(err.Error(), "the state holds nothing of view product") {
		t.Errorf("an empty state: %v", err)
	}
}
