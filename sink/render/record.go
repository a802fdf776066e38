package render

import (
	"encoding/base64"
	"maps"
	"time"

	"shelfstream/schemas"
)

// Record is a row as templates see it. A null is nil, a whole number an int64, a decimal a Decimal, a text a string, a list a []any, a record in it a
// map[string]any, a date or time a Temporal, JSON a JSON.
type Record map[string]any

// Decimal is an exact number, as text with all its digits.
type Decimal string

// JSON is a text that is JSON.
type JSON string

// Raw is a text that is written as it is, whatever the format.
type Raw string

// Temporal is a date, a time or both.
type Temporal struct{ Value schemas.Value }

// String is ISO 8601.
func (t Temporal) String() string { return t.Value.String() }

// NewRecord makes a record of a row in the table's shape, and of extra names. It keeps nothing of row.
func NewRecord(t *schemas.Table, row []schemas.Value, extra map[string]any) Record {
	r := make(Record, len(row)+len(extra))
	for i := range row {
		r[t.Columns[i].Name] = plain(&t.Columns[i].Type, &row[i])
	}
	maps.Copy(r, extra)
	return r
}

// KeyRecord is NewRecord of a key alone, as a tombstone has it.
func KeyRecord(t *schemas.Table, key []schemas.Value, extra map[string]any) Record {
	row := make([]schemas.Value, len(t.Columns))
	for i, k := range t.Key {
		row[k] = key[i]
	}
	return NewRecord(t, row, extra)
}

func plain(t *schemas.Type, v *schemas.Value) any {
	switch v.Kind {
	case schemas.KindNull:
		return nil
	case schemas.KindBool:
		return v.Int != 0
	case schemas.KindInt:
		return v.Int
	case schemas.KindDecimal:
		return Decimal(schemas.AppendDecimal(nil, *v))
	case schemas.KindFloat:
		return v.Float64()
	case schemas.KindText, schemas.KindEnum:
		return string(v.Bytes)
	case schemas.KindUUID:
		return v.String()
	case schemas.KindBytes:
		return base64.StdEncoding.EncodeToString(v.Bytes)
	case schemas.KindJSON:
		return JSON(v.Bytes)
	case schemas.KindDate, schemas.KindTime, schemas.KindTimestamp, schemas.KindTimestampTZ:
		return Temporal{*v}
	case schemas.KindArray:
		list := make([]any, len(v.List))
		for i := range v.List {
			list[i] = plain(t.Elem, &v.List[i])
		}
		return list
	case schemas.KindRecord:
		m := make(map[string]any, len(v.List))
		for i := range v.List {
			m[t.Fields[i].Name] = plain(&t.Fields[i].Type, &v.List[i])
		}
		return m
	}
	return nil
}

// value is what a template's value is to exact arithmetic and comparison; false for lists and records.
func value(v any) (schemas.Value, bool) {
	switch v := v.(type) {
	case nil:
		return schemas.Null, true
	case bool:
		return schemas.Bool(v), true
	case int:
		return schemas.Int(int64(v)), true
	case int64:
		return schemas.Int(v), true
	case float64:
		// 0.1 in a template means a tenth, and not the nearest number that a computer has.
		if d, err := operand(v); err == nil {
			return d, true
		}
		return schemas.Float(v), true
	case Decimal:
		d, err := schemas.ParseDecimal(string(v))
		return d, err == nil
	case string:
		return schemas.Text(v), true
	case JSON:
		return schemas.Text(string(v)), true
	case Raw:
		return schemas.Text(string(v)), true
	case Temporal:
		return v.Value, true
	}
	return schemas.Null, false
}

// at is the moment of a timestamp or date in UTC as time.Time has it; infinities have none.
func (t Temporal) at(zone *time.Location) (time.Time, bool) {
	v := t.Value
	switch v.Kind {
	case schemas.KindDate:
		if v.Int == schemas.DateInfinity || v.Int == schemas.DateNegInfinity {
			return time.Time{}, false
		}
		y, m, d := schemas.CivilFromDays(v.Int)
		return time.Date(int(y), time.Month(m), d, 0, 0, 0, 0, time.UTC), true
	case schemas.KindTime:
		return time.UnixMicro(v.Int).UTC(), true
	case schemas.KindTimestamp, schemas.KindTimestampTZ:
		if v.Int == schemas.TimestampInfinity || v.Int == schemas.TimestampNegInfinity {
			return time.Time{}, false
		}
		at := time.UnixMicro(v.Int).UTC()
		if v.Kind == schemas.KindTimestampTZ {
			at = at.In(zone)
		}
		return at, true
	default:
		return time.Time{}, false
	}
}
