package rules

import (
	"fmt"
	"slices"
	"strings"

	"shelfstream/internal/fault"
	"shelfstream/schemas"
)

// scopeWords stand before a point and say where a name is looked for.
var scopeWords = []string{"row", "outer", "field", "root", "rows"}

// name compiles a reference to a column or field.
func (c *compiler) name(n *node) *code {
	switch n.scope {
	case "":
		return c.bareName(n)
	case "row":
		return c.rowName(n, 1, "there is no row at hand here", "row.x is for expressions over rows: pick, list, text, vat and aggregates")
	case "outer":
		return c.rowName(n, 2, "there is no outer row here", "outer.x is for an aggregate inside pick, list, text or vat")
	case "field":
		if i := c.visibleField(n.name); i >= 0 {
			return c.fieldCode(n, i)
		}
		return c.unknownField(n)
	case "root":
		if i := c.env.Root.Column(n.name); i >= 0 {
			return c.rootCode(n, i)
		}
		return c.bad(n, fmt.Sprintf("the root table has no column %s", n.name), didYouMean(n.name, columnNames(c.env.Root.Columns), "name one of its columns"))
	}
	return c.lookupName(n)
}

func (c *compiler) bareName(n *node) *code {
	for _, s := range slices.Backward(c.scopes) {
		if col := columnIndex(s.columns, n.name); col >= 0 {
			return c.rowCode(s, n, col)
		}
	}
	if i := c.visibleField(n.name); i >= 0 {
		return c.fieldCode(n, i)
	}
	if i := c.env.Root.Column(n.name); i >= 0 {
		return c.rootCode(n, i)
	}
	return c.unknownName(n)
}

// unknownName finds out what may have been meant.
func (c *compiler) unknownName(n *node) *code {
	what := "unknown name " + n.name
	if c.expr.origin.quoted && c.expr.node == n {
		what += " (the quotes around it are YAML's)"
	}
	if s := c.sourceNamed(n.name); s != nil {
		return c.bad(n, fmt.Sprintf("%s has rows, not one value", n.name), fmt.Sprintf("choose: first(%s, column order …), max_of(%s, column), sum(%s, column), count(%s)", n.name, n.name, n.name, n.name))
	}
	if c.functions[n.name] != nil {
		return c.bad(n, fmt.Sprintf("%s is a function", n.name), "write "+c.functions[n.name].signature)
	}
	if i := slices.IndexFunc(c.fields[c.visible:], func(f field) bool { return f.name == n.name }); i >= 0 {
		return c.bad(n, fmt.Sprintf("field %s is set by this same rule", n.name), "a rule sees what earlier rules set: move this expression to a rule of its own below")
	}
	if fix, ok := foreignWords[n.name]; ok {
		return c.bad(n, what, fix)
	}
	if l := strings.ToLower(n.name); keywords[l] {
		return c.bad(n, what, "keywords are lower-case: "+l)
	}
	fix := didYouMean(n.name, c.names(), "name a column of the root table, a field of an earlier rule, or a lookup's column as <lookup>.<column>")
	if c.expr.origin.quoted && c.expr.node == n {
		fix = fmt.Sprintf("a text is written \"'%s'\", with quotes inside YAML's; otherwise %s", n.name, fix)
	}
	return c.bad(n, what, fix)
}

// foreignWords are names that people bring from elsewhere.
var foreignWords = map[string]string{
	"yes": "write true", "on": "write true", "off": "write false", "nil": "write null", "None": "write null", "NULL": "write null",
	"now": "write today(): a result may change with the day, not with every instant", "current_date": "write today()",
}

// names lists everything a bare name can mean here, nearest scope first.
func (c *compiler) names() []string {
	var out []string
	for _, s := range slices.Backward(c.scopes) {
		out = append(out, columnNames(s.columns)...)
	}
	for _, f := range c.fields[:c.visible] {
		out = append(out, f.name)
	}
	return append(out, columnNames(c.env.Root.Columns)...)
}

func (c *compiler) rowName(n *node, back int, what, fix string) *code {
	if len(c.scopes) < back {
		return c.bad(n, what, fix)
	}
	s := c.scopes[len(c.scopes)-back]
	if i := columnIndex(s.columns, n.name); i >= 0 {
		return c.rowCode(s, n, i)
	}
	return c.bad(n, fmt.Sprintf("the row at hand has no column %s", n.name), didYouMean(n.name, columnNames(s.columns), "name one of its columns"))
}

func (c *compiler) visibleField(name string) int {
	return slices.IndexFunc(c.fields[:c.visible], func(f field) bool { return f.name == name })
}

func (c *compiler) unknownField(n *node) *code {
	var names []string
	for _, f := range c.fields[:c.visible] {
		names = append(names, f.name)
	}
	return c.bad(n, fmt.Sprintf("no earlier rule sets a field %s", n.name), didYouMean(n.name, names, "set it in a rule above this one"))
}

