package mysql

import (
	"errors"
	"fmt"

	"github.com/go-mysql-org/go-mysql/mysql"

	"shelfstream/schemas"
)

// decoding says how a value is read.
type decoding uint8

const (
	asUnknown    decoding = iota // its size is not known, so nothing behind it can be read
	asInt                        // width bytes, the low one first
	asUnsigned64                 // eight bytes, published as decimal(20,0)
	asDecimal                    // NEWDECIMAL
	asFloat32
	asFloat64
	asYear
	asDate      // three bytes
	asTime      // TIME2
	asDateTime  // DATETIME2
	asTimestamp // TIMESTAMP2
	asOldTime   // as servers before 5.6 (MySQL) and 10.1.2 (MariaDB) kept them, in tables that nobody has rebuilt since
	asOldDateTime
	asOldTimestamp
	asBool    // bit(1)
	asBit     // bit(2…63)
	asBit64   // bit(64)
	asEnum    // a number of width bytes
	asSet     // bits of width bytes
	asChar    // STRING: text without blanks at its end
	asText    // VARCHAR, BLOB: width bytes of length, then text
	asPadded  // STRING: bytes without the zeros at their end
	asBytes   // VARCHAR, BLOB, GEOMETRY: width bytes of length, then bytes
	asJSON    // MySQL's binary JSON
	asUUID    // STRING
	asUUIDOld // STRING
	asInet4   // STRING
	asInet6   // STRING
)

// errShort is an image that ends in the middle of a value.
var errShort = errors.New("the row image is cut off")

// unsignedDecimal is the type of numbers of 64 bits without a sign: Avro has none for them.
var unsignedDecimal = schemas.Type{Kind: schemas.KindDecimal, Precision: 20}

// fieldOf gives how a column is read and its logical type. With an error and a decoding, its values can be read past, but not read.
func fieldOf(c *column, sets charsets) (field, schemas.Type, error) {
	f := field{unsigned: c.unsigned}
	number := func(width int, bits uint8) (field, schemas.Type, error) {
		f.decoding, f.width = asInt, width
		return f, schemas.Type{Kind: schemas.KindInt, Bits: bits}, nil
	}
	only := func(d decoding, k schemas.Kind, bits uint8) (field, schemas.Type, error) {
		f.decoding = d
		return f, schemas.Type{Kind: k, Bits: bits}, nil
	}
	wider := func(signed uint8) uint8 { // the bits that hold the unsigned numbers too
		if c.unsigned {
			return 2 * signed
		}
		return signed
	}
	switch c.typ {
	case mysql.MYSQL_TYPE_TINY:
		return number(1, 16)
	case mysql.MYSQL_TYPE_SHORT:
		return number(2, wider(16))
	case mysql.MYSQL_TYPE_INT24:
		return number(3, 32)
	case mysql.MYSQL_TYPE_LONG:
		return number(4, wider(32))
	case mysql.MYSQL_TYPE_LONGLONG:
		if c.unsigned {
			f.decoding, f.width = asUnsigned64, 8
			return f, unsignedDecimal, nil
		}
		return number(8, 64)
	case mysql.MYSQL_TYPE_NEWDECIMAL:
		f.decoding, f.digits, f.scale = asDecimal, int(c.meta>>8), int16(c.meta&0xff)
		f.width = decimalSize(f.digits-int(f.scale)) + decimalSize(int(f.scale))
		if f.digits < 1 || f.digits < int(f.scale) || f.digits > 65 {
			f.decoding = asUnknown
			return f, schemas.Type{}, fmt.Errorf("decimal(%d,%d) is no type of MySQL", f.digits, f.scale)
		}
		return f, schemas.Type{Kind: schemas.KindDecimal, Precision: int16(f.digits), Scale: f.scale}, nil
	case mysql.MYSQL_TYPE_FLOAT:
		return only(asFloat32, schemas.KindFloat, 32)
	case mysql.MYSQL_TYPE_DOUBLE:
		return only(asFloat64, schemas.KindFloat, 64)
	case mysql.MYSQL_TYPE_YEAR:
		return only(asYear, schemas.KindInt, 16)
	case mysql.MYSQL_TYPE_DATE, mysql.MYSQL_TYPE_NEWDATE:
		return only(asDate, schemas.KindDate, 0)
	case mysql.MYSQL_TYPE_TIME, mysql.MYSQL_TYPE_DATETIME, mysql.MYSQL_TYPE_TIMESTAMP, mysql.MYSQL_TYPE_TIME2, mysql.MYSQL_TYPE_DATETIME2, mysql.MYSQL_TYPE_TIMESTAMP2:
		return temporal(f, c)
	case mysql.MYSQL_TYPE_BIT:
		return bits(f, c)
	case mysql.MYSQL_TYPE_ENUM, mysql.MYSQL_TYPE_SET:
		return named8(f, c)
	case mysql.MYSQL_TYPE_STRING, mysql.MYSQL_TYPE_VARCHAR, mysql.MYSQL_TYPE_VAR_STRING, mysql.MYSQL_TYPE_BLOB:
		return characters(f, c, sets)
	case mysql.MYSQL_TYPE_GEOMETRY:
		f.width = int(c.meta)
		return only(asBytes, schemas.KindBytes, 0)
	case mysql.MYSQL_TYPE_JSON:
		f.width = int(c.meta)
		return only(asJSON, schemas.KindJSON, 0)
	}
	return f, schemas.Type{}, fmt.Errorf("its type (%s) is not supported", typeName(c.typ))
}

