package postgres

import (
	"context"
	"math"
	"strings"

	"shelfstream/sink/table"
)

// named is a row source of the wanted tables: the name in the configuration and the table's oid. %s is a list of VALUES.
const named = "WITH w(n, r) AS (SELECT v.n, pg_catalog.to_regclass(v.q) FROM (VALUES %s) v(n, q)) "

// A domain is taken for what it is made of; its own checks are the server's to judge.
const columnQuery = `SELECT w.n, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), b.typname, b.typtype, CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END,
  a.attnotnull OR t.typnotnull, a.atthasdef OR t.typdefault IS NOT NULL, a.attidentity, a.attgenerated,
  COALESCE(pg_catalog.pg_get_expr(d.adbin, d.adrelid), '') LIKE 'nextval(%%', COALESCE(NOT co.collisdeterministic, false), pg_catalog.current_setting('server_encoding')
 FROM w JOIN pg_catalog.pg_attribute a ON a.attrelid = w.r AND a.attnum > 0 AND NOT a.attisdropped
 JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
 JOIN pg_catalog.pg_type b ON b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END
 LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
 LEFT JOIN pg_catalog.pg_collation co ON co.oid = a.attcollation ORDER BY w.n, a.attnum`

const indexQuery = `SELECT w.n, i.relname, x.indpred IS NOT NULL OR x.indexprs IS NOT NULL, NOT x.indimmediate, COALESCE(a.attname, '')
 FROM w JOIN pg_catalog.pg_index x ON x.indrelid = w.r AND x.indisunique AND x.indisvalid
 JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
 CROSS JOIN LATERAL unnest(x.indkey) WITH ORDINALITY k(num, ord)
 LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = k.num AND a.attnum > 0
 WHERE k.ord <= x.indnkeyatts ORDER BY w.n, x.indisprimary DESC, i.relname, k.ord`

const tableQuery = `SELECT w.n, GREATEST(c.reltuples, 0)::bigint FROM w JOIN pg_catalog.pg_class c ON c.oid = w.r`

const foreignQuery = `SELECT DISTINCT w.n, o.n FROM w JOIN pg_catalog.pg_constraint c ON c.conrelid = w.r AND c.contype = 'f' JOIN w o ON o.r = c.confrelid`

// catalog reads the named tables.
func catalog(ctx context.Context, c table.Conn, want []string) (map[string]*table.Info, error) {
	var values []byte
	for i, n := range want {
		if i > 0 {
			values = append(values, ", "...)
		}
		values = append(appendText(append(values, '('), []byte(n)), ", "...)
		values = append(appendText(values, []byte(quoteTable(n))), ')')
	}
	if len(want) == 0 {
		return map[string]*table.Info{}, nil
	}
	head := strings.Replace(named, "%s", string(values), 1)
	tables := map[string]*table.Info{}
	each := func(query string, row func(t *table.Info, vals [][]byte) error) error {
		return c.Query(ctx, []byte(head+strings.ReplaceAll(query, "%%", "%")), func(vals [][]byte) error {
			t := tables[string(vals[0])]
			if t == nil {
				t = &table.Info{Name: string(vals[0]), Columns: map[string]table.ColumnInfo{}, Exact: true}
				tables[t.Name] = t
			}
			return row(t, vals[1:])
		})
	}
	err := each(tableQuery, func(t *table.Info, vals [][]byte) error { return table.Scan(vals, &t.Rows) })
	if err == nil {
		err = each(columnQuery, readColumn)
	}
	if err == nil {
		err = each(foreignQuery, func(t *table.Info, vals [][]byte) error {
			t.Refers = append(t.Refers, string(vals[0]))
			return nil
		})
	}
	if err == nil {
		err = each(indexQuery, readIndex)
	}
	return tables, err
}

func readIndex(t *table.Info, vals [][]byte) error {
	var name, column string
	var partial, later bool
	if err := table.Scan(vals, &name, &partial, &later, &column); err != nil {
		return err
	}
	if n := len(t.Uniques); n == 0 || t.Uniques[n-1].Name != name {
		t.Uniques = append(t.Uniques, table.UniqueIndex{Name: name, Partial: partial, Later: later})
	}
	u := &t.Uniques[len(t.Uniques)-1]
	u.Columns = append(u.Columns, column)
	return nil
}

func readColumn(t *table.Info, vals [][]byte) error {
	c := table.ColumnInfo{Table: t.Name}
	var kind, identity, generated, encoding string
	var typmod int
	var notNull, hasDefault, counted bool
	if err := table.Scan(vals, &c.Name, &c.Type, &c.DataType, &kind, &typmod, &notNull, &hasDefault, &identity, &generated, &counted, &c.Folds, &encoding); err != nil {
		return err
	}
	c.Nullable, c.Narrow = !notNull, narrowSets[encoding]
	c.Auto = identity != "" || counted
	c.Generated = generated != "" || identity == "a"
	c.Fed = c.Nullable || hasDefault || c.Auto || c.Generated
	classify(&c, kind, typmod)
	t.Columns[c.Name] = c
	t.Order = append(t.Order, c.Name)
	return nil
}

// classify fills what follows from the data type; kind is pg_type.typtype.
func classify(c *table.ColumnInfo, kind string, typmod int) {
	if kind != "b" {
		return
	}
	whole := func(bits int) {
		c.Class, c.Min, c.Max = table.ClassInt, -1<<(bits-1), 1<<(bits-1)-1
		c.Precision = map[int]int{16: 5, 32: 10, 64: 19}[bits]
	}
	c.FSP = 6
	if typmod >= 0 && typmod < 6 {
		c.FSP = typmod
	}
	switch c.DataType {
	case "bool":
		c.Class = table.ClassBool
	case "int2":
		whole(16)
	case "int4":
		whole(32)
	case "int8":
		whole(64)
	case "oid":
		c.Class, c.Max, c.Precision = table.ClassInt, math.MaxUint32, 10
	case "numeric":
		c.Class, c.Unbounded = table.ClassDecimal, typmod < 4
		if !c.Unbounded {
			// The scale is eleven bits with a sign, since PostgreSQL 15.
			c.Precision, c.Scale = (typmod-4)>>16&0xFFFF, (typmod-4)&0x7FF^1024-1024
		}
	case "float4", "float8":
		c.Class, c.Single = table.ClassFloat, c.DataType == "float4"
	case "text", "varchar", "bpchar", "name":
		c.Class = table.ClassText
		if typmod >= 4 {
			c.Length = typmod - 4
		}
		c.Padded = c.DataType == "bpchar"
		if c.DataType == "name" {
			c.Length = 63
		}
	case "citext":
		c.Class, c.Folds = table.ClassText, true
	case "bytea":
		c.Class = table.ClassBytes
	case "date":
		c.Class = table.ClassDate
	case "timestamp", "timestamptz":
		c.Class, c.Zone = table.ClassDatetime, c.DataType == "timestamptz"
	case "time":
		c.Class = table.ClassTime
	case "json", "jsonb":
		c.Class = table.ClassJSON
	case "uuid":
		c.Class = table.ClassUUID
	}
}
