package mysql

import (
	"fmt"

	"shelfstream/schemas"
	"shelfstream/sink/table"
)

const (
	microsPerSecond = 1_000_000
	microsPerDay    = 86_400 * microsPerSecond
	// The last second of MySQL's TIME, 838:59:59.
	maxTime = (838*3600 + 59*60 + 59) * int64(microsPerSecond)
)

// MySQL's calendar, in days since 1970-01-01: 0001-01-01 … 9999-12-31. (Its manual promises 1000-01-01 on; earlier years are stored and
// returned exactly.)
const (
	firstDay = -719162
	lastDay  = 2932896
)

func (w *writer) appendDate(dst []byte, days int64) ([]byte, *table.Unfit) {
	if days == schemas.DateInfinity || days == schemas.DateNegInfinity {
		return w.special(dst, "an infinite date")
	}
	if days < firstDay || days > lastDay {
		return dst, w.calendar(schemas.Date(days))
	}
	dst = append(dst, '\'')
	dst = appendDay(dst, days)
	return append(dst, '\''), nil
}

func (w *writer) calendar(v schemas.Value) *table.Unfit {
	return &table.Unfit{What: "is " + v.String() + ", and MySQL's calendar goes from 0001-01-01 to 9999-12-31", Fix: "correct it in the source, or let a rule set another value"}
}

func appendDay(dst []byte, days int64) []byte {
	y, m, d := schemas.CivilFromDays(days)
	dst = append(dst, byte('0'+y/1000), byte('0'+y/100%10), byte('0'+y/10%10), byte('0'+y%10), '-')
	dst = appendTwo(dst, int64(m))
	dst = append(dst, '-')
	return appendTwo(dst, int64(d))
}

func appendTwo(dst []byte, n int64) []byte { return append(dst, byte('0'+n/10), byte('0'+n%10)) }

// appendClock appends hh:mm:ss with the microseconds if there are any; hours may have three digits.
func appendClock(dst []byte, micros int64) []byte {
	s := micros / microsPerSecond
	if h := s / 3600; h >= 100 {
		dst = append(dst, byte('0'+h/100))
		s -= h / 100 * 100 * 3600
	}
	dst = appendTwo(dst, s/3600)
	dst = append(dst, ':')
	dst = appendTwo(dst, s/60%60)
	dst = append(dst, ':')
	dst = appendTwo(dst, s%60)
	if rest := micros % microsPerSecond; rest != 0 {
		dst = append(dst, '.')
		dst = appendTwo(dst, rest/10000)
		dst = appendTwo(dst, rest/100%100)
		dst = appendTwo(dst, rest%100)
	}
	return dst
}

// tick is the smallest step of the column's seconds, in microseconds.
func (w *writer) tick() int64 {
	t := int64(microsPerSecond)
	for range w.col.FSP {
		t /= 10
	}
	return t
}

func (w *writer) appendTime(dst []byte, micros int64) ([]byte, *table.Unfit) {
	if w.col.Class == table.ClassTime && micros%w.tick() != 0 && !w.o.Round {
		return dst, w.parts(schemas.Value{Kind: schemas.KindTime, Int: micros}, "time(6)")
	}
	dst = append(dst, '\'')
	if micros < 0 {
		dst = append(dst, '-')
		micros = -micros
	}
	if micros > maxTime {
		return dst, w.range_(schemas.Value{Kind: schemas.KindTime, Int: micros}.String())
	}
	dst = appendClock(dst, micros)
	return append(dst, '\''), nil
}

func (w *writer) parts(v schemas.Value, wider string) *table.Unfit {
	return &table.Unfit{
		What: fmt.Sprintf("is %s, and the column (%s) holds %d digits of the second", v.String(), w.col.Type, w.col.FSP),
		Fix:  alter(&w.col, wider, "") + " or list the column under 'round'",
	}
}

func (w *writer) appendTimestamp(dst []byte, micros int64) ([]byte, *table.Unfit) {
	if micros == schemas.TimestampInfinity || micros == schemas.TimestampNegInfinity {
		return w.special(dst, "an infinite time")
	}
	days, rest := micros/microsPerDay, micros%microsPerDay
	if rest < 0 {
		days, rest = days-1, rest+microsPerDay
	}
	if days < firstDay || days > lastDay {
		return dst, w.calendar(schemas.Timestamp(micros))
	}
	if w.col.Class == table.ClassDatetime && rest%w.tick() != 0 {
		if !w.o.Round {
			return dst, w.parts(schemas.Timestamp(micros), w.col.DataType+"(6)")
		}
		// Cut and not rounded: a rounded end of the year 9999 would have no form, and a time must not lie in the future by it.
		rest -= rest % w.tick()
	}
	dst = append(dst, '\'')
	dst = appendDay(dst, days)
	dst = append(dst, ' ')
	dst = appendClock(dst, rest)
	return append(dst, '\''), nil
}
