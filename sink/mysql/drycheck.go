package mysql

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"shelfstream/internal/fault"
	"shelfstream/sink"
)

// DryCheck implements sink.DryChecker: what Check would make is looked at as if it were made, and the user's privileges are asked for instead of tried.
func (t *Target) DryCheck(ctx context.Context, views []sink.View) (fault.List, error) {
	plans, faults := plan(&t.cfg, views)
	if len(faults) > 0 {
		return faults, nil
	}
	d, _, err := serverFacts(ctx, t.db)
	if err != nil {
		return nil, t.unreachable(err)
	}
	tables, err := readCatalog(ctx, t.db, append(sortedNames(t.cfg.Tables), "shelfstream_offsets", "shelfstream_parked"))
	if err != nil {
		return nil, t.unreachable(err)
	}
	may, err := readGrants(ctx, t.db)
	if err != nil {
		return nil, t.unreachable(err)
	}
	need := func(table, what, statement string, privileges ...string) {
		if lacks := may.lacks(table, privileges); len(lacks) > 0 {
			fix := fmt.Sprintf("GRANT %s ON %s.* TO %s;", strings.Join(lacks, ", "), quoteName(t.dbName), may.user)
			if statement != "" {
				fix += " what makes it, for a user who may: " + oneLine(statement)
			}
			faults.Add(&fault.Fault{Class: fault.Environment, Cause: fault.MySQLPrivilege, Where: "table " + table, What: fmt.Sprintf("the database user %s may not %s (it lacks %s)", may.user, what, strings.Join(lacks, ", ")), Fix: fix})
		}
	}
	for _, own := range []struct{ name, ddl string }{{"shelfstream_offsets", offsetsDDL}, {"shelfstream_parked", parkedDDL}} {
		if tables[own.name] == nil {
			need(own.name, "make and write it", own.ddl+";", append([]string{"CREATE"}, writePrivileges...)...)
		} else {
			need(own.name, "write it", "", writePrivileges...)
			if _, ok := tables[own.name].column("cause"); !ok && own.name == "shelfstream_parked" {
				need(own.name, "add a column to it", parkedUpgrade+";", "ALTER")
			}
		}
	}
	for _, name := range sortedNames(plans) {
		for _, p := range plans[name].all() {
			have := tables[p.name]
			switch {
			case have == nil && p.cfg.Create:
				need(p.name, "make it", p.createTable(d), "CREATE")
			case have != nil && p.cfg.Create:
				for _, ddl := range p.assumeColumns(have, d) {
					need(p.name, "add a column to it", ddl, "ALTER")
				}
				fallthrough
			default:
				faults = append(faults, p.check(have, d)...)
			}
			need(p.name, "write it", "", writePrivileges...)
		}
	}
	return t.placed(faults), nil
}

// Ping says whether the database answers.
func (t *Target) Ping(ctx context.Context) error {
	if err := t.db.PingContext(ctx); err != nil {
		return t.unreachable(err)
	}
	return nil
}

// assumeColumns takes the columns that create: true would add for added, and gives the statements that add them.
func (p *tablePlan) assumeColumns(have *tableInfo, d dialect) []string {
	var ddl []string
	for i := range p.columns {
		c := &p.columns[i]
		if _, ok := have.column(c.name); ok || c.key {
			continue
		}
		ddl = append(ddl, p.addColumn(c, d))
		// Made as columnDDL writes it, so nothing about it can be unfit: the class that takes any value stands for it.
		info := columnInfo{table: p.name, name: c.name, class: classOther, nullable: true, fed: true}
		if c.origin == fromLiving {
			info.class = classInt
		}
		have.columns[c.name] = info
	}
	return ddl
}

// writePrivileges are what sessions need in every table of theirs.
var writePrivileges = []string{"SELECT", "INSERT", "UPDATE", "DELETE"}

// grants are the privileges of the connected user in the connected database.
type grants struct {
	user    string              // as GRANT wants it: 'shop'@'%'
	all     bool                // not known exactly, since roles or partial revokes play a part: taken for enough
	every   []string            // in all tables
	byTable map[string][]string // in one more
}

// readGrants asks the server; a user sees the privileges of its own without any.
func readGrants(ctx context.Context, db *sql.DB) (*grants, error) {
	g := &grants{byTable: map[string][]string{}}
	var account, role string
	if err := db.QueryRowContext(ctx, "SELECT CURRENT_USER(), COALESCE(CURRENT_ROLE(), 'NONE')").Scan(&account, &role); err != nil {
		return nil, err
	}
	at := strings.LastIndexByte(account, '@')
	quoted := func(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
	g.user = quoted(account[:max(at, 0)]) + "@" + quoted(account[at+1:])
	g.all = role != "NONE" && role != ""
	err := scanAll(ctx, db, `SELECT '', privilege_type FROM information_schema.user_privileges WHERE grantee = ?
 UNION ALL SELECT '', privilege_type FROM information_schema.schema_privileges WHERE grantee = ? AND DATABASE() LIKE table_schema
 UNION ALL SELECT table_name, privilege_type FROM information_schema.table_privileges WHERE grantee = ? AND table_schema = DATABASE()`,
		func(scan func(...any) error) error {
			var table, privilege string
			if err := scan(&table, &privilege); err != nil {
				return err
			}
			if table == "" {
				g.every = append(g.every, privilege)
			} else {
				g.byTable[table] = append(g.byTable[table], privilege)
			}
			return nil
		}, g.user, g.user, g.user)
	return g, err
}

// lacks lists those of privileges that the user does not have in a table.
func (g *grants) lacks(table string, privileges []string) []string {
	if g.all {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(privileges), func(p string) bool {
		return slices.Contains(g.every, p) || slices.Contains(g.byTable[table], p)
	})
}
