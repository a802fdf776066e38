package schemas

import (
	"errors"
	"math"
	"math/big"
	"strings"
	"testing"
)

func column(name string, t Type) Column { return Column{Name: name, Type: t} }

// one makes the codec of a table with just one column.
func one(t testing.TB, typ Type) *Codec {
	t.Helper()
	return mustCompile(t, &Table{Name: "p.s.t", Key: []int{0}, Columns: []Column{column("c", typ)}})
}

func TestCodecRefusesWhatDoesNotFit(t *testing.T) {
	price := Type{Kind: KindDecimal, Precision: 5, Scale: 2}
	nav := Type{Kind: KindDecimal, Precision: 38, Scale: 20}
	long := Type{Kind: KindDecimal, Precision: 60, Scale: 2}
	list := Type{Kind: KindArray, Elem: &Type{Kind: KindRecord, Fields: []Column{column("price", price)}}}
	for _, c := range []struct {
		typ  Type
		v    Value
		want string
	}{
		{price, dec(t, "1.005"), "column c: more digits after the point than decimal(5,2) keeps (value 1.005)"},
		{price, dec(t, "-1000"), "more digits before the point than decimal(5,2) holds (value -1000)"},
		{price, dec(t, "1e30"), "more digits before the point"},
		{price, Dec(math.MinInt64, 0), "more digits before the point"},
		{price, dec(t, "1000000000000000000000000000000.001"), "more digits after the point"},
		{price, DecSpecial(SpecialNaN), "decimal(5,2) in Avro holds numbers only (value NaN)"},
		{price, Float(1.5), "float for a column of type decimal (value 1.5)"},
		{nav, dec(t, "1000000000000000000"), "more digits before the point than decimal(38,20)"},
		{nav, dec(t, "0.000000000000000000001"), "more digits after the point than decimal(38,20)"},
		{nav, DecBig(new(big.Int).Lsh(big.NewInt(1), 127), 20), "more digits before the point"},
		{nav, DecBig(new(big.Int).Lsh(big.NewInt(-1), 127), 20), "more digits before the point"},
		{long, dec(t, "1e58"), "more digits before the point than decimal(60,2)"},
		{long, dec(t, "0.001"), "more digits after the point than decimal(60,2)"},
		{Type{Kind: KindInt, Bits: 16}, Int(32768), "a whole number out of the range of 16 bits (value 32768)"},
		{Type{Kind: KindInt, Bits: 32}, Int(math.MinInt32 - 1), "out of the range of 32 bits"},
		{Type{Kind: KindInt, Bits: 64}, dec(t, "9223372036854775808"), "out of the range of 64 bits"},
		{Type{Kind: KindInt, Bits: 64}, dec(t, "1.5"), "digits after the point for a column of whole numbers (value 1.5)"},
		{Type{Kind: KindInt, Bits: 64}, DecSpecial(SpecialInfinity), "no number (value Infinity)"},
		{Type{Kind: KindFloat, Bits: 32}, Float(0.1), "a 32-bit float does not hold exactly"},
		{Type{Kind: KindFloat, Bits: 64}, Int(1<<53 + 1), "a float does not hold exactly"},
		{Type{Kind: KindFloat, Bits: 64}, Int(math.MaxInt64), "a float does not hold exactly"},
		{Type{Kind: KindText}, Text("a\xffb"), `text that is not valid UTF-8 (value "a\xffb")`},
		{Type{Kind: KindEnum}, Value{Kind: KindEnum, Bytes: []byte{0xc0}}, "not valid UTF-8"},
		{Type{Kind: KindText}, Int(1), "int for a column of type text (value 1)"},
		{Type{Kind: KindText}, Null, "null, and the column does not allow it"},
		{Type{Kind: KindDate}, Date(math.MaxInt32 + 1), "a date out of range"},
		{Type{Kind: KindUUID}, Value{Kind: KindUUID, Bytes: []byte("short")}, "uuid for a column of type uuid"},
		{Type{Kind: KindTimestamp}, TimestampTZ(0), "timestamptz for a column of type timestamp"},
		{
			list,
			Value{Kind: KindArray, List: []Value{{Kind: KindRecord, List: []Value{Int(1)}}, {Kind: KindRecord, List: []Value{dec(t, "0.001")}}}},
			"p.s.t: column c[1].price: more digits after the point",
		},
		{list, Value{Kind: KindArray, List: []Value{Null}}, "column c[0]: null, and the column does not allow it"},
		{list, Value{Kind: KindArray, List: []Value{{Kind: KindRecord}}}, "column c[0]: a record of 0 values for 1 fields"},
	} {
		prefix := []byte("before")
		out, err := one(t, c.typ).AppendValue(prefix, []Value{c.v})
		var e *ColumnError
		if !errors.As(err, &e) || !strings.Contains(err.Error(), c.want) || e.Table != "p.s.t" {
			t.Errorf("%s into %s: %v, want %q", c.v, c.typ, err, c.want)
		}
		if string(out) != "before" {
			t.Errorf("%s into %s left %q", c.v, c.typ, out)
		}
	}
	if _, err := one(t, price).AppendValue(nil, nil); err == nil || !strings.Contains(err.Error(), "a row of 0 values for 1 columns") {
		t.Errorf("a row that is too short: %v", err)
	}
}

