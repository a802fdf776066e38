package mysql

import (
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"

	"shelfstream/internal/fault"
	"shelfstream/schemas"
)

// unfit says why a value cannot stand in a column. It is made only on the failing path, so that the usual path allocates nothing.
type unfit struct {
	what  string      // "has 312 characters, and the column holds 255"
	fix   string      // an ALTER, or words
	cause fault.Cause // "" = fault.ProductUnfit
}

// writer appends the SQL literal of a column's values, after checking that the column holds each of them unchanged. MySQL's strict mode refuses
// too long texts and numbers out of range by itself; it rounds digits after the point and parts of a second without a word, so
// those are checked here. The others are checked here as well, because a product refused here costs no bisection.
type writer struct {
	col   columnInfo
	typ   schemas.Type // of the field; for the names inside a record
	round bool         // digits after the point and of the second may be lost
	null  bool         // infinities and NaN become null
}

const null = "NULL"

func (w *writer) append(dst []byte, v schemas.Value) ([]byte, *unfit) {
	switch v.Kind {
	case schemas.KindNull:
		if !w.col.nullable {
			return dst, w.notNull()
		}
		return append(dst, null...), nil
	case schemas.KindBool, schemas.KindInt:
		return w.appendInt(dst, v.Int)
	case schemas.KindDecimal:
		return w.appendDecimal(dst, v)
	case schemas.KindFloat:
		return w.appendFloat(dst, v.Float64())
	case schemas.KindText, schemas.KindEnum, schemas.KindJSON:
		if u := w.checkText(v.Bytes); u != nil {
			return dst, u
		}
		return appendText(dst, v.Bytes), nil
	case schemas.KindBytes:
		if u := w.checkBytes(v.Bytes); u != nil {
			return dst, u
		}
		return appendBinary(dst, v.Bytes), nil
	case schemas.KindDate:
		return w.appendDate(dst, v.Int)
	case schemas.KindTime:
		return w.appendTime(dst, v.Int)
	case schemas.KindTimestamp, schemas.KindTimestampTZ:
		return w.appendTimestamp(dst, v.Int)
	case schemas.KindUUID:
		return w.appendUUID(dst, v.Bytes), nil
	case schemas.KindArray, schemas.KindRecord:
	}
	text := appendJSON(nil, &w.typ, v)
	if u := w.checkText(text); u != nil {
		return dst, u
	}
	return appendText(dst, text), nil
}

func (w *writer) notNull() *unfit {
	return &unfit{what: "is null, and the column takes no null", fix: w.col.alter(w.col.columnType, "NULL") + " or let a rule set it"}
}

// special handles what MySQL has no form for.
func (w *writer) special(dst []byte, what string) ([]byte, *unfit) {
	if w.null {
		if !w.col.nullable {
			return dst, w.notNull()
		}
		return append(dst, null...), nil
	}
	return dst, &unfit{what: "is " + what + ", which MySQL has no form for", fix: "set infinity: null for the table, or let a rule set another value"}
}

func (w *writer) appendInt(dst []byte, n int64) ([]byte, *unfit) {
	if w.col.class == classDecimal {
		return w.appendDecimal(dst, schemas.Dec(n, 0))
	}
	if w.col.class == classInt && (n < w.col.min || (n > 0 && uint64(n) > w.col.max)) {
		return dst, w.range_(strconv.FormatInt(n, 10))
	}
	if w.col.class == classText {
		start := len(dst)
		dst = append(dst, '\'')
		dst = strconv.AppendInt(dst, n, 10)
		if u := w.checkText(dst[start+1:]); u != nil {
			return dst, u
		}
		return append(dst, '\''), nil
	}
	return strconv.AppendInt(dst, n, 10), nil
}

func (w *writer) range_(value string) *unfit {
	return &unfit{what: fmt.Sprintf("is %s, and the column (%s) holds %s", value, w.col.columnType, w.col.holds()), fix: w.col.alterWider()}
}

func (w *writer) appendDecimal(dst []byte, v schemas.Value) ([]byte, *unfit) {
	switch v.Scale {
	case schemas.SpecialNaN:
		return w.special(dst, "not a number (NaN)")
	case schemas.SpecialInfinity, schemas.SpecialNegInfinity:
		return w.special(dst, "infinite")
	}
	start := len(dst)
	dst = schemas.AppendDecimal(dst, v)
	switch w.col.class {
	case classDecimal, classInt:
		if u := w.checkDigits(dst[start:]); u != nil {
			return dst, u
		}
	case classText:
		text := string(dst[start:])
		if u := w.checkText(dst[start:]); u != nil {
			return dst, u
		}
		return appendText(dst[:start], []byte(text)), nil
	case classFloat, classBytes, classDate, classDatetime, classTime, classJSON, classUUID, classBinUUID, classOther:
	}
	return dst, nil
}

