package rules

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/schemas"
)

var update = flag.Bool("update", false, "rewrite the expected part of the golden cases")

// goldenFiles are the golden cases: those of the language, and one file for each of the rule kinds of an integration.
func goldenFiles(t testing.TB) []string {
	t.Helper()
	var out []string
	for _, pattern := range []string{"testdata/*.txt", "testdata/kinds/*.txt"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatal("no golden cases", err)
		}
		out = append(out, files...)
	}
	return out
}

// A golden case is a file of sections. `== root|child|lookup NAME …` gives a table (a line of columns, then a line for each row), `== zone`
// the zone, `== rules FILE [LAYER]` a rule file. `== check`, `== output`, `== at TIME` and `== explain TIME` are followed by what is expected.
// `== at wake` is at the instant that the last evaluation asked for. `== change WHAT` changes rows: a line `+ TABLE | cells` adds a row or replaces
// the one with its key, `- TABLE | cells of the key` removes one; what follows goes by the new rows. `== case NAME` and `== edge NAME` begin a
// case of its own, without tables and rules; an edge is one of testdata/kinds/EDGES.
func TestGolden(t *testing.T) {
	for _, name := range goldenFiles(t) {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			got := runCase(t, string(want))
			if *update {
				if err := os.WriteFile(name, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != string(want) {
				t.Errorf("%s differs (go test -update rewrites it):\n%s", name, firstDifference(string(want), got))
			}
		})
	}
}

func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range max(len(w), len(g)) {
		a, b := "<end>", "<end>"
		if i < len(w) {
			a = w[i]
		}
		if i < len(g) {
			b = g[i]
		}
		if a != b {
			return fmt.Sprintf("line %d\nwant: %s\n got: %s", i+1, a, b)
		}
	}
	return ""
}

// world is what the sections of a case build up.
type world struct {
	env      Env
	tables   map[string]*caseTable
	children []*caseTable
	lookups  []*caseTable
	root     *caseTable
	files    []Source
	prog     *Program
	faults   error
	// wake is the first instant that the last evaluation asked for.
	wake time.Time
}

func newWorld() *world {
	return &world{tables: map[string]*caseTable{}, env: Env{View: "product", Zone: time.UTC}}
}

func runCase(t testing.TB, text string) string {
	w := newWorld()
	var out strings.Builder
	sections := strings.Split("\n"+text, "\n== ")
	out.WriteString(strings.TrimPrefix(sections[0], "\n"))
	for i, s := range sections[1:] {
		header, body, _ := strings.Cut(s, "\n")
		words := strings.Fields(header)
		actual, computed := w.section(t, words, body)
		if computed {
			body = actual
			if i+2 < len(sections) {
				body += "\n" // the blank line before the next section
			} else {
				body = strings.TrimSuffix(body, "\n") + "\n"
			}
		}
		if i > 0 || sections[0] != "" {
			out.WriteString("\n")
		}
		out.WriteString("== " + header + "\n" + strings.TrimSuffix(body, "\n"))
	}
	return strings.TrimRight(out.String(), "\n") + "\n"
}

func (w *world) section(t testing.TB, words []string, body string) (string, bool) {
	t.Helper()
	switch words[0] {
	case "case", "edge":
		*w = *newWorld()
	case "change":
		w.change(t, body)
	case "zone":
		zone, err := time.LoadLocation(words[1])
		if err != nil {
			t.Fatal(err)
		}
		w.env.Zone, w.prog = zone, nil
	case "root", "child", "lookup":
		w.table(t, words, body)
	case "rules":
		layer := "standard"
		if len(words) > 2 {
			layer = words[2]
		}
		at := -1
		for i := range w.files {
			if w.files[i].Name == words[1] {
				at = i
			}
		}
		src := Source{Name: words[1], Layer: layer, Data: []byte(body + "\n")}
		if at < 0 {
			w.files = append(w.files, src)
		} else {
			w.files[at] = src
		}
		w.prog = nil
	case "check":
		w.compile()
		if w.faults != nil {
			return faultText(w.faults), true
		}
		return "ok\n", true
	case "output":
		return w.output(), true
	case "at":
		return w.at(t, words[1]), true
	case "explain":
		return w.explain(t, words[1]), true
	default:
		t.Fatalf("unknown section %s", words[0])
	}
	return "", false
}

func (w *world) compile() {
	if w.prog == nil {
		w.env.Children, w.env.Lookups = nil, nil
		for _, c := range w.children {
			w.env.Children = append(w.env.Children, Child{Name: c.name, Table: c.table})
		}
		for _, l := range w.lookups {
			k := Lookup{Name: l.name, Table: l.table, Many: l.many, Required: l.required}
			for _, on := range l.on {
				k.On = append(k.On, on[1])
			}
			w.env.Lookups = append(w.env.Lookups, k)
		}
		w.env.Root = w.root.table
		w.prog, w.faults = Compile(w.files, w.env)
	}
}