// lookupName compiles <lookup>.<column>.
func (c *compiler) lookupName(n *node) *code {
	at := slices.IndexFunc(c.env.Lookups, func(l Lookup) bool { return l.Name == n.scope })
	if at < 0 {
		if s := c.sourceNamed(n.scope); s != nil {
			return c.bad(n, fmt.Sprintf("%s has rows, not one value", n.scope), fmt.Sprintf("choose one: first(%s, %s order …)", n.scope, n.name))
		}
		var words []string
		for _, l := range c.env.Lookups {
			words = append(words, l.Name)
		}
		return c.bad(n, "there is no lookup "+n.scope, didYouMean(n.scope, append(words, scopeWords...), "name a lookup of the view"))
	}
	l := &c.env.Lookups[at]
	if l.Many {
		return c.bad(n, fmt.Sprintf("several rows of %s can match, so %s is not one value", l.Name, n.name), fmt.Sprintf("choose one: first(%s, %s order …)", l.Name, n.name))
	}
	col := l.Table.Column(n.name)
	if col < 0 {
		return c.bad(n, fmt.Sprintf("lookup %s has no column %s", l.Name, n.name), didYouMean(n.name, columnNames(l.Table.Columns), "name one of its columns"))
	}
	site, input, column, required := c.site(n), l.Name, n.name, l.Required
	typ := l.Table.Columns[col].Type
	return c.made(n, typ, guarded(typ, site, column, func(m *machine) schemas.Value {
		rows := m.in.Lookups[at]
		if len(rows) == 0 {
			if required {
				return m.failAs(fault.RulesRowMissing, site, fmt.Sprintf("%s has no row for %s", input, m.soughtBy(l)), fmt.Sprintf("add the row to %s; the product is tried again when it arrives", input))
			}
			return schemas.Null
		}
		v := cell(rows[0], col)
		if m.trace != nil {
			m.trace.use(input, 0, column, v)
		}
		return v
	}))
}

// soughtBy names the values by which a lookup is found: "vat_code 'X'".
func (m *machine) soughtBy(l *Lookup) string {
	var parts []string
	for _, name := range l.On {
		if i := m.prog.env.Root.Column(name); i >= 0 {
			parts = append(parts, name+" "+display(m.in.Root[i]))
		}
	}
	if len(parts) == 0 {
		return "this product"
	}
	return strings.Join(parts, ", ")
}

func (c *compiler) rootCode(n *node, col int) *code {
	name, typ := c.env.Root.Columns[col].Name, c.env.Root.Columns[col].Type
	return c.made(n, typ, guarded(typ, c.site(n), name, func(m *machine) schemas.Value {
		v := m.in.Root[col]
		if m.trace != nil {
			m.trace.use("root", 0, name, v)
		}
		return v
	}))
}

func (c *compiler) fieldCode(n *node, slot int) *code {
	f := c.fields[slot]
	if f.bad {
		return badCode
	}
	return c.made(n, f.typ, func(m *machine) schemas.Value {
		v := m.fields[slot]
		if m.trace != nil {
			m.trace.use("field", 0, f.name, v)
		}
		return v
	})
}

// rowCode reads a column of the row at hand.
func (c *compiler) rowCode(s *scope, n *node, col int) *code {
	depth, input, name, typ := s.depth, s.input, s.prefix+s.columns[col].Name, s.columns[col].Type
	return c.made(n, typ, guarded(typ, c.site(n), name, func(m *machine) schemas.Value {
		f := &m.frames[depth]
		v := cell(f.row, col)
		if m.trace != nil && input != "" {
			m.trace.use(input, f.index, name, v)
		}
		return v
	}))
}

// cell is a column of a row; rows of lists may be null and then have none.
func cell(row []schemas.Value, col int) schemas.Value {
	if col >= len(row) {
		return schemas.Null
	}
	return row[col]
}

// guarded stops a product whose unconstrained numeric column holds NaN or an infinity: no shop can show it.
func guarded(t schemas.Type, at site, column string, eval func(m *machine) schemas.Value) func(m *machine) schemas.Value {
	if !unconstrained(t) {
		return eval
	}
	return func(m *machine) schemas.Value {
		v := eval(m)
		if v.IsSpecial() {
			return m.fail(at, fmt.Sprintf("column %s holds %s, which is no number", column, v.String()), "correct the value in the source")
		}
		return v
	}
}

func columnIndex(columns []schemas.Column, name string) int {
	return slices.IndexFunc(columns, func(c schemas.Column) bool { return c.Name == name })
}

func columnNames(columns []schemas.Column) []string {
	out := make([]string, len(columns))
	for i := range columns {
		out[i] = columns[i].Name
	}
	return out
}