func TestCodecConvertsWhatFits(t *testing.T) {
	for _, c := range []struct {
		typ  Type
		v    Value
		want string
	}{
		{Type{Kind: KindDecimal, Precision: 5, Scale: 2}, Int(7), "7.00"},
		{Type{Kind: KindDecimal, Precision: 5, Scale: 2}, dec(t, "7.1000"), "7.10"},
		{Type{Kind: KindDecimal, Precision: 38, Scale: 20}, dec(t, "12.5"), "12.5"},
		{Type{Kind: KindDecimal, Precision: 38, Scale: 20}, dec(t, "999999999999999999.99999999999999999999"), "999999999999999999.99999999999999999999"},
		{Type{Kind: KindDecimal, Precision: 3, Scale: -2}, Int(99900), "99900"},
		{Type{Kind: KindDecimal, Precision: 3, Scale: 5}, dec(t, "0.00999"), "0.00999"},
		{Type{Kind: KindInt, Bits: 32}, dec(t, "42.00"), "42"},
		{Type{Kind: KindFloat, Bits: 64}, Int(-3), "-3"},
		{Type{Kind: KindText}, Value{Kind: KindEnum, Bytes: []byte("x")}, "x"},
		{Type{Kind: KindEnum, Symbols: []string{"a"}}, Text("new"), "new"},
		{Type{Kind: KindArray, Elem: &Type{Kind: KindText}}, Value{Kind: KindArray}, "[]"},
	} {
		codec := one(t, c.typ)
		body, err := codec.AppendValue(nil, []Value{c.v})
		if err != nil {
			t.Errorf("%s into %s: %v", c.v, c.typ, err)
			continue
		}
		row, err := codec.DecodeValue(nil, body)
		if err != nil || row[0].String() != c.want || row[0].Kind != c.typ.Kind {
			t.Errorf("%s into %s came back as %v, %v", c.v, c.typ, row, err)
		}
	}
}

