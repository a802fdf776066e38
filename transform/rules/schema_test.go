package rules

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"shelfstream/internal/fault"
)

const schemaFile = "rules.schema.json"

func TestSchemaIsCurrent(t *testing.T) {
	if *update {
		if err := os.WriteFile(schemaFile, Schema(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(schemaFile)
	if err != nil || !bytes.Equal(have, Schema()) {
		t.Errorf("%s is not what the table of kinds gives (%v): run go test ./transform/rules -update", schemaFile, err)
	}
}

// compiledSchema is the schema as an independent implementation of JSON Schema reads it; it also checks the schema itself.
func compiledSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("rules.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("rules.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// document is YAML as JSON has it.
func document(t *testing.T, text string) any {
	t.Helper()
	var n yaml.Node
	if err := yaml.Unmarshal([]byte(text), &n); err != nil {
		t.Fatal(err)
	}
	if n.Kind == 0 {
		return nil
	}
	return plain(t, n.Content[0])
}

func plain(t *testing.T, n *yaml.Node) any {
	t.Helper()
	n = resolved(n)
	switch n.Kind {
	case yaml.MappingNode:
		out := map[string]any{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			out[n.Content[i].Value] = plain(t, n.Content[i+1])
		}
		return out
	case yaml.SequenceNode:
		out := []any{}
		for _, k := range n.Content {
			out = append(out, plain(t, k))
		}
		return out
	default:
	}
	switch n.Tag {
	case "!!null":
		return nil
	case "!!bool":
		return n.Value == "true"
	case "!!int", "!!float":
		if f, err := strconv.ParseFloat(n.Value, 64); err == nil {
			return f
		}
	}
	return n.Value
}

// TestSchemaAcceptsWhatTheReaderAccepts goes through the rule files of all golden cases.
func TestSchemaAcceptsWhatTheReaderAccepts(t *testing.T) {
	schema, seen := compiledSchema(t), 0
	for _, name := range goldenFiles(t) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for s := range strings.SplitSeq("\n"+string(text), "\n== ") {
			header, body, _ := strings.Cut(s, "\n")
			if !strings.HasPrefix(header, "rules ") {
				continue
			}
			faults := fault.All(Check([]Source{{Name: "r.yaml", Data: []byte(body)}}))
			for _, f := range faults {
				if !strings.Contains(f.What, "there is no rule") { // a rule of another layer
					body = ""
				}
			}
			if body == "" {
				continue
			}
			seen++
			if err := schema.Validate(document(t, body)); err != nil {
				t.Errorf("%s: %v\n%s", name, err, body)
			}
		}
	}
	if seen < 100 {
		t.Errorf("only %d rule files were looked at", seen)
	}
}

func TestSchemaRefuses(t *testing.T) {
	schema := compiledSchema(t)
	for what, text := range map[string]string{
		"another top":          "rule: []",
		"rules that are a map": "rules: {}",
		"no name":              "rules: [{ set: { a: b } }]",
		"nothing done":         "rules: [{ name: a }]",
		"two kinds":            "rules: [{ name: a, set: { a: b }, include: c }]",
		"an unknown kind":      "rules: [{ name: a, sett: { a: b } }]",
		"before and after":     "rules: [{ name: a, set: { a: b }, before: x, after: y }]",
		"no rows":              "rules: [{ name: a, pick: { set: { a: b } } }]",
		"an unknown key":       "rules: [{ name: a, pick: { from: x, sort: y, set: { a: b } } }]",
		"a span of one":        "rules: [{ name: a, pick: { from: x, valid: [y], set: { a: b } } }]",
		"net and gross":        "rules: [{ name: a, vat: { rates: x, rate: r, net: n, gross: g, round: 2, set: { a: b } } }]",
		"neither":              "rules: [{ name: a, vat: { rates: x, rate: r, round: 2, set: { a: b } } }]",
		"digits":               "rules: [{ name: a, vat: { rates: x, rate: r, net: n, round: 19, set: { a: b } } }]",
		"a list of two":        "rules: [{ name: a, list: { from: x, set: { a: { b: c }, d: { b: c } } } }]",
		"limit 0":              "rules: [{ name: a, list: { from: x, limit: 0, set: { a: { b: c } } } }]",
		"a case without is":    "rules: [{ name: a, status: { field: s, first: [{ when: x }], otherwise: { is: y } } }]",
		"no otherwise":         "rules: [{ name: a, status: { field: s, first: [] } }]",
		"a fault of a list":    "rules: [{ name: a, list: { from: x, set: { a: { b: c } }, otherwise: 'fault \"x\"' } }]",
		"no reason":            "rules: [{ name: a, pick: { from: x, set: { a: b }, otherwise: fault } }]",
	} {
		if err := schema.Validate(document(t, text)); err == nil {
			t.Errorf("the schema accepts %s: %s", what, text)
		}
		if Check([]Source{{Name: "r.yaml", Data: []byte(text)}}) == nil {
			t.Errorf("the reader accepts %s: %s", what, text)
		}
	}
}
