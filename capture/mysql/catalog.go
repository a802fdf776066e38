package mysql

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/go-mysql-org/go-mysql/mysql"
)

// queryer is a connection, or a pool of them.
type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// tableInfo is what the catalogue says of a table.
type tableInfo struct {
	schema, name string
	kind         string // information_schema.tables.table_type: BASE TABLE, VIEW, SYSTEM VERSIONED, SEQUENCE
	engine       string
	transactions bool   // the engine has them
	created      string // CREATE_TIME, which ALTER TABLE and TRUNCATE set anew; "" unknown
	rows         int64  // an estimate
	columns      []column
	// selects holds for each column what a snapshot asks for.
	selects []string
	// faults are the columns whose type has no form in the log at all, by name.
	faults map[string]string
	// cascades names the foreign keys through which rows change without a trace in the log.
	cascades []string
}

// sql is the table's name for statements.
func (t *tableInfo) sql() string { return quoteName(t.schema) + "." + quoteName(t.name) }

func (t *tableInfo) column(name string) *column {
	for i := range t.columns {
		if strings.EqualFold(t.columns[i].name, name) {
			return &t.columns[i]
		}
	}
	return nil
}

const tableSQL = `SELECT t.table_schema, t.table_name, t.table_type, COALESCE(t.engine, ''), COALESCE(e.transactions, '') = 'YES', COALESCE(t.create_time, ''), COALESCE(t.table_rows, 0)
FROM information_schema.tables t LEFT JOIN information_schema.engines e ON e.engine = t.engine WHERE t.table_schema = ? AND t.table_name = ?`

const columnsSQL = `SELECT c.column_name, LOWER(c.data_type), c.column_type, c.is_nullable = 'YES', COALESCE(c.character_octet_length, 0), COALESCE(c.numeric_precision, 0),
  COALESCE(c.numeric_scale, -1), COALESCE(c.datetime_precision, 0), COALESCE(c.collation_name, ''), COALESCE(s.seq_in_index, 0)
FROM information_schema.columns c LEFT JOIN information_schema.statistics s
  ON s.table_schema = c.table_schema AND s.table_name = c.table_name AND s.index_name = 'PRIMARY' AND s.column_name = c.column_name
WHERE c.table_schema = ? AND c.table_name = ? ORDER BY c.ordinal_position`

// readCatalog looks a table up; nil if there is none, or none that the user may see.
func readCatalog(ctx context.Context, q queryer, set *collations, schema, table string) (*tableInfo, error) {
	var t *tableInfo
	err := eachRow(ctx, q, func(rows *sql.Rows) error {
		t = &tableInfo{faults: map[string]string{}}
		return rows.Scan(&t.schema, &t.name, &t.kind, &t.engine, &t.transactions, &t.created, &t.rows)
	}, tableSQL, schema, table)
	if err != nil || t == nil {
		return nil, wrapCatalog(err, schema, table)
	}
	err = eachRow(ctx, q, func(rows *sql.Rows) error {
		var c catalogColumn
		if err := rows.Scan(&c.name, &c.dataType, &c.columnType, &c.nullable, &c.octets, &c.precision, &c.scale, &c.fsp, &c.collation, &c.key); err != nil {
			return err
		}
		col, why := c.column(set)
		if why != "" {
			t.faults[c.name] = why
		}
		t.columns = append(t.columns, col)
		t.selects = append(t.selects, c.selects())
		return nil
	}, columnsSQL, schema, table)
	if err != nil {
		return nil, wrapCatalog(err, schema, table)
	}
	err = t.readCascades(ctx, q)
	return t, wrapCatalog(err, schema, table)
}

// readCascades reads the table's statement: information_schema shows foreign keys only to those who may do more than SELECT.
func (t *tableInfo) readCascades(ctx context.Context, q queryer) error {
	if !strings.HasPrefix(t.kind, "BASE") {
		return nil
	}
	err := eachRow(ctx, q, func(rows *sql.Rows) error {
		var name, statement string
		if err := rows.Scan(&name, &statement); err != nil {
			return err
		}
		for line := range strings.SplitSeq(statement, "\n") {
			rest, ok := strings.CutPrefix(strings.TrimSpace(line), "CONSTRAINT `")
			key, rule, foreign := strings.Cut(rest, "` FOREIGN KEY (")
			if ok && foreign && (strings.Contains(rule, " CASCADE") || strings.Contains(rule, " SET NULL") || strings.Contains(rule, " SET DEFAULT")) {
				t.cascades = append(t.cascades, key)
			}
		}
		return nil
	}, "SHOW CREATE TABLE "+t.sql())
	if c := errorCode(err); c == codeTableDenied || c == codeColumnDenied {
		return nil // preflight says which privilege lacks
	}
	return err
}

