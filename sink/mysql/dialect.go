package mysql

import (
	"context"
	"fmt"
	"strings"

	"shelfstream/internal/fault"
	"shelfstream/sink/table"
)

// Shelfstream's own tables. Names of sinks and topics are ASCII.
const (
	offsetsDDL = `CREATE TABLE IF NOT EXISTS shelfstream_offsets (
  sink varchar(64) NOT NULL,
  topic varchar(249) NOT NULL,
  ` + "`partition`" + ` int NOT NULL,
  next_offset bigint NOT NULL,
  replay_until bigint NOT NULL,
  prune tinyint(1) NOT NULL,
  epoch bigint NOT NULL,
  owner varchar(191) NOT NULL,
  updated_at datetime(6) NOT NULL,
  created_at datetime(6) NOT NULL,
  tables_had_rows tinyint(1) NOT NULL,
  PRIMARY KEY (sink, topic, ` + "`partition`" + `)
) ENGINE=InnoDB DEFAULT CHARACTER SET ascii COLLATE ascii_bin COMMENT='where each sink stands; changes in one transaction with the rows'`

	parkedDDL = `CREATE TABLE IF NOT EXISTS shelfstream_parked (
  sink varchar(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  topic varchar(249) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  ` + "`partition` int NOT NULL,\n  `offset`" + ` bigint NOT NULL,
  record_id varbinary(1000) NOT NULL,
  record_hash binary(16) NOT NULL,
  record_key text NOT NULL,
  cause varchar(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  place text NOT NULL,
  reason text NOT NULL,
  fix text NOT NULL,
  waits_for binary(16) NULL,
  record_time datetime(6) NULL,
  first_seen datetime(6) NOT NULL,
  last_tried datetime(6) NOT NULL,
  attempts int NOT NULL,
  PRIMARY KEY (sink, topic, ` + "`partition`, `offset`" + `),
  KEY shelfstream_hash (sink, topic, ` + "`partition`" + `, record_hash)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COMMENT='products a sink could not write, and why; a row leaves when a newer state of its product is written'`

	// parkedUpgrade is for a table that was made before causes had names.
	parkedUpgrade = `ALTER TABLE shelfstream_parked ADD COLUMN cause varchar(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '' AFTER record_key`
)

// How many rows one DELETE or UPDATE names. With many in proportion to the table (as it once was: statistics are late), MariaDB reads through all of it instead of looking them
// up, whatever the hints, and so waits for rows that other partitions have locked. With one it never does.
const (
	fewKeys   = 64
	largeRows = 20_000 // a table of which fewKeys are few
)

// newDialect is MySQL or MariaDB as the engine sees it.
func newDialect() *table.Dialect {
	f := &flavor{}
	return &table.Dialect{
		Section: "mysql",
		Causes: table.Causes{
			Unreachable: fault.MySQLUnreachable, Privilege: fault.MySQLPrivilege, TableMissing: fault.MySQLTableMissing,
			ColumnMissing: fault.MySQLColumnMissing, ColumnUnfit: fault.MySQLColumnUnfit, ColumnUnfed: fault.MySQLColumnUnfed, Key: fault.MySQLKey,
		},
		Quote: quoteName, Table: quoteName,
		Text: appendText, Bytes: appendBinary, Parse: parseText,
		ParseBytes: func(text []byte) []byte { return append([]byte(nil), text...) },
		Now:        "UTC_TIMESTAMP(6)",
		Micros:     func(column string) string { return "CAST(ROUND(UNIX_TIMESTAMP(" + column + ") * 1000000) AS SIGNED)" },
		Careful:    "START TRANSACTION",
		Conflict:   func([]string) string { return " ON DUPLICATE KEY UPDATE " },
		New:        func(column string) string { return "VALUES(" + quoteName(column) + ")" },
		Guard:      guard,
		Same:       sameValue,
		Empty:      empty,
		Stored:     appendStored,
		Spare:      spare,
		ByIndex:    func(index string) string { return " FORCE INDEX (" + quoteName(index) + ")" },
		FewAtOnce: func(rows int64) int {
			if rows >= largeRows {
				return fewKeys
			}
			return 1
		},
		AsksFirst:      true,
		Offsets:        offsetsDDL,
		Parked:         parkedDDL,
		ParkedUpgrades: []table.Upgrade{{Column: "cause", Statement: parkedUpgrade}},
		Facts:          f.facts,
		Catalog:        readCatalog,
		Grants:         readGrants,
		ColumnType:     columnType, Create: f.create, Add: f.add, Alter: alter, KeyUnfit: f.keyUnfit,
		AlterKey: func(name string, key []string) string {
			return fmt.Sprintf("ALTER TABLE %s ADD UNIQUE INDEX shelfstream_key (%s);", quoteName(name), quoteNames(key))
		},
		Precise: func(c *table.ColumnInfo) string { return c.DataType + "(6)" },
		Writer:  newWriter, Kind: kind, Environment: environment, Refusal: refusal,
	}
}

