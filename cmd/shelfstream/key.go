package main

import (
	"fmt"
	"strconv"
	"strings"

	"shelfstream/schemas"
)

// parseKey reads a product's key as people write it: the parts of a composite key have a slash between.
func parseKey(t *schemas.Table, text string) ([]schemas.Value, error) {
	parts := []string{text}
	if len(t.Key) > 1 {
		parts = strings.SplitN(text, "/", len(t.Key))
	}
	names := make([]string, len(t.Key))
	for i, c := range t.Key {
		names[i] = t.Columns[c].Name
	}
	if len(parts) != len(t.Key) {
		return nil, usage(fmt.Sprintf("the key %s has %d parts, and there are %d in %q", strings.Join(names, "/"), len(names), len(parts), text), "write them with a slash between")
	}
	values := make([]schemas.Value, len(parts))
	for i, part := range parts {
		v, err := parseValue(&t.Columns[t.Key[i]].Type, part)
		if err != nil {
			return nil, usage(fmt.Sprintf("%q is no %s", part, names[i]), "write the key as it stands in the source")
		}
		values[i] = v
	}
	return values, nil
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
