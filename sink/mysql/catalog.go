package mysql

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"shelfstream/internal/fault"
	"shelfstream/sink/table"
)

const columnQuery = `SELECT table_name, column_name, LOWER(data_type), column_type, is_nullable, column_default IS NOT NULL, LOWER(extra),
  COALESCE(generation_expression, ''), COALESCE(character_maximum_length, 0), COALESCE(character_octet_length, 0), COALESCE(numeric_precision, 0),
  COALESCE(numeric_scale, 0), COALESCE(datetime_precision, 0), COALESCE(collation_name, '')
 FROM information_schema.columns WHERE table_schema = DATABASE() ORDER BY table_name, ordinal_position`

const indexQuery = `SELECT table_name, index_name, COALESCE(column_name, ''), sub_part IS NOT NULL FROM information_schema.statistics
 WHERE table_schema = DATABASE() AND non_unique = 0 ORDER BY table_name, index_name = 'PRIMARY' DESC, index_name, seq_in_index`

const engineQuery = `SELECT table_name, COALESCE(engine, ''), COALESCE(table_rows, 0) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'`

const foreignQuery = `SELECT DISTINCT table_name, referenced_table_name FROM information_schema.key_column_usage
 WHERE table_schema = DATABASE() AND referenced_table_schema = DATABASE() AND referenced_table_name IS NOT NULL`

// scanAll calls row for each row of a query.
func scanAll(ctx context.Context, c table.Conn, query string, row func(scan func(...any) error) error) error {
	return c.Query(ctx, []byte(query), func(vals [][]byte) error {
		return row(func(dest ...any) error { return table.Scan(vals, dest...) })
	})
}

// readCatalog reads the named tables; those that do not exist are not in the result.
func readCatalog(ctx context.Context, conn table.Conn, want []string) (map[string]*table.Info, error) {
	tables := map[string]*table.Info{}
	err := scanAll(ctx, conn, engineQuery, func(scan func(...any) error) error {
		var name, engine string
		var estimate int64
		if err := scan(&name, &engine, &estimate); err != nil {
			return err
		}
		if slices.Contains(want, name) {
			t := &table.Info{Name: name, Rows: estimate, Columns: map[string]table.ColumnInfo{}}
			if !strings.EqualFold(engine, "InnoDB") {
				t.Unfit.Add(&fault.Fault{
					Class: fault.Environment, Cause: fault.MySQLEngine, What: "is kept by the engine " + engine + ", which has no transactions",
					Fix: fmt.Sprintf("ALTER TABLE %s ENGINE=InnoDB;", quoteName(name)),
				})
			}
			tables[name] = t
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = scanAll(ctx, conn, columnQuery, func(scan func(...any) error) error {
		var c table.ColumnInfo
		var nullable, extra, generated string
		var hasDefault bool
		var length, octets int64
		if err := scan(&c.Table, &c.Name, &c.DataType, &c.Type, &nullable, &hasDefault, &extra, &generated, &length, &octets, &c.Precision, &c.Scale, &c.FSP, &c.Collation); err != nil {
			return err
		}
		t := tables[c.Table]
		if t == nil {
			return nil
		}
		c.Length, c.Octets = int(length), int(octets)
		c.Nullable = nullable == "YES"
		c.Generated = generated != "" || strings.Contains(extra, "generated") && !strings.Contains(extra, "default_generated")
		c.Auto = strings.Contains(extra, "auto_increment")
		c.Fed = hasDefault || c.Nullable || c.Generated || c.Auto
		c.Unsigned = strings.Contains(c.Type, "unsigned")
		classify(&c)
		t.Columns[c.Name] = c
		t.Order = append(t.Order, c.Name)
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = scanAll(ctx, conn, foreignQuery, func(scan func(...any) error) error {
		var name, other string
		err := scan(&name, &other)
		if t := tables[name]; t != nil {
			t.Refers = append(t.Refers, other)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return tables, scanAll(ctx, conn, indexQuery, func(scan func(...any) error) error {
		var name, index, column string
		var prefix bool
		if err := scan(&name, &index, &column, &prefix); err != nil {
			return err
		}
		t := tables[name]
		if t == nil {
			return nil
		}
		if n := len(t.Uniques); n == 0 || t.Uniques[n-1].Name != index {
			t.Uniques = append(t.Uniques, table.UniqueIndex{Name: index})
		}
		u := &t.Uniques[len(t.Uniques)-1]
		u.Columns = append(u.Columns, column)
		u.Partial = u.Partial || prefix
		return nil
	})
}
