package config

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Named is one entry of a Map.
type Named[T any] struct {
	Name  string
	Value T
}

// Map is a YAML mapping from names to T that keeps the order of the file.
type Map[T any] []Named[T]

// Get finds an entry by its name.
func (m Map[T]) Get(name string) (*T, bool) {
	for i := range m {
		if m[i].Name == name {
			return &m[i].Value, true
		}
	}
	return nil, false
}

// Names lists the names in the file's order.
func (m Map[T]) Names() []string {
	names := make([]string, len(m))
	for i := range m {
		names[i] = m[i].Name
	}
	return names
}

func (m *Map[T]) decodeNode(d *decoder, n *yaml.Node, path string) {
	if !d.mapping(n, path) || isNull(n) {
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name := n.Content[i].Value
		if _, ok := m.Get(name); ok || name == "" {
			continue // reported by mapping
		}
		e := Named[T]{Name: name}
		setDefaults(valueOf(&e.Value))
		d.value(n.Content[i+1], join(path, name), valueOf(&e.Value).Elem())
		*m = append(*m, e)
	}
}

// Section is the part of a configuration that belongs to one connector.
type Section struct {
	// Kind is the connector's name, e.g. postgres; empty if none was written.
	Kind string
	// Path is where it stands, e.g. "sources.erp.postgres".
	Path string
	// File is the configuration's file, for messages.
	File string
	// Node is the connector's mapping with secrets put in, without what this package reads itself (a source's tables).
	Node *yaml.Node
	// KindNode is the connector's key, for messages about its name.
	KindNode *yaml.Node
	whole    *yaml.Node
}

// Decode fills a connector's struct; see DecodeStrict.
func (s *Section) Decode(into any) error { return DecodeStrict(s.Node, s.File, into) }

// Place is "file:line:column" of the connector's name.
func (s *Section) Place() string { return place(s.File, s.KindNode) }

// PlaceOf is "file:line:column" of a value in the section by its path ("tables.product.from"), or of the nearest around it.
func (s *Section) PlaceOf(path string) string {
	at, _ := nodeAt(s.Node, strings.Split(path, "."))
	if at == s.Node {
		return s.Place()
	}
	return place(s.File, at)
}

// decodeSection reads "{connector: {…}}".
func (s *Section) decodeSection(d *decoder, n *yaml.Node, path, example string) bool {
	s.File, s.Path = d.file, path
	if !d.mapping(n, path) {
		return false
	}
	if isNull(n) || len(n.Content) != 2 {
		d.fail(n, path, "wants exactly one connector", "write "+example)
		return false
	}
	s.KindNode, s.whole = n.Content[0], n.Content[1]
	s.Kind = s.KindNode.Value
	s.Path = join(path, s.Kind)
	s.Node = s.whole
	return d.mapping(s.whole, s.Path)
}

func (s *Source) decodeNode(d *decoder, n *yaml.Node, path string) {
	if !s.Section.decodeSection(d, n, path, "postgres: {dsn: …, tables: {…}}") || isNull(s.Section.whole) {
		return
	}
	own := *s.Section.whole
	own.Content = nil
	for i := 0; i+1 < len(s.Section.whole.Content); i += 2 {
		k, v := s.Section.whole.Content[i], s.Section.whole.Content[i+1]
		if k.Value == "tables" {
			s.Tables.decodeNode(d, v, join(s.Section.Path, "tables"))
			continue
		}
		own.Content = append(own.Content, k, v)
	}
	s.Section.Node = &own
	if len(s.Tables) == 0 {
		d.fail(n.Content[0], join(s.Section.Path, "tables"), "no table is captured", "add 'tables: {product: {}}' with the tables to capture")
	}
}

func (s *Sink) decodeNode(d *decoder, n *yaml.Node, path string) {
	s.Section.decodeSection(d, n, path, "mysql: {dsn: …, tables: {…}}")
}

// from is one table of a sink and where its rows come from.
type from struct {
	table string
	node  *yaml.Node
}

// froms reads what every sink has in common: tables.<name>.from.
func (s *Sink) froms() []from {
	var out []from
	tables := child(s.Section.Node, "tables")
	if tables == nil || tables.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(tables.Content); i += 2 {
		if f := child(tables.Content[i+1], "from"); f != nil && f.Kind == yaml.ScalarNode {
			out = append(out, from{tables.Content[i].Value, f})
		}
	}
	return out
}

// Froms gives the 'from' of each of the section's tables.
func (s *Sink) Froms() map[string]string {
	out := map[string]string{}
	for _, f := range s.froms() {
		out[f.table] = f.node.Value
	}
	return out
}

func firstPart(name string) string {
	part, _, _ := strings.Cut(name, ".")
	return part
}

// Order is one column that orders a child's rows.
type Order struct {
	Column string
	Desc   bool
}

// OrderBy is how a child's rows are ordered.
type OrderBy []Order

func (o *OrderBy) decodeNode(d *decoder, n *yaml.Node, path string) {
	if isNull(n) {
		return
	}
	if n.Kind != yaml.SequenceNode {
		d.fail(n, path, "wants a list, and there is "+describe(n), "write [column, other desc]")
		return
	}
	for i, c := range n.Content {
		words := strings.Fields(c.Value)
		desc := len(words) == 2 && words[1] == "desc"
		if c.Kind != yaml.ScalarNode || len(words) == 0 || len(words) > 2 || len(words) == 2 && !desc && words[1] != "asc" {
			d.fail(c, fmt.Sprintf("%s[%d]", path, i), "wants a column, and there is "+describe(c), "write column, or \"column desc\" for falling order")
			continue
		}
		*o = append(*o, Order{words[0], desc})
	}
}

// TLS is how connections to the brokers are secured.
type TLS struct {
	Enabled    bool   `yaml:"-"`
	CA         string `yaml:"ca" doc:"File with the certificates trusted; the system's if left out."`
	Cert       string `yaml:"cert" doc:"File with this program's certificate."`
	Key        string `yaml:"key" doc:"File with this program's private key."`
	ServerName string `yaml:"server_name" doc:"Name the broker's certificate must have; the broker's host if left out."`
	Insecure   bool   `yaml:"insecure_skip_verify" doc:"Accept any certificate. For tests only."`
}

func (t *TLS) decodeNode(d *decoder, n *yaml.Node, path string) {
	switch {
	case isNull(n):
	case n.Kind == yaml.ScalarNode && n.ShortTag() == "!!bool":
		t.Enabled = n.Value == "true"
	case n.Kind != yaml.MappingNode:
		d.fail(n, path, "wants true, false or a mapping, and there is "+describe(n), "write true, or {ca: /path/to/ca.pem}")
	default:
		t.Enabled = true
		d.structure(n, path, valueOf(t).Elem())
	}
}
