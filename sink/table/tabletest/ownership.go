package tabletest

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"shelfstream/sink"
	"shelfstream/sink/table"
)

// Ownership tests that what the shop's editors own in a row stays theirs, and that nobody's row is taken for another's because of it.
func Ownership(t *testing.T, k *Kit) {
	k.run(t, map[string]func(*testing.T, *Kit){
		"EditorsTextStays":           editorsTextStays,
		"EditorsTextGoesWithTheRow":  editorsTextGoesWithTheRow,
		"EditorsTextOfElements":      editorsTextOfElements,
		"OwnedSlugs":                 ownedSlugs,
		"EmptySlugIsFilledCarefully": emptySlugIsFilledCarefully,
		"OwnedColumnsAreGuarded":     ownedColumnsAreGuarded,
	})
}

const ownedDDL = "CREATE TABLE product (sku varchar(20) {exact} PRIMARY KEY, title varchar(60) NOT NULL, ean varchar(60) {fold}, price decimal(12,2) NULL, stock int NOT NULL DEFAULT 7, " +
	"gone {flag} NOT NULL DEFAULT 0, CONSTRAINT sane CHECK (ean <> 'evil' AND title <> 'evil'))"

// title is the editors' once the row is made, ean and price as soon as there is something in them, stock always.
func ownedShop(c table.TableConfig) Tables {
	c.From = "product"
	c.Columns = map[string]table.ColumnConfig{"title": {From: "name", Write: "create"}, "ean": {From: "ean", Write: "empty"}, "price": {Write: "empty"}, "stock": {Write: "never"}}
	return Tables{"product": c}
}

// What an editor wrote survives updates, a batch that goes carefully, retries of what was parked, replays, and a product that comes back from a soft deletion.
func editorsTextStays(t *testing.T, k *Kit) {
	d := k.Database(t, ownedDDL)
	tg := d.Target(ownedShop(table.TableConfig{Delete: "soft", SoftDeleteColumn: "gone"}), Shop())
	all := "SELECT sku, title, ean, price, stock, gone FROM product ORDER BY sku"
	s := Open(t, tg, Shop(), 0)
	Put(t, s, Product{SKU: "A", Name: "a1", Price: 100, Stock: 1}, Product{SKU: "B", Name: "b1", EAN: "e", Price: 100, Stock: 1}, Product{SKU: "C", Name: "c1", Price: 100})
	d.Want(all, "A|a1|-|1.00|7|0", "B|b1|e|1.00|7|0", "C|c1|-|1.00|7|0")
	d.Exec("UPDATE product SET title = 'by hand', stock = 70 WHERE sku = 'A'", "UPDATE product SET ean = 'by hand', price = NULL WHERE sku = 'B'", "UPDATE product SET ean = '', title = '' WHERE sku = 'C'")
	// The empty are filled once; a blank is not nothing, though the collation says so.
	Put(t, s, Product{SKU: "A", Name: "a2", EAN: "e2", Price: 200, Stock: 2}, Product{SKU: "B", Name: "b2", EAN: "e2", Price: 200, Stock: 2}, Product{SKU: "C", Name: "c2", EAN: " ", Price: 200})
	Put(t, s, Product{SKU: "C", Name: "c3", EAN: "e3", Price: 300})
	want := []string{"A|by hand|e2|1.00|70|0", "B|b1|by hand|2.00|7|0", "C|| |1.00|7|0"}
	d.Want(all, want...)
	// Among products that the database refuses.
	bad := Product{SKU: "D", Name: "evil", Price: 400}
	at := s.Place().Next
	if parked := Put(t, s, bad, Product{SKU: "A", Name: "a4", EAN: "e4", Price: 400, Stock: 4}); len(parked) != 1 {
		t.Fatalf("parked: %+v", parked)
	}
	d.Want(all, want...)
	// What was parked is tried again, after an editor made its row.
	d.Exec("ALTER TABLE product DROP CONSTRAINT sane", "INSERT INTO product (sku, title, ean) VALUES ('D', 'made by hand', '')")
	if parked := Apply(t, s, &sink.Batch{Records: []sink.Record{bad.Record(at)}, Next: s.Place().Next}); len(parked) != 0 {
		t.Fatalf("parked: %+v", parked)
	}
	want = append(want, "D|made by hand|-|4.00|7|0")
	d.Want(all, want...)
	// A replay of everything.
	if _, err := tg.Rewind(t.Context(), sink.Partition{View: Shop(), ID: 0}, 0, false); err != nil {
		t.Fatal(err)
	}
	s = Open(t, tg, Shop(), 0)
	if p := s.Place(); p.Next != 0 || p.ReplayUntil != math.MaxInt64 {
		t.Fatalf("place %+v", p)
	}
	again := []Product{{SKU: "A", Name: "a5", EAN: "e5", Price: 500}, {SKU: "B", Name: "b5", EAN: "e5", Price: 500}, {SKU: "C", Name: "c5", EAN: "e5", Price: 500}, {SKU: "D", Name: "d5", Price: 500}}
	Put(t, s, again...)
	d.Want(all, want...)
	// Gone, and back.
	b := &sink.Batch{Next: s.Place().Next}
	for _, p := range again {
		b.Records = append(b.Records, Gone(b.Next, p.SKU))
		b.Next++
	}
	Apply(t, s, b)
	d.Want("SELECT COUNT(*), SUM(gone) FROM product", "4|4")
	Put(t, s, again...)
	d.Want(all, want...)
}

