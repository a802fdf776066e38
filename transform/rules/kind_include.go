package rules

import "go.yaml.in/yaml/v3"

// includeRule leaves a product out where its condition is not true.
type includeRule struct {
	condition *expression
}

func parseInclude(f *file, n *yaml.Node) kind { return &includeRule{condition: f.expr(n)} }

func (k *includeRule) compile(c *compiler) func(m *machine) {
	cond := c.condition(k.condition)
	if cond.bad {
		return nil
	}
	line := k.condition.origin.at(0).line
	return func(m *machine) {
		m.include = cond.test(m) == yes
		m.trace.filter(m, m.include, line)
	}
}
