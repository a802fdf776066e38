package table

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math"
	"unicode/utf8"

	"shelfstream/schemas"
)

// AppendJSON appends a list or record as JSON: exact numbers as numbers, bytes as base64, everything else without a form of its own in JSON
// as its canonical text. Where a list has no table of its own, this is what its column holds.
func AppendJSON(dst []byte, t *schemas.Type, v schemas.Value) []byte {
	switch v.Kind {
	case schemas.KindNull:
		return append(dst, "null"...)
	case schemas.KindBool, schemas.KindInt, schemas.KindDecimal:
		if !v.IsSpecial() {
			return schemas.AppendCanonical(dst, v)
		}
	case schemas.KindFloat:
		if f := v.Float64(); !math.IsNaN(f) && !math.IsInf(f, 0) {
			return schemas.AppendCanonical(dst, v)
		}
	case schemas.KindJSON:
		return append(dst, v.Bytes...)
	case schemas.KindBytes:
		dst = append(dst, '"')
		dst = base64.StdEncoding.AppendEncode(dst, v.Bytes)
		return append(dst, '"')
	case schemas.KindArray:
		dst = append(dst, '[')
		for i := range v.List {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = AppendJSON(dst, t.Elem, v.List[i])
		}
		return append(dst, ']')
	case schemas.KindRecord:
		dst = append(dst, '{')
		for i := range v.List {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendJSONString(dst, []byte(t.Fields[i].Name))
			dst = append(dst, ':')
			dst = AppendJSON(dst, &t.Fields[i].Type, v.List[i])
		}
		return append(dst, '}')
	case schemas.KindText, schemas.KindEnum, schemas.KindDate, schemas.KindTime, schemas.KindTimestamp, schemas.KindTimestampTZ, schemas.KindUUID:
	}
	return appendJSONString(dst, schemas.AppendCanonical(nil, v))
}

func appendJSONString(dst, s []byte) []byte {
	plain := utf8.Valid(s)
	for _, c := range s {
		plain = plain && c >= ' ' && c != '"' && c != '\\'
	}
	if plain {
		dst = append(dst, '"')
		dst = append(dst, s...)
		return append(dst, '"')
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(string(s)) != nil {
		return append(dst, `""`...) // a string always encodes
	}
	return append(dst, bytes.TrimRight(b.Bytes(), "\n")...)
}
