package render

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/template/parse"

	"shelfstream/internal/fault"
	"shelfstream/schemas"
)

// checker follows what "." and the variables are through a template, as far as that is known without a record, and finds the names that there are not.
type checker struct {
	cfg    *Config
	tree   *parse.Tree
	faults fault.List
}

// unknown is a type that nobody knows before there is a record: anything may be in it.
var unknown *schemas.Type

type scope struct {
	dot  *schemas.Type
	vars map[string]*schemas.Type
}

func (c *checker) root(whole bool) {
	s := scope{dot: unknown, vars: map[string]*schemas.Type{"$": unknown}}
	if whole { // a {{define}} may be given anything
		t := &schemas.Type{Kind: schemas.KindRecord, Fields: c.cfg.Table.Columns}
		s = scope{dot: t, vars: map[string]*schemas.Type{"$": t}}
	}
	c.node(s, c.tree.Root)
}

func (c *checker) node(s scope, n parse.Node) {
	switch n := n.(type) {
	case *parse.ListNode:
		if n == nil {
			return
		}
		for _, e := range n.Nodes {
			c.node(s, e)
		}
	case *parse.ActionNode:
		c.pipe(s, n.Pipe)
	case *parse.IfNode:
		c.pipe(s, n.Pipe)
		c.node(s, n.List)
		c.node(s, n.ElseList)
	case *parse.WithNode:
		inner := s.inner()
		inner.dot = c.pipe(inner, n.Pipe)
		c.node(inner, n.List)
		c.node(s, n.ElseList)
	case *parse.RangeNode:
		c.ranged(s, n)
	case *parse.TemplateNode:
		if n.Pipe != nil {
			c.pipe(s, n.Pipe)
		}
	}
}

func (s scope) inner() scope {
	vars := make(map[string]*schemas.Type, len(s.vars))
	maps.Copy(vars, s.vars)
	return scope{s.dot, vars}
}

func (c *checker) ranged(s scope, n *parse.RangeNode) {
	inner := s.inner()
	over := c.pipe(scope{s.dot, inner.vars}, n.Pipe)
	elem := unknown
	if over != nil && over.Kind == schemas.KindArray {
		elem = over.Elem
	} else if over != nil {
		c.fail(n.Pos, fmt.Sprintf("range wants a list, and %s is a %s", n.Pipe, over.Kind), "name a list of the view")
	}
	inner.dot = elem
	for i, d := range n.Pipe.Decl {
		t := unknown
		if i == len(n.Pipe.Decl)-1 {
			t = elem
		}
		inner.vars[d.Ident[0]] = t
	}
	c.node(inner, n.List)
	c.node(s, n.ElseList)
}

// pipe checks a pipeline and gives the type of what comes out of it, if that is known.
func (c *checker) pipe(s scope, p *parse.PipeNode) *schemas.Type {
	out := unknown
	for _, cmd := range p.Cmds {
		for _, arg := range cmd.Args {
			out = c.arg(s, arg)
		}
		if len(cmd.Args) > 1 {
			out = unknown
		}
	}
	if len(p.Cmds) > 1 {
		out = unknown
	}
	for _, d := range p.Decl {
		s.vars[d.Ident[0]] = out
	}
	return out
}

func (c *checker) arg(s scope, n parse.Node) *schemas.Type {
	switch n := n.(type) {
	case *parse.DotNode:
		return s.dot
	case *parse.FieldNode:
		return c.field(s.dot, n.Ident, n.Pos, n.String())
	case *parse.VariableNode:
		return c.field(s.vars[n.Ident[0]], n.Ident[1:], n.Pos, n.String())
	case *parse.ChainNode:
		return c.field(c.arg(s, n.Node), n.Field, n.Pos, n.String())
	case *parse.PipeNode:
		return c.pipe(s, n)
	}
	return unknown
}

func (c *checker) field(t *schemas.Type, names []string, at parse.Pos, text string) *schemas.Type {
	for _, name := range names {
		switch {
		case t == nil:
			return unknown
		case t.Kind != schemas.KindRecord:
			c.fail(at, fmt.Sprintf("%s: a %s has no %q in it", text, t.Kind, name), "name a column, or with range and with a column of a list's rows")
			return unknown
		}
		i := slices.IndexFunc(t.Fields, func(f schemas.Column) bool { return f.Name == name })
		if i < 0 {
			if slices.Contains(c.cfg.Extra, name) {
				return unknown
			}
			known := make([]string, len(t.Fields))
			for j := range t.Fields {
				known[j] = t.Fields[j].Name
			}
			c.fail(at, fmt.Sprintf("%s: there is no column %q", text, name), "known here: "+strings.Join(slices.Concat(known, c.cfg.Extra), ", "))
			return unknown
		}
		t = &t.Fields[i].Type
	}
	return t
}

func (c *checker) fail(at parse.Pos, what, fix string) {
	line := 1 + strings.Count(c.cfg.Text[:min(int(at), len(c.cfg.Text))], "\n")
	if strings.Contains(c.cfg.Text, "\n") {
		what = fmt.Sprintf("line %d: %s", line, what)
	}
	c.faults.Add(&fault.Fault{Class: fault.Config, Where: c.cfg.Name, What: what, Fix: fix})
}
