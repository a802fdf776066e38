package rules

import (
	"fmt"

	"go.yaml.in/yaml/v3"

	"shelfstream/schemas"
)

// addRule puts records behind those of a list that an earlier rule made: one (the freight among an order's lines, what is left to its total), or with
// `from` one for each chosen row (a discount for each rate of VAT).
type addRule struct {
	choosing
	per  []*expression
	rows bool
	to   *yaml.Node
	set  fieldSet
}

func parseAdd(f *file, n *yaml.Node) kind {
	o := f.object(n, "add", keysOf("add")...)
	k := &addRule{to: o.need("to", "to: lines, a list that an earlier rule made"), rows: o.get("from") != nil}
	f.word(k.to, "the list")
	if k.rows {
		k.choosing = f.choosing(o, "from")
		for _, p := range f.list(o.get("per"), "per") {
			if e := f.expr(p); e != nil {
				k.per = append(k.per, e)
			}
		}
	} else {
		for _, key := range []string{"where", "valid", "order", "per"} {
			if at := o.get(key); at != nil {
				f.badNode(at, key+" chooses rows, and there is no from", "add from, or write the condition as the rule's when")
			}
		}
	}
	k.set = f.readFields(o.need("set", "set: { member: expression }"), "the record")
	return k
}

func (k *addRule) compile(c *compiler) func(m *machine) {
	if k.to == nil || k.to.Value == "" {
		return nil
	}
	name, at := k.to.Value, place{k.to.Line, k.to.Column}
	list := k.list(c, name, at)
	if list == nil {
		return nil
	}
	typ := list.typ
	record := typ.Elem
	var q *query
	var codes []*code
	if k.rows {
		var per []sortKey
		q = c.open(k.choosing, true, func(*source) {
			per = (&listRule{per: k.per}).distinct(c)
			codes = k.members(c, name, record)
		})
		if q == nil {
			return nil
		}
		q.per = per
	} else {
		codes = k.members(c, name, record)
	}
	here := site{origin: &origin{file: c.rule.file, start: at}}
	slot := c.field(name, &code{typ: typ}, here)
	return func(m *machine) {
		mark, base := m.trace.mark(), len(m.temp)
		m.temp = append(m.temp, m.fields[slot].List...)
		one := func() {
			start := len(m.values)
			for i, code := range codes {
				v := schemas.Null
				if code != nil {
					v = m.fit(code.eval(m), &record.Fields[i].Type, here, record.Fields[i].Name)
				}
				m.values = append(m.values, v)
			}
			end := len(m.values)
			m.temp = append(m.temp, schemas.Value{Kind: schemas.KindRecord, List: m.values[start:end:end]})
		}
		if q == nil {
			one()
		} else {
			number := int64(0)
			q.sorted(m, 0, func(int) bool {
				number++
				m.frames[q.depth].number = number
				one()
				return true
			})
		}
		start := len(m.values)
		m.values = append(m.values, m.temp[base:]...)
		m.temp = m.temp[:base]
		v := schemas.Value{Kind: schemas.KindArray, List: m.values[start:len(m.values):len(m.values)]}
		m.trace.step(m, slot, v, at.line, mark)
		m.fields[slot] = v
	}
}

// list finds the field that the records are added to; nil after a fault.
func (k *addRule) list(c *compiler, name string, at place) *field {
	var lists []string
	for i := range c.fields[:c.visible] {
		f := &c.fields[i]
		if f.bad && f.name == name {
			return nil
		}
		if f.bad || f.typ.Kind != schemas.KindArray || f.typ.Elem == nil || f.typ.Elem.Kind != schemas.KindRecord {
			continue
		}
		if f.name == name {
			return f
		}
		lists = append(lists, f.name)
	}
	c.rule.file.bad(at, fmt.Sprintf("there is no list %s that an earlier rule has made", name), didYouMean(name, lists, "make it with a list rule that stands above"))
	return nil
}

// members compiles the record in the order of the list's members; those that are not set are nil.
func (k *addRule) members(c *compiler, name string, record *schemas.Type) []*code {
	codes := make([]*code, len(record.Fields))
	for _, s := range k.set {
		v := c.value(s.expr)
		i := columnIndex(record.Fields, s.name)
		if i < 0 {
			c.rule.file.bad(s.at, fmt.Sprintf("the records of %s have no member %s", name, s.name), didYouMean(s.name, columnNames(record.Fields), "set it in the rule that makes the list"))
			continue
		}
		if v.bad {
			continue
		}
		have := record.Fields[i].Type
		t, ok := unify(have, published(v.typ))
		// A record that a list has already cannot become wider: what is added has to fit.
		if !ok || t.Kind != have.Kind || t.Bits != have.Bits || t.Scale != have.Scale || (t.Precision == 0) != (have.Precision == 0) {
			c.rule.file.bad(s.at, fmt.Sprintf("%s is %s here, but %s in %s", s.name, typeName(v.typ), typeName(have), name), "convert it: text(…), int(…), round(…, 2)")
			continue
		}
		codes[i] = v
	}
	return codes
}
