package mysql

import (
	"context"
	"strings"

	"shelfstream/sink"
)

// ListParked lists what this sink holds back, of all partitions and whoever writes them now, the longest parked first, at most limit records. A
// database in which no sink has run yet holds nothing.
func (t *Target) ListParked(ctx context.Context, limit int) ([]sink.Parked, error) {
	out, err := t.listParked(ctx, parkedColumns, limit)
	if number(err) == errNoColumn { // made before causes had names; the next run adds the column
		out, err = t.listParked(ctx, strings.Replace(parkedColumns, "cause", "''", 1), limit)
	}
	switch {
	case number(err) == errNoTable:
		return nil, nil
	case err != nil:
		return nil, t.unreachable(err)
	}
	return out, nil
}

func (t *Target) listParked(ctx context.Context, columns string, limit int) ([]sink.Parked, error) {
	out := []sink.Parked{}
	err := scanAll(ctx, t.db, "SELECT topic, `partition`, "+columns+
		" FROM shelfstream_parked WHERE sink = ? ORDER BY first_seen, topic, `partition`, `offset` LIMIT ?",
		func(scan func(...any) error) error {
			var p sink.Parked
			if err := scanParked(scan, &p, &p.Topic, &p.Partition); err != nil {
				return err
			}
			out = append(out, p)
			return nil
		}, t.name, limit)
	return out, err
}
