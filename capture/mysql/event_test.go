package mysql

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"slices"
	"testing"

	gomysql "github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-mysql-org/go-mysql/replication"
	"github.com/klauspost/compress/zstd"
)

// testEvent is an event as it stands in a log without checksums.
func testEvent(typ replication.EventType, body []byte) []byte {
	h := replication.EventHeader{Timestamp: 1, EventType: typ, ServerID: 7}
	return append(appendHeader(nil, &h, len(body)), body...)
}

func TestPayload(t *testing.T) {
	first, second := testEvent(replication.INTVAR_EVENT, make([]byte, 9)), testEvent(replication.XID_EVENT, make([]byte, 8))
	packedEvents, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	plain := append(slices.Clone(first), second...)
	compressed := packedEvents.EncodeAll(plain, nil)
	field := func(id byte, n uint64) []byte {
		v := gomysql.PutLengthEncodedInt(n)
		return append([]byte{id, byte(len(v))}, v...)
	}
	for name, body := range map[string][]byte{
		"zstd": slices.Concat(field(2, payloadZstd), field(3, uint64(len(plain))), field(1, uint64(len(compressed))), []byte{payloadEnd}, compressed),
		"none": slices.Concat(field(2, payloadPlain), []byte{payloadEnd}, plain),
	} {
		var p payload
		defer p.close()
		for range 2 { // the decoder is used again
			var got []replication.EventType
			if err := p.each(body, func(h *replication.EventHeader, body []byte) error {
				got = append(got, h.EventType)
				return nil
			}); err != nil || !slices.Equal(got, []replication.EventType{replication.INTVAR_EVENT, replication.XID_EVENT}) {
				t.Errorf("%s: %v %v", name, got, err)
			}
			// go-mysql reads the same, where it can.
			if e := (&replication.TransactionPayloadEvent{}); name == "zstd" && (e.Decode(body) != nil || len(e.Events) != 2) {
				t.Errorf("go-mysql does not read what the test made: %d events", len(e.Events))
			}
		}
		for n := range len(body) - 1 {
			_ = p.each(body[:n], func(*replication.EventHeader, []byte) error { return nil }) // must not panic
		}
	}
}

func TestUnpack(t *testing.T) {
	text := bytes.Repeat([]byte("hello "), 1000)
	var b bytes.Buffer
	b.Write([]byte{0x82, byte(len(text) >> 8), byte(len(text))})
	w := zlib.NewWriter(&b)
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var f inflater
	for range 2 {
		got, err := f.unpack(b.Bytes())
		if err != nil || !bytes.Equal(got, text) {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
	}
	if _, err := f.unpack(b.Bytes()[:20]); err == nil {
		t.Error("a cut event was read")
	}
}

func TestRowsEvent(t *testing.T) {
	v1 := slices.Concat([]byte{5, 0, 0, 0, 0, 0, 1, 0}, []byte{9}, []byte{0xff, 1}, []byte{0xfe, 1}, []byte("images"))
	v2 := slices.Concat(v1[:8], []byte{4, 0, 9, 9}, v1[8:])
	for version, body := range map[int][]byte{1: v1, 2: v2} {
		var e rowsEvent
		if err := e.parse(updates, version, body); err != nil {
			t.Fatal(err)
		}
		if e.table != 5 || e.flags != endOfStatement || e.columns != 9 || !e.old.has(0) || e.new.has(0) || !e.new.has(8) || string(e.images) != "images" {
			t.Errorf("version %d: %+v", version, e)
		}
		for n := range 15 {
			if e.parse(updates, version, body[:min(n, len(body))]) == nil && n < 13 {
				t.Errorf("version %d: %d bytes were read", version, n)
			}
		}
	}
}

func TestQueryEvent(t *testing.T) {
	body := slices.Concat(make([]byte, 8), []byte{4}, []byte{0, 0}, binary.LittleEndian.AppendUint16(nil, 3), []byte("vvv"), []byte("shop\x00"), []byte("COMMIT"))
	q, err := parseQuery(body, 0)
	if err != nil || string(q.schema) != "shop" || string(q.text) != "COMMIT" {
		t.Errorf("%s %s %v", q.schema, q.text, err)
	}
	for n := range body {
		_, _ = parseQuery(body[:n], 0) // must not panic
	}
}

// TestUnsignedColumns: both servers have a bit for a YEAR; MariaDB sets it, MySQL does not.
func TestUnsignedColumns(t *testing.T) {
	for name, bits := range map[string]byte{"MariaDB": 0b0110_0000, "MySQL": 0b0010_0000} {
		e := &replication.TableMapEvent{
			ColumnCount: 4, ColumnType: []byte{gomysql.MYSQL_TYPE_LONG, gomysql.MYSQL_TYPE_YEAR, gomysql.MYSQL_TYPE_VARCHAR, gomysql.MYSQL_TYPE_LONG}, ColumnMeta: make([]uint16, 4),
			SignednessBitmap: []byte{bits},
		}
		if got := unsignedColumns(e); !slices.Equal(got, []bool{false, false, false, true}) {
			t.Errorf("%s: %v", name, got)
		}
	}
}
