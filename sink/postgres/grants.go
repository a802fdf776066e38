package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"shelfstream/sink/table"
)

// privileges are those of the connected role.
type privileges struct {
	role   string
	schema map[string]string   // table: its schema
	create map[string]bool     // schema: new tables may be made
	owns   map[string]bool     // table: may be altered
	has    map[string][]string // table: what may be done
}

const grantQuery = `SELECT v.n, COALESCE(s.nspname, ''), CASE WHEN s.oid IS NULL THEN false ELSE has_schema_privilege(s.oid, 'CREATE') END,
  CASE WHEN c.oid IS NULL THEN false ELSE pg_has_role(c.relowner, 'USAGE') END,
  CASE WHEN c.oid IS NULL THEN '' ELSE concat_ws(',', CASE WHEN has_table_privilege(c.oid, 'SELECT') THEN 'SELECT' END, CASE WHEN has_table_privilege(c.oid, 'INSERT') THEN 'INSERT' END,
    CASE WHEN has_table_privilege(c.oid, 'UPDATE') THEN 'UPDATE' END, CASE WHEN has_table_privilege(c.oid, 'DELETE') THEN 'DELETE' END) END,
  current_user
 FROM (VALUES %s) v(n, q, schema) LEFT JOIN pg_catalog.pg_class c ON c.oid = pg_catalog.to_regclass(v.q)
 LEFT JOIN pg_catalog.pg_namespace s ON s.oid = COALESCE(c.relnamespace, (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = COALESCE(NULLIF(v.schema, ''), current_schema())))`

// grants asks what the connected role may do with tables, also with those that do not exist yet.
func grants(ctx context.Context, c table.Conn, tables []string) (table.Grants, error) {
	var values []byte
	for i, n := range tables {
		if i > 0 {
			values = append(values, ", "...)
		}
		schema, _, ok := strings.Cut(n, ".")
		if !ok {
			schema = ""
		}
		values = append(appendText(append(values, '('), []byte(n)), ", "...)
		values = append(appendText(values, []byte(quoteTable(n))), ", "...)
		values = append(appendText(values, []byte(schema)), ')')
	}
	g := &privileges{schema: map[string]string{}, create: map[string]bool{}, owns: map[string]bool{}, has: map[string][]string{}}
	err := c.Query(ctx, []byte(strings.Replace(grantQuery, "%s", string(values), 1)), func(vals [][]byte) error {
		var name, schema, has string
		var create, owns bool
		if err := table.Scan(vals, &name, &schema, &create, &owns, &has, &g.role); err != nil {
			return err
		}
		g.schema[name], g.create[schema], g.owns[name], g.has[name] = schema, create, owns, strings.Split(has, ",")
		return nil
	})
	return g, err
}

// User implements table.Grants.
func (g *privileges) User() string { return g.role }

// Lacks implements table.Grants. Who makes a table may do everything with it.
func (g *privileges) Lacks(name string, wanted []string) (lacks []string, fix string) {
	schema := g.schema[name]
	exists := len(g.has[name]) > 0 && g.has[name][0] != "" || g.owns[name]
	for _, p := range wanted {
		switch {
		case p == "CREATE" && !g.create[schema], p == "ALTER" && !g.owns[name], p != "CREATE" && p != "ALTER" && !slices.Contains(g.has[name], p) && (exists || !g.create[schema]):
			lacks = append(lacks, p)
		}
	}
	switch {
	case len(lacks) == 0:
		return nil, ""
	case slices.Contains(lacks, "CREATE"):
		fix = fmt.Sprintf("GRANT CREATE ON SCHEMA %s TO %s;", quote(schema), quote(g.role))
	case slices.Contains(lacks, "ALTER"):
		fix = fmt.Sprintf("ALTER TABLE %s OWNER TO %s;", quoteTable(name), quote(g.role))
	default:
		fix = fmt.Sprintf("GRANT %s ON %s TO %s;", strings.Join(lacks, ", "), quoteTable(name), quote(g.role))
	}
	return lacks, fix
}
