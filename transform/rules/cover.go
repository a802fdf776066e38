package rules

import "shelfstream/schemas"

// RuleInfo names one rule of a program.
type RuleInfo struct {
	Name, Layer, File string
	Line              int
}

// Hits counts what a rule did in evaluations.
type Hits struct {
	// Reached counts evaluations that came to the rule: no rule before it stopped the product or left it out.
	Reached int
	// Held counts those in which its `when` was true, or in which it has none.
	Held int
	// Set counts those in which it gave some field a value other than null and the empty list, or, for a filter, decided.
	Set int
}

// Rules lists the rules in the order in which they are evaluated, after the layers have replaced, disabled and placed theirs.
func (p *Program) Rules() []RuleInfo {
	out := make([]RuleInfo, len(p.steps))
	for i := range p.steps {
		r := p.steps[i].rule
		out[i] = RuleInfo{Name: r.name, Layer: r.file.layer, File: r.file.name, Line: r.at.line}
	}
	return out
}

// Cover evaluates one product as Eval does, and counts in hits, which is indexed as Program.Rules, what each rule did. It is slower than Eval.
func (e *Evaluator) Cover(in *Input, res *Result, hits []Hits) error {
	e.m.trace = &tracer{steps: make([]Step, len(e.m.prog.fields)), hits: hits}
	defer func() { e.m.trace = nil }()
	return e.Eval(in, res)
}

func (t *tracer) reached(rule int) {
	if t != nil && t.hits != nil {
		t.rule, t.counted = rule, false
		t.hits[rule].Reached++
	}
}

func (t *tracer) held() {
	if t != nil && t.hits != nil {
		t.hits[t.rule].Held++
	}
}

// gave notes that the rule at hand set a field to v.
func (t *tracer) gave(v schemas.Value) {
	nothing := v.Kind == schemas.KindNull || v.Kind == schemas.KindArray && len(v.List) == 0
	if t.hits != nil && !t.counted && !nothing {
		t.counted = true
		t.hits[t.rule].Set++
	}
}
