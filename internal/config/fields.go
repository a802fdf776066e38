package config

import (
	"encoding"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
)

// field is one key of a struct, with what its tags say.
type field struct {
	name     string
	index    []int
	typ      reflect.Type
	doc      string
	enum     []string
	required bool
	secret   bool
	short    bool // a plain value instead of the mapping is this key's
}

// hint adds the description to a remedy.
func (f field) hint() string {
	if f.doc == "" {
		return ""
	}
	return "; " + strings.TrimSuffix(f.doc, ".")
}

// fieldsOf lists the keys of a struct in their order; the keys of structs tagged ",inline" come in place.
func fieldsOf(t reflect.Type) []field {
	var out []field
	for i := range t.NumField() {
		sf := t.Field(i)
		name, options, _ := strings.Cut(sf.Tag.Get("yaml"), ",")
		if !sf.IsExported() || name == "-" {
			continue
		}
		if strings.Contains(options, "inline") && sf.Type.Kind() == reflect.Struct {
			for _, f := range fieldsOf(sf.Type) {
				f.index = append([]int{i}, f.index...)
				out = append(out, f)
			}
			continue
		}
		f := field{name: name, index: []int{i}, typ: sf.Type, doc: sf.Tag.Get("doc"), required: sf.Tag.Get("required") == "true", secret: sf.Tag.Get("secret") == "true", short: sf.Tag.Get("short") == "true"}
		if name == "" {
			f.name = strings.ToLower(sf.Name)
		}
		if e := sf.Tag.Get("enum"); e != "" {
			f.enum = strings.Split(e, ",")
		}
		out = append(out, f)
	}
	return out
}

var (
	unmarshalerType     = reflect.TypeFor[yaml.Unmarshaler]()
	textUnmarshalerType = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// isStruct says whether a type is read key by key.
func isStruct(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return t.Kind() == reflect.Struct && t != nodeType && !p.Implements(unmarshalerType) && !p.Implements(textUnmarshalerType)
}
