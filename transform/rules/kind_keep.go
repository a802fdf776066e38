package rules

import (
	"bytes"
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"

	"shelfstream/schemas"
)

// keepRule gives a field the value that it was published with last, and computes it only where there is none yet.
//
// It is the one place where a product depends on its own past: on what the view's topic holds of it. So a view with a `keep` rule that is
// evaluated from nothing (its topic deleted) may differ from one that has lived. What is kept lives as long as the product is in the view: after a
// tombstone it is computed anew. A `keep` of a value that was kept gives that value, so evaluating again changes nothing. That is also why
// there is no name for the value published last in expressions: `set: { cheaper: net < (net before) }` would be another product at each evaluation.
//
// # unique
//
// No task sees the products of the others, and a name that one product gave up while the shop still shows it must not go to another. So
// nothing is claimed and nothing is counted: the product's own key goes behind the text, always, written so that two keys never give the same. A
// text that was published before `unique` was set, and so lacks the key, is given up once for one that has it.
type keepRule struct {
	field  *yaml.Node
	from   *expression
	unique bool
}

func parseKeep(f *file, n *yaml.Node) kind {
	o := f.object(n, "keep", keysOf("keep")...)
	k := &keepRule{field: o.need("field", "field: slug"), from: f.expr(o.need("from", "from: slug(name), what it is when it is published first"))}
	f.word(k.field, "the kept field")
	if u := o.get("unique"); u != nil {
		if k.unique = u.Value == "true"; !k.unique && u.Value != "false" {
			f.badNode(u, "unique must be true or false", "write unique: true")
		}
	}
	return k
}

func (k *keepRule) compile(c *compiler) func(m *machine) {
	from := c.value(k.from)
	if k.field == nil || k.field.Value == "" {
		return nil
	}
	at := place{k.field.Line, k.field.Column}
	if k.unique && !from.bad && !isText(from.typ) {
		c.rule.file.bad(at, fmt.Sprintf("%s is %s, and only a text can be unique", k.field.Value, typeName(from.typ)), "write text(…) in from, or leave unique out")
		return nil
	}
	if k.unique && !from.bad {
		from = &code{typ: textType, eval: from.eval, pos: from.pos} // the key makes it longer than the column that it comes from
	}
	a, ok := c.assign(k.field.Value, at, from, k.from)
	if !ok {
		return nil
	}
	kept := slices.Index(c.kept, a.slot)
	if kept < 0 {
		kept = len(c.kept)
		c.kept = append(c.kept, a.slot)
	}
	if k.unique {
		c.fields[a.slot].kept++
	}
	r := c.rule
	c.finally = append(c.finally, func() { k.check(&c.fields[a.slot], from.typ, r, at) })
	line, name := k.from.origin.at(from.pos).line, k.field.Value
	return func(m *machine) {
		mark := m.trace.mark()
		v := schemas.Null
		if kept < len(m.in.Previous) {
			v = m.in.Previous[kept]
		}
		if v.IsNull() || k.unique && !m.endsInKey(v.Bytes) {
			if v = from.eval(m); k.unique && !v.IsNull() && m.fault == nil {
				v = m.withKey(v)
			}
		} else if m.trace != nil {
			m.trace.use("published", 0, name, v)
		}
		m.trace.step(m, a.slot, v, line, mark)
		m.fields[a.slot] = v
	}
}

// check refuses a field whose published values are not of the type that this rule gives it, and one that another rule could make equal to another
// product's.
func (k *keepRule) check(f *field, from schemas.Type, r *rule, at place) {
	if f.bad {
		return
	}
	same := f.typ.Kind == from.Kind && f.typ.Scale == from.Scale && (f.typ.Precision == 0) == (from.Precision == 0)
	if !same || (from.Kind == schemas.KindArray || from.Kind == schemas.KindRecord) && !sameType(f.typ, from) {
		r.file.bad(at, fmt.Sprintf("field %s is published as %s, but what is kept here is %s", f.name, typeName(f.typ), typeName(from)),
			"convert the expression in from to the field's type: text(…), number(…), round(…, 2)")
	}
	if k.unique && f.setters > f.kept {
		r.file.bad(at, fmt.Sprintf("field %s is to be unique, but another rule sets it too", f.name), "put everything into from, or leave unique out")
	}
}

// withKey adds the product's key to a text: wine-4711.
func (m *machine) withKey(v schemas.Value) schemas.Value {
	start := len(m.bytes)
	m.bytes = append(m.bytes, v.Bytes...)
	if len(v.Bytes) > 0 {
		m.bytes = append(m.bytes, '-')
	}
	m.bytes = m.appendKeyWord(m.bytes)
	return m.made(start)
}

// endsInKey says whether what stands behind the last hyphen is the product's key.
func (m *machine) endsInKey(text []byte) bool {
	m.scratch = m.appendKeyWord(m.scratch[:0])
	return bytes.Equal(text[bytes.LastIndexByte(text, '-')+1:], m.scratch)
}

// appendKeyWord writes the product's key with small letters and digits only, so that two keys never give the same word and no word has a
// hyphen: digits and capitals as small letters, everything else (and q) as q and two hexadecimal digits a byte. A key without capitals keeps its
// small letters behind qz, which no other word begins with.
func (m *machine) appendKeyWord(dst []byte) []byte {
	var room [64]byte
	key := room[:0]
	for i, c := range m.prog.keyColumns {
		if i > 0 {
			key = append(key, 0x1f)
		}
		key = schemas.AppendCanonical(key, m.in.Root[c])
	}
	small, capital := false, false
	for _, b := range key {
		small = small || b >= 'a' && b <= 'z'
		capital = capital || b >= 'A' && b <= 'Z'
	}
	lower := small && !capital
	if lower {
		dst = append(dst, "qz"...)
	}
	const hex = "0123456789abcdef"
	for _, b := range key {
		switch {
		case b >= '0' && b <= '9', lower && b >= 'a' && b <= 'z' && b != 'q':
			dst = append(dst, b)
		case !lower && b >= 'A' && b <= 'Z' && b != 'Q':
			dst = append(dst, b+'a'-'A')
		default:
			dst = append(dst, 'q', hex[b>>4], hex[b&15])
		}
	}
	return dst
}
