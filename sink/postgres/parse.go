package postgres

import (
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"shelfstream/schemas"
)

// parse makes a value of the server's text, so that keys of the target meet keys of the topic. What cannot be read as t stays text.
func parse(t schemas.Type, b []byte) schemas.Value {
	s := string(b)
	switch t.Kind {
	case schemas.KindBool:
		return schemas.Bool(s == "t" || s == "true" || s == "1")
	case schemas.KindInt:
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return schemas.Int(n)
		}
	case schemas.KindDecimal:
		if v, err := schemas.ParseDecimal(s); err == nil {
			return v
		}
	case schemas.KindFloat:
		if f, err := strconv.ParseFloat(s, 64); err == nil {
			return schemas.Float(f)
		}
	case schemas.KindBytes:
		return schemas.Value{Kind: schemas.KindBytes, Bytes: parseBytes(b)}
	case schemas.KindDate:
		switch s {
		case "infinity":
			return schemas.Date(schemas.DateInfinity)
		case "-infinity":
			return schemas.Date(schemas.DateNegInfinity)
		}
		if days, ok := parseDay(s); ok {
			return schemas.Date(days)
		}
	case schemas.KindTimestamp, schemas.KindTimestampTZ:
		if n, ok := parseTimestamp(s); ok {
			return schemas.Value{Kind: t.Kind, Int: n}
		}
	case schemas.KindTime:
		if d, err := time.Parse("15:04:05.999999", s); err == nil {
			return schemas.Value{Kind: schemas.KindTime, Int: int64(d.Hour()*3600+d.Minute()*60+d.Second())*microsPerSecond + int64(d.Nanosecond()/1000)}
		}
	case schemas.KindUUID:
		if b, err := hex.DecodeString(strings.ReplaceAll(s, "-", "")); err == nil && len(b) == 16 {
			return schemas.Value{Kind: schemas.KindUUID, Bytes: b}
		}
	case schemas.KindJSON:
		return schemas.Value{Kind: schemas.KindJSON, Bytes: []byte(s)}
	case schemas.KindNull, schemas.KindText, schemas.KindEnum, schemas.KindArray, schemas.KindRecord:
	}
	return schemas.Text(s)
}

// parseDay reads "2024-02-29", "10000-01-01", "0044-03-15 BC".
func parseDay(s string) (int64, bool) {
	s, bc := strings.CutSuffix(s, " BC")
	parts := strings.Split(s, "-")
	if len(parts) != 3 {
		return 0, false
	}
	var n [3]int
	for i := range parts {
		var err error
		if n[i], err = strconv.Atoi(parts[i]); err != nil {
			return 0, false
		}
	}
	if bc {
		n[0] = 1 - n[0]
	}
	return schemas.DaysFromCivil(int64(n[0]), n[1], n[2]), true
}

// parseTimestamp reads "2024-02-29 12:00:00.5", with "+00" where it has a zone; the session's is UTC.
func parseTimestamp(s string) (int64, bool) {
	switch s {
	case "infinity":
		return schemas.TimestampInfinity, true
	case "-infinity":
		return schemas.TimestampNegInfinity, true
	}
	s, bc := strings.CutSuffix(s, " BC")
	day, clock, ok := strings.Cut(strings.TrimSuffix(s, "+00"), " ")
	if bc {
		day += " BC"
	}
	days, dok := parseDay(day)
	c, err := time.Parse("15:04:05.999999", clock)
	if !ok || !dok || err != nil {
		return 0, false
	}
	return days*microsPerDay + int64(c.Hour()*3600+c.Minute()*60+c.Second())*microsPerSecond + int64(c.Nanosecond()/1000), true
}
