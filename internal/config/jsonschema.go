package config

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
)

// JSONSchema gives the schema of a configuration file (JSON Schema 2020-12) for editors. sources and sinks hold, by the
// connectors' names, a pointer to a zero struct of what stands in their sections.
func JSONSchema(sources, sinks map[string]any) ([]byte, error) {
	g := &generator{sources: sources, sinks: sinks}
	p := &Pipeline{}
	p.SetDefaults()
	s := g.schema(reflect.ValueOf(p).Elem())
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["title"] = "Shelfstream pipeline"
	s["description"] = "Any value may hold ${NAME} from the environment, ${NAME:-default} for when it is not set or empty, ${NAME:?message} with what to say then, " +
		"and $$ for a plain $; file:/path as a whole value is the file's content without the line break at its end."
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, err
	}
	return append(b, '\n'), nil
}

// object is a JSON object; encoding/json sorts its keys, so the same structs give the same bytes.
type object = map[string]any

type generator struct{ sources, sinks map[string]any }

// schemer is a type that describes itself; the receiver is a zero value.
type schemer interface {
	schema(g *generator) object
}

// schema describes the type of v; v's own values are the defaults.
func (g *generator) schema(v reflect.Value) object {
	if own, ok := reflect.TypeAssert[schemer](v); ok {
		return own.schema(g)
	}
	t := v.Type()
	switch {
	case t == nodeType:
		return object{}
	case t == durationType:
		return withDefault(object{"type": "string", "pattern": `^(\$\{.*\}|([0-9]+d)?([0-9.]+(ns|us|ms|s|m|h))*)$`}, v, FormatDuration(v.Interface().(Duration)))
	case isStruct(t):
		return g.structure(v)
	}
	switch t.Kind() {
	case reflect.Pointer:
		e := reflect.New(t.Elem())
		setDefaults(e)
		return g.schema(e.Elem())
	case reflect.Slice:
		return object{"type": "array", "items": g.fresh(t.Elem())}
	case reflect.Map:
		return object{"type": orNull("object"), "additionalProperties": g.fresh(t.Elem())}
	case reflect.Bool:
		return withDefault(orVariable("boolean"), v, v.Interface())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return withDefault(orVariable("integer"), v, v.Interface())
	case reflect.Float32, reflect.Float64:
		return withDefault(orVariable("number"), v, v.Interface())
	case reflect.String:
		return withDefault(object{"type": orNumber("string")}, v, v.Interface())
	default:
		return object{} // types that read themselves
	}
}

// fresh describes a new value of a type, with its defaults.
func (g *generator) fresh(t reflect.Type) object {
	e := reflect.New(t)
	setDefaults(e)
	return g.schema(e.Elem())
}

func (g *generator) structure(v reflect.Value) object {
	properties, required := object{}, []string{}
	var short object
	for _, f := range fieldsOf(v.Type()) {
		s := g.schema(v.FieldByIndex(f.index))
		if f.doc != "" {
			s["description"] = f.doc
		}
		if f.enum != nil {
			s["enum"] = f.enum
		}
		if f.required {
			required = append(required, f.name)
		}
		properties[f.name] = s
		if f.short {
			short = g.schema(v.FieldByIndex(f.index))
		}
	}
	s := object{"type": orNull("object"), "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		s["type"], s["required"] = "object", required
	}
	if short != nil {
		s["type"] = "object"
		return object{"oneOf": []object{short, s}}
	}
	return s
}

func withDefault(s object, v reflect.Value, value any) object {
	if !v.IsZero() {
		s["default"] = value
	}
	return s
}

// orVariable: a number or a truth value may come from the environment.
func orVariable(t string) object {
	return object{"type": []string{t, "string"}, "pattern": `^\$\{.*\}$`}
}

// orNull: a key with nothing after it counts as an empty mapping.
func orNull(t string) []string { return []string{t, "null"} }

// orNumber: a text may look like a number.
func orNumber(t string) []string { return []string{t, "number", "boolean"} }

func (m Map[T]) schema(g *generator) object {
	return object{"type": orNull("object"), "additionalProperties": g.fresh(reflect.TypeFor[T]())}
}

func (s Source) schema(g *generator) object {
	return g.oneConnector(g.sources, func(section object) {
		properties, ok := section["properties"].(object)
		if !ok {
			return
		}
		tables := Map[Table]{}.schema(g)
		tables["description"] = "The tables to capture, by the names their topics get."
		tables["type"], tables["minProperties"] = "object", 1
		properties["tables"] = tables
		required, _ := section["required"].([]string)
		section["required"] = append(slices.Clone(required), "tables")
		section["type"] = "object"
	})
}

func (s Sink) schema(g *generator) object { return g.oneConnector(g.sinks, func(object) {}) }

// oneConnector describes "{connector: {…}}" with exactly one of the known connectors.
func (g *generator) oneConnector(connectors map[string]any, add func(object)) object {
	properties := object{}
	for _, name := range slices.Sorted(maps.Keys(connectors)) {
		v := reflect.ValueOf(connectors[name])
		setDefaults(v)
		section := g.schema(v.Elem())
		add(section)
		properties[name] = section
	}
	return object{"type": "object", "properties": properties, "additionalProperties": false, "minProperties": 1, "maxProperties": 1}
}

func (o Order) schema(*generator) object {
	return object{"type": "string", "pattern": `^\S+( (asc|desc))?$`}
}

func (t TLS) schema(g *generator) object {
	s := g.structure(reflect.ValueOf(t))
	s["type"] = "object"
	return object{"oneOf": []object{{"type": "boolean"}, s}}
}
