package rules

import (
	"shelfstream/schemas"
)

// tracer notes what a machine reads while it explains. All methods do nothing on a nil tracer, which is the usual case.
type tracer struct {
	// uses of the rule at hand: first those of its condition and choice of row (below common), then those of the field at hand.
	uses []Use
	// steps by field slot; filters stand apart.
	steps   []Step
	filters []Step
	// hits counts what the rules do, if somebody asked; rule is the one at hand, and counted is set once it has given a field a value.
	hits    []Hits
	rule    int
	counted bool
}

func (t *tracer) use(input string, row int, column string, v schemas.Value) {
	t.uses = append(t.uses, Use{Input: input, Row: row, Column: column, Value: v})
}

func (t *tracer) mark() int {
	if t == nil {
		return 0
	}
	return len(t.uses)
}

// cut forgets the uses after mark: those of rows that were not chosen.
func (t *tracer) cut(mark int) {
	if t != nil {
		t.uses = t.uses[:mark]
	}
}

// step notes that the rule at hand set a field, from all uses so far, and forgets those after mark.
func (t *tracer) step(m *machine, slot int, v schemas.Value, line int, mark int) {
	t.keep(m, slot, v, line)
	t.cut(mark)
}

// keep notes like step, but leaves the uses for the next field of the same rule.
func (t *tracer) keep(m *machine, slot int, v schemas.Value, line int) {
	if t != nil && m.fault == nil {
		t.gave(v)
		t.steps[slot] = t.describe(m, m.prog.fields[slot].name, v, line)
	}
}

// filter notes what an include rule said.
func (t *tracer) filter(m *machine, include bool, line int) {
	if t == nil {
		return
	}
	t.gave(schemas.Bool(include))
	t.filters = append(t.filters, t.describe(m, "", schemas.Bool(include), line))
}

func (t *tracer) describe(m *machine, name string, v schemas.Value, line int) Step {
	s := Step{Field: name, Value: v.Clone(), Rule: m.rule.name, Layer: m.rule.file.layer, File: m.rule.file.name, Line: line}
	type place struct {
		input, column string
		row           int
	}
	seen := map[place]bool{}
	for _, u := range t.uses {
		at := place{u.Input, u.Column, u.Row}
		if !seen[at] {
			seen[at] = true
			u.Value = u.Value.Clone()
			s.Uses = append(s.Uses, u)
		}
	}
	return s
}
