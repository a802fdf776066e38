package config

import (
	"bytes"
	"reflect"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"
)

// String gives the configuration as it works, defaults included, as YAML. Secrets show as they were written
// ("${NAME}", "file:/path"), or masked.
func (p *Pipeline) String() string {
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode((&printer{p.originals}).value(reflect.ValueOf(p).Elem(), "", false)); err != nil {
		return err.Error() // a tree of plain scalars always encodes
	}
	return b.String()
}

type printer struct{ originals map[string]string }

// nodePrinter is a type that prints itself.
type nodePrinter interface {
	printNode(p *printer, path string) *yaml.Node
}

func (p *printer) value(v reflect.Value, path string, secret bool) *yaml.Node {
	if v.Kind() == reflect.Pointer && v.IsNil() {
		return nil
	}
	if own, ok := reflect.TypeAssert[nodePrinter](v); ok {
		return own.printNode(p, path)
	}
	if original, ok := p.originals[path]; ok {
		return text(original)
	}
	if d, ok := reflect.TypeAssert[time.Duration](v); ok {
		return text(FormatDuration(d))
	}
	switch v.Kind() {
	case reflect.Pointer:
		return p.value(v.Elem(), path, secret)
	case reflect.Struct:
		m := &yaml.Node{Kind: yaml.MappingNode}
		for _, f := range fieldsOf(v.Type()) {
			add(m, f.name, p.value(v.FieldByIndex(f.index), join(path, f.name), f.secret))
		}
		return orNil(m)
	case reflect.Slice:
		s := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
		for i := range v.Len() {
			s.Content = append(s.Content, p.value(v.Index(i), path+"["+strconv.Itoa(i)+"]", secret))
		}
		return orNil(s)
	case reflect.Map:
		m := &yaml.Node{}
		if v.Len() == 0 || m.Encode(v.Interface()) != nil { // sorts the keys
			return nil
		}
		return m
	case reflect.String:
		switch {
		case v.String() == "":
			return nil
		case secret:
			return text(Masked)
		}
		return text(MaskDSN(v.String()))
	default:
		n := &yaml.Node{}
		if v.IsZero() || n.Encode(v.Interface()) != nil {
			return nil
		}
		return n
	}
}

func (m Map[T]) printNode(p *printer, path string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	for i := range m {
		e := p.value(reflect.ValueOf(&m[i].Value).Elem(), join(path, m[i].Name), false)
		if e == nil {
			e = &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}
		}
		add(n, m[i].Name, e)
	}
	return orNil(n)
}

func (s Source) printNode(p *printer, _ string) *yaml.Node { return s.Section.print(p, &s) }

func (s Sink) printNode(p *printer, _ string) *yaml.Node { return s.Section.print(p, nil) }

// print shows a connector's section as it was written, and a source's tables.
func (s *Section) print(p *printer, source *Source) *yaml.Node {
	if s.Node == nil {
		return nil
	}
	section := p.tree(s.Node, s.Path, "")
	if source != nil {
		add(section, "tables", source.Tables.printNode(p, join(s.Path, "tables")))
	}
	n := &yaml.Node{Kind: yaml.MappingNode}
	add(n, s.Kind, section)
	return n
}

// tree copies a tree with its secrets masked and its comments left out.
func (p *printer) tree(n *yaml.Node, path, key string) *yaml.Node {
	if n.Kind == yaml.ScalarNode {
		if original, ok := p.originals[path]; ok {
			return text(original)
		}
		c := &yaml.Node{Kind: n.Kind, Tag: n.Tag, Value: MaskDSN(n.Value), Style: n.Style}
		if secretKey.MatchString(key) || sinkHeader.MatchString(path) {
			c.Value = Masked
		}
		return c
	}
	c := &yaml.Node{Kind: n.Kind, Tag: n.Tag, Style: n.Style}
	for i, e := range n.Content {
		switch {
		case n.Kind == yaml.SequenceNode:
			c.Content = append(c.Content, p.tree(e, path+"["+strconv.Itoa(i)+"]", key))
		case i%2 == 0:
			c.Content = append(c.Content, text(e.Value))
		default:
			name := n.Content[i-1].Value
			c.Content = append(c.Content, p.tree(e, join(path, name), name))
		}
	}
	return c
}

func (o Order) printNode(*printer, string) *yaml.Node {
	if o.Desc {
		return text(o.Column + " desc")
	}
	return text(o.Column)
}

func (t TLS) printNode(p *printer, path string) *yaml.Node {
	if !t.Enabled {
		return nil
	}
	type plain struct {
		CA         string `yaml:"ca"`
		Cert       string `yaml:"cert"`
		Key        string `yaml:"key"`
		ServerName string `yaml:"server_name"`
		Insecure   bool   `yaml:"insecure_skip_verify"`
	}
	n := p.value(reflect.ValueOf(plain{t.CA, t.Cert, t.Key, t.ServerName, t.Insecure}), path, false)
	if n == nil {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: "true"}
	}
	return n
}

func text(s string) *yaml.Node {
	n := &yaml.Node{}
	n.SetString(s)
	return n
}

func add(m *yaml.Node, key string, value *yaml.Node) {
	if value != nil {
		m.Content = append(m.Content, text(key), value)
	}
}

func orNil(n *yaml.Node) *yaml.Node {
	if len(n.Content) == 0 {
		return nil
	}
	return n
}
