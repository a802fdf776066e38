package postgres

import (
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"shelfstream/internal/fault"
	"shelfstream/schemas"
	"shelfstream/sink/table"
)

// writer appends a column's values in the server's text form, after checking that the column holds each of them unchanged. PostgreSQL refuses too long texts and numbers out of
// range by itself; it rounds digits after the point and parts of a second without a word, so those are checked here. The others are checked here as well, because a product refused
// here costs no bisection. As literals all are quoted: an untyped literal takes the type of its column.
type writer struct {
	col table.ColumnInfo
	o   table.WriterOptions
}

func newWriter(c *table.ColumnInfo, o table.WriterOptions) table.Writer {
	return &writer{col: *c, o: o}
}

// form is how a value is written down.
type form bool

const (
	literal form = false
	line    form = true // of COPY
)

// Literal implements table.Writer.
func (w *writer) Literal(dst []byte, v schemas.Value) ([]byte, *table.Unfit) {
	return w.append(dst, v, literal)
}

// Load implements table.Writer.
func (w *writer) Load(dst []byte, v schemas.Value) ([]byte, *table.Unfit) {
	return w.append(dst, v, line)
}

func (w *writer) append(dst []byte, v schemas.Value, f form) (_ []byte, u *table.Unfit) {
	if v.IsNull() || w.o.Null && !w.holds(v) {
		if !w.col.Nullable {
			return dst, &table.Unfit{What: "is null, and the column takes no null", Fix: alter(&w.col, w.col.Type, "NULL") + " or let a rule set it"}
		}
		if f == line {
			return append(dst, `\N`...), nil
		}
		return append(dst, "NULL"...), nil
	}
	if f == literal {
		dst = append(dst, '\'')
	}
	if dst, u = w.value(dst, v, f); u == nil && f == literal {
		dst = append(dst, '\'')
	}
	return dst, u
}

// holds says whether the column has a form for the value at all, were it large enough.
func (w *writer) holds(v schemas.Value) bool {
	switch v.Kind {
	case schemas.KindDecimal:
		switch v.Scale {
		case schemas.SpecialNaN:
			return w.col.Class != table.ClassInt
		case schemas.SpecialInfinity, schemas.SpecialNegInfinity:
			return w.col.Class != table.ClassInt && (w.col.Class != table.ClassDecimal || w.col.Unbounded)
		}
	case schemas.KindFloat:
		switch d := v.Float64(); {
		case math.IsNaN(d):
			return w.col.Class != table.ClassInt
		case math.IsInf(d, 0):
			return w.col.Class != table.ClassInt && (w.col.Class != table.ClassDecimal || w.col.Unbounded)
		}
	default:
	}
	return true
}

// value appends what stands between the quotes.
func (w *writer) value(dst []byte, v schemas.Value, f form) ([]byte, *table.Unfit) {
	if !w.holds(v) {
		return dst, &table.Unfit{What: fmt.Sprintf("is %s, which the column (%s) has no form for", v.String(), w.col.Type), Fix: "set infinity: null for the table, or let a rule set another value"}
	}
	switch v.Kind {
	case schemas.KindBool:
		if w.col.Class == table.ClassInt || w.col.Class == table.ClassDecimal {
			return strconv.AppendInt(dst, v.Int, 10), nil
		}
		return strconv.AppendBool(dst, v.Int != 0), nil
	case schemas.KindInt:
		return w.number(strconv.AppendInt(dst, v.Int, 10), len(dst))
	case schemas.KindDecimal:
		return w.number(schemas.AppendDecimal(dst, v), len(dst))
	case schemas.KindFloat:
		return w.float(dst, v.Float64())
	case schemas.KindText, schemas.KindEnum, schemas.KindJSON:
		return w.text(dst, v.Bytes, f)
	case schemas.KindBytes:
		if f == line {
			dst = append(dst, '\\')
		}
		return hex.AppendEncode(append(dst, `\x`...), v.Bytes), nil
	case schemas.KindDate, schemas.KindTime, schemas.KindTimestamp, schemas.KindTimestampTZ:
		return w.time(dst, v)
	case schemas.KindUUID:
		return schemas.AppendCanonical(dst, v), nil
	case schemas.KindArray:
		if strings.HasSuffix(w.col.Type, "[]") {
			return w.text(dst, appendArray(nil, v.List), f)
		}
	case schemas.KindRecord, schemas.KindNull:
	}
	return w.text(dst, table.AppendJSON(nil, &w.o.Type, v), f)
}

