//go:build integration

package postgres

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"shelfstream/schemas"
	"shelfstream/sink"
	"shelfstream/sink/table"
	"shelfstream/sink/table/tabletest"
)

func everyType() sink.View {
	column := func(name string, t schemas.Type) schemas.Column {
		return schemas.Column{Name: name, Type: t, Nullable: name != "no"}
	}
	text := schemas.Type{Kind: schemas.KindText}
	return sink.View{Name: "every", Topic: "it.every", Table: &schemas.Table{Name: "it.every", Key: []int{0}, Columns: []schemas.Column{
		column("no", schemas.Type{Kind: schemas.KindInt, Bits: 64}),
		column("ok", schemas.Type{Kind: schemas.KindBool}), column("small", schemas.Type{Kind: schemas.KindInt, Bits: 16}),
		column("price", schemas.Type{Kind: schemas.KindDecimal, Precision: 12, Scale: 2}), column("any", schemas.Type{Kind: schemas.KindDecimal}),
		column("f", schemas.Type{Kind: schemas.KindFloat, Bits: 64}), column("g", schemas.Type{Kind: schemas.KindFloat, Bits: 32}),
		column("text", text), column("short", schemas.Type{Kind: schemas.KindText, Length: 20}), column("bin", schemas.Type{Kind: schemas.KindBytes}),
		column("day", schemas.Type{Kind: schemas.KindDate}), column("clock", schemas.Type{Kind: schemas.KindTime}),
		column("at", schemas.Type{Kind: schemas.KindTimestamp}), column("tz", schemas.Type{Kind: schemas.KindTimestampTZ}),
		column("id", schemas.Type{Kind: schemas.KindUUID}), column("doc", schemas.Type{Kind: schemas.KindJSON}),
		column("kind", schemas.Type{Kind: schemas.KindEnum, Symbols: []string{"red", "white"}}), column("tags", schemas.Type{Kind: schemas.KindArray, Elem: &text}),
	}}}
}

