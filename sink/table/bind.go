package table

import (
	"hash/fnv"
	"slices"
	"strings"

	"shelfstream/schemas"
)

// bind ties a view's plans to their existing tables, and finds the order in which they can be written.
func (vp *viewPlan) bind(tables map[string]*Info) {
	for _, p := range vp.tables {
		p.bind(tables[p.name])
	}
	vp.order = make([]*tablePlan, 0, len(vp.tables))
	rest := slices.Clone(vp.tables)
	for len(rest) > 0 {
		// The first that refers to none of the others by a foreign key; where all do, they go in a circle and the first is as good as any.
		next := max(0, slices.IndexFunc(rest, func(p *tablePlan) bool {
			return !slices.ContainsFunc(rest, func(o *tablePlan) bool { return o != p && slices.Contains(tables[p.name].Refers, o.name) })
		}))
		vp.order = append(vp.order, rest[next])
		rest = slices.Delete(rest, next, next+1)
	}
}

// bind ties a plan to its existing table: the writers learn their columns, and the fixed parts of the upsert are made.
func (p *tablePlan) bind(t *Info) {
	p.exists, p.guard = t, false
	for i := range p.columns {
		c := &p.columns[i]
		info, _ := t.column(c.name)
		if c.typ.Kind == schemas.KindUUID && info.Class == ClassBytes && info.Octets == 16 {
			info.Class = ClassBinUUID
		}
		c.info = info
		c.write = p.d.Writer(&c.info, WriterOptions{Type: c.typ, Round: p.cfg.rounds(c.name), Null: p.cfg.Infinity == infNull})
		c.line, _ = c.write.(LineWriter)
		if c.key && !info.exactText() {
			p.guard = true
		}
	}
	v := fnv.New64a()
	v.Write([]byte(p.name + "\x1f")) // never fails
	for i := range p.columns {
		v.Write([]byte(p.columns[i].name + "\x1f" + p.columns[i].info.Type + "\x1f"))
	}
	p.version = v.Sum64()
	key := p.names(p.key)
	p.secondary = t.secondary(key)
	p.guard = p.guard || len(p.secondary) > 0
	p.keeps = slices.ContainsFunc(p.columns, func(c columnPlan) bool {
		return c.owned != ownedByView && slices.ContainsFunc(p.secondary, func(u UniqueIndex) bool { return containsFold(u.Columns, c.name) })
	})
	p.atOnce = p.d.FewAtOnce(t.Rows)
	p.byKey = ""
	if i := slices.IndexFunc(t.Uniques, func(u UniqueIndex) bool { return u.sameColumns(key) }); i >= 0 {
		p.byKey = p.d.ByIndex(t.Uniques[i].Name)
	}
	p.insert = "INSERT INTO " + p.d.Table(p.name) + " (" + p.d.quoteNames(p.allNames()) + ") "
	p.onDup = p.update()
}

func (p *tablePlan) allNames() []string {
	names := make([]string, len(p.columns))
	for i := range p.columns {
		names[i] = p.columns[i].name
	}
	return names
}

// update is the part of the upsert that says what becomes of a row that is there.
//
// MySQL takes that branch when any unique index is met, so a new product with the EAN of another would overwrite the other. Where that can
// happen, the first assignment is a guard: unless the row met has the key of the row to write, byte for byte, it sets a key column, which
// is NOT NULL, to null, and in strict mode the whole statement fails and changes nothing.
func (p *tablePlan) update() string {
	var set []string
	if p.guard && p.d.Guard != nil {
		var key []*ColumnInfo
		for _, i := range p.key {
			key = append(key, &p.columns[i].info)
		}
		set = append(set, p.d.Guard(key))
	}
	for i := range p.columns {
		if c := &p.columns[i]; !c.key && c.owned != ownedOnceMade {
			set = append(set, p.d.Quote(c.name)+" = "+p.newValue(c))
		}
	}
	if len(set) == 0 {
		n := p.d.Quote(p.columns[p.key[0]].name)
		set = append(set, n+" = "+p.d.Table(p.name)+"."+n)
	}
	return p.d.Conflict(p.names(p.key)) + strings.Join(set, ", ")
}
