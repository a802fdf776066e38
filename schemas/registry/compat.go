package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/linkedin/goavro/v2"
)

// checkSchema says what is wrong with an Avro schema in JSON.
func checkSchema(schema string) (err error) {
	if _, err := parseNode(schema); err != nil {
		return err
	}
	// goavro panics on some sound schemas (two decimals, the second without a scale). Those that parseNode read pass.
	defer func() {
		if recover() != nil {
			err = nil
		}
	}()
	_, err = goavro.NewCodec(schema)
	return err
}

// node is a parsed Avro schema.
type node struct {
	kind     string // a primitive, record, enum, fixed, array, map or union
	name     string // without the namespace, of record, enum and fixed
	fields   []nodeField
	symbols  []string
	fallback bool  // an enum with a default
	size     int   // of a fixed
	inner    *node // items or values
	branches []*node
}

type nodeField struct {
	name       string
	aliases    []string
	hasDefault bool
	node       *node
}

var primitives = []string{"null", "boolean", "int", "long", "float", "double", "bytes", "string"}

// maxDepth of one schema in another.
const maxDepth = 64

func parseNode(schema string) (*node, error) {
	p := nodeParser{named: map[string]*node{}}
	return p.parse(json.RawMessage(schema), "", 0)
}

type nodeParser struct{ named map[string]*node }

// schemaJSON has the members of any schema that is an object.
type schemaJSON struct {
	Type      json.RawMessage   `json:"type"`
	Name      string            `json:"name"`
	Namespace *string           `json:"namespace"`
	Fields    []json.RawMessage `json:"fields"`
	Symbols   []string          `json:"symbols"`
	Default   json.RawMessage   `json:"default"`
	Size      int               `json:"size"`
	Items     json.RawMessage   `json:"items"`
	Values    json.RawMessage   `json:"values"`
	Aliases   []string          `json:"aliases"`
}

func (p *nodeParser) parse(raw json.RawMessage, namespace string, depth int) (*node, error) {
	if len(raw) == 0 {
		return nil, errors.New("a schema without a type")
	}
	if depth > maxDepth {
		return nil, errors.New("nested too deeply")
	}
	switch raw[0] {
	case '"':
		var word string
		if err := json.Unmarshal(raw, &word); err != nil {
			return nil, err
		}
		if slices.Contains(primitives, word) {
			return &node{kind: word}, nil
		}
		if n := p.named[fullName(word, nil, namespace)]; n != nil {
			return n, nil
		}
		return nil, fmt.Errorf("unknown type %q", word)
	case '[':
		var list []json.RawMessage
		if err := json.Unmarshal(raw, &list); err != nil {
			return nil, err
		}
		n := &node{kind: "union"}
		for _, branch := range list {
			b, err := p.parse(branch, namespace, depth+1)
			if err != nil {
				return nil, err
			}
			n.branches = append(n.branches, b)
		}
		return n, nil
	}
	var s schemaJSON
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, err
	}
	var word string
	if json.Unmarshal(s.Type, &word) != nil {
		return p.parse(s.Type, namespace, depth+1)
	}
	switch word {
	case "record", "error", "enum", "fixed":
		return p.define(&s, word, namespace, depth)
	case "array", "map":
		of := s.Items
		if word == "map" {
			of = s.Values
		}
		inner, err := p.parse(of, namespace, depth+1)
		return &node{kind: word, inner: inner}, err
	}
	return p.parse(s.Type, namespace, depth+1)
}

// define reads a named type; its name is known inside it.
func (p *nodeParser) define(s *schemaJSON, kind, namespace string, depth int) (*node, error) {
	if s.Name == "" {
		return nil, fmt.Errorf("a %s without a name", kind)
	}
	full := fullName(s.Name, s.Namespace, namespace)
	if p.named[full] != nil {
		return nil, fmt.Errorf("%q is defined twice", full)
	}
	at := strings.LastIndexByte(full, '.')
	namespace = full[:max(at, 0)]
	n := &node{kind: kind, name: full[at+1:], symbols: s.Symbols, fallback: s.Default != nil, size: s.Size}
	p.named[full] = n
	if kind != "record" && kind != "error" {
		return n, nil
	}
	n.kind = "record"
	for _, raw := range s.Fields {
		var f schemaJSON
		if err := json.Unmarshal(raw, &f); err != nil {
			return nil, err
		}
		inner, err := p.parse(f.Type, namespace, depth+1)
		if err != nil {
			return nil, fmt.Errorf("field %q: %w", f.Name, err)
		}
		n.fields = append(n.fields, nodeField{name: f.Name, aliases: f.Aliases, hasDefault: f.Default != nil, node: inner})
	}
	return n, nil
}

// fullName is an Avro name with its namespace.
func fullName(name string, namespace *string, enclosing string) string {
	if namespace != nil {
		enclosing = *namespace
	}
	if strings.Contains(name, ".") || enclosing == "" {
		return name
	}
	return enclosing + "." + name
}
