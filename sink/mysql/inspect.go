package mysql

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"shelfstream/schemas"
	"shelfstream/sink"
)

// Lookup implements sink.Looker: every column of the product's rows, also those that are not ours, roots first.
func (t *Target) Lookup(ctx context.Context, v sink.View, key []schemas.Value) ([]sink.Found, error) {
	vp, err := t.viewPlan(ctx, v)
	if err != nil {
		return nil, err
	}
	var out []sink.Found
	for _, p := range vp.all() {
		f := sink.Found{Table: p.name}
		same, ok := p.appendSame(nil, key)
		if ok {
			order := ""
			if p.list >= 0 {
				order = " ORDER BY " + quoteNames(p.names(p.keyParentFirst()))
			}
			f.Columns, f.Rows, err = t.rows(ctx, "SELECT * FROM "+quoteName(p.name)+" WHERE "+string(same)+order)
			if err != nil {
				return nil, environment("sink "+t.name, fmt.Errorf("look up %s in %s: %w", keyText(key), p.name, err))
			}
		}
		out = append(out, f)
	}
	return out, nil
}

// viewPlan gives the plan of a view; without a Check before, it makes one that writes nothing.
func (t *Target) viewPlan(ctx context.Context, v sink.View) (*viewPlan, error) {
	if set := t.planned.Load(); set != nil && set.views[v.Name] != nil {
		return set.views[v.Name], nil
	}
	cfg := t.cfg
	cfg.Tables = map[string]TableConfig{}
	for name, c := range t.cfg.Tables {
		if c.view() == v.Name {
			cfg.Tables[name] = c
		}
	}
	plans, faults := plan(&cfg, []sink.View{v})
	if err := faults.Err(); err != nil {
		return nil, err
	}
	vp := plans[v.Name]
	if vp == nil {
		return nil, fmt.Errorf("sink %s has no table of the view %s", t.name, v.Name)
	}
	tables, err := readCatalog(ctx, t.db, sortedNames(cfg.Tables))
	if err != nil {
		return nil, t.unreachable(err)
	}
	for _, p := range vp.all() {
		if tables[p.name] == nil {
			return nil, fmt.Errorf("database %s has no table %s", t.dbName, p.name)
		}
	}
	vp.bind(tables)
	return vp, nil
}

func (t *Target) rows(ctx context.Context, query string) (columns []string, out [][]*string, err error) {
	rows, err := t.db.QueryContext(ctx, query)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	if columns, err = rows.Columns(); err != nil {
		return nil, nil, err
	}
	for rows.Next() {
		row := make([]*string, len(columns))
		dest := make([]any, len(columns))
		for i := range row {
			dest[i] = &row[i]
		}
		if err := rows.Scan(dest...); err != nil {
			return nil, nil, err
		}
		out = append(out, row)
	}
	return columns, out, rows.Err()
}

// Keys implements sink.Pruner, over the view's root table; a view of which only lists have tables is listed by the first of them.
func (t *Target) Keys(ctx context.Context, v sink.View, after []schemas.Value, limit int) ([][]schemas.Value, error) {
	vp, err := t.viewPlan(ctx, v)
	if err != nil {
		return nil, err
	}
	p := vp.all()[0]
	names := quoteNames(p.names(p.parent))
	var conds []string
	if after != nil {
		behind, ok := p.behind(after)
		if !ok {
			return nil, fmt.Errorf("list keys of %s after %s: the key does not fit its columns", p.name, keyText(after))
		}
		conds = append(conds, behind)
	}
	if p.soft >= 0 {
		conds = append(conds, p.living())
	}
	query := "SELECT DISTINCT " + names + " FROM " + quoteName(p.name)
	if len(conds) > 0 {
		query += " WHERE " + strings.Join(conds, " AND ")
	}
	_, rows, err := t.rows(ctx, query+" ORDER BY "+names+fmt.Sprintf(" LIMIT %d", limit))
	if err != nil {
		return nil, environment("sink "+t.name, fmt.Errorf("list keys of %s: %w", p.name, err))
	}
	out := make([][]schemas.Value, len(rows))
	for i, r := range rows {
		for j, k := range p.parent {
			s, valid := "", r[j] != nil
			if valid {
				s = *r[j]
			}
			out[i] = append(out[i], parseText(p.columns[k].typ, s, valid))
		}
	}
	return out, nil
}

