package config

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Place is "file:line:column" of the value at a path of keys ("sources", "erp", "postgres", "tables", "price"). Of words, such as the name of a
// column, the first that stands below it as a key or as a value gives the place instead. false if nothing is written at the path.
func (p *Pipeline) Place(path []string, words ...string) (string, bool) {
	n, whole := p.nodeAt(path)
	if !whole {
		return "", false
	}
	for _, w := range words {
		if found := find(n, w); found != nil {
			return place(p.File, found), true
		}
	}
	return place(p.File, n), true
}

// PlaceNear is Place of the path, or of the nearest value around it.
func (p *Pipeline) PlaceNear(path ...string) string {
	n, _ := p.nodeAt(path)
	return place(p.File, n)
}

func (p *Pipeline) nodeAt(path []string) (n *yaml.Node, whole bool) { return nodeAt(p.root, path) }

// entry is the key of a list's entry in a path.
func entry(i int) string { return "[" + strconv.Itoa(i) + "]" }

// nodeAt follows a path of keys, and of entries of lists ("[0]"), as far as it goes; whole says whether that is to its end.
func nodeAt(n *yaml.Node, path []string) (at *yaml.Node, whole bool) {
	for _, key := range path {
		next := child(n, key)
		if n.Kind == yaml.SequenceNode {
			if i, err := strconv.Atoi(strings.Trim(key, "[]")); err == nil && i < len(n.Content) {
				next = n.Content[i]
			}
		}
		if next == nil {
			return n, false
		}
		n = next
	}
	return n, true
}

// find gives the first node below n that is the word: the value of the key of that name, or a value ("word", or "word desc" in an order).
func find(n *yaml.Node, word string) *yaml.Node {
	if value := child(n, word); value != nil {
		return value
	}
	for i, c := range n.Content {
		if c.Kind == yaml.ScalarNode {
			first, _, _ := strings.Cut(c.Value, " ")
			if first == word && !(n.Kind == yaml.MappingNode && i%2 == 0) {
				return c
			}
			continue
		}
		if found := find(c, word); found != nil {
			return found
		}
	}
	return nil
}