// someValue makes a value of a type; the odd ones come often.
func someValue(r *rand.Rand, t schemas.Type) schemas.Value {
	pick := func(n ...int64) int64 { return n[r.IntN(len(n))] }
	texts := []string{"", " ", "a", "å\U0001F377", `\N`, `\.`, `\`, "'", "''; --", "\t\n\r\b\f\v", `"{,}`, "\u2028", "NULL", strings.Repeat("x", 20)}
	text := func() []byte { return []byte(texts[r.IntN(len(texts))]) }
	switch t.Kind {
	case schemas.KindBool:
		return schemas.Bool(r.IntN(2) == 0)
	case schemas.KindInt:
		return schemas.Int(pick(0, -1, math.MaxInt16, math.MinInt16, r.Int64N(30000)))
	case schemas.KindDecimal:
		if t.Precision > 0 {
			return schemas.Dec(pick(0, -5, 999_999_999_999, -999_999_999_999, r.Int64N(1e9)), 2)
		}
		v, _ := schemas.ParseDecimalText([]string{"NaN", "Infinity", "-Infinity", "0.000", "-12345678901234567890123456789012345.000000000000000000000000000001", "1e20"}[r.IntN(6)])
		return v
	case schemas.KindFloat:
		f := []float64{0, math.Copysign(0, -1), 0.5, math.NaN(), math.Inf(1), math.Inf(-1), -1e30}[r.IntN(7)]
		if t.Bits == 64 && r.IntN(2) == 0 {
			f = []float64{math.MaxFloat64, math.SmallestNonzeroFloat64, 0.1}[r.IntN(3)]
		} else {
			f = float64(float32(f))
		}
		return schemas.Float(f)
	case schemas.KindBytes:
		return schemas.Value{Kind: t.Kind, Bytes: []byte{0, 1, '\'', '\\', 255}[:r.IntN(6)]}
	case schemas.KindDate:
		return schemas.Date(pick(0, schemas.DateInfinity, schemas.DateNegInfinity, schemas.DaysFromCivil(-43, 3, 15), firstDay, lastDate, schemas.DaysFromCivil(0, 1, 1), schemas.DaysFromCivil(999, 12, 31), schemas.DaysFromCivil(10000, 1, 1)))
	case schemas.KindTime:
		return schemas.Value{Kind: t.Kind, Int: pick(0, 86_399_999_999, 1, 10, 45_296_789_000, microsPerDay)}
	case schemas.KindTimestamp, schemas.KindTimestampTZ:
		return schemas.Value{Kind: t.Kind, Int: pick(0, -1, schemas.TimestampInfinity, schemas.TimestampNegInfinity, schemas.DaysFromCivil(-43, 3, 15)*microsPerDay+1, schemas.DaysFromCivil(290000, 12, 31)*microsPerDay+microsPerDay-1, 1_700_000_000_123_456)}
	case schemas.KindUUID:
		return schemas.Value{Kind: t.Kind, Bytes: []byte("0123456789abcdef")}
	case schemas.KindJSON:
		return schemas.Value{Kind: t.Kind, Bytes: []byte([]string{`{"a": "\"x\\"}`, `null`, `[1, 2.50]`, `"å"`}[r.IntN(4)])}
	case schemas.KindEnum:
		return schemas.Value{Kind: t.Kind, Bytes: []byte("red")}
	case schemas.KindArray:
		return schemas.Value{Kind: t.Kind, List: []schemas.Value{{Kind: schemas.KindText, Bytes: text()}, schemas.Null}[:r.IntN(3)]}
	}
	return schemas.Value{Kind: schemas.KindText, Bytes: text()}
}

// Rows of any values go into a table made by create: true, by INSERT and by COPY, and both come back as they were, read as their own types; also into native arrays.
func TestEveryType(t *testing.T) {
	d := kit.Database(t, `CREATE TABLE erp.native (no bigint PRIMARY KEY, tags text[])`)
	v := everyType()
	tg := d.Target(tabletest.Tables{
		"every": {From: "every", Create: true}, "erp.native": {From: "every", Columns: tabletest.Fields{"no": "no", "tags": "tags"}.Columns()},
	}, v)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(7, seed))
	const n = 2000
	want := make([]sink.Record, n)
	for i := range want {
		row := []schemas.Value{schemas.Int(int64(i))}
		for _, c := range v.Table.Columns[1:] {
			value := schemas.Null
			if r.IntN(8) > 0 {
				value = someValue(r, c.Type)
			}
			row = append(row, value)
		}
		want[i] = sink.Record{Key: fmt.Append(nil, i), KeyValues: row[:1], Row: row, Offset: int64(i)}
	}
	s := tabletest.Open(t, tg, v, 0)
	b := &sink.Batch{Records: want[:n-loadFrom/2], Next: n - loadFrom/2}
	if parked := tabletest.Apply(t, s, b); len(parked) > 0 {
		t.Fatalf("parked: %v", parked[0].Fault)
	}
	if parked := tabletest.Apply(t, s, &sink.Batch{Records: want[n-loadFrom/2:], Next: n}); len(parked) > 0 {
		t.Fatalf("parked: %v", parked[0].Fault)
	}
	for _, w := range want {
		found, err := tg.Lookup(t.Context(), v, w.KeyValues)
		if err != nil || len(found) != 2 || len(found[1].Rows) != 1 {
			t.Fatalf("%+v, %v", found, err)
		}
		for i, c := range v.Table.Columns {
			at := -1
			for j, name := range found[1].Columns {
				if name == c.Name {
					at = j
				}
			}
			got := schemas.Null
			if text := found[1].Rows[0][at]; text != nil {
				got = parse(c.Type, []byte(*text))
			}
			if g, w := normal(c.Type, got), normal(c.Type, w.Row[i]); g != w {
				t.Fatalf("column %s: %q, want %q", c.Name, g, w)
			}
		}
	}
	// What text and arrays really hold, by the server's own word: no literal's quoting is left.
	for _, w := range want[:200] {
		if x := w.Row[17]; !x.IsNull() && len(x.List) > 0 {
			d.Want(fmt.Sprintf("SELECT convert_to(tags[1], 'UTF8') FROM erp.native WHERE no = %d", w.Row[0].Int), fmt.Sprintf(`\x%x`, x.List[0].Bytes))
		}
	}
}

