package rules

import (
	"strconv"
	"strings"
	"time"

	"shelfstream/schemas"
)

const (
	dayUS = 24 * 60 * 60 * 1_000_000
	// Beyond these dates (year ±200,000) a date is PostgreSQL's infinity or an ERP's idea of it: no instant is computed, it is open.
	maxDay = 73_000_000
	minDay = -73_000_000
)

// openEnd says whether a day or wall-clock time is so far away that it means "without end".
func openEnd(v schemas.Value) (future, past bool) {
	day := v.Int
	if v.Kind != schemas.KindDate {
		day = v.Int / dayUS
	}
	return day >= maxDay, day <= minDay
}

// localDay is the date in zone at an instant, in days since 1970-01-01.
func localDay(at time.Time, zone *time.Location) int64 {
	y, m, d := at.In(zone).Date()
	return civilDay(y, m, d)
}

func civilDay(y int, m time.Month, d int) int64 {
	s := time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix()
	return floorDiv(s, 86400)
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// startOfDay is the first instant of a day in zone: midnight, or where the clock is put forward over midnight, the instant after the gap.
func startOfDay(day int64, zone *time.Location) time.Time { return wallInstant(day*dayUS, zone) }

// wallInstant is the instant at which the clock on the wall in zone shows a time, given in microseconds since 1970-01-01T00:00:00.
// A time shown twice (clock put back) means the first; a time never shown (clock put forward) means the instant of the change.
func wallInstant(wallUS int64, zone *time.Location) time.Time {
	asUTC := time.UnixMicro(wallUS)
	// Offsets of a day before and after are those on both sides of any one change nearby.
	_, before := asUTC.Add(-24 * time.Hour).In(zone).Zone()
	_, after := asUTC.Add(24 * time.Hour).In(zone).Zone()
	first := asUTC.Add(-time.Duration(before) * time.Second)
	if before == after {
		return first.In(zone)
	}
	second := asUTC.Add(-time.Duration(after) * time.Second)
	_, atFirst := first.In(zone).Zone()
	_, atSecond := second.In(zone).Zone()
	switch {
	case atFirst == before:
		return first.In(zone)
	case atSecond == after:
		return second.In(zone)
	}
	start, _ := first.In(zone).ZoneBounds()
	return start
}

// appendDate writes days since 1970-01-01 as "2026-01-31".
func appendDate(dst []byte, day int64) []byte {
	return time.Unix(day*86400, 0).UTC().AppendFormat(dst, "2006-01-02")
}

type literalParser func(text string) (schemas.Value, bool)

// literalWords are the words that make a typed literal of the text after them.
var literalWords = map[string]literalParser{
	"date": func(s string) (schemas.Value, bool) {
		day, ok := parseDate(s)
		return schemas.Value{Kind: schemas.KindDate, Int: day}, ok
	},
	"timestamp": func(s string) (schemas.Value, bool) {
		t, err := time.Parse("2006-01-02T15:04:05", strings.Replace(s, " ", "T", 1))
		return schemas.Value{Kind: schemas.KindTimestamp, Int: t.UnixMicro()}, err == nil
	},
	"timestamptz": func(s string) (schemas.Value, bool) {
		t, err := time.Parse(time.RFC3339, strings.Replace(s, " ", "T", 1))
		return schemas.Value{Kind: schemas.KindTimestampTZ, Int: t.UnixMicro()}, err == nil
	},
}

var literalForms = map[string]string{
	"date":        "a date as '2026-01-31'",
	"timestamp":   "a wall-clock time as '2026-01-31 08:00:00'",
	"timestamptz": "an instant with its offset as '2026-01-31T08:00:00+01:00'",
}

// parseDate reads "2026-01-31", four to six digits of year, and refuses days that no calendar has.
func parseDate(s string) (int64, bool) {
	parts := strings.Split(s, "-")
	if len(parts) != 3 || len(parts[0]) < 4 || len(parts[0]) > 6 || len(parts[1]) != 2 || len(parts[2]) != 2 {
		return 0, false
	}
	var n [3]int
	for i, p := range parts {
		v, err := strconv.ParseUint(p, 10, 32)
		if err != nil {
			return 0, false
		}
		n[i] = int(v)
	}
	return checkedDay(n[0], n[1], n[2])
}

// checkedDay is the day of a date if it is in the calendar.
func checkedDay(y, m, d int) (int64, bool) {
	t := time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC)
	if m < 1 || m > 12 || d < 1 || t.Day() != d {
		return 0, false
	}
	return civilDay(y, time.Month(m), d), true
}
