package postgres

import (
	"bytes"
	"errors"

	"shelfstream/schemas"
)

// copyLine reads a line of COPY's text format into row: values separated by tabs, \N for null, and a backslash before or in the place
// of what would end a value or the line. It unescapes in place.
func (a *arena) copyLine(sh *shape, line []byte, row []schemas.Value) (column int, err error) {
	a.reset()
	if n := len(line); n > 0 && line[n-1] == '\n' {
		line = line[:n-1]
	}
	plain := bytes.IndexByte(line, '\\') < 0
	last := len(sh.types) - 1
	for i := range sh.types {
		field := line
		if i < last {
			end := bytes.IndexByte(line, '\t')
			if end < 0 {
				return i, errColumns
			}
			field, line = line[:end], line[end+1:]
		}
		if !plain {
			if len(field) == 2 && field[0] == '\\' && field[1] == 'N' {
				row[i] = schemas.Null
				continue
			}
			field = unescape(field)
		}
		if row[i], err = a.decode(&sh.types[i], field); err != nil {
			return i, err
		}
	}
	if bytes.IndexByte(line, '\t') >= 0 {
		return last, errColumns
	}
	return 0, nil
}

var errColumns = errors.New("the line has another number of columns than were asked for")

// unescape undoes COPY's escaping in place.
func unescape(b []byte) []byte {
	i := bytes.IndexByte(b, '\\')
	if i < 0 {
		return b
	}
	out := b[:i]
	for ; i < len(b); i++ {
		c := b[i]
		if c == '\\' && i+1 < len(b) {
			i++
			switch c = b[i]; c {
			case 'b':
				c = '\b'
			case 'f':
				c = '\f'
			case 'n':
				c = '\n'
			case 'r':
				c = '\r'
			case 't':
				c = '\t'
			case 'v':
				c = '\v'
			}
		}
		out = append(out, c)
	}
	return out
}
