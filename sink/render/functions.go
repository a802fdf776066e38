package render

import (
	"fmt"
	"strings"
	"text/template"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"shelfstream/schemas"
)

// functions are what templates may call, beside those of text/template. Comparisons are exact over all numbers (eq .total 0 holds for 0.00), and a null equals only null.
//
//	default "x" .v    .v, or x where it is null or an empty text
//	text .v           .v as text: in JSON in quotes, also a number
//	number .v         a text as a number, exactly; not a number: an error
//	json .v           the whole value, list or record as JSON text, whatever the format
//	raw .v            as it is, unescaped
//	add sub mul       exact arithmetic; round 2 .v to two places, a half away from zero, zeros filled in; neg
//	short .v          a number without zeros at the end of its fraction: 4 for 4.000
//	alpha 18 .v       a text of digits only, filled up with zeros in front, as SAP writes its numbers; any other as it is
//	date "02.01.2006" .v   a date or time in Go's layout, in the pipeline's zone
//	days 3 .v         a date, or the day of a time, so many days later
//	upper lower trim, left 20 .v (at most 20 characters), pad 10 .v and padleft 10 "0" .v, replace "a" "b" .v, join ", " .list
//	uuid "name" .v    a UUID that is a function of the two (RFC 9562, version 5)
func functions(zone *time.Location) template.FuncMap {
	return template.FuncMap{
		"default": func(other, v any) any {
			if s, ok := v.(string); v == nil || ok && s == "" {
				return other
			}
			return v
		},
		"text":   plainText,
		"number": number,
		"json": func(v any) (Raw, error) {
			b, err := appendJSON(nil, v)
			return Raw(b), err
		},
		"raw": func(v any) (Raw, error) {
			s, err := plainText(v)
			return Raw(s), err
		},
		"add": arithmetic(schemas.AddDec),
		"sub": arithmetic(schemas.SubDec),
		"mul": arithmetic(schemas.MulDec),
		"neg": func(v any) (any, error) { return arithmetic(schemas.SubDec)(0, v) },
		"round": func(places int, v any) (any, error) {
			n, err := operand(v)
			if err != nil || n.IsNull() {
				return nil, err
			}
			n, err = schemas.Round(n, places, schemas.HalfUp)
			return Decimal(schemas.AppendDecimal(nil, n)), err
		},
		"short": short,
		"alpha": alpha,
		"days":  func(n, v any) (any, error) { return later(zone, n, v) },
		"date":  func(layout string, v any) (string, error) { return date(zone, layout, v) },
		"upper": texts(strings.ToUpper), "lower": texts(strings.ToLower), "trim": texts(strings.TrimSpace),
		"left": func(n int, v any) (string, error) { return texts(func(s string) string { return left(n, s) })(v) },
		"pad":  func(n int, v any) (string, error) { return padded(n, " ", v, false) },
		"padleft": func(n int, with string, v any) (string, error) {
			return padded(n, with, v, true)
		},
		"replace": func(old, by string, v any) (string, error) {
			return texts(func(s string) string { return strings.ReplaceAll(s, old, by) })(v)
		},
		"join": join,
		"uuid": func(name string, v any) (string, error) {
			return texts(func(s string) string { return uuid.NewSHA1(uuid.NameSpaceOID, []byte(name+"\x1f"+s)).String() })(v)
		},
		"eq": func(a any, b ...any) (bool, error) { return equal(a, b) },
		"ne": func(a, b any) (bool, error) { is, err := equal(a, []any{b}); return !is, err },
		"lt": ordered(func(c int) bool { return c < 0 }), "le": ordered(func(c int) bool { return c <= 0 }),
		"gt": ordered(func(c int) bool { return c > 0 }), "ge": ordered(func(c int) bool { return c >= 0 }),
	}
}

func number(v any) (any, error) {
	n, err := operand(v)
	if err != nil || n.IsNull() {
		return nil, err
	}
	return fromValue(n), nil
}

// operand is a number to calculate with; a text that is one counts.
func operand(v any) (schemas.Value, error) {
	switch t := v.(type) {
	case nil:
		return schemas.Null, nil
	case int:
		return schemas.Int(int64(t)), nil
	case int64:
		return schemas.Int(t), nil
	case Decimal:
		return schemas.ParseDecimal(string(t))
	case string:
		return schemas.ParseDecimal(strings.TrimSpace(t))
	case float64:
		text, _ := plainText(t)
		return schemas.ParseDecimal(text)
	}
	return schemas.Null, fmt.Errorf("%v is no number", v)
}

