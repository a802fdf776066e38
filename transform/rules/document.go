package rules

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"shelfstream/internal/fault"
)

// file is a rule file being read. Everything wrong with it goes into faults.
type file struct {
	name, layer string
	lines       []string
	faults      *fault.List
}

// expression is a scalar of a rule file that holds an expression.
type expression struct {
	src    string
	origin *origin
	node   *node
}

func (f *file) bad(p place, what, fix string) {
	f.faults.Add(&fault.Fault{Class: fault.Config, Where: f.where(p), What: what, Fix: fix})
}

func (f *file) badNode(n *yaml.Node, what, fix string) {
	f.bad(place{n.Line, n.Column}, what, fix)
}

// readFile parses YAML and gives its top node, nil if the file is empty or broken.
func readFile(src Source, faults *fault.List) (*file, *yaml.Node) {
	data := bytes.TrimPrefix(src.Data, []byte("\ufeff"))
	f := &file{name: src.Name, layer: src.Layer, faults: faults}
	for line := range strings.SplitSeq(string(data), "\n") {
		f.lines = append(f.lines, strings.TrimSuffix(line, "\r"))
	}
	d := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	if err := d.Decode(&doc); err != nil {
		if !errors.Is(err, io.EOF) {
			f.badYAML(err)
		}
		return f, nil
	}
	var second yaml.Node
	if err := d.Decode(&second); err == nil {
		f.badNode(&second, "a rule file is one YAML document", "remove the --- line, or make two files")
	} else if !errors.Is(err, io.EOF) {
		f.badYAML(err)
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) == 0 {
		return f, nil
	}
	return f, doc.Content[0]
}

func (f *file) badYAML(err error) {
	line, what := fault.YAMLError(err)
	fix := "correct the YAML; indent with spaces, and put a text with a special character in quotes"
	if strings.Contains(what, "mapping values are not allowed") {
		fix = "put an expression that holds `: ` in quotes"
	}
	if strings.Contains(what, "unexpected end of stream") {
		fix = "look here and above for a quote or bracket that is not closed"
	}
	if strings.Contains(what, "cannot start any token") {
		fix = "put an expression that begins with ` or % or @ in quotes, and indent with spaces"
	}
	f.bad(place{max(line, 1), 1}, "this is no YAML: "+what, fix)
}