// typeName names those types that are refused.
func typeName(typ byte) string {
	const blobCompressed, varcharCompressed = 140, 141
	switch typ {
	case blobCompressed, varcharCompressed:
		return "COMPRESSED"
	case mysql.MYSQL_TYPE_VECTOR:
		return "VECTOR"
	}
	return fmt.Sprintf("number %d of the protocol", typ)
}

func temporal(f field, c *column) (field, schemas.Type, error) {
	f.digits = int(c.meta)
	kind := schemas.KindTimestamp
	switch c.typ {
	case mysql.MYSQL_TYPE_TIME:
		f.decoding, kind = asOldTime, schemas.KindTime
	case mysql.MYSQL_TYPE_DATETIME:
		f.decoding = asOldDateTime
	case mysql.MYSQL_TYPE_TIMESTAMP:
		f.decoding, kind = asOldTimestamp, schemas.KindTimestampTZ
	case mysql.MYSQL_TYPE_TIME2:
		f.decoding, kind = asTime, schemas.KindTime
	case mysql.MYSQL_TYPE_DATETIME2:
		f.decoding = asDateTime
	case mysql.MYSQL_TYPE_TIMESTAMP2:
		f.decoding, kind = asTimestamp, schemas.KindTimestampTZ
	}
	if f.digits > 6 {
		f.decoding = asUnknown
		return f, schemas.Type{}, fmt.Errorf("%d digits after the second", f.digits)
	}
	return f, schemas.Type{Kind: kind}, nil
}

// bits: bit(1) is a truth value, others are the unsigned number.
func bits(f field, c *column) (field, schemas.Type, error) {
	n := int(c.meta>>8)*8 + int(c.meta&0xff)
	f.width = (n + 7) / 8
	t := schemas.Type{Kind: schemas.KindInt, Bits: 64}
	switch {
	case n < 1 || n > 64:
		return f, t, fmt.Errorf("bit(%d) is no type of MySQL", n)
	case n == 1:
		f.decoding, t = asBool, schemas.Type{Kind: schemas.KindBool}
	case n == 64:
		f.decoding, t = asBit64, unsignedDecimal
	default:
		f.decoding = asBit
		if n < 32 {
			t.Bits = 32
		}
		if n < 16 {
			t.Bits = 16
		}
	}
	return f, t, nil
}

// named8 is what the log has as a number and people as names.
func named8(f field, c *column) (field, schemas.Type, error) {
	f.width = int(c.meta)
	if f.width < 1 || f.width > 8 {
		return f, schemas.Type{}, fmt.Errorf("numbers of %d bytes", f.width)
	}
	for _, m := range c.members {
		f.members = append(f.members, []byte(m))
	}
	if c.typ == mysql.MYSQL_TYPE_ENUM {
		f.decoding = asEnum
		return f, schemas.Type{Kind: schemas.KindEnum, Symbols: c.members}, nil
	}
	f.decoding = asSet
	return f, schemas.Type{Kind: schemas.KindText}, nil
}

// characters are text or bytes, as the collation says.
func characters(f field, c *column, sets charsets) (field, schemas.Type, error) {
	f.width = int(c.meta) // BLOB: bytes of the length
	fixed := c.typ == mysql.MYSQL_TYPE_STRING
	if c.typ != mysql.MYSQL_TYPE_BLOB {
		f.digits, f.width = int(c.meta), 1
		if c.meta > 255 {
			f.width = 2
		}
	}
	switch {
	case c.special != plain:
		f.decoding = map[special]decoding{uuid: asUUID, uuidOld: asUUIDOld, inet4: asInet4, inet6: asInet6}[c.special]
		if c.special == uuid || c.special == uuidOld {
			return f, schemas.Type{Kind: schemas.KindUUID}, nil
		}
		return f, schemas.Type{Kind: schemas.KindText}, nil
	case c.collation == binaryCollation:
		f.decoding = asBytes
		if fixed {
			f.decoding = asPadded
		}
		return f, schemas.Type{Kind: schemas.KindBytes}, nil
	}
	f.decoding = asText
	if fixed {
		f.decoding = asChar
	}
	var err error
	if f.set, err = sets.of(c.collation); err != nil {
		return f, schemas.Type{}, err
	}
	t := schemas.Type{Kind: schemas.KindText}
	if c.typ != mysql.MYSQL_TYPE_BLOB {
		t.Length = int32(int(c.meta) / f.set.widest)
	}
	return f, t, nil
}

// mayBeNone says whether a column must be published as nullable although the database never stores null in it: dates that are none ("0000-00-00")
// become null.
func (f *field) mayBeNone() bool {
	switch f.decoding {
	case asDate, asDateTime, asTimestamp, asOldDateTime, asOldTimestamp:
		return true
	default:
		return false
	}
}
