package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"shelfstream/capture"
)

// tableInfo is what the database's catalogue says of a captured table.
type tableInfo struct {
	table        string // as the configuration calls it
	oid          uint32
	schema, name string
	kind         byte // relkind: r table, p partitioned table, v view, m materialised view, f foreign table
	persistence  byte // relpersistence: p permanent, u unlogged, t temporary
	identity     byte // relreplident: d default, n nothing, f full, i index
	rowSecurity  bool
	usage        bool // the role may use the schema
	owner        bool // the role has the owner's rights
	columns      []columnInfo
	primaryKey   []string // in the key's order
	identityKey  []string // of the index that REPLICA IDENTITY USING INDEX names
	parts        []partInfo
}

// columnInfo is a row of pg_attribute.
type columnInfo struct {
	name       string
	number     int16
	typ        uint32
	typmod     int32
	dims       int
	notNull    bool
	generated  bool // not in the change stream
	external   bool // large values are stored out of line (TOAST)
	selectable bool
	filled     bool // rows that were there when it was added may have got a value
}

// partInfo is where rows lie: the table itself, or each leaf of a partitioned table.
type partInfo struct {
	oid          uint32
	schema, name string
	kind         byte
	identity     byte
	toast        bool
	usage        bool     // the role may use the schema
	hidden       []string // columns that the role may not read
	// filenode is the catalogue's in the statement's snapshot, current the newest one: they differ if the table was
	// rewritten or truncated since the snapshot was taken.
	filenode, current uint32
	bytes, rows       int64
}

// catalog is what the database says of all captured tables.
type catalog struct {
	tables map[string]*tableInfo // those that exist, by the configuration's name
	types  typeCatalog
}

// tablesSQL finds tables by each way to take their names apart, the index at hand: databases of ERPs have tens of thousands.
const tablesSQL = `
SELECT DISTINCT ON (w.i) w.i, c.oid, n.nspname::text, c.relname::text, c.relkind, c.relpersistence, c.relreplident,
       c.relrowsecurity AND NOT (SELECT rolsuper OR rolbypassrls FROM pg_catalog.pg_roles WHERE rolname = current_user) AND (c.relforcerowsecurity OR NOT pg_has_role(c.relowner, 'USAGE')),
       has_schema_privilege(n.oid, 'USAGE'), pg_has_role(c.relowner, 'USAGE')
FROM unnest($1::int[], $2::text[], $3::text[]) w(i, schema, name)
JOIN pg_catalog.pg_class c ON c.relname = w.name::name
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND (n.nspname = w.schema::name OR w.schema = '' AND n.nspname = ANY (current_schemas(false)))
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
ORDER BY w.i, w.schema = '', array_position(current_schemas(false), n.nspname)`

const columnsSQL = `
SELECT attrelid, attname::text, attnum, atttypid, atttypmod, attndims::int, attnotnull, attgenerated <> '', attstorage IN ('x', 'e'), has_column_privilege(attrelid, attnum, 'SELECT'),
       atthasmissing OR atthasdef OR attidentity <> '' OR (SELECT typdefault IS NOT NULL FROM pg_catalog.pg_type WHERE oid = atttypid)
FROM pg_catalog.pg_attribute WHERE attrelid = ANY ($1::oid[]) AND attnum > 0 AND NOT attisdropped ORDER BY attrelid, attnum`

const keysSQL = `
SELECT i.indrelid, i.indisprimary, i.indisreplident,
       (SELECT array_agg(a.attname::text ORDER BY k.n) FROM unnest(i.indkey[0:i.indnkeyatts - 1]) WITH ORDINALITY k(att, n)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.att)
FROM pg_catalog.pg_index i WHERE i.indrelid = ANY ($1::oid[]) AND i.indisvalid AND (i.indisprimary OR i.indisreplident)`

const partsSQL = `
SELECT r.oid, c.oid, n.nspname::text, c.relname::text, c.relkind, c.relreplident, c.reltoastrelid <> 0, c.relfilenode,
       has_schema_privilege(n.oid, 'USAGE'), (SELECT array_agg(a.attname::text) FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND NOT has_column_privilege(c.oid, a.attnum, 'SELECT')),
       coalesce(pg_relation_filenode(c.oid), 0), coalesce(CASE WHEN c.relkind = 'r' THEN pg_relation_size(c.oid) END, 0), greatest(c.reltuples, 0)::bigint
FROM unnest($1::oid[]) r(oid)
CROSS JOIN LATERAL (SELECT relid FROM pg_partition_tree(r.oid) WHERE isleaf UNION SELECT r.oid) p
JOIN pg_catalog.pg_class c ON c.oid = p.relid AND c.relkind <> 'p' JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
ORDER BY 1, 3, 4`