// resolved follows an alias to what it stands for.
func resolved(n *yaml.Node) *yaml.Node {
	for n != nil && n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

func isNullNode(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// entry is one key of a mapping.
type entry struct {
	name       string
	key, value *yaml.Node
}

// entries gives the keys of a mapping in file order; what names it in messages.
func (f *file) entries(n *yaml.Node, what string) []entry {
	if n.Kind != yaml.MappingNode {
		f.badNode(n, fmt.Sprintf("%s must be a map", what), "write `key: value` lines, or { key: value }")
		return nil
	}
	var out []entry
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := resolved(n.Content[i])
		if key.Kind != yaml.ScalarNode {
			f.badNode(key, fmt.Sprintf("a key of %s must be a word", what), "write `key: value`; put an expression that begins with [ or { in quotes")
			continue
		}
		if slices.ContainsFunc(out, func(e entry) bool { return e.name == key.Value }) {
			f.badNode(key, fmt.Sprintf("%s stands twice in %s", key.Value, what), "remove one of the two")
			continue
		}
		out = append(out, entry{name: key.Value, key: key, value: resolved(n.Content[i+1])})
	}
	return out
}

// object is a mapping with a fixed set of keys.
type object struct {
	f       *file
	n       *yaml.Node
	what    string
	entries []entry
	// meant are the keys that unknown ones are likely to be misspellings of.
	meant []string
}

// object reads a mapping; keys that are not allowed are faults.
func (f *file) object(n *yaml.Node, what string, allowed ...string) *object {
	o := &object{f: f, n: n, what: what}
	for _, e := range f.entries(n, what) {
		if !slices.Contains(allowed, e.name) {
			f.badNode(e.key, fmt.Sprintf("unknown key %q in %s", e.name, what), didYouMean(e.name, allowed, "the keys are "+strings.Join(allowed, ", ")))
			o.meant = append(o.meant, nearest(e.name, allowed))
			continue
		}
		o.entries = append(o.entries, e)
	}
	return o
}

// get is the value of a key, nil if it is not there.
func (o *object) get(key string) *yaml.Node {
	for _, e := range o.entries {
		if e.name == key {
			return e.value
		}
	}
	return nil
}

// need is the value of a key that must be there.
func (o *object) need(key, example string) *yaml.Node {
	n := o.get(key)
	if n == nil && o.n.Kind == yaml.MappingNode && !slices.Contains(o.meant, key) {
		o.f.badNode(o.n, fmt.Sprintf("%s has no `%s`", o.what, key), "add "+example)
	}
	return n
}

// word reads a scalar as plain text.
func (f *file) word(n *yaml.Node, what string) string {
	if n == nil {
		return ""
	}
	if n.Kind != yaml.ScalarNode || n.Value == "" {
		f.badNode(n, what+" must be a word", "write one word or text")
		return ""
	}
	return n.Value
}

// list reads a sequence; a single scalar is a list of one.
func (f *file) list(n *yaml.Node, what string) []*yaml.Node {
	if n == nil {
		return nil
	}
	if n.Kind == yaml.ScalarNode && !isNullNode(n) {
		return []*yaml.Node{n}
	}
	if n.Kind != yaml.SequenceNode {
		f.badNode(n, what+" must be a list", "write [a, b]")
		return nil
	}
	out := make([]*yaml.Node, len(n.Content))
	for i := range n.Content {
		out[i] = resolved(n.Content[i])
	}
	return out
}

// expr reads a scalar as an expression; nil if there is none or it is broken.
func (f *file) expr(n *yaml.Node) *expression {
	if n == nil {
		return nil
	}
	if n.Kind != yaml.ScalarNode {
		f.badNode(n, "an expression is wanted here", "write one expression; one that begins with [ or { stands in quotes")
		return nil
	}
	e := &expression{src: n.Value, origin: f.scalarOrigin(n)}
	var err *problem
	if e.node, err = parseExpr(e.src); err != nil {
		f.bad(e.origin.at(err.pos), err.what, f.remedy(n, e.origin, err))
		return nil
	}
	return e
}

// remedy adds to a problem at the end of a plain scalar what may have ended it too early: inside { } and [ ] a comma does.
func (f *file) remedy(n *yaml.Node, o *origin, p *problem) string {
	end := o.spots[len(o.spots)-1]
	line := f.line(end.line)
	rest := strings.TrimLeft(line[min(end.byteCol, len(line)):], " \t")
	if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0 || p.pos < len(n.Value) || !strings.HasPrefix(rest, ",") {
		return p.fix
	}
	return p.fix + "; inside { } a comma ends the value: quote the expression, or write the mapping on lines of its own"
}

// orderKeys reads a list of "expression [asc|desc]".
func (f *file) orderKeys(n *yaml.Node) []orderBy {
	var out []orderBy
	for _, item := range f.list(n, "order") {
		if item.Kind != yaml.ScalarNode {
			f.badNode(item, "an expression is wanted here", "write order: [valid_from desc, price]")
			continue
		}
		o := f.scalarOrigin(item)
		k, err := parseOrderKey(item.Value)
		if err != nil {
			f.bad(o.at(err.pos), err.what, f.remedy(item, o, err))
			continue
		}
		out = append(out, orderBy{key: k, expr: &expression{src: item.Value, origin: o, node: k.expr}})
	}
	return out
}

// orderBy is an order key with the scalar it stands in.
type orderBy struct {
	key  orderKey
	expr *expression
}
