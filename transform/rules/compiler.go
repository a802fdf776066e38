package rules

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"shelfstream/internal/fault"
	"shelfstream/schemas"
)

// code is a compiled expression.
type code struct {
	typ schemas.Type
	// bad is set after a fault has been reported; whatever is built on it stays silent.
	bad bool
	// constant is the value of a literal.
	constant *schemas.Value
	eval     func(m *machine) schemas.Value
	// test is eval for truth values.
	test func(m *machine) tri
	pos  int
}

func null(*machine) schemas.Value { return schemas.Null }

var badCode = &code{bad: true, eval: null, test: func(*machine) tri { return unknown }}

// field is a field of the product while rules are being compiled, and its slot at run time.
type field struct {
	name string
	typ  schemas.Type
	bad  bool
	// first is the rule that set it first, and the place of its expression, for messages.
	first *rule
	at    site
	// setters counts the places that set it, kept those that are `keep` rules with unique.
	setters, kept int
}

// scope is a row at hand: of a child, a lookup, a list, or the made row of a vat rule.
type scope struct {
	// input is what explain calls it; empty for a row that is made on the way.
	input   string
	columns []schemas.Column
	depth   int
	// prefix goes before a column's name in explain, for lists in fields: "images.".
	prefix string
	// numbered is set where row_number() is known.
	numbered bool
}

// compiler checks the rules one after the other and turns them into closures.
type compiler struct {
	env       *Env
	functions map[string]*function
	faults    *fault.List
	fields    []field
	// visible is how many of fields the rule at hand may read: those of earlier rules.
	visible int
	scopes  []*scope
	rule    *rule
	expr    *expression
	// kept are the slots of fields that `keep` rules name; finally are checks that need the fields' last types.
	kept    []int
	finally []func()
	// final is set by a final rule.
	final bool
}

// bad reports a fault at a part of the expression at hand.
func (c *compiler) bad(n *node, what, fix string) *code {
	c.rule.file.bad(c.expr.origin.at(n.pos), what, fix)
	return badCode
}

func (c *compiler) site(n *node) site { return site{origin: c.expr.origin, pos: n.pos} }

// snip is a part of the expression as it is written, for messages.
func (c *compiler) snip(n *node) string {
	s := strings.Join(strings.Fields(c.expr.src[n.pos:max(n.end, n.pos)]), " ")
	if r := []rune(s); len(r) > 40 {
		s = string(r[:39]) + "…"
	}
	return s
}

// value compiles an expression of the rule at hand; nil (already reported, or not there) gives bad code.
func (c *compiler) value(e *expression) *code {
	if e == nil {
		return badCode
	}
	defer func(old *expression) { c.expr = old }(c.expr)
	c.expr = e
	return c.compile(e.node)
}

// condition compiles an expression that must be a truth value.
func (c *compiler) condition(e *expression) *code {
	if e == nil {
		return badCode
	}
	defer func(old *expression) { c.expr = old }(c.expr)
	c.expr = e
	return c.truth(e.node)
}

// truth compiles a part that must be a truth value.
func (c *compiler) truth(n *node) *code {
	k := c.compile(n)
	if k.bad || k.typ.Kind == schemas.KindBool {
		return k
	}
	if k.typ.Kind == schemas.KindNull {
		return &code{typ: boolType, eval: null, test: func(*machine) tri { return unknown }, pos: n.pos}
	}
	var fix string
	switch {
	case isNumber(k.typ):
		fix = fmt.Sprintf("write %s <> 0, or what you mean by it", c.snip(n))
	case k.typ.Kind == schemas.KindArray:
		fix = fmt.Sprintf("write count(%s) > 0", c.snip(n))
	default:
		fix = fmt.Sprintf("write %s is not null, or a comparison", c.snip(n))
	}
	return c.bad(n, fmt.Sprintf("%s is %s, a condition is wanted", c.snip(n), typeName(k.typ)), fix)
}

// inScope runs f with a row at hand.
func (c *compiler) inScope(s *scope, f func()) {
	if s.depth = len(c.scopes); s.depth >= maxScopes {
		c.rule.file.bad(c.rule.at, "rows inside rows are nested too deeply", "set a field in an earlier rule and use that")
		s.depth = maxScopes - 1
	}
	c.scopes = append(c.scopes, s)
	f()
	c.scopes = c.scopes[:len(c.scopes)-1]
}

// field gives the slot of a field that the rule at hand sets, and widens its type to hold k.
func (c *compiler) field(name string, k *code, at site) int {
	i := slices.IndexFunc(c.fields, func(f field) bool { return f.name == name })
	if i < 0 {
		c.fields = append(c.fields, field{name: name, typ: k.typ, bad: k.bad, first: c.rule, at: at, setters: 1})
		return len(c.fields) - 1
	}
	f := &c.fields[i]
	f.setters++
	if k.bad || f.bad {
		f.bad = true
		return i
	}
	t, ok := unify(f.typ, k.typ)
	if !ok {
		c.rule.file.bad(at.origin.at(at.pos), fmt.Sprintf("field %s becomes %s here, but rule %s makes it %s", name, typeName(k.typ), f.first.name, typeName(f.typ)),
			"convert one of them, or use another field")
		f.bad = true
		return i
	}
	f.typ = t
	return i
}

// fieldSet is a map of fields and expressions as it stands in a file.
type fieldSet []struct {
	name string
	at   place
	expr *expression
}

// assigns compiles a map of fields. Fields that the view's key names may only be set to themselves.
func (c *compiler) assigns(set fieldSet) []assign {
	var out []assign
	for _, s := range set {
		k := c.value(s.expr)
		if a, ok := c.assign(s.name, s.at, k, s.expr); ok {
			out = append(out, a)
		}
	}
	return out
}

func (c *compiler) assign(name string, at place, k *code, e *expression) (assign, bool) {
	if c.isKey(name) {
		if e == nil || e.node.kind != nodeName || e.node.name != name || e.node.scope != "" && e.node.scope != "root" || len(c.scopes) > 0 {
			c.rule.file.bad(at, fmt.Sprintf("%s is the view's key and always its column; no rule can set it", name), "choose another name for the field")
		}
		return assign{}, false
	}
	var o *origin
	if e != nil {
		o = e.origin
	} else {
		o = &origin{file: c.rule.file, start: at}
	}
	return assign{slot: c.field(name, k, site{o, k.pos}), code: k, expr: e}, e != nil
}

func (c *compiler) isKey(name string) bool { return slices.Contains(c.env.Key, name) }

// readFields reads a map of fields and expressions.
func (f *file) readFields(n *yaml.Node, what string) fieldSet {
	if n == nil {
		return nil
	}
	var out fieldSet
	for _, e := range f.entries(n, what) {
		out = append(out, struct {
			name string
			at   place
			expr *expression
		}{e.name, place{e.key.Line, e.key.Column}, f.expr(e.value)})
	}
	if len(out) == 0 && n.Kind == yaml.MappingNode {
		f.badNode(n, what+" is empty", "write field: expression")
	}
	return out
}
