package mysql

import (
	"encoding/binary"
	"strconv"

	"shelfstream/schemas"
)

const (
	usPerSecond = 1_000_000
	usPerDay    = 86_400 * usPerSecond
)

// moment is a date and time as the server keeps it; it need not be one of the calendar ("0000-00-00", "2024-00-15", "2023-02-31").
type moment struct {
	year, month, day, hour, minute, second, us int64
	negative                                   bool
}

// clock is the time of day, or MySQL's TIME, in microseconds.
func (m *moment) clock() int64 {
	us := ((m.hour*60+m.minute)*60+m.second)*usPerSecond + m.us
	if m.negative {
		return -us
	}
	return us
}

// real says whether the date is one of the calendar. Year 0 is, as schemas counts it.
func (m *moment) real() bool {
	if m.month < 1 || m.month > 12 || m.day < 1 {
		return false
	}
	if m.day <= 28 {
		return true
	}
	next := schemas.DaysFromCivil(m.year+m.month/12, int(m.month%12)+1, 1)
	return m.day <= next-schemas.DaysFromCivil(m.year, int(m.month), 1)
}

// value gives the moment; one that is none is the text that the server prints for it.
func (m *moment) value(kind schemas.Kind, none []byte) schemas.Value {
	if !m.real() {
		return schemas.NoDate(kind, none)
	}
	days := schemas.DaysFromCivil(m.year, int(m.month), int(m.day))
	if kind == schemas.KindDate {
		return schemas.Value{Kind: kind, Int: days}
	}
	return schemas.Value{Kind: kind, Int: days*usPerDay + m.clock()}
}

// appendText appends what the server prints with so many digits after the second.
func (m *moment) appendText(dst []byte, kind schemas.Kind, digits int) []byte {
	dst = appendPadded(dst, m.year, 4)
	dst = appendPadded(append(dst, '-'), m.month, 2)
	dst = appendPadded(append(dst, '-'), m.day, 2)
	if kind == schemas.KindDate {
		return dst
	}
	dst = appendPadded(append(dst, ' '), m.hour, 2)
	dst = appendPadded(append(dst, ':'), m.minute, 2)
	dst = appendPadded(append(dst, ':'), m.second, 2)
	if digits > 0 {
		dst = append(dst, '.')
		for unit, us := int64(100_000), m.us; digits > 0; digits-- {
			dst = append(dst, byte('0'+us/unit%10))
			unit /= 10
		}
	}
	return dst
}

func appendPadded(dst []byte, n int64, width int) []byte {
	for limit := int64(10); width > 1; width, limit = width-1, limit*10 {
		if n < limit {
			for range width - 1 {
				dst = append(dst, '0')
			}
			break
		}
	}
	return strconv.AppendInt(dst, n, 10)
}

// fraction reads the digits after the second, of which two take a byte.
func fraction(b []byte) int64 {
	switch len(b) {
	case 1:
		return int64(b[0]) * 10_000
	case 2:
		return int64(binary.BigEndian.Uint16(b)) * 100
	case 3:
		return int64(big(b))
	}
	return 0
}

// binaryTime reads the forms of my_time.cc (TIME2, DATETIME2, TIMESTAMP2) and those before MySQL 5.6.
func (f *field) binaryTime(b []byte, a *arena) (schemas.Value, error) {
	var m moment
	kind := schemas.KindTimestamp
	switch f.decoding {
	case asTime:
		return schemas.Value{Kind: schemas.KindTime, Int: packedTime(b)}, nil
	case asOldTime:
		n := int64(int32(little(b)<<8)) >> 8
		if n < 0 {
			m.negative, n = true, -n
		}
		m.hour, m.minute, m.second = n/10_000, n/100%100, n%100
		return schemas.Value{Kind: schemas.KindTime, Int: m.clock()}, nil
	case asTimestamp, asOldTimestamp:
		var seconds, us int64
		if f.decoding == asTimestamp {
			seconds, us = int64(binary.BigEndian.Uint32(b)), fraction(b[4:])
		} else {
			seconds = int64(binary.LittleEndian.Uint32(b))
		}
		if seconds != 0 || us != 0 {
			return schemas.Value{Kind: schemas.KindTimestampTZ, Int: seconds*usPerSecond + us}, nil
		}
		kind = schemas.KindTimestampTZ
	case asDate:
		n := int64(little(b))
		m.day, m.month, m.year = n&31, n>>5&15, n>>9
		kind = schemas.KindDate
	case asDateTime:
		n := int64(big(b[:5])) - 0x80_0000_0000
		if n < 0 {
			return schemas.Null, malformed("datetime", b)
		}
		m.second, m.minute, m.hour = n&63, n>>6&63, n>>12&31
		n >>= 17
		m.day, m.month, m.year = n&31, (n>>5)%13, (n>>5)/13
		m.us = fraction(b[5:])
	case asOldDateTime:
		n := int64(binary.LittleEndian.Uint64(b))
		m.second, m.minute, m.hour = n%100, n/100%100, n/10_000%100
		n /= 1_000_000
		m.day, m.month, m.year = n%100, n/100%100, n/10_000
	default:
	}
	if m.real() {
		return m.value(kind, nil), nil
	}
	text, err := a.keep(func(dst []byte) ([]byte, error) { return m.appendText(dst, kind, f.digits), nil })
	return schemas.NoDate(kind, text), err
}