// facts are read with each check.
func (d *flavor) facts(ctx context.Context, c table.Conn) (table.Facts, error) {
	var facts table.Facts
	err := scanAll(ctx, c, "SELECT VERSION(), @@max_allowed_packet", func(scan func(...any) error) error {
		var version string
		err := scan(&version, &facts.MaxPacket)
		d.maria.Store(strings.Contains(strings.ToLower(version), "mariadb"))
		return err
	})
	return facts, err
}

// guard is the assignment by which an upsert fails that meets another row than its own: it sets a key column, which is NOT NULL, to null.
func guard(key []*table.ColumnInfo) string {
	var same []string
	for _, c := range key {
		n := quoteName(c.Name)
		if c.Class == table.ClassText {
			same = append(same, "CAST("+n+" AS BINARY) = CAST(VALUES("+n+") AS BINARY)")
		} else {
			same = append(same, n+" = VALUES("+n+")")
		}
	}
	n := quoteName(key[0].Name)
	return n + " = IF(" + strings.Join(same, " AND ") + ", " + n + ", NULL)"
}

func sameValue(c *table.ColumnInfo, literal string) string {
	if c.Class == table.ClassText {
		return "CAST(" + quoteName(c.Name) + " AS BINARY) = CAST(" + literal + " AS BINARY)"
	}
	return quoteName(c.Name) + " = " + literal
}

// empty uses LENGTH, since a collation that pads would count blanks for nothing too; a number or a date is empty only if it is null.
func empty(c *table.ColumnInfo) string {
	n := quoteName(c.Name)
	switch c.Class {
	case table.ClassText, table.ClassBytes, table.ClassJSON, table.ClassOther:
		return "COALESCE(LENGTH(" + n + "), 0) = 0"
	case table.ClassBool, table.ClassInt, table.ClassDecimal, table.ClassFloat, table.ClassDate, table.ClassDatetime, table.ClassTime, table.ClassUUID, table.ClassBinUUID:
	}
	return n + " IS NULL"
}

// appendStored appends a literal that equals a stored value, of the text in which the database gave it.
func appendStored(dst []byte, c *table.ColumnInfo, v []byte) []byte {
	switch c.Class {
	case table.ClassInt, table.ClassDecimal, table.ClassFloat:
		return append(dst, v...)
	case table.ClassBytes, table.ClassBinUUID:
		return appendBinary(dst, v)
	case table.ClassOther, table.ClassBool, table.ClassText, table.ClassDate, table.ClassDatetime, table.ClassTime, table.ClassJSON, table.ClassUUID:
	}
	return appendText(dst, v)
}

// spare is a value that nobody has.
func spare(c *table.ColumnInfo) string {
	switch {
	case c.Class == table.ClassText && (c.Length == 0 || c.Length >= 8):
		length := 20
		if c.Length > 0 {
			length = min(length, c.Length)
		}
		return fmt.Sprintf("CONCAT('~', RIGHT(UUID_SHORT(), %d))", length-1)
	case c.Class == table.ClassInt:
		return fmt.Sprintf("%d - %s", c.Max, quoteName(c.Name))
	}
	return ""
}
