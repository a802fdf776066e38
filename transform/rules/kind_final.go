package rules

import (
	"slices"

	"go.yaml.in/yaml/v3"

	"shelfstream/internal/fault"
	"shelfstream/schemas"
)

// finalRule lets a product stay as it was published with first: an order that the ERP has got is its own from then on, whatever becomes of prices, customers
// and codes. field says what the product is made of (an order's amounts and quantities); while that is what it was published with, no rule below
// is evaluated, and the product is what it was, in every field. Where it differs, the product stops with `otherwise`, or without that is made and
// published anew.
type finalRule struct {
	field     *yaml.Node
	from      *expression
	otherwise *expression
}

func parseFinal(f *file, n *yaml.Node) kind {
	o := f.object(n, "final", keysOf("final")...)
	k := &finalRule{field: o.need("field", "field: content"), from: f.expr(o.need("from", "from: text(total), what the product is made of")), otherwise: f.expr(o.get("otherwise"))}
	f.word(k.field, "the field")
	return k
}

func (k *finalRule) compile(c *compiler) func(m *machine) {
	from := c.value(k.from)
	if k.field == nil || k.field.Value == "" {
		return nil
	}
	a, ok := c.assign(k.field.Value, place{k.field.Line, k.field.Column}, from, k.from)
	if !ok || from.bad {
		return nil
	}
	var reason *code
	var at site
	if k.otherwise != nil {
		c.expr = k.otherwise
		if reason = c.text(k.otherwise.node); reason.bad {
			return nil
		}
		at = c.site(k.otherwise.node)
	}
	c.final = true
	line := k.from.origin.at(from.pos).line
	return func(m *machine) {
		mark := m.trace.mark()
		v := from.eval(m)
		m.trace.step(m, a.slot, v, line, mark)
		m.fields[a.slot] = v
		was := m.published(a.slot)
		switch {
		case m.fault != nil || v.IsNull() || was.IsNull():
		case schemas.Equal(v, was):
			m.stay(line)
		case reason != nil:
			m.failAs(fault.RulesParked, at, string(reason.eval(m).Bytes), "make the change in the target by hand, and take it back in the source; or leave `otherwise` out, so that the product is sent anew")
		}
	}
}

// published is what a field was published with last; null if the product is not published.
func (m *machine) published(slot int) schemas.Value {
	if at := slices.Index(m.prog.kept, slot); at >= 0 && at < len(m.in.Previous) {
		return m.in.Previous[at]
	}
	return schemas.Null
}

// stay gives every field what it was published with, and ends the evaluation.
func (m *machine) stay(line int) {
	m.stays = true
	for slot := range m.fields {
		v := m.published(slot)
		if m.trace != nil {
			mark := m.trace.mark()
			m.trace.use("published", 0, m.prog.fields[slot].name, v)
			m.trace.step(m, slot, v, line, mark)
		}
		m.fields[slot] = v
	}
}

// keepAll lets the evaluation know every field that the product was published with; the slots that `keep` rules name stay where they are.
func (c *compiler) keepAll() {
	for slot := range c.fields {
		if !slices.Contains(c.kept, slot) {
			c.kept = append(c.kept, slot)
		}
	}
}
