package casefile

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"shelfstream/schemas"
	"shelfstream/transform/rules"
)

// Report is what running cases gave.
type Report struct {
	Cases, Steps int
	Failures     []Failure
	// Rules are the rules of all programs that the cases used, in the order of files and lines.
	Rules []Coverage
	// Updated are the files that were rewritten.
	Updated []string
}

// Failure is one step of a case that did not give what it expects.
type Failure struct {
	File string
	Line int
	Case string
	// Step is 0 for the case itself, 1 for the first of `then`.
	Step  int
	Diffs []Diff

	step *step
	got  outcome
	prog *program
}

// Diff is one difference.
type Diff struct {
	// Line is where the expectation stands.
	Line int
	// Field is the field, with the row and member in a list: "prices[2].price"; empty for the product as a whole.
	Field     string
	Want, Got string
	// Because says which rule set the field, and from what.
	Because []string

	top   string
	want  *want
	value schemas.Value
	typ   *schemas.Type
	whole bool
	// rule is set for what is always looked at, and so cannot be updated.
	rule bool
}

// Coverage is what the cases made of one rule.
type Coverage struct {
	rules.RuleInfo
	rules.Hits
}

// Covered says whether the rule gave a field a value, or decided as a filter, in some step.
func (c Coverage) Covered() bool { return c.Set > 0 }

// Why says what keeps a rule from being covered.
func (c Coverage) Why() string {
	switch {
	case c.Reached == 0:
		return "never reached: an earlier rule stops or leaves out every product"
	case c.Held == 0:
		return "its `when` is never true"
	case c.Set == 0:
		return "it gives nothing but null"
	}
	return ""
}

// Percent is how many of a hundred rules are covered, rounded down.
func (r *Report) Percent() int {
	if len(r.Rules) == 0 {
		return 100
	}
	n := 0
	for _, c := range r.Rules {
		if c.Covered() {
			n++
		}
	}
	return n * 100 / len(r.Rules)
}

// cover adds up what the programs' rules did; a rule that several programs have counts once.
func (r *Report) cover(programs []*program) {
	at := map[rules.RuleInfo]int{}
	for _, p := range programs {
		for i, info := range p.prog.Rules() {
			k, ok := at[info]
			if !ok {
				k = len(r.Rules)
				at[info] = k
				r.Rules = append(r.Rules, Coverage{RuleInfo: info})
			}
			h := &r.Rules[k].Hits
			h.Reached, h.Held, h.Set = h.Reached+p.hits[i].Reached, h.Held+p.hits[i].Held, h.Set+p.hits[i].Set
		}
	}
	slices.SortStableFunc(r.Rules, func(a, b Coverage) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
}

// explain adds to each difference of a product's field who set it.
func (f *Failure) explain() {
	if f.got.kind != isProduct || f.step.input == nil {
		return
	}
	steps, err := f.prog.eval.Explain(f.step.input)
	if err != nil {
		return
	}
	for i := range f.Diffs {
		d := &f.Diffs[i]
		for _, s := range steps {
			if d.top == "" || s.Field != d.top || s.Rule == "" {
				continue
			}
			d.Because = append(d.Because, fmt.Sprintf("set by rule %s (%s, %s:%d)", s.Rule, s.Layer, s.File, s.Line))
			for k, u := range s.Uses {
				if k == 8 {
					d.Because = append(d.Because, fmt.Sprintf("and %d more values", len(s.Uses)-k))
					break
				}
				d.Because = append(d.Because, fmt.Sprintf("from %s[%d].%s = %s", u.Input, u.Row+1, u.Column, u.Value))
			}
		}
	}
}

// Write prints failures, then what is not covered, then one line with the sums.
func (r *Report) Write(w io.Writer) error {
	var b strings.Builder
	for _, f := range r.Failures {
		b.WriteString(f.String())
	}
	open := 0
	for _, c := range r.Rules {
		if c.Covered() {
			continue
		}
		if open == 0 {
			b.WriteString("rules that no case covers:\n")
		}
		open++
		fmt.Fprintf(&b, "  %s:%d: %s: %s\n", c.File, c.Line, c.Name, c.Why())
	}
	for _, name := range r.Updated {
		fmt.Fprintf(&b, "%s: updated\n", name)
	}
	fmt.Fprintf(&b, "%d cases, %d steps, %d failed; %d of %d rules covered (%d %%)\n", r.Cases, r.Steps, len(r.Failures), len(r.Rules)-open, len(r.Rules), r.Percent())
	_, err := io.WriteString(w, b.String())
	return err
}

// String shows the failure: a line with its place, then each difference.
func (f *Failure) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:%d: %s", f.File, f.Line, f.Case)
	if f.Step > 0 {
		fmt.Fprintf(&b, ", step %d", f.Step)
	}
	fmt.Fprintf(&b, " (now %s)\n", f.step.when(f.step.now))
	for _, d := range f.Diffs {
		fmt.Fprintf(&b, "  %s:%d: %s\n      want %s\n      got  %s\n", f.File, d.Line, cmp.Or(d.Field, "product"), d.Want, d.Got)
		for _, line := range d.Because {
			fmt.Fprintf(&b, "           %s\n", line)
		}
	}
	return b.String()
}
