//go:build integration

package mysql

import (
	"math"
	"strings"
	"testing"

	"shelfstream/schemas"
	"shelfstream/sink"
	"shelfstream/sink/table/tabletest"
)

// Every kind of value goes into a table made by create: true and comes back as it was; what has no form in MySQL is parked, or null where that is configured.
func TestEveryType(t *testing.T) {
	d := kit.Database(t)
	tables := tabletest.Tables{"wine": {From: "wine", Create: true}, "wine_null": {From: "wine", Create: true, Infinity: "null"}}
	tg := d.Target(tables, wines())
	s := tabletest.Open(t, tg, wines(), 0)
	day, at := schemas.DaysFromCivil(1582, 10, 15), schemas.DaysFromCivil(9999, 12, 31)*86_400_000_000+86_399_999_999
	big, err := schemas.ParseDecimal("-12345678901234567890123456789012345.000000000000000000000000000001")
	if err != nil {
		t.Fatal(err)
	}
	row := func(no string) []schemas.Value {
		return []schemas.Value{
			schemas.Text(no), schemas.Int(-2147483648), schemas.Dec(-999_999_999_999, 2), big, schemas.Text("ø\U0001F377\\'"), schemas.Text(strings.Repeat("lång", 13107)),
			{Kind: schemas.KindEnum, Bytes: []byte("red")},
			{Kind: schemas.KindBytes, Bytes: []byte{0, 1, '\'', '\\', 255}},
			schemas.Date(day), schemas.TimestampTZ(at),
			{Kind: schemas.KindTime, Int: 86_399_999_999},
			schemas.Bool(true),
			{Kind: schemas.KindUUID, Bytes: []byte("0123456789abcdef")},
			{Kind: schemas.KindJSON, Bytes: []byte(`{"a": "\"x\\"}`)},
			schemas.Float(math.MaxFloat64), schemas.Float(0.5), schemas.Null,
			{Kind: schemas.KindArray, List: []schemas.Value{schemas.Text(`a"b`), schemas.Null}},
		}
	}
	record := func(offset int64, row []schemas.Value) sink.Record {
		return sink.Record{Key: []byte(row[0].String()), KeyValues: row[:2], Row: row, Offset: offset}
	}
	longer := row("longer")
	longer[5] = schemas.Text(strings.Repeat("lång", 13107) + "!")
	if parked := tabletest.Apply(t, tabletest.Open(t, tg, wines(), 5), &sink.Batch{Next: 1, Records: []sink.Record{record(0, longer)}}); len(parked) != 1 ||
		!strings.Contains(parked[0].Fault.What, "column wine.long: it has 65536 bytes, and the column (text) holds 65535") || !strings.Contains(parked[0].Fault.Fix, "ALTER TABLE `wine` MODIFY `long` longtext") {
		t.Errorf("parked: %+v", parked)
	}
	nan, endless, forever := row("nan"), row("endless"), row("forever")
	nan[14], endless[8], forever[9] = schemas.Float(math.NaN()), schemas.Date(schemas.DateInfinity), schemas.TimestampTZ(schemas.TimestampNegInfinity)
	parked := tabletest.Apply(t, s, &sink.Batch{Next: 4, Records: []sink.Record{record(0, row("a")), record(1, nan), record(2, endless), record(3, forever)}})
	if len(parked) != 3 {
		t.Fatalf("parked: %+v", parked)
	}
	for _, p := range parked {
		if !strings.Contains(p.Fault.What, "MySQL has no form for") {
			t.Errorf("%v", p.Fault)
		}
	}
	list := `["a\"b",null]`
	if onMySQL() { // it keeps JSON's values, not their text
		list = `["a\"b", null]`
	}
	d.Want("SELECT no, year, price, `any`, short, LENGTH(`long`), kind, HEX(bin), day, at, clock, ok, id, doc, f = 1.7976931348623157e308, g, tags FROM wine",
		"a|-2147483648|-9999999999.99|-12345678901234567890123456789012345.000000000000000000000000000001|ø\U0001F377\\'|65535|red|0001275CFF|1582-10-15|9999-12-31 23:59:59.999999|23:59:59.999999|1|"+
			`30313233-3435-3637-3839-616263646566|{"a": "\"x\\"}|1|0.5|`+list)
	// The same view with only the table that takes null.
	delete(tables, "wine")
	other := d.Target(tables, wines())
	s = tabletest.Open(t, other, wines(), 1)
	if parked = tabletest.Apply(t, s, &sink.Batch{Next: 3, Records: []sink.Record{record(0, nan), record(1, endless), record(2, forever)}}); len(parked) != 0 {
		t.Fatalf("parked: %+v", parked)
	}
	d.Want("SELECT no FROM wine_null WHERE f IS NULL OR day IS NULL OR at IS NULL ORDER BY no", "endless", "forever", "nan")
	// Keys page over two columns, in the order of the table.
	keys, err := other.Keys(t.Context(), wines(), []schemas.Value{schemas.Text("endless"), schemas.Int(-2147483648)}, 10)
	if err != nil || len(keys) != 2 || keys[1][0].String() != "nan" || keys[1][1].Int != -2147483648 {
		t.Errorf("Keys: %v %v", keys, err)
	}
}
