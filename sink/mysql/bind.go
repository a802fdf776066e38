package mysql

import (
	"slices"
	"strings"

	"shelfstream/schemas"
)

// bind ties a view's plans to their existing tables, and finds the order in which they can be written.
func (vp *viewPlan) bind(tables map[string]*tableInfo) {
	for _, p := range vp.tables {
		p.bind(tables[p.name])
	}
	vp.order = make([]*tablePlan, 0, len(vp.tables))
	rest := slices.Clone(vp.tables)
	for len(rest) > 0 {
		// The first that refers to none of the others by a foreign key; where all do, they go in a circle and the first is as good as any.
		next := max(0, slices.IndexFunc(rest, func(p *tablePlan) bool {
			return !slices.ContainsFunc(rest, func(o *tablePlan) bool { return o != p && slices.Contains(tables[p.name].refers, o.name) })
		}))
		vp.order = append(vp.order, rest[next])
		rest = slices.Delete(rest, next, next+1)
	}
}

// bind ties a plan to its existing table: the writers learn their columns, and the fixed parts of the upsert are made.
func (p *tablePlan) bind(t *tableInfo) {
	p.guard = false
	for i := range p.columns {
		c := &p.columns[i]
		info, _ := t.column(c.name)
		if c.typ.Kind == schemas.KindUUID && info.class == classBytes && info.octets == 16 {
			info.class = classBinUUID
		}
		c.write = writer{col: info, typ: c.typ, round: p.cfg.rounds(c.name), null: p.cfg.Infinity == infNull}
		if c.key && !info.exactText() {
			p.guard = true
		}
	}
	p.secondary = t.secondary(p.names(p.key))
	p.guard = p.guard || len(p.secondary) > 0
	p.keeps = slices.ContainsFunc(p.columns, func(c columnPlan) bool {
		return c.owned != ownedByView && slices.ContainsFunc(p.secondary, func(u uniqueIndex) bool { return containsFold(u.columns, c.name) })
	})
	p.atOnce = 1
	if t.rows >= largeRows {
		p.atOnce = fewKeys
	}
	p.byKey = ""
	if i := slices.IndexFunc(t.uniques, func(u uniqueIndex) bool { return u.sameColumns(p.names(p.key)) }); i >= 0 {
		p.byKey = " FORCE INDEX (" + quoteName(t.uniques[i].name) + ")"
	}

	names := make([]string, len(p.columns))
	for i := range p.columns {
		names[i] = p.columns[i].name
	}
	p.insert = "INSERT INTO " + quoteName(p.name) + " (" + quoteNames(names) + ") VALUES "
	p.onDup = p.update()
}

// update is the ON DUPLICATE KEY UPDATE part.
//
// MySQL takes that branch when any unique index is met, so a new product with the EAN of another would overwrite the other. Where that can
// happen, the first assignment is a guard: unless the row met has the key of the row to write, byte for byte, it sets a key column, which
// is NOT NULL, to null, and in strict mode the whole statement fails and changes nothing.
func (p *tablePlan) update() string {
	var set []string
	if p.guard {
		var same []string
		for _, i := range p.key {
			n := quoteName(p.columns[i].name)
			if p.columns[i].write.col.class == classText {
				same = append(same, "CAST("+n+" AS BINARY) = CAST(VALUES("+n+") AS BINARY)")
			} else {
				same = append(same, n+" = VALUES("+n+")")
			}
		}
		n := quoteName(p.columns[p.key[0]].name)
		set = append(set, n+" = IF("+strings.Join(same, " AND ")+", "+n+", NULL)")
	}
	for i := range p.columns {
		if c := &p.columns[i]; !c.key && c.owned != ownedOnceMade {
			set = append(set, quoteName(c.name)+" = "+c.newValue())
		}
	}
	if len(set) == 0 {
		n := quoteName(p.columns[p.key[0]].name)
		set = append(set, n+" = "+n)
	}
	return " ON DUPLICATE KEY UPDATE " + strings.Join(set, ", ")
}
