package rules

import (
	"encoding/hex"
	"strconv"
	"strings"
	"testing"
	"time"

	"shelfstream/schemas"
)

// parseColumn reads "name type [key]", where the name may have spaces.
func parseColumn(t testing.TB, s string) (schemas.Column, bool) {
	t.Helper()
	s, key := strings.CutSuffix(s, " key")
	i := strings.LastIndexByte(s, ' ')
	if i < 0 {
		t.Fatalf("column %q has no type", s)
	}
	return schemas.Column{Name: strings.TrimSpace(s[:i]), Type: parseType(t, s[i+1:]), Nullable: !key}, key
}

func parseType(t testing.TB, s string) schemas.Type {
	t.Helper()
	name, args, _ := strings.Cut(strings.TrimSuffix(s, ")"), "(")
	number := func(s string) int {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatalf("type %q: %v", s, err)
		}
		return n
	}
	switch name {
	case "int":
		return intType
	case "int16", "int32":
		return schemas.Type{Kind: schemas.KindInt, Bits: uint8(number(name[3:]))}
	case "decimal":
		if args == "" {
			return anyDecimal
		}
		p, scale, _ := strings.Cut(args, ",")
		return schemas.Type{Kind: schemas.KindDecimal, Precision: int16(number(p)), Scale: int16(number(scale))}
	case "text":
		typ := textType
		if args != "" {
			typ.Length = int32(number(args))
		}
		return typ
	case "enum":
		return schemas.Type{Kind: schemas.KindEnum, Symbols: strings.Split(args, "/")}
	case "array":
		elem := parseType(t, args)
		return schemas.Type{Kind: schemas.KindArray, Elem: &elem}
	case "float":
		return schemas.Type{Kind: schemas.KindFloat, Bits: 64}
	}
	kinds := map[string]schemas.Kind{
		"bool": schemas.KindBool, "date": schemas.KindDate, "time": schemas.KindTime, "timestamp": schemas.KindTimestamp,
		"timestamptz": schemas.KindTimestampTZ, "uuid": schemas.KindUUID, "json": schemas.KindJSON, "bytes": schemas.KindBytes,
	}
	k, ok := kinds[name]
	if !ok {
		t.Fatalf("unknown type %q", s)
	}
	return schemas.Type{Kind: k}
}

// parseCell reads a value as a case writes it: null, ” for an empty text, _ for a space, \\_ for an underscore, \\n, \\t, \\u00a0.
func parseCell(t testing.TB, typ schemas.Type, s string) schemas.Value {
	t.Helper()
	if s == "null" {
		return schemas.Null
	}
	fail := func(err error) {
		if err != nil {
			t.Fatalf("%q is no %s: %v", s, typeName(typ), err)
		}
	}
	switch typ.Kind {
	case schemas.KindInt:
		n, err := strconv.ParseInt(s, 10, 64)
		fail(err)
		return schemas.Int(n)
	case schemas.KindDecimal:
		v, err := schemas.ParseDecimal(s)
		fail(err)
		if typ.Precision > 0 {
			v, err = schemas.Round(v, int(typ.Scale), schemas.HalfUp)
			fail(err)
		}
		return v
	case schemas.KindBool:
		return schemas.Bool(s == "true")
	case schemas.KindFloat:
		f, err := strconv.ParseFloat(s, 64)
		fail(err)
		return schemas.Float(f)
	case schemas.KindDate:
		switch s {
		case "infinity":
			return dateOf(1<<31 - 1)
		case "-infinity":
			return dateOf(-1 << 31)
		}
		day, ok := parseDate(s)
		if !ok {
			t.Fatalf("%q is no date", s)
		}
		return dateOf(day)
	case schemas.KindTimestamp, schemas.KindTimestampTZ:
		if strings.HasSuffix(s, "infinity") {
			n := int64(1<<63 - 1)
			if s[0] == '-' {
				n = -1 << 63
			}
			return schemas.Value{Kind: typ.Kind, Int: n}
		}
		v, ok := literalWords[map[bool]string{true: "timestamptz", false: "timestamp"}[typ.Kind == schemas.KindTimestampTZ]](s)
		if !ok {
			t.Fatalf("%q is no timestamp", s)
		}
		return v
	case schemas.KindTime:
		at, err := time.Parse("15:04:05", s)
		fail(err)
		return schemas.Value{Kind: schemas.KindTime, Int: int64(at.Hour()*3600+at.Minute()*60+at.Second()) * 1_000_000}
	case schemas.KindUUID:
		b, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
		fail(err)
		return schemas.Value{Kind: schemas.KindUUID, Bytes: b}
	case schemas.KindArray:
		v := schemas.Value{Kind: schemas.KindArray}
		for part := range strings.FieldsSeq(s) {
			v.List = append(v.List, parseCell(t, *typ.Elem, part))
		}
		return v
	}
	if s == "''" {
		s = ""
	}
	return schemas.Value{Kind: typ.Kind, Bytes: []byte(unescaped(t, s))}
}

// unescaped reads _ and the escapes of a cell.
func unescaped(t testing.TB, s string) string {
	t.Helper()
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '_':
			b.WriteByte(' ')
		case s[i] != '\\' || i+1 == len(s):
			b.WriteByte(s[i])
		case s[i+1] == 'u' && i+5 < len(s):
			n, err := strconv.ParseUint(s[i+2:i+6], 16, 32)
			if err != nil {
				t.Fatalf("%q: %v", s, err)
			}
			b.WriteRune(rune(n))
			i += 5
		default:
			i++
			switch s[i] {
			case 'n':
				b.WriteByte('\n')
			case 't':
				b.WriteByte('\t')
			default:
				b.WriteByte(s[i])
			}
		}
	}
	return b.String()
}
