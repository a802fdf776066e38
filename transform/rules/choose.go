package rules

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"shelfstream/internal/fault"
)

// choosing is the part that pick, text, vat and list have in common: rows of a source, a condition, a validity and an order.
type choosing struct {
	from  *yaml.Node
	where *expression
	valid []*expression
	order []orderBy
}

func (f *file) choosing(o *object, from string) choosing {
	ch := choosing{from: o.need(from, from+": the child, lookup or list whose rows are meant"), where: f.expr(o.get("where")), order: f.orderKeys(o.get("order"))}
	v := o.get("valid")
	if v == nil {
		return ch
	}
	bounds := f.list(v, "valid")
	if len(bounds) != 2 {
		f.badNode(v, "valid has two ends", "write valid: [valid_from, valid_to]; null stands for an open end")
		return ch
	}
	a, b := f.expr(bounds[0]), f.expr(bounds[1])
	if a != nil && b != nil {
		ch.valid = []*expression{a, b}
	}
	return ch
}

// open compiles the choice, then runs f with the row at hand; nil if anything of the choice is at fault.
func (c *compiler) open(ch choosing, numbered bool, f func(src *source)) *query {
	if ch.from == nil {
		return nil
	}
	e := c.rule.file.expr(ch.from)
	if e == nil {
		return nil
	}
	defer func(old *expression) { c.expr = old }(c.expr)
	c.expr = e
	src := c.source(e.node)
	if src == nil {
		return nil
	}
	before := len(*c.faults)
	q := &query{source: src, depth: len(c.scopes)}
	s := src.scope()
	s.numbered = numbered
	c.inScope(s, func() {
		if ch.where != nil {
			q.where = c.condition(ch.where).test
		}
		q.valid = c.validity(ch.valid)
		for _, o := range ch.order {
			c.expr = o.expr
			k, _ := c.sortKey(o.key)
			q.order = append(q.order, k)
		}
		f(src)
	})
	if len(*c.faults) > before {
		return nil
	}
	return q
}

// otherwise is what happens where no row was chosen: a fault, other values, or null.
type otherwise struct {
	node   *yaml.Node
	reason string
	fields fieldSet
}

// readOtherwise reads `fault "reason"` or a map of fields.
func (f *file) readOtherwise(n *yaml.Node) otherwise {
	o := otherwise{node: n}
	switch {
	case n == nil || isNullNode(n):
	case n.Kind == yaml.MappingNode:
		o.fields = f.readFields(n, "otherwise")
	case n.Kind == yaml.ScalarNode && strings.HasPrefix(n.Value, "fault"):
		reason := strings.TrimSpace(strings.TrimPrefix(n.Value, "fault"))
		if len(reason) < 3 || reason[0] != reason[len(reason)-1] || reason[0] != '"' && reason[0] != '\'' {
			f.badNode(n, "the fault has no reason", `write otherwise: fault "no valid price"`)
			return o
		}
		o.reason = reason[1 : len(reason)-1]
	default:
		f.badNode(n, "otherwise is a map of fields or a fault", `write otherwise: { field: expression }, or otherwise: fault "no valid price"`)
	}
	return o
}

// compile gives what to do without a row: set the fields named here, and the others of set to null.
func (o *otherwise) compile(c *compiler, set fieldSet) func(m *machine) {
	at := c.rule.at
	if o.node != nil {
		at = place{o.node.Line, o.node.Column}
	}
	here := &origin{file: c.rule.file, start: at}
	if o.reason != "" {
		reason := o.reason
		return func(m *machine) {
			m.failAs(fault.RulesRowMissing, site{origin: here}, reason, "add a row that the rule can choose, or change the rule; the product is tried again when its rows change")
		}
	}
	for _, f := range o.fields {
		if !set.has(f.name) {
			c.rule.file.bad(f.at, fmt.Sprintf("otherwise sets %s, which set does not", f.name), didYouMean(f.name, set.names(), "set it in both"))
		}
	}
	as := c.assigns(o.fields)
	// Fields without a value of their own become null: setting them is a step too.
	nothing := &expression{origin: here}
	for _, f := range set {
		if !o.fields.has(f.name) && !c.isKey(f.name) {
			as = append(as, assign{slot: c.field(f.name, &code{eval: null}, site{origin: here}), code: &code{eval: null}, expr: nothing})
		}
	}
	return func(m *machine) { m.assignAll(as) }
}

func (s fieldSet) has(name string) bool {
	for _, f := range s {
		if f.name == name {
			return true
		}
	}
	return false
}

func (s fieldSet) names() []string {
	out := make([]string, len(s))
	for i := range s {
		out[i] = s[i].name
	}
	return out
}

// spoil marks the fields of a rule that is at fault, so that rules that use them stay silent.
func (c *compiler) spoil(set fieldSet) {
	for _, f := range set {
		if !c.isKey(f.name) {
			c.field(f.name, badCode, site{})
		}
	}
}
