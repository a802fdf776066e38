package rules

import (
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"

	"shelfstream/schemas"
)

// statusRule sets a status, and why, from the first case that holds.
type statusRule struct {
	field, reason *yaml.Node
	cases         []statusCase
}

// statusCase is one line; the last one, otherwise, has no condition.
type statusCase struct {
	when        *expression
	is, because string
	line        int
}

func parseStatus(f *file, n *yaml.Node) kind {
	o := f.object(n, "status", "field", "reason", "first", "otherwise")
	k := &statusRule{field: o.need("field", "field: status"), reason: o.get("reason")}
	f.word(k.field, "the status field")
	if k.reason != nil {
		f.word(k.reason, "the reason's field")
	}
	if first := o.need("first", "first: a list of { when: condition, is: status, because: reason }"); first != nil {
		if first.Kind != yaml.SequenceNode {
			f.badNode(first, "first must be a list", "write lines of - { when: condition, is: status, because: reason }")
		}
		for _, item := range first.Content {
			item = resolved(item)
			c := f.object(item, "a case of status", "when", "is", "because")
			when := f.expr(c.need("when", "when: a condition"))
			k.cases = append(k.cases, f.statusCase(c, when))
		}
	}
	if last := o.need("otherwise", "otherwise: { is: published, because: complete }, so that every product has a status"); last != nil {
		k.cases = append(k.cases, f.statusCase(f.object(last, "otherwise", "is", "because"), nil))
	}
	return k
}

func (f *file) statusCase(o *object, when *expression) statusCase {
	c := statusCase{when: when, line: o.n.Line, is: f.word(o.need("is", "is: the status"), "a status")}
	if b := o.get("because"); b != nil {
		c.because = f.word(b, "a reason")
	}
	return c
}

func (k *statusRule) compile(c *compiler) func(m *machine) {
	type branch struct {
		when        func(m *machine) tri
		is, because schemas.Value
		line        int
	}
	typ := schemas.Type{Kind: schemas.KindText}
	before := len(*c.faults)
	branches := make([]branch, 0, len(k.cases))
	for _, s := range k.cases {
		b := branch{is: schemas.Text(s.is), line: s.line}
		if s.because != "" {
			b.because = schemas.Text(s.because)
		}
		if s.when != nil {
			b.when = c.condition(s.when).test
		}
		if !slices.Contains(typ.Symbols, s.is) {
			typ.Symbols = append(typ.Symbols, s.is)
		}
		branches = append(branches, b)
	}
	slots := [2]int{-1, -1}
	for i, n := range []*yaml.Node{k.field, k.reason} {
		if n == nil {
			continue
		}
		at := place{n.Line, n.Column}
		if c.isKey(n.Value) || i == 1 && k.field != nil && n.Value == k.field.Value {
			c.rule.file.bad(at, fmt.Sprintf("%s is already the name of another column", n.Value), "choose another name for the field")
			continue
		}
		t := textType
		if i == 0 {
			t = typ
		}
		slots[i] = c.field(n.Value, &code{typ: t}, site{origin: &origin{file: c.rule.file, start: at}})
	}
	if len(*c.faults) > before || slots[0] < 0 {
		return nil
	}
	return func(m *machine) {
		mark := m.trace.mark()
		for i := range branches {
			b := &branches[i]
			if b.when != nil && b.when(m) != yes {
				continue
			}
			m.trace.keep(m, slots[0], b.is, b.line)
			m.fields[slots[0]] = b.is
			if slots[1] >= 0 {
				m.trace.keep(m, slots[1], b.because, b.line)
				m.fields[slots[1]] = b.because
			}
			break
		}
		m.trace.cut(mark)
	}
}
