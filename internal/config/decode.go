package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"shelfstream/internal/fault"
)

// DecodeStrict fills the struct that into points at from a YAML mapping. file names the file for messages. A type with a
// SetDefaults method is given its defaults first. The error is a fault.List with every fault in it, each with
// file:line:column: unknown keys (with the nearest known one), doubled keys, wrong types, missing required keys.
//
// Read are: strings, booleans, numbers, time.Duration ("90s", "7d"), pointers, slices, maps by string, structs (where a field is tagged short:"true", a plain
// value in place of the mapping stands for it), yaml.Node,
// and types with UnmarshalYAML(*yaml.Node) error or UnmarshalText.
func DecodeStrict(n *yaml.Node, file string, into any) error {
	d := &decoder{file: file}
	d.value(n, "", reflect.ValueOf(into).Elem())
	return d.faults.Err()
}

// nodeDecoder is a type that reads itself from a node.
type nodeDecoder interface {
	decodeNode(d *decoder, n *yaml.Node, path string)
}

// decoder walks a tree and a struct together.
type decoder struct {
	file   string
	faults fault.List
}

func (d *decoder) fail(n *yaml.Node, path, what, fix string) {
	if path != "" {
		what = path + ": " + what
	}
	d.faults.Add(&fault.Fault{Class: fault.Config, Where: place(d.file, n), What: what, Fix: fix})
}

// mapping says whether n is a mapping with each key once; a key doubled or not a plain text is a fault. Nothing at all
// counts as an empty mapping.
func (d *decoder) mapping(n *yaml.Node, path string) bool {
	if isNull(n) {
		return true
	}
	if n.Kind != yaml.MappingNode {
		d.fail(n, path, "wants a mapping (key: value), and there is "+describe(n), "write the keys indented below it")
		return false
	}
	seen := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		if k.Kind != yaml.ScalarNode || k.Value == "" {
			d.fail(k, path, "a key must be a text", "write name: value")
			continue
		}
		if first := seen[k.Value]; first != nil {
			d.fail(k, path, fmt.Sprintf("the key %q stands here twice, first in line %d", k.Value, first.Line), "keep one of the two")
			continue
		}
		seen[k.Value] = k
	}
	return true
}

// unknown reports a key that the struct does not have.
func (d *decoder) unknown(k *yaml.Node, path string, known []string) {
	what := fmt.Sprintf("unknown key %q", k.Value)
	fix := "remove it; known here: " + strings.Join(known, ", ")
	if near := Nearest(k.Value, known); near != "" {
		what += fmt.Sprintf(", did you mean %q?", near)
		fix = fmt.Sprintf("write %s, or remove it; known here: %s", near, strings.Join(known, ", "))
	}
	d.fail(k, path, what, fix)
}

var (
	nodeType     = reflect.TypeFor[yaml.Node]()
	durationType = reflect.TypeFor[Duration]()
)

func (d *decoder) value(n *yaml.Node, path string, v reflect.Value) {
	if n.Kind == yaml.DocumentNode && len(n.Content) == 1 {
		n = n.Content[0]
	}
	if own, ok := reflect.TypeAssert[nodeDecoder](v.Addr()); ok {
		own.decodeNode(d, n, path)
		return
	}
	if v.Type() == nodeType {
		v.Set(reflect.ValueOf(*n))
		return
	}
	if u, ok := reflect.TypeAssert[yaml.Unmarshaler](v.Addr()); ok {
		if err := u.UnmarshalYAML(n); err != nil {
			d.unmarshalFault(n, path, err)
		}
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if isNull(n) {
			return
		}
		target := reflect.New(v.Type().Elem())
		setDefaults(target)
		d.value(n, path, target.Elem())
		v.Set(target)
	case reflect.Struct:
		if isStruct(v.Type()) {
			d.structure(n, path, v)
			return
		}
		d.scalar(n, path, v)
	case reflect.Slice:
		d.list(n, path, v)
	case reflect.Map:
		d.dictionary(n, path, v)
	default:
		d.scalar(n, path, v)
	}
}

