package mysql

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/go-mysql-org/go-mysql/mysql"

	"shelfstream/capture"
	"shelfstream/schemas"
)

// jsonOf builds MySQL's binary JSON, small or large.
type jsonOf struct{ large bool }

func (j jsonOf) number(dst []byte, n int) []byte {
	if j.large {
		return binary.LittleEndian.AppendUint32(dst, uint32(n))
	}
	return binary.LittleEndian.AppendUint16(dst, uint16(n))
}

// value is a document's type with its bytes; inline values stand in the entry itself.
type value struct {
	typ    byte
	b      []byte
	inline bool
}

func (j jsonOf) tree(keys []string, values ...value) value {
	width := 2
	typ := byte(jsonSmallArray)
	if j.large {
		width, typ = 4, jsonLargeArray
	}
	head := 2*width + len(values)*(1+width)
	if keys != nil {
		typ -= 2
		head += len(keys) * (width + 2)
	}
	body := []byte{}
	var entries []byte
	for _, k := range keys {
		entries = binary.LittleEndian.AppendUint16(j.number(entries, head+len(body)), uint16(len(k)))
		body = append(body, k...)
	}
	for _, v := range values {
		entries = append(entries, v.typ)
		if v.inline {
			entries = append(append(entries, v.b...), make([]byte, width-len(v.b))...)
			continue
		}
		entries = j.number(entries, head+len(body))
		body = append(body, v.b...)
	}
	b := j.number(j.number(nil, len(values)), head+len(body))
	return value{typ: typ, b: append(append(b, entries...), body...)}
}

func jsonText(s string) value {
	b := []byte{byte(len(s))}
	if len(s) > 127 {
		b = []byte{byte(len(s)&127 | 128), byte(len(s) >> 7)}
	}
	return value{typ: jsonString, b: append(b, s...)}
}

func opaque(typ byte, b []byte) value {
	v := jsonText(string(b))
	return value{typ: jsonOpaque, b: append([]byte{typ}, v.b...)}
}

func double(f float64) value {
	return value{typ: jsonDouble, b: binary.LittleEndian.AppendUint64(nil, math.Float64bits(f))}
}

func packed(typ byte, n int64) value {
	return opaque(typ, binary.LittleEndian.AppendUint64(nil, uint64(n)))
}