// A row that was deleted takes the editor's text with it; the next one is made anew.
func editorsTextGoesWithTheRow(t *testing.T, k *Kit) {
	d := k.Database(t, ownedDDL)
	tg := d.Target(ownedShop(table.TableConfig{}), Shop())
	s := Open(t, tg, Shop(), 0)
	Put(t, s, Product{SKU: "A", Name: "a1"})
	d.Exec("UPDATE product SET title = 'by hand'")
	Apply(t, s, &sink.Batch{Records: []sink.Record{Gone(1, "A")}, Next: 2})
	Put(t, s, Product{SKU: "A", Name: "a2", Price: 100})
	d.Want("SELECT sku, title, price FROM product", "A|a2|1.00")
}

// What an editor wrote to an image stays with it when the list changes order, and when another table of the view is refused at first.
func editorsTextOfElements(t *testing.T, k *Kit) {
	d := k.Database(t)
	tg := d.Target(Tables{
		"product": {From: "product", Create: true},
		"image": {From: "product.images", Create: true, Key: []string{"sku", "url"}, Columns: map[string]table.ColumnConfig{
			"url": {From: "url"}, "alt": {Write: "empty"}, "caption": {From: "alt", Write: "create"}, "rank": {From: "position"},
		}},
	}, Shop())
	s := Open(t, tg, Shop(), 0)
	Put(t, s, Product{SKU: "A", Images: []string{"a", "b"}})
	d.Exec("UPDATE image SET alt = CONCAT('alt ', url), caption = CONCAT('caption ', url)")
	Put(t, s, Product{SKU: "A", Images: []string{"b", "c", "a"}}, Product{SKU: "B", Images: []string{"a"}})
	d.Want("SELECT sku, {rank}, url, alt, caption FROM image ORDER BY sku, {rank}", "A|0|b|alt b|caption b", "A|1|c|-|-", "A|2|a|alt a|caption a", "B|0|a|-|-")
}

