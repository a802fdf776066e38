package pages

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// article is a product as the ERP's tables have it. Decimals are exact, as text; "" is null.
type article struct {
	No                    int64
	Name                  string // as the shop shows it: the first text there is, or the product's own
	Net                   string // of one bottle, today, without VAT
	Rate                  string // of its VAT code, today; "" if there is none
	VATCode               int16
	Blocked, Discontinued bool
	Total                 int64 // what can be sold
	Stock                 []inStock
}

// inStock is what lies in one warehouse.
type inStock struct {
	Warehouse        string
	OnHand, Reserved int64
}

// vatRate is one line of the ERP's VAT table, or a code that articles have and the table does not.
type vatRate struct {
	Code     int16
	From, To string
	Rate     string // "" = nobody has said
	Articles int64
}

var errNoArticle = errors.New("the ERP has no such article")

// today is the merchant's day, as the pipeline's zone has it.
const today = "(now() AT TIME ZONE 'Europe/Oslo')::date"

// articles is the ERP's side of what the shop shows, one row for each product.
const articles = `
SELECT p.product_no, coalesce(t.name, p.name), coalesce(n.price::text, ''), coalesce(v.rate::text, ''), p.vat_code, p.blocked, p.discontinued, coalesce(s.stock, 0)
  FROM product p
  LEFT JOIN LATERAL (SELECT x.name FROM product_text x WHERE x.product_no = p.product_no AND x.lang IN ('nb', 'en')
                      ORDER BY x.lang DESC LIMIT 1) t ON true
  LEFT JOIN LATERAL (SELECT x.price FROM price x WHERE x.product_no = p.product_no AND ` + priceToday + `) n ON true
  LEFT JOIN LATERAL (SELECT x.rate FROM vat_rate x WHERE x.vat_code = p.vat_code AND x.valid_from <= ` + today + `
                        AND (x.valid_to IS NULL OR x.valid_to >= ` + today + `) ORDER BY x.valid_from DESC LIMIT 1) v ON true
  LEFT JOIN LATERAL (SELECT sum(x.on_hand - x.reserved) AS stock FROM stock x WHERE x.product_no = p.product_no) s ON true`

// priceToday is which of a product's prices holds for one bottle.
const priceToday = `x.list = 'SHOP' AND x.min_qty <= 1 AND x.valid_from <= ` + today + ` AND (x.valid_to IS NULL OR x.valid_to >= ` + today + `)
                      ORDER BY x.valid_from DESC, x.min_qty LIMIT 1`

func (a *article) into() []any {
	return []any{&a.No, &a.Name, &a.Net, &a.Rate, &a.VATCode, &a.Blocked, &a.Discontinued, &a.Total}
}

// querier is a connection or a transaction on it.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// with runs fn on a connection of its own: the ERP may have been restarted since the last page.
func (e *erp) with(ctx context.Context, fn func(c *pgx.Conn) error) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	c, err := pgx.Connect(ctx, e.dsn)
	if err != nil {
		return fmt.Errorf("connect to the ERP: %w", err)
	}
	defer c.Close(context.WithoutCancel(ctx))
	return fn(c)
}

// search lists articles by number or by part of the name, at most n from offset on.
func search(ctx context.Context, c querier, text string, n, offset int) (list []article, total int, err error) {
	where, args := []string{"true"}, []any{}
	for word := range strings.FieldsSeq(text) {
		args = append(args, "%"+strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(word)+"%", word)
		where = append(where, fmt.Sprintf("(p.name ILIKE $%d OR p.producer ILIKE $%[1]d OR p.product_no::text = $%[2]d)", len(args)-1, len(args)))
	}
	those := " WHERE " + strings.Join(where, " AND ")
	if err := c.QueryRow(ctx, "SELECT count(*) FROM product p"+those, args...).Scan(&total); err != nil {
		return nil, 0, fmt.Errorf("count the ERP's articles: %w", err)
	}
	rows, err := c.Query(ctx, articles+those+fmt.Sprintf(" ORDER BY p.product_no LIMIT %d OFFSET %d", n, offset), args...)
	if err != nil {
		return nil, 0, fmt.Errorf("list the ERP's articles: %w", err)
	}
	list, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (a article, err error) { return a, row.Scan(a.into()...) })
	if err != nil {
		return nil, 0, fmt.Errorf("list the ERP's articles: %w", err)
	}
	return list, total, nil
}

// one reads an article with its stock; errNoArticle if there is none.
func one(ctx context.Context, c querier, no int64) (*article, error) {
	a := &article{}
	err := c.QueryRow(ctx, articles+" WHERE p.product_no = $1", no).Scan(a.into()...)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, errNoArticle
	}
	if err != nil {
		return nil, fmt.Errorf("read article %d: %w", no, err)
	}
	rows, err := c.Query(ctx, "SELECT warehouse, on_hand, reserved FROM stock WHERE product_no = $1 ORDER BY warehouse", no)
	if err != nil {
		return nil, fmt.Errorf("read the stock of article %d: %w", no, err)
	}
	a.Stock, err = pgx.CollectRows(rows, pgx.RowToStructByPos[inStock])
	if err != nil {
		return nil, fmt.Errorf("read the stock of article %d: %w", no, err)
	}
	return a, nil
}

// rates lists the VAT table, and the codes that articles have without being in it.
func rates(ctx context.Context, c querier) ([]vatRate, error) {
	rows, err := c.Query(ctx, `
SELECT coalesce(v.vat_code, p.vat_code), coalesce(v.valid_from::text, ''), coalesce(v.valid_to::text, ''), coalesce(v.rate::text, ''), coalesce(p.n, 0)
  FROM vat_rate v FULL JOIN (SELECT vat_code, count(*) AS n FROM product GROUP BY vat_code) p ON p.vat_code = v.vat_code
 ORDER BY 1, 2`)
	if err != nil {
		return nil, fmt.Errorf("read the VAT table: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[vatRate])
	if err != nil {
		return nil, fmt.Errorf("read the VAT table: %w", err)
	}
	return list, nil
}
