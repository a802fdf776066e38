//go:build integration

package mysql

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gomysql "github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-mysql-org/go-mysql/replication"

	"shelfstream/capture"
	"shelfstream/schemas"
)

// typeCase is a column type with literals, and what they become, as Value.String writes it; "" is not compared.
type typeCase struct {
	typ      string
	literals []string
	want     []string
}

var typeCases = []typeCase{
	{"tinyint", []string{"-128", "127", "0"}, []string{"-128", "127", "0"}},
	{"tinyint unsigned", []string{"255", "0"}, []string{"255", "0"}},
	{"bool", []string{"true", "false"}, []string{"1", "0"}},
	{"smallint", []string{"-32768", "32767"}, []string{"-32768", "32767"}},
	{"smallint unsigned", []string{"65535"}, []string{"65535"}},
	{"year", []string{"1901", "2155", "0"}, []string{"1901", "2155", "0"}},
	{"mediumint", []string{"-8388608", "8388607"}, []string{"-8388608", "8388607"}},
	{"mediumint unsigned", []string{"16777215"}, []string{"16777215"}},
	{"int", []string{"-2147483648", "2147483647"}, []string{"-2147483648", "2147483647"}},
	{"int(8) unsigned zerofill", []string{"4294967295", "7"}, []string{"4294967295", "7"}},
	{"bigint", []string{"-9223372036854775808", "9223372036854775807"}, []string{"-9223372036854775808", "9223372036854775807"}},
	{"bigint unsigned", []string{"18446744073709551615", "9223372036854775808", "9223372036854775807", "0"}, []string{"18446744073709551615", "9223372036854775808", "9223372036854775807", "0"}},
	{"decimal(12,2)", []string{"-0.01", "9999999999.99", "0", "-9999999999.99"}, []string{"-0.01", "9999999999.99", "0.00", "-9999999999.99"}},
	{"decimal(18,9)", []string{"123456789.987654321", "-0.000000001"}, []string{"123456789.987654321", "-0.000000001"}},
	{"decimal(5,0) unsigned", []string{"99999"}, []string{"99999"}},
	{"decimal(38,20)", []string{"12.5", "-123456789012345678.12345678901234567890", "0", "-0.00000000000000000001"}, []string{"12.5", "-123456789012345678.12345678901234567890", "0.00000000000000000000", ""}},
	{"decimal(65,30)", []string{"-99999999999999999999999999999999999.999999999999999999999999999999", "1"}, []string{"-99999999999999999999999999999999999.999999999999999999999999999999", ""}},
	{"decimal(30,30)", []string{"0.123456789012345678901234567891", "-0.5"}, []string{"0.123456789012345678901234567891", ""}},
	{"decimal(65,0)", []string{strings.Repeat("9", 65), "-1"}, []string{strings.Repeat("9", 65), "-1"}},
	{"float", []string{"1.1", "-3.4028234e38", "1e-40", "0", "-0e0", "16777217"}, nil},
	{"float(7,4)", []string{"123.4567", "-999.9999"}, nil},
	{"float unsigned", []string{"0.3"}, nil},
	{"double", []string{"0.1", "-1.7976931348623157e308", "5e-324", "-0e0", "1e15", "1e16", "123456789.123456789"}, nil},
	{"double(20,3)", []string{"123456789012.345", "0.1"}, nil},
	{"bit(1)", []string{"b'1'", "b'0'"}, []string{"true", "false"}},
	{"bit(7)", []string{"b'1010101'"}, []string{"85"}},
	{"bit(33)", []string{"b'100000000000000000000000000000001'"}, []string{"4294967297"}},
	{"bit(64)", []string{"0xffffffffffffffff", "0"}, []string{"18446744073709551615", "0"}},
	{"date", []string{"'1970-01-01'", "'0000-00-00'", "'2024-00-15'", "'2023-02-31'", "'9999-12-31'", "'0000-01-01'", "'2000-02-29'", "'1000-01-01'"}, []string{"1970-01-01", "0000-00-00", "2024-00-15", "2023-02-31", "9999-12-31", "0000-01-01", "2000-02-29", "1000-01-01"}},
	{"time", []string{"'-838:59:59'", "'838:59:59'", "'00:00:00'", "'-00:00:01'"}, []string{"-838:59:59", "838:59:59", "00:00:00", "-00:00:01"}},
	{"time(1)", []string{"'-00:00:00.1'", "'-00:00:01.9'", "'10:11:12.5'"}, []string{"-00:00:00.1", "-00:00:01.9", "10:11:12.5"}},
	{"time(2)", []string{"'-00:00:00.01'", "'-00:00:01.10'", "'-838:59:59.99'"}, []string{"-00:00:00.01", "-00:00:01.1", "-838:59:59.99"}},
	{"time(4)", []string{"'-00:00:00.0001'", "'-12:34:56.7891'", "'1:2:3.4'"}, []string{"-00:00:00.0001", "-12:34:56.7891", "01:02:03.4"}},
	{"time(6)", []string{"'-838:59:59.999999'", "'838:59:59.999999'", "'-00:00:00.000001'"}, []string{"-838:59:59.999999", "838:59:59.999999", "-00:00:00.000001"}},
	{"datetime", []string{"'2026-01-02 03:04:05'", "'0000-00-00'", "'2024-01-00 10:11:12'", "'9999-12-31 23:59:59'", "'1000-01-01 00:00:00'"}, []string{"2026-01-02T03:04:05", "0000-00-00 00:00:00", "2024-01-00 10:11:12", "9999-12-31T23:59:59", "1000-01-01T00:00:00"}},
	{"datetime(3)", []string{"'2026-01-02 03:04:05.678'", "'0000-00-00 00:00:00'", "'2023-02-30 01:02:03.5'"}, []string{"2026-01-02T03:04:05.678", "0000-00-00 00:00:00.000", "2023-02-30 01:02:03.500"}},
	{"datetime(5)", []string{"'1969-12-31 23:59:59.00001'"}, []string{"1969-12-31T23:59:59.00001"}},
	{"datetime(6)", []string{"'1969-12-31 23:59:59.999999'", "'9999-12-31 23:59:59.999999'"}, []string{"1969-12-31T23:59:59.999999", "9999-12-31T23:59:59.999999"}},
	{"timestamp null", []string{"'1970-01-01 05:45:01'", "'2038-01-19 08:59:07'", "0"}, []string{"1970-01-01T00:00:01Z", "", "0000-00-00 00:00:00"}}, // the session stands at +05:45
	{"timestamp(1) null", []string{"'2026-01-02 03:04:05.6'"}, nil},
	{"timestamp(4) null", []string{"'2026-01-02 03:04:05.6789'"}, nil},
	{"timestamp(6) null", []string{"'2026-01-02 03:04:05.678901'", "'2026-10-25 03:30:00.000001'", "0"}, []string{"", "", "0000-00-00 00:00:00.000000"}},
	{"char(5)", []string{"'ab'", "''", "' ü '", "'😀'"}, []string{"ab", "", " ü", "😀"}},
	{"char(255)", []string{"repeat('ü', 255)"}, nil},
	{"char(5) character set latin1", []string{"'ü€'", "' a '", "0x818d9d"}, []string{"ü€", " a", "\u0081\u008d\u009d"}},
	{"char(200) character set latin1", []string{"repeat('é', 200)"}, nil},
	{"char(4) character set utf16", []string{"'aü😀 '", "''"}, []string{"aü😀", ""}},
	{"char(4) character set ucs2", []string{"'aü€'"}, []string{"aü€"}},
	{"char(4) character set utf32", []string{"'aü😀'"}, []string{"aü😀"}},
	{"varchar(20)", []string{"'ab '", "'a\\0b\\n\"\\\\'", "''", "'NULL'"}, []string{"ab ", "a\x00b\n\"\\", "", "NULL"}},
	{"varchar(300)", []string{"repeat('ab', 150)"}, nil},
	{"varchar(20) character set utf8mb3", []string{"'ü€'"}, []string{"ü€"}},
	{"varchar(20) character set latin1", []string{"'ÆØÅ €œ'"}, []string{"ÆØÅ €œ"}},
	{"varchar(20) character set latin2", []string{"'ŁódźČ'"}, []string{"ŁódźČ"}},
	{"varchar(20) character set cp1251", []string{"'Привет'"}, []string{"Привет"}},
	{"varchar(20) character set koi8r", []string{"'Привет'"}, []string{"Привет"}},
	{"varchar(20) character set greek", []string{"'αβγ'"}, []string{"αβγ"}},
	{"varchar(20) character set swe7", []string{"'åäö'"}, []string{"åäö"}},
	{"varchar(20) character set utf16le", []string{"'aü😀 '"}, []string{"aü😀 "}},
	{"varchar(20) character set ascii", []string{"'abc'"}, []string{"abc"}},
	{"binary(5)", []string{"'ab'", "0x0102030405", "''", "0x6100620000"}, []string{"0x6162000000", "0x0102030405", "0x0000000000", "0x6100620000"}},
	{"varbinary(5)", []string{"0x00ff20", "''", "0x610000"}, []string{"0x00ff20", "0x", "0x610000"}},
	{"tinytext", []string{"'tiny ü'", "''"}, []string{"tiny ü", ""}},
	{"text character set latin1", []string{"'æøå'", "repeat('ø', 5000)"}, []string{"æøå"}},
	{"mediumtext", []string{"repeat('😀', 20000)"}, nil},
	{"longtext", []string{"'x'"}, []string{"x"}},
	{"json", []string{`'{"a": [1,  2]}'`, "'null'"}, []string{`{"a": [1,  2]}`, "null"}},
	{"tinyblob", []string{"0x00ff"}, []string{"0x00ff"}},
	{"blob", []string{"''", "repeat(0x00, 300)"}, []string{"0x"}},
	{"mediumblob", []string{"repeat(0xfe, 70000)"}, nil},
	{"longblob", []string{"0x27"}, []string{"0x27"}},
	{"enum('a','b''c','d\\\\e','f,g','ü')", []string{"'a'", "'b''c'", "'d\\\\e'", "'f,g'", "'ü'", "'none'"}, []string{"a", "b'c", `d\e`, "f,g", "ü", ""}},
	{"enum('æ','ø') character set latin1", []string{"'ø'"}, []string{"ø"}},
	{bigEnum(), []string{"'m299'"}, []string{"m299"}},
	{"set('x','y''z','ü')", []string{"'x,ü'", "''", "'y''z'"}, []string{"x,ü", "", "y'z"}},
	{"set('æ','ø') character set latin1", []string{"'æ,ø'"}, []string{"æ,ø"}},
	{bigSet(20), []string{"'m0,m19'"}, []string{"m0,m19"}},
	{bigSet(64), []string{"'m0,m33,m63'"}, []string{"m0,m33,m63"}},
	{"uuid", []string{"'00112233-4455-6677-8899-aabbccddeeff'", "'123e4567-e89b-12d3-a456-426655440000'", "'00000000-0000-0000-0000-000000000000'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'", "'01890a5d-ac96-774b-bcce-b302099a8057'", "'6ccd780c-baba-1026-9564-5b8c656024db'"}, []string{"00112233-4455-6677-8899-aabbccddeeff", "123e4567-e89b-12d3-a456-426655440000", "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff", "01890a5d-ac96-774b-bcce-b302099a8057", "6ccd780c-baba-1026-9564-5b8c656024db"}},
	{"inet6", []string{"'::'", "'::1'", "'2001:db8::ff00:42:8329'", "'::ffff:1.2.3.4'", "'::1.2.3.4'", "'1:0:2:3:4:5:6:7'", "'1:0:0:2:0:0:0:3'", "'fe80::'"}, []string{"::", "::1", "2001:db8::ff00:42:8329", "::ffff:1.2.3.4"}},
	{"inet4", []string{"'10.0.0.1'", "'0.0.0.0'", "'255.255.255.0'"}, []string{"10.0.0.1", "0.0.0.0", "255.255.255.0"}},
	{"point", []string{"ST_GeomFromText('POINT(1 2)')"}, []string{"0x00000000" + "0101000000000000000000f03f0000000000000040"}},
	{"geometry", []string{"ST_GeomFromText('LINESTRING(0 0,1 1)', 4326)"}, nil},
	{"int generated always as (id + 1) stored", nil, nil},
	{"varchar(20) generated always as (concat('v', id)) virtual", nil, nil},
}

