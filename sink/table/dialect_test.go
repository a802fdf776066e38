package table

import (
	"fmt"
	"strings"

	"shelfstream/schemas"
)

// testDialect speaks like MySQL as far as tests without a server need it.
func testDialect() *Dialect {
	quote := func(s string) string { return "`" + s + "`" }
	text := func(dst, b []byte) []byte {
		return append(append(append(dst, '\''), strings.ReplaceAll(string(b), "'", "''")...), '\'')
	}
	return &Dialect{
		Section: "mysql", Quote: quote, Table: quote, Text: text, AsksFirst: true,
		Conflict: func([]string) string { return " ON DUPLICATE KEY UPDATE " },
		New:      func(c string) string { return "VALUES(" + quote(c) + ")" },
		Guard: func(key []*ColumnInfo) string {
			var names []string
			for _, c := range key {
				names = append(names, quote(c.Name))
			}
			return "guard of " + strings.Join(names, " and ")
		},
		Empty: func(c *ColumnInfo) string {
			if c.Class == ClassDate || c.Class == ClassInt {
				return quote(c.Name) + " IS NULL"
			}
			return "COALESCE(LENGTH(" + quote(c.Name) + "), 0) = 0"
		},
		Stored: func(dst []byte, c *ColumnInfo, v []byte) []byte {
			if c.Class == ClassInt {
				return append(dst, v...)
			}
			return text(dst, v)
		},
		ByIndex:    func(string) string { return "" },
		FewAtOnce:  func(int64) int { return 64 },
		ColumnType: func(schemas.Type, bool) string { return "text" },
		Alter:      func(*ColumnInfo, string, string) string { return "ALTER" },
		Add:        func(string, *NewColumn) string { return "ADD" },
		AlterKey:   func(string, []string) string { return "ALTER" },
		Precise:    func(*ColumnInfo) string { return "time" },
		KeyUnfit:   func(*ColumnInfo) (string, string) { return "", "" },
		Writer:     func(c *ColumnInfo, _ WriterOptions) Writer { return testWriter{c, text} },
	}
}

type testWriter struct {
	c    *ColumnInfo
	text func(dst, b []byte) []byte
}

func (w testWriter) Literal(dst []byte, v schemas.Value) ([]byte, *Unfit) {
	switch {
	case v.IsNull():
		return append(dst, null...), nil
	case v.Kind == schemas.KindInt:
		return fmt.Append(dst, v.Int), nil
	case len(v.Bytes) > w.c.Length:
		return dst, &Unfit{What: "is too long", Fix: "shorten it"}
	}
	return w.text(dst, v.Bytes), nil
}