func TestDecodeRefusesBrokenRecords(t *testing.T) {
	texts := Type{Kind: KindArray, Elem: &Type{Kind: KindText}}
	for _, c := range []struct {
		typ  Type
		body string
		want string
	}{
		{Type{Kind: KindText}, "", "column c: the record ends in the middle of a value"},
		{Type{Kind: KindText}, "\x08ab", "ends in the middle"},
		{Type{Kind: KindText}, "\x01", "ends in the middle"},
		{Type{Kind: KindText}, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", "a number longer than 64 bits"},
		{Type{Kind: KindText}, "\x02ab", "p.s.t: 1 bytes are left over after the last column"},
		{Type{Kind: KindBool}, "\x02", "a truth value other than 0 and 1"},
		{Type{Kind: KindInt, Bits: 16}, "\xfe\xff\x7f", "out of the range of 16 bits"},
		{Type{Kind: KindDate}, "\x80\x80\x80\x80\x20", "a date out of range"},
		{Type{Kind: KindFloat, Bits: 64}, "1234567", "ends in the middle"},
		{Type{Kind: KindUUID}, "\x02x", "text that is no UUID"},
		{Type{Kind: KindDecimal}, "\x0e1e99999", "is no decimal number"},
		{Type{Kind: KindDecimal, Precision: 5}, "\x14\x01234567890", "more digits than decimal(5,0) holds"},
		{texts, "\x80\x80\x80\x80\x80\x01\x02\x00", "a list with more elements than the record has bytes for"},
		{texts, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00", "a list with more elements"},
		{texts, "\x02\x04\x00", "column c[0]: a union branch other than null and the value"},
	} {
		_, err := one(t, c.typ).DecodeValue(nil, []byte(c.body))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("% x as %s: %v, want %q", c.body, c.typ, err, c.want)
		}
	}
}

// Other writers split lists into blocks, with or without their size, and repeat the sign of long decimals.
func TestDecodeReadsOtherWritersForms(t *testing.T) {
	for _, c := range []struct {
		typ        Type
		body, want string
	}{
		{Type{Kind: KindArray, Elem: &Type{Kind: KindInt, Bits: 32}}, "\x02\x02\x02\x03\x04\x02\x04\x00\x00", "[1, 2, null]"},
		{Type{Kind: KindDecimal, Precision: 5, Scale: 2}, "\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x85", "-1.23"},
		{Type{Kind: KindDecimal, Precision: 5, Scale: 2}, "\x00", "0.00"},
		{Type{Kind: KindUUID}, "\x48ABCDEF00-1111-2222-3333-444444444444", "abcdef00-1111-2222-3333-444444444444"},
	} {
		row, err := one(t, c.typ).DecodeValue(nil, []byte(c.body))
		if err != nil || row[0].String() != c.want {
			t.Errorf("% x as %s: %v, %v; want %s", c.body, c.typ, row, err, c.want)
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	id := column("id", Type{Kind: KindInt, Bits: 32})
	deep := &Type{Kind: KindBool}
	for range maxDepth + 2 {
		deep = &Type{Kind: KindArray, Elem: deep}
	}
	for want, table := range map[string]*Table{
		"a table without a key":              {Columns: []Column{id}},
		"names column 1 of 1":                {Columns: []Column{id}, Key: []int{1}},
		"names column -1 of 1":               {Columns: []Column{id}, Key: []int{0}, PartitionBy: []int{-1}},
		"names it twice":                     {Columns: []Column{id}, Key: []int{0, 0}},
		"two columns have this name":         {Columns: []Column{id, id}, Key: []int{0}},
		"column x: a column without a type":  {Columns: []Column{id, column("x", Type{})}, Key: []int{0}},
		"a whole number of 8 bits":           {Columns: []Column{column("x", Type{Kind: KindInt, Bits: 8})}, Key: []int{0}},
		"a float of 0 bits":                  {Columns: []Column{column("x", Type{Kind: KindFloat})}, Key: []int{0}},
		"a decimal of precision -1":          {Columns: []Column{column("x", Type{Kind: KindDecimal, Precision: -1})}, Key: []int{0}},
		"a list without an element type":     {Columns: []Column{column("x", Type{Kind: KindArray})}, Key: []int{0}},
		"column x[]: a column without":       {Columns: []Column{column("x", Type{Kind: KindArray, Elem: &Type{}})}, Key: []int{0}},
		"column x: a record without columns": {Columns: []Column{column("x", Type{Kind: KindRecord})}, Key: []int{0}},
		"nested too deeply":                  {Columns: []Column{column("x", *deep)}, Key: []int{0}},
		"unknown kind 99":                    {Columns: []Column{column("x", Type{Kind: 99})}, Key: []int{0}},
	} {
		table.Name = "p.t"
		if _, err := Compile(table); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "p.t: ") {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestFrame(t *testing.T) {
	b := AppendFrame([]byte("x"), 0x01020304)
	if string(b) != "x\x00\x01\x02\x03\x04" {
		t.Errorf("frame % x", b)
	}
	id, body, err := ParseFrame(append(b[1:], "body"...))
	if id != 0x01020304 || string(body) != "body" || err != nil {
		t.Errorf("parsed %d, %q, %v", id, body, err)
	}
	for _, bad := range []string{"", "\x00\x00\x00\x01", "{\"a\":1}"} {
		if _, _, err := ParseFrame([]byte(bad)); err == nil {
			t.Errorf("%q passes as a frame", bad)
		}
	}
}