// typesHere are the cases for the server at hand.
func typesHere() []typeCase {
	if !onMySQL() {
		return typeCases
	}
	var here []typeCase
	for _, c := range typeCases {
		switch c.typ {
		case "uuid", "inet6", "inet4": // MariaDB's
			continue
		case "json": // MySQL keeps the value, not its text
			c.want = []string{`{"a": [1, 2]}`, "null"}
		case "time(2)", "time(6)": // and its last second has no fraction
			c.want = slices.Clone(c.want)
			for i, w := range c.want {
				if strings.Contains(w, "838:59:59.") {
					c.want[i], _, _ = strings.Cut(w, ".")
				}
			}
		}
		here = append(here, c)
	}
	return here
}

func bigEnum() string {
	m := make([]string, 300)
	for i := range m {
		m[i] = fmt.Sprintf("'m%d'", i)
	}
	return "enum(" + strings.Join(m, ",") + ")"
}

func bigSet(n int) string {
	m := make([]string, n)
	for i := range m {
		m[i] = fmt.Sprintf("'m%d'", i)
	}
	return "set(" + strings.Join(m, ",") + ")"
}

// collected takes a snapshot's rows.
type collected struct {
	mu   sync.Mutex
	rows map[int64][]schemas.Value
}

func (c *collected) Row(_ context.Context, _ int, _ capture.Handle, row []schemas.Value) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rows[row[0].Int] != nil {
		return fmt.Errorf("the row %d comes twice", row[0].Int)
	}
	c.rows[row[0].Int] = cloned(row)
	return nil
}
func (c *collected) End(context.Context, capture.Commit) error { return nil }
func (c *collected) Lanes() int                                { return 8 }

