package mysql

import (
	"math"
	"strings"
	"testing"

	"shelfstream/schemas"
	"shelfstream/sink/table"
)

func column(dataType, columnType string, change ...func(*table.ColumnInfo)) table.ColumnInfo {
	c := table.ColumnInfo{Table: "t", Name: "c", DataType: dataType, Type: columnType, Nullable: true, Unsigned: strings.Contains(columnType, "unsigned")}
	for _, f := range change {
		f(&c)
	}
	classify(&c)
	return c
}

func TestLiterals(t *testing.T) {
	length := func(n int) func(*table.ColumnInfo) {
		return func(c *table.ColumnInfo) { c.Length, c.Octets = n, 4*n }
	}
	digits := func(p, s int) func(*table.ColumnInfo) {
		return func(c *table.ColumnInfo) { c.Precision, c.Scale = p, s }
	}
	fsp := func(n int) func(*table.ColumnInfo) { return func(c *table.ColumnInfo) { c.FSP = n } }
	notNull := func(c *table.ColumnInfo) { c.Nullable = false }
	big, err := schemas.ParseDecimal("123456789012345678901234567890.5")
	if err != nil {
		t.Fatal(err)
	}
	uuid := schemas.Value{Kind: schemas.KindUUID, Bytes: []byte("0123456789abcdef")}
	day := func(y int64, m, d int) schemas.Value { return schemas.Date(schemas.DaysFromCivil(y, m, d)) }
	for _, c := range []struct {
		col  table.ColumnInfo
		v    schemas.Value
		want string // a literal, or "!" and a part of the reason
	}{
		{column("int", "int"), schemas.Null, "NULL"},
		{column("int", "int", notNull), schemas.Null, "!takes no null"},
		{column("int", "int"), schemas.Int(-2147483648), "-2147483648"},
		{column("int", "int"), schemas.Int(2147483648), "!holds -2147483648 to 2147483647"},
		{column("tinyint", "tinyint(1)"), schemas.Bool(true), "1"},
		{column("int", "int unsigned"), schemas.Int(-1), "!holds 0 to 4294967295"},
		{column("bigint", "bigint unsigned"), schemas.Int(math.MaxInt64), "9223372036854775807"},
		{column("int", "int", digits(10, 0)), schemas.Dec(1500, 2), "15.00"},
		{column("int", "int", digits(10, 0)), schemas.Dec(1550, 2), "!holds 0 digits after the point"},
		{column("decimal", "decimal(5,2)", digits(5, 2)), schemas.Dec(-99999, 2), "-999.99"},
		{column("decimal", "decimal(5,2)", digits(5, 2)), schemas.Dec(100000, 2), "!holds 3 digits before the point and 2 after it"},
		{column("decimal", "decimal(5,2)", digits(5, 2)), schemas.Dec(1005, 3), "!holds 2 digits after the point"},
		{column("decimal", "decimal(5,2)", digits(5, 2)), schemas.Dec(1000, 3), "1.000"},
		{column("decimal", "decimal(5,2)", digits(5, 2)), schemas.Int(1000), "!holds 3 digits"},
		{column("decimal", "decimal(2,2)", digits(2, 2)), schemas.Dec(99, 2), "0.99"},
		{column("decimal", "decimal(2,2)", digits(2, 2)), schemas.Dec(100, 2), "!holds 0 digits before"},
		{column("decimal", "decimal(65,30)", digits(65, 30)), big, "123456789012345678901234567890.5"},
		{column("decimal", "decimal(65,30)", digits(65, 30)), schemas.DecSpecial(schemas.SpecialNaN), "!not a number"},
		{column("double", "double"), schemas.Float(0.1), "1e-01"},
		{column("double", "double"), schemas.Float(math.Inf(-1)), "!infinite"},
		{column("varchar", "varchar(3)", length(3)), schemas.Text("åøæ"), "'åøæ'"},
		{column("varchar", "varchar(3)", length(3)), schemas.Text("åøæx"), "!has 4 characters, and the column (varchar(3)) holds 3"},
		{column("text", "text", length(65535)), schemas.Text(`it's a \ "test"`), `'it\'s a \\ "test"'`},
		{column("text", "tinytext", func(c *table.ColumnInfo) { c.Octets = 255 }), schemas.Text(strings.Repeat("å", 128)), "!has 256 bytes"},
		{column("varchar", "varchar(3)", length(3)), schemas.Int(1234), "!has 4 characters"},
		{column("varbinary", "varbinary(2)", func(c *table.ColumnInfo) { c.Octets = 2 }), schemas.Value{Kind: schemas.KindBytes, Bytes: []byte("a'")}, `_binary'a\''`},
		{column("date", "date"), day(2024, 2, 29), "'2024-02-29'"},
		{column("date", "date"), day(1, 1, 1), "'0001-01-01'"},
		{column("date", "date"), day(0, 12, 31), "!calendar"},
		{column("date", "date"), day(9999, 12, 31), "'9999-12-31'"},
		{column("date", "date"), day(10000, 1, 1), "!calendar"},
		{column("date", "date"), schemas.Date(schemas.DateInfinity), "!an infinite date"},
		{column("datetime", "datetime(6)", fsp(6)), schemas.TimestampTZ(1), "'1970-01-01 00:00:00.000001'"},
		{column("datetime", "datetime(6)", fsp(6)), schemas.Timestamp(-1), "'1969-12-31 23:59:59.999999'"},
		{column("datetime", "datetime"), schemas.Timestamp(1_000_000), "'1970-01-01 00:00:01'"},
		{column("datetime", "datetime"), schemas.Timestamp(1_000_001), "!holds 0 digits of the second"},
		{column("datetime", "datetime(3)", fsp(3)), schemas.Timestamp(1_123_000), "'1970-01-01 00:00:01.123000'"},
		{column("datetime", "datetime(6)", fsp(6)), schemas.Timestamp(schemas.TimestampNegInfinity), "!an infinite time"},
		{column("time", "time(6)", fsp(6)), schemas.Value{Kind: schemas.KindTime, Int: 86_399_999_999}, "'23:59:59.999999'"},
		{column("time", "time"), schemas.Value{Kind: schemas.KindTime, Int: -(838*3600 + 59*60 + 59) * 1_000_000}, "'-838:59:59'"},
		{column("char", "char(36)", length(36)), uuid, "'30313233-3435-3637-3839-616263646566'"},
		{column("json", "json"), schemas.Value{Kind: schemas.KindArray, List: []schemas.Value{schemas.Int(1), schemas.Null, schemas.Text("a\"'")}}, `'[1,null,"a\\"\'"]'`},
	} {
		elem := schemas.Type{Kind: schemas.KindText}
		w := writer{col: c.col, o: table.WriterOptions{Type: schemas.Type{Kind: schemas.KindArray, Elem: &elem}}}
		got, u := w.Literal(nil, c.v)
		if reason, bad := strings.CutPrefix(c.want, "!"); bad {
			if u == nil || !strings.Contains(u.What, reason) || u.Fix == "" {
				t.Errorf("%s into %s: %s, %+v; want a refusal with %q", c.v, c.col.Type, got, u, reason)
			}
		} else if u != nil || string(got) != c.want {
			t.Errorf("%s into %s: %s, %+v; want %s", c.v, c.col.Type, got, u, c.want)
		}
	}
	w := writer{col: column("date", "date"), o: table.WriterOptions{Null: true}}
	if got, u := w.Literal(nil, schemas.Date(schemas.DateInfinity)); u != nil || string(got) != "NULL" {
		t.Errorf("infinity: null gives %s %+v", got, u)
	}
	w = writer{col: column("datetime", "datetime"), o: table.WriterOptions{Round: true}}
	if got, u := w.Literal(nil, schemas.Timestamp(1_999_999)); u != nil || string(got) != "'1970-01-01 00:00:01'" {
		t.Errorf("round gives %s %+v", got, u)
	}
}

func BenchmarkRow(b *testing.B) {
	row := []schemas.Value{schemas.Int(4711), schemas.Text("SKU-000004711"), schemas.Text("Artikel 4711 Größe 11"), schemas.Dec(123456, 2), schemas.TimestampTZ(1_767_225_600_000_000)}
	w := writer{col: table.ColumnInfo{Nullable: true, FSP: 6, Class: table.ClassOther}}
	buf := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		buf = buf[:0]
		for _, v := range row {
			buf, _ = w.Literal(buf, v)
		}
	}
}