func wrapCatalog(err error, schema, table string) error {
	if err != nil {
		return fmt.Errorf("read the catalogue of %s.%s: %w", schema, table, err)
	}
	return nil
}

// eachRow calls fn for every row of a query.
func eachRow(ctx context.Context, q queryer, fn func(*sql.Rows) error, query string, args ...any) error {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := fn(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// collations are the server's: by number, as the log has them, and by name, as the catalogue has them.
type collations struct {
	charsets charsets
	ids      map[string]uint16
}

// readCollations asks the server. MariaDB has from 10.10 on collations that go with many character sets and have a number with each.
func readCollations(ctx context.Context, q queryer) (*collations, error) {
	s := &collations{charsets: charsets{}, ids: map[string]uint16{}}
	add := func(rows *sql.Rows) error {
		var name, set string
		var id int64
		if err := rows.Scan(&name, &id, &set); err != nil {
			return err
		}
		if id > 0 && id < 1<<16 {
			s.ids[name], s.charsets[uint16(id)] = uint16(id), set
		}
		return nil
	}
	err := eachRow(ctx, q, add, "SELECT collation_name, COALESCE(id, 0), COALESCE(character_set_name, '') FROM information_schema.collations")
	if err != nil {
		return nil, fmt.Errorf("read the collations: %w", err)
	}
	var full bool
	err = eachRow(ctx, q, func(rows *sql.Rows) error { full = true; return nil },
		"SELECT 1 FROM information_schema.columns WHERE table_schema = 'information_schema' AND table_name = 'COLLATION_CHARACTER_SET_APPLICABILITY' AND column_name = 'FULL_COLLATION_NAME'")
	if err == nil && full {
		err = eachRow(ctx, q, add, "SELECT full_collation_name, COALESCE(id, 0), character_set_name FROM information_schema.collation_character_set_applicability")
	}
	if err != nil {
		return nil, fmt.Errorf("read the collations: %w", err)
	}
	return s, nil
}

// catalogColumn is a row of information_schema.columns.
type catalogColumn struct {
	name, dataType, columnType, collation string
	nullable                              bool
	octets, precision, scale, fsp         int64
	key                                   int
}

// column gives the column as TABLE_MAP would describe it; why is not empty if the log has no form of it that can be read.
func (c *catalogColumn) column(set *collations) (col column, why string) {
	col = column{name: c.name, nullable: c.nullable, key: c.key, unsigned: strings.Contains(c.columnType, " unsigned")}
	old := strings.Contains(c.columnType, "mariadb-5.3")
	temporal := func(now, before byte) {
		col.typ, col.meta = now, uint16(c.fsp)
		if old {
			col.typ, col.meta = before, 0
			if c.fsp > 0 {
				why = "its form is that of MariaDB 5.3 with fractions; ALTER TABLE … FORCE writes it anew"
			}
		}
	}
	if id, ok := set.ids[c.collation]; ok {
		col.collation = id
	}
	switch c.dataType {
	case "tinyint":
		col.typ = mysql.MYSQL_TYPE_TINY
	case "smallint":
		col.typ = mysql.MYSQL_TYPE_SHORT
	case "mediumint":
		col.typ = mysql.MYSQL_TYPE_INT24
	case "int":
		col.typ = mysql.MYSQL_TYPE_LONG
	case "bigint":
		col.typ = mysql.MYSQL_TYPE_LONGLONG
	case "decimal":
		col.typ, col.meta = mysql.MYSQL_TYPE_NEWDECIMAL, uint16(c.precision<<8|max(c.scale, 0))
	case "float":
		col.typ, col.meta = mysql.MYSQL_TYPE_FLOAT, 4
	case "double":
		col.typ, col.meta = mysql.MYSQL_TYPE_DOUBLE, 8
	case "bit":
		col.typ, col.meta = mysql.MYSQL_TYPE_BIT, uint16(c.precision/8<<8|c.precision%8)
	case "year":
		col.typ, col.unsigned = mysql.MYSQL_TYPE_YEAR, false // it has a sign as little as a date
	case "date":
		col.typ = mysql.MYSQL_TYPE_DATE
	case "time":
		temporal(mysql.MYSQL_TYPE_TIME2, mysql.MYSQL_TYPE_TIME)
	case "datetime":
		temporal(mysql.MYSQL_TYPE_DATETIME2, mysql.MYSQL_TYPE_DATETIME)
	case "timestamp":
		temporal(mysql.MYSQL_TYPE_TIMESTAMP2, mysql.MYSQL_TYPE_TIMESTAMP)
	case "char", "varchar":
		col.typ, col.meta = mysql.MYSQL_TYPE_STRING, uint16(c.octets)
		if c.dataType == "varchar" {
			col.typ = mysql.MYSQL_TYPE_VARCHAR
		}
	case "binary", "varbinary":
		col.typ, col.meta, col.collation = mysql.MYSQL_TYPE_STRING, uint16(c.octets), binaryCollation
		if c.dataType == "varbinary" {
			col.typ = mysql.MYSQL_TYPE_VARCHAR
		}
	case "tinytext", "text", "mediumtext", "longtext", "tinyblob", "blob", "mediumblob", "longblob":
		col.typ = mysql.MYSQL_TYPE_BLOB
		col.meta = map[string]uint16{"tiny": 1, "": 2, "medium": 3, "long": 4}[strings.TrimSuffix(strings.TrimSuffix(c.dataType, "text"), "blob")]
		if strings.HasSuffix(c.dataType, "blob") {
			col.collation = binaryCollation
		}
	case "enum", "set":
		col.members = parseMembers(c.columnType)
		col.typ, col.meta = mysql.MYSQL_TYPE_ENUM, 1
		if len(col.members) > 255 {
			col.meta = 2
		}
		if c.dataType == "set" {
			col.typ, col.meta = mysql.MYSQL_TYPE_SET, uint16((len(col.members)+7)/8)
			if col.meta > 4 {
				col.meta = 8
			}
		}
	case "json":
		col.typ, col.meta = mysql.MYSQL_TYPE_JSON, 4
	case "geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon", "geometrycollection", "geomcollection":
		col.typ, col.meta = mysql.MYSQL_TYPE_GEOMETRY, 4
	case "uuid", "inet4", "inet6":
		col.typ, col.collation, col.meta = mysql.MYSQL_TYPE_STRING, binaryCollation, 16
		col.special = map[string]special{"uuid": uuid, "inet4": inet4, "inet6": inet6}[c.dataType]
		switch {
		case c.dataType == "inet4":
			col.meta = 4
		case strings.Contains(c.columnType, "old"):
			col.special = uuidOld
		}
	default:
		why = "its type " + c.dataType + " is not supported"
	}
	if strings.Contains(c.columnType, "COMPRESSED") {
		why = "it is COMPRESSED, which the log has in a form of its own"
	}
	return col, why
}

// selects is what a snapshot asks for. A float is printed with six digits, and with the declared number of digits where there is one; times one it is a double, with
// all that it needs.
func (c *catalogColumn) selects() string {
	if c.dataType == "float" || c.dataType == "double" && c.scale >= 0 {
		return quoteName(c.name) + " * 1e0"
	}
	return quoteName(c.name)
}

// parseMembers reads "enum('a','b')": quotes are doubled, and what is not printed stands behind a backslash.
func parseMembers(columnType string) []string {
	var members []string
	var b strings.Builder
	inside := false
	for i := strings.IndexByte(columnType, '(') + 1; i < len(columnType); i++ {
		c := columnType[i]
		switch {
		case !inside:
			inside = c == '\''
		case c == '\'' && i+1 < len(columnType) && columnType[i+1] == '\'':
			b.WriteByte('\'')
			i++
		case c == '\'':
			members = append(members, b.String())
			b.Reset()
			inside = false
		case c == '\\' && i+1 < len(columnType):
			i++
			b.WriteString(unescaped(columnType[i]))
		default:
			b.WriteByte(c)
		}
	}
	return members
}

func unescaped(c byte) string {
	switch c {
	case 'n':
		return "\n"
	case 'r':
		return "\r"
	case 't':
		return "\t"
	case '0':
		return "\x00"
	case 'Z':
		return "\x1a"
	}
	return string(rune(c))
}
