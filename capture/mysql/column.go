package mysql

import (
	"slices"
	"strings"

	"github.com/go-mysql-org/go-mysql/mysql"
)

// column is one column as the catalogue (information_schema) or a TABLE_MAP event describes it; both give equal columns for an unchanged
// table, once a TABLE_MAP's have gone through adopt.
type column struct {
	name string
	// typ is a MYSQL_TYPE_*: the one that rows are written as, with ENUM and SET told apart from STRING (see realType).
	typ byte
	// meta is what TABLE_MAP says of the type:
	//
	//	NEWDECIMAL                     precision<<8 | scale
	//	TIME2, DATETIME2, TIMESTAMP2   digits after the second
	//	STRING, VARCHAR                the longest length in bytes (see realType for STRING)
	//	ENUM, SET                      bytes of the number
	//	BLOB, JSON, GEOMETRY           bytes of the length
	//	BIT                            bits/8<<8 | bits%8
	//	FLOAT, DOUBLE                  4, 8
	//	others                         0
	meta      uint16
	unsigned  bool
	collation uint16 // id in information_schema.collations; 63 binary; 0 where the type has none
	nullable  bool
	members   []string // ENUM, SET: UTF-8
	key       int      // 1-based place in the primary key, 0 none
	// special is what only the catalogue tells, of types that the log writes as binary(n) or varchar(n).
	special special
}

// special tells MariaDB's types apart that have no type of their own in the log.
type special uint8

const (
	plain   special = iota
	uuid            // 16 bytes in MariaDB's own order
	uuidOld         // as MariaDB wrote them before 10.11.5: the order is always turned
	inet4
	inet6
)

// binaryCollation is the id of "binary".
const binaryCollation = 63

// realType gives the type and meta of a column from TABLE_MAP's: ENUM and SET are written as STRING there, and the two top bits of a
// STRING's length hide in its type (Field_string::save_field_metadata of the servers' sources).
func realType(typ byte, meta uint16) (byte, uint16) {
	if typ != mysql.MYSQL_TYPE_STRING || meta < 256 {
		return typ, meta
	}
	written, low := byte(meta>>8), meta&0xff
	if written&0x30 != 0x30 {
		return written | 0x30, low | uint16(written&0x30^0x30)<<4
	}
	return written, low
}

// hidden says whether a column is one that the server adds for an index and shows nobody; the log has it all the same.
func (c *column) hidden() bool {
	return strings.HasPrefix(c.name, "DB_ROW_HASH_") || strings.HasPrefix(c.name, "!hidden!")
}

func (c *column) equal(d *column) bool {
	return c.name == d.name && c.typ == d.typ && c.meta == d.meta && c.unsigned == d.unsigned && c.collation == d.collation &&
		c.nullable == d.nullable && c.key == d.key && c.special == d.special && slices.Equal(c.members, d.members)
}

// adopt gives the stream's columns what only the catalogue knows of those that it describes in the same way.
func adopt(stream, catalog []column) []column {
	byName := make(map[string]*column, len(catalog))
	for i := range catalog {
		if catalog[i].special != plain {
			byName[catalog[i].name] = &catalog[i]
		}
	}
	for i := range stream {
		c := &stream[i]
		if k := byName[c.name]; k != nil && k.typ == c.typ && k.meta == c.meta && k.collation == c.collation {
			c.special = k.special
		}
	}
	return stream
}

// bitmap is a set of columns, the first in the lowest bit.
type bitmap []byte

func (b bitmap) has(i int) bool { return i>>3 < len(b) && b[i>>3]>>(i&7)&1 != 0 }
