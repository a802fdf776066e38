package postgres

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

	"shelfstream/schemas"
)

// decoding says how the text form of a value is read.
type decoding uint8

const (
	asText   decoding = iota // as the database prints it
	asPadded                 // text less the blanks at its end, which mean nothing in char(n)
	asBool
	asInt
	asNumeric
	asFloat32
	asFloat64
	asBytea
	asDate
	asTime
	asTimestamp
	asTimestampTZ
	asUUID
	asJSON
	asEnum
	asArray
)

// pgType is a column's type: its logical type and how to read its values.
type pgType struct {
	decoding
	typ     schemas.Type
	elem    *pgType             // asArray: the elements, below all dimensions
	dims    int                 // asArray: dimensions
	delim   byte                // asArray: what stands between elements
	symbols map[string]struct{} // asEnum
}

// OIDs of built-in types; they never change (src/include/catalog/pg_type.dat).
const (
	oidBool        = 16
	oidBytea       = 17
	oidInt8        = 20
	oidInt2        = 21
	oidInt2Vector  = 22
	oidInt4        = 23
	oidOID         = 26
	oidOIDVector   = 30
	oidJSON        = 114
	oidFloat4      = 700
	oidFloat8      = 701
	oidBpchar      = 1042
	oidVarchar     = 1043
	oidDate        = 1082
	oidTime        = 1083
	oidTimestamp   = 1114
	oidTimestampTZ = 1184
	oidVarbit      = 1562
	oidNumeric     = 1700
	oidUUID        = 2950
	oidJSONB       = 3802
)

// typmodHeader is what varchar's and numeric's typmod have on top of their numbers.
const typmodHeader = 4

// catalogType is a row of pg_type.
type catalogType struct {
	oid, elem, base uint32
	typtype         byte
	array           bool
	delim           byte
	typmod          int32 // of a domain
	dims            int32 // of a domain over an array
	symbols         []string
}

// typeCatalog knows the types that the captured tables use.
type typeCatalog map[uint32]*catalogType

const typesSQL = `
WITH RECURSIVE used(oid) AS (
  SELECT unnest($1::oid[])
  UNION
  SELECT x FROM used JOIN pg_catalog.pg_type t ON t.oid = used.oid, LATERAL (VALUES (t.typelem), (t.typbasetype)) v(x) WHERE x <> 0
)
SELECT t.oid, t.typelem, t.typbasetype, t.typtype, t.typcategory = 'A' AND t.typelem <> 0, coalesce(e.typdelim, ','), t.typtypmod, t.typndims,
       (SELECT array_agg(enumlabel::text ORDER BY enumsortorder) FROM pg_catalog.pg_enum WHERE enumtypid = t.oid)
FROM used JOIN pg_catalog.pg_type t ON t.oid = used.oid LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem`

// loadTypes reads types, and those they are made of.
func loadTypes(ctx context.Context, conn *pgx.Conn, oids []uint32) (typeCatalog, error) {
	rows, err := conn.Query(ctx, typesSQL, oids)
	if err != nil {
		return nil, fmt.Errorf("read types: %w", err)
	}
	defer rows.Close()
	types := typeCatalog{}
	for rows.Next() {
		t := &catalogType{}
		if err := rows.Scan(&t.oid, &t.elem, &t.base, &t.typtype, &t.array, &t.delim, &t.typmod, &t.dims, &t.symbols); err != nil {
			return nil, fmt.Errorf("read types: %w", err)
		}
		types[t.oid] = t
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read types: %w", err)
	}
	return types, nil
}