func faultText(err error) string {
	var b strings.Builder
	for _, f := range fault.All(err) {
		fmt.Fprintf(&b, "%s: %s\n", f.Where, f.What)
		if f.Fix != "" {
			fmt.Fprintf(&b, "    fix: %s\n", f.Fix)
		}
	}
	return b.String()
}

func (w *world) output() string {
	w.compile()
	if w.faults != nil {
		return faultText(w.faults)
	}
	var b strings.Builder
	for i, c := range w.prog.Output().Columns {
		key := ""
		for _, k := range w.prog.Output().Key {
			if k == i {
				key = " key"
			}
		}
		fmt.Fprintf(&b, "%s %s%s\n", c.Name, longType(c.Type), key)
	}
	return b.String()
}

func longType(t schemas.Type) string {
	switch t.Kind {
	case schemas.KindArray:
		return "array of " + longType(*t.Elem)
	case schemas.KindRecord:
		parts := make([]string, len(t.Fields))
		for i, f := range t.Fields {
			parts[i] = f.Name + " " + longType(f.Type)
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case schemas.KindInt:
		return fmt.Sprintf("int%d", t.Bits)
	}
	return typeName(t)
}

// inputs gives one input for each row of the root, with the rows of children and lookups that belong to it.
func (w *world) inputs(now time.Time) []*Input {
	var out []*Input
	for _, row := range w.root.rows {
		in := &Input{Root: row, Now: now}
		for _, c := range w.children {
			in.Children = append(in.Children, c.matching(w.root.table, row))
		}
		for _, l := range w.lookups {
			in.Lookups = append(in.Lookups, l.matching(w.root.table, row))
		}
		out = append(out, in)
	}
	return out
}

func (w *world) at(t testing.TB, when string) string {
	w.compile()
	if w.faults != nil {
		return faultText(w.faults)
	}
	now := w.wake
	if when != "wake" {
		now = parseTime(t, when)
	} else if now.IsZero() {
		return "no wake-up was asked for\n"
	}
	w.wake = time.Time{}
	e := w.prog.NewEvaluator()
	var b strings.Builder
	for i, in := range w.inputs(now) {
		if i > 0 {
			b.WriteString("--\n")
		}
		var res Result
		err := e.Eval(in, &res)
		switch {
		case err != nil:
			b.WriteString("fault " + faultText(err))
		case !res.Include:
			b.WriteString("left out\n")
		default:
			for i, c := range w.prog.Output().Columns {
				writeField(&b, c.Name, res.Row[i])
			}
		}
		if !res.Wake.IsZero() {
			if w.wake.IsZero() || res.Wake.Before(w.wake) {
				w.wake = res.Wake
			}
			fmt.Fprintf(&b, "wake %s\n", res.Wake.In(w.env.Zone).Format(time.RFC3339Nano))
		}
	}
	return b.String()
}

func writeField(b *strings.Builder, name string, v schemas.Value) {
	if v.Kind != schemas.KindArray || len(v.List) == 0 || v.List[0].Kind != schemas.KindRecord {
		fmt.Fprintf(b, "%s = %s\n", name, shown(v))
		return
	}
	fmt.Fprintf(b, "%s =\n", name)
	for _, r := range v.List {
		b.WriteString("   ")
		for _, f := range r.List {
			b.WriteString(" " + shown(f))
		}
		b.WriteByte('\n')
	}
}

// visible shows what people cannot see.
var visible = strings.NewReplacer("\n", `\n`, "\t", `\t`, "\u00a0", `\u00a0`)

func shown(v schemas.Value) string {
	switch v.Kind {
	case schemas.KindNull:
		return "null"
	case schemas.KindText, schemas.KindEnum:
		return "'" + visible.Replace(string(v.Bytes)) + "'"
	case schemas.KindDecimal:
		return string(schemas.AppendDecimal(nil, v))
	}
	return v.String()
}

func (w *world) explain(t testing.TB, when string) string {
	w.compile()
	if w.faults != nil {
		return faultText(w.faults)
	}
	e := w.prog.NewEvaluator()
	var b strings.Builder
	for _, in := range w.inputs(parseTime(t, when)) {
		steps, err := e.Explain(in)
		for _, s := range steps {
			name := s.Field
			if name == "" {
				name = "(filter)"
			}
			fmt.Fprintf(&b, "%s = %s", name, shown(s.Value))
			if s.Rule != "" {
				fmt.Fprintf(&b, "   by %s (%s, %s:%d)", s.Rule, s.Layer, s.File, s.Line)
			}
			b.WriteByte('\n')
			for _, u := range s.Uses {
				fmt.Fprintf(&b, "    %s[%d].%s = %s\n", u.Input, u.Row, u.Column, shown(u.Value))
			}
		}
		if err != nil {
			b.WriteString("fault " + faultText(err))
		}
	}
	return b.String()
}

func parseTime(t testing.TB, s string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}
