package mysql

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-mysql-org/go-mysql/mysql"
)

// chunk is a range of a table's rows by the first column of its key, which a lane reads with one SELECT.
type chunk struct {
	table    *snapshotTable
	from, to string // literals; "" is no limit. from ≤ key < to
}

// chunkRows is about how many rows a chunk has: enough that a SELECT's start does not count, few enough that all lanes end together.
const chunkRows = 50_000

func (c *chunk) sql() string {
	t := c.table
	var b strings.Builder
	b.WriteString("SELECT ")
	for i, from := range t.shape.from {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(t.info.selects[from])
	}
	b.WriteString(" FROM " + t.info.sql())
	key := quoteName(t.shape.keyColumn().name)
	switch {
	case c.from != "" && c.to != "":
		b.WriteString(" WHERE " + key + " >= " + c.from + " AND " + key + " < " + c.to)
	case c.from != "":
		b.WriteString(" WHERE " + key + " >= " + c.from)
	case c.to != "":
		b.WriteString(" WHERE " + key + " < " + c.to)
	}
	return b.String()
}

// keyColumn is the first one of the primary key.
func (s *shape) keyColumn() *column { return &s.cols[s.from[s.table.Key[0]]] }

// plan divides a table into chunks. Where the key's first column is a number whose values lie densely, ranges of equal width will do; else the server looks for
// every chunkRows-th key, while the lanes read what was found before.
func plan(w *wire, t *snapshotTable, out func(chunk) error) error {
	k := t.shape.keyColumn()
	literal := literalOf(k)
	if literal == nil || t.info.rows < 2*chunkRows {
		return out(chunk{table: t})
	}
	if isInteger(k.typ) {
		done, err := planDense(w, t, k, out)
		if done || err != nil {
			return err
		}
	}
	name := quoteName(k.name)
	from := ""
	for {
		where := ""
		if from != "" {
			where = " WHERE " + name + " > " + from
		}
		to := ""
		sql := fmt.Sprintf("SELECT %s FROM %s FORCE INDEX (PRIMARY)%s ORDER BY %s LIMIT 1 OFFSET %d", name, t.info.sql(), where, name, chunkRows)
		if err := w.query(sql, func(cells [][]byte) error { to = literal(cells[0]); return nil }); err != nil {
			return err
		}
		if err := out(chunk{table: t, from: from, to: to}); err != nil || to == "" {
			return err
		}
		from = to
	}
}

// planDense divides the range of a whole number; done is false where that would give many ranges without rows.
func planDense(w *wire, t *snapshotTable, k *column, out func(chunk) error) (done bool, err error) {
	name := quoteName(k.name)
	var least, most int64
	var bad bool
	err = w.query("SELECT MIN("+name+"), MAX("+name+") FROM "+t.info.sql(), func(cells [][]byte) error {
		var err1, err2 error
		least, err1 = strconv.ParseInt(string(cells[0]), 10, 64)
		most, err2 = strconv.ParseInt(string(cells[1]), 10, 64)
		bad = err1 != nil || err2 != nil // an empty table, or beyond 2^63
		return nil
	})
	const sparse = 8
	span := uint64(most) - uint64(least)
	if err != nil || bad || span/sparse > uint64(t.info.rows) {
		return false, err
	}
	n := uint64(t.info.rows)/chunkRows + 1
	width := span/n + 1
	from := ""
	for i := uint64(1); i < n; i++ {
		to := strconv.FormatInt(int64(uint64(least)+i*width), 10)
		if err := out(chunk{table: t, from: from, to: to}); err != nil {
			return false, err
		}
		from = to
	}
	return true, out(chunk{table: t, from: from})
}

func isInteger(typ byte) bool {
	switch typ {
	case mysql.MYSQL_TYPE_TINY, mysql.MYSQL_TYPE_SHORT, mysql.MYSQL_TYPE_INT24, mysql.MYSQL_TYPE_LONG, mysql.MYSQL_TYPE_LONGLONG:
		return true
	}
	return false
}

// literalOf gives how a key's values are written in a statement; nil for types that are not divided. Text is compared as the column's collation says.
func literalOf(k *column) func([]byte) string {
	switch k.typ {
	case mysql.MYSQL_TYPE_NEWDECIMAL:
		return func(b []byte) string { return string(b) }
	case mysql.MYSQL_TYPE_DATE, mysql.MYSQL_TYPE_DATETIME2, mysql.MYSQL_TYPE_TIMESTAMP2:
		return func(b []byte) string { return "'" + string(b) + "'" }
	case mysql.MYSQL_TYPE_STRING, mysql.MYSQL_TYPE_VARCHAR, mysql.MYSQL_TYPE_BLOB:
		introducer := "_utf8mb4 X'"
		switch {
		case k.special != plain:
			return func(b []byte) string { return "'" + string(b) + "'" }
		case k.collation == binaryCollation:
			introducer = "X'"
		}
		return func(b []byte) string { return introducer + hex.EncodeToString(b) + "'" }
	}
	if isInteger(k.typ) {
		return func(b []byte) string { return string(b) }
	}
	return nil
}
