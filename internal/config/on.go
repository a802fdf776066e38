package config

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Pair is one column of a child or a lookup, and where the value comes from that it must have.
type Pair struct {
	Column string // of the child or the lookup table
	// Root is a column of the root table; with Lookup, of that lookup or child of the view.
	Root   string
	Lookup string
	// Fold compares both as folded texts: case and white space make no difference. Of lookups only.
	Fold bool
	// Constant, if it is not nil, is the value itself.
	Constant *string
}

// On is how a child or a lookup is joined to its root.
type On []Pair

// Columns lists the child's or lookup's columns.
func (o On) Columns() []string {
	out := make([]string, len(o))
	for i, p := range o {
		out[i] = p.Column
	}
	return out
}

// Roots lists the root's columns.
func (o On) Roots() []string {
	out := make([]string, 0, len(o))
	for _, p := range o {
		if p.Lookup == "" && p.Constant == nil {
			out = append(out, p.Root)
		}
	}
	return out
}

func (o *On) decodeNode(d *decoder, n *yaml.Node, path string) {
	const fix = "write a column that both tables have, a list of them, or {child_column: root_column}"
	switch {
	case isNull(n): // reported as missing
	case n.Kind == yaml.ScalarNode:
		*o = On{{Column: n.Value, Root: n.Value}}
	case n.Kind == yaml.SequenceNode:
		for _, c := range n.Content {
			if c.Kind != yaml.ScalarNode || isNull(c) {
				d.fail(c, path, "wants a column, and there is "+describe(c), fix)
				continue
			}
			*o = append(*o, Pair{Column: c.Value, Root: c.Value})
		}
	case d.mapping(n, path):
		for i := 0; i+1 < len(n.Content); i += 2 {
			if p, ok := decodePair(d, n.Content[i], n.Content[i+1], path); ok {
				*o = append(*o, p)
			}
		}
	}
}

var pairKeys = []string{"value", "column", "from", "fold"}

// decodePair reads one pair of a mapping: "column: root_column", "column: lookup.column", "column: child.column", "column: {value: NO}", or
// "column: {column: a.b}" for a column of the root whose name has a dot; {column: a, fold: true} and {from: child.column, fold: true} compare folded texts.
func decodePair(d *decoder, k, v *yaml.Node, path string) (Pair, bool) {
	p := Pair{Column: k.Value}
	if v.Kind == yaml.ScalarNode && !isNull(v) {
		if lookup, column, dotted := strings.Cut(v.Value, "."); dotted && lookup != "" && column != "" {
			p.Lookup, p.Root = lookup, column
		} else {
			p.Root = v.Value
		}
		return p, true
	}
	const fix = "write a column of the root, lookup.column, {value: constant}, or {column: name, fold: true}"
	if v.Kind != yaml.MappingNode || len(v.Content) == 0 {
		d.fail(v, path, "wants a column of the root, and there is "+describe(v), fix)
		return p, false
	}
	for i := 0; i+1 < len(v.Content); i += 2 {
		key, value := v.Content[i], v.Content[i+1]
		at := join(join(path, k.Value), key.Value)
		switch {
		case !slices.Contains(pairKeys, key.Value):
			d.unknown(key, join(path, k.Value), pairKeys)
			return p, false
		case value.Kind != yaml.ScalarNode || isNull(value):
			d.fail(value, at, "wants a text, and there is "+describe(value), fix)
			return p, false
		case key.Value == "value":
			p.Constant = &value.Value
		case key.Value == "column":
			p.Root = value.Value
		case key.Value == "from":
			lookup, column, _ := strings.Cut(value.Value, ".")
			if lookup == "" || column == "" {
				d.fail(value, at, "wants a lookup's or a child's column, and there is "+describe(value), "write from: lookup.column, or column: name for one of the root")
				return p, false
			}
			p.Lookup, p.Root = lookup, column
		case value.Value != "true" && value.Value != "false":
			d.fail(value, at, "wants true or false, and there is "+describe(value), "write fold: true")
			return p, false
		default:
			p.Fold = value.Value == "true"
		}
	}
	if (p.Constant == nil) == (p.Root == "") {
		d.fail(v, join(path, k.Value), "wants a column or a value, one of them", fix)
		return p, false
	}
	return p, true
}

func (o On) printNode(*printer, string) *yaml.Node {
	same := true
	list := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
	pairs := &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}
	for _, p := range o {
		same = same && p.Column == p.Root && p.Lookup == "" && p.Constant == nil && !p.Fold
		list.Content = append(list.Content, text(p.Column))
		switch {
		case p.Fold:
			m := one("column", p.Root)
			switch {
			case p.Constant != nil:
				m = one("value", *p.Constant)
			case p.Lookup != "":
				m = one("from", p.Lookup+"."+p.Root)
			}
			add(m, "fold", &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: "true"})
			add(pairs, p.Column, m)
		case p.Constant != nil:
			add(pairs, p.Column, one("value", *p.Constant))
		case p.Lookup != "":
			add(pairs, p.Column, text(p.Lookup+"."+p.Root))
		case strings.Contains(p.Root, "."):
			add(pairs, p.Column, one("column", p.Root))
		default:
			add(pairs, p.Column, text(p.Root))
		}
	}
	switch {
	case same && len(o) == 1:
		return list.Content[0]
	case same:
		return orNil(list)
	}
	return pairs
}

// one is a mapping of one key.
func one(key, value string) *yaml.Node {
	m := &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}
	add(m, key, text(value))
	return m
}

func (o On) schema(*generator) object {
	name := object{"type": "string"}
	constant := object{"type": orNumber("string")}
	value := object{"oneOf": []object{
		name,
		{"type": "object", "properties": object{"value": constant, "column": name, "from": name, "fold": object{"type": "boolean"}}, "additionalProperties": false, "oneOf": []object{{"required": []string{"value"}}, {"required": []string{"column"}}, {"required": []string{"from"}}}},
	}}
	return object{"oneOf": []object{
		name,
		{"type": "array", "items": name, "minItems": 1},
		{"type": "object", "additionalProperties": value, "minProperties": 1},
	}}
}
