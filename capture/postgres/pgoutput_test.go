package postgres

import (
	"bytes"
	"encoding/binary"
	"reflect"
	"testing"

	"github.com/jackc/pglogrepl"
)

// wireMessage builds messages for tests.
type wireMessage []byte

func (m wireMessage) u8(b ...byte) wireMessage { return append(m, b...) }
func (m wireMessage) u16(n uint16) wireMessage { return binary.BigEndian.AppendUint16(m, n) }
func (m wireMessage) u32(n uint32) wireMessage { return binary.BigEndian.AppendUint32(m, n) }
func (m wireMessage) u64(n uint64) wireMessage { return binary.BigEndian.AppendUint64(m, n) }
func (m wireMessage) text(s string) wireMessage {
	return append(append(m, s...), 0)
}

// tuple adds fields: nil is null, "\x00u" is an unchanged large value.
func (m wireMessage) tuple(fields ...any) wireMessage {
	m = m.u16(uint16(len(fields)))
	for _, f := range fields {
		switch v := f.(type) {
		case nil:
			m = m.u8('n')
		case string:
			if v == "\x00u" {
				m = m.u8('u')
				continue
			}
			m = append(m.u8('t').u32(uint32(len(v))), v...)
		}
	}
	return m
}

func messages() map[string]wireMessage {
	return map[string]wireMessage{
		"begin":      wireMessage{'B'}.u64(0x16B3748).u64(1000).u32(742),
		"commit":     wireMessage{'C'}.u8(0).u64(0x16B3748).u64(0x16B3778).u64(1000),
		"origin":     wireMessage{'O'}.u64(5).text("there"),
		"relation":   wireMessage{'R'}.u32(16384).text("public").text("product").u8('f').u16(2).u8(1).text("id").u32(20).u32(0xffffffff).u8(0).text("name").u32(1043).u32(24),
		"type":       wireMessage{'Y'}.u32(16400).text("public").text("mood"),
		"insert":     wireMessage{'I'}.u32(16384).u8('N').tuple("1", "one", nil),
		"update":     wireMessage{'U'}.u32(16384).u8('N').tuple("1", "\x00u", nil),
		"update key": wireMessage{'U'}.u32(16384).u8('K').tuple("1", nil, nil).u8('N').tuple("2", "two", ""),
		"update old": wireMessage{'U'}.u32(16384).u8('O').tuple("1", "one", "x").u8('N').tuple("1", "uno", "x"),
		"delete":     wireMessage{'D'}.u32(16384).u8('K').tuple("1", nil),
		"delete old": wireMessage{'D'}.u32(16384).u8('O').tuple("1", "one"),
		"truncate":   wireMessage{'T'}.u32(2).u8(3).u32(16384).u32(16385),
		"message":    append(wireMessage{'M'}.u8(1).u64(7).text("prefix").u32(2), "hi"...),
	}
}

// TestParse compares the parser with pglogrepl's on every kind of message.
func TestParse(t *testing.T) {
	var m Message
	for name, b := range messages() {
		want, err := pglogrepl.Parse(b)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := m.Parse(b); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		same(t, name, &m, want)
		for n := range len(b) {
			if err := m.Parse(b[:n]); err == nil {
				t.Errorf("%s: its first %d bytes are taken for a message", name, n)
			}
		}
		if err := m.Parse(append(bytes.Clone(b), 0)); err == nil {
			t.Errorf("%s: a byte too many is not noticed", name)
		}
	}
}

