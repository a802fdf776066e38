package mysql

import (
	"context"
	"database/sql"
	"slices"
	"strings"
)

// tableInfo is an existing table of the database.
type tableInfo struct {
	name    string
	columns map[string]columnInfo
	uniques []uniqueIndex
	refers  []string // tables that it refers to by foreign keys
	engine  string
	rows    int64 // an estimate
}

// uniqueIndex is an index whose values no two rows may share.
type uniqueIndex struct {
	name    string
	columns []string
	prefix  bool // only the first characters of a column count
}

func (t *tableInfo) column(name string) (columnInfo, bool) {
	if c, ok := t.columns[name]; ok {
		return c, true
	}
	for n, c := range t.columns { // column names have no case in MySQL
		if strings.EqualFold(n, name) {
			return c, true
		}
	}
	return columnInfo{}, false
}

// sameColumns says whether an index covers exactly these columns, in any order.
func (u uniqueIndex) sameColumns(names []string) bool {
	if len(u.columns) != len(names) || u.prefix {
		return false
	}
	for _, n := range names {
		if !slices.ContainsFunc(u.columns, func(c string) bool { return strings.EqualFold(c, n) }) {
			return false
		}
	}
	return true
}

// secondary lists the unique indexes besides the one on key through which an upsert could meet another product's row.
func (t *tableInfo) secondary(key []string) []uniqueIndex {
	var out []uniqueIndex
	seenKey := false
	for _, u := range t.uniques {
		if !seenKey && u.sameColumns(key) {
			seenKey = true
			continue
		}
		if c, ok := t.column(u.columns[0]); ok && c.auto && len(u.columns) == 1 {
			continue // numbers that the server gives are never given twice
		}
		out = append(out, u)
	}
	return out
}

const columnQuery = `SELECT table_name, column_name, LOWER(data_type), column_type, is_nullable, column_default IS NOT NULL, LOWER(extra),
  COALESCE(generation_expression, ''), COALESCE(character_maximum_length, 0), COALESCE(character_octet_length, 0), COALESCE(numeric_precision, 0),
  COALESCE(numeric_scale, 0), COALESCE(datetime_precision, 0), COALESCE(collation_name, '')
 FROM information_schema.columns WHERE table_schema = DATABASE() ORDER BY table_name, ordinal_position`

const indexQuery = `SELECT table_name, index_name, COALESCE(column_name, ''), sub_part IS NOT NULL FROM information_schema.statistics
 WHERE table_schema = DATABASE() AND non_unique = 0 ORDER BY table_name, index_name = 'PRIMARY' DESC, index_name, seq_in_index`

const engineQuery = `SELECT table_name, COALESCE(engine, ''), COALESCE(table_rows, 0) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'`

const foreignQuery = `SELECT DISTINCT table_name, referenced_table_name FROM information_schema.key_column_usage
 WHERE table_schema = DATABASE() AND referenced_table_schema = DATABASE() AND referenced_table_name IS NOT NULL`

// querier is a connection or a pool of them.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// scanAll calls row for each row of a query.
func scanAll(ctx context.Context, q querier, query string, row func(scan func(...any) error) error, args ...any) error {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// readCatalog reads the named tables; those that do not exist are not in the result.
func readCatalog(ctx context.Context, q querier, want []string) (map[string]*tableInfo, error) {
	tables := map[string]*tableInfo{}
	err := scanAll(ctx, q, engineQuery, func(scan func(...any) error) error {
		var name, engine string
		var estimate int64
		if err := scan(&name, &engine, &estimate); err != nil {
			return err
		}
		if slices.Contains(want, name) {
			tables[name] = &tableInfo{name: name, engine: engine, rows: estimate, columns: map[string]columnInfo{}}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = scanAll(ctx, q, columnQuery, func(scan func(...any) error) error {
		var c columnInfo
		var nullable, extra, generated string
		var hasDefault bool
		var length, octets int64
		if err := scan(&c.table, &c.name, &c.dataType, &c.columnType, &nullable, &hasDefault, &extra, &generated, &length, &octets, &c.precision, &c.scale, &c.fsp, &c.collation); err != nil {
			return err
		}
		t := tables[c.table]
		if t == nil {
			return nil
		}
		c.length, c.octets = int(length), int(octets)
		c.nullable = nullable == "YES"
		c.generated = generated != "" || strings.Contains(extra, "generated") && !strings.Contains(extra, "default_generated")
		c.auto = strings.Contains(extra, "auto_increment")
		c.fed = hasDefault || c.nullable || c.generated || c.auto
		c.unsigned = strings.Contains(c.columnType, "unsigned")
		c.classify()
		t.columns[c.name] = c
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = scanAll(ctx, q, foreignQuery, func(scan func(...any) error) error {
		var table, other string
		err := scan(&table, &other)
		if t := tables[table]; t != nil {
			t.refers = append(t.refers, other)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return tables, scanAll(ctx, q, indexQuery, func(scan func(...any) error) error {
		var table, index, column string
		var prefix bool
		if err := scan(&table, &index, &column, &prefix); err != nil {
			return err
		}
		t := tables[table]
		if t == nil {
			return nil
		}
		if n := len(t.uniques); n == 0 || t.uniques[n-1].name != index {
			t.uniques = append(t.uniques, uniqueIndex{name: index})
		}
		u := &t.uniques[len(t.uniques)-1]
		u.columns = append(u.columns, column)
		u.prefix = u.prefix || prefix
		return nil
	})
}