// resolve gives a column's type from its OID, its typmod and the dimensions it was declared with (0: unknown or no array). A
// type that is not in the catalogue any more is read as text.
func (c typeCatalog) resolve(oid uint32, typmod int32, dims int) pgType {
	t := c[oid]
	switch {
	case t == nil:
		return builtin(oid, typmod)
	case t.typtype == 'd':
		if t.dims > 0 {
			dims = int(t.dims)
		}
		if t.typmod >= 0 {
			typmod = t.typmod
		}
		return c.resolve(t.base, typmod, dims)
	case t.typtype == 'e':
		p := pgType{decoding: asEnum, typ: schemas.Type{Kind: schemas.KindEnum, Symbols: t.symbols}, symbols: make(map[string]struct{}, len(t.symbols))}
		for _, s := range t.symbols {
			p.symbols[s] = struct{}{}
		}
		return p
	case t.array && oid != oidInt2Vector && oid != oidOIDVector:
		elem := c.resolve(t.elem, typmod, 0)
		if elem.decoding == asArray { // an array of a domain over an array: its elements are printed as quoted texts
			elem = pgType{typ: schemas.Type{Kind: schemas.KindText}}
		}
		p := pgType{decoding: asArray, elem: &elem, dims: max(dims, 1), delim: t.delim}
		p.typ = elem.typ
		for range p.dims {
			inner := p.typ
			p.typ = schemas.Type{Kind: schemas.KindArray, Elem: &inner}
		}
		return p
	}
	return builtin(oid, typmod)
}

// builtin gives the types that have a logical type of their own. All others (interval, money, inet, xml, ranges, composite
// types, extensions' types such as citext) are text as the database prints it under the settings of sessionParams.
func builtin(oid uint32, typmod int32) pgType {
	plain := func(d decoding, k schemas.Kind, bits uint8) pgType {
		return pgType{decoding: d, typ: schemas.Type{Kind: k, Bits: bits}}
	}
	switch oid {
	case oidBool:
		return plain(asBool, schemas.KindBool, 0)
	case oidInt2:
		return plain(asInt, schemas.KindInt, 16)
	case oidInt4:
		return plain(asInt, schemas.KindInt, 32)
	case oidInt8, oidOID: // an OID is unsigned
		return plain(asInt, schemas.KindInt, 64)
	case oidFloat4:
		return plain(asFloat32, schemas.KindFloat, 32)
	case oidFloat8:
		return plain(asFloat64, schemas.KindFloat, 64)
	case oidBytea:
		return plain(asBytea, schemas.KindBytes, 0)
	case oidDate:
		return plain(asDate, schemas.KindDate, 0)
	case oidTime:
		return plain(asTime, schemas.KindTime, 0)
	case oidTimestamp:
		return plain(asTimestamp, schemas.KindTimestamp, 0)
	case oidTimestampTZ:
		return plain(asTimestampTZ, schemas.KindTimestampTZ, 0)
	case oidUUID:
		return plain(asUUID, schemas.KindUUID, 0)
	case oidJSON, oidJSONB:
		return plain(asJSON, schemas.KindJSON, 0)
	case oidNumeric:
		p := plain(asNumeric, schemas.KindDecimal, 0)
		if typmod >= typmodHeader {
			// The scale is an 11-bit signed number since PostgreSQL 15.
			p.typ.Precision = int16((typmod - typmodHeader) >> 16 & 0xffff)
			p.typ.Scale = int16(((typmod-typmodHeader)&0x7ff ^ 0x400) - 0x400)
		}
		return p
	case oidVarchar, oidBpchar:
		p := plain(asText, schemas.KindText, 0)
		if oid == oidBpchar {
			p.decoding = asPadded
		}
		if typmod >= typmodHeader {
			p.typ.Length = typmod - typmodHeader
		}
		return p
	}
	return plain(asText, schemas.KindText, 0)
}

// nullable says whether a column must be published as nullable although the database never stores null in it: NaN and
// infinity have no place in Avro's decimal and become null.
func (t *pgType) nullable() bool { return t.decoding == asNumeric && t.typ.Precision > 0 }

// withSymbol is the type with one more symbol in its enum.
func (t pgType) withSymbol(symbol string) pgType {
	if t.decoding == asArray {
		elem := t.elem.withSymbol(symbol)
		t.elem = &elem
		t.typ = elem.typ
		for range t.dims {
			inner := t.typ
			t.typ = schemas.Type{Kind: schemas.KindArray, Elem: &inner}
		}
		return t
	}
	if _, known := t.symbols[symbol]; known {
		return t
	}
	t.typ.Symbols = append(slices.Clone(t.typ.Symbols), symbol)
	t.symbols = maps.Clone(t.symbols)
	t.symbols[symbol] = struct{}{}
	return t
}
