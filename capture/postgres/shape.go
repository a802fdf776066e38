package postgres

import (
	"cmp"
	"maps"
	"reflect"
	"slices"

	"shelfstream/capture"
	"shelfstream/internal/fault"
	"shelfstream/schemas"
)

// shape is how the rows of a captured table look, and where each of their values is found in a tuple or a COPY line.
type shape struct {
	table *schemas.Table
	types []pgType
	from  []int // for each column its index in the source's tuple
	part  []int // columns of the key and of partition_by, whose old values matter
	// beyondKey: partition_by has columns outside the key, so old rows must come whole.
	beyondKey bool
}

// sourceColumn is a column as it comes from the source.
type sourceColumn struct {
	name     string
	typ      uint32
	typmod   int32
	dims     int
	nullable bool
}

// makeShape picks the captured columns out of those that the source gives.
func (s *Source) makeShape(table string, columns []sourceColumn, key []string, types typeCatalog) (*shape, error) {
	cfg := s.cfg.Tables[table]
	sh := &shape{table: &schemas.Table{}}
	t := sh.table
	for i, c := range columns {
		if !captured(&cfg, key, c.name) {
			continue
		}
		p := types.resolve(c.typ, c.typmod, c.dims)
		isKey := contains(key, c.name)
		t.Columns = append(t.Columns, schemas.Column{Name: c.name, Type: p.typ, Nullable: !isKey && (c.nullable || p.nullable())})
		sh.types = append(sh.types, p)
		sh.from = append(sh.from, i)
	}
	for _, k := range key {
		i := t.Column(k)
		if i < 0 {
			return nil, &fault.Fault{
				Class: fault.Environment, Cause: fault.PostgresPublication, Where: s.cfg.where(table), What: "the key's column " + k + " is not in the change stream",
				Fix: "publish it: ALTER PUBLICATION " + s.cfg.Publication + " without a column list for the table, then " + s.cfg.resnapshot(table),
			}
		}
		t.Key = append(t.Key, i)
	}
	if len(t.Key) == 0 {
		return nil, &fault.Fault{
			Class: fault.Environment, Cause: fault.PostgresNoKey, Where: s.cfg.where(table), What: "the table has no key any more",
			Fix: "ALTER TABLE " + s.cfg.tableName(table) + " ADD PRIMARY KEY (…); then " + s.cfg.resnapshot(table),
		}
	}
	sh.part = slices.Clone(t.Key)
	for _, name := range cfg.PartitionBy {
		if cfg.Broadcast {
			break
		}
		i := t.Column(name)
		if i < 0 {
			return nil, &fault.Fault{
				Class: fault.Environment, Cause: fault.PostgresColumnMissing, Where: s.cfg.where(table), What: "the column " + name + ", which chooses the partition, is not in the table any more",
				Fix: "change partition_by, then " + s.cfg.resnapshot(table),
			}
		}
		if !slices.Contains(sh.part, i) {
			sh.part = append(sh.part, i)
			sh.beyondKey = true
		}
	}
	return sh, nil
}

// snapshotShape is the shape of a table as the catalogue has it; its rows come with the columns in columnsSQL.
func (s *Source) snapshotShape(t *tableInfo, c *catalog, p *publication) (*shape, []string, error) {
	var columns []sourceColumn
	var names []string
	cfg := s.cfg.Tables[t.table]
	for i := range t.columns {
		a := &t.columns[i]
		if p.publishes(t, a) && captured(&cfg, t.key(), a.name) {
			columns = append(columns, sourceColumn{a.name, a.typ, a.typmod, a.dims, !a.notNull})
			names = append(names, a.name)
		}
	}
	sh, err := s.makeShape(t.table, columns, t.key(), c.types)
	return sh, names, err
}

// relation is a Relation message, copied out of the stream's buffer.
type relation struct {
	oid          uint32
	schema, name string
	identity     byte
	columns      []sourceColumn
	keys         []string // those with the key flag: with REPLICA IDENTITY FULL, every column
}

func newRelation(m *Message) *relation {
	r := &relation{oid: m.Relation, schema: string(m.Namespace), name: string(m.Name), identity: m.Identity}
	for _, c := range m.Columns {
		r.columns = append(r.columns, sourceColumn{name: string(c.Name), typ: c.Type, typmod: c.Typmod, nullable: true})
		if c.Key {
			r.keys = append(r.keys, string(c.Name))
		}
	}
	return r
}

// matches says whether the catalogue still knows each of the relation's columns as the stream describes it.
func (r *relation) matches(t *tableInfo) bool {
	for _, c := range r.columns {
		a := t.column(c.name)
		if a == nil || a.typ != c.typ || a.typmod != c.typmod {
			return false
		}
	}
	return true
}

// relationShape is the shape of a table as the stream describes it. The stream is right about columns and types as of the place where
// it is read; the catalogue, which is as of now, adds what the stream does not tell: not null, dimensions, the key's order.
func (s *Source) relationShape(r *relation, t *tableInfo, types typeCatalog) (*shape, error) {
	columns := slices.Clone(r.columns)
	for i := range columns {
		if a := t.column(columns[i].name); a != nil && a.typ == columns[i].typ {
			columns[i].dims, columns[i].nullable = a.dims, !a.notNull
		}
	}
	key := t.key()
	if r.identity == identityDefault || r.identity == identityIndex {
		if a, b := sorted(key), sorted(r.keys); !slices.Equal(a, b) {
			key = r.keys
		}
	}
	return s.makeShape(t.table, columns, key, types)
}

// sameTable says whether two tables need no new declaration.
func sameTable(a, b *schemas.Table) bool { return reflect.DeepEqual(a, b) }

func contains(l []string, s string) bool { return slices.Contains(l, s) }

func sorted(l []string) []string { return slices.Sorted(slices.Values(l)) }

// sortedTables lists the keys of a map, so that everything happens in the same order each time.
func sortedTables[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// handles remembers what was declared to the log.
type handles map[string]declared

type declared struct {
	table  *schemas.Table
	handle capture.Handle
}
