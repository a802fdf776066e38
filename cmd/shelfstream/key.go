package main

import (
	"fmt"
	"strconv"
	"strings"

	"shelfstream/internal/fault"
	"shelfstream/schemas"
	"shelfstream/transform"
)

// parseKey reads a product's key as people write it, see transform.SplitKey.
func parseKey(t *schemas.Table, text string) ([]schemas.Value, *fault.Fault) {
	parts, ok := transform.SplitKey(text, len(t.Key))
	if !ok {
		return nil, usage(fmt.Sprintf("a key has %d parts, and there are %d in %q", len(t.Key), len(parts), text), "a key is "+keyWords(t))
	}
	values := make([]schemas.Value, len(parts))
	for i, part := range parts {
		c := &t.Columns[t.Key[i]]
		v, err := parseValue(&c.Type, part)
		if err != nil {
			return nil, usage(fmt.Sprintf("%s is %s, and %q is none", c.Name, typeWords(&c.Type), part), "a key is "+keyWords(t))
		}
		values[i] = v
	}
	return values, nil
}

// keyWords says how the keys of a table look: "no (a whole number) and lang (a text) with a slash between".
func keyWords(t *schemas.Table) string {
	parts := make([]string, len(t.Key))
	for i, c := range t.Key {
		parts[i] = fmt.Sprintf("%s (%s)", t.Columns[c].Name, typeWords(&t.Columns[c].Type))
	}
	if len(parts) > 1 {
		return strings.Join(parts, " and ") + ", with a slash between"
	}
	return parts[0]
}

// typeWords names a type of keys for people.
func typeWords(t *schemas.Type) string {
	switch t.Kind {
	case schemas.KindInt:
		return "a whole number"
	case schemas.KindDecimal:
		return "a decimal number"
	case schemas.KindBool:
		return "true or false"
	case schemas.KindDate:
		return "a date"
	case schemas.KindTimestamp, schemas.KindTimestampTZ:
		return "a date and time"
	case schemas.KindUUID:
		return "a uuid"
	default: // whatever else may be a key is written as text
		return "a text"
	}
}

func parseValue(t *schemas.Type, text string) (schemas.Value, error) {
	switch t.Kind {
	case schemas.KindInt:
		n, err := strconv.ParseInt(text, 10, 64)
		return schemas.Int(n), err
	case schemas.KindDecimal:
		return schemas.ParseDecimal(text)
	case schemas.KindBool:
		b, err := strconv.ParseBool(text)
		return schemas.Bool(b), err
	default: // a target compares the others by their text
		return schemas.Text(text), nil
	}
}
