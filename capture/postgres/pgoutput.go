package postgres

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Kind is the first byte of a pgoutput message (PostgreSQL documentation, "Logical Replication Message Formats").
type Kind byte

// The messages of protocol version 1. Version 2 adds the streaming of transactions that are still open; it is not asked for, because
// such a transaction may yet be rolled back, and its rows would be in the topics. The walsender spills large transactions to
// its own disk and sends them after their commit.
const (
	KindBegin    Kind = 'B'
	KindCommit   Kind = 'C'
	KindRelation Kind = 'R'
	KindType     Kind = 'Y'
	KindOrigin   Kind = 'O'
	KindInsert   Kind = 'I'
	KindUpdate   Kind = 'U'
	KindDelete   Kind = 'D'
	KindTruncate Kind = 'T'
	KindMessage  Kind = 'M'
)

// The kinds of a Field.
const (
	fieldNull      = 'n'
	fieldUnchanged = 'u' // a large value stored out of line that the update did not touch; it is not in the log
	fieldText      = 't'
	fieldBinary    = 'b'
)

// The kinds of an old tuple.
const (
	oldKey = 'K' // only the columns of the replica identity, the others null
	oldRow = 'O' // the whole row: REPLICA IDENTITY FULL
)

// Field is one column of a tuple. Data aliases the message.
type Field struct {
	Kind byte
	Data []byte
}

// RelationColumn describes a column of the tuples that follow. Name aliases the message.
type RelationColumn struct {
	Key    bool // part of the replica identity
	Name   []byte
	Type   uint32
	Typmod int32
}

// Message is one parsed message; which fields count depends on Kind. Its slices are used again by the next Parse.
type Message struct {
	Kind Kind

	LSN    uint64 // Begin: the commit record's LSN; Commit, Origin: the same; Message: its own
	EndLSN uint64 // Commit: the end of the transaction
	TimeUS int64  // Begin, Commit: commit time in microseconds since 2000-01-01
	XID    uint32 // Begin

	Relation uint32 // Relation, Insert, Update, Delete: OID; Type: the type's OID
	// Namespace and Name are of a Relation or Type ("" for pg_catalog); Name also of an Origin and the prefix of a Message.
	Namespace, Name []byte
	Identity        byte             // Relation: d default, n nothing, f full, i index
	Columns         []RelationColumn // Relation

	OldKind byte    // Update, Delete: K, O, or 0 if there is no old tuple
	Old     []Field // Update, Delete
	New     []Field // Insert, Update

	Flags     byte     // Truncate: 1 cascade, 2 restart identity; Message: 1 transactional
	Relations []uint32 // Truncate
	Content   []byte   // Message
}

var errShort = errors.New("the message ends too early")

