package casefile

import (
	"fmt"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v3"

	"shelfstream/transform/rules"
)

// Mutant is a rule file with one small thing turned.
type Mutant struct {
	Source rules.Source
	// Rule and Part say where: the rule's name and the path in it, "pick.where".
	Rule, Part string
	// Line is the line of the untouched file.
	Line int
	// Change shows what was turned.
	Change string
}

// Name tells the mutant from the others of its file, whatever lines come and go above it.
func (m Mutant) Name() string { return fmt.Sprintf("%s / %s / %s", m.Rule, m.Part, m.Change) }

// notExpressions are the keys whose values are no expressions.
var notExpressions = []string{"name", "from", "to", "rates", "field", "reason", "is", "because", "before", "after", "disable", "fault"}

// mutator turns one thing after the other in the tree of a file, and puts it back.
type mutator struct {
	src  rules.Source
	top  *yaml.Node
	rule string
	out  []Mutant
	seen map[string]int
}

// Mutants gives every mutant of a rule file: a rule dropped; where, when, valid or order left out; a comparison, a word or a constant turned;
// a case of a status or a language left out.
func Mutants(src rules.Source) ([]Mutant, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(src.Data, &doc); err != nil {
		return nil, fmt.Errorf("read %s: %w", src.Name, err)
	}
	m := &mutator{src: src, top: &doc, seen: map[string]int{}}
	if len(doc.Content) == 0 {
		return nil, nil
	}
	list := valueAt(doc.Content[0], "rules")
	if list == nil {
		return nil, nil
	}
	for _, r := range list.Content {
		if n := valueAt(r, "name"); n != nil && r.Kind == yaml.MappingNode {
			m.rule = n.Value
			m.drop(r)
			m.mapping(r, "")
		}
	}
	return m.out, nil
}

func valueAt(n *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// add writes the file as it is now.
func (m *mutator) add(at *yaml.Node, part, change string) {
	data, err := yaml.Marshal(m.top)
	if err != nil {
		return // a tree that was just parsed can be written
	}
	mutant := Mutant{Source: m.src, Rule: m.rule, Part: part, Line: at.Line, Change: change}
	mutant.Source.Data = data
	m.seen[mutant.Name()]++
	if n := m.seen[mutant.Name()]; n > 1 {
		mutant.Change += " (" + strconv.Itoa(n) + ")"
	}
	m.out = append(m.out, mutant)
}

// drop keeps the rule from ever running; its fields are still there, and null, so that what is built on them compiles.
func (m *mutator) drop(r *yaml.Node) {
	old := r.Content
	without := slices.Clone(old)
	for i := 0; i+1 < len(without); i += 2 {
		if without[i].Value == "when" {
			without = slices.Delete(without, i, i+2)
			break
		}
	}
	r.Content = append(without, scalar("when"), scalar("1 = 0"))
	m.add(r, "rule", "dropped")
	r.Content = old
}

func scalar(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Value: s} }

func (m *mutator) mapping(n *yaml.Node, path string) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		part := key.Value
		if path != "" {
			part = path + "." + part
		}
		switch key.Value {
		case "where", "valid", "when", "order", "otherwise", "limit":
			if key.Value != "when" && path == "" || key.Value == "otherwise" && valueAt(value, "is") != nil || key.Value == "when" && path != "" {
				break
			}
			old := n.Content
			n.Content = slices.Delete(slices.Clone(old), i, i+2)
			m.add(key, part, "left out")
			n.Content = old
		}
		switch {
		case slices.Contains(notExpressions, key.Value):
		case key.Value == "otherwise" && value.Kind == yaml.ScalarNode: // a fault's text
		case key.Value == "prefer" || key.Value == "first":
			m.shorter(value, part)
			if key.Value == "first" {
				m.value(value, part)
			}
		case key.Value == "order":
			m.order(value, part)
		case key.Value == "round" || key.Value == "net_round" || key.Value == "limit":
			m.with(value, part, plusOne(value.Value), value.Value+" → "+plusOne(value.Value))
		default:
			m.value(value, part)
		}
	}
}

// value turns an expression, or what is in a list or map.
func (m *mutator) value(n *yaml.Node, part string) {
	switch n.Kind {
	case yaml.MappingNode:
		m.mapping(n, part)
	case yaml.SequenceNode:
		for i, item := range n.Content {
			m.value(item, fmt.Sprintf("%s[%d]", part, i+1))
		}
		if len(n.Content) == 2 && part[max(0, len(part)-5):] == "valid" {
			for i := range n.Content {
				if n.Content[i].Value == "null" {
					continue
				}
				m.with(n.Content[i], fmt.Sprintf("%s[%d]", part, i+1), "null", "open")
			}
		}
	case yaml.ScalarNode:
		for _, t := range turnExpression(n.Value) {
			m.with(n, part, t.text, t.change)
		}
	default:
	}
}

// with adds a mutant in which a scalar has another value.
func (m *mutator) with(n *yaml.Node, part, text, change string) {
	old := *n
	n.Value, n.Style, n.Tag = text, 0, ""
	if part != "" && old.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.FoldedStyle|yaml.LiteralStyle) != 0 {
		n.Style, n.Tag = yaml.DoubleQuotedStyle, "!!str"
	}
	m.add(&old, part, change)
	*n = old
}

// shorter leaves out one item of a list after the other.
func (m *mutator) shorter(n *yaml.Node, part string) {
	old := n.Content
	for i := range old {
		if len(old) > 1 {
			n.Content = slices.Delete(slices.Clone(old), i, i+1)
			m.add(old[i], fmt.Sprintf("%s[%d]", part, i+1), "left out")
		}
	}
	n.Content = old
}

// order turns the direction of each key and leaves each out.
func (m *mutator) order(n *yaml.Node, part string) {
	m.shorter(n, part)
	for i, k := range n.Content {
		ws := words(k.Value)
		at := fmt.Sprintf("%s[%d]", part, i+1)
		if len(ws) > 0 && ws[len(ws)-1].text == "desc" {
			m.with(k, at, k.Value[:ws[len(ws)-1].start], "ascending")
		} else {
			m.with(k, at, k.Value+" desc", "descending")
		}
	}
}
