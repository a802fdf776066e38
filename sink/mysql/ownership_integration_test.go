//go:build integration

package mysql

import (
	"database/sql"
	"fmt"
	"math"
	"strings"
	"testing"

	"shelfstream/sink"
)

func edit(t *testing.T, db *sql.DB, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
}

const ownedDDL = "CREATE TABLE product (sku varchar(20) COLLATE utf8mb4_nopad_bin PRIMARY KEY, title varchar(60) NOT NULL, ean varchar(60) COLLATE utf8mb4_general_ci, price decimal(12,2) NULL, stock int NOT NULL DEFAULT 7, " +
	"gone tinyint NOT NULL DEFAULT 0, CONSTRAINT sane CHECK (ean <> 'evil' AND title <> 'evil'))"

// title is the editors' once the row is made, ean and price as soon as there is something in them, stock always.
func ownedShop(c TableConfig) map[string]TableConfig {
	c.From = "product"
	c.Columns = map[string]ColumnConfig{"title": {From: "name", Write: "create"}, "ean": {From: "ean", Write: "empty"}, "price": {Write: "empty"}, "stock": {Write: "never"}}
	return map[string]TableConfig{"product": c}
}

// What an editor wrote survives updates, a batch that goes carefully, retries of what was parked, replays, and a product that comes back from a soft deletion.
func TestEditorsTextStays(t *testing.T) {
	dsn, db := database(t, ownedDDL)
	tg := target(t, Config{DSN: dsn, Tables: ownedShop(TableConfig{Delete: "soft", SoftDeleteColumn: "gone"})}, shop())
	all := "SELECT sku, title, ean, price, stock, gone FROM product ORDER BY sku"
	s := open(t, tg, shop(), 0)
	put(t, s, product{sku: "A", name: "a1", price: 100, stock: 1}, product{sku: "B", name: "b1", ean: "e", price: 100, stock: 1}, product{sku: "C", name: "c1", price: 100})
	same(t, rows(t, db, all), "A|a1|-|1.00|7|0", "B|b1|e|1.00|7|0", "C|c1|-|1.00|7|0")
	edit(t, db, "UPDATE product SET title = 'by hand', stock = 70 WHERE sku = 'A'", "UPDATE product SET ean = 'by hand', price = NULL WHERE sku = 'B'", "UPDATE product SET ean = '', title = '' WHERE sku = 'C'")
	// The empty are filled once; a blank is not nothing, though the collation says so.
	put(t, s, product{sku: "A", name: "a2", ean: "e2", price: 200, stock: 2}, product{sku: "B", name: "b2", ean: "e2", price: 200, stock: 2}, product{sku: "C", name: "c2", ean: " ", price: 200})
	put(t, s, product{sku: "C", name: "c3", ean: "e3", price: 300})
	want := []string{"A|by hand|e2|1.00|70|0", "B|b1|by hand|2.00|7|0", "C|| |1.00|7|0"}
	same(t, rows(t, db, all), want...)
	// Among products that the database refuses.
	bad := product{sku: "D", name: "evil", price: 400}
	at := s.Place().Next
	if parked := put(t, s, bad, product{sku: "A", name: "a4", ean: "e4", price: 400, stock: 4}); len(parked) != 1 {
		t.Fatalf("parked: %+v", parked)
	}
	same(t, rows(t, db, all), want...)
	// What was parked is tried again, after an editor made its row.
	edit(t, db, "ALTER TABLE product DROP CONSTRAINT sane", "INSERT INTO product (sku, title, ean) VALUES ('D', 'made by hand', '')")
	if parked := applyBatch(t, s, &sink.Batch{Records: []sink.Record{bad.record(at)}, Next: s.Place().Next}); len(parked) != 0 {
		t.Fatalf("parked: %+v", parked)
	}
	want = append(want, "D|made by hand|-|4.00|7|0")
	same(t, rows(t, db, all), want...)
	// A replay of everything.
	if _, err := tg.Rewind(t.Context(), sink.Partition{View: shop(), ID: 0}, 0, false); err != nil {
		t.Fatal(err)
	}
	s = open(t, tg, shop(), 0)
	if p := s.Place(); p.Next != 0 || p.ReplayUntil != math.MaxInt64 {
		t.Fatalf("place %+v", p)
	}
	again := []product{{sku: "A", name: "a5", ean: "e5", price: 500}, {sku: "B", name: "b5", ean: "e5", price: 500}, {sku: "C", name: "c5", ean: "e5", price: 500}, {sku: "D", name: "d5", price: 500}}
	put(t, s, again...)
	same(t, rows(t, db, all), want...)
	// Gone, and back.
	b := &sink.Batch{Next: s.Place().Next}
	for _, p := range again {
		b.Records = append(b.Records, gone(b.Next, p.sku))
		b.Next++
	}
	applyBatch(t, s, b)
	same(t, rows(t, db, "SELECT COUNT(*), SUM(gone) FROM product"), "4|4")
	put(t, s, again...)
	same(t, rows(t, db, all), want...)
}

