package table

import (
	"context"
	"strconv"
	"strings"

	"shelfstream/sink"
)

// ListParked lists what this sink holds back, of all partitions and whoever writes them now, the longest parked first, at most limit records. A
// database in which no sink has run yet holds nothing.
func (t *Target) ListParked(ctx context.Context, limit int) ([]sink.Parked, error) {
	out, err := t.listParked(ctx, t.d.parkedColumns(), limit)
	if err != nil && t.d.Kind(err) == ErrNoTable && len(t.d.ParkedUpgrades) > 0 { // made before causes had names; the next run adds the column
		out, err = t.listParked(ctx, strings.Replace(t.d.parkedColumns(), "cause", "''", 1), limit)
	}
	switch {
	case err == nil:
		return out, nil
	case t.d.Kind(err) == ErrNoTable:
		return nil, nil
	}
	return nil, t.unreachable(err)
}

func (t *Target) listParked(ctx context.Context, columns string, limit int) ([]sink.Parked, error) {
	out := []sink.Parked{}
	part := t.d.Quote("partition")
	q := "SELECT topic, " + part + ", " + columns + " FROM " + ParkedTable + " WHERE sink = " + t.d.text(t.name) +
		" ORDER BY first_seen, topic, " + part + ", " + t.d.Quote("offset") + " LIMIT " + strconv.Itoa(limit)
	err := t.with(ctx, func(c Conn) error {
		return query(ctx, c, q, func(vals [][]byte) error {
			var p sink.Parked
			if err := Scan(vals, &p.Topic, &p.Partition); err != nil {
				return err
			}
			if err := t.d.scanParked(vals[2:], &p); err != nil {
				return err
			}
			out = append(out, p)
			return nil
		})
	})
	return out, err
}
