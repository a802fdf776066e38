package rules

import (
	"os"
	"strings"
	"testing"
	"time"
)

// usual loads the tables, rules and rows of testdata/wine.txt: a usual product.
func usual(tb testing.TB) (*Program, *Input) {
	tb.Helper()
	text, err := os.ReadFile("testdata/wine.txt")
	if err != nil {
		tb.Fatal(err)
	}
	w := &world{tables: map[string]*caseTable{}, env: Env{View: "product", Zone: time.UTC}}
	for _, s := range strings.Split("\n"+string(text), "\n== ")[1:] {
		header, body, _ := strings.Cut(s, "\n")
		words := strings.Fields(header)
		switch words[0] {
		case "root", "child", "lookup", "zone", "rules":
			w.section(tb, words, body)
		}
	}
	w.compile()
	if w.faults != nil {
		tb.Fatal(w.faults)
	}
	return w.prog, w.inputs(time.Date(2026, 3, 29, 0, 30, 0, 0, time.UTC))[0]
}

func BenchmarkEval(b *testing.B) {
	prog, in := usual(b)
	e := prog.NewEvaluator()
	var res Result
	b.ReportAllocs()
	for b.Loop() {
		if err := e.Eval(in, &res); err != nil {
			b.Fatal(err)
		}
	}
}

func TestEvalAllocatesNothing(t *testing.T) {
	prog, in := usual(t)
	e := prog.NewEvaluator()
	var res Result
	if err := e.Eval(in, &res); err != nil { // grows the buffers
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() { _ = e.Eval(in, &res) }); n > 0 {
		t.Errorf("Eval of a usual product allocates %v times", n)
	}
}
