package table

import (
	"shelfstream/schemas"
	"shelfstream/sink"
)

// keyList collects the keys of rows: "'a'" for IN where the key is one column, else "(`a` = 'a' AND `b` = 1)". (MariaDB's DELETE reads through the whole table
// for "(a, b) IN (('a', 1))".)
type keyList struct {
	keys []byte
	ends []int
}

func (l *keyList) reset() { l.keys, l.ends = l.keys[:0], l.ends[:0] }

// begin puts what stands before the next key of so many columns.
func (l *keyList) begin(columns int) {
	switch {
	case len(l.keys) == 0:
	case columns == 1:
		l.keys = append(l.keys, ',')
	default:
		l.keys = append(l.keys, " OR "...)
	}
}

// add appends the product's key as p's table has it; a key that does not fit is left out.
func (l *keyList) add(p *tablePlan, r *sink.Record) {
	start := len(l.keys)
	l.begin(len(p.parent))
	var ok bool
	if len(p.parent) == 1 {
		l.keys, ok = p.appendKey(l.keys, r.KeyValues)
	} else {
		l.keys = append(l.keys, '(')
		if l.keys, ok = p.appendSame(l.keys, r.KeyValues); ok {
			l.keys = append(l.keys, ')')
		}
	}
	if !ok {
		l.keys = l.keys[:start]
		return
	}
	l.ends = append(l.ends, len(l.keys))
}

// appendSame appends "`a` = 'a' AND `b` = 1": the condition of a product's rows; false if the key does not fit its columns.
func (p *tablePlan) appendSame(dst []byte, key []schemas.Value) ([]byte, bool) {
	for i, k := range p.parent {
		if i > 0 {
			dst = append(dst, " AND "...)
		}
		c := &p.columns[k]
		dst = append(append(dst, p.d.Quote(c.name)...), " = "...)
		var u *Unfit
		if dst, u = c.write.Literal(dst, key[i]); u != nil {
			return dst, false
		}
	}
	return dst, true
}

// appendKey appends the literal of a product's key of one column.
func (p *tablePlan) appendKey(dst []byte, key []schemas.Value) ([]byte, bool) {
	dst, u := p.columns[p.parent[0]].write.Literal(dst, key[0])
	return dst, u == nil
}

// keyText is a key for people: "4711", or values joined by "/". It is the same for the topic's 42.00 and the database's 42.0000.
func keyText(key []schemas.Value) string {
	var b []byte
	for i := range key {
		if i > 0 {
			b = append(b, '/')
		}
		b = schemas.AppendCanonical(b, key[i])
	}
	return string(b)
}
