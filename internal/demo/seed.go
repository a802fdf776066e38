package demo

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
)

// Warehouses are the stock's places.
var Warehouses = []string{"OSL", "BGO", "TRD"}

var (
	grapes    = []string{"Riesling", "Chablis", "Barolo", "Rioja", "Grüner Veltliner", "Pinot Noir", "Châteauneuf-du-Pape", "Sancerre", "Brunello", "Malbec"}
	houses    = []string{"Weingut Müller", "Domaine Lefèvre", "Cantina Rossi", "Bodegas Núñez", "Skjærgård Vin", "Quinta do Côa", "Åsgård Import"}
	countries = []string{"de", "fr", "it", "es", "no", "pt", "at", "ar"}
	epoch     = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
)

// Seed fills the ERP's tables with n products; the same seed gives the same rows. It uses COPY, a table at a time.
func Seed(ctx context.Context, c *pgx.Conn, n int, seed uint64) error {
	if _, err := c.Exec(ctx, ERPSchema); err != nil {
		return fmt.Errorf("make the ERP's tables: %w", err)
	}
	rates := [][]any{
		{int16(1), epoch, nil, "25.00"},
		{int16(2), epoch, epoch.AddDate(4, 0, -1), "15.00"},
		{int16(2), epoch.AddDate(4, 0, 0), nil, "12.00"},
		{int16(3), epoch, nil, "0.00"},
	}
	for _, r := range rates {
		if _, err := c.Exec(ctx, "INSERT INTO vat_rate VALUES ($1, $2, $3, $4::text::numeric)", r...); err != nil {
			return fmt.Errorf("seed vat_rate: %w", err)
		}
	}
	for _, t := range seedTables {
		rng := rand.New(rand.NewPCG(seed, uint64(len(t.name))))
		src := &rowSource{n: n, rng: rng, make: t.rows}
		if _, err := c.CopyFrom(ctx, pgx.Identifier{t.name}, t.columns, src); err != nil {
			return fmt.Errorf("seed %s: %w", t.name, err)
		}
	}
	_, err := c.Exec(ctx, "ANALYZE")
	return err
}

// rowSource makes the rows of one product after the other.
type rowSource struct {
	n, next int
	rng     *rand.Rand
	make    func(rng *rand.Rand, no int64) [][]any
	rows    [][]any
	at      int
}

// Next moves to the next row.
func (s *rowSource) Next() bool {
	for s.at++; s.at >= len(s.rows); s.at = 0 {
		if s.next >= s.n {
			return false
		}
		s.next++
		s.rows = s.make(s.rng, int64(s.next))
		if len(s.rows) > 0 {
			s.at = 0
			return true
		}
	}
	return true
}

// Values gives the row.
func (s *rowSource) Values() ([]any, error) { return s.rows[s.at], nil }

// Err is always nil: the rows are made, not read.
func (s *rowSource) Err() error { return nil }

var seedTables = []struct {
	name    string
	columns []string
	rows    func(rng *rand.Rand, no int64) [][]any
}{
	{"product", []string{"product_no", "name", "producer", "country", "vintage", "alcohol", "volume_ml", "vat_code", "blocked", "discontinued"}, seedProduct},
	{"price", []string{"product_no", "list", "min_qty", "valid_from", "valid_to", "price"}, seedPrices},
	{"stock", []string{"product_no", "warehouse", "on_hand", "reserved"}, seedStock},
	{"product_text", []string{"product_no", "lang", "name", "description"}, seedTexts},
	{"image", []string{"image_id", "product_no", "position", "url", "alt"}, seedImages},
}

// grape is what the wine with this number is made of, or where it is from, in all its texts.
func grape(no int64) string { return grapes[(no*7+no/10)%int64(len(grapes))] }

func seedProduct(rng *rand.Rand, no int64) [][]any {
	var producer, vintage any
	if rng.IntN(20) > 0 {
		producer = houses[rng.IntN(len(houses))]
	}
	if rng.IntN(10) > 0 {
		vintage = int16(1990 + rng.IntN(35))
	}
	return [][]any{{
		no, fmt.Sprintf("%s %d", grape(no), no), producer, countries[rng.IntN(len(countries))], vintage,
		numeric(int64(80+rng.IntN(80)), 1), int32(750), int16(1 + rng.IntN(3)), rng.IntN(50) == 0, rng.IntN(60) == 0,
	}}
}

// seedPrices gives a product an old price, one that holds today, one from next year on, and one for twelve bottles; some have none.
func seedPrices(rng *rand.Rand, no int64) [][]any {
	if rng.IntN(40) == 0 {
		return nil
	}
	base := int64(500_000 + rng.IntN(9_000_000))
	return [][]any{
		{no, "SHOP", int32(0), epoch, epoch.AddDate(3, 0, -1), numeric(base, 4)},
		{no, "SHOP", int32(1), epoch.AddDate(3, 0, 0), nil, numeric(base+int64(rng.IntN(100_000)), 4)},
		{no, "SHOP", int32(12), epoch, nil, numeric(base*9/10, 4)},
		{no, "SHOP", int32(1), epoch.AddDate(100, 0, 0), nil, numeric(base*2, 4)},
	}
}

func seedStock(rng *rand.Rand, no int64) [][]any {
	var rows [][]any
	for _, w := range Warehouses {
		rows = append(rows, []any{no, w, int32(rng.IntN(60)), int32(rng.IntN(5))})
	}
	return rows
}

func seedTexts(rng *rand.Rand, no int64) [][]any {
	var rows [][]any
	if rng.IntN(4) > 0 {
		rows = append(rows, []any{no, "nb", fmt.Sprintf("%s nr. %d, «utvalgt»", grape(no), no), "Fyldig på smak, med en lang ettersmak av bær og krydder."})
	}
	if rng.IntN(3) > 0 {
		rows = append(rows, []any{no, "en", fmt.Sprintf("%s no. %d", grape(no), no), "Full-bodied, with a long finish of berries and spices."})
	}
	return rows
}

func seedImages(rng *rand.Rand, no int64) [][]any {
	var rows [][]any
	for i := range rng.IntN(4) {
		var alt any
		if rng.IntN(2) == 0 {
			alt = fmt.Sprintf("Bottle %d from side %d", no, i)
		}
		rows = append(rows, []any{no*10 + int64(i), no, int32(10 * (3 - i)), fmt.Sprintf("https://images.example/%d_%d.jpg", no, i), alt})
	}
	return rows
}
