//go:build integration

package postgres

import (
	"context"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"shelfstream/capture"
	"shelfstream/schemas"
)

// typeCase is a column type with literals, and for some what they must become.
type typeCase struct {
	typ      string
	literals []string
	want     []schemas.Value // nil: only the equality of snapshot and stream is checked
}

func text(s ...string) []schemas.Value {
	var l []schemas.Value
	for _, x := range s {
		l = append(l, schemas.Text(x))
	}
	return l
}

func list(v ...schemas.Value) schemas.Value {
	if v == nil {
		v = []schemas.Value{}
	}
	return schemas.Value{Kind: schemas.KindArray, List: v}
}

func kind(k schemas.Kind, n int64) schemas.Value { return schemas.Value{Kind: k, Int: n} }

func enum(s string) schemas.Value { return schemas.Value{Kind: schemas.KindEnum, Bytes: []byte(s)} }

var typeCases = []typeCase{
	{"bool", []string{"true", "false"}, []schemas.Value{schemas.Bool(true), schemas.Bool(false)}},
	{"int2", []string{"-32768", "32767"}, []schemas.Value{schemas.Int(-32768), schemas.Int(32767)}},
	{"int4", []string{"-2147483648", "0"}, []schemas.Value{schemas.Int(math.MinInt32), schemas.Int(0)}},
	{"int8", []string{"-9223372036854775808", "9223372036854775807"}, []schemas.Value{schemas.Int(math.MinInt64), schemas.Int(math.MaxInt64)}},
	{"oid", []string{"4294967295"}, []schemas.Value{schemas.Int(4294967295)}},
	{"numeric(12,2)", []string{"-0.01", "9999999999.99", "'NaN'"}, []schemas.Value{schemas.Dec(-1, 2), schemas.Dec(999999999999, 2), schemas.DecSpecial(schemas.SpecialNaN)}},
	{"numeric(38,20)", []string{"12.5", "-123456789012345678.12345678901234567890"}, nil},
	{"numeric(5,-2)", []string{"123456"}, []schemas.Value{schemas.Dec(123500, 0)}},
	{"numeric(3,5)", []string{"0.00999"}, []schemas.Value{schemas.Dec(999, 5)}},
	{"numeric", []string{"1" + strings.Repeat("0", 100), "-1e-30", "'NaN'", "'Infinity'", "'-Infinity'", "0.10", "12.50000000000000000000", "100." + strings.Repeat("0", 300)}, nil},
	{"float4", []string{"1.1", "'NaN'", "'-Infinity'", "3.4028235e38"}, nil},
	{"float8", []string{"0.1", "'Infinity'", "-1e-300", "1e15"}, []schemas.Value{schemas.Float(0.1), schemas.Float(math.Inf(1)), schemas.Float(-1e-300), schemas.Float(1e15)}},
	{"text", []string{"''", "'a\tb\nc\\d\r\b\f\vÜ€'", `'\N'`, "'NULL'", "repeat('long ', 3000)"}, nil},
	{"varchar(9)", []string{"'ab '"}, text("ab ")},
	{"char(5)", []string{"'ab'", "''", "' ü '"}, text("ab", "", " ü")},
	{"char(3)[]", []string{"'{a,\"\",NULL}'"}, []schemas.Value{list(schemas.Text("a"), schemas.Text(""), schemas.Null)}},
	{"bpchar", []string{"'ab '"}, text("ab")},
	{"code", []string{"'ab'"}, text("ab")},
	{`"char"`, []string{"'x'"}, text("x")},
	{"name", []string{"'n'"}, text("n")},
	{"bytea", []string{`'\x00ff5c'`, "''"}, []schemas.Value{{Kind: schemas.KindBytes, Bytes: []byte{0, 255, 0x5c}}, {Kind: schemas.KindBytes, Bytes: []byte{}}}},
	{"date", []string{"'1970-01-01'", "'infinity'", "'-infinity'", "'0044-03-15 BC'", "'4713-01-01 BC'", "'5874897-12-31'", "'2000-02-29'"}, []schemas.Value{
		kind(schemas.KindDate, 0), kind(schemas.KindDate, schemas.DateInfinity), kind(schemas.KindDate, schemas.DateNegInfinity), kind(schemas.KindDate, -735160), {}, {}, kind(schemas.KindDate, 11016),
	}},
	{"time", []string{"'23:59:59.999999'", "'24:00'", "'00:00:00.5'"}, []schemas.Value{kind(schemas.KindTime, 86399999999), kind(schemas.KindTime, 86400000000), kind(schemas.KindTime, 500000)}},
	{"timetz", []string{"'12:00:00+05:30'"}, text("12:00:00+05:30")},
	{"timestamp", []string{"'2026-01-02 03:04:05.000006'", "'infinity'", "'-infinity'", "'0001-01-01 BC'", "'294276-12-31 23:59:59.999999'", "'1969-12-31 23:59:59.5'"}, []schemas.Value{
		{}, kind(schemas.KindTimestamp, math.MaxInt64), kind(schemas.KindTimestamp, math.MinInt64), {}, {}, kind(schemas.KindTimestamp, -500000),
	}},
	{"timestamptz", []string{"'1970-01-01 02:00:00+02'", "'infinity'", "'4714-11-24 00:00:00+00 BC'"}, []schemas.Value{
		kind(schemas.KindTimestampTZ, 0), kind(schemas.KindTimestampTZ, math.MaxInt64), {},
	}},
	{"interval", []string{"'1 year 2 mons -3 days 04:05:06.7'"}, text("1 year 2 mons -3 days +04:05:06.7")},
	{"uuid", []string{"'00112233-4455-6677-8899-AABBCCDDEEFF'"}, []schemas.Value{{Kind: schemas.KindUUID, Bytes: []byte{0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff}}}},
	{"json", []string{`'{"a": [1,  2]}'`}, nil},
	{"jsonb", []string{`'{"b":1,"a":"x\ny"}'`, "'null'"}, nil},
	{"inet", []string{"'10.0.0.1/8'"}, text("10.0.0.1/8")},
	{"cidr", []string{"'10.0.0.0/8'"}, text("10.0.0.0/8")},
	{"macaddr", []string{"'08:00:2b:01:02:03'"}, nil},
	{"money", []string{"-1234.5"}, text("-$1,234.50")},
	{"xml", []string{"'<a>b</a>'"}, text("<a>b</a>")},
	{"bit(3)", []string{"B'101'"}, text("101")},
	{"int4range", []string{"'[1,5)'"}, text("[1,5)")},
	{"point", []string{"'(1,2)'"}, text("(1,2)")},
	{"tsvector", []string{"'a b'"}, nil},
	{"int2vector", []string{"'1 2 3'"}, text("1 2 3")},
	{"box[]", []string{"'{(1,1),(0,0);(2,2),(1,1)}'"}, []schemas.Value{list(text("(1,1),(0,0)", "(2,2),(1,1)")...)}},
	{"mood", []string{"'sad'", "'über'"}, []schemas.Value{enum("sad"), enum("über")}},
	{"mood[]", []string{"'{sad,NULL}'"}, []schemas.Value{list(enum("sad"), schemas.Null)}},
	{"pair", []string{"(1,'x y')"}, text(`(1,"x y")`)},
	{"cents", []string{"12.345"}, []schemas.Value{schemas.Dec(1235, 2)}},
	{"cents[]", []string{"'{1,2.5}'"}, []schemas.Value{list(schemas.Dec(100, 2), schemas.Dec(250, 2))}},
	{"tags", []string{"'{a,b}'"}, []schemas.Value{list(text("a", "b")...)}},
	{"int4[]", []string{"'{}'", "'{1,NULL,-3}'", "'[0:1]={7,8}'"}, []schemas.Value{list(), list(schemas.Int(1), schemas.Null, schemas.Int(-3)), list(schemas.Int(7), schemas.Int(8))}},
	{"int4[][]", []string{"'{{1,2},{3,4}}'", "'{}'"}, []schemas.Value{list(list(schemas.Int(1), schemas.Int(2)), list(schemas.Int(3), schemas.Int(4))), list()}},
	{"text[]", []string{`ARRAY['a,b','{c}','NULL',NULL,'q"uo\te','', E'tab\t\n']`}, []schemas.Value{list(schemas.Text("a,b"), schemas.Text("{c}"), schemas.Text("NULL"), schemas.Null, schemas.Text(`q"uo\te`), schemas.Text(""), schemas.Text("tab\t\n"))}},
	{"numeric(8,2)[]", []string{"'{-1.5,NULL}'"}, []schemas.Value{list(schemas.Dec(-150, 2), schemas.Null)}},
	{"timestamptz[]", []string{"'{1970-01-01 00:00:01+00,infinity}'"}, []schemas.Value{list(kind(schemas.KindTimestampTZ, 1000000), kind(schemas.KindTimestampTZ, math.MaxInt64))}},
	{"bytea[]", []string{`ARRAY['\x00ff'::bytea]`}, []schemas.Value{list(schemas.Value{Kind: schemas.KindBytes, Bytes: []byte{0, 255}})}},
	{"uuid[]", []string{"ARRAY['00112233-4455-6677-8899-AABBCCDDEEFF'::uuid]"}, nil},
	{"jsonb[]", []string{`ARRAY['{"a": "b\"c"}'::jsonb]`}, nil},
}