// normal is a value's text, as jsonb has it where the column is jsonb.
func normal(t schemas.Type, v schemas.Value) string {
	switch {
	case v.IsNull():
		return "null"
	case t.Kind == schemas.KindJSON:
		return strings.Join(strings.Fields(string(v.Bytes)), "")
	case t.Kind == schemas.KindArray && v.Kind == schemas.KindArray:
		return strings.Join(strings.Fields(string(table.AppendJSON(nil, &t, v))), "")
	case t.Kind == schemas.KindArray:
		return strings.Join(strings.Fields(string(v.Bytes)), "")
	case v.Kind == schemas.KindFloat && v.Float64() == 0:
		return "0"
	case v.Kind == schemas.KindFloat && t.Bits == 32:
		return fmt.Sprint(float32(v.Float64()))
	}
	return v.String()
}

// What a column does not hold parks its product, with a remedy that mends it.
func TestUnfitValues(t *testing.T) {
	d := kit.Database(t, `CREATE TABLE every (no bigint PRIMARY KEY, small smallint, price numeric(5,1), "any" numeric(4,1), f real, short varchar(5), clock time(0), at timestamp(3), day date NOT NULL DEFAULT 'today', tz timestamptz, text varchar(4))`)
	v := everyType()
	names := []string{"no", "small", "price", "any", "f", "short", "clock", "at", "day", "tz", "text"}
	c := tabletest.Fields{}
	for _, n := range names {
		c[n] = n
	}
	tg := d.Target(tabletest.Tables{"every": {From: "every", Unfit: "park", Columns: c.Columns()}}, v)
	s := tabletest.Open(t, tg, v, 0)
	infinite, _ := schemas.ParseDecimal("Infinity")
	for i, x := range []struct {
		column string
		value  schemas.Value
		want   string
	}{
		{"price", schemas.Dec(100001, 0), "holds 4 digits before the point"},
		{"price", schemas.Dec(1005, 2), "holds 1 digits after the point"},
		{"any", infinite, "has no form for"},
		{"f", schemas.Float(0.1), "about 7 digits"},
		{"short", schemas.Text("å12345"), "has 6 characters"},
		{"clock", schemas.Value{Kind: schemas.KindTime, Int: 1}, "holds 0 digits of the second"},
		{"at", schemas.Timestamp(1), "holds 3 digits of the second"},
		{"clock", schemas.Value{Kind: schemas.KindTime, Int: -microsPerSecond}, "00:00 to 24:00"},
		{"day", schemas.Date(lastDate + 1), "outside PostgreSQL's calendar"},
		{"tz", schemas.TimestampTZ(firstDay*microsPerDay - 1), "outside PostgreSQL's calendar"},
		{"day", schemas.Null, "takes no null"},
		{"text", schemas.Text("a\x00b"), "U+0000"},
		{"text", schemas.Text("a\xffb"), "UTF-8"},
	} {
		row := make([]schemas.Value, len(v.Table.Columns))
		row[0], row[v.Table.Column("day")] = schemas.Int(int64(i)), schemas.Date(0)
		row[v.Table.Column(x.column)] = x.value
		at := s.Place().Next
		parked := tabletest.Apply(t, s, &sink.Batch{Records: []sink.Record{{Key: fmt.Append(nil, i), KeyValues: row[:1], Row: row, Offset: at}}, Next: at + 1})
		if len(parked) != 1 || !strings.Contains(parked[0].Fault.What, x.want) || parked[0].Fault.Fix == "" {
			t.Errorf("%s = %s: %+v", x.column, x.value, parked)
		}
	}
	d.Want("SELECT count(*) FROM every", "0")
}