// checkDigits compares a plain decimal text ("-12.50") with the digits the column has. An integer column is a decimal without digits after the point;
// its exact range is the server's to check.
func (w *writer) checkDigits(text []byte) *unfit {
	s := text
	if s[0] == '-' {
		s = s[1:]
	}
	whole, frac := len(s), 0
	for i := range s {
		if s[i] == '.' {
			whole, frac = i, len(s)-i-1
			break
		}
	}
	for z := 0; z < len(s) && s[z] == '0' && whole > 0; z++ {
		whole--
	}
	if whole > w.col.precision-w.col.scale {
		return w.range_(string(text))
	}
	if frac > w.col.scale && !w.round {
		for i := len(s) - 1; frac > w.col.scale; i, frac = i-1, frac-1 {
			if s[i] != '0' {
				return &unfit{
					what: fmt.Sprintf("is %s, and the column (%s) holds %d digits after the point", text, w.col.columnType, w.col.scale),
					fix:  w.col.alterScale(frac) + " or list the column under 'round'",
				}
			}
		}
	}
	if w.col.unsigned && text[0] == '-' {
		return w.range_(string(text))
	}
	return nil
}

func (w *writer) appendFloat(dst []byte, f float64) ([]byte, *unfit) {
	if math.IsNaN(f) {
		return w.special(dst, "not a number (NaN)")
	}
	if math.IsInf(f, 0) {
		return w.special(dst, "infinite")
	}
	if w.col.class == classText {
		text := strconv.FormatFloat(f, 'f', -1, 64)
		return appendText(dst, []byte(text)), w.checkText([]byte(text))
	}
	if w.col.unsigned && f < 0 {
		return dst, w.range_(strconv.FormatFloat(f, 'g', -1, 64))
	}
	return strconv.AppendFloat(dst, f, 'e', -1, 64), nil
}

func (w *writer) checkText(b []byte) *unfit {
	if w.col.narrow != nil {
		if u := w.checkSet(b); u != nil {
			return u
		}
	}
	switch {
	case w.col.length > 0 && len(b) > w.col.length:
		if n := utf8.RuneCount(b); n > w.col.length {
			return &unfit{what: fmt.Sprintf("has %d characters, and the column (%s) holds %d", n, w.col.columnType, w.col.length), fix: w.col.alterLength(n) + " or let a rule shorten it"}
		}
	case w.col.octets > 0 && len(b) > w.col.octets:
		return &unfit{what: fmt.Sprintf("has %d bytes, and the column (%s) holds %d", len(b), w.col.columnType, w.col.octets), fix: w.col.alter("longtext", "") + " or let a rule shorten it"}
	}
	return nil
}

func (w *writer) checkBytes(b []byte) *unfit {
	if w.col.octets > 0 && len(b) > w.col.octets {
		return &unfit{what: fmt.Sprintf("has %d bytes, and the column (%s) holds %d", len(b), w.col.columnType, w.col.octets), fix: w.col.alter("longblob", "")}
	}
	return nil
}

func (w *writer) appendUUID(dst, b []byte) []byte {
	if w.col.class == classBinUUID {
		dst = append(dst, "x'"...)
		dst = hex.AppendEncode(dst, b)
		return append(dst, '\'')
	}
	dst = append(dst, '\'')
	dst = schemas.AppendCanonical(dst, schemas.Value{Kind: schemas.KindUUID, Bytes: b})
	return append(dst, '\'')
}

// appendText appends a string literal. With NO_BACKSLASH_ESCAPES off (the session's sql_mode is ours) only the quote and the
// backslash mean anything inside one.
func appendText(dst, b []byte) []byte {
	dst = append(dst, '\'')
	from := 0
	for i, c := range b {
		if c == '\'' || c == '\\' {
			dst = append(dst, b[from:i]...)
			dst = append(dst, '\\')
			from = i
		}
	}
	dst = append(dst, b[from:]...)
	return append(dst, '\'')
}

func appendBinary(dst, b []byte) []byte { return appendText(append(dst, "_binary"...), b) }

func textLiteral(s string) string { return string(appendText(nil, []byte(s))) }