// same compares a parsed message with pglogrepl's.
func same(t *testing.T, name string, m *Message, want pglogrepl.Message) {
	t.Helper()
	check := func(what string, got, want any) {
		t.Helper()
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %s is %v, pglogrepl says %v", name, what, got, want)
		}
	}
	switch w := want.(type) {
	case *pglogrepl.BeginMessage:
		check("xid", m.XID, w.Xid)
		check("lsn", LSN(m.LSN), w.FinalLSN)
		check("time", m.TimeUS+postgresEpochUS, w.CommitTime.UnixMicro())
	case *pglogrepl.CommitMessage:
		check("lsn", LSN(m.LSN), w.CommitLSN)
		check("end", LSN(m.EndLSN), w.TransactionEndLSN)
		check("time", m.TimeUS+postgresEpochUS, w.CommitTime.UnixMicro())
	case *pglogrepl.RelationMessage:
		check("oid", m.Relation, w.RelationID)
		check("name", string(m.Namespace)+"."+string(m.Name), w.Namespace+"."+w.RelationName)
		check("identity", m.Identity, w.ReplicaIdentity)
		check("columns", len(m.Columns), len(w.Columns))
		for i, c := range w.Columns {
			g := m.Columns[i]
			check("column", []any{string(g.Name), g.Type, g.Typmod, g.Key}, []any{c.Name, c.DataType, c.TypeModifier, c.Flags == 1})
		}
	case *pglogrepl.InsertMessage:
		check("oid", m.Relation, w.RelationID)
		sameTuple(t, name, m.New, w.Tuple)
	case *pglogrepl.UpdateMessage:
		check("oid", m.Relation, w.RelationID)
		check("old kind", m.OldKind, w.OldTupleType)
		sameTuple(t, name, m.Old, w.OldTuple)
		sameTuple(t, name, m.New, w.NewTuple)
	case *pglogrepl.DeleteMessage:
		check("oid", m.Relation, w.RelationID)
		check("old kind", m.OldKind, w.OldTupleType)
		sameTuple(t, name, m.Old, w.OldTuple)
	case *pglogrepl.TruncateMessage:
		check("oids", m.Relations, w.RelationIDs)
		check("options", m.Flags, w.Option)
	case *pglogrepl.OriginMessage:
		check("name", string(m.Name), w.Name)
	case *pglogrepl.TypeMessage:
		check("type", []any{m.Relation, string(m.Namespace), string(m.Name)}, []any{w.DataType, w.Namespace, w.Name})
	case *pglogrepl.LogicalDecodingMessage:
		check("content", string(m.Name)+string(m.Content), w.Prefix+string(w.Content))
	}
}

func sameTuple(t *testing.T, name string, got []Field, want *pglogrepl.TupleData) {
	t.Helper()
	if want == nil {
		if len(got) != 0 {
			t.Errorf("%s: a tuple that pglogrepl does not see", name)
		}
		return
	}
	if len(got) != len(want.Columns) {
		t.Fatalf("%s: %d fields, pglogrepl has %d", name, len(got), len(want.Columns))
	}
	for i, c := range want.Columns {
		if got[i].Kind != c.DataType || !bytes.Equal(got[i].Data, c.Data) {
			t.Errorf("%s: field %d is %q %q, pglogrepl has %q %q", name, i, got[i].Kind, got[i].Data, c.DataType, c.Data)
		}
	}
}

func TestParseErrors(t *testing.T) {
	var m Message
	for name, b := range map[string]wireMessage{
		"empty": {}, "unknown": {'?'}, "insert of an old tuple": wireMessage{'I'}.u32(1).u8('K').tuple(),
		"update without a new tuple": wireMessage{'U'}.u32(1).u8('X'), "delete of a new tuple": wireMessage{'D'}.u32(1).u8('N').tuple(),
		"field of no kind":       wireMessage{'I'}.u32(1).u8('N').u16(1).u8('z'),
		"field longer than all":  wireMessage{'I'}.u32(1).u8('N').u16(1).u8('t').u32(0xffffffff),
		"truncate of everything": wireMessage{'T'}.u32(0xffffffff).u8(0),
	} {
		if err := m.Parse(b); err == nil {
			t.Errorf("%s is taken for a message", name)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, b := range messages() {
		f.Add([]byte(b))
	}
	var m Message
	f.Fuzz(func(t *testing.T, b []byte) {
		if m.Parse(b) != nil {
			return
		}
		if len(m.New) > len(b) || len(m.Old) > len(b) || len(m.Relations) > len(b) || len(m.Columns) > len(b) {
			t.Errorf("a message of %d bytes gives more than that", len(b))
		}
	})
}

func TestParseAllocatesNothing(t *testing.T) {
	var m Message
	all := messages()
	parse := func() {
		for _, b := range all {
			if err := m.Parse(b); err != nil {
				t.Fatal(err)
			}
		}
	}
	parse()
	if n := testing.AllocsPerRun(100, parse); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// productInsert is an insert of 9 columns, as the benchmarks' products table has them.
func productInsert() wireMessage {
	return wireMessage{'I'}.u32(16384).u8('N').tuple("4711", "SKU-000004711", "Artikel 4711 Größe 11",
		"c4ca4238a0b923820dcc509a6f75849b 8f14e45fceea167a5a36dedd4bea2543 c51ce410c124a10e0db5e4b97fc2af39 70efdf2ec9b086079795c", "1743.07", "711", "2", "2026-01-01 01:18:31+00", "f")
}

func BenchmarkParse(b *testing.B) {
	msg := productInsert()
	b.Run("ours", func(b *testing.B) {
		b.ReportAllocs()
		var m Message
		for b.Loop() {
			if err := m.Parse(msg); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("pglogrepl", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := pglogrepl.ParseV2(msg, false); err != nil {
				b.Fatal(err)
			}
		}
	})
}
