package rules

import (
	"fmt"
	"strconv"

	"go.yaml.in/yaml/v3"

	"shelfstream/schemas"
)

// textRule sets fields from the rows of the preferred languages, each field from the first language that has a text for it.
type textRule struct {
	choosing
	language  *expression
	prefer    []*yaml.Node
	set       fieldSet
	otherwise otherwise
}

func parseText(f *file, n *yaml.Node) kind {
	o := f.object(n, "text", keysOf("text")...)
	k := &textRule{
		choosing: f.choosing(o, "from"), language: f.expr(o.need("language", "language: the column that holds the language")),
		set:       f.readFields(o.need("set", "set: { field: expression over the row }"), "set"),
		otherwise: f.readOtherwise(o.get("otherwise")),
	}
	if p := o.need("prefer", "prefer: [nb, no, en]"); p != nil {
		if k.prefer = f.list(p, "prefer"); len(k.prefer) == 0 && p.Kind == yaml.SequenceNode {
			f.badNode(p, "prefer names no language", "write prefer: [nb, no, en]")
		}
	}
	return k
}

// textField is one field: the code over a row, and what else to set it to.
type textField struct {
	assign
	otherwise *code
	line      int
}

func (k *textRule) compile(c *compiler) func(m *machine) {
	var as []assign
	var language *code
	var codes []schemas.Value
	q := c.open(k.choosing, false, func(*source) {
		as = c.assigns(k.set)
		language = c.value(k.language)
		codes = k.codes(c, language)
	})
	if q == nil || language.bad {
		c.spoil(k.set)
		return nil
	}
	if k.otherwise.reason != "" {
		c.rule.file.badNode(k.otherwise.node, "a text has no fault", "write otherwise: { field: expression }, or ask in a rule of its own")
	}
	k.otherwise.compile(c, k.set)
	fields := make([]textField, 0, len(as))
	for _, a := range as {
		f := textField{assign: a, line: a.expr.origin.at(0).line}
		for _, o := range k.otherwise.fields {
			if o.name == c.fields[a.slot].name {
				f.otherwise = c.value(o.expr)
			}
		}
		fields = append(fields, f)
	}
	compare := comparer(language.typ, language.typ)
	return func(m *machine) {
		base := len(m.temp)
		for i := range fields {
			mark := m.trace.mark()
			v := textIn(m, q, language, codes, compare, &fields[i])
			m.temp = append(m.temp, v)
			m.trace.step(m, fields[i].slot, v, fields[i].line, mark)
		}
		for i := range fields {
			m.fields[fields[i].slot] = m.temp[base+i]
		}
		m.temp = m.temp[:base]
	}
}

// codes converts the preferred languages to the type of the language column.
func (k *textRule) codes(c *compiler, language *code) []schemas.Value {
	if language.bad {
		return nil
	}
	if !isWord(language.typ) {
		c.expr = k.language
		c.bad(k.language.node, fmt.Sprintf("the language is %s", typeName(language.typ)), "use a text or whole number")
		return nil
	}
	var out []schemas.Value
	for _, n := range k.prefer {
		v := schemas.Text(n.Value)
		if language.typ.Kind == schemas.KindInt {
			i, err := strconv.ParseInt(n.Value, 10, 64)
			if err != nil {
				c.rule.file.badNode(n, fmt.Sprintf("%s is no language code: the column holds whole numbers", n.Value), "write the number, such as 47")
				continue
			}
			v = schemas.Int(i)
		} else if n.Kind != yaml.ScalarNode || n.Value == "" {
			c.rule.file.badNode(n, "a language is a word", "write prefer: [nb, no, en]")
			continue
		} else if !c.known(language, &code{constant: &v, typ: textType}, k.language.node) {
			continue
		}
		out = append(out, v)
	}
	return out
}

// textIn gives a field's value in the first preferred language that has one: not null, and not blank if it is text.
func textIn(m *machine, q *query, language *code, codes []schemas.Value, compare func(a, b schemas.Value) int, f *textField) schemas.Value {
	for _, want := range codes {
		found := schemas.Null
		mark := m.trace.mark()
		q.visit(m, func() bool {
			l := language.eval(m)
			if l.Kind == schemas.KindNull || compare(l, want) != 0 {
				m.trace.cut(mark)
				return true
			}
			v := f.code.eval(m)
			if v.Kind == schemas.KindNull || v.Kind == schemas.KindText && len(trimSpace(v.Bytes)) == 0 {
				m.trace.cut(mark)
				return true
			}
			found = v
			return false
		})
		if found.Kind != schemas.KindNull {
			return found
		}
	}
	if f.otherwise == nil {
		return schemas.Null
	}
	return f.otherwise.eval(m)
}

// visit calls f for every chosen row, in order if there is one.
func (q *query) visit(m *machine, f func() (more bool)) {
	if len(q.order) == 0 {
		q.each(m, func(int) bool { return f() })
		return
	}
	q.sorted(m, 0, func(int) bool { return f() })
}
