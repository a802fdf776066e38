package postgres

import (
	"fmt"
	"strconv"

	"shelfstream/schemas"
	"shelfstream/sink/table"
)

const (
	microsPerSecond = 1_000_000
	microsPerDay    = 86_400 * microsPerSecond
)

// PostgreSQL's calendar (manual, table 8.9), in days since 1970-01-01: 4713-11-24 BC … 5874897-12-31 for dates, … 294276-12-31 for timestamps.
var (
	firstDay  = schemas.DaysFromCivil(-4712, 11, 24)
	lastDate  = schemas.DaysFromCivil(5874897, 12, 31)
	lastStamp = schemas.DaysFromCivil(294276, 12, 31)
)

// time appends a date, a time of day or a timestamp.
func (w *writer) time(dst []byte, v schemas.Value) ([]byte, *table.Unfit) {
	if w.col.Class == table.ClassText {
		return w.number(schemas.AppendCanonical(dst, v), len(dst))
	}
	switch v.Kind {
	case schemas.KindDate:
		switch v.Int {
		case schemas.DateInfinity:
			return append(dst, "infinity"...), nil
		case schemas.DateNegInfinity:
			return append(dst, "-infinity"...), nil
		}
		last := lastDate
		if w.col.Class == table.ClassDatetime {
			last = lastStamp
		}
		if v.Int < firstDay || v.Int > last {
			return dst, calendar(v)
		}
		dst, bc := appendDay(dst, v.Int)
		return appendBC(dst, bc), nil
	case schemas.KindTime:
		micros, u := w.cut(v)
		if u == nil && w.col.Class == table.ClassTime && (micros < 0 || micros > microsPerDay) {
			u = &table.Unfit{What: fmt.Sprintf("is %s, and the column (%s) holds 00:00 to 24:00", v.String(), w.col.Type), Fix: "correct it in the source, or let a rule set another value"}
		}
		if u != nil {
			return dst, u
		}
		if micros < 0 {
			dst, micros = append(dst, '-'), -micros
		}
		return appendClock(dst, micros), nil
	default:
	}
	switch v.Int {
	case schemas.TimestampInfinity:
		return append(dst, "infinity"...), nil
	case schemas.TimestampNegInfinity:
		return append(dst, "-infinity"...), nil
	}
	micros, u := w.cut(v)
	if u != nil {
		return dst, u
	}
	days, rest := micros/microsPerDay, micros%microsPerDay
	if rest < 0 {
		days, rest = days-1, rest+microsPerDay
	}
	if days < firstDay || days > lastStamp {
		return dst, calendar(v)
	}
	dst, bc := appendDay(dst, days)
	return appendBC(appendClock(append(dst, ' '), rest), bc), nil
}

// cut is the value without the parts of a second that the column does not hold, if it may lose them.
func (w *writer) cut(v schemas.Value) (int64, *table.Unfit) {
	tick := int64(microsPerSecond)
	for range w.col.FSP {
		tick /= 10
	}
	rest := v.Int % tick
	if w.col.Class != table.ClassDatetime && w.col.Class != table.ClassTime || rest == 0 {
		return v.Int, nil
	}
	if !w.o.Round {
		return 0, &table.Unfit{
			What: fmt.Sprintf("is %s, and the column (%s) holds %d digits of the second", v.String(), w.col.Type, w.col.FSP),
			Fix:  alter(&w.col, precise(&w.col), "") + " or list the column under 'round'",
		}
	}
	// Cut and not rounded: a time must not lie in the future by it.
	if rest < 0 {
		rest += tick
	}
	return v.Int - rest, nil
}

func calendar(v schemas.Value) *table.Unfit {
	return &table.Unfit{What: "is " + v.String() + ", which lies outside PostgreSQL's calendar", Fix: "correct it in the source, or let a rule set another value"}
}

// appendDay appends "2024-02-29"; years before 1 are those before Christ, which a mark at the end tells.
func appendDay(dst []byte, days int64) (_ []byte, bc bool) {
	y, m, d := schemas.CivilFromDays(days)
	if y <= 0 {
		y, bc = 1-y, true
	}
	if y < 1000 {
		dst = append(dst, "0000"[:4-len(strconv.FormatInt(y, 10))]...)
	}
	dst = append(strconv.AppendInt(dst, y, 10), '-')
	dst = append(appendTwo(dst, int64(m)), '-')
	return appendTwo(dst, int64(d)), bc
}

func appendBC(dst []byte, bc bool) []byte {
	if bc {
		dst = append(dst, " BC"...)
	}
	return dst
}

// appendClock appends hh:mm:ss with the microseconds if there are any.
func appendClock(dst []byte, micros int64) []byte {
	s := micros / microsPerSecond
	dst = append(appendTwo(dst, s/3600), ':')
	dst = append(appendTwo(dst, s/60%60), ':')
	dst = appendTwo(dst, s%60)
	if rest := micros % microsPerSecond; rest != 0 {
		dst = appendTwo(append(dst, '.'), rest/10000)
		dst = appendTwo(dst, rest/100%100)
		dst = appendTwo(dst, rest%100)
	}
	return dst
}

func appendTwo(dst []byte, n int64) []byte {
	if n >= 100 {
		return strconv.AppendInt(dst, n, 10)
	}
	return append(dst, byte('0'+n/10), byte('0'+n%10))
}
