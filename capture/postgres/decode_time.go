package postgres

import "shelfstream/schemas"

// Dates and times as DateStyle ISO prints them: "2026-01-31", "0044-03-15 BC", "13:45:01.5", "2026-01-31 13:45:01.5+00", "infinity",
// "-infinity". Years have at least four digits and no upper bound. The session's time zone is UTC, but any offset is understood.

const (
	usPerSecond = 1_000_000
	usPerDay    = 86_400 * usPerSecond
)

// parseDate gives days since 1970-01-01 in the proleptic Gregorian calendar.
func parseDate(b []byte) (int64, bool) {
	switch string(b) {
	case "infinity":
		return schemas.DateInfinity, true
	case "-infinity":
		return schemas.DateNegInfinity, true
	}
	b, bc := cutBC(b)
	days, rest, ok := parseDay(b, bc)
	return days, ok && len(rest) == 0
}

// parseTimestamp gives microseconds since 1970-01-01T00:00:00, less the offset from UTC if there is one.
func parseTimestamp(b []byte) (int64, bool) {
	switch string(b) {
	case "infinity":
		return schemas.TimestampInfinity, true
	case "-infinity":
		return schemas.TimestampNegInfinity, true
	}
	b, bc := cutBC(b)
	days, b, ok := parseDay(b, bc)
	if !ok || len(b) == 0 || b[0] != ' ' {
		return 0, false
	}
	us, b, ok := parseClock(b[1:])
	if !ok {
		return 0, false
	}
	offset, ok := parseOffset(b)
	return days*usPerDay + us - offset, ok
}

func cutBC(b []byte) ([]byte, bool) {
	if n := len(b) - 3; n > 0 && b[n] == ' ' && b[n+1] == 'B' && b[n+2] == 'C' {
		return b[:n], true
	}
	return b, false
}

// parseDay reads "year-month-day" and gives what follows it.
func parseDay(b []byte, bc bool) (int64, []byte, bool) {
	var year int64
	i := 0
	for ; i < len(b) && b[i] != '-'; i++ {
		c := b[i] - '0'
		if c > 9 || i > 7 { // PostgreSQL's dates end in the year 5874897
			return 0, nil, false
		}
		year = year*10 + int64(c)
	}
	if i < 4 || len(b) < i+6 || b[i+3] != '-' {
		return 0, nil, false
	}
	month, ok1 := twoDigits(b[i+1:])
	day, ok2 := twoDigits(b[i+4:])
	if !ok1 || !ok2 || month < 1 || month > 12 || day < 1 || day > 31 {
		return 0, nil, false
	}
	if bc {
		year = 1 - year // 1 BC is the year 0
	}
	return daysFromCivil(year, month, day), b[i+6:], true
}

// daysFromCivil counts days since 1970-01-01. Years begin in March here, so that the leap day is the last one; 400 years have 146097 days.
func daysFromCivil(year, month, day int64) int64 {
	if month <= 2 {
		year--
		month += 12
	}
	era := year / 400
	if year < 0 {
		era = (year - 399) / 400
	}
	yearOfEra := year - era*400
	dayOfYear := (153*(month-3)+2)/5 + day - 1
	const daysTo1970 = 719_468
	return era*146_097 + yearOfEra*365 + yearOfEra/4 - yearOfEra/100 + dayOfYear - daysTo1970
}

// parseClock reads "hh:mm:ss[.ffffff]" and gives what follows it; 24:00:00 is allowed.
func parseClock(b []byte) (int64, []byte, bool) {
	if len(b) < 8 || b[2] != ':' || b[5] != ':' {
		return 0, nil, false
	}
	h, ok1 := twoDigits(b)
	m, ok2 := twoDigits(b[3:])
	s, ok3 := twoDigits(b[6:])
	if !ok1 || !ok2 || !ok3 || h > 24 || m > 59 || s > 60 {
		return 0, nil, false
	}
	us := ((h*60+m)*60 + s) * usPerSecond
	b = b[8:]
	if len(b) > 1 && b[0] == '.' {
		scale := int64(usPerSecond / 10)
		for b = b[1:]; len(b) > 0 && b[0]-'0' <= 9; b = b[1:] {
			us += int64(b[0]-'0') * scale
			scale /= 10
		}
	}
	return us, b, true
}

// parseOffset reads "", "+00", "-03:30", "+05:53:28" and gives microseconds.
func parseOffset(b []byte) (int64, bool) {
	if len(b) == 0 {
		return 0, true
	}
	if string(b) == "+00" {
		return 0, true
	}
	sign := int64(1)
	switch b[0] {
	case '+':
	case '-':
		sign = -1
	default:
		return 0, false
	}
	b = b[1:]
	var seconds int64
	for unit := int64(3600); unit > 0; unit /= 60 {
		n, ok := twoDigits(b)
		if !ok {
			return 0, false
		}
		seconds += n * unit
		if b = b[2:]; len(b) == 0 {
			return sign * seconds * usPerSecond, true
		}
		if b[0] != ':' {
			return 0, false
		}
		b = b[1:]
	}
	return 0, false
}

func twoDigits(b []byte) (int64, bool) {
	if len(b) < 2 || b[0]-'0' > 9 || b[1]-'0' > 9 {
		return 0, false
	}
	return int64(b[0]-'0')*10 + int64(b[1]-'0'), true
}