func fromValue(v schemas.Value) any {
	if v.Kind == schemas.KindInt {
		return v.Int
	}
	return Decimal(schemas.AppendDecimal(nil, v))
}

// arithmetic is null where an operand is.
func arithmetic(op func(a, b schemas.Value) (schemas.Value, error)) func(a, b any) (any, error) {
	return func(a, b any) (any, error) {
		x, err := operand(a)
		if err != nil {
			return nil, err
		}
		y, err := operand(b)
		if err != nil || x.IsNull() || y.IsNull() {
			return nil, err
		}
		n, err := op(x, y)
		if err != nil {
			return nil, err
		}
		return fromValue(n), nil
	}
}

func date(zone *time.Location, layout string, v any) (string, error) {
	if v == nil {
		return "", nil
	}
	t, ok := v.(Temporal)
	if !ok {
		return "", fmt.Errorf("%v is no date or time", v)
	}
	at, ok := t.at(zone)
	if !ok {
		return "", fmt.Errorf("%s has no day", t)
	}
	return at.Format(layout), nil
}

// short is a number without the zeros that say nothing.
func short(v any) (any, error) {
	n, err := operand(v)
	if err != nil || n.IsNull() {
		return nil, err
	}
	text := string(schemas.AppendDecimal(nil, n))
	if n.Kind == schemas.KindDecimal && strings.Contains(text, ".") {
		text = strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
	}
	return Decimal(text), nil
}

// alpha is SAP's conversion exit of that name.
func alpha(n int, v any) (string, error) {
	s, err := plainText(v)
	if err != nil || s == "" || strings.Trim(s, "0123456789") != "" {
		return s, err
	}
	return padded(n, "0", s, true)
}

// later is a day after the day of v.
func later(zone *time.Location, by, v any) (any, error) {
	if v == nil {
		return nil, nil //nolint:nilnil // a null is null
	}
	given, err := operand(by)
	if err != nil || given.IsNull() {
		return nil, fmt.Errorf("%v is no number of days", by)
	}
	n, err := schemas.Round(given, 0, schemas.HalfUp)
	if err != nil || !schemas.Equal(n, given) {
		return nil, fmt.Errorf("%v is no number of days", by)
	}
	t, ok := v.(Temporal)
	if !ok {
		return nil, fmt.Errorf("%v is no date or time", v)
	}
	at, ok := t.at(zone)
	if !ok {
		return nil, fmt.Errorf("%s has no day", t)
	}
	day := schemas.DaysFromCivil(int64(at.Year()), int(at.Month()), at.Day())
	return Temporal{schemas.Date(day + n.Coefficient().Int64())}, nil
}

func texts(change func(string) string) func(v any) (string, error) {
	return func(v any) (string, error) {
		s, err := plainText(v)
		return change(s), err
	}
}

// left is the first n characters.
func left(n int, s string) string {
	for i := range s {
		if n--; n < 0 {
			return s[:i]
		}
	}
	return s
}

func padded(n int, with string, v any, before bool) (string, error) {
	if with == "" {
		return "", fmt.Errorf("a text cannot be filled with nothing")
	}
	s, err := plainText(v)
	fill := strings.Repeat(with, max(0, n-utf8.RuneCountInString(s)))
	fill = left(max(0, n-utf8.RuneCountInString(s)), fill)
	if before {
		return fill + s, err
	}
	return s + fill, err
}

func join(separator string, v any) (string, error) {
	list, ok := v.([]any)
	if !ok && v != nil {
		return "", fmt.Errorf("%v is no list", v)
	}
	parts := make([]string, len(list))
	for i := range list {
		var err error
		if parts[i], err = plainText(list[i]); err != nil {
			return "", err
		}
	}
	return strings.Join(parts, separator), nil
}

func equal(a any, others []any) (bool, error) {
	x, ok := value(a)
	for _, o := range others {
		y, fits := value(o)
		if !ok || !fits {
			return false, fmt.Errorf("lists cannot be compared")
		}
		if schemas.Equal(x, y) {
			return true, nil
		}
	}
	return false, nil
}

// ordered holds for no null.
func ordered(holds func(int) bool) func(a, b any) (bool, error) {
	return func(a, b any) (bool, error) {
		x, ok := value(a)
		y, fits := value(b)
		if !ok || !fits {
			return false, fmt.Errorf("lists cannot be compared")
		}
		if x.IsNull() || y.IsNull() {
			return false, nil
		}
		if x.IsNumber() != y.IsNumber() {
			return false, fmt.Errorf("%v and %v cannot be ordered: only one is a number", a, b)
		}
		return holds(schemas.Compare(x, y)), nil
	}
}
