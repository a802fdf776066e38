package ledger_test

import (
	"strings"
	"testing"

	"shelfstream/sink"
	"shelfstream/sink/ledger"
	"shelfstream/sink/sinktest"
)

// TestLookup: explain shows the newest delivery of exactly this key, whichever partition it is in, and disturbs nobody.
func TestLookup(t *testing.T) {
	_, cfg := world(t)
	view := sinktest.View()
	key := func(no int64) string {
		b, err := view.KeyBytes(sinktest.Row(no, "", 0)[:1])
		must(t, err)
		return string(b)
	}
	shown := func(no int64) string {
		t.Helper()
		f, err := ledger.Lookup(t.Context(), cfg, sinktest.View(), []byte(key(no)), "order", "file")
		must(t, err)
		if f.Table != "order" || strings.Join(f.Columns, " ") != "file state at attempt answer" {
			t.Errorf("%+v", f)
		}
		var rows []string
		for _, r := range f.Rows {
			var cells []string
			for _, c := range r {
				if c == nil {
					c = new("null")
				}
				cells = append(cells, *c)
			}
			rows = append(rows, strings.Join(cells, " "))
		}
		return strings.Join(rows, "; ")
	}
	if got := shown(1); got != "" {
		t.Errorf("before there is a ledger: %s", got)
	}
	p, q, other := part(), part(), part()
	q.ID = 0
	other.View.Name, other.ID = "other", 1
	l := open(t, cfg, p)
	first := entry(key(1), ledger.Intended, 1)
	first.Name, first.Answer, first.Attempt = "1.edi", "", 0
	must(t, l.Put(t.Context(), first))
	if got, want := shown(1), "1.edi intended 2026-03-01T12:00:00.000001Z null null"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	first.State, first.Attempt, first.Answer = ledger.Refused, 2, "no such customer"
	must(t, l.Put(t.Context(), first, entry(key(2), ledger.Delivered, 2)))
	must(t, open(t, cfg, other).Put(t.Context(), entry(key(1), ledger.Delivered, 5)))
	withdrawn := entry(key(3), ledger.Intended, 7)
	must(t, open(t, cfg, q).Put(t.Context(), withdrawn))
	if got, want := shown(1), "1.edi refused 2026-03-01T12:00:00.000001Z 2 no such customer"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := shown(3); !strings.Contains(got, " intended ") {
		t.Errorf("in another partition: %s", got)
	}
	must(t, open(t, cfg, q).Write(t.Context(), ledger.Change{Forget: [][]byte{withdrawn.Key}}))
	if got := shown(3); got != "" {
		t.Errorf("withdrawn: %s", got)
	}
	must(t, l.Move(t.Context(), sink.Place{Next: 8})) // it still owns its partition
}
