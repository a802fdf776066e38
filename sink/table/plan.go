package table

import (
	"fmt"
	"slices"
	"strings"

	"shelfstream/internal/fault"
	"shelfstream/schemas"
	"shelfstream/sink"
)

// origin says where a column's value comes from.
type origin uint8

const (
	fromRow      origin = iota // Record.Row[index]
	fromElement                // the list element's field index (or the element itself, if it is no record)
	fromPosition               // the element's index in the list, from 0
	fromLiving                 // soft delete: what marks a row that is there
)

// columnPlan is one column that is written.
type columnPlan struct {
	name   string
	field  string // the view's, for messages: "price", "images.url"
	origin origin
	index  int
	typ    schemas.Type
	key    bool
	owned  ownership

	// Bound to the existing column:
	info  ColumnInfo
	write Writer
	line  LineWriter
}

// tablePlan is one table that is written.
type tablePlan struct {
	name    string
	at      int // in viewPlan.tables
	cfg     TableConfig
	d       *Dialect
	view    sink.View
	list    int // index of the list in the view's columns; -1 for a root table
	columns []columnPlan
	key     []int    // columns that name a row
	parent  []int    // of a list's table: the key columns that name the product; of a root table: key
	soft    int      // the soft delete column; -1 none
	never   []string // columns that 'columns' leaves to others

	// Bound to the existing table:
	exists    *Info
	secondary []UniqueIndex
	keeps     bool // a column of a unique index is owned by others: see kept
	guard     bool // the upsert must make sure that it meets its own row only
	insert    string
	onDup     string
	version   uint64 // of the columns and their types
	atOnce    int    // most rows that one DELETE names
	byKey     string // a hint to use the index on key
}

// viewPlan is every table made of one view, roots first.
type viewPlan struct {
	d     *Dialect
	view  sink.View
	roots []*tablePlan
	lists []*tablePlan

	tables []*tablePlan // roots, then lists
	order  []*tablePlan // in which rows are written, so that foreign keys hold
}

// where names a table in messages.
func (p *tablePlan) where() string { return "table " + p.name }

func (p *tablePlan) names(idx []int) []string {
	n := make([]string, len(idx))
	for i, c := range idx {
		n[i] = p.columns[c].name
	}
	return n
}

// plan lays a configuration over the views' shapes. It needs no connection.
func plan(d *Dialect, cfg *Config, views []sink.View) (map[string]*viewPlan, fault.List) {
	var faults fault.List
	plans := map[string]*viewPlan{}
	for _, v := range views {
		plans[v.Name] = &viewPlan{d: d, view: v}
	}
	for _, name := range SortedNames(cfg.Tables) {
		t := cfg.Tables[name]
		var vp *viewPlan
		for _, v := range views {
			if t.of(v.Name) {
				vp = plans[v.Name]
			}
		}
		if vp == nil {
			faults.Add(&fault.Fault{
				Class: fault.Config, Where: cfg.Section + ".tables." + name + ".from", What: fmt.Sprintf("there is no view %q", t.view()),
				Fix: "write one of " + strings.Join(SortedNames(plans), ", "),
			})
			continue
		}
		b := planner{d: d, section: cfg.Section, name: name, cfg: t, view: vp.view, faults: &faults}
		if p := b.build(); p != nil {
			if p.list < 0 {
				vp.roots = append(vp.roots, p)
			} else {
				vp.lists = append(vp.lists, p)
			}
		}
	}
	for _, vp := range plans {
		if len(vp.roots) == 0 && len(vp.lists) == 0 {
			delete(plans, vp.view.Name)
		}
		vp.tables = append(append([]*tablePlan{}, vp.roots...), vp.lists...)
		for i, p := range vp.tables {
			p.at = i
		}
		vp.order = vp.tables
	}
	return plans, faults
}

// planner builds one table's plan.
type planner struct {
	d       *Dialect
	section string
	name    string
	cfg     TableConfig
	view    sink.View
	faults  *fault.List
	list    int
	elem    *schemas.Type // of the list
}