// text appends a text, quoted for its form.
func (w *writer) text(dst, b []byte, f form) ([]byte, *table.Unfit) {
	if w.col.Length > 0 && len(b) > w.col.Length {
		if n := utf8.RuneCount(b); n > w.col.Length {
			return dst, &table.Unfit{What: fmt.Sprintf("has %d characters, and the column (%s) holds %d", n, w.col.Type, w.col.Length), Fix: alter(&w.col, wider(n, w.col.Length), "") + " or let a rule shorten it"}
		}
	}
	if !utf8.Valid(b) {
		return dst, &table.Unfit{Cause: fault.ProductCharset, What: "is no valid UTF-8, and the database takes nothing else", Fix: "correct it in the source, or let a rule replace it"}
	}
	if u := w.checkSet(b); u != nil {
		return dst, u
	}
	from := 0
	for i, c := range b {
		var escape string
		switch {
		case c > '\\' || c != 0 && c != '\'' && c != '\\' && c >= ' ':
			continue
		case c == 0:
			return dst, &table.Unfit{Cause: fault.ProductCharset, What: "has the character U+0000, which PostgreSQL has no form for", Fix: "let a rule take it out"}
		case f == literal && c == '\'':
			escape = `''`
		case f == line && c == '\\':
			escape = `\\`
		case f == line && c == '\t':
			escape = `\t`
		case f == line && c == '\n':
			escape = `\n`
		case f == line && c == '\r':
			escape = `\r`
		default:
			continue
		}
		dst = append(dst, b[from:i]...)
		dst = append(dst, escape...)
		from = i + 1
	}
	return append(dst, b[from:]...), nil
}

func wider(n, now int) string {
	if n <= 4000 {
		return fmt.Sprintf("varchar(%d)", max(n, 2*now))
	}
	return "text"
}

// number checks the plain decimal text at dst[start:] ("-12.50") against the column.
func (w *writer) number(dst []byte, start int) ([]byte, *table.Unfit) {
	switch w.col.Class {
	case table.ClassInt:
		return w.whole(dst, start)
	case table.ClassDecimal:
		return dst, w.digits(dst[start:])
	case table.ClassText:
		if n := len(dst) - start; w.col.Length > 0 && n > w.col.Length {
			return dst, &table.Unfit{What: fmt.Sprintf("has %d characters, and the column (%s) holds %d", n, w.col.Type, w.col.Length), Fix: alter(&w.col, wider(n, w.col.Length), "")}
		}
	default: // takes any number
	}
	return dst, nil
}

// whole makes a whole number of the text, if nothing is lost or that is allowed.
func (w *writer) whole(dst []byte, start int) ([]byte, *table.Unfit) {
	given := dst[start:]
	if point := strings.IndexByte(string(given), '.'); point >= 0 {
		if strings.Trim(string(given[point+1:]), "0") != "" && !w.o.Round {
			return dst, w.after(given)
		}
		up := given[point+1] >= '5'
		dst = dst[:start+point]
		if up {
			dst = away(dst, start)
		}
	}
	n, err := strconv.ParseInt(string(dst[start:]), 10, 64)
	if err != nil || n < w.col.Min || n > 0 && uint64(n) > w.col.Max {
		return dst, w.outside(string(dst[start:]))
	}
	return dst, nil
}

