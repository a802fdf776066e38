package schemas

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
)

func TestParseTableIsTheReverseOfCompile(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for range 400 {
		table := randomTable(r)
		codec := mustCompile(t, table)
		got, err := ParseTable(table.Name, codec.KeySchema(), codec.ValueSchema())
		if err != nil {
			t.Fatalf("%v\n%s", err, codec.ValueSchema())
		}
		if !reflect.DeepEqual(got, table) {
			t.Fatalf("parsed\n%+v, want\n%+v\n%s", got, table, codec.ValueSchema())
		}
	}
}

// The text is what registries and other clients see: it must not change by itself, or every table is registered anew.
func TestSchemaText(t *testing.T) {
	table := &Table{Name: "moe-stue.2erp.dbo.Item Price", Key: []int{1}, PartitionBy: []int{1}, Columns: []Column{
		{Name: "No_", Type: Type{Kind: KindInt, Bits: 16}},
		{Name: "No.", Type: Type{Kind: KindText, Length: 20}},
		{Name: "VAT %", Type: Type{Kind: KindDecimal, Precision: 5, Scale: 2}, Nullable: true},
		{Name: "state", Type: Type{Kind: KindEnum, Symbols: []string{"på", "av"}}},
		{Name: "tags", Type: Type{Kind: KindArray, Elem: &Type{Kind: KindText}}, Nullable: true},
		{Name: "lines", Type: Type{Kind: KindArray, Elem: &Type{Kind: KindRecord, Fields: []Column{{Name: "a", Type: Type{Kind: KindJSON}}}}}},
	}}
	codec := mustCompile(t, table)
	const key = `{"type":"record","name":"Item_PriceKey","namespace":"moe_stue._2erp.dbo","fields":[` +
		`{"name":"No__2","type":{"type":"string","shelfstream.length":20},"shelfstream.column":"No."}]}`
	const value = `{"type":"record","name":"Item_Price","namespace":"moe_stue._2erp.dbo","shelfstream.partitionBy":["No."],"fields":[` +
		`{"name":"No_","type":{"type":"int","connect.type":"int16"}},` +
		`{"name":"No__2","type":{"type":"string","shelfstream.length":20},"shelfstream.column":"No."},` +
		`{"name":"VAT__","type":["null",{"type":"bytes","logicalType":"decimal","precision":5,"scale":2}],"default":null,"shelfstream.column":"VAT %"},` +
		`{"name":"state","type":{"type":"string","shelfstream.kind":"enum","shelfstream.symbols":["på","av"]}},` +
		`{"name":"tags","type":["null",{"type":"array","items":["null","string"]}],"default":null},` +
		`{"name":"lines","type":{"type":"array","items":{"type":"record","name":"Item_Price_lines","fields":[` +
		`{"name":"a","type":{"type":"string","connect.name":"io.debezium.data.Json"}}]}}}]}`
	if codec.ValueSchema() != value {
		t.Errorf("value schema\n%s, want\n%s", codec.ValueSchema(), value)
	}
	// The key alone could call it "No_", but a field has one name in both records.
	if codec.KeySchema() != key {
		t.Errorf("key schema\n%s, want\n%s", codec.KeySchema(), key)
	}
}

func TestAvroNames(t *testing.T) {
	for in, want := range map[string][2]string{
		"product":             {"", "product"},
		"a.b.c":               {"a.b", "c"},
		"moe-stue.erp.1 pris": {"moe_stue.erp", "_1_pris"},
		"..":                  {"_._", "_"},
		"æ.ø":                 {"_", "_"},
	} {
		if ns, name := splitName(in); ns != want[0] || name != want[1] {
			t.Errorf("%q gives %q, %q", in, ns, name)
		}
	}
	names := fieldNames([]Column{{Name: "a b"}, {Name: "a-b"}, {Name: "a_b"}, {Name: "a_b_2"}, {Name: "a.b"}})
	if got := strings.Join(names, " "); got != "a_b_3 a_b_4 a_b a_b_2 a_b_5" {
		t.Errorf("field names %s", got)
	}
}

// Schemas of other writers, as Debezium's and hand-written ones are.
func TestParseTableOfOthers(t *testing.T) {
	const key = `{"type":"record","name":"Key","namespace":"srv.public.t","fields":[{"name":"id","type":"long"}],"connect.name":"srv.public.t.Key"}`
	const value = `{"type":"record","name":"Value","namespace":"srv.public.t","fields":[
		{"name":"id","type":"long"},
		{"name":"small","type":["null",{"type":"int","connect.type":"int16"}],"default":null},
		{"name":"price","type":{"type":"bytes","scale":2,"precision":10,"connect.name":"org.apache.kafka.connect.data.Decimal","logicalType":"decimal"}},
		{"name":"doc","type":["null",{"type":"string","connect.name":"io.debezium.data.Json"}],"default":null},
		{"name":"at","type":{"type":{"type":"long","logicalType":"timestamp-micros"}}},
		{"name":"home","type":{"type":"record","name":"Address","fields":[{"name":"street","type":"string"}]}},
		{"name":"work","type":["null","Address"]},
		{"name":"more","type":{"type":"array","items":"srv.public.t.Address"}}
	]}`
	table, err := ParseTable("srv.public.t", key, value)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range table.Columns {
		got = append(got, describe(&c))
	}
	want := "int64, nullable int16, decimal(10,2), nullable json, timestamptz, record, nullable record, list of record"
	if strings.Join(got, ", ") != want {
		t.Errorf("columns %s, want %s", strings.Join(got, ", "), want)
	}
}

