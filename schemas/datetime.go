package schemas

import (
	"math"
	"strconv"
)

const (
	microsPerSecond = int64(1_000_000)
	microsPerDay    = 86_400 * microsPerSecond
)

// The published forms of PostgreSQL's infinite dates and timestamps: the ends of the Avro types. No real date or
// timestamp of PostgreSQL or MySQL reaches them.
const (
	DateInfinity         int64 = math.MaxInt32
	DateNegInfinity      int64 = math.MinInt32
	TimestampInfinity    int64 = math.MaxInt64
	TimestampNegInfinity int64 = math.MinInt64
)

// Date makes a KindDate from days since 1970-01-01.
func Date(days int64) Value { return Value{Kind: KindDate, Int: days} }

// Timestamp makes a KindTimestamp from wall-clock microseconds since 1970-01-01T00:00:00.
func Timestamp(micros int64) Value { return Value{Kind: KindTimestamp, Int: micros} }

// TimestampTZ makes a KindTimestampTZ from microseconds since the epoch.
func TimestampTZ(micros int64) Value { return Value{Kind: KindTimestampTZ, Int: micros} }

// DaysFromCivil gives the days since 1970-01-01 of a date in the proleptic Gregorian calendar; year 0 is 1 BC.
func DaysFromCivil(year int64, month, day int) int64 {
	// Years counted from March put the leap day last, which makes the days before a month a linear function.
	if month <= 2 {
		year--
		month += 12
	}
	era := floorDiv(year, 400)
	ofEra := year - era*400
	ofYear := int64(153*(month-3)+2)/5 + int64(day) - 1
	return era*146097 + ofEra*365 + ofEra/4 - ofEra/100 + ofYear - 719468
}

// CivilFromDays is the reverse of DaysFromCivil.
func CivilFromDays(days int64) (year int64, month, day int) {
	days += 719468
	era := floorDiv(days, 146097)
	ofEra := days - era*146097
	yearOfEra := (ofEra - ofEra/1460 + ofEra/36524 - ofEra/146096) / 365
	ofYear := ofEra - (365*yearOfEra + yearOfEra/4 - yearOfEra/100)
	shifted := (5*ofYear + 2) / 153
	day = int(ofYear-(153*shifted+2)/5) + 1
	month = int(shifted) + 3
	year = yearOfEra + era*400
	if month > 12 {
		month -= 12
		year++
	}
	return year, month, day
}

// NoDate makes what a database keeps in a date or timestamp column and no calendar has, as the database prints it: MySQL's "0000-00-00", "2024-00-15 00:00:00",
// "2023-02-31". kind is KindDate, KindTimestamp or KindTimestampTZ. See doc.go for its published form.
func NoDate(kind Kind, text []byte) Value { return Value{Kind: kind, Bytes: text} }

func (v Value) isNoDate() bool {
	return v.Bytes != nil && (v.Kind == KindDate || v.Kind == KindTimestamp || v.Kind == KindTimestampTZ)
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// appendDate appends days in ISO 8601: "2024-02-29"; before year 1 and after 9999 with a sign: "-0043-03-15" is the Ides of
// March of 44 BC, "+12000-01-01". The two infinities are "infinity" and "-infinity", as PostgreSQL writes them.
func appendDate(dst []byte, days int64) []byte {
	switch days {
	case DateInfinity:
		return append(dst, "infinity"...)
	case DateNegInfinity:
		return append(dst, "-infinity"...)
	}
	return appendCivil(dst, days)
}

func appendCivil(dst []byte, days int64) []byte {
	year, month, day := CivilFromDays(days)
	switch {
	case year < 0:
		dst = append(dst, '-')
		year = -year
	case year > 9999:
		dst = append(dst, '+')
	}
	for limit := int64(1000); year < limit && limit > 1; limit /= 10 {
		dst = append(dst, '0')
	}
	dst = strconv.AppendInt(dst, year, 10)
	dst = append(dst, '-')
	dst = appendTwo(dst, int64(month))
	dst = append(dst, '-')
	return appendTwo(dst, int64(day))
}

// appendTime appends microseconds since midnight as "15:04:05" with as many digits of the second as are not zero. MySQL's TIME
// goes below zero and past a day: "-838:59:59".
func appendTime(dst []byte, micros int64) []byte {
	if micros < 0 {
		dst = append(dst, '-')
	}
	m := magnitude(micros)
	seconds := int64(m / uint64(microsPerSecond))
	dst = appendTwo(dst, seconds/3600)
	dst = append(dst, ':')
	dst = appendTwo(dst, seconds/60%60)
	dst = append(dst, ':')
	dst = appendTwo(dst, seconds%60)
	if rest := m % uint64(microsPerSecond); rest != 0 {
		dst = append(dst, '.')
		for unit := uint64(100_000); rest != 0; unit /= 10 {
			dst = append(dst, byte('0'+rest/unit))
			rest %= unit
		}
	}
	return dst
}

// appendTimestamp appends "2024-02-29T15:04:05.5"; the infinities as appendDate does.
func appendTimestamp(dst []byte, micros int64) []byte {
	switch micros {
	case TimestampInfinity:
		return append(dst, "infinity"...)
	case TimestampNegInfinity:
		return append(dst, "-infinity"...)
	}
	days := floorDiv(micros, microsPerDay)
	dst = appendCivil(dst, days)
	dst = append(dst, 'T')
	return appendTime(dst, micros-days*microsPerDay)
}

func appendTwo(dst []byte, n int64) []byte {
	if n < 10 {
		dst = append(dst, '0')
	}
	return strconv.AppendInt(dst, n, 10)
}
