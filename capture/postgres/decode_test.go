package postgres

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"shelfstream/schemas"
)

// productShape is the benchmarks' products table.
func productShape() *shape {
	sh := &shape{table: &schemas.Table{}}
	for i, oid := range []uint32{oidInt8, 25, 25, 25, oidNumeric, oidInt4, oidInt2, oidTimestampTZ, oidBool} {
		typmod := int32(-1)
		if oid == oidNumeric {
			typmod = 12<<16 | 2 + typmodHeader
		}
		t := builtin(oid, typmod)
		sh.types, sh.from = append(sh.types, t), append(sh.from, i)
		sh.table.Columns = append(sh.table.Columns, schemas.Column{Name: fmt.Sprint("c", i), Type: t.typ, Nullable: true})
	}
	return sh
}

func TestNumericTypmod(t *testing.T) {
	for _, c := range []struct{ p, s int32 }{{12, 2}, {38, 20}, {1, 0}, {1000, 1000}, {5, -2}, {3, 5}, {2, -1000}} {
		got := builtin(oidNumeric, (c.p<<16|c.s&0x7ff)+typmodHeader).typ
		if int32(got.Precision) != c.p || int32(got.Scale) != c.s {
			t.Errorf("numeric(%d,%d) becomes %d,%d", c.p, c.s, got.Precision, got.Scale)
		}
	}
	if got := builtin(oidNumeric, -1).typ; got.Precision != 0 {
		t.Errorf("numeric has the precision %d", got.Precision)
	}
}

// TestDates compares the calendar with Go's, which is proleptic Gregorian too, on every 7th day of 3,000 years.
func TestDates(t *testing.T) {
	for d := time.Date(-600, 1, 1, 0, 0, 0, 0, time.UTC); d.Year() < 2400; d = d.AddDate(0, 0, 7) {
		year, suffix := d.Year(), ""
		if year <= 0 {
			year, suffix = 1-year, " BC"
		}
		day := fmt.Sprintf("%04d-%02d-%02d", year, d.Month(), d.Day())
		if got, ok := parseDate([]byte(day + suffix)); !ok || got != d.Unix()/86400 {
			t.Fatalf("%s%s is day %d (%v), not %d", day, suffix, got, ok, d.Unix()/86400)
		}
		at := day + " 12:34:56.789+05:30" + suffix
		want := d.Add(12*time.Hour+34*time.Minute+56*time.Second+789*time.Millisecond-5*time.Hour-30*time.Minute).Unix()*usPerSecond + 789000
		if got, ok := parseTimestamp([]byte(at)); !ok || got != want {
			t.Fatalf("%s is %d (%v), not %d", at, got, ok, want)
		}
	}
}