// loadCatalog looks the configured tables up, and what their columns and those of types are made of. Tables that do not exist are left out.
func loadCatalog(ctx context.Context, conn *pgx.Conn, cfg *Config, types ...uint32) (*catalog, error) {
	c := &catalog{tables: map[string]*tableInfo{}}
	names := sortedTables(cfg.Tables)
	var of []int
	var schemas, wanted []string
	for i, n := range names {
		name := cfg.tableName(n)
		of, schemas, wanted = append(of, i), append(schemas, ""), append(wanted, name)
		for at, b := range []byte(name) { // a name may have dots of its own
			if b == '.' {
				of, schemas, wanted = append(of, i), append(schemas, name[:at]), append(wanted, name[at+1:])
			}
		}
	}
	byOID := map[uint32][]*tableInfo{}
	var oids []uint32
	err := eachRow(ctx, conn, tablesSQL, []any{of, schemas, wanted}, func(rows pgx.Rows) error {
		t, i := &tableInfo{}, 0
		if err := rows.Scan(&i, &t.oid, &t.schema, &t.name, &t.kind, &t.persistence, &t.identity, &t.rowSecurity, &t.usage, &t.owner); err != nil {
			return err
		}
		t.table = names[i]
		c.tables[t.table] = t
		if byOID[t.oid] == nil {
			oids = append(oids, t.oid)
		}
		byOID[t.oid] = append(byOID[t.oid], t)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the tables: %w", err)
	}
	err = eachRow(ctx, conn, columnsSQL, []any{oids}, func(rows pgx.Rows) error {
		var oid uint32
		var a columnInfo
		if err := rows.Scan(&oid, &a.name, &a.number, &a.typ, &a.typmod, &a.dims, &a.notNull, &a.generated, &a.external, &a.selectable, &a.filled); err != nil {
			return err
		}
		types = append(types, a.typ)
		for _, t := range byOID[oid] {
			t.columns = append(t.columns, a)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the tables' columns: %w", err)
	}
	err = eachRow(ctx, conn, keysSQL, []any{oids}, func(rows pgx.Rows) error {
		var oid uint32
		var primary, identity bool
		var columns []string
		if err := rows.Scan(&oid, &primary, &identity, &columns); err != nil {
			return err
		}
		for _, t := range byOID[oid] {
			if primary {
				t.primaryKey = columns
			}
			if identity {
				t.identityKey = columns
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the tables' keys: %w", err)
	}
	err = eachRow(ctx, conn, partsSQL, []any{oids}, func(rows pgx.Rows) error {
		var oid uint32
		var p partInfo
		if err := rows.Scan(&oid, &p.oid, &p.schema, &p.name, &p.kind, &p.identity, &p.toast, &p.filenode, &p.usage, &p.hidden, &p.current, &p.bytes, &p.rows); err != nil {
			return err
		}
		for _, t := range byOID[oid] {
			t.parts = append(t.parts, p)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the tables' partitions: %w", err)
	}
	if c.types, err = loadTypes(ctx, conn, types); err != nil {
		return nil, err
	}
	return c, nil
}

// eachRow calls fn for every row of a query.
func eachRow(ctx context.Context, conn *pgx.Conn, sql string, args []any, fn func(pgx.Rows) error) error {
	rows, err := conn.Query(ctx, sql, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := fn(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// sql is the table's name for statements.
func (t *tableInfo) sql() string { return pgx.Identifier{t.schema, t.name}.Sanitize() }

func (p *partInfo) sql() string { return pgx.Identifier{p.schema, p.name}.Sanitize() }

// key names the columns that identify a row in the change stream: those of the index that REPLICA IDENTITY USING INDEX names,
// since a delete brings only them, else the primary key's.
func (t *tableInfo) key() []string {
	if t.identity == identityIndex {
		return t.identityKey
	}
	return t.primaryKey
}

// The values of relreplident.
const (
	identityDefault = 'd'
	identityNothing = 'n'
	identityFull    = 'f'
	identityIndex   = 'i'
)

// full says whether old rows come whole, in every partition.
func (t *tableInfo) full() bool {
	for i := range t.parts {
		if t.parts[i].identity != identityFull {
			return false
		}
	}
	return t.identity == identityFull || t.kind == 'p'
}

func (t *tableInfo) column(name string) *columnInfo {
	for i := range t.columns {
		if t.columns[i].name == name {
			return &t.columns[i]
		}
	}
	return nil
}

// captured says whether the configuration wants a column; the key's and partition_by's always are.
func captured(cfg *capture.TableConfig, key []string, column string) bool {
	return cfg.Columns == nil || contains(cfg.Columns, column) || contains(key, column) || contains(cfg.PartitionBy, column)
}
