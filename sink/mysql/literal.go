package mysql

import (
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"

	"shelfstream/schemas"
	"shelfstream/sink/table"
)

// writer appends the SQL literal of a column's values, after checking that the column holds each of them unchanged. MySQL's strict mode refuses
// too long texts and numbers out of range by itself; it rounds digits after the point and parts of a second without a word, so
// those are checked here. The others are checked here as well, because a product refused here costs no bisection.
type writer struct {
	col table.ColumnInfo
	o   table.WriterOptions
}

func newWriter(c *table.ColumnInfo, o table.WriterOptions) table.Writer {
	return &writer{col: *c, o: o}
}

const null = "NULL"

// Literal implements table.Writer.
func (w *writer) Literal(dst []byte, v schemas.Value) ([]byte, *table.Unfit) {
	switch v.Kind {
	case schemas.KindNull:
		if !w.col.Nullable {
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
	text := table.AppendJSON(nil, &w.o.Type, v)
	if u := w.checkText(text); u != nil {
		return dst, u
	}
	return appendText(dst, text), nil
}

func (w *writer) notNull() *table.Unfit {
	return &table.Unfit{What: "is null, and the column takes no null", Fix: alter(&w.col, w.col.Type, "NULL") + " or let a rule set it"}
}

// special handles what MySQL has no form for.
func (w *writer) special(dst []byte, what string) ([]byte, *table.Unfit) {
	if w.o.Null {
		if !w.col.Nullable {
			return dst, w.notNull()
		}
		return append(dst, null...), nil
	}
	return dst, &table.Unfit{What: "is " + what + ", which MySQL has no form for", Fix: "set infinity: null for the table, or let a rule set another value"}
}

func (w *writer) appendInt(dst []byte, n int64) ([]byte, *table.Unfit) {
	if w.col.Class == table.ClassDecimal {
		return w.appendDecimal(dst, schemas.Dec(n, 0))
	}
	if w.col.Class == table.ClassInt && (n < w.col.Min || (n > 0 && uint64(n) > w.col.Max)) {
		return dst, w.range_(strconv.FormatInt(n, 10))
	}
	if w.col.Class == table.ClassText {
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

func (w *writer) range_(value string) *table.Unfit {
	return &table.Unfit{What: fmt.Sprintf("is %s, and the column (%s) holds %s", value, w.col.Type, holds(&w.col)), Fix: alterWider(&w.col)}
}

func (w *writer) appendDecimal(dst []byte, v schemas.Value) ([]byte, *table.Unfit) {
	switch v.Scale {
	case schemas.SpecialNaN:
		return w.special(dst, "not a number (NaN)")
	case schemas.SpecialInfinity, schemas.SpecialNegInfinity:
		return w.special(dst, "infinite")
	}
	start := len(dst)
	dst = schemas.AppendDecimal(dst, v)
	switch w.col.Class {
	case table.ClassDecimal, table.ClassInt:
		if u := w.checkDigits(dst[start:]); u != nil {
			return dst, u
		}
	case table.ClassText:
		text := string(dst[start:])
		if u := w.checkText(dst[start:]); u != nil {
			return dst, u
		}
		return appendText(dst[:start], []byte(text)), nil
	case table.ClassBool, table.ClassFloat, table.ClassBytes, table.ClassDate, table.ClassDatetime, table.ClassTime, table.ClassJSON, table.ClassUUID, table.ClassBinUUID, table.ClassOther:
	}
	return dst, nil
}

// checkDigits compares a plain decimal text ("-12.50") with the digits the column has. An integer column is a decimal without digits after the point;
// its exact range is the server's to check.
func (w *writer) checkDigits(text []byte) *table.Unfit {
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
	if whole > w.col.Precision-w.col.Scale {
		return w.range_(string(text))
	}
	if frac > w.col.Scale && !w.o.Round {
		for i := len(s) - 1; frac > w.col.Scale; i, frac = i-1, frac-1 {
			if s[i] != '0' {
				return &table.Unfit{
					What: fmt.Sprintf("is %s, and the column (%s) holds %d digits after the point", text, w.col.Type, w.col.Scale),
					Fix:  alterScale(&w.col, frac) + " or list the column under 'round'",
				}
			}
		}
	}
	if w.col.Unsigned && text[0] == '-' {
		return w.range_(string(text))
	}
	return nil
}

func (w *writer) appendFloat(dst []byte, f float64) ([]byte, *table.Unfit) {
	if math.IsNaN(f) {
		return w.special(dst, "not a number (NaN)")
	}
	if math.IsInf(f, 0) {
		return w.special(dst, "infinite")
	}
	if w.col.Class == table.ClassText {
		text := strconv.FormatFloat(f, 'f', -1, 64)
		return appendText(dst, []byte(text)), w.checkText([]byte(text))
	}
	if w.col.Unsigned && f < 0 {
		return dst, w.range_(strconv.FormatFloat(f, 'g', -1, 64))
	}
	return strconv.AppendFloat(dst, f, 'e', -1, 64), nil
}

func (w *writer) checkText(b []byte) *table.Unfit {
	if w.col.Narrow != nil {
		if u := w.checkSet(b); u != nil {
			return u
		}
	}
	switch {
	case w.col.Length > 0 && len(b) > w.col.Length:
		if n := utf8.RuneCount(b); n > w.col.Length {
			return &table.Unfit{What: fmt.Sprintf("has %d characters, and the column (%s) holds %d", n, w.col.Type, w.col.Length), Fix: alterLength(&w.col, n) + " or let a rule shorten it"}
		}
	case w.col.Octets > 0 && len(b) > w.col.Octets:
		return &table.Unfit{What: fmt.Sprintf("has %d bytes, and the column (%s) holds %d", len(b), w.col.Type, w.col.Octets), Fix: alter(&w.col, "longtext", "") + " or let a rule shorten it"}
	}
	return nil
}

func (w *writer) checkBytes(b []byte) *table.Unfit {
	if w.col.Octets > 0 && len(b) > w.col.Octets {
		return &table.Unfit{What: fmt.Sprintf("has %d bytes, and the column (%s) holds %d", len(b), w.col.Type, w.col.Octets), Fix: alter(&w.col, "longblob", "")}
	}
	return nil
}

func (w *writer) appendUUID(dst, b []byte) []byte {
	if w.col.Class == table.ClassBinUUID {
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
