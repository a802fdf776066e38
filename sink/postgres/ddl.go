package postgres

import (
	"fmt"
	"strings"

	"shelfstream/schemas"
	"shelfstream/sink/table"
)

// columnType is the type a created column gets: everything a field of type t can hold fits.
func columnType(t schemas.Type, _ bool) string {
	switch t.Kind {
	case schemas.KindBool:
		return "boolean"
	case schemas.KindInt:
		switch t.Bits {
		case 16:
			return "smallint"
		case 32:
			return "integer"
		}
		return "bigint"
	case schemas.KindDecimal:
		if t.Precision == 0 || t.Precision > 1000 {
			return "numeric"
		}
		return fmt.Sprintf("numeric(%d,%d)", t.Precision, t.Scale)
	case schemas.KindFloat:
		if t.Bits == 32 {
			return "real"
		}
		return "double precision"
	case schemas.KindText:
		if t.Length > 0 && t.Length <= 4000 {
			return fmt.Sprintf("varchar(%d)", t.Length)
		}
	case schemas.KindBytes:
		return "bytea"
	case schemas.KindDate:
		return "date"
	case schemas.KindTime:
		return "time"
	case schemas.KindTimestamp:
		return "timestamp"
	case schemas.KindTimestampTZ:
		return "timestamptz"
	case schemas.KindUUID:
		return "uuid"
	case schemas.KindJSON, schemas.KindArray, schemas.KindRecord:
		return "jsonb"
	case schemas.KindEnum, schemas.KindNull:
	}
	return "text"
}

// columnDDL is one column of CREATE TABLE or ADD COLUMN.
func columnDDL(c *table.NewColumn) string {
	switch {
	case c.Mark:
		return quote(c.Name) + " smallint NOT NULL DEFAULT 0"
	case c.Key:
		return quote(c.Name) + " " + columnType(c.Type, true) + " NOT NULL"
	}
	return quote(c.Name) + " " + columnType(c.Type, false)
}

func create(t *table.NewTable) string {
	var b strings.Builder
	b.WriteString("CREATE TABLE IF NOT EXISTS " + quoteTable(t.Name) + " (\n")
	for i := range t.Columns {
		b.WriteString("  " + columnDDL(&t.Columns[i]) + ",\n")
	}
	b.WriteString("  PRIMARY KEY (" + quoteNames(t.Key) + ")\n);")
	return b.String()
}

func add(name string, c *table.NewColumn) string {
	return "ALTER TABLE " + quoteTable(name) + " ADD COLUMN " + columnDDL(c) + ";"
}

// alter gives a column another type or nullness.
func alter(c *table.ColumnInfo, columnType, nullness string) string {
	head := "ALTER TABLE " + quoteTable(c.Table) + " ALTER COLUMN " + quote(c.Name)
	switch nullness {
	case "NULL":
		return head + " DROP NOT NULL;"
	case "NOT NULL":
		return head + " SET NOT NULL;"
	}
	return fmt.Sprintf("%s TYPE %s USING %s::%[2]s;", head, columnType, quote(c.Name))
}

func alterKey(name string, key []string) string {
	return fmt.Sprintf("ALTER TABLE %s ADD CONSTRAINT %s UNIQUE (%s);", quoteTable(name), quote(strings.ReplaceAll(name, ".", "_")+"_shelfstream_key"), quoteNames(key))
}

// precise is the type with all digits of the second.
func precise(c *table.ColumnInfo) string {
	switch {
	case c.Class == table.ClassTime:
		return "time"
	case c.Zone:
		return "timestamptz"
	}
	return "timestamp"
}

// keyUnfit finds key columns that take different keys for the same: char(n), whose blanks at the end mean nothing, and collations that fold.
func keyUnfit(c *table.ColumnInfo) (what, fix string) {
	switch {
	case c.Padded:
		return fmt.Sprintf("belongs to the key, and %s takes different keys for the same ('a' and 'a ')", c.Type), alter(c, fmt.Sprintf("varchar(%d)", max(c.Length, 1)), "")
	case c.Folds:
		return "belongs to the key, and its type or collation takes different keys for the same ('A' and 'a')", alter(c, `text COLLATE "C"`, "")
	}
	return "", ""
}
