package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"shelfstream/internal/fault"
)

// checkTables looks each configured table over.
func (in *inspection) checkTables(ctx context.Context) error {
	seen := map[string]string{}
	for _, table := range slices.Sorted(maps.Keys(in.cfg.Tables)) {
		t, err := in.cfg.lookUp(ctx, in.db, in.set, in.database, table)
		if err != nil {
			return in.unread(err)
		}
		if t == nil {
			if err := in.missing(ctx, table); err != nil {
				return err
			}
			continue
		}
		if first, twice := seen[t.sql()]; twice {
			in.addTable(fault.BinlogTableUnfit, table, "it is the same table as "+in.cfg.Source+"."+first, "capture it once, and let both views read that")
			continue
		}
		seen[t.sql()] = table
		if err := in.checkTable(ctx, table, t); err != nil {
			return err
		}
	}
	return nil
}

func (in *inspection) unread(err error) error {
	return in.cfg.unread("the tables cannot be looked over", err)
}

// missing tells apart what the server does: no such table, or none that the user may see, of which the catalogue knows nothing.
func (in *inspection) missing(ctx context.Context, table string) error {
	name := quoteName(in.database) + "." + quoteName(in.cfg.tableName(table))
	if schema, t, ok := strings.Cut(in.cfg.tableName(table), "."); ok {
		name = quoteName(schema) + "." + quoteName(t)
	}
	var names []string
	err := eachRow(ctx, in.db, func(rows *sql.Rows) error {
		var n string
		err := rows.Scan(&n)
		names = append(names, n)
		return err
	}, `SELECT IF(table_schema = DATABASE(), table_name, CONCAT(table_schema, '.', table_name)) FROM information_schema.tables
		WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('mysql', 'sys', 'performance_schema', 'information_schema') ORDER BY 1`)
	if err != nil {
		return in.unread(err)
	}
	near := nearest(in.cfg.tableName(table), names)
	_, err = in.db.ExecContext(ctx, "SELECT 1 FROM "+name+" LIMIT 0")
	if c := errorCode(err); c == codeTableDenied || c == codeDatabaseDenied {
		fix := "GRANT SELECT ON " + name + " TO " + in.account + ";"
		if near != "" {
			fix += " or did you mean " + near + "?"
		}
		in.addTable(fault.BinlogTableRight, table, "the user "+in.account+" may not read the table, or it does not exist", fix)
		return nil
	}
	in.faults.Add(in.cfg.missingTable(table, near))
	return nil
}

func (in *inspection) checkTable(ctx context.Context, table string, t *tableInfo) error {
	switch t.kind {
	case "BASE TABLE":
	case "SYSTEM VERSIONED":
		in.addTable(fault.BinlogTableUnfit, table, "the table is system-versioned: its history's rows would come as rows", "ALTER TABLE "+t.sql()+" DROP SYSTEM VERSIONING; or capture a table without history")
		return nil
	default:
		in.addTable(fault.BinlogTableUnfit, table, "it is a "+strings.ToLower(t.kind)+", which has no change log", "capture the tables it is made of, and join them in a view of the pipeline")
		return nil
	}
	if !t.transactions {
		in.addTable(fault.BinlogTableUnfit, table, "its engine "+t.engine+" has no transactions, so a snapshot has no exact place in the log", "ALTER TABLE "+t.sql()+" ENGINE=InnoDB;")
	}
	if len(t.cascades) > 0 && !in.cfg.Cascades {
		in.addTable(fault.BinlogTableUnfit, table, "rows change or go by the foreign key "+strings.Join(t.cascades, ", ")+" (CASCADE or SET NULL), and InnoDB logs nothing of that",
			"let the application or a trigger do it, and make the foreign key RESTRICT; or, where rows of the other table are never deleted and their keys never changed, set cascades: true in the source")
	}
	if in.checkColumns(table, t) {
		if _, err := in.cfg.shapeOf(table, t, in.set); err != nil {
			var f *fault.Fault
			if !errors.As(err, &f) {
				return err
			}
			if f.Cause == fault.BinlogNoKey {
				f.Fix = "ALTER TABLE " + t.sql() + " ADD PRIMARY KEY (…);"
			}
			in.faults.Add(f)
			return nil
		}
	}
	return in.checkSelect(ctx, table, t)
}

// checkColumns finds configured columns that are not there.
func (in *inspection) checkColumns(table string, t *tableInfo) bool {
	cfg := in.cfg.Tables[table]
	var names []string
	for i := range t.columns {
		names = append(names, t.columns[i].name)
	}
	whole := true
	check := func(setting, column string) {
		if t.column(column) != nil {
			return
		}
		whole = false
		fix := "correct " + setting + ", or give the table the column back; the table has " + strings.Join(names, ", ")
		if near := nearest(column, names); near != "" {
			fix = "did you mean " + near + "? " + fix
		}
		in.addTable(fault.BinlogColumnMissing, table, fmt.Sprintf("%s names the column %q, which does not exist", setting, column), fix)
	}
	for _, c := range cfg.Columns {
		check("columns", c)
	}
	for _, c := range cfg.PartitionBy {
		if !cfg.Broadcast {
			check("partition_by", c)
		}
	}
	return whole
}

// checkSelect asks for all captured columns; the server says which privilege lacks.
func (in *inspection) checkSelect(ctx context.Context, table string, t *tableInfo) error {
	cfg := in.cfg.Tables[table]
	var columns []string
	if cfg.Columns == nil { // all of them: the catalogue shows only those that the user may see
		columns = append(columns, "*")
	}
	for i := range t.columns {
		c := &t.columns[i]
		if c.key > 0 || cfg.Columns == nil || named(cfg.Columns, c.name) || named(cfg.PartitionBy, c.name) {
			columns = append(columns, quoteName(c.name))
		}
	}
	_, err := in.db.ExecContext(ctx, "SELECT "+strings.Join(columns, ", ")+" FROM "+t.sql()+" LIMIT 0")
	switch errorCode(err) {
	case 0:
		if err != nil {
			return in.unread(err)
		}
	case codeTableDenied, codeColumnDenied:
		in.addTable(fault.BinlogTableRight, table, "the user "+in.account+" may not read the table", "GRANT SELECT ON "+t.sql()+" TO "+in.account+";")
	default:
		return in.unread(err)
	}
	return nil
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
