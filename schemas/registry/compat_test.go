package registry

import (
	"strings"
	"testing"
)

func TestDifferences(t *testing.T) {
	self := `{"type":"record","name":"r","fields":[{"name":"next","type":["null","r"]}]}`
	wrap := func(typ string) string { return recordOf(`{"name":"f","type":` + typ + `}`) }
	for _, c := range []struct{ reader, writer, want string }{
		{`"int"`, `"int"`, ""},
		{`"double"`, `"int"`, ""},
		{`"int"`, `"long"`, "/: long cannot be read as int"},
		{`"string"`, `"bytes"`, ""},
		{`["null","string"]`, `"string"`, ""},
		{`["null","string"]`, `["string","null"]`, ""},
		{`"string"`, `["null","string"]`, "/: null cannot be read as string"},
		{`["null","int"]`, `"string"`, "/: no branch of the reader's union reads string"},
		{recordOf(fieldA), recordOf(fieldA + "," + fieldB), ""},
		{recordOf(fieldA + "," + fieldB), recordOf(fieldA), "/b: the writer has no such field"},
		{recordOf(fieldA + `,{"name":"b","type":["null","int"],"default":null}`), recordOf(fieldA), ""},
		{recordOf(`{"name":"z","aliases":["a"],"type":"long"}`), recordOf(fieldA), ""},
		{`{"type":"record","name":"x.q","fields":[]}`, `{"type":"record","name":"r","fields":[]}`, "/: the record is named r for the writer and q for the reader"},
		{`{"type":"record","name":"x.r","fields":[]}`, `{"type":"record","name":"y.r","fields":[]}`, ""},
		{wrap(`{"type":"enum","name":"e","symbols":["a"]}`), wrap(`{"type":"enum","name":"e","symbols":["a","b"]}`), "/f: the reader lacks the symbol b"},
		{wrap(`{"type":"enum","name":"e","symbols":["a"],"default":"a"}`), wrap(`{"type":"enum","name":"e","symbols":["a","b"]}`), ""},
		{wrap(`{"type":"fixed","name":"x","size":4}`), wrap(`{"type":"fixed","name":"x","size":8}`), "/f: fixed of 8 bytes cannot be read as one of 4"},
		{wrap(`{"type":"array","items":"int"}`), wrap(`{"type":"array","items":"string"}`), "/f/*: string cannot be read as int"},
		{wrap(`{"type":"map","values":{"type":"long","logicalType":"date"}}`), wrap(`{"type":"map","values":"int"}`), ""},
		{self, self, ""},
	} {
		reader, err := parseNode(c.reader)
		if err != nil {
			t.Fatal(err)
		}
		writer, err := parseNode(c.writer)
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Join(differences(reader, writer), "; ")
		if !strings.HasPrefix(got, c.want) || (got == "") != (c.want == "") {
			t.Errorf("%s reading %s: %q, want %q", c.reader, c.writer, got, c.want)
		}
	}
}

// Schemas whose records refer to each other many times are not compared for ever.
func TestDifferencesEnd(t *testing.T) {
	var b strings.Builder
	of := `"int"`
	fields := []string{}
	for i := range 26 {
		name := string(rune('A' + i))
		fields = append(fields, `{"name":"`+name+`","type":{"type":"record","name":"`+name+`","fields":[{"name":"x","type":`+of+`},{"name":"y","type":`+of+`}]}}`)
		of = `"` + name + `"`
	}
	b.WriteString(recordOf(strings.Join(fields, ",")))
	n, err := parseNode(b.String())
	if err != nil {
		t.Fatal(err)
	}
	if got := differences(n, n); len(got) != 1 || got[0] != "/: the schemas are too complex to compare" {
		t.Errorf("%v", got)
	}
}

func TestCheckSchema(t *testing.T) {
	for schema, sound := range map[string]bool{
		`"int"`:                           true,
		`"nope"`:                          false,
		`{}`:                              false,
		`[]`:                              false,
		`{"type":"array"}`:                false,
		`{"type":"enum","symbols":["a"]}`: false,
		recordOf(fieldA + "," + fieldA):   false,
		strings.Repeat(`{"type":`, 99) + `"int"` + strings.Repeat("}", 99): false,
		// goavro panics on the second decimal without a scale; the schema is sound.
		recordOf(`{"name":"a","type":{"type":"bytes","logicalType":"decimal","precision":4,"scale":2}},{"name":"b","type":{"type":"bytes","logicalType":"decimal","precision":4}}`): true,
	} {
		if err := checkSchema(schema); (err == nil) != sound {
			t.Errorf("%.80s: %v", schema, err)
		}
	}
}