func TestMalformedValues(t *testing.T) {
	var a arena
	enumType := pgType{decoding: asEnum, typ: schemas.Type{Kind: schemas.KindEnum}, symbols: map[string]struct{}{"a": {}}}
	ints := builtin(oidInt4, -1)
	array := pgType{decoding: asArray, elem: &ints, dims: 1, delim: ','}
	nested := pgType{decoding: asArray, elem: &ints, dims: 2, delim: ','}
	for _, c := range []struct {
		t    pgType
		text []string
	}{
		{ints, []string{"", "-", "1x", "9223372036854775808", "99999999999999999999999"}},
		{builtin(oidBool, -1), []string{"", "true", "x"}},
		{builtin(oidNumeric, -1), []string{"", ".", "1.2.3", "Nope"}},
		{builtin(oidFloat8, -1), []string{"", "1e", "x"}},
		{builtin(oidDate, -1), []string{"", "2026", "2026-1-1", "2026-13-01", "2026-01-32", "2026-01-01 ", "99999999999-01-01", "20-01-01", "2026-01-01x"}},
		{builtin(oidTime, -1), []string{"", "1:00:00", "12:00", "25:00:00", "12:61:00", "12:00:00+00"}},
		{builtin(oidTimestamp, -1), []string{"", "2026-01-01", "2026-01-01 1", "2026-01-01T00:00:00", "2026-01-01 00:00:00+", "2026-01-01 00:00:00+1", "2026-01-01 00:00:00Z", "2026-01-01 00:00:00+00:", "2026-01-01 00:00:00+00:00:00:00"}},
		{builtin(oidUUID, -1), []string{"", "00112233-4455-6677-8899-aabbccddeef", "0011223344556677-8899-aabbccddeeff000", "zz112233-4455-6677-8899-aabbccddeeff"}},
		{builtin(oidBytea, -1), []string{"", "abc", `\x0`, `\xzz`}},
		{enumType, []string{"b", ""}},
		{array, []string{"", "{", "}", "{1", "{1,", "{1,}", "{,1}", "{1}2", `{"1}`, `{"1\`, "{{1}}", "{x}", "[0:1]", "1"}},
		{nested, []string{"{1}", "{{1},2}", "{{1}{2}}", "{{}}", "{{{1}}}"}},
	} {
		for _, s := range c.text {
			if v, err := a.decode(&c.t, []byte(s)); err == nil {
				t.Errorf("decoding %d takes %q for %v", c.t.decoding, s, v)
			}
		}
	}
}

func TestLongNumerics(t *testing.T) {
	scaled := builtin(oidNumeric, 38<<16|20+typmodHeader)
	for text, want := range map[string]schemas.Value{
		"12.50000000000000000000":  schemas.Dec(125, 1),
		"100.00000000000000000000": schemas.Dec(100, 0),
		"999999999999999999":       schemas.Dec(999999999999999999, 0),
		"9223372036854775807":      schemas.Dec(math.MaxInt64, 0),
		"-9223372036854775808":     schemas.Dec(math.MinInt64, 0),
		"0.10":                     schemas.Dec(10, 2),
		"NaN":                      schemas.DecSpecial(schemas.SpecialNaN),
		"123456789012345678.12345678901234567890": {},
	} {
		v, err := decodeNumeric(&scaled, []byte(text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if !want.IsNull() && (v.Kind != want.Kind || v.Int != want.Int || v.Scale != want.Scale || v.Bytes != nil) {
			t.Errorf("%s becomes %+v, not %+v", text, v, want)
		}
		if got := string(schemas.AppendDecimal(nil, v)); !strings.HasPrefix(text, got) {
			t.Errorf("%s is printed as %s", text, got)
		}
	}
}

// A numeric without a scale is its text, to the last zero and of any length; one with a scale is the column's business.
func TestNumericKeepsItsText(t *testing.T) {
	free := builtin(oidNumeric, -1)
	for digits := range 60 {
		for _, text := range []string{"12." + strings.Repeat("0", digits+1), "-0.5" + strings.Repeat("0", digits), "1" + strings.Repeat("0", digits), "9." + strings.Repeat("7", digits) + "000"} {
			v, err := decodeNumeric(&free, []byte(text))
			if got := string(schemas.AppendDecimal(nil, v)); err != nil || got != text {
				t.Errorf("%s is printed as %s (%v)", text, got, err)
			}
		}
	}
}

// TestCopyLine reads lines as COPY escapes them.
func TestCopyLine(t *testing.T) {
	sh := &shape{table: &schemas.Table{}}
	for range 3 {
		sh.types = append(sh.types, builtin(25, -1))
	}
	row := make([]schemas.Value, 3)
	var a arena
	for line, want := range map[string][3]string{
		"a\tb\tc\n": {"a", "b", "c"},
		"\t\t\n":    {"", "", ""},
		`a\tb` + "\t" + `\\N` + "\t" + `x\ny\r\b\f\v\\` + "\n": {"a\tb", `\N`, "x\ny\r\b\f\v\\"},
		`\.` + "\tb\t" + `\q` + "\n":                           {".", "b", "q"},
	} {
		if _, err := a.copyLine(sh, []byte(line), row); err != nil {
			t.Errorf("%q: %v", line, err)
			continue
		}
		for i := range row {
			if string(row[i].Bytes) != want[i] || row[i].Kind != schemas.KindText {
				t.Errorf("%q: column %d is %q", line, i, row[i].Bytes)
			}
		}
	}
	if _, err := a.copyLine(sh, []byte("\\N\t\\N\tx\n"), row); err != nil || !row[0].IsNull() || !row[1].IsNull() || row[2].IsNull() {
		t.Errorf("nulls give %v %v", row, err)
	}
	for _, line := range []string{"a\tb\n", "a\tb\tc\td\n", ""} {
		if _, err := a.copyLine(sh, []byte(line), row); err == nil {
			t.Errorf("%q is taken for three columns", line)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(uint32(oidInt4), []byte("{1,NULL,\"2\"}"), true)
	f.Add(uint32(oidTimestampTZ), []byte("2026-01-01 00:00:00.5+05:30 BC"), false)
	f.Add(uint32(oidNumeric), []byte("-123456789012345678901234567890.50"), false)
	f.Add(uint32(oidBytea), []byte(`\x00ff`), false)
	f.Add(uint32(oidUUID), []byte("00112233-4455-6677-8899-aabbccddeeff"), true)
	var a arena
	f.Fuzz(func(t *testing.T, oid uint32, b []byte, array bool) {
		p := builtin(oid%4000, -1)
		if array {
			elem := p
			p = pgType{decoding: asArray, elem: &elem, dims: 1 + int(oid%3), delim: ','}
		}
		a.reset()
		_, _ = a.decode(&p, b)
		sh := &shape{types: []pgType{builtin(25, -1), p}, table: &schemas.Table{}}
		_, _ = a.copyLine(sh, append([]byte(nil), b...), make([]schemas.Value, 2))
	})
}

func TestDecodeAllocatesNothing(t *testing.T) {
	sh, msg, line := productShape(), productInsert(), copyProduct()
	var m Message
	var a arena
	row := make([]schemas.Value, len(sh.types))
	decode := func() {
		if err := m.Parse(msg); err != nil {
			t.Fatal(err)
		}
		a.reset()
		for i := range sh.types {
			var err error
			if row[i], err = a.decode(&sh.types[i], m.New[i].Data); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := a.copyLine(sh, line, row); err != nil {
			t.Fatal(err)
		}
	}
	decode()
	if n := testing.AllocsPerRun(100, decode); n != 0 {
		t.Errorf("%v allocations for a row of the stream and one of a snapshot", n)
	}
	uuids, ints := builtin(oidUUID, -1), builtin(oidInt4, -1)
	array := pgType{decoding: asArray, elem: &ints, dims: 2, delim: ','}
	bytea := builtin(oidBytea, -1)
	texts := [][]byte{[]byte("00112233-4455-6677-8899-aabbccddeeff"), []byte("{{1,2,NULL},{3,4,5}}"), []byte(`\x0011223344`)}
	rare := func() {
		a.reset()
		_, e1 := a.decode(&uuids, texts[0])
		_, e2 := a.decode(&array, texts[1])
		_, e3 := a.decode(&bytea, texts[2])
		if e1 != nil || e2 != nil || e3 != nil {
			t.Fatal(e1, e2, e3)
		}
	}
	rare()
	if n := testing.AllocsPerRun(100, rare); n != 0 {
		t.Errorf("%v allocations for uuid, array and bytea", n)
	}
}

// copyProduct is productInsert as a line of COPY.
func copyProduct() []byte {
	var m Message
	_ = m.Parse(productInsert())
	var l []string
	for _, f := range m.New {
		l = append(l, string(f.Data))
	}
	return []byte(strings.Join(l, "\t") + "\n")
}

func BenchmarkDecode(b *testing.B) {
	sh, msg, line := productShape(), productInsert(), copyProduct()
	var m Message
	var a arena
	row := make([]schemas.Value, len(sh.types))
	b.Run("stream", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := m.Parse(msg); err != nil {
				b.Fatal(err)
			}
			a.reset()
			for i := range sh.types {
				var err error
				if row[i], err = a.decode(&sh.types[i], m.New[i].Data); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
	b.Run("copy", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := a.copyLine(sh, line, row); err != nil {
				b.Fatal(err)
			}
		}
	})
}
