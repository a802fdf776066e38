package transform

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/internal/kafka"
	"shelfstream/schemas"
	"shelfstream/status"
)

func fieldOf(t *testing.T, x *status.Explanation, name string) status.ExplainedField {
	t.Helper()
	at := slices.IndexFunc(x.Fields, func(f status.ExplainedField) bool { return f.Field == name })
	if at < 0 {
		t.Fatalf("no field %s in %+v", name, x)
	}
	return x.Fields[at]
}

// What was sent last is read from the topic, and where the rules give another value now, both are told.
func TestExplainShowsWhatWasSent(t *testing.T) {
	l := newLab(t)
	l.put("rate", num(1), dec(2500))
	l.product(1, 1)
	l.product(2, 2)
	l.checkpoint()
	cfg := l.config(labRules)
	w := l.start(cfg)
	l.settled(w)
	x, err := w.Explain(t.Context(), "1")
	check(t, err)
	sent := x.Emitted
	if sent == nil || sent.Position != "0/1" || sent.Committed.IsZero() || !sent.At.Equal(x.EmittedAt) || fieldOf(t, x, "gross").Sent != nil {
		t.Fatalf("sent: %+v of %+v", sent, x)
	}
	if f := sent.Fields[slices.IndexFunc(sent.Fields, func(f status.ExplainedRecordField) bool { return f.Field == "gross" })]; f.Value != "1.26" {
		t.Errorf("gross: %+v", f)
	}
	w.stop()

	// The pipeline is stopped, and its rules were changed since: a field is dearer, one is new.
	changed := cfg
	changed.Rules = newRules(strings.Replace(labRules, "(100 +", "(200 +", 1) + "  - name: more\n    set: { more: 7 }\n")
	r, done := l.stopped(changed)
	topics, n := l.products()
	x, err = r.Explain(t.Context(), "1")
	check(t, err)
	if g := fieldOf(t, x, "gross"); g.Sent == nil || *g.Sent != "1.26" || g.Value != "2.27" || g.File != "new.rules.yaml" {
		t.Errorf("gross: %+v", g)
	}
	if m := fieldOf(t, x, "more"); m.Sent == nil || *m.Sent != "null" || fieldOf(t, x, "title").Sent != nil {
		t.Errorf("more: %+v", m)
	}
	done()
	if again, m := l.products(); n != m || len(again) != len(topics) {
		t.Error("explain has sent something")
	}

	// After a loss of the state the time of sending is that of the restore: the record is found all the same.
	l.clock.set(l.clock.Now().Add(time.Hour))
	l.stateDir = t.TempDir()
	w = l.start(cfg)
	l.settled(w)
	if x, err = w.Explain(t.Context(), "1"); err != nil || x.Emitted == nil || x.Emitted.Offset != sent.Offset || x.EmittedAt.Equal(sent.At) {
		t.Errorf("after a loss: %+v %v", x, err)
	}
}

// A product that is left out, parked, or of which only rows of others are left is explained as that; a key that is not there brings the nearest.
func TestExplainWhatIsNotInTheShop(t *testing.T) {
	l := newLab(t)
	l.put("rate", num(1), dec(2500))
	for _, no := range []int64{2, 4, 6, 4711, 4712} {
		l.product(no, no)
	}
	l.product(9, 9)
	l.del("product", num(9))
	l.checkpoint()
	w := l.start(l.config(present))
	l.settled(w)
	x, err := w.Explain(t.Context(), "2")
	check(t, err)
	if out := x.Fields[slices.IndexFunc(x.Fields, func(f status.ExplainedField) bool { return f.Field == "" })]; x.Included || x.Gone || out.Rule != "leave out" || out.Value != "false" || len(out.Uses) != 1 {
		t.Errorf("left out: %+v", x)
	}
	x, err = w.Explain(t.Context(), "6")
	check(t, err)
	if x.Included || x.Problem == nil || !strings.Contains(x.Problem.Where, "rule no") || x.Problem.Fix == "" || x.Parked == nil || len(x.Rows) == 0 {
		t.Errorf("parked: %+v", x)
	}
	x, err = w.Explain(t.Context(), "9")
	check(t, err)
	if !x.Gone || x.Included || len(x.Rows) == 0 || len(x.Fields) != 0 {
		t.Errorf("gone: %+v", x)
	}
	if x, err = w.Explain(t.Context(), "0004"); err != nil || x.Key != "4" {
		t.Errorf("0004 is 4: %+v %v", x, err)
	}
	_, err = w.Explain(t.Context(), "4721")
	var none *NoSuchProduct
	if !errors.Is(err, ErrNoSuchProduct) || !errors.As(err, &none) || len(none.Near) != 3 || none.Near[0] != "4711" || none.Near[1] != "4712" {
		t.Errorf("nearest: %v %+v", err, none)
	}
}

