package rules

import "shelfstream/schemas"

// compileMissing names its arguments that have nothing in them.
func compileMissing(c *compiler, n *node) *code {
	kids, names, ok := make([]*code, len(n.kids)), make([]string, len(n.kids)), true
	for i, kid := range n.kids {
		kids[i] = c.compile(kid)
		ok = ok && !kids[i].bad
		if names[i] = c.snip(kid); kid.kind == nodeName {
			names[i] = kid.name
		}
	}
	if !ok {
		return badCode
	}
	return c.made(n, textType, func(m *machine) schemas.Value {
		base := len(m.index)
		for i, k := range kids {
			if v := k.eval(m); isNothing(v) {
				m.index = append(m.index, i)
			}
		}
		start := len(m.bytes)
		for _, i := range m.index[base:] {
			if len(m.bytes) > start {
				m.bytes = append(m.bytes, ", "...)
			}
			m.bytes = append(m.bytes, names[i]...)
		}
		m.index = m.index[:base]
		if len(m.bytes) == start {
			return schemas.Null
		}
		return m.made(start)
	})
}

// isNothing says whether a value is null, a blank text or an empty list.
func isNothing(v schemas.Value) bool {
	switch v.Kind {
	case schemas.KindNull:
		return true
	case schemas.KindText, schemas.KindEnum:
		return len(trimSpace(v.Bytes)) == 0
	case schemas.KindArray:
		return len(v.List) == 0
	default:
		return false
	}
}
