package mysql

import (
	"errors"
	"fmt"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-mysql-org/go-mysql/replication"
)

// errNoMetadata is a TABLE_MAP that was written while binlog_row_metadata was not FULL: it has neither names nor the key.
var errNoMetadata = errors.New("the event does not name the table's columns (binlog_row_metadata was not FULL)")

// columnsOf gives the columns of a TABLE_MAP: the table's definition at its place in the log.
func columnsOf(e *replication.TableMapEvent, sets charsets, f flavor) ([]column, error) {
	n := int(e.ColumnCount)
	if n > 0 && len(e.ColumnName) != n {
		return nil, errNoMetadata
	}
	cols := make([]column, n)
	unsigned, collations, enumCollations := unsignedColumns(e), e.CollationMap(), e.EnumSetCollationMap()
	symbols := [2]members{{values: e.EnumStrValue}, {values: e.SetStrValue}}
	for i := range cols {
		c := &cols[i]
		c.name = string(e.ColumnName[i])
		c.typ, c.meta = realType(e.ColumnType[i], e.ColumnMeta[i])
		c.unsigned = unsigned[i]
		_, c.nullable = e.Nullable(i)
		if c.typ != mysql.MYSQL_TYPE_GEOMETRY { // MariaDB gives it one, as to a blob
			c.collation = uint16(collations[i])
		}
		if c.typ != mysql.MYSQL_TYPE_ENUM && c.typ != mysql.MYSQL_TYPE_SET {
			continue
		}
		c.collation = uint16(enumCollations[i])
		of := &symbols[0]
		if c.typ == mysql.MYSQL_TYPE_SET {
			of = &symbols[1]
		}
		var err error
		if c.members, err = of.next(c.collation, sets); err != nil {
			return nil, fmt.Errorf("read the members of column %s: %w", c.name, err)
		}
	}
	for place, i := range e.PrimaryKey {
		if i >= uint64(n) {
			return nil, fmt.Errorf("the key's column %d of %d", i, n)
		}
		cols[i].key = place + 1
	}
	return cols, nil
}

// members are the lists of a table's ENUM or SET columns, in the columns' order.
type members struct{ values [][][]byte }

func (m *members) next(collation uint16, sets charsets) ([]string, error) {
	if len(m.values) == 0 {
		return nil, errNoMetadata
	}
	list := m.values[0]
	m.values = m.values[1:]
	out := make([]string, len(list))
	for i, b := range list {
		var err error
		if out[i], err = sets.utf8Of(collation, b); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// unsignedColumns reads a TABLE_MAP's bits that say which numbers have no sign, the first column's highest. go-mysql reads them too (UnsignedMap), but does not know
// that servers count YEAR among the numbers (MariaDB with the bit set, MySQL without), so behind such a column it takes each for its neighbour's.
func unsignedColumns(e *replication.TableMapEvent) []bool {
	unsigned := make([]bool, e.ColumnCount)
	n := 0
	for i, t := range e.ColumnType {
		if t != mysql.MYSQL_TYPE_YEAR && !e.IsNumericColumn(i) {
			continue
		}
		if b := e.SignednessBitmap; n>>3 < len(b) {
			unsigned[i] = t != mysql.MYSQL_TYPE_YEAR && b[n>>3]<<(n&7)&0x80 != 0
		}
		n++
	}
	return unsigned
}