// A row that cannot be read does not keep the others from being shown.
func TestExplainOfAnUnreadableRow(t *testing.T) {
	l := newLab(t)
	l.product(1, 1)
	x := l.tables["product"]
	key, err := x.codec.AppendKey(schemas.AppendFrame(nil, x.keyID), []schemas.Value{num(1), schemas.Null, schemas.Null, schemas.Null})
	check(t, err)
	check(t, l.producer.Produce(t.Context(), x.topic, partitionOf(1), kafka.Record{Key: key, Value: []byte("\x00\x00\x00\x00\x01not avro"), TimestampMS: 1}))
	l.checkpoint()
	w := l.start(l.config(labRules))
	l.settled(w)
	e, err := w.Explain(t.Context(), "1")
	check(t, err)
	if e.Problem == nil || e.Parked == nil || len(e.Rows) == 0 {
		t.Errorf("got %+v", e)
	}
}

// A view over a view names the products that its rows are.
func TestExplainNamesTheViewBelow(t *testing.T) {
	l := newLab(t)
	l.put("product", num(7), schemas.Text("x/y"), num(1), num(1))
	l.checkpoint()
	ws := l.startAll(l.simpleView(), l.groupView())
	l.eventually("the group", func() bool { return l.newest("t.variant", "members")["x/y"] == "1" })
	x, err := ws[1].Explain(t.Context(), "x/y")
	check(t, err)
	if len(x.Rows) != 1 || x.Rows[0].View != "shop" || x.Rows[0].Product != "7" || x.Rows[0].Topic != "t.shop" || x.Key != "x/y" {
		t.Errorf("got %+v", x.Rows)
	}
}

// Without the registry the state tells what it knows by itself.
func TestExplainState(t *testing.T) {
	l, cfg := planLab(t)
	w := l.start(cfg)
	l.settled(w)
	whole, err := w.Explain(t.Context(), "6")
	check(t, err)
	w.stop()
	cfg.Client, cfg.Registry = nil, nil
	r, done := l.stopped(cfg)
	defer done()
	x, err := r.ExplainState("6", "the log does not answer")
	check(t, err)
	if x.Parked == nil || x.Parked.What != whole.Parked.What || len(x.Rows) != len(whole.Rows) || len(x.Limited) != 1 || x.Partition != whole.Partition {
		t.Fatalf("got %+v", x)
	}
	for i := range x.Rows {
		if x.Rows[i].Topic != whole.Rows[i].Topic || x.Rows[i].Offset != whole.Rows[i].Offset || x.Rows[i].Input != whole.Rows[i].Input {
			t.Errorf("row %d: %+v, want %+v", i, x.Rows[i], whole.Rows[i])
		}
	}
	if x, err := r.ExplainState("1", ""); err != nil || !x.EmittedAt.Equal(l.clock.Now().UTC()) {
		t.Errorf("got %+v %v", x, err)
	}
	if _, err := r.ExplainState("99", ""); !errors.Is(err, ErrNoSuchProduct) || len(fault.All(err)) != 1 {
		t.Errorf("got %v", err)
	}
}

func TestKeysAsTexts(t *testing.T) {
	for _, c := range []struct{ product, text string }{
		{"4711", "4711"}, {"a/b", "a/b"}, {`a\b`, `a\b`}, {"a\x1fb", "a/b"}, {"a/b\x1fc", `a\/b/c`}, {"a\\\x1f/", `a\\/\/`}, {"\x1f", "/"}, {"æ ø\x1f\u00a0", "æ ø/\u00a0"},
	} {
		if got := keyText([]byte(c.product)); got != c.text {
			t.Errorf("%q: got %q", c.product, got)
		}
		n := strings.Count(c.product, "\x1f") + 1
		if parts, ok := SplitKey(c.text, n); !ok || strings.Join(parts, "\x1f") != c.product {
			t.Errorf("%q: got %q", c.text, parts)
		}
	}
	if parts, ok := SplitKey("a/b/c", 2); !ok || parts[1] != "b/c" {
		t.Errorf("got %q", parts)
	}
	if _, ok := SplitKey("a", 2); ok {
		t.Error("a key of one part was taken for two")
	}
}