// away makes the whole number at dst[start:] larger by one in its amount.
func away(dst []byte, start int) []byte {
	first := start
	if dst[start] == '-' {
		first++
	}
	for i := len(dst) - 1; i >= first; i-- {
		if dst[i] != '9' {
			dst[i]++
			return dst
		}
		dst[i] = '0'
	}
	dst = append(dst, '0')
	dst[first] = '1'
	return dst
}

func (w *writer) outside(value string) *table.Unfit {
	what := "less"
	fix := "numeric"
	switch w.col.Class {
	case table.ClassInt:
		what = fmt.Sprintf("%d to %d", w.col.Min, w.col.Max)
		if w.col.DataType != "int8" {
			fix = "bigint"
		}
	case table.ClassDecimal:
		what = fmt.Sprintf("%d digits before the point and %d after it", w.col.Precision-w.col.Scale, w.col.Scale)
		fix = fmt.Sprintf("numeric(%d,%d)", min(1000, w.col.Precision+10), w.col.Scale)
	default: // has no bounds
	}
	return &table.Unfit{What: fmt.Sprintf("is %s, and the column (%s) holds %s", value, w.col.Type, what), Fix: alter(&w.col, fix, "")}
}

func (w *writer) after(text []byte) *table.Unfit {
	scale := len(text) - strings.IndexByte(string(text), '.') - 1
	fix := fmt.Sprintf("numeric(%d,%d)", min(1000, max(w.col.Precision, 19)-w.col.Scale+scale), scale)
	return &table.Unfit{
		What: fmt.Sprintf("is %s, and the column (%s) holds %d digits after the point", text, w.col.Type, w.col.Scale),
		Fix:  alter(&w.col, fix, "") + " or list the column under 'round'",
	}
}

// digits compares a plain decimal text with the digits the column has.
func (w *writer) digits(text []byte) *table.Unfit {
	if w.col.Unbounded || text[len(text)-1] > '9' { // NaN
		return nil
	}
	s := strings.TrimPrefix(string(text), "-")
	whole, frac, _ := strings.Cut(s, ".")
	if len(strings.TrimLeft(whole, "0")) > w.col.Precision-w.col.Scale {
		return w.outside(string(text))
	}
	if len(strings.TrimRight(frac, "0")) > w.col.Scale && !w.o.Round {
		return w.after(text)
	}
	return nil
}

func (w *writer) float(dst []byte, f float64) ([]byte, *table.Unfit) {
	start := len(dst)
	switch {
	case math.IsNaN(f):
		return append(dst, "NaN"...), nil
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...), nil
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...), nil
	case w.col.Class == table.ClassInt || w.col.Class == table.ClassDecimal:
		return w.number(strconv.AppendFloat(dst, f, 'f', -1, 64), start)
	case w.col.Class == table.ClassText:
		return w.number(strconv.AppendFloat(dst, f, 'f', -1, 64), start)
	case w.col.Single && float64(float32(f)) != f && !w.o.Round:
		return dst, &table.Unfit{
			What: fmt.Sprintf("is %s, and the column (%s) holds about 7 digits", strconv.FormatFloat(f, 'g', -1, 64), w.col.Type),
			Fix:  alter(&w.col, "double precision", "") + " or list the column under 'round'",
		}
	}
	return strconv.AppendFloat(dst, f, 'e', -1, 64), nil
}

// appendArray appends a list of values without a structure of their own as PostgreSQL's array: {"a","b",NULL}.
func appendArray(dst []byte, list []schemas.Value) []byte {
	dst = append(dst, '{')
	for i, v := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		switch {
		case v.IsNull():
			dst = append(dst, "NULL"...)
			continue
		case v.Kind == schemas.KindArray:
			dst = appendArray(dst, v.List)
			continue
		}
		dst = append(dst, '"')
		if v.Kind == schemas.KindBytes {
			dst = append(dst, `\\x`...)
		}
		for _, c := range schemas.AppendCanonical(nil, v) {
			if c == '"' || c == '\\' {
				dst = append(dst, '\\')
			}
			dst = append(dst, c)
		}
		dst = append(dst, '"')
	}
	return append(dst, '}')
}
