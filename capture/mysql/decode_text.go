package mysql

import (
	"encoding/hex"
	"strconv"
	"unsafe"

	"shelfstream/schemas"
)

// text reads a value as the server prints it in the session of sessionSQL, and floats as selectSQL asks for them. The result may alias b.
func (f *field) text(b []byte, a *arena) (schemas.Value, error) {
	switch f.decoding {
	case asInt, asYear:
		n, ok := parseInt(b)
		if !ok {
			return schemas.Null, malformed("integer", b)
		}
		return schemas.Value{Kind: schemas.KindInt, Int: n}, nil
	case asUnsigned64:
		if len(b) < 19 {
			n, ok := parseInt(b)
			if !ok || n < 0 {
				return schemas.Null, malformed("unsigned integer", b)
			}
			return schemas.Dec(n, 0), nil
		}
		n, err := strconv.ParseUint(alias(b), 10, 64)
		if err != nil {
			return schemas.Null, malformed("unsigned integer", b)
		}
		return a.unsigned(n), nil
	case asDecimal:
		return f.textDecimal(b)
	case asFloat32, asFloat64:
		n, err := strconv.ParseFloat(alias(b), 64)
		if err != nil {
			return schemas.Null, malformed("float", b)
		}
		if f.decoding == asFloat32 {
			n = float64(float32(n))
		}
		return schemas.Float(n), nil
	case asDate, asTime, asDateTime, asTimestamp, asOldTime, asOldDateTime, asOldTimestamp:
		return f.textTime(b)
	case asBool, asBit, asBit64:
		if len(b) != f.width {
			return schemas.Null, malformed("bit", b)
		}
		return f.binary(b, a)
	case asEnum:
		return schemas.Value{Kind: schemas.KindEnum, Bytes: b}, nil
	case asText, asSet, asInet4, asInet6:
		return schemas.Value{Kind: schemas.KindText, Bytes: b}, nil
	case asChar:
		return schemas.Value{Kind: schemas.KindText, Bytes: trimBlanks(b)}, nil
	case asPadded, asBytes:
		return schemas.Value{Kind: schemas.KindBytes, Bytes: b}, nil
	case asJSON:
		if len(b) == 0 { // as in the log: INSERT IGNORE stores nothing at all for a null that the column does not take
			b = jsonNull
		}
		return schemas.Value{Kind: schemas.KindJSON, Bytes: b}, nil
	case asUUID, asUUIDOld:
		return a.textUUID(b)
	case asUnknown:
	}
	return schemas.Null, malformed("value of a known type", b)
}

// alias makes a string of b without copying it; for callees that do not keep it.
func alias(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

func parseInt(b []byte) (int64, bool) {
	digits := b
	if len(b) > 0 && b[0] == '-' {
		digits = b[1:]
	}
	if len(digits) == 0 || len(digits) > 18 {
		n, err := strconv.ParseInt(alias(b), 10, 64)
		return n, err == nil
	}
	var n int64
	for _, c := range digits {
		if c -= '0'; c > 9 {
			return 0, false
		}
		n = n*10 + int64(c)
	}
	if len(digits) != len(b) {
		n = -n
	}
	return n, true
}

// textUUID reads "8-4-4-4-12" hex digits.
func (a *arena) textUUID(b []byte) (schemas.Value, error) {
	if len(b) != 36 || b[8] != '-' || b[13] != '-' || b[18] != '-' || b[23] != '-' {
		return schemas.Null, malformed("uuid", b)
	}
	out := a.grab(16)
	for _, part := range [5][3]int{{0, 8, 0}, {9, 13, 4}, {14, 18, 6}, {19, 23, 8}, {24, 36, 10}} {
		if _, err := hex.Decode(out[part[2]:], b[part[0]:part[1]]); err != nil {
			return schemas.Null, malformed("uuid", b)
		}
	}
	return schemas.Value{Kind: schemas.KindUUID, Bytes: out}, nil
}
