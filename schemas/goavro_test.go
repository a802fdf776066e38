package schemas

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/linkedin/goavro/v2"
)

// native gives a value as goavro wants it. record is the full Avro name for a record in it.
func native(t *Type, v Value, record string) any {
	switch t.Kind {
	case KindBool:
		return v.Int != 0
	case KindInt, KindDate, KindTimestamp:
		// Dates as numbers: goavro's own conversion from time.Time is wrong before 1970.
		return v.Int
	case KindDecimal:
		if t.Precision == 0 {
			return string(AppendDecimal(nil, v))
		}
		return rat(v)
	case KindFloat:
		if t.Bits == 32 {
			return float32(v.Float64())
		}
		return v.Float64()
	case KindText, KindJSON, KindEnum:
		return string(v.Bytes)
	case KindBytes:
		return v.Bytes
	case KindTime, KindTimestampTZ:
		return v.Int
	case KindUUID:
		return v.String()
	case KindArray:
		list := make([]any, len(v.List))
		for i := range v.List {
			list[i] = nativeField(t.Elem, nullableElements(t), v.List[i], record)
		}
		return list
	case KindRecord:
		return nativeRecord(t.Fields, v.List, record)
	default:
		panic("kind " + t.Kind.String())
	}
}

func nativeRecord(columns []Column, row []Value, record string) map[string]any {
	names := fieldNames(columns)
	m := make(map[string]any, len(columns))
	for i := range columns {
		m[names[i]] = nativeField(&columns[i].Type, columns[i].Nullable, row[i], record+"_"+names[i])
	}
	return m
}

func nativeField(t *Type, nullable bool, v Value, record string) any {
	if !nullable {
		return native(t, v, record)
	}
	if v.IsNull() {
		return nil
	}
	return map[string]any{unionName(t, record): native(t, v, record)}
}

// unionName is what goavro calls a union's branch.
func unionName(t *Type, record string) string {
	switch t.Kind {
	case KindBool:
		return "boolean"
	case KindInt:
		if t.Bits == 64 {
			return "long"
		}
		return "int"
	case KindDecimal:
		if t.Precision == 0 {
			return "string"
		}
		return "bytes.decimal"
	case KindFloat:
		if t.Bits == 32 {
			return "float"
		}
		return "double"
	case KindBytes:
		return "bytes"
	case KindDate:
		return "int.date"
	case KindTime:
		return "long.time-micros"
	case KindTimestamp:
		return "long"
	case KindTimestampTZ:
		return "long.timestamp-micros"
	case KindArray:
		return "array"
	case KindRecord:
		return record
	default:
		return "string"
	}
}

// fullRecord is the full name of the record of a table's values.
func fullRecord(t *Table) string {
	ns, name := splitName(t.Name)
	if ns == "" {
		return name
	}
	return ns + "." + name
}

