package table

import (
	"context"
	"fmt"
	"slices"
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
		if same, ok := p.appendSame(nil, key); ok {
			f.Columns = p.exists.Order
			q := "SELECT " + t.d.quoteNames(f.Columns) + " FROM " + t.d.Table(p.name) + " WHERE " + string(same)
			if p.list >= 0 {
				q += " ORDER BY " + t.d.quoteNames(p.names(p.keyParentFirst()))
			}
			f.Rows, err = t.rows(ctx, q)
			if err != nil {
				return nil, t.d.Environment("sink "+t.name, fmt.Errorf("look up %s in %s: %w", keyText(key), p.name, err))
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
		if c.of(v.Name) {
			cfg.Tables[name] = c
		}
	}
	plans, faults := plan(t.d, &cfg, []sink.View{v})
	if err := faults.Err(); err != nil {
		return nil, err
	}
	vp := plans[v.Name]
	if vp == nil {
		return nil, fmt.Errorf("sink %s has no table of the view %s", t.name, v.Name)
	}
	tables, err := t.catalog(ctx, SortedNames(cfg.Tables))
	if err != nil {
		return nil, t.unreachable(err)
	}
	for _, p := range vp.all() {
		if tables[p.name] == nil {
			return nil, fmt.Errorf("database %s has no table %s", t.database, p.name)
		}
	}
	vp.bind(tables)
	return vp, nil
}

func (t *Target) catalog(ctx context.Context, want []string) (tables map[string]*Info, err error) {
	err = t.with(ctx, func(c Conn) (err error) {
		tables, err = t.d.Catalog(ctx, c, want)
		return err
	})
	return tables, err
}

func (t *Target) rows(ctx context.Context, q string) (out [][]*string, err error) {
	err = t.with(ctx, func(c Conn) error {
		return query(ctx, c, q, func(vals [][]byte) error {
			row := make([]*string, len(vals))
			for i, v := range vals {
				if v != nil {
					s := string(v)
					row[i] = &s
				}
			}
			out = append(out, row)
			return nil
		})
	})
	return out, err
}

// Keys implements sink.Pruner, over the view's first root table from which something may be removed; a view of which only lists have tables is listed by the first of them.
func (t *Target) Keys(ctx context.Context, v sink.View, after []schemas.Value, limit int) ([][]schemas.Value, error) {
	vp, err := t.viewPlan(ctx, v)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(vp.all(), func(p *tablePlan) bool { return p.removes() })
	if i < 0 {
		return nil, nil // nothing of it is ever removed
	}
	p := vp.all()[i]
	names := t.d.quoteNames(p.names(p.parent))
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
	q := "SELECT DISTINCT " + names + " FROM " + t.d.Table(p.name)
	if len(conds) > 0 {
		q += " WHERE " + strings.Join(conds, " AND ")
	}
	var out [][]schemas.Value
	err = t.with(ctx, func(c Conn) error {
		return query(ctx, c, q+" ORDER BY "+names+fmt.Sprintf(" LIMIT %d", limit), func(vals [][]byte) error {
			key := make([]schemas.Value, len(p.parent))
			for j, k := range p.parent {
				key[j] = p.parse(k, vals[j]).Clone()
			}
			out = append(out, key)
			return nil
		})
	})
	if err != nil {
		return nil, t.d.Environment("sink "+t.name, fmt.Errorf("list keys of %s: %w", p.name, err))
	}
	return out, nil
}

// behind is the condition of keys after one: "(`a` > 'a' OR `a` = 'a' AND `b` > 1)", of which the optimizer makes a range, other than of "(a, b) > ('a', 1)".
func (p *tablePlan) behind(key []schemas.Value) (string, bool) {
	var or []string
	same := ""
	for i, k := range p.parent {
		c := &p.columns[k]
		literal, u := c.write.Literal(nil, key[i])
		if u != nil {
			return "", false
		}
		name := p.d.Quote(c.name)
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
	var own error // not the database's
	err = t.within(ctx, func(c Conn) error {
		next := map[int32]int64{}
		err := query(ctx, c, "SELECT "+t.d.Quote("partition")+", next_offset FROM "+OffsetsTable+" WHERE "+t.ofTopic(v)+" FOR UPDATE", func(vals [][]byte) error {
			var p int32
			var o int64
			err := Scan(vals, &p, &o)
			next[p] = o
			return err
		})
		if err != nil {
			return err
		}
		var remove []bool
		if remove, own = still(next); own != nil {
			return own
		}
		var st statements
		st.reset(vp)
		e := encoder{sink: t.name, st: st}
		for i, k := range keys {
			if remove[i] {
				n++
				if f := e.addTombstone(vp, &sink.Record{KeyValues: k}); f != nil {
					own = f
					return own
				}
			}
		}
		b := packetBuilder{d: t.d, limit: packetLimit / 8, rows: t.cfg.MaxRows}
		if err := e.st.leaving(ctx, c, b.limit, b.rows); err != nil {
			return err
		}
		b.mark()
		b.add(&e.st, nil)
		for _, packet := range b.finish() {
			if err := c.Exec(ctx, packet); err != nil {
				return err
			}
		}
		return nil
	})
	switch {
	case own != nil:
		return 0, own
	case err != nil:
		return 0, t.d.Environment("sink "+t.name, err)
	}
	return n, nil
}

// KeepsOthers implements sink.Pruner.
func (t *Target) KeepsOthers(v sink.View) bool {
	for _, c := range t.cfg.Tables {
		if c.of(v.Name) && c.keepsOthers() {
			return true
		}
	}
	return false
}

// Compare implements sink.Pruner.
func (t *Target) Compare(ctx context.Context, v sink.View, asked bool) (func(context.Context, bool) error, error) {
	type row struct{ partition, epoch int64 }
	var at []row
	err := t.with(ctx, func(c Conn) error {
		return query(ctx, c, "SELECT "+t.d.Quote("partition")+", epoch FROM "+OffsetsTable+" WHERE "+t.ofTopic(v), func(vals [][]byte) error {
			var r row
			err := Scan(vals, &r.partition, &r.epoch)
			at = append(at, r)
			return err
		})
	})
	if err != nil {
		return nil, t.d.Environment("sink "+t.name, err)
	}
	return func(ctx context.Context, others bool) error {
		state, only := pruneNone, ""
		if others {
			state = pruneOthers
		}
		if !asked { // what is asked for is answered only by what was asked for
			only = fmt.Sprintf(" AND prune <> %d", pruneAsked)
		}
		return t.with(ctx, func(c Conn) error {
			for _, r := range at {
				err := c.Exec(ctx, fmt.Appendf(nil, "UPDATE %s SET prune = %d, updated_at = %s WHERE %s AND %s = %d AND epoch = %d%s",
					OffsetsTable, state, t.d.Now, t.ofTopic(v), t.d.Quote("partition"), r.partition, r.epoch, only))
				if err != nil {
					return t.d.Environment("sink "+t.name, err)
				}
			}
			return nil
		})
	}, nil
}

// Rewind implements sink.Rewinder.
func (t *Target) Rewind(ctx context.Context, p sink.Partition, to int64, prune bool) (place sink.Place, err error) {
	err = t.within(ctx, func(c Conn) error {
		cond := t.condition(p)
		row, found, err := t.readOffset(ctx, c, cond, " FOR UPDATE")
		place = row.Place
		if err != nil || !found {
			return err
		}
		until := int64(endOfTopic)
		if to >= row.Next {
			to, until = row.Next, row.ReplayUntil
		}
		asked := ""
		if prune {
			asked = fmt.Sprintf(", prune = %d", pruneAsked)
		}
		return c.Exec(ctx, fmt.Appendf(nil, "UPDATE %s SET epoch = epoch + 1, next_offset = %d, replay_until = %d%s WHERE %s", OffsetsTable, to, until, asked, cond))
	})
	if err != nil {
		err = t.d.Environment("sink "+t.name, err)
	}
	return place, err
}