func TestParseTableRefuses(t *testing.T) {
	const key = `{"type":"record","name":"k","fields":[{"name":"id","type":"int"}]}`
	field := func(typ string) string {
		return `{"type":"record","name":"v","fields":[{"name":"id","type":"int"},{"name":"x","type":` + typ + `}]}`
	}
	for _, c := range []struct{ key, value, want string }{
		{key, `{"type":"record"`, "the value's schema is no Avro record"},
		{key, `"string"`, "the value's schema is no Avro record"},
		{"", field(`"int"`), "the key's schema is no Avro record"},
		{key, `{"type":"enum","name":"v","symbols":["a"]}`, "the value's schema is no Avro record"},
		{key, `{"type":"record","name":"v","fields":[{"name":"no","type":"int"}]}`, "column id: in the key's schema, but not in the value's"},
		{key, `{"type":"record","name":"v","fields":[{"name":"id","type":"long"}]}`, "column id: int32 in the key's schema, int64 in the value's"},
		{key, `{"type":"record","name":"v","shelfstream.partitionBy":["y"],"fields":[{"name":"id","type":"int"}]}`, "column y: shelfstream.partitionBy names it"},
		{key, field(`["string","null"]`), `column x: the union ["string","null"], and only ["null", type] is supported`},
		{key, field(`["null",{"type":["null","int"]}]`), "a union in a union"},
		{key, field(`{"type":"enum","name":"e","symbols":["a"]}`), "the Avro type enum, which is not supported"},
		{key, field(`{"type":"map","values":"int"}`), "the Avro type map"},
		{key, field(`{"type":"fixed","name":"f","size":4}`), "the Avro type fixed"},
		{key, field(`{"type":"int","logicalType":"time-millis"}`), "the Avro type int as time-millis"},
		{key, field(`{"type":"long","logicalType":"timestamp-millis"}`), "the Avro type long as timestamp-millis"},
		{key, field(`{"type":"bytes","logicalType":"decimal","precision":2,"scale":3}`), "a decimal of precision 2 and scale 3"},
		{key, field(`{"type":"bytes","logicalType":"decimal","precision":1000000,"scale":3}`), "a decimal of precision 1000000"},
		{key, field(`{"type":"array","items":"string"}`), `column x: a list whose items are not ["null", type]`},
		{key, field(`{"type":"array"}`), "column x[]: a field without a type"},
		{key, field(`{"type":"record","name":"v","fields":[]}`), `the record "v" is defined twice`},
		{key, field(`{"type":"record","name":"w","fields":[{"name":"y","type":["null","w"]}]}`), `column x.y: the record "w" contains itself`},
		{key, field(`{"type":"record","name":"w","fields":[]}`), "column x: a record without columns"},
		{key, field(`12`), "a field without a type"},
		{key, `{"type":"record","name":"v","fields":[{"name":"id","type":"int"},{"name":"id","type":"int"}]}`, "two columns have this name"},
		{key, field(strings.Repeat(`{"type":`, 40) + `"int"` + strings.Repeat("}", 40)), "nested too deeply"},
		{key, billionFields(), "more than 20000 fields"},
	} {
		_, err := ParseTable("p.t", c.key, c.value)
		var e *ColumnError
		if !errors.As(err, &e) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.100s: %v, want %q", c.value, err, c.want)
		}
	}
}

// billionFields is a short schema whose references stand for 10^9 fields.
func billionFields() string {
	var b strings.Builder
	b.WriteString(`{"type":"record","name":"v","fields":[{"name":"id","type":"int"}`)
	of := `"int"`
	for i := range 9 {
		name := string(rune('A' + i))
		b.WriteString(`,{"name":"` + name + `","type":{"type":"record","name":"` + name + `","fields":[`)
		for j := range 10 {
			if j > 0 {
				b.WriteByte(',')
			}
			b.WriteString(`{"name":"f` + string(rune('0'+j)) + `","type":` + of + `}`)
		}
		b.WriteString(`]}}`)
		of = `"` + name + `"`
	}
	b.WriteString("]}")
	return b.String()
}
