package table

import (
	"context"
	"fmt"
	"strings"

	"shelfstream/internal/fault"
	"shelfstream/sink"
)

// Tables whose rows are others' (missing: park or skip). Rows are written by UPDATE and by nothing else, so that no race with those who make and delete them ever makes half a row: where the row
// is gone by then, nothing happens.

// updates says whether only rows that are there are written.
func (t *TableConfig) updates() bool { return t.Missing == missingPark || t.Missing == missingSkip }

func (t TableConfig) keepsOthers() bool { return t.KeepOthers || t.updates() }

func (t *TableConfig) validateMissing(bad func(key, what, fix string)) {
	switch t.Missing {
	case "", missingInsert:
		return
	case missingPark, missingSkip:
	default:
		bad(".missing", fmt.Sprintf("%q is not possible", t.Missing), "write insert, park or skip")
		return
	}
	what := "missing: " + t.Missing
	if t.list() != "" && !t.mayBeAnswers() {
		bad(".missing", "rows of a list come and go with it", "remove it, or write the list as a column of the product's row")
	}
	if t.Delete == "delete" {
		bad(".delete", "no row is deleted with "+what, "remove it, or write soft")
	}
	for _, name := range SortedNames(t.Columns) {
		if t.Columns[name].Write == writeCreate {
			bad(".columns."+name+".write", "no row is made with "+what+", so it would never be written", "write empty, to fill it once")
		}
	}
}

// changes makes sure that a table of which rows are only updated gets more than its key.
func (b *planner) changes(p *tablePlan) {
	if p.updates() && len(p.key) == len(p.columns) {
		b.fail(".columns", "nothing but the key is written, so no row would ever change", "name a field for some column of the table")
	}
}

func (p *tablePlan) updates() bool { return p.cfg.updates() }

// makes says whether a table that is not there is made. One whose rows are others' would stay empty.
func (p *tablePlan) makes() bool { return p.cfg.Create && !p.updates() }

// removes says whether a tombstone does anything.
func (p *tablePlan) removes() bool { return !p.updates() || p.soft >= 0 }

func (p *tablePlan) privileges() []string {
	if p.updates() {
		return []string{"SELECT", "UPDATE"}
	}
	return writePrivileges
}

// appendOwn appends the condition of the very row of a record: by the index first, then byte by byte.
func (p *tablePlan) appendOwn(dst []byte, r *sink.Record) ([]byte, bool) {
	dst, ok := p.appendSame(dst, r.KeyValues)
	for i, k := range p.parent {
		c := &p.columns[k]
		if !ok || c.info.Class != ClassText || c.info.exactText() {
			continue
		}
		literal, _ := c.write.Literal(nil, r.KeyValues[i]) // it fitted in appendSame
		dst = append(append(dst, " AND "...), p.d.Same(&c.info, string(literal))...)
	}
	return dst, ok
}

// addUpdate appends the UPDATE of a record's row.
func (e *encoder) addUpdate(p *tablePlan, out *tableRows, r *sink.Record) *fault.Fault {
	out.sets = append(append(append(out.sets, "UPDATE "...), p.d.Table(p.name)...), " SET "...)
	first := true
	for i := range p.columns {
		c := &p.columns[i]
		if c.key {
			continue
		}
		if !first {
			out.sets = append(out.sets, ", "...)
		}
		first = false
		name := p.d.Quote(c.name)
		out.sets = append(append(out.sets, name...), " = "...)
		if c.owned == ownedOnceFull {
			out.sets = append(append(append(out.sets, "CASE WHEN "...), p.d.Empty(&c.info)...), " THEN "...)
		}
		var u *Unfit
		if out.sets, u = c.write.Literal(out.sets, c.value(r, nil, 0)); u != nil {
			return e.unfit(p, c, r, 0, u)
		}
		if c.owned == ownedOnceFull {
			out.sets = append(append(append(out.sets, " ELSE "...), name...), " END"...)
		}
	}
	var ok bool
	if out.sets, ok = p.appendOwn(append(out.sets, " WHERE "...), r); !ok {
		return e.badKey(p, r)
	}
	out.setEnds = append(out.setEnds, len(out.sets))
	return nil
}

// absent finds the records of a batch that wait for a row of others, by their places, and the table which has none. It asks before the transaction, and so holds no lock: a row that goes after it was seen
// is updated no more, and the record of one that comes after it was missed is tried again with all that is parked.
func (s *session) absent(ctx context.Context, conn *used, vp *viewPlan, b *sink.Batch) (map[int]*tablePlan, error) {
	const union = " UNION ALL "
	out := map[int]*tablePlan{}
	for _, p := range vp.tables {
		if p.cfg.Missing != missingPark {
			continue
		}
		asked := map[int]bool{}
		var asks []byte
		var ends []int
		for i := range b.Records {
			r := &b.Records[i]
			if r.Row == nil {
				continue
			}
			before := len(asks)
			if before > 0 {
				asks = append(asks, union...)
			}
			asks = fmt.Appendf(asks, "SELECT %d FROM %s WHERE ", i, p.d.Table(p.name))
			var ok bool
			if asks, ok = p.appendOwn(asks, r); !ok {
				asks = asks[:before] // the encoder says why
				continue
			}
			ends = append(ends, len(asks))
			asked[i] = true
		}
		packets := packetBuilder{d: p.d, limit: s.packets.limit, rows: s.packets.rows}
		packets.chunksOf(fewKeys, "", asks, ends, len(union), "")
		for _, packet := range packets.finish() {
			err := conn.Query(ctx, packet, func(vals [][]byte) error {
				var i int
				err := Scan(vals, &i)
				delete(asked, i)
				return err
			})
			if err != nil {
				s.t.rollback(ctx, conn, err)
				return nil, err
			}
		}
		for i := range asked {
			out[i] = p
		}
	}
	return out, nil
}

func (p *tablePlan) absentFault(sinkName string, r *sink.Record) *fault.Fault {
	return &fault.Fault{
		Class: fault.Runtime, Cause: fault.ProductRow, Where: fmt.Sprintf("sink %s: %s %s", sinkName, p.view.Name, keyText(r.KeyValues)),
		What: fmt.Sprintf("table %s has no row with this %s, and its rows are others' to make (missing: park)", p.name, strings.Join(p.names(p.key), ", ")),
		Fix:  "nothing if the row is still to come: it is written within a minute of it; else take the product from the view by a rule, or set missing: skip for the table",
	}
}

// each writes statements that stand one behind the other, up to these ends.
func (b *packetBuilder) each(statements []byte, ends []int) {
	from := 0
	for _, to := range ends {
		b.begin(to - from + 2)
		b.buf = append(b.buf, statements[from:to]...)
		from = to
	}
}
