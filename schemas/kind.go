package schemas

import "strconv"

// String names the kind as error messages and the JSON schema do: "bool", "int", "decimal", "timestamptz".
func (k Kind) String() string {
	switch k {
	case KindNull:
		return "null"
	case KindBool:
		return "bool"
	case KindInt:
		return "int"
	case KindDecimal:
		return "decimal"
	case KindFloat:
		return "float"
	case KindText:
		return "text"
	case KindBytes:
		return "bytes"
	case KindDate:
		return "date"
	case KindTime:
		return "time"
	case KindTimestamp:
		return "timestamp"
	case KindTimestampTZ:
		return "timestamptz"
	case KindUUID:
		return "uuid"
	case KindJSON:
		return "json"
	case KindEnum:
		return "enum"
	case KindArray:
		return "list"
	case KindRecord:
		return "record"
	}
	return "kind " + strconv.Itoa(int(k))
}

// String gives the type as people write it: "decimal(12,2)", "text(40)", "int32", "list of date".
func (t Type) String() string {
	switch t.Kind {
	case KindInt, KindFloat:
		return t.Kind.String() + strconv.Itoa(int(t.Bits))
	case KindDecimal:
		if t.Precision == 0 {
			return "decimal"
		}
		return "decimal(" + strconv.Itoa(int(t.Precision)) + "," + strconv.Itoa(int(t.Scale)) + ")"
	case KindText:
		if t.Length > 0 {
			return "text(" + strconv.Itoa(int(t.Length)) + ")"
		}
	case KindArray:
		if t.Elem != nil {
			return "list of " + t.Elem.String()
		}
	case KindNull, KindBool, KindBytes, KindDate, KindTime, KindTimestamp, KindTimestampTZ, KindUUID, KindJSON, KindEnum, KindRecord:
	}
	return t.Kind.String()
}
