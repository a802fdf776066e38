package mysql

import (
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"shelfstream/schemas"
)

// parseText makes a value of the database's text, so that keys of the target meet keys of the topic. What cannot be read as t stays text.
func parseText(t schemas.Type, b []byte) schemas.Value {
	s := string(b)
	switch t.Kind {
	case schemas.KindBool:
		return schemas.Bool(s != "0")
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
		return schemas.Value{Kind: schemas.KindBytes, Bytes: []byte(s)}
	case schemas.KindDate:
		if d, err := time.Parse("2006-01-02", s); err == nil {
			return schemas.Date(d.Unix() / 86400)
		}
	case schemas.KindTimestamp, schemas.KindTimestampTZ:
		if d, err := time.Parse("2006-01-02 15:04:05.999999", s); err == nil {
			return schemas.Value{Kind: t.Kind, Int: d.UnixMicro()}
		}
	case schemas.KindUUID:
		if len(s) == 16 {
			return schemas.Value{Kind: schemas.KindUUID, Bytes: []byte(s)}
		}
		if b, err := hex.DecodeString(strings.ReplaceAll(s, "-", "")); err == nil && len(b) == 16 {
			return schemas.Value{Kind: schemas.KindUUID, Bytes: b}
		}
	case schemas.KindNull, schemas.KindText, schemas.KindTime, schemas.KindJSON, schemas.KindEnum, schemas.KindArray, schemas.KindRecord:
	}
	return schemas.Text(s)
}
