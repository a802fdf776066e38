package pages

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
)

// form is what somebody typed into the ERP.
type form struct {
	Name, Net string
	VATCode   int16
	OnHand    map[string]int64 // by warehouse
}

var (
	decimal    = regexp.MustCompile(`^\d{1,8}([.,]\d{1,4})?$`)
	percentage = regexp.MustCompile(`^\d{1,2}(\.\d{1,2})?$`)
)

// parseForm reads an article's form; wrong names each field that cannot be taken, and why.
func parseForm(v url.Values) (f form, wrong map[string]string) {
	wrong = map[string]string{}
	if f.Name = strings.TrimSpace(v.Get("name")); f.Name == "" || utf8.RuneCountInString(f.Name) > 200 {
		wrong["name"] = "a name has 1 to 200 characters"
	}
	if f.Net = strings.TrimSpace(v.Get("net")); f.Net != "" && !decimal.MatchString(f.Net) {
		wrong["net"] = "a price is a number with at most four digits after the point"
	}
	f.Net = strings.Replace(f.Net, ",", ".", 1)
	code, err := strconv.ParseInt(strings.TrimSpace(v.Get("vat")), 10, 16)
	if f.VATCode = int16(code); err != nil || code < 0 {
		wrong["vat"] = "a VAT code is a number from 0 to 32767"
	}
	f.OnHand = map[string]int64{}
	for field := range v {
		place, ok := strings.CutPrefix(field, "stock-")
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(v.Get(field)), 10, 32)
		if err != nil || n < 0 || n > 1_000_000 {
			wrong[field] = "a stock is a whole number from 0 to 1 000 000"
		}
		f.OnHand[place] = n
	}
	return f, wrong
}

// save writes what differs from what the ERP has, in one transaction, in the order in which the clerk locks rows. It gives the article as it was and as
// it is, and when the commit was done.
func save(ctx context.Context, c *pgx.Conn, no int64, f form) (before, after *article, at time.Time, err error) {
	err = pgx.BeginFunc(ctx, c, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT 1 FROM product WHERE product_no = $1 FOR UPDATE", no); err != nil {
			return err
		}
		if before, err = one(ctx, tx, no); err != nil {
			return err
		}
		if err := write(ctx, tx, before, f); err != nil {
			return err
		}
		after, err = one(ctx, tx, no)
		return err
	})
	if errors.Is(err, errNoArticle) {
		return nil, nil, at, err
	}
	if err != nil {
		return nil, nil, at, fmt.Errorf("change article %d: %w", no, err)
	}
	return before, after, time.Now(), nil
}

func write(ctx context.Context, tx pgx.Tx, before *article, f form) error {
	no := before.No
	if f.VATCode != before.VATCode {
		if _, err := tx.Exec(ctx, "UPDATE product SET vat_code = $2, updated_at = clock_timestamp() WHERE product_no = $1", no, f.VATCode); err != nil {
			return err
		}
	}
	if f.Net != "" && money4(f.Net) != money4(before.Net) {
		tag, err := tx.Exec(ctx, "UPDATE price SET price = $2::text::numeric WHERE (product_no, list, min_qty, valid_from) = (SELECT x.product_no, x.list, x.min_qty, x.valid_from FROM price x WHERE x.product_no = $1 AND "+priceToday+")", no, f.Net)
		if err == nil && tag.RowsAffected() == 0 {
			// Whoever reads the shop goes by one rev for all of a product's rows.
			_, err = tx.Exec(ctx, "INSERT INTO price (product_no, list, min_qty, valid_from, price, rev) SELECT product_no, 'SHOP', 1, "+today+", $2::text::numeric, rev FROM product WHERE product_no = $1", no, f.Net)
		}
		if err != nil {
			return err
		}
	}
	for _, s := range before.Stock {
		if n, ok := f.OnHand[s.Warehouse]; ok && n != s.OnHand {
			if _, err := tx.Exec(ctx, "UPDATE stock SET on_hand = $3 WHERE product_no = $1 AND warehouse = $2", no, s.Warehouse, n); err != nil {
				return err
			}
		}
	}
	if f.Name != before.Name {
		if _, err := tx.Exec(ctx, "INSERT INTO product_text (product_no, lang, name) VALUES ($1, 'nb', $2) ON CONFLICT (product_no, lang) DO UPDATE SET name = excluded.name", no, f.Name); err != nil {
			return err
		}
	}
	return nil
}

// money4 is a price as the ERP's column writes it, with four digits.
func money4(d string) string {
	whole, part, _ := strings.Cut(d, ".")
	whole = strings.TrimLeft(whole, "0")
	return whole + "." + (part + "0000")[:4]
}

// addRate says what a VAT code means from today on. It gives the first article that has the code, as it was and as it is; nil if none has it.
func addRate(ctx context.Context, c *pgx.Conn, code int16, rate string) (before, after *article, at time.Time, err error) {
	err = pgx.BeginFunc(ctx, c, func(tx pgx.Tx) error {
		var no int64
		err := tx.QueryRow(ctx, "SELECT product_no FROM product WHERE vat_code = $1 AND NOT discontinued ORDER BY product_no LIMIT 1", code).Scan(&no)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		if no != 0 {
			if before, err = one(ctx, tx, no); err != nil {
				return err
			}
		}
		if _, err := tx.Exec(ctx, "INSERT INTO vat_rate VALUES ($1, "+today+", NULL, $2::text::numeric) ON CONFLICT (vat_code, valid_from) DO UPDATE SET rate = excluded.rate", code, rate); err != nil {
			return err
		}
		if no != 0 {
			after, err = one(ctx, tx, no)
			return err
		}
		return nil
	})
	if err != nil {
		return nil, nil, at, fmt.Errorf("add VAT code %d: %w", code, err)
	}
	return before, after, time.Now(), nil
}
