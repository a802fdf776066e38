package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"shelfstream/internal/fault"
	"shelfstream/schemas"
	"shelfstream/sink"
)

// rival is the row that has a value which a product wants.
type rival struct {
	plan    *tablePlan
	index   string
	columns []string
	value   string          // of the index, for people
	key     []schemas.Value // of the product the row belongs to
	row     *sink.Record    // the product that wants it
	cond    string          // finds the rival's row
	free    []*columnPlan   // columns of the index that are ours to change
}

// lookFor is one row's values of one unique index.
type lookFor struct {
	plan  *tablePlan
	index uniqueIndex
	cond  string // the index has the values
	other string // and the row is not the product's own
	value string
}

// rival finds the row because of which a record was refused: the first unique index on which another product has its values. The database compares, with
// the collation of its own columns. nil if there is none (any more), or the index covers what is not ours to see.
func (c *carefulTx) rival(ctx context.Context, r *sink.Record) (*rival, error) {
	for _, l := range c.wanted(r) {
		query := "SELECT " + quoteNames(l.plan.names(l.plan.parent)) + " FROM " + quoteName(l.plan.name) + " WHERE " + l.cond + " AND " + l.other + " LIMIT 1"
		text := make([]sql.NullString, len(l.plan.parent))
		dest := make([]any, len(text))
		for i := range text {
			dest[i] = &text[i]
		}
		err := c.conn.QueryRowContext(ctx, query).Scan(dest...)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return nil, err
		}
		v := &rival{plan: l.plan, index: l.index.name, columns: l.index.columns, value: l.value, row: r, cond: l.cond + " AND " + l.other}
		for i, k := range l.plan.parent {
			v.key = append(v.key, parseText(l.plan.columns[k].typ, text[i].String, text[i].Valid))
		}
		for i := range l.plan.columns {
			if col := &l.plan.columns[i]; !col.key && containsFold(l.index.columns, col.name) {
				v.free = append(v.free, col)
			}
		}
		return v, nil
	}
	return nil, nil
}

// wanted lists the unique index values of a record's rows. Indexes with a null among the values, which never clash, and indexes over columns we
// do not write are left out.
func (c *carefulTx) wanted(r *sink.Record) []lookFor {
	if r.Row == nil {
		return nil
	}
	var out []lookFor
	for _, p := range c.vp.all() {
		if !p.guard {
			continue
		}
		indexes := p.secondary
		if p.list < 0 {
			indexes = append([]uniqueIndex{{name: "its key", columns: p.names(p.key)}}, indexes...)
			out = p.lookFor(out, indexes, r, nil, 0)
			continue
		}
		for i := range r.Row[p.list].List {
			out = p.lookFor(out, indexes, r, &r.Row[p.list].List[i], i)
		}
	}
	return out
}

func (p *tablePlan) lookFor(out []lookFor, indexes []uniqueIndex, r *sink.Record, elem *schemas.Value, pos int) []lookFor {
	literal := func(c *columnPlan) string {
		b, u := c.write.append(nil, c.value(r, elem, pos))
		if u != nil {
			return null
		}
		return string(b)
	}
	var own []string
	for _, k := range p.key {
		c := &p.columns[k]
		if c.write.col.class == classText {
			own = append(own, "CAST("+quoteName(c.name)+" AS BINARY) = CAST("+literal(c)+" AS BINARY)")
		} else {
			own = append(own, quoteName(c.name)+" = "+literal(c))
		}
	}
next:
	for _, ix := range indexes {
		if ix.prefix {
			continue
		}
		var cond, value []string
		for _, name := range ix.columns {
			c := p.byName(name)
			if c == nil {
				continue next
			}
			v := c.value(r, elem, pos)
			if v.IsNull() {
				continue next
			}
			cond = append(cond, quoteName(c.name)+" = "+literal(c))
			value = append(value, v.String())
		}
		out = append(out, lookFor{plan: p, index: ix, cond: strings.Join(cond, " AND "), other: "NOT (" + strings.Join(own, " AND ") + ")", value: strings.Join(value, "/")})
	}
	return out
}

