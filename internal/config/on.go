package config

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// Pair is one column of a child or a lookup, and where the value comes from that it must have.
type Pair struct {
	Column string // of the child or the lookup table
	// Root is a column of the root table; with Lookup, of that lookup of the view.
	Root   string
	Lookup string
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

// decodePair reads one pair of a mapping: "column: root_column", "column: lookup.column", "column: {value: NO}", or "column: {column: a.b}"
// for a column of the root whose name has a dot.
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
	const fix = "write a column of the root, lookup.column, or {value: constant}"
	if v.Kind != yaml.MappingNode || len(v.Content) != 2 {
		d.fail(v, path, "wants a column of the root, and there is "+describe(v), fix)
		return p, false
	}
	key, value := v.Content[0], v.Content[1]
	switch {
	case key.Value != "value" && key.Value != "column":
		d.unknown(key, join(path, k.Value), []string{"value", "column"})
	case value.Kind != yaml.ScalarNode || isNull(value):
		d.fail(value, join(join(path, k.Value), key.Value), "wants a text, and there is "+describe(value), fix)
	case key.Value == "value":
		p.Constant = &value.Value
		return p, true
	default:
		p.Root = value.Value
		return p, true
	}
	return p, false
}

func (o On) printNode(*printer, string) *yaml.Node {
	same := true
	list := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
	pairs := &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}
	for _, p := range o {
		same = same && p.Column == p.Root && p.Lookup == "" && p.Constant == nil
		list.Content = append(list.Content, text(p.Column))
		switch {
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
		{"type": "object", "properties": object{"value": constant, "column": name}, "additionalProperties": false, "minProperties": 1, "maxProperties": 1},
	}}
	return object{"oneOf": []object{
		name,
		{"type": "array", "items": name, "minItems": 1},
		{"type": "object", "additionalProperties": value, "minProperties": 1},
	}}
}
