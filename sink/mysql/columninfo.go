package mysql

import (
	"fmt"
	"math"
	"strings"

	"shelfstream/sink/table"
)

var intBits = map[string]int{"tinyint": 8, "smallint": 16, "mediumint": 24, "int": 32, "bigint": 64}

// classify fills what follows from the data type.
func classify(c *table.ColumnInfo) {
	switch c.DataType {
	case "tinyint", "smallint", "mediumint", "int", "bigint":
		c.Class = table.ClassInt
		bits := intBits[c.DataType]
		if c.Unsigned {
			c.Max = math.MaxUint64 >> (64 - bits)
		} else {
			c.Min, c.Max = -1<<(bits-1), 1<<(bits-1)-1
		}
		c.Scale = 0
		c.Precision = len(fmt.Sprint(c.Max))
	case "year", "bit":
		c.Class = table.ClassOther
	case "decimal", "numeric":
		c.Class = table.ClassDecimal
	case "float", "double", "real":
		c.Class = table.ClassFloat
	case "char", "varchar":
		c.Class = table.ClassText
		c.Octets = 0
	case "tinytext", "text", "mediumtext", "longtext":
		// The length of these types is one of bytes, though information_schema shows it under characters too.
		c.Class, c.Length = table.ClassText, 0
	case "json":
		c.Class, c.Length, c.Octets = table.ClassJSON, 0, 0
	case "binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob":
		c.Class, c.Length = table.ClassBytes, 0
	case "date":
		c.Class = table.ClassDate
	case "datetime", "timestamp":
		c.Class = table.ClassDatetime
	case "time":
		c.Class = table.ClassTime
	case "uuid":
		c.Class = table.ClassUUID
	default:
		c.Class = table.ClassOther
	}
	c.Single = c.DataType == "float"
	c.Folds, c.Padded = foldsText(c), !exactText(c)
	c.Narrow = narrowSets[strings.SplitN(c.Collation, "_", 2)[0]]
	if c.Octets > math.MaxInt32 {
		c.Octets = 0
	}
}

// exactText says whether the column tells all different texts apart: a binary collation that does not pad with spaces.
func exactText(c *table.ColumnInfo) bool {
	switch {
	case c.Class != table.ClassText || c.Collation == "" || c.Collation == "binary":
		return true
	case strings.HasPrefix(c.Collation, "utf8mb4_0900_bin"), strings.HasSuffix(c.Collation, "_nopad_bin"):
		return true
	}
	return false
}

// foldsText says whether different letters may count as equal.
func foldsText(c *table.ColumnInfo) bool {
	return c.Class == table.ClassText && c.Collation != "" && c.Collation != "binary" && !strings.HasSuffix(c.Collation, "_bin")
}

// holds says the range of the column for people.
func holds(c *table.ColumnInfo) string {
	switch c.Class {
	case table.ClassInt:
		return fmt.Sprintf("%d to %d", c.Min, c.Max)
	case table.ClassDecimal:
		sign := ""
		if c.Unsigned {
			sign = ", none below zero"
		}
		return fmt.Sprintf("%d digits before the point and %d after it%s", c.Precision-c.Scale, c.Scale, sign)
	case table.ClassTime:
		return "-838:59:59 to 838:59:59"
	case table.ClassOther, table.ClassBool, table.ClassFloat, table.ClassText, table.ClassBytes, table.ClassDate, table.ClassDatetime, table.ClassJSON, table.ClassUUID, table.ClassBinUUID:
	}
	if c.Unsigned {
		return "none below zero"
	}
	return "less"
}

// alter is the statement that gives the column another type; nullness "" keeps it as it is.
func alter(c *table.ColumnInfo, columnType, nullness string) string {
	if nullness == "" {
		nullness = "NOT NULL"
		if c.Nullable {
			nullness = "NULL"
		}
	}
	if c.Class == table.ClassText && c.Collation != "" && (strings.Contains(columnType, "char") || strings.Contains(columnType, "text")) {
		columnType += " COLLATE " + c.Collation // MODIFY would go back to the table's
	}
	return fmt.Sprintf("ALTER TABLE %s MODIFY %s %s %s;", quoteName(c.Table), quoteName(c.Name), columnType, nullness)
}

func alterLength(c *table.ColumnInfo, n int) string {
	if n <= 4000 {
		return alter(c, fmt.Sprintf("varchar(%d)", max(n, 2*c.Length)), "")
	}
	return alter(c, "longtext", "")
}

// alterWider is for a number out of range.
func alterWider(c *table.ColumnInfo) string {
	if c.Class == table.ClassDecimal {
		return alter(c, fmt.Sprintf("decimal(%d,%d)", min(65, c.Precision+10), c.Scale), "")
	}
	if c.Class == table.ClassTime {
		return "correct it in the source, or let a rule set another value"
	}
	if c.Class == table.ClassInt && c.DataType != "bigint" || c.Unsigned {
		return alter(c, "bigint", "")
	}
	return alter(c, "decimal(38,0)", "")
}

// alterScale is for digits after the point.
func alterScale(c *table.ColumnInfo, scale int) string {
	scale = min(scale, 30)
	return alter(c, fmt.Sprintf("decimal(%d,%d)", min(65, c.Precision-c.Scale+scale), scale), "")
}
