package config

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"shelfstream/internal/fault"
)

func noEnv(string) (string, bool) { return "", false }

func TestNearest(t *testing.T) {
	known := []string{"partition_by", "broadcast", "columns", "children", "lookups"}
	for name, want := range map[string]string{
		"partiton_by": "partition_by", "brodacast": "broadcast", "column": "columns", "childs": "children", "lookup": "lookups", "rules": "", "x": "",
	} {
		if got := Nearest(name, known); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{"7d": 168 * time.Hour, "1d12h": 36 * time.Hour, "500ms": 500 * time.Millisecond, "0s": 0} {
		got, err := ParseDuration(text)
		if err != nil || got != want {
			t.Errorf("ParseDuration(%q) = %v, %v", text, got, err)
		}
		if again, err := ParseDuration(FormatDuration(want)); err != nil || again != want {
			t.Errorf("%v is written as %q", want, FormatDuration(want))
		}
	}
	for _, text := range []string{"", "7", "d", "-1d", "1.5d", "999999999999d", "1d1d"} {
		if d, err := ParseDuration(text); err == nil {
			t.Errorf("ParseDuration(%q) = %v, want an error", text, d)
		}
	}
}

func TestMaskDSN(t *testing.T) {
	for in, want := range map[string]string{
		"postgres://erp:pa:ss@wo@db/erp?sslmode=off":      "postgres://erp:****@db/erp?sslmode=off",
		"postgres://erp@db/erp?password=x&sslmode=off":    "postgres://erp@db/erp?password=****&sslmode=off",
		"shop:ge@heim@tcp(127.0.0.1:3306)/shop?tls=false": "shop:****@tcp(127.0.0.1:3306)/shop?tls=false",
		"shop:geheim@/shop":                               "shop:****@/shop",
		"host=db user=erp password='a b' dbname=erp":      "host=db user=erp password=**** dbname=erp",
		"kafka-1:9092":          "kafka-1:9092",
		"https://registry:8081": "https://registry:8081",
		"sqlserver://sa:x@host:1433?database=NAV;Pwd=abc1": "sqlserver://sa:****@host:1433?database=NAV;Pwd=****",
	} {
		if got := MaskDSN(in); got != want {
			t.Errorf("MaskDSN(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestLoadMissingFile(t *testing.T) {
	p, err := Load(filepath.Join(t.TempDir(), "none.yaml"), noEnv)
	if p != nil || fault.ExitCode(err) != 2 {
		t.Errorf("got %v, %v", p, err)
	}
	if faults := fault.All(err); len(faults) != 1 || faults[0].Fix == "" {
		t.Errorf("got %v", faults)
	}
}

func TestPaths(t *testing.T) {
	p, err := Parse("/etc/shelf/moestue.yaml", []byte("pipeline: moestue\nsources: {erp: {postgres: {tables: {product: }}}}\nstate: {dir: /srv/state}\n"), noEnv)
	if err != nil {
		t.Fatal(err)
	}
	if p.StateDir() != "/srv/state" || p.LogDir() != "/etc/shelf/shelfstream-data/moestue/log" || p.Zone != time.UTC {
		t.Errorf("got %q, %q, %v", p.StateDir(), p.LogDir(), p.Zone)
	}
}

// TestSecretFile: the line break at the end of a secret's file is not part of it; spaces and what stands on other lines are.
func TestSecretFile(t *testing.T) {
	dir := t.TempDir()
	for content, want := range map[string]string{"s3cr3t\n": "s3cr3t", "s3cr3t\r\n": "s3cr3t", "s3cr3t": "s3cr3t", " two\nlines \n": " two\nlines "} {
		if err := os.WriteFile(filepath.Join(dir, "secret"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := Parse(filepath.Join(dir, "p.yaml"), []byte("pipeline: p\nlog: { brokers: [\"a:1\"], sasl: { mechanism: PLAIN, user: u, password: \"file:secret\" } }\nsources: { erp: { postgres: { tables: { product: } } } }\n"), noEnv)
		if err != nil || p.Log.SASL.Password != want {
			t.Errorf("%q gives %+v, %v", content, p.Log.SASL, err)
		}
	}
}

func TestPlace(t *testing.T) {
	p, err := Parse("p.yaml", []byte(`pipeline: p
sources: { erp: { postgres: { tables: { product: { table: sales.product }, price: { partition_by: [no] } } } } }
views:
  product:
    from: erp.product
    children:
      prices:
        from: erp.price
        on: { no: number }
        order_by: [qty desc, valid_from]
`), noEnv)
	if err != nil {
		t.Fatal(err)
	}
	prices := []string{"views", "product", "children", "prices"}
	for _, c := range []struct {
		path  []string
		words []string
		want  string
	}{
		{prices, nil, "p.yaml:8:9"},
		{prices, []string{"on"}, "p.yaml:9:13"},
		{prices, []string{"nothing", "qty"}, "p.yaml:10:20"},
		{prices, []string{"valid_from"}, "p.yaml:10:30"},
		{prices, []string{"number"}, "p.yaml:9:19"},
		{prices, []string{"no"}, "p.yaml:9:19"}, // the value of the key
		{[]string{"sources", "erp", "postgres", "tables", "product"}, []string{"sales.product"}, "p.yaml:2:59"},
		{[]string{"sinks", "shop"}, nil, ""},
	} {
		if got, ok := p.Place(c.path, c.words...); got != c.want || ok != (c.want != "") {
			t.Errorf("%v %v: got %q, %v, want %q", c.path, c.words, got, ok, c.want)
		}
	}
	if got := p.PlaceNear("views", "product", "lookups", "vat"); got != "p.yaml:5:5" {
		t.Errorf("got %q", got)
	}
}

// connector is what a connector's section may look like.
type connector struct {
	DSN     string        `yaml:"dsn" required:"true" secret:"true" doc:"Where it is."`
	Timeout time.Duration `yaml:"timeout"`
	Mode    string        `yaml:"mode" enum:"upsert,insert"`
	Tables  map[string]struct {
		From string `yaml:"from"`
	} `yaml:"tables"`
	Ratio  float64   `yaml:"ratio"`
	Extra  yaml.Node `yaml:"extra"`
	Shared `yaml:",inline"`
}

// Shared is embedded, as connectors of a kind share options.
type Shared struct {
	Retries *int `yaml:"retries"`
}

func (c *connector) SetDefaults() { c.Timeout, c.Mode = 5*time.Second, "upsert" }

func TestDecodeStrict(t *testing.T) {
	var n yaml.Node
	text := "dsn: x\nratio: 1.5\nretries: 3\nextra: {any: [thing]}\ntables: {product: {from: product}}\n"
	if err := yaml.Unmarshal([]byte(text), &n); err != nil {
		t.Fatal(err)
	}
	c := connector{Timeout: time.Second}
	if err := DecodeStrict(&n, "p.yaml", &c); err != nil {
		t.Fatal(err)
	}
	if c.DSN != "x" || c.Ratio != 1.5 || *c.Retries != 3 || c.Timeout != time.Second || c.Tables["product"].From != "product" || c.Extra.Kind != yaml.MappingNode {
		t.Errorf("got %+v", c)
	}

	if err := yaml.Unmarshal([]byte("mode: delete\ntimeout: 3\nretry: 3\nretries: 1.5\ntables: {product: {form: x}}\n"), &n); err != nil {
		t.Fatal(err)
	}
	want := []string{
		`p.yaml:1:7: mode: "delete" is not possible (fix: write one of upsert, insert)`,
		`p.yaml:2:10: timeout: wants a duration, and there is the number 3 (fix: write it with its unit: 500ms, 30s, 5m, 36h, 7d)`,
		`p.yaml:3:1: unknown key "retry", did you mean "retries"? (fix: write retries, or remove it; known here: dsn, timeout, mode, tables, ratio, extra, retries)`,
		`p.yaml:4:10: retries: wants a whole number, and there is the number 1.5`,
		`p.yaml:5:20: tables.product: unknown key "form", did you mean "from"? (fix: write from, or remove it; known here: from)`,
		`p.yaml:1:1: dsn: is missing (fix: add 'dsn: …'; Where it is)`,
	}
	got := fault.All(DecodeStrict(&n, "p.yaml", &connector{}))
	if len(got) != len(want) {
		t.Fatalf("got %v", got)
	}
	for i, f := range got {
		if f.Error() != want[i] {
			t.Errorf("got  %s\nwant %s", f.Error(), want[i])
		}
	}
}

func TestJSONSchema(t *testing.T) {
	b, err := JSONSchema(map[string]any{"postgres": &connector{}}, map[string]any{"mysql": &connector{}})
	if err != nil {
		t.Fatal(err)
	}
	var s map[string]any
	if err := json.Unmarshal(b, &s); err != nil {
		t.Fatal(err)
	}
	get := func(path ...string) any {
		var v any = s
		for _, k := range path {
			m, ok := v.(map[string]any)
			if !ok {
				t.Fatalf("%v: %v is no object", path, k)
			}
			v = m[k]
		}
		return v
	}
	source := []string{"properties", "sources", "additionalProperties", "properties", "postgres", "properties"}
	if got := get(append(source, "timeout", "default")...); got != "5s" {
		t.Errorf("a connector's default is %v", got)
	}
	if got := get(append(source, "tables", "additionalProperties", "properties", "broadcast", "type")...); !reflect.DeepEqual(got, []any{"boolean", "string"}) {
		t.Errorf("broadcast is %v", got)
	}
	if got := get("properties", "log", "properties", "partitions", "default"); got != 4.0 {
		t.Errorf("the default of log.partitions is %v", got)
	}
	if got := get("additionalProperties"); got != false {
		t.Errorf("unknown keys are allowed: %v", got)
	}
}

// FuzzParse: whatever the file is, there is a pipeline or a fault, and no panic.
func FuzzParse(f *testing.F) {
	paths, err := filepath.Glob("testdata/*/*.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, p := range paths {
		data, err := os.ReadFile(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Parse("p.yaml", data, func(name string) (string, bool) { return name, len(name)%2 == 0 })
		if p == nil && err == nil {
			t.Fatal("neither a pipeline nor a fault")
		}
		if p != nil {
			_ = p.String()
		}
	})
}

// brief may be written as its one usual value.
type brief struct {
	From  string `yaml:"from" short:"true" doc:"Where it is from."`
	Write string `yaml:"write" enum:"always,create"`
}

func TestShortForm(t *testing.T) {
	into := struct {
		Columns map[string]brief `yaml:"columns"`
	}{}
	var n yaml.Node
	if err := yaml.Unmarshal([]byte("columns: {a: x, b: {from: y, write: create}, c: {write: always}, d: 1, e: }\n"), &n); err != nil {
		t.Fatal(err)
	}
	if err := DecodeStrict(&n, "p.yaml", &into); err != nil {
		t.Fatal(err)
	}
	if want := map[string]brief{"a": {From: "x"}, "b": {From: "y", Write: "create"}, "c": {Write: "always"}, "d": {From: "1"}, "e": {}}; !reflect.DeepEqual(into.Columns, want) {
		t.Errorf("%+v, want %+v", into.Columns, want)
	}
	for text, want := range map[string]string{
		"columns: {a: [x]}":                 "p.yaml:1:14: columns.a: wants a mapping",
		"columns: {a: {form: x}}":           `p.yaml:1:15: columns.a: unknown key "form", did you mean "from"?`,
		"columns: {a: {from: x, write: 1}}": `p.yaml:1:31: columns.a.write: "1" is not possible`,
	} {
		if err := yaml.Unmarshal([]byte(text), &n); err != nil {
			t.Fatal(err)
		}
		if err := DecodeStrict(&n, "p.yaml", &into); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	schema, err := json.Marshal((&generator{}).schema(reflect.ValueOf(brief{})))
	want := `{"oneOf":[{"type":["string","number","boolean"]},{"additionalProperties":false,"properties":{"from":{"description":"Where it is from.","type":["string","number","boolean"]},` +
		`"write":{"enum":["always","create"],"type":["string","number","boolean"]}},"type":"object"}]}`
	if err != nil || string(schema) != want {
		t.Errorf("%s, %v, want %s", schema, err, want)
	}
}
