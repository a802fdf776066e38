package rules

import (
	"fmt"

	"shelfstream/internal/fault"
	"shelfstream/schemas"
)

// Evaluator runs a program. It is not for concurrent use; its buffers are reused from one Eval to the next.
type Evaluator struct {
	m   machine
	row []schemas.Value
}

// NewEvaluator makes an evaluator of the program.
func (p *Program) NewEvaluator() *Evaluator {
	e := &Evaluator{row: make([]schemas.Value, len(p.output.Columns))}
	e.m = machine{prog: p, fields: make([]schemas.Value, len(p.fields))}
	return e
}

// Eval evaluates one product. The error is a *fault.Fault of class Runtime that says which rule of which file stopped it and with what
// values; res then holds only Wake.
func (e *Evaluator) Eval(in *Input, res *Result) error {
	m := &e.m
	res.Row, res.Include = nil, false
	if err := e.run(in); err != nil {
		res.Wake = m.wake
		return err
	}
	res.Wake, res.Include = m.wake, m.include
	if !m.include {
		return nil
	}
	if err := e.finish(in); err != nil {
		res.Include = false
		return err
	}
	res.Row = e.row
	return nil
}

// finish makes the row of the output's columns.
func (e *Evaluator) finish(in *Input) error {
	m := &e.m
	p := m.prog
	for i, c := range p.keyColumns {
		e.row[i] = in.Root[c]
	}
	for i := range p.fields {
		at := len(p.keyColumns) + i
		m.rule = p.fields[i].first
		e.row[at] = m.fit(m.fields[i], &p.output.Columns[at].Type, p.fields[i].at, p.fields[i].name)
	}
	if m.fault != nil {
		return m.fault
	}
	return nil
}

// run applies the rules in order until one leaves the product out or stops it.
func (e *Evaluator) run(in *Input) error {
	m := &e.m
	m.reset(in)
	if err := e.check(in); err != nil {
		return err
	}
	for i := range m.prog.steps {
		s := &m.prog.steps[i]
		m.rule = s.rule
		m.trace.cut(0)
		m.trace.reached(i)
		if s.when == nil || s.when(m) == yes {
			m.trace.held()
			s.run(m)
		}
		if m.fault != nil {
			return m.fault
		}
		if !m.include || m.stays {
			return nil
		}
	}
	m.rule = nil
	return nil
}

// check refuses input that is not in the shape of the environment: a mistake of the caller, which must not become a panic.
func (e *Evaluator) check(in *Input) error {
	env := &e.m.prog.env
	bad := func(what string) error {
		return &fault.Fault{Class: fault.Runtime, Cause: fault.Bug, Where: "view " + env.View, What: what, Fix: "this is a mistake in Shelfstream: report it"}
	}
	if len(in.Root) != len(env.Root.Columns) || len(in.Children) != len(env.Children) || len(in.Lookups) != len(env.Lookups) {
		return bad(fmt.Sprintf("the input has %d root columns, %d children, %d lookups; the rules were compiled for %d, %d, %d",
			len(in.Root), len(in.Children), len(in.Lookups), len(env.Root.Columns), len(env.Children), len(env.Lookups)))
	}
	if in.Previous != nil && len(in.Previous) != len(e.m.prog.kept) {
		return bad(fmt.Sprintf("the input has %d published values, the rules keep %d", len(in.Previous), len(e.m.prog.kept)))
	}
	for _, k := range e.m.prog.keyColumns {
		if in.Root[k].Kind == schemas.KindNull {
			return bad(fmt.Sprintf("key column %s is null", env.Root.Columns[k].Name))
		}
	}
	return nil
}

// fit brings a value to its column's type: whole numbers and decimals to the column's scale, enums to text.
func (m *machine) fit(v schemas.Value, t *schemas.Type, at site, name string) schemas.Value {
	if t.Kind == schemas.KindDecimal {
		return m.fitDecimal(v, t, at, name)
	}
	if t.Kind == schemas.KindText && v.Kind == schemas.KindEnum {
		v.Kind = schemas.KindText
	}
	return v
}

func (m *machine) fitDecimal(v schemas.Value, t *schemas.Type, at site, name string) schemas.Value {
	switch {
	case v.Kind == schemas.KindNull:
		return v
	case t.Precision == 0:
		v.Kind = schemas.KindDecimal
		return v
	}
	if v.Kind != schemas.KindDecimal || v.Scale != t.Scale {
		out, err := schemas.Round(v, int(t.Scale), schemas.HalfUp)
		if err != nil {
			return m.failNumber(at, err, name, v)
		}
		v = out
	}
	if tooLong(v, int(t.Precision)) {
		return m.failAs(fault.RulesArithmetic, at, fmt.Sprintf("%s is %s, which has more than %d digits", name, display(v), t.Precision), "round it, or correct the value in the source")
	}
	return v
}

// tooLong says whether a decimal has more digits than a column holds.
func tooLong(v schemas.Value, precision int) bool {
	if v.Bytes == nil {
		if precision >= 19 { // an int64 has at most 19 digits
			return false
		}
		limit := int64(1)
		for range precision {
			limit *= 10
		}
		return v.Int >= limit || v.Int <= -limit
	}
	z := v.Coefficient()
	return len(z.Abs(z).Text(10)) > precision
}

// Explain evaluates one product and tells for each output column, in order, who set it and from what; then come the filters, with an
// empty Field. It runs the same program as Eval. Where a rule stops the product, the steps so far are returned with the fault.
func (e *Evaluator) Explain(in *Input) ([]Step, error) {
	m := &e.m
	p := m.prog
	m.trace = &tracer{steps: make([]Step, len(p.fields))}
	defer func() { m.trace = nil }()
	err := e.run(in)
	whole := err == nil && m.include
	if whole {
		err = e.finish(in)
	}
	var out []Step
	for i, c := range p.keyColumns {
		if len(in.Root) <= c {
			break
		}
		v := in.Root[c].Clone()
		name := p.output.Columns[i].Name
		out = append(out, Step{Field: name, Value: v, Uses: []Use{{Input: "root", Column: name, Value: v}}})
	}
	for i := range p.fields {
		s := m.trace.steps[i]
		s.Field = p.fields[i].name
		if whole && err == nil {
			s.Value = e.row[len(p.keyColumns)+i].Clone()
		}
		out = append(out, s)
	}
	return append(out, m.trace.filters...), err
}
