package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"shelfstream/internal/fault"
)

// maxNodes bounds what aliases may blow a file up to.
const maxNodes = 100_000

// parse reads one YAML document into a tree. The fault of broken YAML has the line and column where it breaks.
func parse(file string, data []byte) (*yaml.Node, *fault.Fault) {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	err := dec.Decode(&doc)
	if errors.Is(err, io.EOF) {
		return nil, &fault.Fault{
			Class: fault.Config, Where: file, What: "the file is empty",
			Fix: "start with 'pipeline: <name>'; 'shelfstream demo' shows a whole example",
		}
	}
	if err != nil {
		line, column := breakingPoint(data, err)
		return nil, &fault.Fault{
			Class: fault.Config, Where: fmt.Sprintf("%s:%d:%d", file, line, column),
			What: "this is not YAML: " + plainYAMLError(err), Fix: yamlFix(err),
		}
	}
	var second yaml.Node
	if err := dec.Decode(&second); !errors.Is(err, io.EOF) {
		where := file
		if err == nil {
			where = place(file, &second)
		}
		return nil, &fault.Fault{
			Class: fault.Config, Where: where, What: "a second YAML document begins here; a configuration is one document",
			Fix: "put it into a file of its own, or remove the line '---'",
		}
	}
	if doc.Kind == yaml.DocumentNode {
		return doc.Content[0], nil
	}
	return &doc, nil
}

// plainYAMLError leaves the line out, which breakingPoint finds better.
func plainYAMLError(err error) string {
	_, what := fault.YAMLError(err)
	return what
}

func yamlFix(err error) string {
	switch m := err.Error(); {
	case strings.Contains(m, "mapping values are not allowed"):
		return "a key is indented differently from its neighbours, or a value with ': ' in it needs quotes"
	case strings.Contains(m, "cannot start any token"):
		return "indent with spaces, not tabs; a value that begins with @, % or ` needs quotes"
	case strings.Contains(m, "end of stream"), strings.Contains(m, "did not find expected"):
		return "look here and above for a quote or bracket that is not closed, or a line indented differently; within { } and [ ] a ${NAME} needs quotes"
	case strings.Contains(m, "UTF-8"), strings.Contains(m, "control characters"):
		return "save the file as UTF-8 text"
	}
	return "correct the YAML at this place"
}

// breakingPoint finds where err comes from. The parser's own line numbers are off by one for some errors and missing for
// others, and it gives no column; so the shortest beginning of the file is looked for that fails in the same way though its
// brackets are closed. If there is none, a bracket that stays open is to blame.
func breakingPoint(data []byte, err error) (line, column int) {
	want := plainYAMLError(err)
	fails := func(prefix []byte) bool {
		open, _ := openBrackets(prefix)
		var n yaml.Node
		e := yaml.Unmarshal(append(slices.Clip(prefix), open...), &n)
		return e != nil && plainYAMLError(e) == want
	}
	// The parser reads from the front, so what fails once fails with anything added behind it.
	end := sort.Search(len(data), func(n int) bool { return fails(data[:n]) })
	at := end - 1 // the byte that breaks it
	if end == len(data) && !fails(data) {
		if _, bracket := openBrackets(data); bracket >= 0 {
			at = bracket
		}
	}
	at = max(at, 0)
	before := data[:at]
	return 1 + bytes.Count(before, []byte("\n")), 1 + utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])
}

// openBrackets gives the brackets that would close those left open in a text, and where the innermost was opened (-1 if
// none is open). Brackets in quotes count as well: this only guesses at the place of an error that is certain.
func openBrackets(text []byte) (closing []byte, at int) {
	var places []int
	for i, c := range text {
		switch c {
		case '{', '[':
			closing = append(closing, c+2) // ASCII has ] and } two after [ and {
			places = append(places, i)
		case '}', ']':
			if n := len(closing); n > 0 && closing[n-1] == c {
				closing, places = closing[:n-1], places[:n-1]
			}
		}
	}
	slices.Reverse(closing)
	if len(places) == 0 {
		return nil, -1
	}
	return closing, places[len(places)-1]
}

// place is "file:line:column" of a node.
func place(file string, n *yaml.Node) string {
	if n == nil || n.Line == 0 {
		return file
	}
	return fmt.Sprintf("%s:%d:%d", file, n.Line, n.Column)
}

// unalias copies a tree with aliases and merge keys (<<) resolved, so that no later step meets either.
func unalias(file string, root *yaml.Node) (*yaml.Node, *fault.Fault) {
	u := unaliaser{file: file, open: map[*yaml.Node]bool{}}
	n := u.copy(root)
	return n, u.fault
}

type unaliaser struct {
	file  string
	count int
	open  map[*yaml.Node]bool // anchors being copied: an alias to one of them never ends
	fault *fault.Fault
}

func (u *unaliaser) copy(n *yaml.Node) *yaml.Node {
	if u.fault != nil {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Line: n.Line, Column: n.Column}
	}
	if u.count++; u.count > maxNodes {
		u.fault = &fault.Fault{
			Class: fault.Config, Where: place(u.file, n),
			What: fmt.Sprintf("with its aliases written out the file has more than %d values", maxNodes), Fix: "use fewer aliases",
		}
	}
	if n.Kind == yaml.AliasNode {
		if u.open[n.Alias] {
			u.fault = &fault.Fault{
				Class: fault.Config, Where: place(u.file, n),
				What: fmt.Sprintf("the anchor &%s contains itself", n.Value), Fix: "move the alias out of the value it stands for",
			}
			return u.copy(n)
		}
		return u.copy(n.Alias)
	}
	u.open[n] = true
	defer delete(u.open, n)
	c := *n
	c.Anchor, c.Content = "", nil
	for i := 0; i < len(n.Content); i++ {
		if n.Kind == yaml.MappingNode && i%2 == 0 && n.Content[i].Tag == "!!merge" {
			i++
			u.merge(n, &c, n.Content[i])
			continue
		}
		c.Content = append(c.Content, u.copy(n.Content[i]))
	}
	return &c
}

// merge adds the pairs of a merge key's value that the mapping does not have itself.
func (u *unaliaser) merge(own, into, value *yaml.Node) {
	value = u.copy(value)
	maps := []*yaml.Node{value}
	if value.Kind == yaml.SequenceNode {
		maps = value.Content
	}
	for _, m := range maps {
		if m.Kind != yaml.MappingNode {
			if u.fault == nil {
				u.fault = &fault.Fault{Class: fault.Config, Where: place(u.file, m), What: "<< wants a mapping", Fix: "write <<: *name of an anchored mapping"}
			}
			return
		}
		for i := 0; i+1 < len(m.Content); i += 2 {
			key := m.Content[i].Value
			if child(own, key) == nil && child(into, key) == nil {
				into.Content = append(into.Content, m.Content[i], m.Content[i+1])
			}
		}
	}
}

// child finds the value of a key in a mapping, or nil.
func child(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// isNull says whether nothing was written after a key.
func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }
