package mysql

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
)

// leaving asks which rows of lists' tables left their list, so that they can be deleted by their whole keys.
//
// A DELETE with the condition itself would lock more than it deletes: a range ends at the first row behind it, which is a neighbour's, and the
// neighbour is often another partition's product; two partitions that wait so for each other are a deadlock. This question locks nothing (both in
// READ COMMITTED and in REPEATABLE READ), and what it finds stays true until the transaction: only the owner of the partition writes rows of its products,
// and the fence says whether we still are it.
func (st *statements) leaving(ctx context.Context, q querier, limit, rows int) error {
	b := packetBuilder{limit: limit, rows: rows}
	for i, p := range st.vp.tables {
		t := &st.tables[i]
		t.left.reset()
		// A few products at a time and always by the index of the key: of many conditions the optimizer would rather compare each of them with every row of
		// the table, which takes seconds while the table grows.
		head := fmt.Sprintf("SELECT %d, %s FROM %s%s WHERE ", i, quoteNames(p.names(p.keyParentFirst())), quoteName(p.name), p.byKey)
		b.chunksOf(fewKeys, head, t.trim, t.trims, len(" OR "), "")
	}
	for _, packet := range b.finish() {
		if err := st.readLeaving(ctx, q, packet); err != nil {
			return err
		}
	}
	return nil
}

// readLeaving sends the questions of one packet, and takes the keys up.
func (st *statements) readLeaving(ctx context.Context, q querier, packet []byte) error {
	rows, err := q.QueryContext(ctx, packetText(packet))
	if err != nil {
		return err
	}
	defer rows.Close()
	var vals []sql.RawBytes
	var dest []any
	for {
		columns, err := rows.Columns()
		if err != nil {
			return err
		}
		vals = slices.Grow(vals[:0], len(columns))[:len(columns)]
		at := 0
		dest = append(dest[:0], &at)
		for i := 1; i < len(vals); i++ {
			dest = append(dest, &vals[i])
		}
		for rows.Next() {
			if err := rows.Scan(dest...); err != nil {
				return err
			}
			st.tables[at].left.addStored(st.vp.tables[at], vals[1:])
		}
		if err := rows.Err(); err != nil {
			return err
		}
		if !rows.NextResultSet() {
			return rows.Err()
		}
	}
}

// addStored appends the key of a row as the database gave it.
func (l *keyList) addStored(p *tablePlan, vals []sql.RawBytes) {
	key := p.keyParentFirst()
	l.begin(len(key))
	if len(key) > 1 {
		l.keys = append(l.keys, '(')
	}
	for i, k := range key {
		c := &p.columns[k]
		if i > 0 {
			l.keys = append(l.keys, " AND "...)
		}
		if len(key) > 1 {
			l.keys = append(append(l.keys, quoteName(c.name)...), " = "...)
		}
		l.keys = appendStored(l.keys, c.write.col.class, vals[i])
	}
	if len(key) > 1 {
		l.keys = append(l.keys, ')')
	}
	l.ends = append(l.ends, len(l.keys))
}

// appendStored appends a literal that equals a stored value, of the text in which the database gave it.
func appendStored(dst []byte, c class, v []byte) []byte {
	switch c {
	case classInt, classDecimal, classFloat:
		return append(dst, v...)
	case classBytes, classBinUUID:
		return appendBinary(dst, v)
	case classOther, classText, classDate, classDatetime, classTime, classJSON, classUUID:
	}
	return appendText(dst, v)
}