func (b *planner) fail(key, what, fix string) {
	b.faults.Add(&fault.Fault{Class: fault.Config, Where: b.section + ".tables." + b.name + key, What: what, Fix: fix})
}

func (b *planner) build() *tablePlan {
	before := len(*b.faults)
	b.list = -1
	if name := b.cfg.listOf(b.view.Name); name != "" {
		b.list = b.view.Table.Column(name)
		if b.list < 0 || b.view.Table.Columns[b.list].Type.Kind != schemas.KindArray {
			b.fail(".from", fmt.Sprintf("view %s has no list %q", b.view.Name, name), "write one of its lists: "+orNone(b.lists()))
			return nil
		}
		b.elem = b.view.Table.Columns[b.list].Type.Elem
		if b.cfg.soft() || b.cfg.updates() { // else said before
			b.fail(".from", "rows of a list come and go with it: they are neither deleted softly nor others' to make", "remove 'delete' and 'missing'")
		}
	}
	p := &tablePlan{d: b.d, name: b.name, cfg: b.cfg, view: b.view, list: b.list, soft: -1}
	if b.takesAll() {
		p.columns = b.allColumns()
	} else {
		for _, target := range SortedNames(b.cfg.Columns) {
			from := b.cfg.Columns[target].from(target)
			switch c, ok := b.resolve(from); {
			case !ok && (b.cfg.Columns[target].Write != writeNever || b.cfg.Columns[target].From != ""):
				b.fail(".columns."+target, fmt.Sprintf("there is no field %q in %s", from, b.cfg.From), "write one of "+strings.Join(b.fields(), ", "))
			case b.cfg.Columns[target].Write == writeNever:
			default:
				c.name = target
				p.columns = append(p.columns, c)
			}
		}
		b.addKey(p)
	}
	if soft := b.cfg.softColumn(); soft != "" {
		p.soft = len(p.columns)
		p.columns = append(p.columns, columnPlan{name: soft, field: soft, origin: fromLiving, typ: schemas.Type{Kind: schemas.KindBool}})
	}
	b.keys(p)
	b.owned(p)
	b.changes(p)
	for _, r := range b.cfg.Round {
		if !slices.ContainsFunc(p.columns, func(c columnPlan) bool { return c.name == r }) {
			b.fail(".round", fmt.Sprintf("the table gets no column %q", r), "remove it from the list")
		}
	}
	if len(*b.faults) > before {
		return nil
	}
	return p
}

// allColumns is what a table gets without 'columns'.
func (b *planner) allColumns() []columnPlan {
	var out []columnPlan
	add := func(field string) {
		if c, ok := b.resolve(field); ok && !b.leaves(field) && !slices.ContainsFunc(out, func(o columnPlan) bool { return o.name == field }) {
			c.name = field
			out = append(out, c)
		}
	}
	for _, k := range b.view.Table.Key {
		add(b.view.Table.Columns[k].Name)
	}
	if b.list < 0 {
		for _, c := range b.view.Table.Columns {
			if c.Type.Kind != schemas.KindArray || c.Type.Elem.Kind != schemas.KindRecord {
				add(c.Name)
			}
		}
		return out
	}
	add(positionCol)
	for _, f := range b.elementFields() {
		add(f)
	}
	return out
}

// addKey adds the columns of the view's key (and position) that 'columns' leaves out.
func (b *planner) addKey(p *tablePlan) {
	need := []string{}
	for _, k := range b.view.Table.Key {
		need = append(need, b.view.Table.Columns[k].Name)
	}
	if b.list >= 0 && len(b.cfg.Key) == 0 {
		need = append(need, positionCol)
	}
	for i, field := range need {
		c, ok := b.resolve(field)
		if ok && !slices.ContainsFunc(p.columns, func(o columnPlan) bool { return o.origin == c.origin && o.index == c.index }) {
			c.name = field
			p.columns = slices.Insert(p.columns, min(i, len(p.columns)), c)
		}
	}
}

