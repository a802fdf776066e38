//go:build integration

package mysql

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	gomysql "github.com/go-mysql-org/go-mysql/mysql"

	"shelfstream/schemas"
)

// disagrees compares a value with what go-mysql's decoder makes of the same bytes, as far as that goes: it knows no signs, charsets or names, and prints times.
func disagrees(c *column, v schemas.Value, oracle any) string {
	if v.IsNull() || oracle == nil {
		if v.IsNull() != (oracle == nil) {
			return fmt.Sprintf("%v, and %v by go-mysql", v, oracle)
		}
		return ""
	}
	if c.typ == gomysql.MYSQL_TYPE_JSON { // it writes no blanks
		var ours, theirs any
		err := errors.Join(json.Unmarshal(v.Bytes, &ours), json.Unmarshal([]byte(textOf(oracle)), &theirs))
		if err != nil || !reflect.DeepEqual(ours, theirs) {
			return fmt.Sprintf("%v, and %s by go-mysql (%v)", v, oracle, err)
		}
		return ""
	}
	var want string
	switch o := oracle.(type) {
	case int8, int16, int32, int64, int:
		n := reflect.ValueOf(o).Int()
		switch {
		case c.typ == gomysql.MYSQL_TYPE_ENUM:
			if n > 0 && c.members[n-1] != string(v.Bytes) {
				return fmt.Sprintf("%q, and member %d by go-mysql", v, n)
			}
			return ""
		case c.typ == gomysql.MYSQL_TYPE_SET:
			return ""
		case c.typ == gomysql.MYSQL_TYPE_BIT && v.Kind == schemas.KindBool:
			want = strconv.FormatBool(n == 1)
		case c.unsigned || c.typ == gomysql.MYSQL_TYPE_BIT:
			bits := map[byte]int{gomysql.MYSQL_TYPE_TINY: 8, gomysql.MYSQL_TYPE_SHORT: 16, gomysql.MYSQL_TYPE_INT24: 24, gomysql.MYSQL_TYPE_LONG: 32}[c.typ]
			u := uint64(n)
			if bits > 0 {
				u &= 1<<bits - 1
			}
			want = fmt.Sprint(u)
		default:
			want = fmt.Sprint(n)
		}
	case float32:
		want = schemas.Float(float64(o)).String()
	case float64:
		want = schemas.Float(o).String()
	case []byte:
		if v.Kind == schemas.KindText {
			return textDisagrees(c, v, string(o))
		}
		want = "0x" + hex.EncodeToString(o)
	case string:
		switch v.Kind {
		case schemas.KindText:
			return textDisagrees(c, v, o)
		case schemas.KindBytes:
			want = "0x" + hex.EncodeToString([]byte(o))
			if c.typ == gomysql.MYSQL_TYPE_STRING {
				want += strings.Repeat("00", int(c.meta)-len(o))
			}
		case schemas.KindUUID, schemas.KindTimestampTZ: // another order of bytes; the machine's time zone
			return ""
		case schemas.KindDecimal:
			n, err := schemas.ParseDecimal(o)
			if err != nil || schemas.Compare(n, v) != 0 {
				return fmt.Sprintf("%v, and %v by go-mysql", v, o)
			}
			return ""
		default: // it prints no zeros at the end of a second where there is no fraction
			if fraction := strings.LastIndexByte(o, '.'); fraction > 0 {
				o = strings.TrimRight(strings.TrimRight(o, "0"), ".")
			}
			want = o
			if v.Kind == schemas.KindTimestamp && !v.IsSpecial() {
				want = strings.Replace(o, " ", "T", 1)
			}
			if v.IsSpecial() {
				return ""
			}
		}
	default:
		return fmt.Sprintf("%v, and %T by go-mysql", v, oracle)
	}
	if v.String() != want {
		return fmt.Sprintf("%v, and %v by go-mysql", v, want)
	}
	return ""
}

func textOf(oracle any) string {
	if b, ok := oracle.([]byte); ok {
		return string(b)
	}
	return fmt.Sprint(oracle)
}

func textDisagrees(c *column, v schemas.Value, o string) string {
	if c.special == plain && string(v.Bytes) != o && !slices.ContainsFunc([]byte(o), func(b byte) bool { return b >= 0x80 || b == 0 }) && c.collation != 10 {
		return fmt.Sprintf("%q, and %q by go-mysql", v, o)
	}
	return ""
}
