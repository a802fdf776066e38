package rules

import "go.yaml.in/yaml/v3"

// pickRule sets fields from one row.
type pickRule struct {
	choosing
	set       fieldSet
	otherwise otherwise
}

func parsePick(f *file, n *yaml.Node) kind {
	o := f.object(n, "pick", keysOf("pick")...)
	return &pickRule{
		choosing: f.choosing(o, "from"), set: f.readFields(o.need("set", "set: { field: expression over the row }"), "set"),
		otherwise: f.readOtherwise(o.get("otherwise")),
	}
}

func (k *pickRule) compile(c *compiler) func(m *machine) {
	var as []assign
	q := c.open(k.choosing, false, func(*source) { as = c.assigns(k.set) })
	if q == nil {
		c.spoil(k.set)
		return nil
	}
	other := k.otherwise.compile(c, k.set)
	return func(m *machine) {
		if q.first(m) {
			m.assignAll(as)
		} else {
			other(m)
		}
	}
}
