package rules

import "go.yaml.in/yaml/v3"

// setRule sets fields to expressions.
type setRule struct {
	set fieldSet
}

func parseSet(f *file, n *yaml.Node) kind { return &setRule{set: f.readFields(n, "set")} }

func (k *setRule) compile(c *compiler) func(m *machine) {
	as := c.assigns(k.set)
	return func(m *machine) { m.assignAll(as) }
}
