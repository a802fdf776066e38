package casefile

import (
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"

	"shelfstream/schemas"
	"shelfstream/transform/rules"
)

// outcomeKind is what became of a product.
type outcomeKind uint8

const (
	isProduct outcomeKind = iota
	isLeftOut             // by a filter
	isGone                // there is no root row
	isFault
)

const (
	wordLeftOut = "left out"
	wordGone    = "gone"
	wordNever   = "never"
)

// step is one evaluation with what is expected of it.
type step struct {
	line  int
	node  *yaml.Node
	input *rules.Input // nil: there is no root row
	now   time.Time
	zone  *time.Location
	// moved is set if nothing but time differs from the step before.
	moved bool
	// same is set if the step expects what the one before did.
	same   bool
	kind   outcomeKind
	fault  string
	fields []want
	// expect is the pair that says what is expected, fill is set if it has no value yet.
	expect pair
	fill   bool
	wake   *wake
}

// wake is when the product must ask to be evaluated again; a zero time is never.
type wake struct {
	at   time.Time
	node *yaml.Node
}

// want is an expected field.
type want struct {
	name  string
	node  *yaml.Node
	value schemas.Value
	// rows are the expected records of a list of records.
	rows  [][]want
	isRow bool
}

var stepKeys = []string{"now", "rows", "delete", "expect", "fault", "wake"}

// testCase reads one case and all its steps.
func (l *loader) testCase(d *document, n *yaml.Node, w *world, sources []rules.Source, given []change, zone *time.Location) *testCase {
	o := d.object(n, "a case", append([]string{"name", "rules", "then"}, stepKeys...)...)
	c := &testCase{name: "case", line: n.Line}
	if p, ok := o["name"]; ok {
		c.name, c.line = p.value.Value, p.key.Line
	} else {
		d.bad(n, "a case has no name", "add name: what the case shows")
	}
	at := n
	if r := o["rules"].value; r != nil {
		sources, at = l.sources(d, items(r), filepath.Dir(d.name)), r
	}
	if c.prog = l.program(d, at, sources, w.view.env); c.prog == nil {
		return nil
	}
	stories := []map[string]pair{o}
	nodes := []*yaml.Node{n}
	for _, t := range items(o["then"].value) {
		stories, nodes = append(stories, d.object(t, "a step", stepKeys...)), append(nodes, t)
	}
	var last *step
	for i, s := range stories {
		w = w.clone()
		rows := d.changes(s["rows"], w.shapes)
		if i == 0 {
			rows = slices.Concat(given, rows) // all at once, so that given rows of children know whose they are
		}
		w.upsert(rows)
		if gone := d.changes(s["delete"], w.shapes); len(gone) > 0 && w.remove(gone) == 0 {
			d.bad(s["delete"].key, "there is no such row to delete", "name the key of a row that the steps before have")
		}
		if roots := w.roots(); len(roots) > 1 {
			d.bad(nodes[i], fmt.Sprintf("the case has %d rows of %s, and is about one product", len(roots), w.view.inputs[0].shape.table.Name), "make a case of each")
		}
		last = d.step(nodes[i], s, w, c.prog, last, zone)
		c.steps = append(c.steps, last)
	}
	return c
}

func (d *document) step(n *yaml.Node, o map[string]pair, w *world, p *program, last *step, zone *time.Location) *step {
	s := &step{line: n.Line, node: n, input: w.input(), zone: zone}
	now := o["now"].value
	switch {
	case now != nil:
		var err error
		if s.now, err = instant(now.Value, zone); err != nil {
			d.bad(now, err.Error(), "write 2026-01-31, \"2026-01-31 08:30\" or 2026-01-31T08:30:00+01:00")
		}
		if last != nil && s.now.Before(last.now) {
			d.bad(now, "time goes back", "a step's now is not before that of the step above")
		}
	case last != nil:
		s.now = last.now
	default:
		d.bad(n, "the case has no `now`", "add now: 2026-01-31; rules see no other clock")
	}
	_, rows := o["rows"]
	_, gone := o["delete"]
	s.moved = last != nil && !rows && !gone
	if s.input != nil {
		s.input.Now = s.now
	}
	if k := o["wake"].value; k != nil {
		s.wake = &wake{node: k}
		if k.Value != wordNever {
			var err error
			if s.wake.at, err = instant(k.Value, zone); err != nil {
				d.bad(k, err.Error(), "write wake: 2026-01-31, or wake: never")
			}
		}
	}
	d.expected(s, o, p, last)
	return s
}

