package table

import (
	"bytes"
	"strings"

	"shelfstream/schemas"
)

// validText makes any bytes storable as UTF-8; no database has a form for NUL in all of its texts.
func validText(s string) []byte {
	return bytes.ToValidUTF8([]byte(strings.ReplaceAll(s, "\x00", "\uFFFD")), []byte("\uFFFD"))
}

// parse makes a value of the database's text of a column.
func (p *tablePlan) parse(column int, text []byte) schemas.Value {
	if text == nil {
		return schemas.Null
	}
	return p.d.Parse(p.columns[column].typ, text)
}