// A row that was deleted takes the editor's text with it; the next one is made anew.
func TestEditorsTextGoesWithTheRow(t *testing.T) {
	dsn, db := database(t, ownedDDL)
	tg := target(t, Config{DSN: dsn, Tables: ownedShop(TableConfig{})}, shop())
	s := open(t, tg, shop(), 0)
	put(t, s, product{sku: "A", name: "a1"})
	edit(t, db, "UPDATE product SET title = 'by hand'")
	applyBatch(t, s, &sink.Batch{Records: []sink.Record{gone(1, "A")}, Next: 2})
	put(t, s, product{sku: "A", name: "a2", price: 100})
	same(t, rows(t, db, "SELECT sku, title, price FROM product"), "A|a2|1.00")
}

// What an editor wrote to an image stays with it when the list changes order, and when another table of the view is refused at first.
func TestEditorsTextOfElements(t *testing.T) {
	dsn, db := database(t)
	tg := target(t, Config{DSN: dsn, Tables: map[string]TableConfig{
		"product": {From: "product", Create: true},
		"image": {From: "product.images", Create: true, Key: []string{"sku", "url"}, Columns: map[string]ColumnConfig{
			"url": {From: "url"}, "alt": {Write: "empty"}, "caption": {From: "alt", Write: "create"}, "rank": {From: "position"},
		}},
	}}, shop())
	s := open(t, tg, shop(), 0)
	put(t, s, product{sku: "A", images: []string{"a", "b"}})
	edit(t, db, "UPDATE image SET alt = CONCAT('alt ', url), caption = CONCAT('caption ', url)")
	put(t, s, product{sku: "A", images: []string{"b", "c", "a"}}, product{sku: "B", images: []string{"a"}})
	same(t, rows(t, db, "SELECT sku, `rank`, url, alt, caption FROM image ORDER BY sku, `rank`"), "A|0|b|alt b|caption b", "A|1|c|-|-", "A|2|a|alt a|caption a", "B|0|a|-|-")
}

