package rules

import (
	"fmt"
	"strconv"

	"go.yaml.in/yaml/v3"

	"shelfstream/schemas"
)

// listRule sets a field to a list of records, one for each chosen row.
type listRule struct {
	choosing
	per       []*expression
	limit     int
	field     string
	at        place
	set       fieldSet
	otherwise fieldSet
}

func parseList(f *file, n *yaml.Node) kind {
	o := f.object(n, "list", keysOf("list")...)
	k := &listRule{choosing: f.choosing(o, "from")}
	for _, p := range f.list(o.get("per"), "per") {
		if e := f.expr(p); e != nil {
			k.per = append(k.per, e)
		}
	}
	if other := o.get("otherwise"); other != nil {
		k.otherwise = f.readFields(other, "otherwise")
	}
	if l := o.get("limit"); l != nil {
		var err error
		if k.limit, err = strconv.Atoi(l.Value); err != nil || k.limit < 1 {
			f.badNode(l, "limit must be a whole number from 1", "write limit: 20, or leave it out")
		}
	}
	const example = "set: { images: { position: row_number(), url: url } }"
	set := o.need("set", example)
	if set == nil {
		return k
	}
	fields := f.entries(set, "set")
	if len(fields) != 1 {
		if set.Kind == yaml.MappingNode {
			f.badNode(set, "a list sets one field", "write "+example)
		}
		return k
	}
	k.field, k.at = fields[0].name, place{fields[0].key.Line, fields[0].key.Column}
	k.set = f.readFields(fields[0].value, "the record of "+k.field)
	return k
}

func (k *listRule) compile(c *compiler) func(m *machine) {
	if k.field == "" {
		return nil
	}
	record := schemas.Type{Kind: schemas.KindRecord}
	var codes []*code
	var per []sortKey
	q := c.open(k.choosing, true, func(*source) {
		per = k.distinct(c)
		for _, s := range k.set {
			code := c.value(s.expr)
			codes = append(codes, code)
			t := published(code.typ)
			if !code.bad && t.Kind == schemas.KindNull {
				c.rule.file.bad(s.at, fmt.Sprintf("%s is always null, so it has no type", s.name), "leave it out, or write text(null)")
			}
			if !code.bad && (t.Kind == schemas.KindArray || t.Kind == schemas.KindRecord) {
				c.rule.file.bad(s.at, fmt.Sprintf("%s is %s: a list holds no lists", s.name, typeName(t)), "join it to a text, or make a list field of its own")
			}
			c.checkScale(s.at, s.name, t)
			record.Fields = append(record.Fields, schemas.Column{Name: s.name, Type: t, Nullable: true})
		}
	})
	here := site{origin: &origin{file: c.rule.file, start: k.at}}
	if c.isKey(k.field) {
		c.rule.file.bad(k.at, fmt.Sprintf("%s is the view's key and always its column; no rule can set it", k.field), "choose another name for the field")
		return nil
	}
	if q == nil {
		c.field(k.field, badCode, here)
		return nil
	}
	q.per = per
	other := k.recordWithout(c, &record)
	list := &code{typ: schemas.Type{Kind: schemas.KindArray, Elem: &record}}
	slot := c.field(k.field, list, here)
	width, line := len(codes), k.at.line
	limit := k.limit
	return func(m *machine) {
		mark, base := m.trace.mark(), len(m.temp)
		number := int64(0)
		q.sorted(m, limit, func(int) bool {
			number++
			m.frames[q.depth].number = number
			start := len(m.values)
			for i := range codes {
				v := codes[i].eval(m)
				v = m.fit(v, &record.Fields[i].Type, here, record.Fields[i].Name)
				m.values = append(m.values, v)
			}
			m.temp = append(m.temp, schemas.Value{Kind: schemas.KindRecord, List: m.values[start : start+width : start+width]})
			return true
		})
		if len(m.temp) == base && other != nil {
			start := len(m.values)
			for i := range other {
				v := other[i].eval(m)
				m.values = append(m.values, m.fit(v, &record.Fields[i].Type, here, record.Fields[i].Name))
			}
			m.temp = append(m.temp, schemas.Value{Kind: schemas.KindRecord, List: m.values[start : start+width : start+width]})
		}
		start := len(m.values)
		m.values = append(m.values, m.temp[base:]...)
		m.temp = m.temp[:base]
		v := schemas.Value{Kind: schemas.KindArray, List: m.values[start:len(m.values):len(m.values)]}
		m.trace.step(m, slot, v, line, mark)
		m.fields[slot] = v
	}
}

// distinct compiles per; the row's scope is open.
func (k *listRule) distinct(c *compiler) []sortKey {
	var out []sortKey
	for _, e := range k.per {
		c.expr = e
		if key, ok := c.sortKey(orderKey{expr: e.node}); ok {
			out = append(out, key)
		}
	}
	return out
}

// recordWithout compiles the record of a list that has no row, in the order of the list's members; nil if there is none.
func (k *listRule) recordWithout(c *compiler, record *schemas.Type) []*code {
	if k.otherwise == nil {
		return nil
	}
	out := make([]*code, len(k.set))
	for i := range out {
		out[i] = &code{eval: null}
	}
	for _, s := range k.otherwise {
		i := columnIndex(record.Fields, s.name)
		if i < 0 {
			c.rule.file.bad(s.at, fmt.Sprintf("otherwise sets %s, which the list does not have", s.name), didYouMean(s.name, k.set.names(), "set it in both"))
			continue
		}
		v := c.value(s.expr)
		if v.bad {
			continue
		}
		t, ok := unify(record.Fields[i].Type, published(v.typ))
		if !ok || t.Kind == schemas.KindArray || t.Kind == schemas.KindRecord {
			c.rule.file.bad(s.at, fmt.Sprintf("%s is %s here, but %s in the rows", s.name, typeName(v.typ), typeName(record.Fields[i].Type)), "convert one of them")
			continue
		}
		c.checkScale(s.at, s.name, t)
		record.Fields[i].Type, out[i] = t, v
	}
	return out
}