// keys finds the columns that name a row, and the product.
func (b *planner) keys(p *tablePlan) {
	for i := range p.columns {
		c := &p.columns[i]
		if c.origin == fromRow && slices.Contains(b.view.Table.Key, c.index) && !slices.ContainsFunc(p.parent, func(o int) bool { return p.columns[o].index == c.index }) {
			p.parent = append(p.parent, i)
		}
	}
	slices.SortFunc(p.parent, func(x, y int) int {
		return slices.Index(b.view.Table.Key, p.columns[x].index) - slices.Index(b.view.Table.Key, p.columns[y].index)
	})
	if len(b.cfg.Key) > 0 {
		for _, k := range b.cfg.Key {
			i := slices.IndexFunc(p.columns, func(c columnPlan) bool { return c.name == k })
			if i < 0 {
				b.fail(".key", fmt.Sprintf("the table gets no column %q", k), "name columns that are written")
				return
			}
			p.key = append(p.key, i)
		}
		for _, i := range p.parent {
			if !slices.Contains(p.key, i) {
				b.fail(".key", fmt.Sprintf("lacks %s, without which two products could share a row", p.columns[i].name), "add it")
			}
		}
		if b.list < 0 && len(p.key) != len(p.parent) {
			b.fail(".key", "names more columns than the view's key", "name the columns of the view's key: "+strings.Join(p.names(p.parent), ", "))
		}
	} else {
		p.key = slices.Clone(p.parent)
		if b.list >= 0 {
			pos, _ := b.resolve(positionCol)
			if i := slices.IndexFunc(p.columns, func(c columnPlan) bool { return c.origin == pos.origin && c.index == pos.index }); i >= 0 {
				p.key = append(p.key, i)
			}
		}
	}
	for _, i := range p.key {
		p.columns[i].key = true
	}
}

// resolve finds a field: of the element, then of the product.
func (b *planner) resolve(field string) (columnPlan, bool) {
	t := b.view.Table
	if b.list < 0 {
		i := t.Column(field)
		if i < 0 {
			return columnPlan{}, false
		}
		return columnPlan{field: field, origin: fromRow, index: i, typ: t.Columns[i].Type}, true
	}
	// The product's key stands before a field of the element that has the same name, which says the same.
	if i := t.Column(field); i >= 0 && slices.Contains(t.Key, i) {
		return columnPlan{field: field, origin: fromRow, index: i, typ: t.Columns[i].Type}, true
	}
	list := t.Columns[b.list].Name
	if b.elem.Kind == schemas.KindRecord {
		for i := range b.elem.Fields {
			if b.elem.Fields[i].Name == field {
				return columnPlan{field: list + "." + field, origin: fromElement, index: i, typ: b.elem.Fields[i].Type}, true
			}
		}
	} else if field == "value" {
		return columnPlan{field: list, origin: fromElement, index: -1, typ: *b.elem}, true
	}
	if field == positionCol {
		return columnPlan{field: list + "." + positionCol, origin: fromPosition, typ: schemas.Type{Kind: schemas.KindInt, Bits: 32}}, true
	}
	if i := t.Column(field); i >= 0 && i != b.list {
		return columnPlan{field: field, origin: fromRow, index: i, typ: t.Columns[i].Type}, true
	}
	return columnPlan{}, false
}

func (b *planner) elementFields() []string {
	if b.elem.Kind != schemas.KindRecord {
		return []string{"value"}
	}
	var f []string
	for _, c := range b.elem.Fields {
		f = append(f, c.Name)
	}
	return f
}

func (b *planner) fields() []string {
	var f []string
	if b.list >= 0 {
		f = append(b.elementFields(), positionCol)
	}
	for i, c := range b.view.Table.Columns {
		if i != b.list {
			f = append(f, c.Name)
		}
	}
	return f
}

func (b *planner) lists() []string {
	var l []string
	for _, c := range b.view.Table.Columns {
		if c.Type.Kind == schemas.KindArray {
			l = append(l, c.Name)
		}
	}
	return l
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "it has none"
	}
	return strings.Join(names, ", ")
}
