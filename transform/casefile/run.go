package casefile

import (
	"fmt"
	"os"
	"strings"
	"time"

	"shelfstream/schemas"
)

// Run reads case files, runs every case, and with Options.Update rewrites what is expected. The error is a fault.List of class Config if
// the files cannot be read or the rules do not compile; cases that fail are in the Report.
func Run(files []string, opts Options) (*Report, error) {
	s, err := Load(files, opts)
	if err != nil {
		return nil, err
	}
	r := s.Run()
	if !opts.Update {
		return r, nil
	}
	for _, f := range s.files {
		data, changed := f.updated(r)
		if !changed {
			continue
		}
		if err := os.WriteFile(f.doc.name, data, 0o600); err != nil {
			return r, fmt.Errorf("write the expected values: %w", err)
		}
		r.Updated = append(r.Updated, f.doc.name)
	}
	return r, nil
}

// Run runs every case.
func (s *Suite) Run() *Report {
	r := &Report{}
	for _, f := range s.files {
		for _, c := range f.cases {
			r.Cases++
			var last outcome
			for i, st := range c.steps {
				r.Steps++
				o := st.run(c.prog.prog, c.prog.eval, c.prog.hits, &last)
				diffs := st.compare(&o, c.prog.prog.Output())
				if st.moved {
					diffs = append(diffs, st.slept(&last, &o)...)
				}
				if len(diffs) > 0 {
					fail := Failure{File: f.doc.name, Line: st.line, Case: c.name, Step: i, Diffs: diffs, step: st, got: o, prog: c.prog}
					if i == 0 {
						fail.Line = c.line
					}
					fail.explain()
					r.Failures = append(r.Failures, fail)
				}
				last = o
			}
		}
	}
	r.cover(s.programs)
	return r
}

// compare lists what differs from what the step expects.
func (s *step) compare(o *outcome, t *schemas.Table) []Diff {
	var out []Diff
	line := s.line
	if s.expect.key != nil {
		line = s.expect.key.Line
	}
	expected := outcome{kind: s.kind, fault: s.fault}
	switch {
	case s.fill:
		out = append(out, Diff{Line: line, Want: "nothing yet (-update fills it in)", Got: o.word(), whole: true})
	case s.kind != o.kind || s.kind == isFault && !strings.Contains(o.fault, s.fault):
		out = append(out, Diff{Line: line, Want: expected.word(), Got: o.word(), whole: true})
	case s.kind == isProduct:
		for i := range s.fields {
			w := &s.fields[i]
			at := t.Column(w.name)
			if at < 0 {
				out = append(out, Diff{Line: w.node.Line, Field: w.name, Want: "a field", Got: "no such field"})
				continue
			}
			out = append(out, w.compare(w.name, w.name, o.row[at], &t.Columns[at].Type)...)
		}
	}
	if s.wake != nil && !s.wake.at.Equal(o.wake) {
		out = append(out, Diff{Line: s.wake.node.Line, Field: "wake", Want: s.when(s.wake.at), Got: s.when(o.wake)})
	}
	return out
}

// compare lists where a value differs from what is wanted. top is the product's field, path the place in it.
func (w *want) compare(top, path string, v schemas.Value, t *schemas.Type) []Diff {
	if !w.isRow {
		if v.Kind == w.value.Kind && schemas.Equal(v, w.value) || v.IsNumber() && w.value.IsNumber() && schemas.Equal(v, w.value) {
			return nil
		}
		return []Diff{{Line: w.node.Line, Field: path, Want: flow(nodeOf(w.value, t)), Got: flow(nodeOf(v, t)), top: top, want: w, value: v, typ: t}}
	}
	if v.Kind != schemas.KindArray || len(v.List) != len(w.rows) {
		return []Diff{{Line: w.node.Line, Field: path, Want: rowCount(len(w.rows)), Got: rowCount(len(v.List)) + ": " + flow(nodeOf(v, t)), top: top, want: w, value: v, typ: t}}
	}
	var out []Diff
	for i, r := range w.rows {
		for k := range r {
			m := &r[k]
			for c := range t.Elem.Fields {
				if t.Elem.Fields[c].Name == m.name {
					out = append(out, m.compare(top, fmt.Sprintf("%s[%d].%s", path, i+1, m.name), v.List[i].List[c], &t.Elem.Fields[c].Type)...)
				}
			}
		}
	}
	return out
}

func rowCount(n int) string {
	if n == 1 {
		return "1 row"
	}
	return fmt.Sprintf("%d rows", n)
}

// slept finds a product that changed only because time passed, though nothing would have woken it.
func (s *step) slept(last, o *outcome) []Diff {
	if last.equal(o) || !last.wake.IsZero() && !last.wake.After(s.now) {
		return nil
	}
	return []Diff{{
		Line: s.line, Field: "wake", Want: "the step before to wake by " + s.when(s.now) + ", as the product changes with the time alone", Got: s.when(last.wake), rule: true,
	}}
}

// when is an instant as a case file writes it.
func (s *step) when(at time.Time) string {
	if at.IsZero() {
		return wordNever
	}
	at = at.In(s.zone)
	if h, m, sec := at.Clock(); h+m+sec+at.Nanosecond() == 0 {
		return at.Format(time.DateOnly)
	}
	return at.Format(time.RFC3339Nano)
}
