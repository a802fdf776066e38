package rules

import (
	"go.yaml.in/yaml/v3"

	"shelfstream/internal/fault"
	"shelfstream/schemas"
)

// parkRule stops a product with a reason: it is parked, and the shop keeps what it has.
type parkRule struct {
	reason *expression
}

func parsePark(f *file, n *yaml.Node) kind { return &parkRule{reason: f.expr(n)} }

func (k *parkRule) compile(c *compiler) func(m *machine) {
	if k.reason == nil {
		return nil
	}
	c.expr = k.reason
	reason := c.text(k.reason.node)
	if reason.bad {
		return nil
	}
	at := c.site(k.reason.node)
	return func(m *machine) {
		if m.trace != nil {
			m.trace.gave(schemas.Bool(true))
		}
		m.failAs(fault.RulesParked, at, string(reason.eval(m).Bytes), "correct the product in the source; it is tried again when its rows change")
	}
}
