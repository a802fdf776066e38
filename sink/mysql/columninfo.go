package mysql

import (
	"fmt"
	"math"
	"strings"
)

// class groups the data types of MySQL by how a value is written into them.
type class uint8

const (
	classOther class = iota // enum, set, geometry …: the server judges
	classInt
	classDecimal
	classFloat
	classText
	classBytes
	classDate
	classDatetime
	classTime
	classJSON
	classUUID    // MariaDB's uuid
	classBinUUID // binary(16)
)

// columnInfo is a column of an existing table, as information_schema tells it.
type columnInfo struct {
	table      string
	name       string
	dataType   string // "varchar"
	columnType string // "varchar(40)"
	class      class
	nullable   bool
	fed        bool // needs no value from us: has a default, takes null, is auto_increment or generated
	generated  bool
	auto       bool // auto_increment
	unsigned   bool
	length     int    // characters of a char or varchar; 0 no limit in characters
	octets     int    // bytes of a text or binary type; 0 no limit worth checking
	precision  int    // digits of a decimal or whole number
	scale      int    // of those after the point
	fsp        int    // digits of the second
	min        int64  // of a whole number
	max        uint64 // of a whole number
	collation  string
	narrow     func(rune) bool // whether the character set has a character; nil: it has all of them, or we do not know
}

var intBits = map[string]int{"tinyint": 8, "smallint": 16, "mediumint": 24, "int": 32, "bigint": 64}

// classify fills what follows from the data type.
func (c *columnInfo) classify() {
	switch c.dataType {
	case "tinyint", "smallint", "mediumint", "int", "bigint":
		c.class = classInt
		bits := intBits[c.dataType]
		if c.unsigned {
			c.max = math.MaxUint64 >> (64 - bits)
		} else {
			c.min, c.max = -1<<(bits-1), 1<<(bits-1)-1
		}
		c.scale = 0
		c.precision = len(fmt.Sprint(c.max))
	case "year", "bit":
		c.class = classOther
	case "decimal", "numeric":
		c.class = classDecimal
	case "float", "double", "real":
		c.class = classFloat
	case "char", "varchar":
		c.class = classText
		c.octets = 0
	case "tinytext", "text", "mediumtext", "longtext":
		// The length of these types is one of bytes, though information_schema shows it under characters too.
		c.class, c.length = classText, 0
	case "json":
		c.class, c.length, c.octets = classJSON, 0, 0
	case "binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob":
		c.class, c.length = classBytes, 0
	case "date":
		c.class = classDate
	case "datetime", "timestamp":
		c.class = classDatetime
	case "time":
		c.class = classTime
	case "uuid":
		c.class = classUUID
	default:
		c.class = classOther
	}
	c.narrow = narrowSets[strings.SplitN(c.collation, "_", 2)[0]]
	if c.octets > math.MaxInt32 {
		c.octets = 0
	}
}

// exactText says whether the column tells all different texts apart: a binary collation that does not pad with spaces.
func (c *columnInfo) exactText() bool {
	switch {
	case c.class != classText || c.collation == "" || c.collation == "binary":
		return true
	case strings.HasPrefix(c.collation, "utf8mb4_0900_bin"), strings.HasSuffix(c.collation, "_nopad_bin"):
		return true
	}
	return false
}

// foldsText says whether different letters may count as equal.
func (c *columnInfo) foldsText() bool {
	return c.class == classText && c.collation != "" && c.collation != "binary" && !strings.HasSuffix(c.collation, "_bin")
}

// holds says the range of the column for people.
func (c *columnInfo) holds() string {
	switch c.class {
	case classInt:
		return fmt.Sprintf("%d to %d", c.min, c.max)
	case classDecimal:
		sign := ""
		if c.unsigned {
			sign = ", none below zero"
		}
		return fmt.Sprintf("%d digits before the point and %d after it%s", c.precision-c.scale, c.scale, sign)
	case classTime:
		return "-838:59:59 to 838:59:59"
	case classOther, classFloat, classText, classBytes, classDate, classDatetime, classJSON, classUUID, classBinUUID:
	}
	if c.unsigned {
		return "none below zero"
	}
	return "less"
}

// alter is the statement that gives the column another type; nullness "" keeps it as it is.
func (c *columnInfo) alter(columnType, nullness string) string {
	if nullness == "" {
		nullness = "NOT NULL"
		if c.nullable {
			nullness = "NULL"
		}
	}
	if c.class == classText && c.collation != "" && (strings.Contains(columnType, "char") || strings.Contains(columnType, "text")) {
		columnType += " COLLATE " + c.collation // MODIFY would go back to the table's
	}
	return fmt.Sprintf("ALTER TABLE %s MODIFY %s %s %s;", quoteName(c.table), quoteName(c.name), columnType, nullness)
}

func (c *columnInfo) alterLength(n int) string {
	if n <= 4000 {
		return c.alter(fmt.Sprintf("varchar(%d)", max(n, 2*c.length)), "")
	}
	return c.alter("longtext", "")
}

// alterWider is for a number out of range.
func (c *columnInfo) alterWider() string {
	if c.class == classDecimal {
		return c.alter(fmt.Sprintf("decimal(%d,%d)", min(65, c.precision+10), c.scale), "")
	}
	if c.class == classTime {
		return "correct it in the source, or let a rule set another value"
	}
	if c.class == classInt && c.dataType != "bigint" || c.unsigned {
		return c.alter("bigint", "")
	}
	return c.alter("decimal(38,0)", "")
}

// alterScale is for digits after the point.
func (c *columnInfo) alterScale(scale int) string {
	scale = min(scale, 30)
	return c.alter(fmt.Sprintf("decimal(%d,%d)", min(65, c.precision-c.scale+scale), scale), "")
}