// An owned column in a unique index, as a slug is: what the view would write to it is in nobody's way where it is not written, and nobody's is taken for another.
func ownedSlugs(t *testing.T, k *Kit) {
	for name, ddl := range map[string]string{
		"key first":        "sku varchar(20) {exact} PRIMARY KEY, slug varchar(60) NOT NULL UNIQUE",
		"slug before key":  "id {serial} PRIMARY KEY, slug varchar(60) NOT NULL, sku varchar(20) {exact} NOT NULL, CONSTRAINT a_slug UNIQUE (slug), CONSTRAINT z_key UNIQUE (sku)",
		"slug may be null": "sku varchar(20) {exact} PRIMARY KEY, slug varchar(60) UNIQUE",
	} {
		for _, write := range []string{"create", "empty"} {
			t.Run(name+", "+write, func(t *testing.T) {
				d := k.Database(t, "CREATE TABLE product ("+ddl+", ean varchar(20) NOT NULL, gone {flag} NOT NULL DEFAULT 0, UNIQUE (ean))")
				tg := d.Target(Tables{"product": {From: "product", Delete: "soft", SoftDeleteColumn: "gone", Columns: map[string]table.ColumnConfig{
					"sku": {From: "sku"}, "slug": {From: "name", Write: write}, "ean": {From: "ean"},
				}}}, Shop())
				s := Open(t, tg, Shop(), 0)
				all := "SELECT sku, slug, ean, gone FROM product ORDER BY sku"
				Put(t, s, Product{SKU: "A", Name: "red", EAN: "1"})
				d.Exec("UPDATE product SET slug = 'by-hand'")
				Put(t, s, Product{SKU: "B", Name: "red", EAN: "2"})
				d.Want(all, "A|by-hand|1|0", "B|red|2|0")
				if parked := Put(t, s, Product{SKU: "A", Name: "red", EAN: "11"}); len(parked) > 0 {
					t.Fatalf("parked: %+v", parked)
				}
				// They exchange another value.
				if parked := Put(t, s, Product{SKU: "A", Name: "red", EAN: "2"}, Product{SKU: "B", Name: "by-hand", EAN: "11"}); len(parked) > 0 {
					t.Fatalf("parked: %+v", parked)
				}
				want := []string{"A|by-hand|2|0", "B|red|11|0"}
				d.Want(all, want...)
				// A new product wants a slug that has an owner, who is in the same batch, and then is gone but softly: it is not freed, as nobody would write it again.
				for _, next := range []sink.Record{Product{SKU: "B", Name: "blue", EAN: "11"}.Record(s.Place().Next), Gone(s.Place().Next+2, "B")} {
					at := s.Place().Next
					next.Offset = at + 1
					parked := Apply(t, s, &sink.Batch{Records: []sink.Record{Product{SKU: "C", Name: "red", EAN: "3"}.Record(at), next}, Next: at + 2})
					if len(parked) != 1 || parked[0].Key != "C" || !strings.Contains(parked[0].Fault.What, "product B") || !strings.Contains(parked[0].Fault.What, "slug") {
						t.Fatalf("parked: %+v", parked)
					}
					d.Want("SELECT sku, slug, ean FROM product ORDER BY sku", "A|by-hand|2", "B|red|11")
				}
				d.Exec("UPDATE product SET slug = 'other' WHERE sku = 'B'")
				if parked := Put(t, s, Product{SKU: "C", Name: "red", EAN: "3"}); len(parked) > 0 {
					t.Fatalf("parked: %+v", parked)
				}
				d.Want(all, "A|by-hand|2|0", "B|other|11|1", "C|red|3|0")
			})
		}
	}
}

// An empty slug is wanted from the view also where a batch goes carefully, and not had while another has it.
func emptySlugIsFilledCarefully(t *testing.T, k *Kit) {
	d := k.Database(t, "CREATE TABLE product (sku varchar(20) {exact} PRIMARY KEY, slug varchar(60) UNIQUE, stock int)")
	tg := d.Target(Tables{"product": {From: "product", Columns: map[string]table.ColumnConfig{
		"slug": {From: "name", Write: "empty"}, "stock": {From: "stock"},
	}}}, Shop())
	s := Open(t, tg, Shop(), 0)
	Put(t, s, Product{SKU: "A", Name: "red"}, Product{SKU: "B"}, Product{SKU: "C"}, Product{SKU: "D"})
	d.Exec("UPDATE product SET slug = '' WHERE sku = 'D'")
	parked := Put(t, s, Product{SKU: "B", Name: "red", Stock: 1}, Product{SKU: "C", Name: "blue", Stock: 1}, Product{SKU: "D", Name: "green", Stock: 1})
	if len(parked) != 1 || parked[0].Key != "B" || !strings.Contains(parked[0].Fault.What, `"red", which product A already has`) {
		t.Fatalf("parked: %+v", parked)
	}
	d.Want("SELECT sku, slug, stock FROM product ORDER BY sku", "A|red|0", "B|-|0", "C|blue|1", "D|green|1")
}

// The guard of secondary unique indexes is unharmed: a new product with the EAN of another does not overwrite its owned columns either.
func ownedColumnsAreGuarded(t *testing.T, k *Kit) {
	d := k.Database(t, uniqueEAN)
	tg := d.Target(Tables{"product": {From: "product", Columns: map[string]table.ColumnConfig{
		"ean": {From: "ean"}, "name": {Write: "empty"}, "stock": {From: "stock", Write: "create"}, "own": {Write: "never"},
	}}}, Shop())
	s := Open(t, tg, Shop(), 0)
	Put(t, s, Product{SKU: "A", EAN: "1", Stock: 1})
	for i := range 2 {
		if parked := Put(t, s, Product{SKU: fmt.Sprint("B", i), Name: "x", EAN: "1", Stock: 9}); len(parked) != 1 {
			t.Fatalf("parked: %+v", parked)
		}
	}
	d.Want("SELECT sku, name, ean, stock, own FROM product", "A|-|1|1|shop")
}
