package table

import (
	"context"
	"fmt"
	"strconv"
)

// leaving asks which rows of lists' tables left their list, so that they can be deleted by their whole keys.
//
// A DELETE with the condition itself would lock more than it deletes: a range ends at the first row behind it, which is a neighbour's, and the
// neighbour is often another partition's product; two partitions that wait so for each other are a deadlock. This question locks nothing (both in
// READ COMMITTED and in REPEATABLE READ), and what it finds stays true until the transaction: only the owner of the partition writes rows of its products,
// and the fence says whether we still are it.
func (st *statements) leaving(ctx context.Context, c Conn, limit, rows int) error {
	if !st.vp.d.AsksFirst {
		return nil
	}
	b := packetBuilder{limit: limit, rows: rows}
	for i, p := range st.vp.tables {
		t := &st.tables[i]
		t.left.reset()
		// A few products at a time and always by the index of the key: of many conditions the optimizer would rather compare each of them with every row of
		// the table, which takes seconds while the table grows.
		head := fmt.Sprintf("SELECT %d, %s FROM %s%s WHERE ", i, p.d.quoteNames(p.names(p.keyParentFirst())), p.d.Table(p.name), p.byKey)
		b.chunksOf(fewKeys, head, t.trim, t.trims, len(" OR "), "")
	}
	for _, packet := range b.finish() {
		err := c.Query(ctx, packet, func(vals [][]byte) error {
			at, err := strconv.Atoi(string(vals[0]))
			if err == nil {
				st.tables[at].left.addStored(st.vp.tables[at], vals[1:])
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// addStored appends the key of a row as the database gave it.
func (l *keyList) addStored(p *tablePlan, vals [][]byte) {
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
			l.keys = append(append(l.keys, p.d.Quote(c.name)...), " = "...)
		}
		l.keys = p.d.Stored(l.keys, &c.info, vals[i])
	}
	if len(key) > 1 {
		l.keys = append(l.keys, ')')
	}
	l.ends = append(l.ends, len(l.keys))
}