func mustCompile(t testing.TB, table *Table) *Codec {
	t.Helper()
	c, err := Compile(table)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func mustGoavro(t testing.TB, schema string) *goavro.Codec {
	t.Helper()
	c, err := goavro.NewCodec(schema)
	if err != nil {
		t.Fatalf("goavro: %v\n%s", err, schema)
	}
	return c
}

// Thousands of random rows of random tables: the same bytes as goavro's, and read back as the same values.
func TestCodecEqualsGoavro(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	var row []Value
	for range 150 {
		table := randomTable(r)
		codec := mustCompile(t, table)
		values, keys := mustGoavro(t, codec.ValueSchema()), mustGoavro(t, codec.KeySchema())
		for range 40 {
			in := randomRow(r, table)
			want, err := values.BinaryFromNative(nil, nativeRecord(table.Columns, in, fullRecord(table)))
			if err != nil {
				t.Fatalf("goavro: %v\n%s", err, codec.ValueSchema())
			}
			got, err := codec.AppendValue([]byte("frame"), in)
			if err != nil {
				t.Fatalf("%v\n%s", err, codec.ValueSchema())
			}
			if !bytes.Equal(got[5:], want) {
				t.Fatalf("row %s\n% x, want\n% x\n%s", Value{Kind: KindRecord, List: in}, got[5:], want, codec.ValueSchema())
			}
			if row, err = codec.DecodeValue(row, want); err != nil {
				t.Fatal(err)
			}
			sameRow(t, table, row, in)
			again, err := codec.AppendValue(nil, row)
			if err != nil || !bytes.Equal(again, want) {
				t.Fatalf("written again: %v\n% x, want\n% x", err, again, want)
			}
			checkKey(t, codec, keys, in)
		}
	}
}

func sameRow(t *testing.T, table *Table, got, want []Value) {
	t.Helper()
	for i := range want {
		if !Equal(got[i], want[i]) {
			t.Fatalf("column %s of type %s: %s, want %s", table.Columns[i].Name, table.Columns[i].Type, got[i], want[i])
		}
		if k := got[i].Kind; k != KindNull && k != table.Columns[i].Type.Kind {
			t.Fatalf("column %s of type %s decoded as %s", table.Columns[i].Name, table.Columns[i].Type, k)
		}
	}
}

func checkKey(t *testing.T, codec *Codec, oracle *goavro.Codec, row []Value) {
	t.Helper()
	table := codec.Table()
	values := make([]Value, len(table.Key))
	for i, c := range table.Key {
		values[i] = row[c]
	}
	// goavro takes the fields that the schema names and leaves the others.
	want, err := oracle.BinaryFromNative(nil, nativeRecord(table.Columns, row, ""))
	if err != nil {
		t.Fatal(err)
	}
	got, err := codec.AppendKey(nil, row)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("key % x, %v; want % x", got, err, want)
	}
	back, err := codec.DecodeKey(nil, want)
	if err != nil || len(back) != len(values) {
		t.Fatalf("key decoded as %v, %v", back, err)
	}
	for i := range back {
		if !Equal(back[i], values[i]) {
			t.Fatalf("key value %d: %s, want %s", i, back[i], values[i])
		}
	}
}

// What other readers see: goavro gives the instants and numbers that went in.
func TestGoavroReadsWhatWeMean(t *testing.T) {
	table := &Table{Name: "p.s.t", Key: []int{0}, Columns: []Column{
		{Name: "id", Type: Type{Kind: KindInt, Bits: 64}},
		{Name: "day", Type: Type{Kind: KindDate}},
		{Name: "at", Type: Type{Kind: KindTimestampTZ}, Nullable: true},
		{Name: "price", Type: Type{Kind: KindDecimal, Precision: 38, Scale: 20}},
		{Name: "VAT %", Type: Type{Kind: KindDecimal, Precision: 5, Scale: 2}},
		{Name: "clock", Type: Type{Kind: KindTime}},
	}}
	codec := mustCompile(t, table)
	instant := time.Date(2024, 2, 29, 13, 14, 15, 123456000, time.UTC)
	body, err := codec.AppendValue(nil, []Value{
		Int(1), Date(DaysFromCivil(2024, 2, 29)), TimestampTZ(instant.UnixMicro()), dec(t, "-12.5"), dec(t, "25"), {Kind: KindTime, Int: 3_600_000_001},
	})
	if err != nil {
		t.Fatal(err)
	}
	got, rest, err := mustGoavro(t, codec.ValueSchema()).NativeFromBinary(body)
	if err != nil || len(rest) != 0 {
		t.Fatal(err, rest)
	}
	want := "map[VAT__:25/1 at:map[long.timestamp-micros:2024-02-29 13:14:15.123456 +0000 UTC] clock:1h0m0.000001s day:2024-02-29 00:00:00 +0000 UTC id:1 price:-25/2]"
	if fmt.Sprint(got) != want {
		t.Errorf("goavro read\n%v, want\n%s", got, want)
	}
}

func TestFloatBits(t *testing.T) {
	table := &Table{Name: "f", Key: []int{0}, Columns: []Column{{Name: "f", Type: Type{Kind: KindFloat, Bits: 64}}}}
	codec := mustCompile(t, table)
	for _, f := range []float64{math.NaN(), math.Copysign(0, -1), math.Inf(-1), math.SmallestNonzeroFloat64} {
		body, err := codec.AppendValue(nil, []Value{Float(f)})
		if err != nil {
			t.Fatal(err)
		}
		row, err := codec.DecodeValue(nil, body)
		if err != nil || row[0].Int != int64(math.Float64bits(f)) {
			t.Errorf("%v came back as %v, %v", f, row, err)
		}
	}
}