func (p *tablePlan) byName(name string) *columnPlan {
	for i := range p.columns {
		if strings.EqualFold(p.columns[i].name, name) {
			return &p.columns[i]
		}
	}
	return nil
}

func containsFold(names []string, name string) bool {
	for _, n := range names {
		if strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}

// fault names both products.
func (v *rival) fault(sinkName string, vp *viewPlan, r *sink.Record) *fault.Fault {
	ours, theirs := keyText(r.KeyValues), keyText(v.key)
	what := fmt.Sprintf("%s %s of table %s is %q, which %s %s already has (unique index %s)",
		plural(len(v.columns)), strings.Join(v.columns, ", "), v.plan.name, v.value, vp.view.Name, theirs, v.index)
	if ours == theirs {
		what = fmt.Sprintf("two rows of it would have %q in %s of table %s (unique index %s)", v.value, strings.Join(v.columns, ", "), v.plan.name, v.index)
	}
	return &fault.Fault{
		Class: fault.Runtime, Where: fmt.Sprintf("sink %s: %s %s", sinkName, vp.view.Name, ours), What: what,
		Fix: fmt.Sprintf("give %s or %s another value in the source; %s is written by itself as soon as %s gives the value up", ours, theirs, ours, theirs),
	}
}

func plural(n int) string {
	if n == 1 {
		return "column"
	}
	return "columns"
}

func (v *rival) waitKey() waitKey { return waitKeyOf(v.plan.name, v.key) }

// swap applies products that want each other's values (A takes B's EAN, B takes A's): it frees the values first, by null or a text
// that nobody has, and then writes them all. If any of them still cannot be written, nothing was done.
func (c *carefulTx) swap(ctx context.Context, refused []refusal) ([]refusal, error) {
	var cycle []refusal
	var rest []refusal
	var free []string
	for _, r := range refused {
		var v *rival
		if isConflict(r.err) {
			var err error
			if v, err = c.rival(ctx, r.record); err != nil {
				return nil, err
			}
		}
		set := ""
		if v != nil && wants(refused, v.key) {
			set = v.release()
		}
		if set == "" {
			rest = append(rest, r)
			continue
		}
		free = append(free, "UPDATE "+quoteName(v.plan.name)+" SET "+set+" WHERE "+v.cond)
		cycle = append(cycle, r)
	}
	if len(cycle) < 2 {
		return refused, nil
	}
	if _, err := c.conn.ExecContext(ctx, "SAVEPOINT shelfstream_swap"); err != nil {
		return nil, err
	}
	for _, u := range free {
		if _, err := c.conn.ExecContext(ctx, u); isData(err) {
			return refused, c.back(ctx, "shelfstream_swap", nil)
		} else if err != nil {
			return nil, err
		}
	}
	records := make([]*sink.Record, len(cycle))
	for i := range cycle {
		records[i] = cycle[i].record
	}
	still, err := c.bisect(ctx, records)
	if err != nil {
		return nil, err
	}
	if len(still) > 0 {
		return refused, c.back(ctx, "shelfstream_swap", nil)
	}
	return rest, nil
}

// wants says whether one of the refused products has this key.
func wants(refused []refusal, key []schemas.Value) bool {
	for _, r := range refused {
		if keyText(r.record.KeyValues) == keyText(key) && r.record.Row != nil {
			return true
		}
	}
	return false
}

// release is the assignment that frees the index' value, "" if there is none that is sure to be allowed.
func (v *rival) release() string {
	for _, c := range v.free {
		if c.write.col.nullable {
			return quoteName(c.name) + " = NULL"
		}
	}
	for _, c := range v.free {
		if w := c.write.col; w.class == classText && (w.length == 0 || w.length >= 12) {
			return quoteName(c.name) + " = LEFT(CONCAT('~', UUID_SHORT()), 20)"
		}
	}
	return ""
}
