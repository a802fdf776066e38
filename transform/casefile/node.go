package casefile

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

// document is a YAML file being read. Everything wrong with it goes into faults.
type document struct {
	name   string
	data   []byte
	top    *yaml.Node
	faults *fault.List
}

func (d *document) bad(n *yaml.Node, what, fix string) {
	where := d.name
	if n != nil {
		where = fmt.Sprintf("%s:%d:%d", d.name, n.Line, n.Column)
	}
	d.faults.Add(&fault.Fault{Class: fault.Config, Where: where, What: what, Fix: fix})
}

// parse reads one YAML document; its top stays nil if it is broken or empty.
func parse(name string, data []byte, faults *fault.List) *document {
	d := &document{name: name, data: data, faults: faults}
	var doc yaml.Node
	switch err := yaml.NewDecoder(bytes.NewReader(data)).Decode(&doc); {
	case errors.Is(err, io.EOF):
		d.bad(nil, "the file is empty", "see the package's documentation for the form")
	case err != nil:
		line, what := fault.YAMLError(err)
		d.bad(&yaml.Node{Line: max(line, 1), Column: 1}, "this is no YAML: "+what, "correct the YAML; indent with spaces, and put a text with a special character in quotes")
	case len(doc.Content) > 0:
		d.top = resolved(doc.Content[0])
	}
	return d
}

func resolved(n *yaml.Node) *yaml.Node {
	for n != nil && n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

func isNull(n *yaml.Node) bool {
	return n == nil || n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null"
}

// pair is one key of a mapping with its value.
type pair struct {
	name       string
	key, value *yaml.Node
}

// pairs gives the keys of a mapping in the order of the file.
func (d *document) pairs(n *yaml.Node, what string) []pair {
	if isNull(n) {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		d.bad(n, what+" must be a map", "write `key: value` lines, or { key: value }")
		return nil
	}
	out := make([]pair, 0, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := resolved(n.Content[i])
		if slices.ContainsFunc(out, func(p pair) bool { return p.name == k.Value }) {
			d.bad(k, fmt.Sprintf("%s stands twice in %s", k.Value, what), "remove one of the two")
			continue
		}
		out = append(out, pair{k.Value, k, resolved(n.Content[i+1])})
	}
	return out
}

// object reads a mapping with a fixed set of keys; other keys are faults.
func (d *document) object(n *yaml.Node, what string, allowed ...string) map[string]pair {
	out := map[string]pair{}
	for _, p := range d.pairs(n, what) {
		if !slices.Contains(allowed, p.name) {
			d.bad(p.key, fmt.Sprintf("unknown key %q in %s", p.name, what), didYouMean(p.name, allowed))
			continue
		}
		out[p.name] = p
	}
	return out
}

// items gives the elements of a list; a value that is no list is a list of one.
func items(n *yaml.Node) []*yaml.Node {
	if isNull(n) {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		return []*yaml.Node{n}
	}
	out := make([]*yaml.Node, len(n.Content))
	for i := range n.Content {
		out[i] = resolved(n.Content[i])
	}
	return out
}

// didYouMean names the nearest of the words, or all of them.
func didYouMean(word string, words []string) string {
	best, distance := "", 1+len(word)/3
	for _, w := range words {
		if d := editDistance(strings.ToLower(word), strings.ToLower(w)); d <= distance {
			best, distance = w, d-1
		}
	}
	if best != "" {
		return fmt.Sprintf("did you mean %s?", best)
	}
	if len(words) > 20 {
		words = append(slices.Clone(words[:20]), "…")
	}
	return "write one of " + strings.Join(words, ", ")
}

func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
