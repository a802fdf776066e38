package pages

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/go-sql-driver/mysql"
)

// wine is a product as the shop's tables have it. Numbers are exact decimals as text; "" is null.
type wine struct {
	No                       int64
	Name, Producer, Country  string
	Vintage, Alcohol, Volume string
	Description              string
	Price, Net, VAT          string
	Stock                    int64
	Status, Reason           string
	Images                   []string // what they show, in the shop's order
	FirstImage               bool     // in lists, where Images are not read
}

// errNoWine: the shop does not have it. errEmpty: the sink has not made the tables yet.
var (
	errNoWine = errors.New("the shop has no such wine")
	errEmpty  = errors.New("the shelves are still being filled")
)

// shelf is what a customer asked to see.
type shelf struct {
	Search string
	Show   string // a key of shelves
	Page   int    // from 1
}

// perPage is how many wines a page of the shop shows.
const perPage = 24

// shelves are the parts of the shop: what the customers see, and what the editors see besides.
var shelves = []struct{ Key, Name, where string }{
	{"", "For sale", "status = 'published'"},
	{"sold-out", "Sold out", "status = 'sold_out'"},
	{"not-shown", "Not shown", "status IN ('draft', 'hidden')"},
	{"all", "Everything", "true"},
}

const wineColumns = `product_no, coalesce(name, ''), coalesce(producer, ''), coalesce(country, ''), coalesce(vintage, ''), coalesce(alcohol, ''), coalesce(volume_ml, ''),
 coalesce(description, ''), coalesce(price, ''), coalesce(net_price, ''), coalesce(vat_rate, ''), coalesce(stock, 0), coalesce(status, ''), coalesce(status_reason, '')`

func (w *wine) into() []any {
	return []any{&w.No, &w.Name, &w.Producer, &w.Country, &w.Vintage, &w.Alcohol, &w.Volume, &w.Description, &w.Price, &w.Net, &w.VAT, &w.Stock, &w.Status, &w.Reason}
}

// list gives the wines of a page and how many there are on all.
func (s *shop) list(ctx context.Context, q shelf) (wines []wine, total int, err error) {
	where, args := []string{"true"}, []any(nil)
	for _, sh := range shelves {
		if sh.Key == q.Show {
			where[0] = sh.where
		}
	}
	for word := range strings.FieldsSeq(q.Search) {
		like := "%" + strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(word) + "%"
		// The columns compare as bytes; people do not.
		where = append(where, "(name COLLATE utf8mb4_unicode_ci LIKE ? OR producer COLLATE utf8mb4_unicode_ci LIKE ? OR product_no = ?)")
		args = append(args, like, like, word)
	}
	those := " WHERE " + strings.Join(where, " AND ")
	if err := s.db.QueryRowContext(ctx, "SELECT count(*) FROM product"+those, args...).Scan(&total); err != nil {
		return nil, 0, shopError(err)
	}
	q.Page = max(1, q.Page)
	rows, err := s.db.QueryContext(ctx, "SELECT "+wineColumns+", EXISTS (SELECT 1 FROM product_image i WHERE i.product_no = product.product_no) FROM product"+those+
		" ORDER BY product_no LIMIT ? OFFSET ?", append(args, perPage, (q.Page-1)*perPage)...)
	if err != nil {
		return nil, 0, shopError(err)
	}
	defer rows.Close()
	for rows.Next() {
		var w wine
		if err := rows.Scan(append(w.into(), &w.FirstImage)...); err != nil {
			return nil, 0, fmt.Errorf("read the shop: %w", err)
		}
		wines = append(wines, w)
	}
	return wines, total, rows.Err()
}

// wine gives one product; errNoWine if it is not there.
func (s *shop) wine(ctx context.Context, no int64) (*wine, error) {
	w := &wine{}
	err := s.db.QueryRowContext(ctx, "SELECT "+wineColumns+" FROM product WHERE product_no = ?", no).Scan(w.into()...)
	if err != nil {
		return nil, shopError(err)
	}
	rows, err := s.db.QueryContext(ctx, "SELECT coalesce(alt, '') FROM product_image WHERE product_no = ? ORDER BY position", no)
	if err != nil {
		return nil, shopError(err)
	}
	defer rows.Close()
	for rows.Next() {
		var alt string
		if err := rows.Scan(&alt); err != nil {
			return nil, fmt.Errorf("read the shop: %w", err)
		}
		w.Images = append(w.Images, alt)
	}
	w.FirstImage = len(w.Images) > 0
	return w, rows.Err()
}

// noTable is the server's number for a table that does not exist.
const noTable = 1146

func shopError(err error) error {
	var my *mysql.MySQLError
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return errNoWine
	case errors.As(err, &my) && my.Number == noTable:
		return errEmpty
	}
	return fmt.Errorf("read the shop: %w", err)
}

// Buyable says whether it can be put into the basket.
func (w *wine) Buyable() bool { return w.Status == "published" }

// StatusWord says the status in a customer's words, StatusTone how it is drawn.
func (w *wine) StatusWord() string {
	switch w.Status {
	case "published":
		if w.Stock <= lowStock {
			return fmt.Sprintf("Only %d left", w.Stock)
		}
		return "In stock"
	case "sold_out":
		return "Sold out"
	case "draft":
		return "Draft, not shown yet"
	case "hidden":
		return "Hidden"
	}
	return w.Status
}

// lowStock is from how few bottles on the shop says so.
const lowStock = 12

// StatusTone is one of good, few, out and off.
func (w *wine) StatusTone() string {
	switch {
	case w.Status == "published" && w.Stock <= lowStock:
		return "few"
	case w.Status == "published":
		return "good"
	case w.Status == "sold_out":
		return "out"
	}
	return "off"
}

// Brief is the line below the name on a shelf: "FR · 2004 · 12.5 %".
func (w *wine) Brief() string { return strings.Join(w.facts(), " · ") }

// Facts is Brief with the volume: "FR · 2004 · 12.5 % · 75 cl".
func (w *wine) Facts() string {
	parts := w.facts()
	if v, ok := strings.CutSuffix(w.Volume, "0"); ok && v != "" {
		parts = append(parts, v+" cl")
	}
	return strings.Join(parts, " · ")
}

func (w *wine) facts() (parts []string) {
	for _, p := range []string{w.Country, w.Vintage} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	if w.Alcohol != "" {
		parts = append(parts, plain(w.Alcohol)+" %")
	}
	return parts
}