// packedTime reads TIME2. The number is turned so that it sorts as bytes: of a negative time the fraction counts up from the next lower second.
func packedTime(b []byte) int64 {
	// All digits as one number of hours<<36 | minutes<<30 | seconds<<24 | microseconds.
	n := (int64(big(b[:3])) - 0x80_0000) << 24
	switch len(b) {
	case 4:
		part := int64(b[3])
		if n < 0 && part != 0 {
			n += 1 << 24
			part -= 0x100
		}
		n += part * 10_000
	case 5:
		part := int64(binary.BigEndian.Uint16(b[3:]))
		if n < 0 && part != 0 {
			n += 1 << 24
			part -= 0x1_0000
		}
		n += part * 100
	case 6:
		n = int64(big(b)) - 0x8000_0000_0000
	}
	m := moment{negative: n < 0}
	if n < 0 {
		n = -n
	}
	m.us, n = n&(1<<24-1), n>>24
	m.second, m.minute, m.hour = n&63, n>>6&63, n>>12&1023
	return m.clock()
}

// textTime reads "2024-02-29", "2024-02-29 15:04:05.5" and "-838:59:59.999999".
func (f *field) textTime(b []byte) (schemas.Value, error) {
	var m moment
	kind := schemas.KindTimestamp
	switch f.decoding {
	case asTime, asOldTime:
		if rest, ok := m.parseClock(b); !ok || len(rest) != 0 {
			return schemas.Null, malformed("time", b)
		}
		return schemas.Value{Kind: schemas.KindTime, Int: m.clock()}, nil
	case asDate:
		kind = schemas.KindDate
	case asTimestamp, asOldTimestamp:
		kind = schemas.KindTimestampTZ
	default:
	}
	rest, ok := m.parseDate(b)
	if ok && kind != schemas.KindDate {
		ok = len(rest) > 0 && rest[0] == ' '
		if ok {
			rest, ok = m.parseClock(rest[1:])
		}
	}
	if !ok || len(rest) != 0 {
		return schemas.Null, malformed(kind.String(), b)
	}
	return m.value(kind, b), nil
}

func (m *moment) parseDate(b []byte) (rest []byte, ok bool) {
	if len(b) < 10 || b[4] != '-' || b[7] != '-' {
		return nil, false
	}
	century, ok1 := twoDigits(b)
	year, ok2 := twoDigits(b[2:])
	m.year = century*100 + year
	var ok3, ok4 bool
	m.month, ok3 = twoDigits(b[5:])
	m.day, ok4 = twoDigits(b[8:])
	return b[10:], ok1 && ok2 && ok3 && ok4
}

func (m *moment) parseClock(b []byte) (rest []byte, ok bool) {
	if len(b) > 0 && b[0] == '-' {
		m.negative, b = true, b[1:]
	}
	i := 0
	for ; i < len(b) && i < 4 && b[i] != ':'; i++ {
		c := b[i] - '0'
		if c > 9 {
			return nil, false
		}
		m.hour = m.hour*10 + int64(c)
	}
	if i < 2 || len(b) < i+6 || b[i] != ':' || b[i+3] != ':' {
		return nil, false
	}
	var ok1, ok2 bool
	m.minute, ok1 = twoDigits(b[i+1:])
	m.second, ok2 = twoDigits(b[i+4:])
	b = b[i+6:]
	if len(b) > 1 && b[0] == '.' {
		unit := int64(100_000)
		for b = b[1:]; len(b) > 0 && b[0]-'0' <= 9; b = b[1:] {
			m.us += int64(b[0]-'0') * unit
			unit /= 10
		}
	}
	return b, ok1 && ok2
}

func twoDigits(b []byte) (int64, bool) {
	if len(b) < 2 || b[0]-'0' > 9 || b[1]-'0' > 9 {
		return 0, false
	}
	return int64(b[0]-'0')*10 + int64(b[1]-'0'), true
}
