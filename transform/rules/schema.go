package rules

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// Schema is the JSON Schema (2020-12) of a rule file, for editors. It knows the words of rules and what stands under each of them; what is
// inside an expression only Compile knows.
func Schema() []byte {
	defs := map[string]any{"rule": ruleSchema()}
	for _, t := range keyTypes {
		defs[t[0]] = typeSchema(t[0], t[1])
	}
	top := map[string]any{
		"$schema": "https://json-schema.org/draft/2020-12/schema",
		"title":   "Shelfstream rules",
		"type":    []string{"object", "null"},
		"properties": map[string]any{
			"rules": map[string]any{"type": []string{"array", "null"}, "items": reference("rule"), "description": "Rules, evaluated in the order of the file."},
		},
		"additionalProperties": false,
		"$defs":                defs,
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(top); err != nil {
		panic(err) // maps of texts and numbers only
	}
	return b.Bytes()
}

func reference(name string) map[string]any { return map[string]any{"$ref": "#/$defs/" + name} }

// described is a reference with words of its own, which editors show in place of the type's.
func described(k Key) map[string]any {
	r := reference(k.Type)
	r["description"] = upperFirst(k.Doc) + "."
	return r
}

func mapSchema(keys []Key) map[string]any {
	properties, required := map[string]any{}, []string{}
	for _, k := range keys {
		properties[k.Name] = described(k)
		if k.Required {
			required = append(required, k.Name)
		}
	}
	return map[string]any{"type": "object", "properties": properties, "required": required, "additionalProperties": false}
}

// ruleSchema is a rule: the common keys and exactly one kind, or a name that is disabled.
func ruleSchema() map[string]any {
	r := mapSchema(ruleKeys)
	properties := r["properties"].(map[string]any)
	var does []any
	for _, k := range kindTable {
		var value map[string]any
		if k.Type != "" {
			value = reference(k.Type)
		} else {
			value = mapSchema(k.Keys)
		}
		if k.Word == "vat" {
			value["oneOf"] = []any{map[string]any{"required": []string{"net"}}, map[string]any{"required": []string{"gross"}}}
		}
		value["description"] = upperFirst(k.Doc) + "."
		properties[k.Word] = value
		does = append(does, map[string]any{"required": []string{k.Word}})
	}
	disabled := map[string]any{"required": []string{"disable"}, "properties": map[string]any{"disable": map[string]any{"const": true}}}
	r["oneOf"] = append(does, disabled)
	r["not"] = map[string]any{"required": []string{"before", "after"}}
	return r
}

// typeSchema is one of keyTypes.
func typeSchema(name, doc string) map[string]any {
	scalar := []string{"string", "number", "boolean"}
	listOf := func(item string) map[string]any {
		return map[string]any{"anyOf": []any{reference(item), map[string]any{"type": "array", "items": reference(item)}}}
	}
	var s map[string]any
	switch name {
	case "expression":
		s = map[string]any{"type": append(scalar, "null")}
		doc += ". Functions: " + strings.Join(functionNames(), ", ")
	case "condition":
		s = map[string]any{"type": append(scalar, "null")}
	case "word": // also one that YAML reads as null
		s = map[string]any{"type": append(scalar, "null")}
	case "rows", "text":
		s = map[string]any{"type": scalar}
	case "fields":
		s = map[string]any{"type": "object", "minProperties": 1, "additionalProperties": reference("expression")}
	case "list":
		s = map[string]any{"type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": reference("fields")}
	case "otherwise":
		s = map[string]any{"anyOf": []any{reference("fields"), map[string]any{"type": "string", "pattern": `^fault\s*["'].+["']$`}, map[string]any{"type": "null"}}}
	case "span":
		s = map[string]any{"type": "array", "items": reference("expression"), "minItems": 2, "maxItems": 2}
	case "order", "expressions":
		s = listOf("expression")
	case "words":
		s = listOf("word")
	case "flag":
		s = map[string]any{"type": "boolean"}
	case "count":
		s = map[string]any{"type": "integer", "minimum": 1}
	case "digits":
		s = map[string]any{"type": "integer", "minimum": 0, "maximum": 18}
	case "cases":
		s = map[string]any{"type": "array", "items": mapSchema(caseKeys)}
	case "case":
		s = mapSchema(caseKeys[1:])
	default:
		panic(fmt.Sprintf("a key has the unknown type %s", name))
	}
	s["description"] = upperFirst(doc) + "."
	return s
}

func functionNames() []string {
	var out []string
	for _, f := range Functions() {
		out = append(out, f.Name)
	}
	return out
}
