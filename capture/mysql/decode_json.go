package mysql

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"

	"github.com/go-mysql-org/go-mysql/mysql"

	"shelfstream/schemas"
)

// The types of MySQL's binary JSON (sql-common/json_binary.h). Numbers are little-endian; offsets count from the begin of the object or array.
const (
	jsonSmallObject = 0x00
	jsonLargeObject = 0x01
	jsonSmallArray  = 0x02
	jsonLargeArray  = 0x03
	jsonLiteral     = 0x04
	jsonInt16       = 0x05
	jsonUint16      = 0x06
	jsonInt32       = 0x07
	jsonUint32      = 0x08
	jsonInt64       = 0x09
	jsonUint64      = 0x0a
	jsonDouble      = 0x0b
	jsonString      = 0x0c
	jsonOpaque      = 0x0f
)

// jsonDepth is how deep MySQL lets documents be.
const jsonDepth = 100

var jsonNull = []byte("null")

// appendJSON appends a document as the server prints it (sql-common/json_dom.cc, wrapper_to_string), so that snapshot and log give the same bytes.
func appendJSON(dst, b []byte) ([]byte, error) {
	if len(b) == 0 { // INSERT IGNORE stores nothing at all for a null that the column does not take
		return append(dst, jsonNull...), nil
	}
	return appendJSONValue(dst, b[0], b[1:], 0)
}

func badJSON(what string) error { return fmt.Errorf("the binary JSON is damaged: %s", what) }

func appendJSONValue(dst []byte, typ byte, b []byte, depth int) ([]byte, error) {
	if depth > jsonDepth {
		return dst, badJSON("nested too deeply")
	}
	switch typ {
	case jsonSmallObject, jsonLargeObject, jsonSmallArray, jsonLargeArray:
		return appendJSONTree(dst, typ, b, depth)
	case jsonLiteral:
		if len(b) < 1 || b[0] > 2 {
			return dst, badJSON("a literal")
		}
		return append(dst, [3]string{"null", "true", "false"}[b[0]]...), nil
	case jsonString:
		text, err := jsonBytes(b)
		if err != nil {
			return dst, err
		}
		return appendQuoted(dst, text), nil
	case jsonOpaque:
		if len(b) < 1 {
			return dst, badJSON("an opaque value")
		}
		value, err := jsonBytes(b[1:])
		if err != nil {
			return dst, err
		}
		return appendJSONOpaque(dst, b[0], value)
	}
	size, known := map[byte]int{jsonInt16: 2, jsonUint16: 2, jsonInt32: 4, jsonUint32: 4, jsonInt64: 8, jsonUint64: 8, jsonDouble: 8}[typ]
	if !known || len(b) < size {
		return dst, badJSON("a number of type " + strconv.Itoa(int(typ)))
	}
	n := little(b[:size])
	switch typ {
	case jsonInt16:
		return strconv.AppendInt(dst, int64(int16(n)), 10), nil
	case jsonInt32:
		return strconv.AppendInt(dst, int64(int32(n)), 10), nil
	case jsonInt64:
		return strconv.AppendInt(dst, int64(n), 10), nil
	case jsonDouble:
		return appendJSONDouble(dst, math.Float64frombits(n)), nil
	}
	return strconv.AppendUint(dst, n, 10), nil
}

// appendJSONTree: count, size, then for an object its keys' offsets and lengths, then the values' types with their offsets, or the values themselves where they fit.
func appendJSONTree(dst []byte, typ byte, b []byte, depth int) ([]byte, error) {
	width := 2
	if typ == jsonLargeObject || typ == jsonLargeArray {
		width = 4
	}
	object := typ == jsonSmallObject || typ == jsonLargeObject
	if len(b) < 2*width {
		return dst, badJSON("a tree without a size")
	}
	count, size := int(little(b[:width])), int(little(b[width:2*width]))
	keyEntry, valueEntry := 0, 1+width
	if object {
		keyEntry = width + 2
	}
	values := 2*width + count*keyEntry
	if size > len(b) || values+count*valueEntry > size {
		return dst, badJSON("a tree beyond its end")
	}
	b = b[:size]
	opening, closing := byte('['), byte(']')
	if object {
		opening, closing = '{', '}'
	}
	dst = append(dst, opening)
	for i := range count {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		if object {
			e := b[2*width+i*keyEntry:]
			from := int(little(e[:width]))
			to := from + int(binary.LittleEndian.Uint16(e[width:]))
			if to > size {
				return dst, badJSON("a key beyond the end")
			}
			dst = append(appendQuoted(dst, b[from:to]), ": "...)
		}
		e := b[values+i*valueEntry:]
		value := e[1:valueEntry]
		if kind := e[0]; kind != jsonLiteral && kind != jsonInt16 && kind != jsonUint16 && (width == 2 || kind != jsonInt32 && kind != jsonUint32) {
			from := int(little(value))
			if from > size || from < values+count*valueEntry {
				return dst, badJSON("a value beyond the end")
			}
			value = b[from:]
		}
		var err error
		if dst, err = appendJSONValue(dst, e[0], value, depth+1); err != nil {
			return dst, err
		}
	}
	return append(dst, closing), nil
}

// jsonBytes reads what has a length before it, seven bits a byte, the low ones first.
func jsonBytes(b []byte) ([]byte, error) {
	n := 0
	for i := range min(len(b), 5) {
		n |= int(b[i]&0x7f) << (7 * i)
		if b[i]&0x80 == 0 {
			if n > len(b)-i-1 {
				break
			}
			return b[i+1 : i+1+n], nil
		}
	}
	return nil, badJSON("a string beyond the end")
}