// An owned column in a unique index, as a slug is: what the view would write to it is in nobody's way where it is not written, and nobody's is taken for another.
func TestOwnedSlugs(t *testing.T) {
	for name, ddl := range map[string]string{
		"key first":        "sku varchar(20) COLLATE utf8mb4_nopad_bin PRIMARY KEY, slug varchar(60) NOT NULL UNIQUE",
		"slug before key":  "id int AUTO_INCREMENT PRIMARY KEY, slug varchar(60) NOT NULL, sku varchar(20) COLLATE utf8mb4_nopad_bin NOT NULL, UNIQUE a_slug (slug), UNIQUE z_key (sku)",
		"slug may be null": "sku varchar(20) COLLATE utf8mb4_nopad_bin PRIMARY KEY, slug varchar(60) UNIQUE",
	} {
		for _, write := range []string{"create", "empty"} {
			t.Run(name+", "+write, func(t *testing.T) {
				dsn, db := database(t, "CREATE TABLE product ("+ddl+", ean varchar(20) NOT NULL, gone tinyint NOT NULL DEFAULT 0, UNIQUE (ean))")
				tg := target(t, Config{DSN: dsn, Tables: map[string]TableConfig{"product": {From: "product", Delete: "soft", SoftDeleteColumn: "gone", Columns: map[string]ColumnConfig{
					"sku": {From: "sku"}, "slug": {From: "name", Write: write}, "ean": {From: "ean"},
				}}}}, shop())
				s := open(t, tg, shop(), 0)
				all := "SELECT sku, slug, ean, gone FROM product ORDER BY sku"
				put(t, s, product{sku: "A", name: "red", ean: "1"})
				edit(t, db, "UPDATE product SET slug = 'by-hand'")
				put(t, s, product{sku: "B", name: "red", ean: "2"})
				same(t, rows(t, db, all), "A|by-hand|1|0", "B|red|2|0")
				if parked := put(t, s, product{sku: "A", name: "red", ean: "11"}); len(parked) > 0 {
					t.Fatalf("parked: %+v", parked)
				}
				// They exchange another value.
				if parked := put(t, s, product{sku: "A", name: "red", ean: "2"}, product{sku: "B", name: "by-hand", ean: "11"}); len(parked) > 0 {
					t.Fatalf("parked: %+v", parked)
				}
				want := []string{"A|by-hand|2|0", "B|red|11|0"}
				same(t, rows(t, db, all), want...)
				// A new product wants a slug that has an owner, who is in the same batch, and then is gone but softly: it is not freed, as nobody would write it again.
				for _, next := range []sink.Record{product{sku: "B", name: "blue", ean: "11"}.record(s.Place().Next), gone(s.Place().Next+2, "B")} {
					at := s.Place().Next
					next.Offset = at + 1
					parked := applyBatch(t, s, &sink.Batch{Records: []sink.Record{product{sku: "C", name: "red", ean: "3"}.record(at), next}, Next: at + 2})
					if len(parked) != 1 || parked[0].Key != "C" || !strings.Contains(parked[0].Fault.What, "product B") || !strings.Contains(parked[0].Fault.What, "slug") {
						t.Fatalf("parked: %+v", parked)
					}
					same(t, rows(t, db, "SELECT sku, slug, ean FROM product ORDER BY sku"), "A|by-hand|2", "B|red|11")
				}
				edit(t, db, "UPDATE product SET slug = 'other' WHERE sku = 'B'")
				if parked := put(t, s, product{sku: "C", name: "red", ean: "3"}); len(parked) > 0 {
					t.Fatalf("parked: %+v", parked)
				}
				same(t, rows(t, db, all), "A|by-hand|2|0", "B|other|11|1", "C|red|3|0")
			})
		}
	}
}

// An empty slug is wanted from the view also where a batch goes carefully, and not had while another has it.
func TestEmptySlugIsFilledCarefully(t *testing.T) {
	dsn, db := database(t, "CREATE TABLE product (sku varchar(20) COLLATE utf8mb4_nopad_bin PRIMARY KEY, slug varchar(60) UNIQUE, stock int)")
	tg := target(t, Config{DSN: dsn, Tables: map[string]TableConfig{"product": {From: "product", Columns: map[string]ColumnConfig{
		"slug": {From: "name", Write: "empty"}, "stock": {From: "stock"},
	}}}}, shop())
	s := open(t, tg, shop(), 0)
	put(t, s, product{sku: "A", name: "red"}, product{sku: "B"}, product{sku: "C"}, product{sku: "D"})
	edit(t, db, "UPDATE product SET slug = '' WHERE sku = 'D'")
	parked := put(t, s, product{sku: "B", name: "red", stock: 1}, product{sku: "C", name: "blue", stock: 1}, product{sku: "D", name: "green", stock: 1})
	if len(parked) != 1 || parked[0].Key != "B" || !strings.Contains(parked[0].Fault.What, `"red", which product A already has`) {
		t.Fatalf("parked: %+v", parked)
	}
	same(t, rows(t, db, "SELECT sku, slug, stock FROM product ORDER BY sku"), "A|red|0", "B|-|0", "C|blue|1", "D|green|1")
}

// The guard of secondary unique indexes is unharmed: a new product with the EAN of another does not overwrite its owned columns either.
func TestOwnedColumnsAreGuarded(t *testing.T) {
	dsn, db := database(t, uniqueEAN)
	tg := target(t, Config{DSN: dsn, Tables: map[string]TableConfig{"product": {From: "product", Columns: map[string]ColumnConfig{
		"ean": {From: "ean"}, "name": {Write: "empty"}, "stock": {From: "stock", Write: "create"}, "own": {Write: "never"},
	}}}}, shop())
	s := open(t, tg, shop(), 0)
	put(t, s, product{sku: "A", ean: "1", stock: 1})
	for i := range 2 {
		if parked := put(t, s, product{sku: fmt.Sprint("B", i), name: "x", ean: "1", stock: 9}); len(parked) != 1 {
			t.Fatalf("parked: %+v", parked)
		}
	}
	same(t, rows(t, db, "SELECT sku, name, ean, stock, own FROM product"), "A|-|1|1|shop")
}