// expected reads `expect` and `fault`.
func (d *document) expected(s *step, o map[string]pair, p *program, last *step) {
	expect, ok := o["expect"]
	f, fails := o["fault"]
	switch {
	case ok && fails:
		d.bad(f.key, "a product has fields or a fault, not both", "remove expect or fault")
	case fails:
		s.kind, s.fault, s.expect = isFault, f.value.Value, f
		if s.fault == "" {
			d.bad(f.value, "the fault has no text", "write a part of the fault's text")
		}
	case ok && isNull(expect.value):
		s.expect, s.fill = expect, true
	case ok && expect.value.Kind == yaml.ScalarNode:
		s.expect = expect
		switch expect.value.Value {
		case wordLeftOut:
			s.kind = isLeftOut
		case wordGone:
			s.kind = isGone
		default:
			d.bad(expect.value, fmt.Sprintf("expect is a map of fields, %q or %q", wordLeftOut, wordGone), "write expect: { price: 99.90 }")
		}
	case ok:
		s.expect = expect
		t := p.prog.Output()
		s.fields = d.wants(expect.value, t.Columns, "a product")
	case last != nil:
		s.same, s.kind, s.fault, s.fields = true, last.kind, last.fault, last.fields
	case s.wake == nil:
		d.bad(s.node, "the case expects nothing", "add expect: { field: value }, expect: left out, or fault: text; `-update` fills in an empty expect:")
	}
}

// wants reads expected fields against the columns that the rules give.
func (d *document) wants(n *yaml.Node, columns []schemas.Column, what string) []want {
	var out []want
	for _, p := range d.pairs(n, what) {
		i := -1
		names := make([]string, len(columns))
		for c := range columns {
			names[c] = columns[c].Name
			if names[c] == p.name {
				i = c
			}
		}
		if i < 0 {
			d.bad(p.key, fmt.Sprintf("%s has no field %s", what, p.name), didYouMean(p.name, names))
			continue
		}
		w := want{name: p.name, node: p.value}
		t := columns[i].Type
		if t.Kind == schemas.KindArray && t.Elem.Kind == schemas.KindRecord && !isNull(p.value) {
			if p.value.Kind != yaml.SequenceNode {
				d.bad(p.value, fmt.Sprintf("%s is a list", p.name), "write "+p.name+": [{ member: value }]")
				continue
			}
			w.isRow = true
			for _, r := range items(p.value) {
				w.rows = append(w.rows, d.wants(r, t.Elem.Fields, "a row of "+p.name))
			}
		} else {
			var err error
			// Any decimal may be expected, whatever the column's digits: a wrong one is a difference and no fault.
			if t.Kind == schemas.KindDecimal {
				t = schemas.Type{Kind: schemas.KindDecimal}
			}
			if w.value, err = valueOf(p.value, &t); err != nil {
				d.bad(p.value, fmt.Sprintf("%s: %v", p.name, err), "write a value of the field's type")
			}
		}
		out = append(out, w)
	}
	return out
}

// outcome is what an evaluation gave.
type outcome struct {
	kind  outcomeKind
	row   []schemas.Value
	fault string
	wake  time.Time
	// published are the values that `keep` rules will see in the step behind.
	published []schemas.Value
}

// run evaluates a step. last is what became of the product in the step before, which is what was published with it last.
func (s *step) run(prog *rules.Program, e *rules.Evaluator, hits []rules.Hits, last *outcome) outcome {
	if s.input == nil {
		return outcome{kind: isGone}
	}
	s.input.Previous = last.published
	var res rules.Result
	var err error
	if hits != nil {
		err = e.Cover(s.input, &res, hits)
	} else {
		err = e.Eval(s.input, &res)
	}
	o := outcome{wake: res.Wake}
	switch {
	case err != nil:
		o.kind, o.fault, o.published = isFault, err.Error(), last.published
	case !res.Include:
		o.kind = isLeftOut
	default:
		o.row = make([]schemas.Value, len(res.Row))
		for i := range res.Row {
			o.row[i] = res.Row[i].Clone()
		}
		for _, k := range prog.Kept() {
			o.published = append(o.published, o.row[k])
		}
	}
	return o
}

// equal says whether two outcomes are the same product.
func (o *outcome) equal(p *outcome) bool {
	if o.kind != p.kind || o.fault != p.fault || len(o.row) != len(p.row) {
		return false
	}
	for i := range o.row {
		if schemas.Compare(o.row[i], p.row[i]) != 0 {
			return false
		}
	}
	return true
}

// word names an outcome that has no fields.
func (o *outcome) word() string {
	switch o.kind {
	case isLeftOut:
		return wordLeftOut
	case isGone:
		return wordGone
	case isFault:
		return "fault: " + o.fault
	case isProduct:
	}
	return "a product"
}
