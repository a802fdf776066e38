package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"shelfstream/internal/fault"
)

// checkTables looks each configured table over.
func (in *inspection) checkTables(ctx context.Context, conn *pgx.Conn) error {
	var known []string // loaded only for a suggestion
	seen := map[uint32]string{}
	for _, table := range sortedTables(in.s.cfg.Tables) {
		t := in.cat.tables[table]
		if t == nil {
			if known == nil {
				var err error
				if known, err = tableNames(ctx, conn); err != nil {
					return err
				}
			}
			in.faults.Add(in.s.missingTable(table, nearest(in.s.cfg.tableName(table), known)))
			continue
		}
		if first, twice := seen[t.oid]; twice {
			in.addTable(fault.PostgresTableUnfit, table, "it is the same table as "+in.s.cfg.Source+"."+first, "capture it once, and let both views read that")
			continue
		}
		seen[t.oid] = table
		in.checkTable(t)
	}
	for _, table := range sortedTables(in.cat.tables) {
		t := in.cat.tables[table]
		for i := range t.parts {
			if part, twice := seen[t.parts[i].oid]; twice && part != table && t.kind == 'p' {
				in.addTable(fault.PostgresTableUnfit, part, "it is a partition of "+t.sql()+", which is captured too, and its changes come as that table's", "capture only one of the two")
			}
		}
	}
	return nil
}

func (in *inspection) checkTable(t *tableInfo) {
	if t.kind != 'r' && t.kind != 'p' {
		kinds := map[byte]string{'v': "a view", 'm': "a materialised view", 'f': "a foreign table"}
		in.addTable(fault.PostgresTableUnfit, t.table, "it is "+kinds[t.kind]+", which has no change log", "capture the tables it is made of, and join them in a view of the pipeline")
		return
	}
	switch t.persistence {
	case 'u':
		in.addTable(fault.PostgresTableUnfit, t.table, "the table is unlogged, so its changes are in no log", "ALTER TABLE "+t.sql()+" SET LOGGED;")
	case 't':
		in.addTable(fault.PostgresTableUnfit, t.table, "the table is temporary", "capture a permanent table")
		return
	}
	for i := range t.parts {
		if t.parts[i].kind != 'r' {
			in.addTable(fault.PostgresTableUnfit, t.table, "its partition "+t.parts[i].sql()+" is a foreign table, which has no change log", "capture the partitions that are tables, each by itself")
		}
	}
	in.checkColumns(t)
	in.checkPrivileges(t)
	in.checkIdentity(t)
}

// checkColumns finds configured columns that are not there or never come.
func (in *inspection) checkColumns(t *tableInfo) {
	cfg := in.s.cfg.Tables[t.table]
	var names []string
	for i := range t.columns {
		names = append(names, t.columns[i].name)
	}
	check := func(setting, column string) {
		c := t.column(column)
		switch {
		case c == nil:
			fix := "correct " + setting + ", or give the table the column back; the table has " + strings.Join(names, ", ")
			if near := nearest(column, names); near != "" {
				fix = "did you mean " + near + "? " + fix
			}
			in.addTable(fault.PostgresColumnMissing, t.table, fmt.Sprintf("%s names the column %q, which does not exist", setting, column), fix)
		case c.generated:
			in.addTable(fault.PostgresColumnMissing, t.table, fmt.Sprintf("%s names the generated column %q, which PostgreSQL leaves out of the change stream", setting, column),
				"take it out of "+setting+" and compute it in a rule")
		case !in.pub.publishes(t, c):
			in.addTable(fault.PostgresPublication, t.table, fmt.Sprintf("publication %s leaves out the column %q", in.s.cfg.Publication, column),
				"publish the table without a list of columns, or with this one in it")
		}
	}
	for _, c := range cfg.Columns {
		check("columns", c)
	}
	for _, c := range cfg.PartitionBy {
		if !cfg.Broadcast {
			check("partition_by", c)
		}
	}
	for _, c := range t.key() {
		if a := t.column(c); a != nil && !in.pub.publishes(t, a) {
			in.addTable(fault.PostgresColumnMissing, t.table, fmt.Sprintf("the key's column %q is not in the change stream", c), "publish the table without a list of columns; and let no generated column be in its key")
		}
	}
}

func (in *inspection) checkPrivileges(t *tableInfo) {
	role := quoteIdentifier(in.server.role)
	if !t.usage {
		in.addTable(fault.PostgresTableRight, t.table, "the role "+in.server.role+" may not use the schema "+t.schema, "GRANT USAGE ON SCHEMA "+quoteIdentifier(t.schema)+" TO "+role+";")
	}
	cfg := in.s.cfg.Tables[t.table]
	for i := range t.columns {
		c := &t.columns[i]
		if !c.selectable && in.pub.publishes(t, c) && captured(&cfg, t.key(), c.name) {
			in.addTable(fault.PostgresTableRight, t.table, "the role "+in.server.role+" may not read the table", "GRANT SELECT ON "+t.sql()+" TO "+role+";")
			break
		}
	}
	in.checkPartitions(t, role)
	if t.rowSecurity {
		in.addTable(fault.PostgresTableRight, t.table, "row-level security hides rows from the role "+in.server.role, "ALTER ROLE "+role+" BYPASSRLS;")
	}
}