// TestTypes reads every type by snapshot and by stream, under settings of the database that would print values differently.
func TestTypes(t *testing.T) {
	d := newDatabase(t, `CREATE TYPE mood AS ENUM ('sad', 'ok', 'über')`, `CREATE TYPE pair AS (a int, b text)`, `CREATE DOMAIN cents AS numeric(12,2)`, `CREATE DOMAIN tags AS text[]`, `CREATE DOMAIN code AS char(4)`)
	columns := []string{"id int PRIMARY KEY"}
	rows := 0
	for i, c := range typeCases {
		columns = append(columns, fmt.Sprintf("c%d %s", i, c.typ))
		rows = max(rows, len(c.literals))
	}
	d.exec("CREATE TABLE everything ("+strings.Join(columns, ", ")+"); ALTER TABLE everything REPLICA IDENTITY FULL",
		"ALTER DATABASE "+d.name+" SET datestyle = 'SQL, DMY'", "ALTER DATABASE "+d.name+" SET timezone = 'Asia/Kathmandu'", "ALTER DATABASE "+d.name+" SET bytea_output = 'escape'",
		"ALTER DATABASE "+d.name+" SET intervalstyle = 'iso_8601'", "ALTER DATABASE "+d.name+" SET extra_float_digits = -3")
	insert := func(id, n int) string {
		values := []string{fmt.Sprint(id)}
		for _, c := range typeCases {
			v := "NULL"
			if n < len(c.literals) {
				v = c.literals[n]
			}
			values = append(values, v)
		}
		return "INSERT INTO everything VALUES (" + strings.Join(values, ", ") + ")"
	}
	for n := range rows + 1 { // the last row is all null
		d.exec(insert(n, n))
	}
	log := &collector{keep: true}
	src, err := New(d.config(tables("everything")))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- src.Run(ctx, capture.Start{Snapshot: []string{"everything"}}, log) }()
	until(t, "the snapshot", func() bool { return log.end.Load() != nil || len(ended) > 0 })
	for n := range rows + 1 {
		d.exec(insert(1000+n, n), fmt.Sprintf("UPDATE everything SET id = %d WHERE id = %d", 2000+n, 1000+n))
	}
	until(t, "the changes", func() bool { return log.changes.Load() == int64(2*(rows+1)) || len(ended) > 0 })
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}

	described, err := mustNew(t, d.config(tables("everything"))).Describe(t.Context())
	if err != nil || !sameTable(described["everything"], log.tables["everything"]) {
		t.Errorf("the table is described as %+v, and declared as %+v (%v)", described["everything"], log.tables["everything"], err)
	}

	bySnapshot, inserted, updated, before := map[int64][]schemas.Value{}, map[int64][]schemas.Value{}, map[int64][]schemas.Value{}, map[int64][]schemas.Value{}
	for _, row := range log.read {
		bySnapshot[row[0].Int] = row
	}
	for _, c := range log.change {
		if c.before == nil {
			inserted[c.row[0].Int-1000] = c.row
		} else {
			updated[c.row[0].Int-2000], before[c.row[0].Int-2000] = c.row, c.before
		}
	}
	if len(bySnapshot) != rows+1 || len(inserted) != rows+1 || len(updated) != rows+1 {
		t.Fatalf("%d rows by snapshot, %d by insert, %d by update", len(bySnapshot), len(inserted), len(updated))
	}
	for n := range int64(rows + 1) {
		for i, c := range typeCases {
			got := bySnapshot[n][i+1]
			for what, row := range map[string][]schemas.Value{"insert": inserted[n], "update": updated[n], "row before": before[n]} {
				if !reflect.DeepEqual(got, row[i+1]) {
					t.Errorf("%s, row %d: the snapshot gives %#v, the %s %#v", c.typ, n, got, what, row[i+1])
				}
			}
			switch {
			case int(n) >= len(c.literals):
				if !got.IsNull() {
					t.Errorf("%s: null became %#v", c.typ, got)
				}
			case got.IsNull():
				t.Errorf("%s: %s became null", c.typ, c.literals[n])
			case c.typ == "numeric":
				if want := d.one(fmt.Sprintf("SELECT c%d FROM everything WHERE id = %d", i, n)); got.String() != want {
					t.Errorf("%s: %s became %s", c.typ, want, got)
				}
			case int(n) < len(c.want) && !c.want[n].IsNull() && !reflect.DeepEqual(got, c.want[n]):
				t.Errorf("%s: %s became %#v, not %#v", c.typ, c.literals[n], got, c.want[n])
			}
		}
	}
}

// TestArrayDimensions: an array of other dimensions than declared cannot be published, which is said, not hidden.
func TestArrayDimensions(t *testing.T) {
	d := newDatabase(t, "CREATE TABLE a (id int PRIMARY KEY, v int[])", "INSERT INTO a VALUES (1, '{{1,2}}')")
	d.exec("ALTER TABLE a REPLICA IDENTITY FULL")
	err := start(t, d.config(tables("a")), nil, false).failure()
	if !strings.Contains(err.Error(), "column v of a row cannot be read") || !strings.Contains(err.Error(), "more dimensions") {
		t.Error(err)
	}
}
