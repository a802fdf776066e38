package schemas

import (
	"encoding/hex"
	"math"
	"strconv"

	"github.com/cespare/xxhash/v2"
)

const (
	// valueSeparator stands between the values of a key, elementSeparator between those of a list, in canonical text. They
	// are ASCII's own separators, which no key of an ERP contains.
	valueSeparator   = 0x1f
	elementSeparator = 0x1e
)

// AppendCanonical appends the text by which equal things meet whatever type a system keeps them in: 42 in a bigint
// column, 42.00 in a numeric, 42.0 in a float and "42" in a file name are all "42".
//
// Numbers lose zeros at the end of the fraction, never have an exponent, and minus zero is "0". Text, enum symbols and JSON are
// themselves, untrimmed. Dates and times are ISO 8601 (see String), truth values "true" and "false", bytes
// lower-case hexadecimal, a null nothing at all.
func AppendCanonical(dst []byte, v Value) []byte {
	switch v.Kind {
	case KindNull:
		return dst
	case KindBool:
		return strconv.AppendBool(dst, v.Int != 0)
	case KindInt:
		return strconv.AppendInt(dst, v.Int, 10)
	case KindDecimal:
		start := len(dst)
		dst = AppendDecimal(dst, v)
		if v.Scale > 0 {
			dst = trimFraction(dst, start)
		}
		return dst
	case KindFloat:
		return appendFloat(dst, v.Float64())
	case KindText, KindJSON, KindEnum:
		return append(dst, v.Bytes...)
	case KindBytes:
		return hex.AppendEncode(dst, v.Bytes)
	case KindDate:
		return appendDate(dst, v.Int)
	case KindTime:
		return appendTime(dst, v.Int)
	case KindTimestamp:
		return appendTimestamp(dst, v.Int)
	case KindTimestampTZ:
		dst = appendTimestamp(dst, v.Int)
		if v.Int != TimestampInfinity && v.Int != TimestampNegInfinity {
			dst = append(dst, 'Z')
		}
		return dst
	case KindUUID:
		return appendUUID(dst, v.Bytes)
	case KindArray, KindRecord:
		for i := range v.List {
			if i > 0 {
				dst = append(dst, elementSeparator)
			}
			dst = AppendCanonical(dst, v.List[i])
		}
	}
	return dst
}

// trimFraction drops the zeros at the end of a fraction that starts somewhere after start, the point if nothing is left of
// it, and the sign of a zero.
func trimFraction(dst []byte, start int) []byte {
	end := len(dst)
	for dst[end-1] == '0' {
		end--
	}
	if dst[end-1] == '.' {
		end--
	}
	if string(dst[start:end]) == "-0" {
		return append(dst[:start], '0')
	}
	return dst[:end]
}

func appendFloat(dst []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, "NaN"...)
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...)
	case f == 0:
		return append(dst, '0')
	}
	return strconv.AppendFloat(dst, f, 'f', -1, 64)
}

// appendUUID appends 16 bytes as 8-4-4-4-12 lower-case hexadecimal digits; any other length as plain hexadecimal.
func appendUUID(dst, b []byte) []byte {
	if len(b) != 16 {
		return hex.AppendEncode(dst, b)
	}
	for i, part := range [...][]byte{b[:4], b[4:6], b[6:8], b[8:10], b[10:]} {
		if i > 0 {
			dst = append(dst, '-')
		}
		dst = hex.AppendEncode(dst, part)
	}
	return dst
}

// Partition gives the partition 0…n-1 of the rows with these values: xxhash64 over their canonical text, joined by 0x1f,
// modulo n. Every producer of every stage uses it, so that the rows of one product meet.
func Partition(vals []Value, n int) int32 {
	var buf [128]byte
	key := buf[:0]
	for i := range vals {
		if i > 0 {
			key = append(key, valueSeparator)
		}
		key = AppendCanonical(key, vals[i])
	}
	return int32(xxhash.Sum64(key) % uint64(n))
}

// String gives v for people: as AppendCanonical, but a decimal keeps its zeros ("12.50"), null is "null", bytes have "0x" in
// front, lists are in brackets and records in braces.
//
// Dates are "2024-02-29", times "15:04:05.25", timestamps "2024-02-29T15:04:05.25" with "Z" at the end where they are in
// UTC. Years before 1 and after 9999 carry a sign, as in ISO 8601 (44 BC is "-0043"); "infinity" and "-infinity" are PostgreSQL's.
func (v Value) String() string { return string(appendReadable(nil, v)) }

func appendReadable(dst []byte, v Value) []byte {
	if v.isNoDate() {
		return append(dst, v.Bytes...)
	}
	switch v.Kind {
	case KindNull:
		return append(dst, "null"...)
	case KindDecimal:
		return AppendDecimal(dst, v)
	case KindBytes:
		return AppendCanonical(append(dst, "0x"...), v)
	case KindArray:
		return append(appendList(append(dst, '['), v.List), ']')
	case KindRecord:
		return append(appendList(append(dst, '{'), v.List), '}')
	case KindBool, KindInt, KindFloat, KindText, KindDate, KindTime, KindTimestamp, KindTimestampTZ, KindUUID, KindJSON, KindEnum:
	}
	return AppendCanonical(dst, v)
}

func appendList(dst []byte, list []Value) []byte {
	for i := range list {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = appendReadable(dst, list[i])
	}
	return dst
}