// checkPartitions finds partitions that the role may not read by themselves, as the snapshot does; a grant on the whole table is none on them.
func (in *inspection) checkPartitions(t *tableInfo, role string) {
	cfg := in.s.cfg.Tables[t.table]
	var schemas, closed []string
	for i := range t.parts {
		p := &t.parts[i]
		if p.oid == t.oid {
			continue
		}
		if name := quoteIdentifier(p.schema); !p.usage && p.schema != t.schema && !slices.Contains(schemas, name) {
			schemas = append(schemas, name)
		}
		if slices.ContainsFunc(p.hidden, func(column string) bool {
			c := t.column(column)
			return c != nil && in.pub.publishes(t, c) && captured(&cfg, t.key(), column)
		}) {
			closed = append(closed, p.sql())
		}
	}
	if len(schemas) > 0 {
		in.addTable(fault.PostgresTableRight, t.table, "the role "+in.server.role+" may not use the schemas of its partitions", "GRANT USAGE ON SCHEMA "+strings.Join(schemas, ", ")+" TO "+role+";")
	}
	if len(closed) > 0 {
		in.addTable(fault.PostgresTableRight, t.table, "the role "+in.server.role+" may not read its partitions, which the snapshot reads one by one", "GRANT SELECT ON "+strings.Join(closed, ", ")+" TO "+role+";")
	}
}

// checkIdentity finds tables whose changes would not say enough of the old row.
func (in *inspection) checkIdentity(t *tableInfo) {
	key := t.key()
	if len(key) == 0 {
		in.addTable(fault.PostgresNoKey, t.table, "the table has no primary key, so its rows cannot be told apart",
			"ALTER TABLE "+t.sql()+" ADD PRIMARY KEY (…); or, with a unique index on columns that are not null, ALTER TABLE "+t.sql()+" REPLICA IDENTITY USING INDEX …;")
		return
	}
	if t.full() {
		return
	}
	cfg := in.s.cfg.Tables[t.table]
	var beyond, large []string
	for _, c := range cfg.PartitionBy {
		if !cfg.Broadcast && !slices.Contains(key, c) {
			beyond = append(beyond, c)
		}
	}
	toast := slices.ContainsFunc(t.parts, func(p partInfo) bool { return p.toast && p.identity != identityFull })
	for i := range t.columns {
		c := &t.columns[i]
		if toast && c.external && !slices.Contains(key, c.name) && in.pub.publishes(t, c) && captured(&cfg, key, c.name) {
			large = append(large, c.name)
		}
	}
	var why []string
	if len(beyond) > 0 {
		why = append(why, "partition_by has "+strings.Join(beyond, ", ")+", which is not in the key: when it changes, the old value must be known to take the row out of its old partition")
	}
	if len(large) > 0 {
		why = append(why, "large values of "+strings.Join(large, ", ")+" are stored out of line (TOAST), and an update that does not touch them leaves them out of the log")
	}
	nothing := t.identity == identityNothing || slices.ContainsFunc(t.parts, func(p partInfo) bool { return p.identity == identityNothing })
	switch {
	case len(why) > 0:
		in.addTable(fault.PostgresReplicaIdentity, t.table, "old rows must come whole, since "+strings.Join(why, "; and "), fullSQL(t))
	case nothing:
		in.addTable(fault.PostgresReplicaIdentity, t.table, "its replica identity is NOTHING, so PostgreSQL refuses updates and deletes once it is published", fullSQL(t))
	}
}

func tableNames(ctx context.Context, conn *pgx.Conn) ([]string, error) {
	rows, err := conn.Query(ctx, `SELECT CASE WHEN n.nspname = ANY (current_schemas(false)) THEN c.relname ELSE n.nspname || '.' || c.relname END
		FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'p') AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\_%' ORDER BY 1`)
	if err != nil {
		return nil, fmt.Errorf("list the tables: %w", err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("list the tables: %w", err)
	}
	return names, nil
}

// nearest is the name that a mistyped one most likely meant, or "".
func nearest(name string, names []string) string {
	best, least := "", max(2, len(name)/3)+1
	bare := func(s string) string { return strings.ToLower(s[strings.LastIndexByte(s, '.')+1:]) }
	for _, n := range names {
		d := min(distance(strings.ToLower(name), strings.ToLower(n)), distance(bare(name), bare(n))+1)
		if d < least {
			best, least = n, d
		}
	}
	return best
}

// distance is how many letters must be put in, taken out or replaced to make b of a (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := diagonal
			if a[i-1] != b[j-1] {
				cost++
			}
			diagonal = row[j]
			row[j] = min(row[j]+1, row[j-1]+1, cost)
		}
	}
	return row[len(b)]
}
