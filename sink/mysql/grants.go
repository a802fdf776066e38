package mysql

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"shelfstream/sink/table"
)

// grants are the privileges of the connected user in the connected database.
type grants struct {
	database string
	user     string              // as GRANT wants it: 'shop'@'%'
	all      bool                // not known exactly, since roles or partial revokes play a part: taken for enough
	every    []string            // in all tables
	byTable  map[string][]string // in one more
}

// readGrants asks the server; a user sees the privileges of its own without any.
func readGrants(ctx context.Context, c table.Conn, _ []string) (table.Grants, error) {
	g := &grants{byTable: map[string][]string{}}
	var account, role string
	err := scanAll(ctx, c, "SELECT CURRENT_USER(), COALESCE(CURRENT_ROLE(), 'NONE'), DATABASE()", func(scan func(...any) error) error { return scan(&account, &role, &g.database) })
	if err != nil {
		return nil, err
	}
	at := strings.LastIndexByte(account, '@')
	quoted := func(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
	g.user = quoted(account[:max(at, 0)]) + "@" + quoted(account[at+1:])
	g.all = role != "NONE" && role != ""
	who := string(appendText(nil, []byte(g.user)))
	err = scanAll(ctx, c, "SELECT '', privilege_type FROM information_schema.user_privileges WHERE grantee = "+who+
		" UNION ALL SELECT '', privilege_type FROM information_schema.schema_privileges WHERE grantee = "+who+" AND DATABASE() LIKE table_schema"+
		" UNION ALL SELECT table_name, privilege_type FROM information_schema.table_privileges WHERE grantee = "+who+" AND table_schema = DATABASE()",
		func(scan func(...any) error) error {
			var name, privilege string
			if err := scan(&name, &privilege); err != nil {
				return err
			}
			if name == "" {
				g.every = append(g.every, privilege)
			} else {
				g.byTable[name] = append(g.byTable[name], privilege)
			}
			return nil
		})
	return g, err
}

// User implements table.Grants.
func (g *grants) User() string { return g.user }

// Lacks implements table.Grants.
func (g *grants) Lacks(name string, privileges []string) (lacks []string, fix string) {
	if g.all {
		return nil, ""
	}
	lacks = slices.DeleteFunc(slices.Clone(privileges), func(p string) bool {
		return slices.Contains(g.every, p) || slices.Contains(g.byTable[name], p)
	})
	return lacks, fmt.Sprintf("GRANT %s ON %s.* TO %s;", strings.Join(lacks, ", "), quoteName(g.database), g.user)
}
