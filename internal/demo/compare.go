package demo

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// Difference is one row that the shop holds otherwise than the ERP says.
type Difference struct {
	Table string
	ERP   string // "" = the row should not be there
	Shop  string // "" = the row is missing
}

// Comparison is the result of comparing the shop with the ERP, row by row.
type Comparison struct {
	Rows        int
	Differences []Difference // at most 20
	Total       int          // how many there are in all
}

// Equal says whether there is no difference.
func (c *Comparison) Equal() bool { return c.Total == 0 }

// Compare reads what the shop must hold by a direct query over the ERP, and what it holds, both in the order of their keys.
func Compare(ctx context.Context, erp *pgx.Conn, shop *sql.DB, zone *time.Location) (*Comparison, error) {
	today := time.Now().In(zone).Format(time.DateOnly)
	c := &Comparison{}
	for _, t := range []struct {
		table, oracle, shop string
		keys                int
		args                []any
	}{
		{"product", oracleProduct, shopProduct, 1, []any{today}},
		{"product_image", oracleImage, shopImage, 2, nil},
	} {
		if err := c.table(ctx, erp, shop, t.table, t.keys, t.oracle, t.shop, t.args...); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// CompareTable compares one table of the shop with what it must hold by a query over the ERP. Both queries give texts, the first column being a key of
// whole numbers by which both are ordered.
func CompareTable(ctx context.Context, erp *pgx.Conn, shop *sql.DB, table, oracle, query string) (*Comparison, error) {
	c := &Comparison{}
	return c, c.table(ctx, erp, shop, table, 1, oracle, query)
}

func (c *Comparison) table(ctx context.Context, erp *pgx.Conn, shop *sql.DB, table string, keys int, oracle, query string, args ...any) error {
	want, err := erp.Query(ctx, oracle, args...)
	if err != nil {
		return fmt.Errorf("query the ERP: %w", err)
	}
	defer want.Close()
	have, err := shop.QueryContext(ctx, query)
	if err != nil {
		return fmt.Errorf("query the shop: %w", err)
	}
	defer have.Close()
	return c.merge(table, keys, pgRows(want), sqlRows(have))
}

// next gives the following row, its columns as text with null as "∅"; nil at the end.
type next func() ([]string, error)

func pgRows(rows pgx.Rows) next {
	return func() ([]string, error) {
		if !rows.Next() {
			return nil, rows.Err()
		}
		return scanTexts(len(rows.FieldDescriptions()), rows.Scan)
	}
}

func sqlRows(rows *sql.Rows) next {
	return func() ([]string, error) {
		if !rows.Next() {
			return nil, rows.Err()
		}
		cols, err := rows.Columns()
		if err != nil {
			return nil, err
		}
		return scanTexts(len(cols), rows.Scan)
	}
}

func scanTexts(n int, scan func(...any) error) ([]string, error) {
	texts, dest := make([]*string, n), make([]any, n)
	for i := range dest {
		dest[i] = &texts[i]
	}
	if err := scan(dest...); err != nil {
		return nil, fmt.Errorf("read a row: %w", err)
	}
	out := make([]string, n)
	for i, t := range texts {
		out[i] = "∅"
		if t != nil {
			out[i] = *t
		}
	}
	return out, nil
}

// merge walks both sides in key order.
func (c *Comparison) merge(table string, keys int, want, have next) error {
	w, err := want()
	if err != nil {
		return err
	}
	h, err := have()
	if err != nil {
		return err
	}
	for w != nil || h != nil {
		var order int
		switch {
		case w == nil:
			order = 1
		case h == nil:
			order = -1
		default:
			order = compareKeys(w[:keys], h[:keys])
		}
		c.Rows++
		if order != 0 || strings.Join(w, "\x1f") != strings.Join(h, "\x1f") {
			d := Difference{Table: table}
			if order <= 0 {
				d.ERP = strings.Join(w, " | ")
			}
			if order >= 0 {
				d.Shop = strings.Join(h, " | ")
			}
			if c.Total++; len(c.Differences) < 20 {
				c.Differences = append(c.Differences, d)
			}
		}
		if order <= 0 {
			if w, err = want(); err != nil {
				return err
			}
		}
		if order >= 0 {
			if h, err = have(); err != nil {
				return err
			}
		}
	}
	return nil
}

// compareKeys orders keys of whole numbers as numbers.
func compareKeys(a, b []string) int {
	for i := range a {
		if len(a[i]) != len(b[i]) {
			if len(a[i]) < len(b[i]) {
				return -1
			}
			return 1
		}
		if c := strings.Compare(a[i], b[i]); c != 0 {
			return c
		}
	}
	return 0
}

// Await compares until both sides are equal or the time is over, and returns the last comparison.
func Await(ctx context.Context, erp *pgx.Conn, shop *sql.DB, zone *time.Location, limit time.Duration) (*Comparison, error) {
	deadline := time.Now().Add(limit)
	for {
		c, err := Compare(ctx, erp, shop, zone)
		if err == nil && c.Equal() {
			return c, nil
		}
		if time.Now().After(deadline) || !rest(ctx, 200*time.Millisecond) {
			return c, err
		}
	}
}