// behind is the condition of keys after one: "(`a` > 'a' OR `a` = 'a' AND `b` > 1)", of which the optimizer makes a range, other than of "(a, b) > ('a', 1)".
func (p *tablePlan) behind(key []schemas.Value) (string, bool) {
	var or []string
	same := ""
	for i, k := range p.parent {
		c := &p.columns[k]
		literal, u := c.write.append(nil, key[i])
		if u != nil {
			return "", false
		}
		name := quoteName(c.name)
		or = append(or, same+name+" > "+string(literal))
		same += name + " = " + string(literal) + " AND "
	}
	return "(" + strings.Join(or, " OR ") + ")", true
}

// Prune implements sink.Pruner. Locking the partitions' rows of shelfstream_offsets is what keeps every session of the topic out.
func (t *Target) Prune(ctx context.Context, v sink.View, keys [][]schemas.Value, still func(map[int32]int64) ([]bool, error)) (n int, err error) {
	vp, err := t.viewPlan(ctx, v)
	if err != nil {
		return 0, err
	}
	tx, err := t.db.BeginTx(ctx, nil)
	if err != nil {
		return 0, t.unreachable(err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(environment("sink "+t.name, err), ignoreDone(tx.Rollback()))
		}
	}()
	next := map[int32]int64{}
	err = scanAll(ctx, tx, "SELECT `partition`, next_offset FROM shelfstream_offsets WHERE sink = ? AND topic = ? FOR UPDATE", func(scan func(...any) error) error {
		var p int32
		var o int64
		err := scan(&p, &o)
		next[p] = o
		return err
	}, t.name, v.Topic)
	if err != nil {
		return 0, err
	}
	remove, err := still(next)
	if err != nil {
		return 0, err
	}
	var st statements
	st.reset(vp)
	e := encoder{sink: t.name, st: st}
	for i, k := range keys {
		if remove[i] {
			n++
			if f := e.addTombstone(vp, &sink.Record{KeyValues: k}); f != nil {
				return 0, f
			}
		}
	}
	b := packetBuilder{limit: packetLimit / 8, rows: t.cfg.MaxRows}
	if err = e.st.leaving(ctx, tx, b.limit, b.rows); err != nil {
		return 0, err
	}
	b.add(&e.st)
	for _, packet := range b.finish() {
		if _, err = tx.ExecContext(ctx, string(packet)); err != nil {
			return 0, err
		}
	}
	return n, tx.Commit()
}

// KeepsOthers implements sink.Pruner.
func (t *Target) KeepsOthers(v sink.View) bool {
	for _, c := range t.cfg.Tables {
		if c.view() == v.Name && c.KeepOthers {
			return true
		}
	}
	return false
}

// Compare implements sink.Pruner.
func (t *Target) Compare(ctx context.Context, v sink.View, asked bool) (func(context.Context, bool) error, error) {
	type row struct{ partition, epoch int64 }
	var at []row
	err := scanAll(ctx, t.db, "SELECT `partition`, epoch FROM shelfstream_offsets WHERE sink = ? AND topic = ?", func(scan func(...any) error) error {
		var r row
		err := scan(&r.partition, &r.epoch)
		at = append(at, r)
		return err
	}, t.name, v.Topic)
	if err != nil {
		return nil, environment("sink "+t.name, err)
	}
	return func(ctx context.Context, others bool) error {
		state := pruneNone
		if others {
			state = pruneOthers
		}
		for _, r := range at {
			_, err := t.db.ExecContext(ctx, "UPDATE shelfstream_offsets SET prune = ?, updated_at = UTC_TIMESTAMP(6) WHERE sink = ? AND topic = ? AND `partition` = ? AND epoch = ? AND (prune <> ? OR ?)",
				state, t.name, v.Topic, r.partition, r.epoch, pruneAsked, asked)
			if err != nil {
				return environment("sink "+t.name, err)
			}
		}
		return nil
	}, nil
}

// Rewind implements sink.Rewinder.
func (t *Target) Rewind(ctx context.Context, p sink.Partition, to int64, prune bool) (place sink.Place, err error) {
	tx, err := t.db.BeginTx(ctx, nil)
	if err != nil {
		return place, t.unreachable(err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(environment("sink "+t.name, err), ignoreDone(tx.Rollback()))
		}
	}()
	cond := condition(t.name, p)
	row, found, err := readOffset(ctx, tx, cond, " FOR UPDATE")
	if err != nil || !found {
		return row.Place, errors.Join(err, ignoreDone(tx.Rollback()))
	}
	until := int64(endOfTopic)
	if to >= row.Next {
		to, until = row.Next, row.ReplayUntil
	}
	_, err = tx.ExecContext(ctx, "UPDATE shelfstream_offsets SET epoch = epoch + 1, next_offset = ?, replay_until = ?, prune = IF(?, 1, prune) WHERE "+cond, to, until, prune)
	if err != nil {
		return row.Place, err
	}
	return row.Place, tx.Commit()
}
