package table

import (
	"bytes"
	"context"
	"fmt"
	"slices"
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

// keyIndex names the unique index on a table's key.
const keyIndex = "its key"

// lookFor is one row's values of one unique index.
type lookFor struct {
	plan  *tablePlan
	index UniqueIndex
	cond  string // the index has the values
	other string // and the row is not the product's own
	value string
}

// rival finds the row because of which a record was refused: the first unique index on which another row has its values. nil if there is none (any more), or the
// index covers what is not ours to see.
func (c *carefulTx) rival(ctx context.Context, r *sink.Record) (*rival, error) {
	all, err := c.rivals(ctx, r, 1)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return all[0], nil
}

// rivals finds the rows that have values which a record's rows want, at most limit of them. The database compares, with the collation of its own columns.
func (c *carefulTx) rivals(ctx context.Context, r *sink.Record, limit int) ([]*rival, error) {
	var out []*rival
	wanted, err := c.wanted(ctx, r)
	if err != nil {
		return nil, err
	}
	for _, l := range wanted {
		var text [][]byte
		q := "SELECT " + l.plan.d.quoteNames(l.plan.names(l.plan.parent)) + " FROM " + l.plan.d.Table(l.plan.name) + " WHERE " + l.cond + " AND " + l.other + " LIMIT 1"
		err := query(ctx, c.conn, q, func(vals [][]byte) error {
			for _, v := range vals {
				text = append(text, bytes.Clone(v))
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		if text == nil {
			continue
		}
		v := &rival{plan: l.plan, index: l.index.Name, columns: l.index.Columns, value: l.value, row: r, cond: l.cond + " AND " + l.other}
		for i, k := range l.plan.parent {
			v.key = append(v.key, l.plan.parse(k, text[i]))
		}
		for i := range l.plan.columns {
			if col := &l.plan.columns[i]; !col.key && col.owned == ownedByView && containsFold(l.index.Columns, col.name) {
				v.free = append(v.free, col)
			}
		}
		if out = append(out, v); len(out) == limit {
			break
		}
	}
	return out, nil
}

// wanted lists the unique index values of a record's rows. Indexes with a null among the values, which never clash, and indexes over columns we
// do not write are left out. Of a column that is owned by others an existing row wants what it has.
func (c *carefulTx) wanted(ctx context.Context, r *sink.Record) ([]lookFor, error) {
	if r.Row == nil {
		return nil, nil
	}
	var out []lookFor
	for _, p := range c.vp.all() {
		if !p.guard {
			continue
		}
		indexes := p.secondary
		if p.list < 0 {
			indexes = append([]UniqueIndex{{Name: keyIndex, Columns: p.names(p.key)}}, indexes...)
			kept, err := c.kept(ctx, p, r, nil, 0)
			if err != nil {
				return nil, err
			}
			out = p.lookFor(out, indexes, kept, r, nil, 0)
			continue
		}
		for i := range r.Row[p.list].List {
			elem := &r.Row[p.list].List[i]
			kept, err := c.kept(ctx, p, r, elem, i)
			if err != nil {
				return nil, err
			}
			out = p.lookFor(out, indexes, kept, r, elem, i)
		}
	}
	return out, nil
}

// literal is a column's value as SQL, NULL if it does not fit.
func (c *columnPlan) literal(r *sink.Record, elem *schemas.Value, pos int) string {
	b, u := c.write.Literal(nil, c.value(r, elem, pos))
	if u != nil {
		return null
	}
	return string(b)
}

// ownRow is the condition of the very row that a record or an element of it becomes.
func (p *tablePlan) ownRow(r *sink.Record, elem *schemas.Value, pos int) string {
	var own []string
	for _, k := range p.key {
		c := &p.columns[k]
		own = append(own, p.d.Same(&c.info, c.literal(r, elem, pos)))
	}
	return strings.Join(own, " AND ")
}

func (p *tablePlan) lookFor(out []lookFor, indexes []UniqueIndex, kept map[int]stored, r *sink.Record, elem *schemas.Value, pos int) []lookFor {
	own := p.ownRow(r, elem, pos)
next:
	for _, ix := range indexes {
		if ix.Partial {
			continue
		}
		var cond, value []string
		for _, name := range ix.Columns {
			i := p.byName(name)
			if i < 0 {
				continue next
			}
			c := &p.columns[i]
			v := c.value(r, elem, pos)
			has, ok := kept[i]
			if !ok {
				has = stored{literal: c.literal(r, elem, pos), text: v.String(), null: v.IsNull()}
			}
			if has.null {
				continue next
			}
			cond = append(cond, p.d.Quote(c.name)+" = "+has.literal)
			value = append(value, has.text)
		}
		out = append(out, lookFor{plan: p, index: ix, cond: strings.Join(cond, " AND "), other: "NOT (" + own + ")", value: strings.Join(value, "/")})
	}
	return out
}

func (p *tablePlan) byName(name string) int {
	return slices.IndexFunc(p.columns, func(c columnPlan) bool { return strings.EqualFold(c.name, name) })
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
		Class: fault.Runtime, Cause: fault.ProductUnique, Where: fmt.Sprintf("sink %s: %s %s", sinkName, vp.view.Name, ours), What: what,
		Fix: fmt.Sprintf("give %s or %s another value in the source; %s is written by itself as soon as %s gives the value up", ours, theirs, ours, theirs),
	}
}

func plural(n int) string {
	if n == 1 {
		return "column"
	}
	return "columns"
}