func cloned(row []schemas.Value) []schemas.Value {
	out := make([]schemas.Value, len(row))
	for i := range row {
		out[i] = row[i].Clone()
	}
	return out
}

// logged are the row images of one table in the log.
type logged struct {
	cols   []column
	rows   map[int64][]schemas.Value
	oracle map[int64][]any
}

// readLog reads the binlog from a place until the row with the given id has come, with our decoder and with go-mysql's.
func readLog(t *testing.T, cfg *Config, s *wholeSnapshot, set *collations, last int64) *logged {
	t.Helper()
	e, err := cfg.endpoint()
	if err != nil {
		t.Fatal(err)
	}
	l := &logged{rows: map[int64][]schemas.Value{}, oracle: map[int64][]any{}}
	var maps []*replication.TableMapEvent
	flavor, library := mariaDB, gomysql.MariaDBFlavor
	if onMySQL() {
		flavor, library = mySQL, gomysql.MySQLFlavor
	}
	sc := replication.BinlogSyncerConfig{ServerID: cfg.ServerID, Flavor: library, Host: "127.0.0.1", User: e.user, Password: e.password, UseDecimal: false, Logger: slog.New(slog.DiscardHandler)}
	if _, err := fmt.Sscanf(e.addr, "127.0.0.1:%d", &sc.Port); err != nil {
		t.Fatal(err)
	}
	info := s.tables[0].info
	sc.RowsEventDecodeFunc = func(re *replication.RowsEvent, data []byte) error {
		at, err := re.DecodeHeader(data)
		if err != nil {
			return err
		}
		if string(re.Table.Table) != info.name || string(re.Table.Schema) != info.schema {
			return nil
		}
		maps = append(maps, re.Table)
		cols, err := columnsOf(re.Table, set.charsets, flavor)
		if err != nil {
			return err
		}
		l.cols = adopt(cols, info.columns)
		sh, err := newShape(l.cols, cfg.shapeConfig("everything", set))
		if err != nil {
			return err
		}
		var ids []int64
		a := &arena{}
		for rest := data[at:]; len(rest) > 0; {
			row := make([]schemas.Value, len(sh.table.Columns))
			if rest, err = sh.image(row, rest, bitmap(re.ColumnBitmap1), a); err != nil {
				return err
			}
			l.rows[row[0].Int] = cloned(row)
			ids = append(ids, row[0].Int)
		}
		if err := re.DecodeData(at, data); err != nil {
			return fmt.Errorf("go-mysql's decoder: %w", err)
		}
		for i, id := range ids {
			l.oracle[id] = re.Rows[i]
		}
		return nil
	}
	syncer := replication.NewBinlogSyncer(sc)
	defer syncer.Close()
	stream, err := syncer.StartSync(gomysql.Position{Name: s.file, Pos: uint32(s.at)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for l.rows[last] == nil {
		if _, err := stream.GetEvent(ctx); err != nil {
			t.Fatalf("read the log: %v", err)
		}
	}
	return l
}

// TestTypes reads every type by snapshot and from the log, and compares both with each other, with what is wanted, and with go-mysql's decoder.
func TestTypes(t *testing.T) {
	typeCases := typesHere()
	d := newDatabase(t)
	d.exec("SET sql_mode = 'ALLOW_INVALID_DATES'", "SET time_zone = '+05:45'", "SET NAMES utf8mb4")
	columns := []string{"id int primary key"}
	rows := 0
	for i, c := range typeCases {
		columns = append(columns, fmt.Sprintf("c%d %s", i, c.typ))
		rows = max(rows, len(c.literals))
	}
	d.exec("CREATE TABLE everything (" + strings.Join(columns, ", ") + ") CHARACTER SET utf8mb4")
	insert := func(id, n int) {
		names, values := []string{"id"}, []string{fmt.Sprint(id)}
		for i, c := range typeCases {
			if n < len(c.literals) {
				names, values = append(names, fmt.Sprintf("c%d", i)), append(values, c.literals[n])
			}
		}
		d.exec("INSERT INTO everything (" + strings.Join(names, ", ") + ") VALUES (" + strings.Join(values, ", ") + ")")
	}
	for n := range rows + 1 { // the last row is all null
		insert(n, n)
	}
	cfg := Config{DSN: d.dsn(), Pipeline: "p", Source: d.name, Tables: map[string]capture.TableConfig{"everything": {}}}.withDefaults()
	s, err := cfg.openSnapshot(t.Context(), []string{"everything"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	for n := range rows + 1 {
		insert(1000+n, n)
	}
	read := &collected{rows: map[int64][]schemas.Value{}}
	if err := s.read(t.Context(), read); err != nil {
		t.Fatal(err)
	}
	if len(read.rows) != rows+1 {
		t.Fatalf("the snapshot has %d rows, not the %d that were there when it began", len(read.rows), rows+1)
	}
	db, err := cfg.connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	set, err := readCollations(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	log := readLog(t, &cfg, s, set, int64(1000+rows))
	sh := s.tables[0].shape
	for i, c := range sh.cols {
		if !c.equal(&log.cols[i]) {
			t.Errorf("%s: the catalogue gives %+v, the log %+v", columns[i], c, log.cols[i])
		}
	}
	codec, err := schemas.Compile(sh.table)
	if err != nil {
		t.Fatal(err)
	}
	for n := range int64(rows + 1) {
		snap, stream := read.rows[n], log.rows[1000+n]
		for i, c := range typeCases {
			a, b := snap[i+1], stream[i+1]
			if strings.Contains(c.typ, "generated") {
				if a.IsNull() || b.IsNull() {
					t.Errorf("%s: %v by snapshot, %v by log", c.typ, a, b)
				}
				continue
			}
			if !reflect.DeepEqual(a, b) {
				t.Errorf("%s, row %d: the snapshot gives %#v, the log %#v", c.typ, n, short(a), short(b))
			}
			switch {
			case int(n) >= len(c.literals):
				if !a.IsNull() {
					t.Errorf("%s: null became %v", c.typ, a)
				}
			case a.IsNull():
				t.Errorf("%s: %s became null", c.typ, c.literals[n])
			case int(n) < len(c.want) && (c.want[n] != "" || a.Kind == schemas.KindText) && a.String() != c.want[n]:
				t.Errorf("%s: %s became %q, not %q", c.typ, c.literals[n], a, c.want[n])
			}
			if why := disagrees(&log.cols[i+1], b, log.oracle[1000+n][i+1]); why != "" {
				t.Errorf("%s, row %d: %s", c.typ, n, why)
			}
		}
		withoutNone(snap)
		withoutNone(stream)
		snap[0], stream[0] = schemas.Int(0), schemas.Int(0)
		for i, c := range typeCases {
			if strings.Contains(c.typ, "generated") {
				stream[i+1] = snap[i+1]
			}
		}
		one, err1 := codec.AppendValue(nil, snap)
		two, err2 := codec.AppendValue(nil, stream)
		if err := errors.Join(err1, err2); err != nil || string(one) != string(two) {
			t.Errorf("row %d: other bytes by snapshot than by log (%v)", n, err)
		}
	}
}

func short(v schemas.Value) schemas.Value {
	if len(v.Bytes) > 60 {
		v.Bytes = v.Bytes[:60]
	}
	return v
}

// withoutNone does what the runner does with values that Avro has no place for.
func withoutNone(row []schemas.Value) {
	for i := range row {
		if row[i].IsSpecial() {
			row[i] = schemas.Null
		}
	}
}
