package postgres

import (
	"bytes"
	"fmt"

	"shelfstream/schemas"
)

// Arrays as array_out prints them: {1,2,NULL,"a b"}, {{1,2},{3,4}}, and [0:1]={1,2} where the first index is not 1. The bounds are not
// kept. Quotes stand round elements that need them; inside, a backslash stands before a quote or a backslash.

// decodeArray reads an array of t.dims dimensions. PostgreSQL lets a column hold arrays of other dimensions than it was declared
// with; the published type cannot, so that is an error, except for the empty array, which has none.
func (a *arena) decodeArray(t *pgType, b []byte) (schemas.Value, error) {
	if len(b) > 0 && b[0] == '[' {
		if eq := bytes.IndexByte(b, '='); eq > 0 {
			b = b[eq+1:]
		}
	}
	if string(b) == "{}" {
		return schemas.Value{Kind: schemas.KindArray, List: []schemas.Value{}}, nil
	}
	v, rest, err := a.arrayLevel(t, b, t.dims)
	if err != nil {
		return schemas.Null, err
	}
	if len(rest) != 0 {
		return schemas.Null, malformed("array", b)
	}
	return v, nil
}

// arrayLevel reads one brace level with depth levels left, itself included, and gives what follows it.
func (a *arena) arrayLevel(t *pgType, b []byte, depth int) (schemas.Value, []byte, error) {
	if len(b) < 2 || b[0] != '{' {
		return schemas.Null, nil, dimensions(t, "fewer")
	}
	n, ok := countElements(b, t.delim)
	if !ok {
		return schemas.Null, nil, malformed("array", b)
	}
	if n == 0 {
		return schemas.Null, nil, malformed("array", b)
	}
	list := a.list(n)
	b = b[1:]
	for i := range list {
		var err error
		if depth > 1 {
			list[i], b, err = a.arrayLevel(t, b, depth-1)
		} else {
			list[i], b, err = a.arrayElement(t, b)
		}
		if err != nil {
			return schemas.Null, nil, err
		}
		if len(b) == 0 || (i+1 < n && b[0] != t.delim) || (i+1 == n && b[0] != '}') {
			return schemas.Null, nil, malformed("array", b)
		}
		b = b[1:]
	}
	return schemas.Value{Kind: schemas.KindArray, List: list}, b, nil
}

// arrayElement reads one element and gives what follows it.
func (a *arena) arrayElement(t *pgType, b []byte) (schemas.Value, []byte, error) {
	if len(b) == 0 {
		return schemas.Null, nil, malformed("array", b)
	}
	if b[0] == '{' {
		return schemas.Null, nil, dimensions(t, "more")
	}
	if b[0] != '"' {
		end := 0
		for end < len(b) && b[end] != t.delim && b[end] != '}' {
			end++
		}
		if string(b[:end]) == "NULL" { // a text NULL is quoted
			return schemas.Null, b[end:], nil
		}
		v, err := a.decode(t.elem, b[:end])
		return v, b[end:], err
	}
	end, escapes := 1, 0
	for end < len(b) && b[end] != '"' {
		if b[end] == '\\' {
			escapes++
			end++
		}
		end++
	}
	if end >= len(b) {
		return schemas.Null, nil, malformed("array", b)
	}
	text := b[1:end]
	if escapes > 0 {
		plain := a.grab(len(text) - escapes)[:0]
		for i := 0; i < len(text); i++ {
			if text[i] == '\\' && i+1 < len(text) {
				i++
			}
			plain = append(plain, text[i])
		}
		text = plain
	}
	v, err := a.decode(t.elem, text)
	return v, b[end+1:], err
}

// countElements counts the elements of the level that b begins with.
func countElements(b []byte, delim byte) (int, bool) {
	if len(b) > 1 && b[1] == '}' {
		return 0, true
	}
	n, depth := 1, 0
	for i := 0; i < len(b); i++ {
		switch c := b[i]; c {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return n, true
			}
		case '"':
			for i++; i < len(b) && b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
			}
		default:
			if c == delim && depth == 1 {
				n++
			}
		}
	}
	return 0, false
}

func dimensions(t *pgType, which string) error {
	return fmt.Errorf("the array has %s dimensions than the %d its column is declared with", which, t.dims)
}
