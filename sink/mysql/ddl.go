package mysql

import (
	"fmt"
	"strings"
	"sync/atomic"

	"shelfstream/schemas"
	"shelfstream/sink/table"
)

// flavor is which of the two servers it is.
type flavor struct{ maria atomic.Bool }

// exact is the collation that tells all different texts apart, also 'a' and 'a '. utf8mb4_bin would not: it pads with spaces.
func (d *flavor) exact() string {
	if d.maria.Load() {
		return "utf8mb4_nopad_bin"
	}
	return "utf8mb4_0900_bin"
}

// Widths of created text columns whose field has no known length: one that can be indexed, and shorter where a key has several.
const (
	indexable      = 255
	maxText        = 65_535 // bytes of a text
	indexableSmall = 191
	// maxRow is what the varchars of one row may take in bytes, of the 65,535 that MySQL has for all its columns; longer ones become text, which hardly counts.
	maxRow = 60_000
)

// columnType is the type a created column gets. Everything a field of type t can hold fits, but for texts without a known length beyond 65,535 bytes (255
// characters in a key) and numbers beyond MySQL's 65 digits.
func columnType(t schemas.Type, key bool) string {
	switch t.Kind {
	case schemas.KindBool:
		return "tinyint(1)"
	case schemas.KindInt:
		switch t.Bits {
		case 16:
			return "smallint"
		case 32:
			return "int"
		}
		return "bigint"
	case schemas.KindDecimal:
		switch {
		case t.Precision == 0 || t.Precision > 65 || t.Scale > 30:
			return "decimal(65,30)"
		default:
			return fmt.Sprintf("decimal(%d,%d)", t.Precision, t.Scale)
		}
	case schemas.KindFloat:
		if t.Bits == 32 && !key {
			return "float"
		}
		return "double"
	case schemas.KindText, schemas.KindEnum:
		switch {
		case t.Length > 0 && (t.Length <= 255 || !key && t.Length <= 4000):
			return fmt.Sprintf("varchar(%d)", t.Length)
		case key || t.Kind == schemas.KindEnum || len(t.Symbols) > 0:
			return fmt.Sprintf("varchar(%d)", max(indexable, longestSymbol(t)))
		case t.Length > maxText/4:
			return "longtext"
		}
		return "text"
	case schemas.KindBytes:
		if key {
			return "varbinary(255)"
		}
		return "longblob"
	case schemas.KindDate:
		return "date"
	case schemas.KindTime:
		return "time(6)"
	case schemas.KindTimestamp, schemas.KindTimestampTZ:
		return "datetime(6)"
	case schemas.KindUUID:
		return "char(36)"
	case schemas.KindJSON, schemas.KindArray, schemas.KindRecord:
		return "json"
	case schemas.KindNull:
	}
	return "longtext"
}

// isCharacter says whether a column type takes a collation.
func isCharacter(columnType string) bool {
	return strings.HasPrefix(columnType, "varchar") || strings.HasPrefix(columnType, "char") || strings.HasSuffix(columnType, "text")
}

// columnTypes are the types of a created table's columns. They differ from columnType where all together would not fit a row or an index.
func columnTypes(columns []table.NewColumn) []string {
	types, size, keys := make([]string, len(columns)), make([]int, len(columns)), 0
	total := 0
	for i := range columns {
		c := &columns[i]
		types[i] = columnType(c.Type, c.Key)
		var n int
		if _, err := fmt.Sscanf(types[i], "varchar(%d)", &n); err == nil {
			size[i] = 4 * n
			total += size[i]
			if c.Key {
				keys++
			}
		}
	}
	for total > maxRow {
		widest := -1
		for i := range size {
			if !columns[i].Key && (widest < 0 || size[i] > size[widest]) {
				widest = i
			}
		}
		if widest < 0 || size[widest] == 0 {
			break
		}
		total -= size[widest]
		types[widest], size[widest] = "text", 0
	}
	for i := range columns {
		if keys > 2 && columns[i].Key && types[i] == columnType(schemas.Type{Kind: schemas.KindText}, true) {
			types[i] = fmt.Sprintf("varchar(%d)", indexableSmall)
		}
	}
	return types
}

// columnDDL is one column of CREATE TABLE or ADD COLUMN.
func (d *flavor) columnDDL(c *table.NewColumn, t string) string {
	if c.Mark {
		return quoteName(c.Name) + " tinyint(1) NOT NULL DEFAULT 0"
	}
	s := quoteName(c.Name) + " " + t
	if isCharacter(t) {
		s += " CHARACTER SET utf8mb4 COLLATE " + d.exact()
	}
	if c.Key {
		return s + " NOT NULL"
	}
	return s + " NULL"
}

// create is the statement that makes the table.
func (d *flavor) create(n *table.NewTable) string {
	var b strings.Builder
	fmt.Fprintf(&b, "CREATE TABLE IF NOT EXISTS %s (\n", quoteName(n.Name))
	types := columnTypes(n.Columns)
	for i := range n.Columns {
		fmt.Fprintf(&b, "  %s,\n", d.columnDDL(&n.Columns[i], types[i]))
	}
	fmt.Fprintf(&b, "  PRIMARY KEY (%s)\n) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE %s;", quoteNames(n.Key), d.exact())
	return b.String()
}

// add is the statement that adds one column.
func (d *flavor) add(name string, c *table.NewColumn) string {
	return fmt.Sprintf("ALTER TABLE %s ADD COLUMN %s;", quoteName(name), d.columnDDL(c, columnType(c.Type, c.Key)))
}

// keyUnfit finds collations that take different keys for the same.
func (d *flavor) keyUnfit(c *table.ColumnInfo) (what, fix string) {
	if !c.Folds {
		return "", ""
	}
	exact := *c
	exact.Collation = d.exact()
	return fmt.Sprintf("belongs to the key, and its collation %s takes different keys for the same ('A' and 'a', 'å' and 'a')", c.Collation), alter(&exact, c.Type, "")
}

func longestSymbol(t schemas.Type) int {
	n := 0
	for _, s := range t.Symbols {
		n = max(n, len([]rune(s)))
	}
	return n
}
