package exchange

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"shelfstream/status"
)

func TestLikeOnesAreMerged(t *testing.T) {
	var m merger
	for i := range 100 {
		m.add(&Exchange{
			Link: "sink shop", Kind: "transaction", At: base.Add(time.Duration(i)), Took: time.Millisecond, Records: 3, Bytes: 10, Outcome: OK, Keys: []string{fmt.Sprint(i)},
			Spans: []Span{{Topic: "p", Partition: int32(i % 2), From: int64(i), To: int64(i + 1)}}, Position: fmt.Sprint(i),
		})
	}
	m.add(&Exchange{Link: "sink shop", Kind: "open", At: base, Outcome: OK})
	out := m.take()
	if len(out) != 2 {
		t.Fatalf("%d merged exchanges, want 2", len(out))
	}
	e := out[0]
	if e.Count != 100 || e.Records != 300 || e.Bytes != 1000 || e.Took != 100*time.Millisecond || !e.At.Equal(base) || e.Position != "99" || len(e.Keys) != status.MaxSamples {
		t.Errorf("merged: %+v", e)
	}
	if len(e.Spans) != 2 || e.Spans[0] != (Span{"p", 0, 0, 99}) || e.Spans[1] != (Span{"p", 1, 1, 100}) {
		t.Errorf("spans: %+v", e.Spans)
	}
	if len(m.take()) != 0 {
		t.Error("the next moment begins with what was there")
	}
}

// However many things fail, and in however many ways, a moment makes a bounded number of records.
func TestCausesAreBounded(t *testing.T) {
	var m merger
	for i := range 100_000 {
		what := fmt.Sprintf("product %d has no VAT code", i) // one cause without a name
		if i%2 == 0 {
			what = "cause " + strings.Repeat("x", i%5000)
		}
		m.add(&Exchange{Link: "sink shop", Kind: "transaction", Outcome: Failed, Attempt: i % 7, Fault: &status.FaultJSON{What: what}})
	}
	var n int64
	out := m.take()
	for _, e := range out {
		n += e.Count
	}
	if len(out) > maxCauses+1 || n != 100_000 {
		t.Errorf("%d records for %d failures", len(out), n)
	}
}

func TestTextsAreBounded(t *testing.T) {
	e := &Exchange{Keys: []string{strings.Repeat("é", 1000)}, Fault: &status.FaultJSON{What: strings.Repeat("w", 5000)}}
	e.mask(func(s string) string { return s })
	if len(e.Keys[0]) > maxKey+3 || len(e.Fault.What) > maxText+3 || !strings.HasSuffix(e.Keys[0], "é…") {
		t.Errorf("%q, %d", e.Keys[0], len(e.Fault.What))
	}
}

// BenchmarkMerge is what one exchange costs the recorder's own goroutine at full load.
func BenchmarkMerge(b *testing.B) {
	var m merger
	for b.Loop() {
		e := ok(1)
		e.Spans = []Span{{"p", 1, 2, 3}}
		m.add(&e)
	}
}