// Parse reads one pgoutput message of protocol version 1 into m. It keeps no reference to m's former content and allocates
// only while m's slices grow to the widest table seen. What m holds afterwards aliases b.
func (m *Message) Parse(b []byte) error {
	if len(b) == 0 {
		return fmt.Errorf("parse pgoutput: %w", errShort)
	}
	m.Kind = Kind(b[0])
	c := cursor{b: b[1:]}
	switch m.Kind {
	case KindBegin:
		m.LSN, m.TimeUS, m.XID = c.uint64(), int64(c.uint64()), c.uint32()
	case KindCommit:
		m.Flags, m.LSN, m.EndLSN = c.byte(), c.uint64(), c.uint64()
		m.TimeUS = int64(c.uint64())
	case KindInsert:
		m.Relation, m.OldKind = c.uint32(), 0
		if t := c.byte(); t != 'N' && !c.short {
			return fmt.Errorf("parse pgoutput insert: tuple kind %q", t)
		}
		m.New = c.tuple(m.New[:0])
	case KindUpdate:
		m.Relation, m.OldKind, m.Old = c.uint32(), 0, m.Old[:0]
		t := c.byte()
		if t == oldKey || t == oldRow {
			m.OldKind, m.Old = t, c.tuple(m.Old)
			t = c.byte()
		}
		if t != 'N' && !c.short {
			return fmt.Errorf("parse pgoutput update: tuple kind %q", t)
		}
		m.New = c.tuple(m.New[:0])
	case KindDelete:
		m.Relation, m.OldKind = c.uint32(), c.byte()
		if m.OldKind != oldKey && m.OldKind != oldRow && !c.short {
			return fmt.Errorf("parse pgoutput delete: tuple kind %q", m.OldKind)
		}
		m.Old = c.tuple(m.Old[:0])
	case KindRelation:
		m.relation(&c)
	case KindTruncate:
		n := c.uint32()
		m.Flags, m.Relations = c.byte(), m.Relations[:0]
		for range n {
			if c.short {
				break
			}
			m.Relations = append(m.Relations, c.uint32())
		}
	case KindType:
		m.Relation, m.Namespace, m.Name = c.uint32(), c.text(), c.text()
	case KindOrigin:
		m.LSN, m.Name = c.uint64(), c.text()
	case KindMessage:
		m.Flags, m.LSN, m.Name = c.byte(), c.uint64(), c.text()
		m.Content = c.bytes(int(c.uint32()))
	default:
		return fmt.Errorf("parse pgoutput: message %q is unknown", b[0])
	}
	if c.short {
		return fmt.Errorf("parse pgoutput %q: %w", b[0], errShort)
	}
	if len(c.b) != 0 {
		return fmt.Errorf("parse pgoutput %q: %d bytes follow the message", b[0], len(c.b))
	}
	return nil
}

func (m *Message) relation(c *cursor) {
	m.Relation, m.Namespace, m.Name = c.uint32(), c.text(), c.text()
	m.Identity, m.Columns = c.byte(), m.Columns[:0]
	for range c.uint16() {
		if c.short {
			return
		}
		m.Columns = append(m.Columns, RelationColumn{
			Key: c.byte()&1 != 0, Name: c.text(), Type: c.uint32(), Typmod: int32(c.uint32()),
		})
	}
}

// cursor reads big-endian values; once short is set everything it gives is zero.
type cursor struct {
	b     []byte
	short bool
}

func (c *cursor) bytes(n int) []byte {
	if n < 0 || n > len(c.b) {
		c.short, c.b = true, nil
		return nil
	}
	b := c.b[:n:n]
	c.b = c.b[n:]
	return b
}

func (c *cursor) byte() byte {
	if b := c.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (c *cursor) uint16() uint16 {
	if b := c.bytes(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (c *cursor) uint32() uint32 {
	if b := c.bytes(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (c *cursor) uint64() uint64 {
	if b := c.bytes(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// text reads a text that ends with a zero byte.
func (c *cursor) text() []byte {
	for i, x := range c.b {
		if x == 0 {
			s := c.b[:i:i]
			c.b = c.b[i+1:]
			return s
		}
	}
	c.short, c.b = true, nil
	return nil
}

// tuple is the hot loop of the stream, so it works on a local slice.
func (c *cursor) tuple(dst []Field) []Field {
	n := int(c.uint16())
	b := c.b
	for range n {
		if len(b) == 0 {
			c.short = true
			break
		}
		switch k := b[0]; k {
		case fieldNull, fieldUnchanged:
			dst = append(dst, Field{Kind: k})
			b = b[1:]
		case fieldText, fieldBinary:
			if len(b) < 5 {
				c.short, c.b = true, nil
				return dst
			}
			size := binary.BigEndian.Uint32(b[1:])
			if uint64(size) > uint64(len(b)-5) {
				c.short, c.b = true, nil
				return dst
			}
			dst = append(dst, Field{Kind: k, Data: b[5 : 5+size : 5+size]})
			b = b[5+size:]
		default:
			c.short, c.b = true, nil
			return dst
		}
	}
	c.b = b
	return dst
}
