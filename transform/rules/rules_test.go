package rules

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/schemas"
)

func simpleEnv() Env {
	return Env{View: "product", Root: &schemas.Table{Columns: []schemas.Column{
		{Name: "no", Type: intType},
		{Name: "name", Type: textType, Nullable: true},
		{Name: "price", Type: schemas.Type{Kind: schemas.KindDecimal, Precision: 10, Scale: 2}, Nullable: true},
	}, Key: []int{0}}}
}

func compileOne(t *testing.T, yaml string, env Env) *Program {
	t.Helper()
	p, err := Compile([]Source{{Name: "r.yaml", Layer: "standard", Data: []byte(yaml)}}, env)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestHashFollowsMeaning(t *testing.T) {
	const rules = "rules:\n  - name: a\n    set: { title: upper(name) }\n"
	base := compileOne(t, rules, simpleEnv()).Hash()
	same := map[string]string{
		"comment": "# hello\nrules:\n  - name: a # here\n    set: { title: upper(name) }\n",
		"layout":  "rules:\n- name: a\n  set:\n    title: 'upper(name)'\n",
	}
	for what, text := range same {
		if compileOne(t, text, simpleEnv()).Hash() != base {
			t.Errorf("a change of %s changes the hash", what)
		}
	}
	if compileOne(t, strings.Replace(rules, "upper", "lower", 1), simpleEnv()).Hash() == base {
		t.Error("another expression has the same hash")
	}
	env := simpleEnv()
	env.Zone = time.FixedZone("X", 3600)
	if compileOne(t, rules, env).Hash() == base {
		t.Error("another zone has the same hash")
	}
	env = simpleEnv()
	env.Root.Columns[2].Type.Scale = 4
	if compileOne(t, rules, env).Hash() == base {
		t.Error("another column type has the same hash")
	}
}

// Without the tables, Check finds what Compile would find of YAML, words, syntax and layers, and nothing that depends on columns.
func TestCheckNeedsNoTables(t *testing.T) {
	check := func(files ...string) string {
		var sources []Source
		for i, text := range files {
			sources = append(sources, Source{Name: string(rune('a'+i)) + ".yaml", Data: []byte(text)})
		}
		var where []string
		for _, f := range fault.All(Check(sources)) {
			where = append(where, f.Where)
		}
		return strings.Join(where, " ")
	}
	const good = "rules:\n  - name: a\n    set: { title: no_such_column + no_such_function(1) }\n"
	if got := check(good); got != "" {
		t.Errorf("columns and functions need the tables, yet there is a fault at %s", got)
	}
	if got := check("rules:\n  - name: a\n    set: { title: upper(name }\n", "rules:\n  - name: b\n    before: none\n    sett: { x: 1 }\n"); got != "a.yaml:3:29 b.yaml:3:13 b.yaml:4:5" {
		t.Errorf("got %q", got)
	}
	if got := check("rules:\n  - name: a\n    set: { title: name }\n   x: y\n"); !strings.HasPrefix(got, "a.yaml:") {
		t.Errorf("broken YAML: got %q", got)
	}
}

func TestFaultsAreConfigFaults(t *testing.T) {
	_, err := Compile([]Source{{Name: "r.yaml", Data: []byte("rules:\n  - name: a\n    set: { x: nme }\n  - name: b\n    set: { y: prise }\n")}}, simpleEnv())
	var list fault.List
	if !errors.As(err, &list) || len(list) != 2 || fault.ExitCode(err) != 2 {
		t.Fatalf("got %v, want two configuration faults", err)
	}
}

func TestEnvironmentIsChecked(t *testing.T) {
	env := simpleEnv()
	env.Key = []string{"nu"}
	env.Children = []Child{{Name: "row", Table: env.Root}, {Name: "a", Table: env.Root}}
	env.Lookups = []Lookup{{Name: "a", Table: env.Root}}
	_, err := Compile(nil, env)
	if n := len(fault.All(err)); n != 3 {
		t.Fatalf("got %d faults, want 3: %v", n, err)
	}
}

func TestInputOfAnotherShapeIsAFault(t *testing.T) {
	e := compileOne(t, "rules: []", simpleEnv()).NewEvaluator()
	var res Result
	for _, in := range []Input{{}, {Root: make([]schemas.Value, 3)}} {
		err := e.Eval(&in, &res)
		var f *fault.Fault
		if !errors.As(err, &f) || f.Class != fault.Runtime {
			t.Errorf("got %v, want a fault", err)
		}
	}
}

// TestViewWithoutRules: such a view still has its key.
func TestViewWithoutRules(t *testing.T) {
	p := compileOne(t, "", simpleEnv())
	if len(p.Output().Columns) != 1 || p.Output().Columns[0].Name != "no" || p.Output().Columns[0].Nullable {
		t.Errorf("columns %+v, want the key", p.Output().Columns)
	}
}

// TestResultsDoNotLeakBetweenProducts evaluates products in turn with one evaluator and with fresh ones.
func TestResultsDoNotLeakBetweenProducts(t *testing.T) {
	prog, in := usual(t)
	empty := *in
	empty.Children = make([][][]schemas.Value, len(in.Children))
	for i := range empty.Children {
		empty.Children[i] = nil
	}
	shared := prog.NewEvaluator()
	for i := range 6 {
		input := []*Input{in, &empty}[i%2]
		var a, b Result
		errA, errB := shared.Eval(input, &a), prog.NewEvaluator().Eval(input, &b)
		if (errA == nil) != (errB == nil) || !reflect.DeepEqual(a, b) {
			t.Fatalf("turn %d: %v %+v and fresh %v %+v", i, errA, a, errB, b)
		}
	}
}

// TestExplainShowsWhatEvalGives compares the two on the usual product.
func TestExplainShowsWhatEvalGives(t *testing.T) {
	prog, in := usual(t)
	e := prog.NewEvaluator()
	var res Result
	if err := e.Eval(in, &res); err != nil {
		t.Fatal(err)
	}
	row := make([]schemas.Value, len(res.Row))
	for i := range row {
		row[i] = res.Row[i].Clone()
	}
	steps, err := e.Explain(in)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range row {
		if steps[i].Field != prog.Output().Columns[i].Name || !reflect.DeepEqual(steps[i].Value, v.Clone()) {
			t.Errorf("%s: explain %v, eval %v", steps[i].Field, steps[i].Value, v)
		}
	}
}

// TestWakeUpsWalkThroughTime follows Wake from instant to instant: between two wake-ups nothing changes.
func TestWakeUpsWalkThroughTime(t *testing.T) {
	oslo, err := time.LoadLocation("Europe/Oslo")
	if err != nil {
		t.Fatal(err)
	}
	prices := &schemas.Table{Columns: []schemas.Column{{Name: "line", Type: intType}, {Name: "a", Type: dateType, Nullable: true}, {Name: "b", Type: dateType, Nullable: true}}, Key: []int{0}}
	env := simpleEnv()
	env.Zone, env.Children = oslo, []Child{{Name: "prices", Table: prices}}
	e := compileOne(t, `rules:
  - name: p
    pick: { from: prices, valid: [a, b], order: [a desc], set: { line: line } }
`, env).NewEvaluator()
	day := func(s string) schemas.Value {
		d, _ := parseDate(s)
		return dateOf(d)
	}
	in := Input{Root: []schemas.Value{schemas.Int(1), schemas.Null, schemas.Null}, Children: [][][]schemas.Value{{
		{schemas.Int(1), schemas.Null, day("2026-03-28")},
		{schemas.Int(2), day("2026-03-29"), day("2026-03-29")},
		{schemas.Int(3), day("2026-03-30"), day("2026-10-24")},
		{schemas.Int(4), day("2026-10-25"), day("2026-10-25")},
	}}, Now: time.Date(2026, 3, 1, 0, 0, 0, 0, oslo)}
	var seen []string
	for range 10 {
		var res, before Result
		if err := e.Eval(&in, &res); err != nil {
			t.Fatal(err)
		}
		wake, line := res.Wake, res.Row[1].Clone()
		seen = append(seen, in.Now.In(oslo).Format("01-02T15:04Z07")+"="+line.String())
		if wake.IsZero() {
			break
		}
		in.Now = wake.Add(-time.Nanosecond)
		if err := e.Eval(&in, &before); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(before.Row[1].Clone(), line) {
			t.Errorf("the result changed before the wake-up at %s", wake)
		}
		in.Now = wake
	}
	want := "03-01T00:00+01=1 03-29T00:00+01=2 03-30T00:00+02=3 10-25T00:00+02=4 10-26T00:00+01=null"
	if got := strings.Join(seen, " "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestEveryFunctionHasACase looks for a call of each function in the golden cases that are no collections of faults.
func TestEveryFunctionHasACase(t *testing.T) {
	files := goldenFiles(t)
	var all strings.Builder
	for _, f := range files {
		if strings.HasPrefix(filepath.Base(f), "faults_") {
			continue
		}
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(b)
	}
	doc := Doc()
	for _, f := range Functions() {
		if !strings.Contains(all.String(), f.Name+"(") {
			t.Errorf("function %s has no golden case", f.Name)
		}
		if !strings.Contains(doc, "`"+f.Name+"(") {
			t.Errorf("function %s is not in Doc", f.Name)
		}
	}
}

// TestProgramIsShared runs one program on two goroutines; the race detector watches.
func TestProgramIsShared(t *testing.T) {
	prog, in := usual(t)
	done := make(chan error)
	for range 2 {
		go func() {
			e := prog.NewEvaluator()
			var res Result
			for range 100 {
				if err := e.Eval(in, &res); err != nil {
					done <- err
					return
				}
			}
			_, err := e.Explain(in)
			done <- err
		}()
	}
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
