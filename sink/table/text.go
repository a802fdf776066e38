package table

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"

	"shelfstream/schemas"
)

// validText makes any bytes storable as UTF-8; no database has a form for NUL in all of its texts.
func validText(s string) []byte {
	return bytes.ToValidUTF8([]byte(strings.ReplaceAll(s, "\x00", "\uFFFD")), []byte("\uFFFD"))
}

// plainText escapes what is not ASCII in a valid text: Ł is \u0141.
func plainText(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for _, r := range string(b) {
		if r < utf8.RuneSelf {
			out = append(out, byte(r))
		} else {
			q := strconv.QuoteRuneToASCII(r)
			out = append(out, q[1:len(q)-1]...)
		}
	}
	return out
}

// parse makes a value of the database's text of a column.
func (p *tablePlan) parse(column int, text []byte) schemas.Value {
	if text == nil {
		return schemas.Null
	}
	return p.d.Parse(p.columns[column].typ, text)
}
