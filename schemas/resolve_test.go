package schemas

import (
	"math/rand/v2"
	"strings"
	"testing"
)

func shape(columns ...Column) *Table {
	return &Table{Name: "p.s.t", Key: []int{0}, Columns: append([]Column{{Name: "id", Type: Type{Kind: KindInt, Bits: 32}}}, columns...)}
}

func resolve(t *testing.T, from, to Type, v Value) (Value, error) {
	t.Helper()
	writer, reader := shape(Column{"c", from, true}), shape(Column{"c", to, true})
	r, err := CompileResolver(writer, reader)
	if err != nil {
		return Null, err
	}
	body, err := mustCompile(t, writer).AppendValue(nil, []Value{Int(1), v})
	if err != nil {
		t.Fatal(err)
	}
	row, err := r.DecodeValue(nil, body)
	if err != nil {
		return Null, err
	}
	return row[1], nil
}

func TestResolverColumns(t *testing.T) {
	text := Type{Kind: KindText}
	writer := shape(Column{"gone", text, false}, Column{"moved", text, false}, Column{"kept", Type{Kind: KindInt, Bits: 16}, true})
	reader := shape(Column{"moved", text, false}, Column{"kept", Type{Kind: KindInt, Bits: 64}, true}, Column{"added", text, false})
	r, err := CompileResolver(writer, reader)
	if err != nil {
		t.Fatal(err)
	}
	body, err := mustCompile(t, writer).AppendValue(nil, []Value{Int(7), Text("g"), Text("m"), Int(3)})
	if err != nil {
		t.Fatal(err)
	}
	row := make([]Value, 0, 8)
	if row, err = r.DecodeValue(row, body); err != nil {
		t.Fatal(err)
	}
	if got := (Value{Kind: KindRecord, List: row}).String(); got != "{7, m, 3, null}" {
		t.Errorf("resolved %s", got)
	}
	if n := testing.AllocsPerRun(50, func() { row, _ = r.DecodeValue(row, body) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if _, err := r.DecodeValue(row, body[:3]); err == nil {
		t.Error("a cut record resolves")
	}
}

func TestResolverOfTheSameShape(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	for range 50 {
		table := randomTable(r)
		res, err := CompileResolver(table, table)
		if err != nil || !res.same {
			t.Fatal(err, res)
		}
		row := randomRow(r, table)
		body, err := mustCompile(t, table).AppendValue(nil, row)
		if err != nil {
			t.Fatal(err)
		}
		got, err := res.DecodeValue(nil, body)
		if err != nil {
			t.Fatal(err)
		}
		sameRow(t, table, got, row)
	}
}

func TestResolverConversions(t *testing.T) {
	i16, i32, i64 := Type{Kind: KindInt, Bits: 16}, Type{Kind: KindInt, Bits: 32}, Type{Kind: KindInt, Bits: 64}
	d52, d123, free := Type{Kind: KindDecimal, Precision: 5, Scale: 2}, Type{Kind: KindDecimal, Precision: 12, Scale: 3}, Type{Kind: KindDecimal}
	f32, f64 := Type{Kind: KindFloat, Bits: 32}, Type{Kind: KindFloat, Bits: 64}
	text, uuid, date, stamp := Type{Kind: KindText}, Type{Kind: KindUUID}, Type{Kind: KindDate}, Type{Kind: KindTimestamp}
	list := func(e Type) Type { return Type{Kind: KindArray, Elem: &e} }
	record := func(c ...Column) Type { return Type{Kind: KindRecord, Fields: c} }
	id := Value{Kind: KindUUID, Bytes: []byte("0123456789abcdef")}
	for _, c := range []struct {
		from, to Type
		v        Value
		want     string // or the error's text after "!"
	}{
		{i16, i64, Int(-5), "-5"},
		{i64, i16, Int(300), "300"},
		{i64, i16, Int(40000), "!column c: a whole number out of the range of 16 bits (value 40000)"},
		{i64, d52, Int(300), "300.00"},
		{i64, d52, Int(3000), "!more digits before the point than decimal(5,2)"},
		{d123, d52, dec(t, "1.230"), "1.23"},
		{d123, d52, dec(t, "1.234"), "!more digits after the point"},
		{d52, d123, dec(t, "1.23"), "1.23"},
		{d52, free, dec(t, "1.20"), "1.20"},
		{free, d52, dec(t, "1.2"), "1.20"},
		{free, d52, DecSpecial(SpecialNaN), "!holds numbers only"},
		{d52, i32, dec(t, "42"), "42"},
		{d52, i32, dec(t, "42.5"), "!digits after the point"},
		{i32, f64, Int(7), "7"},
		{f32, f64, Float(0.5), "0.5"},
		{f64, f32, Float(0.1), "!a 32-bit float does not hold exactly"},
		{f64, d52, Float(0.5), "!column c: written as float64, read as decimal(5,2): no conversion without loss"},
		{d52, f64, dec(t, "0.5"), "!no conversion without loss"},
		{Type{Kind: KindBool}, i32, Bool(true), "1"},
		{i32, Type{Kind: KindBool}, Int(1), "!no conversion without loss"},
		{d52, text, dec(t, "1.5"), "1.50"},
		{date, text, Date(0), "1970-01-01"},
		{uuid, text, id, "30313233-3435-3637-3839-616263646566"},
		{text, uuid, Text("30313233-3435-3637-3839-616263646566"), "30313233-3435-3637-3839-616263646566"},
		{text, uuid, Text("nope"), "!text that is no UUID"},
		{text, i32, Text("42"), "42"},
		{text, i32, Text("42a"), `!"42a" is no decimal number`},
		{text, d52, Text("4.2"), "4.20"},
		{text, Type{Kind: KindEnum}, Text("on"), "on"},
		{date, stamp, Date(1), "1970-01-02T00:00:00"},
		{date, stamp, Date(DateInfinity), "infinity"},
		{date, stamp, Date(DateNegInfinity), "-infinity"},
		{date, stamp, Date(DateInfinity - 1), "!a date that no timestamp"},
		{stamp, Type{Kind: KindTimestampTZ}, Timestamp(0), "!no conversion without loss"},
		{i32, d52, Null, "null"},
		{list(i32), list(text), Value{Kind: KindArray, List: []Value{Int(1), Null}}, "[1, null]"},
		{list(i64), list(i16), Value{Kind: KindArray, List: []Value{Int(1), Int(40000)}}, "!column c[1]: a whole number"},
		{list(i32), text, Value{Kind: KindArray}, "!no conversion without loss"},
		{
			record(Column{"a", i32, false}, Column{"b", text, false}), record(Column{"b", text, false}, Column{"n", text, true}, Column{"a", text, false}),
			Value{Kind: KindRecord, List: []Value{Int(1), Text("x")}},
			"{x, null, 1}",
		},
		{
			list(record(Column{"a", i64, true})), list(record(Column{"a", i16, true})),
			Value{Kind: KindArray, List: []Value{{Kind: KindRecord, List: []Value{Int(99999)}}}},
			"!column c[0].a: a whole number",
		},
	} {
		got, err := resolve(t, c.from, c.to, c.v)
		if msg, isError := strings.CutPrefix(c.want, "!"); isError {
			if err == nil || !strings.Contains(err.Error(), msg) || !strings.HasPrefix(err.Error(), "p.s.t: ") {
				t.Errorf("%s %s as %s: %s, %v; want the error %q", c.from, c.v, c.to, got, err, msg)
			}
			continue
		}
		if err != nil || got.String() != c.want {
			t.Errorf("%s %s as %s: %s, %v; want %s", c.from, c.v, c.to, got, err, c.want)
		}
		if err == nil && got.Kind != KindNull && got.Kind != c.to.Kind {
			t.Errorf("%s as %s came out as %s", c.from, c.to, got.Kind)
		}
	}
}

func TestResolverNeedsTheKey(t *testing.T) {
	writer := &Table{Name: "p", Key: []int{0}, Columns: []Column{{Name: "old", Type: Type{Kind: KindText}}}}
	reader := &Table{Name: "p", Key: []int{0}, Columns: []Column{{Name: "new", Type: Type{Kind: KindText}}}}
	if _, err := CompileResolver(writer, reader); err == nil || err.Error() != "p: column new: a key column that the rows were written without" {
		t.Errorf("%v", err)
	}
}
