package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// publication is what the server says of the publication that names the published tables.
type publication struct {
	exists                           bool
	owner                            bool // the role has the owner's rights
	allTables                        bool
	insert, update, delete, truncate bool
	viaRoot                          bool // changes of partitions come as changes of the partitioned table
	tables                           map[[2]string]publishedTable
}

// publishedTable is a row of pg_publication_tables.
type publishedTable struct {
	columns []string
	filter  string // a row filter's expression, "" if there is none
	member  uint32 // OID of the entry that makes it one: of the table, of its schema, or of the publication itself
}

const publishedSQL = `
SELECT t.schemaname::text, t.tablename::text, t.attnames::text[], coalesce(t.rowfilter, ''),
       coalesce((SELECT r.oid FROM pg_catalog.pg_publication_rel r WHERE r.prpubid = p.oid AND r.prrelid = c.oid),
                (SELECT s.oid FROM pg_catalog.pg_publication_namespace s WHERE s.pnpubid = p.oid AND s.pnnspid = n.oid), p.oid)
FROM pg_catalog.pg_publication_tables t JOIN pg_catalog.pg_publication p ON p.pubname = t.pubname
JOIN pg_catalog.pg_namespace n ON n.nspname = t.schemaname JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = t.tablename
WHERE t.pubname = $1`

func loadPublication(ctx context.Context, conn *pgx.Conn, name string) (*publication, error) {
	p := &publication{tables: map[[2]string]publishedTable{}}
	err := conn.QueryRow(ctx, `SELECT pg_has_role(pubowner, 'USAGE'), puballtables, pubinsert, pubupdate, pubdelete, pubtruncate, pubviaroot
		FROM pg_catalog.pg_publication WHERE pubname = $1`, name).
		Scan(&p.owner, &p.allTables, &p.insert, &p.update, &p.delete, &p.truncate, &p.viaRoot)
	if errors.Is(err, pgx.ErrNoRows) {
		return p, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the publication: %w", err)
	}
	p.exists = true
	err = eachRow(ctx, conn, publishedSQL, []any{name},
		func(rows pgx.Rows) error {
			var schema, table string
			var t publishedTable
			if err := rows.Scan(&schema, &table, &t.columns, &t.filter, &t.member); err != nil {
				return err
			}
			p.tables[[2]string{schema, table}] = t
			return nil
		})
	if err != nil {
		return nil, fmt.Errorf("read the publication's tables: %w", err)
	}
	return p, nil
}

func (p *publication) covers(t *tableInfo) bool {
	_, ok := p.tables[[2]string{t.schema, t.name}]
	return ok
}

// publishes says whether a column comes in the change stream.
func (p *publication) publishes(t *tableInfo, c *columnInfo) bool {
	if c.generated {
		return false
	}
	pt, ok := p.tables[[2]string{t.schema, t.name}]
	return !ok || len(pt.columns) == 0 || slices.Contains(pt.columns, c.name)
}

// createSQL makes the publication. ONLY keeps tables that inherit from a captured one out, as they would come under their own names.
func createSQL(name string, tables []*tableInfo) string {
	return "CREATE PUBLICATION " + pgx.Identifier{name}.Sanitize() + " FOR TABLE " + onlyList(tables) +
		" WITH (publish = 'insert, update, delete, truncate', publish_via_partition_root = true)"
}

func addSQL(name string, tables []*tableInfo) string {
	return "ALTER PUBLICATION " + pgx.Identifier{name}.Sanitize() + " ADD TABLE " + onlyList(tables)
}

func onlyList(tables []*tableInfo) string {
	names := make([]string, len(tables))
	for i, t := range tables {
		names[i] = "ONLY " + t.sql()
		if t.kind == 'p' {
			names[i] = t.sql()
		}
	}
	return strings.Join(names, ", ")
}

// uncovered lists the tables that the publication lacks.
func (p *publication) uncovered(c *catalog) []*tableInfo {
	var l []*tableInfo
	for _, name := range sortedTables(c.tables) {
		t := c.tables[name]
		if !p.covers(t) && !slices.ContainsFunc(l, func(o *tableInfo) bool { return o.oid == t.oid }) {
			l = append(l, t)
		}
	}
	return l
}

// ensurePublication makes the publication, or adds the tables it lacks, and gives what it holds then.
func (s *Source) ensurePublication(ctx context.Context, conn *pgx.Conn, c *catalog, p *publication) (*publication, error) {
	missing := p.uncovered(c)
	if p.exists && len(missing) == 0 {
		return p, nil
	}
	sql := createSQL(s.cfg.Publication, missing)
	if p.exists {
		sql = addSQL(s.cfg.Publication, missing)
	}
	if _, err := conn.Exec(ctx, sql); err != nil {
		return nil, fmt.Errorf("publish the tables with %q: %w", sql, err)
	}
	s.cfg.Logger.Info("published tables", "publication", s.cfg.Publication, "statement", sql)
	return loadPublication(ctx, conn, s.cfg.Publication)
}