const hexDigits = "0123456789abcdef"

// appendQuoted escapes what JSON must have escaped, and nothing else.
func appendQuoted(dst, text []byte) []byte {
	dst = append(dst, '"')
	from := 0
	for i, c := range text {
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, text[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\b':
			dst = append(dst, `\b`...)
		case '\t':
			dst = append(dst, `\t`...)
		case '\n':
			dst = append(dst, `\n`...)
		case '\f':
			dst = append(dst, `\f`...)
		case '\r':
			dst = append(dst, `\r`...)
		default:
			dst = append(dst, `\u00`...)
			dst = append(dst, hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return append(append(dst, text[from:]...), '"')
}

// appendJSONDouble writes a number that has been a double as one: 1.0, not 1.
func appendJSONDouble(dst []byte, f float64) []byte {
	from := len(dst)
	dst = appendDouble(dst, f)
	for _, c := range dst[from:] {
		if c == '.' || c == 'e' {
			return dst
		}
	}
	return append(dst, ".0"...)
}

// appendDouble writes a double as the servers do (my_gcvt in strings/dtoa.cc): the fewest digits that give it back, with an exponent where the
// number has more than 15 digits before the point, or more than 14 zeros right behind it.
func appendDouble(dst []byte, f float64) []byte {
	var buf [32]byte
	e := strconv.AppendFloat(buf[:0], f, 'e', -1, 64)
	if e[0] == '-' {
		dst = append(dst, '-')
		e = e[1:]
	}
	digits := make([]byte, 0, 17)
	i := 0
	for ; i < len(e) && e[i] != 'e'; i++ {
		if e[i] != '.' {
			digits = append(digits, e[i])
		}
	}
	if i == len(e) { // no number; JSON has none such
		return append(dst, e...)
	}
	exponent, err := strconv.Atoi(string(e[i+1:]))
	if err != nil {
		return append(dst, e...)
	}
	if f == 0 {
		return append(dst, '0')
	}
	// point is where the decimal point stands behind the first digits: 12.5 has 2.
	point := exponent + 1
	const most = 15 // MAX_DECPT_FOR_F_FORMAT
	switch {
	case point <= 0 && point > -most:
		dst = append(dst, "0."...)
		for range -point {
			dst = append(dst, '0')
		}
		return append(dst, digits...)
	case point > 0 && point <= most:
		for i := range max(point, len(digits)) {
			if i == point {
				dst = append(dst, '.')
			}
			if i < len(digits) {
				dst = append(dst, digits[i])
			} else {
				dst = append(dst, '0')
			}
		}
		return dst
	}
	dst = append(dst, digits[0])
	if len(digits) > 1 {
		dst = append(append(dst, '.'), digits[1:]...)
	}
	return strconv.AppendInt(append(dst, 'e'), int64(exponent), 10)
}

// appendJSONOpaque writes values of SQL types: decimals and dates as text, others as base64 with the type's number.
func appendJSONOpaque(dst []byte, typ byte, b []byte) ([]byte, error) {
	switch typ {
	case mysql.MYSQL_TYPE_NEWDECIMAL:
		if len(b) < 2 || b[0] == 0 || b[0] > 65 || b[1] > b[0] {
			return dst, badJSON("a decimal")
		}
		f := field{decoding: asDecimal, digits: int(b[0]), scale: int16(b[1])}
		if len(b) < 2+decimalSize(f.digits-int(f.scale))+decimalSize(int(f.scale)) {
			return dst, badJSON("a decimal")
		}
		text, err := f.decimalText(b[2:])
		return append(dst, text...), err
	case mysql.MYSQL_TYPE_TIME, mysql.MYSQL_TYPE_DATE, mysql.MYSQL_TYPE_DATETIME, mysql.MYSQL_TYPE_TIMESTAMP:
		if len(b) < 8 {
			return dst, badJSON("a date or time")
		}
		return append(appendPacked(append(dst, '"'), typ, int64(binary.LittleEndian.Uint64(b))), '"'), nil
	}
	text := strconv.AppendInt([]byte("base64:type"), int64(typ), 10)
	text = append(text, ':')
	// The server's base64 begins a new line after every 76 characters.
	const line = 57
	for len(b) > line {
		text = append(base64.StdEncoding.AppendEncode(text, b[:line]), '\n')
		b = b[line:]
	}
	return appendQuoted(dst, base64.StdEncoding.AppendEncode(text, b)), nil
}

// appendPacked writes a date or time as kept in memory (my_time.cc, longlong_packed): the fraction in 24 bits, above it the parts.
func appendPacked(dst []byte, typ byte, n int64) []byte {
	m := moment{negative: n < 0}
	if n < 0 {
		n = -n
	}
	m.us, n = n&(1<<24-1), n>>24
	m.second, m.minute = n&63, n>>6&63
	if typ == mysql.MYSQL_TYPE_TIME {
		m.hour = n >> 12 & 1023
		if m.negative {
			dst = append(dst, '-')
		}
		dst = appendPadded(dst, m.hour, 2)
		dst = appendPadded(append(dst, ':'), m.minute, 2)
		dst = appendPadded(append(dst, ':'), m.second, 2)
		return appendPadded(append(dst, '.'), m.us, 6)
	}
	m.hour = n >> 12 & 31
	n >>= 17
	m.day, m.month, m.year = n&31, (n>>5)%13, (n>>5)/13
	if typ == mysql.MYSQL_TYPE_DATE {
		return m.appendText(dst, schemas.KindDate, 0)
	}
	return m.appendText(dst, schemas.KindTimestamp, 6)
}
