package casefile

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"shelfstream/schemas"
)

// edit replaces a part of a file.
type edit struct {
	from, to int
	text     string
}

// updated is the file with what the rules gave in place of what was expected. Only the values that differ are touched, so that comments,
// order and layout stay.
func (f *caseFile) updated(r *Report) ([]byte, bool) {
	s := &source{data: f.doc.data, starts: lineStarts(f.doc.data)}
	var edits []edit
	for i := range r.Failures {
		fail := &r.Failures[i]
		if fail.File != f.doc.name {
			continue
		}
		for k := range fail.Diffs {
			if e, ok := s.edit(fail, &fail.Diffs[k]); ok {
				edits = append(edits, e)
			}
		}
	}
	if len(edits) == 0 {
		return nil, false
	}
	slices.SortFunc(edits, func(a, b edit) int { return cmp.Compare(b.from, a.from) })
	out := slices.Clone(f.doc.data)
	last := len(out) + 1
	for _, e := range edits {
		if e.to > last || e.from == last {
			continue // several steps expect the same place: the first one's result stands
		}
		out = slices.Replace(out, e.from, e.to, []byte(e.text)...)
		last = e.from
	}
	var again yaml.Node
	if err := yaml.Unmarshal(out, &again); err != nil {
		return nil, false // never make a file of what is not YAML; the failure stays in the report
	}
	return out, !bytes.Equal(out, f.doc.data)
}

func (s *source) edit(f *Failure, d *Diff) (edit, bool) {
	st := f.step
	switch {
	case d.rule:
		return edit{}, false
	case d.Field == "wake":
		return edit{s.start(st.wake.node), s.end(st.wake.node), st.when(f.got.wake)}, true
	case d.whole:
		return s.outcome(f)
	case st.same:
		// The step has no expectation of its own to write to.
		return edit{}, false
	}
	n := d.want.node
	from, to := s.start(n), s.end(n)
	block := d.want.isRow && n.Style&yaml.FlowStyle == 0
	return edit{from, to, s.value(n, d.value, d.typ, block)}, true
}

// value writes a value where a node stands; a list in block style gets a line for each row.
func (s *source) value(n *yaml.Node, v schemas.Value, t *schemas.Type, block bool) string {
	node := nodeOf(v, t)
	if !block || len(node.Content) == 0 {
		return flow(node)
	}
	lines := make([]string, len(node.Content))
	for i, row := range node.Content {
		lines[i] = "- " + flow(row)
	}
	return strings.Join(lines, "\n"+strings.Repeat(" ", n.Column-1))
}

// outcome rewrites what became of a product: fields, "left out", "gone", or a fault.
func (s *source) outcome(f *Failure) (edit, bool) {
	p := f.step.expect
	if p.key == nil {
		return edit{}, false
	}
	e := edit{from: s.start(p.key), to: s.end(p.key) + 1}
	if !isNull(p.value) || len(p.value.Value) > 0 {
		e.to = s.end(p.value)
	}
	switch f.got.kind {
	case isLeftOut, isGone:
		e.text = "expect: " + f.got.word()
	case isFault:
		e.text = "fault: " + flow(&yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: withoutPlace(f.got.fault)})
	case isProduct:
		e.text = "expect:" + s.fields(f, p.key)
	}
	return e, true
}

// withoutPlace is a fault's text without the rule's file and line, which change with every line above them, and without its remedy.
func withoutPlace(text string) string {
	if _, what, ok := strings.Cut(text, " rule "); ok {
		if _, rest, ok := strings.Cut(what, ": "); ok {
			text = rest
		}
	}
	what, _, _ := strings.Cut(text, " (fix: ")
	return what
}

// fields writes all fields of a product, each on a line below the key; inside braces all on one line.
func (s *source) fields(f *Failure, key *yaml.Node) string {
	t := f.prog.prog.Output()
	inside := f.step.node.Style&yaml.FlowStyle != 0
	var b strings.Builder
	for i, c := range t.Columns {
		name := flow(&yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: c.Name})
		node := nodeOf(f.got.row[i], &c.Type)
		switch {
		case inside:
			sep := ", "
			if i == 0 {
				sep = " { "
			}
			fmt.Fprintf(&b, "%s%s: %s", sep, name, flow(node))
			continue
		case node.Kind == yaml.SequenceNode && len(node.Content) > 0 && node.Content[0].Kind == yaml.MappingNode:
			fmt.Fprintf(&b, "\n%s%s:", strings.Repeat(" ", key.Column+1), name)
			for _, row := range node.Content {
				fmt.Fprintf(&b, "\n%s- %s", strings.Repeat(" ", key.Column+3), flow(row))
			}
			continue
		}
		fmt.Fprintf(&b, "\n%s%s: %s", strings.Repeat(" ", key.Column+1), name, flow(node))
	}
	if inside {
		b.WriteString(" }")
	}
	return b.String()
}