// TestJSON: the texts are those that MySQL 8 prints (the reference manual, "The JSON Data Type"; mysql-test/suite/json).
func TestJSON(t *testing.T) {
	small, large := jsonOf{}, jsonOf{large: true}
	one := value{typ: jsonInt16, b: []byte{1, 0}, inline: true}
	const second = int64(1) << 24
	day := func(year, month, day int64) int64 { return ((year*13+month)<<5 | day) << 17 * second }
	for want, v := range map[string]value{
		`null`:                         {typ: jsonLiteral, b: []byte{0}},
		`true`:                         {typ: jsonLiteral, b: []byte{1}},
		`-1`:                           {typ: jsonInt16, b: []byte{0xff, 0xff}},
		`65535`:                        {typ: jsonUint16, b: []byte{0xff, 0xff}},
		`-2147483648`:                  {typ: jsonInt32, b: []byte{0, 0, 0, 0x80}},
		`4294967295`:                   {typ: jsonUint32, b: []byte{0xff, 0xff, 0xff, 0xff}},
		`18446744073709551615`:         {typ: jsonUint64, b: []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
		`-9223372036854775808`:         {typ: jsonInt64, b: []byte{0, 0, 0, 0, 0, 0, 0, 0x80}},
		`1.0`:                          double(1),
		`-0.5`:                         double(-0.5),
		`1e16`:                         double(1e16),
		`"a\"b\\c\n\u0001ü/"`:          jsonText("a\"b\\c\n\x01ü/"),
		`[]`:                           small.tree(nil),
		`{}`:                           small.tree([]string{}),
		`[1, null, [1, "x"], 1.5]`:     small.tree(nil, one, value{typ: jsonLiteral, b: []byte{0}, inline: true}, small.tree(nil, one, jsonText("x")), double(1.5)),
		`{"a": 1, "bc": {"": true}}`:   small.tree([]string{"a", "bc"}, one, small.tree([]string{""}, value{typ: jsonLiteral, b: []byte{1}, inline: true})),
		`{"k": [70000]}`:               large.tree([]string{"k"}, large.tree(nil, value{typ: jsonInt32, b: []byte{0x70, 0x11, 1, 0}, inline: true})),
		`"2024-02-29"`:                 packed(mysql.MYSQL_TYPE_DATE, day(2024, 2, 29)),
		`"2024-02-29 15:04:05.500000"`: packed(mysql.MYSQL_TYPE_DATETIME, day(2024, 2, 29)+(15<<12|4<<6|5)*second+500000),
		`"-12:34:56.000001"`:           packed(mysql.MYSQL_TYPE_TIME, -((12<<12|34<<6|56)*second + 1)),
		`-12.50`:                       opaque(mysql.MYSQL_TYPE_NEWDECIMAL, []byte{4, 2, 0x7f ^ 12, 0xff ^ 50}),
		`"base64:type15:AP8="`:         opaque(mysql.MYSQL_TYPE_VARCHAR, []byte{0, 255}),
		`"base64:type252:` + strings.Repeat("A", 76) + `\nAAAA"`: opaque(mysql.MYSQL_TYPE_BLOB, make([]byte, 60)),
		`"` + strings.Repeat("x", 300) + `"`:                     jsonText(strings.Repeat("x", 300)),
	} {
		got, err := appendJSON(nil, append([]byte{v.typ}, v.b...))
		if err != nil || string(got) != want {
			t.Errorf("%s became %s (%v)", want, got, err)
		}
	}
	if got, err := appendJSON(nil, nil); err != nil || string(got) != "null" {
		t.Errorf("an empty document became %s (%v)", got, err)
	}
}

// everyColumn has a column of each decoding.
var everyColumn = []column{
	{name: "id", typ: mysql.MYSQL_TYPE_LONG, key: 1},
	{name: "tiny", typ: mysql.MYSQL_TYPE_TINY, nullable: true},
	{name: "small", typ: mysql.MYSQL_TYPE_SHORT, unsigned: true},
	{name: "medium", typ: mysql.MYSQL_TYPE_INT24},
	{name: "big", typ: mysql.MYSQL_TYPE_LONGLONG, unsigned: true},
	{name: "dec", typ: mysql.MYSQL_TYPE_NEWDECIMAL, meta: 12<<8 | 2},
	{name: "long", typ: mysql.MYSQL_TYPE_NEWDECIMAL, meta: 38<<8 | 20},
	{name: "f", typ: mysql.MYSQL_TYPE_FLOAT, meta: 4},
	{name: "d", typ: mysql.MYSQL_TYPE_DOUBLE, meta: 8},
	{name: "year", typ: mysql.MYSQL_TYPE_YEAR},
	{name: "date", typ: mysql.MYSQL_TYPE_DATE},
	{name: "t", typ: mysql.MYSQL_TYPE_TIME2, meta: 4},
	{name: "dt", typ: mysql.MYSQL_TYPE_DATETIME2, meta: 6},
	{name: "ts", typ: mysql.MYSQL_TYPE_TIMESTAMP2, meta: 2},
	{name: "old", typ: mysql.MYSQL_TYPE_TIME},
	{name: "olddt", typ: mysql.MYSQL_TYPE_DATETIME},
	{name: "oldts", typ: mysql.MYSQL_TYPE_TIMESTAMP},
	{name: "bit", typ: mysql.MYSQL_TYPE_BIT, meta: 1<<8 | 3},
	{name: "enum", typ: mysql.MYSQL_TYPE_ENUM, meta: 1, collation: 45, members: []string{"a", "b"}},
	{name: "set", typ: mysql.MYSQL_TYPE_SET, meta: 1, collation: 45, members: []string{"a", "b"}},
	{name: "c", typ: mysql.MYSQL_TYPE_STRING, meta: 20, collation: 8},
	{name: "v", typ: mysql.MYSQL_TYPE_VARCHAR, meta: 300, collation: 45},
	{name: "u16", typ: mysql.MYSQL_TYPE_VARCHAR, meta: 40, collation: 54},
	{name: "b", typ: mysql.MYSQL_TYPE_BLOB, meta: 2, collation: 63},
	{name: "bin", typ: mysql.MYSQL_TYPE_STRING, meta: 4, collation: 63},
	{name: "j", typ: mysql.MYSQL_TYPE_JSON, meta: 4},
	{name: "g", typ: mysql.MYSQL_TYPE_GEOMETRY, meta: 4},
	{name: "uuid", typ: mysql.MYSQL_TYPE_STRING, meta: 16, collation: 63, special: uuid},
	{name: "inet6", typ: mysql.MYSQL_TYPE_STRING, meta: 16, collation: 63, special: inet6},
}

var someCharsets = charsets{8: "latin1", 45: "utf8mb4", 54: "utf16", 63: "binary", 28: "gbk"}

func mustShape(t testing.TB, cols []column, cfg capture.TableConfig) *shape {
	t.Helper()
	s, err := newShape(cols, shapeConfig{table: cfg, charsets: someCharsets, where: "erp.a: table a", again: "shelfstream capture resnapshot"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestShape: which columns are captured, what is read past, and what is refused.
func TestShape(t *testing.T) {
	cols := []column{
		{name: "x", typ: mysql.MYSQL_TYPE_VARCHAR, meta: 20, collation: 28, nullable: true}, // gbk: not captured, and read past
		{name: "b", typ: mysql.MYSQL_TYPE_SHORT, key: 2},
		{name: "a", typ: mysql.MYSQL_TYPE_LONG, key: 1},
		{name: "seen", typ: mysql.MYSQL_TYPE_DATE},
		{name: "DB_ROW_HASH_1", typ: mysql.MYSQL_TYPE_LONGLONG, nullable: true},
	}
	s := mustShape(t, cols, capture.TableConfig{Columns: []string{"A", "seen"}})
	if got := s.table; len(got.Columns) != 3 || !slices.Equal(got.Key, []int{1, 0}) || !got.Columns[2].Nullable || got.Columns[0].Nullable {
		t.Errorf("the table became %+v", got)
	}
	// b=-2, a=7, x="ab", 2024-02-29, no hash; all present.
	data := []byte{0x10, 2, 'a', 'b', 0xfe, 0xff, 7, 0, 0, 0, 0x5d, 0xd0, 0x0f, 9}
	row := make([]schemas.Value, 3)
	rest, err := s.image(row, data, bitmap{0x1f}, &arena{})
	if err != nil || len(rest) != 1 || row[0].Int != -2 || row[1].Int != 7 || row[2].String() != "2024-02-29" {
		t.Errorf("the row became %v, rest %v (%v)", row, rest, err)
	}
	// Only b and a present, as in a minimal image.
	if rest, err := s.image(row, []byte{0, 5, 0, 6, 0, 0, 0}, bitmap{6}, &arena{}); err != nil || len(rest) != 0 || row[0].Int != 5 || !row[2].IsNull() || s.complete(bitmap{6}) || !s.complete(bitmap{0x1e}) {
		t.Errorf("the row became %v, rest %v (%v)", row, rest, err)
	}
	for want, cols := range map[string][]column{
		"gbk is not supported": cols,
		"no primary key":       cols[3:],
		"COMPRESSED":           {{name: "id", typ: mysql.MYSQL_TYPE_LONG, key: 1}, {name: "x", typ: 141}},
		"VECTOR":               {{name: "id", typ: mysql.MYSQL_TYPE_LONG, key: 1}, {name: "x", typ: mysql.MYSQL_TYPE_VECTOR}},
	} {
		if _, err := newShape(cols, shapeConfig{charsets: someCharsets}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func TestRealType(t *testing.T) {
	for _, c := range []struct {
		meta uint16
		typ  byte
		want uint16
	}{
		{0xfe14, mysql.MYSQL_TYPE_STRING, 20},
		{0xeefc, mysql.MYSQL_TYPE_STRING, 0x1fc}, // 508 bytes
		{0xde00, mysql.MYSQL_TYPE_STRING, 0x200},
		{0xf702, mysql.MYSQL_TYPE_ENUM, 2},
		{0xf808, mysql.MYSQL_TYPE_SET, 8},
	} {
		if typ, meta := realType(mysql.MYSQL_TYPE_STRING, c.meta); typ != c.typ || meta != c.want {
			t.Errorf("%x became %d %d", c.meta, typ, meta)
		}
	}
}

func TestParseMembers(t *testing.T) {
	if got := parseMembers(`enum('a','b''c','d\\e','f,g','','ü\n')`); !slices.Equal(got, []string{"a", "b'c", `d\e`, "f,g", "", "ü\n"}) {
		t.Errorf("%q", got)
	}
}

// anImage is one row of everyColumn, without nulls.
func anImage() []byte {
	b := []byte{0, 0, 0, 0}
	b = append(b, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)
	b = append(b, slices.Repeat([]byte{0xff}, 8)...)
	b = append(b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xfe)
	b = append(b, slices.Repeat([]byte{0x80}, 17)...)
	b = append(b, 0, 0, 0x80, 0x3f, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 124, 0x5d, 0xd0, 0x0f)
	b = append(b, 0x7f, 0xff, 0xff, 0xff, 0xff)
	b = append(b, 0x99, 0xb2, 0x7a, 0xf1, 0x05, 0, 0, 1, 0x65, 0, 0, 0, 50)
	b = append(b, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0)
	b = append(b, 1, 0xff, 2, 3, 2, 0xe6, ' ', 3, 0, 'a', 'b', 'c', 4, 0xd8, 0x3d, 0xde, 0x00, 2, 0, 1, 2, 1, 9)
	b = append(b, 3, 0, 0, 0, jsonInt16, 1, 0, 1, 0, 0, 0, 7)
	b = append(append(b, 16), slices.Repeat([]byte{0xab}, 16)...)
	return append(b, 1, 0x20)
}

func TestImage(t *testing.T) {
	s := mustShape(t, everyColumn, capture.TableConfig{})
	row, a := make([]schemas.Value, len(everyColumn)), &arena{}
	all := bitmap(slices.Repeat([]byte{0xff}, 4))
	rest, err := s.image(row, anImage(), all, a)
	if err != nil || len(rest) != 0 {
		t.Fatalf("%d bytes are left (%v)", len(rest), err)
	}
	for name, want := range map[string]string{
		"small": "65535", "big": "18446744073709551615", "year": "2024", "t": "-00:00:00.0001", "old": "00:00:01", "enum": "b", "set": "a,b", "c": "æ", "u16": "😀", "bin": "0x09000000",
		"j": "1", "inet6": "2000::", "date": "2024-02-29",
	} {
		if got := row[s.table.Column(name)].String(); got != want {
			t.Errorf("%s became %s, not %s", name, got, want)
		}
	}
	// Nothing is allocated for a row, but for a decimal of more than 18 digits.
	narrow := mustShape(t, slices.DeleteFunc(slices.Clone(everyColumn), func(c column) bool { return c.name == "long" }), capture.TableConfig{})
	image := slices.Delete(anImage(), 28, 28+17)
	if n := testing.AllocsPerRun(100, func() {
		a.reset()
		if _, err := narrow.image(row, image, all, a); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("a row costs %v allocations", n)
	}
}

// FuzzImage: whatever stands in a row image, it is read or refused.
func FuzzImage(f *testing.F) {
	f.Add(anImage(), []byte{0xff, 0xff, 0xff, 0xff})
	f.Add(anImage(), []byte{0x01})
	f.Add([]byte{}, []byte{0xff})
	s := mustShape(f, everyColumn, capture.TableConfig{})
	codec, err := schemas.Compile(s.table)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data, present []byte) {
		row := make([]schemas.Value, len(everyColumn))
		rest, err := s.image(row, data, present, &arena{})
		if err != nil {
			return
		}
		if len(rest) > len(data) || string(data[len(data)-len(rest):]) != string(rest) {
			t.Fatal("the rest is not the image's end")
		}
		if !s.complete(present) {
			return
		}
		for i := range row {
			if row[i].IsSpecial() {
				row[i] = schemas.Null
			}
		}
		var ce *schemas.ColumnError
		if _, err := codec.AppendValue(nil, row); err != nil && !errors.As(err, &ce) {
			t.Error(err)
		}
	})
}

// FuzzJSON: the same for MySQL's binary JSON.
func FuzzJSON(f *testing.F) {
	small := jsonOf{}
	v := small.tree([]string{"a", "b"}, jsonText("x"), small.tree(nil, double(1.5), opaque(mysql.MYSQL_TYPE_NEWDECIMAL, []byte{4, 2, 0x80, 1})))
	f.Add(append([]byte{v.typ}, v.b...))
	f.Fuzz(func(_ *testing.T, data []byte) { _, _ = appendJSON(nil, data) })
}