// unmarshalFault puts the place before an error of a type's own UnmarshalYAML.
func (d *decoder) unmarshalFault(n *yaml.Node, path string, err error) {
	inner := fault.All(err)
	for _, f := range inner {
		if f.Where == "" {
			f.Where = place(d.file, n)
		}
		d.faults.Add(f)
	}
	if len(inner) == 0 {
		d.fail(n, path, plainYAMLError(err), "")
	}
}

func (d *decoder) structure(n *yaml.Node, path string, v reflect.Value) {
	fields := fieldsOf(v.Type())
	if at := slices.IndexFunc(fields, func(f field) bool { return f.short }); at >= 0 && n.Kind == yaml.ScalarNode && !isNull(n) {
		d.value(n, path, v.FieldByIndex(fields[at].index))
		return
	}
	if !d.mapping(n, path) {
		return
	}
	known := make([]string, 0, len(fields))
	for _, f := range fields {
		known = append(known, f.name)
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		at := slices.Index(known, k.Value)
		if at < 0 {
			d.unknown(k, path, known)
			continue
		}
		f := fields[at]
		field := v.FieldByIndex(f.index)
		before := len(d.faults)
		d.value(n.Content[i+1], join(path, f.name), field)
		if len(d.faults) == before && len(f.enum) > 0 && !slices.Contains(f.enum, fmt.Sprint(field.Interface())) {
			d.fail(n.Content[i+1], join(path, f.name), fmt.Sprintf("%q is not possible", n.Content[i+1].Value), "write one of "+strings.Join(f.enum, ", "))
		}
	}
	for _, f := range fields {
		if !f.required {
			continue
		}
		if value := child(n, f.name); value == nil || isNull(value) || isEmpty(value) {
			at := n
			if value != nil {
				at = value
			}
			d.fail(at, join(path, f.name), "is missing", "add '"+f.name+": …'"+f.hint())
		}
	}
}

func isEmpty(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Value == "" || n.Kind != yaml.ScalarNode && len(n.Content) == 0
}

func (d *decoder) list(n *yaml.Node, path string, v reflect.Value) {
	if isNull(n) {
		return
	}
	if n.Kind != yaml.SequenceNode {
		fix := "write each entry on a line of its own after '- '"
		if n.Kind == yaml.ScalarNode {
			fix = "write [" + n.Value + "]"
		}
		d.fail(n, path, "wants a list, and there is "+describe(n), fix)
		return
	}
	out := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, c := range n.Content {
		setDefaults(out.Index(i).Addr())
		d.value(c, fmt.Sprintf("%s[%d]", path, i), out.Index(i))
	}
	v.Set(out)
}

func (d *decoder) dictionary(n *yaml.Node, path string, v reflect.Value) {
	if !d.mapping(n, path) || isNull(n) {
		return
	}
	out := reflect.MakeMapWithSize(v.Type(), len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		e := reflect.New(v.Type().Elem())
		setDefaults(e)
		d.value(n.Content[i+1], join(path, n.Content[i].Value), e.Elem())
		out.SetMapIndex(reflect.ValueOf(n.Content[i].Value).Convert(v.Type().Key()), e.Elem())
	}
	v.Set(out)
}

// setDefaults gives a new value its defaults, if its type has any.
func setDefaults(pointer reflect.Value) {
	if s, ok := reflect.TypeAssert[interface{ SetDefaults() }](pointer); ok {
		s.SetDefaults()
	}
}

// describe says in words what a node is.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.ScalarNode, yaml.DocumentNode, yaml.AliasNode:
	}
	switch n.ShortTag() {
	case "!!null":
		return "nothing"
	case "!!bool":
		return "the truth value " + n.Value
	case "!!int", "!!float":
		return "the number " + n.Value
	}
	return fmt.Sprintf("the text %q", n.Value)
}
