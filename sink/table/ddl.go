package table

import "slices"

func (c *columnPlan) made() NewColumn {
	return NewColumn{Name: c.name, Type: c.typ, Key: c.key, Mark: c.origin == fromLiving}
}

// createTable is the statement that makes the table.
func (p *tablePlan) createTable() string {
	order := slices.Clone(p.key)
	for i := range p.columns {
		if !p.columns[i].key {
			order = append(order, i)
		}
	}
	n := NewTable{Name: p.name, Key: p.names(p.keyParentFirst())}
	for _, i := range order {
		n.Columns = append(n.Columns, p.columns[i].made())
	}
	return p.d.Create(&n)
}

// addColumn is the statement that adds one column.
func (p *tablePlan) addColumn(c *columnPlan) string {
	n := c.made()
	return p.d.Add(p.name, &n)
}

// keyParentFirst is the key with the product's columns in front, so that the rows of one product lie together.
func (p *tablePlan) keyParentFirst() []int {
	out := slices.Clone(p.parent)
	for _, i := range p.key {
		if !slices.Contains(out, i) {
			out = append(out, i)
		}
	}
	return out
}
