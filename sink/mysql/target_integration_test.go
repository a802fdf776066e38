//go:build integration

package mysql

import (
	"fmt"
	"strings"
	"testing"

	"shelfstream/internal/fault"
	"shelfstream/schemas"
	"shelfstream/sink"
)

// shop is a view with texts as keys, a unique number, lists with and without places of their own, and every type.
func shop() sink.View {
	text := schemas.Type{Kind: schemas.KindText}
	image := schemas.Type{Kind: schemas.KindRecord, Fields: []schemas.Column{{Name: "url", Type: text, Nullable: true}, {Name: "alt", Type: text, Nullable: true}}}
	price := schemas.Type{Kind: schemas.KindRecord, Fields: []schemas.Column{
		{Name: "position", Type: schemas.Type{Kind: schemas.KindInt, Bits: 32}},
		{Name: "amount", Type: schemas.Type{Kind: schemas.KindDecimal, Precision: 12, Scale: 2}, Nullable: true},
	}}
	return sink.View{Name: "product", Topic: "moestue.product", Table: &schemas.Table{Name: "moestue.product", Key: []int{0}, Columns: []schemas.Column{
		{Name: "sku", Type: text},
		{Name: "name", Type: text, Nullable: true},
		{Name: "ean", Type: text, Nullable: true},
		{Name: "price", Type: schemas.Type{Kind: schemas.KindDecimal, Precision: 12, Scale: 2}, Nullable: true},
		{Name: "stock", Type: schemas.Type{Kind: schemas.KindInt, Bits: 32}, Nullable: true},
		{Name: "images", Type: schemas.Type{Kind: schemas.KindArray, Elem: &image}, Nullable: true},
		{Name: "prices", Type: schemas.Type{Kind: schemas.KindArray, Elem: &price}, Nullable: true},
	}}}
}

type product struct {
	sku, name, ean string
	price          int64
	stock          int64
	images         []string
	prices         [][2]int64
}

func (p product) record(offset int64) sink.Record {
	nullable := func(s string) schemas.Value {
		if s == "" {
			return schemas.Null
		}
		return schemas.Text(s)
	}
	var images, prices []schemas.Value
	for _, u := range p.images {
		images = append(images, schemas.Value{Kind: schemas.KindRecord, List: []schemas.Value{nullable(u), schemas.Null}})
	}
	for _, x := range p.prices {
		prices = append(prices, schemas.Value{Kind: schemas.KindRecord, List: []schemas.Value{schemas.Int(x[0]), schemas.Dec(x[1], 2)}})
	}
	r := gone(offset, p.sku)
	r.Row = []schemas.Value{
		schemas.Text(p.sku), nullable(p.name), nullable(p.ean), schemas.Dec(p.price, 2), schemas.Int(p.stock),
		{Kind: schemas.KindArray, List: images},
		{Kind: schemas.KindArray, List: prices},
	}
	return r
}

func gone(offset int64, sku string) sink.Record {
	return sink.Record{Key: append([]byte{byte(len(sku) * 2)}, sku...), KeyValues: []schemas.Value{schemas.Text(sku)}, Offset: offset}
}

func put(t *testing.T, s sink.Session, products ...product) []sink.Parked {
	t.Helper()
	b := &sink.Batch{Next: s.Place().Next}
	for _, p := range products {
		b.Records = append(b.Records, p.record(b.Next))
		b.Next++
	}
	return applyBatch(t, s, b)
}

func applyBatch(t *testing.T, s sink.Session, b *sink.Batch) []sink.Parked {
	t.Helper()
	parked, err := s.Apply(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	return parked
}

func same(t *testing.T, got []string, want ...string) {
	t.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Fatalf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

const uniqueEAN = "CREATE TABLE product (sku varchar(20) COLLATE utf8mb4_nopad_bin PRIMARY KEY, name varchar(60), ean varchar(20) UNIQUE, price decimal(12,2), stock int, own varchar(9) DEFAULT 'shop')"

func plainShop() map[string]TableConfig {
	return map[string]TableConfig{"product": {From: "product", Columns: cols{"sku": "sku", "name": "name", "ean": "ean", "price": "price", "stock": "stock"}.config()}}
}

func TestListsBecomeRows(t *testing.T) {
	dsn, db := database(t)
	tg := target(t, Config{DSN: dsn, Tables: map[string]TableConfig{
		"product":       {From: "product", Create: true},
		"product_image": {From: "product.images", Create: true},
		"product_price": {From: "product.prices", Create: true},
	}}, shop())
	s := open(t, tg, shop(), 0)
	images, prices := "SELECT sku, position, url FROM product_image ORDER BY sku, position", "SELECT sku, position, amount FROM product_price ORDER BY sku, position"
	put(t, s, product{sku: "A", images: []string{"a1", "a2", "a3"}, prices: [][2]int64{{10, 500}, {20, 600}}}, product{sku: "B", images: []string{"b1"}})
	same(t, rows(t, db, images), "A|0|a1", "A|1|a2", "A|2|a3", "B|0|b1")
	same(t, rows(t, db, prices), "A|10|5.00", "A|20|6.00")
	put(t, s, product{sku: "A", images: []string{"a3"}, prices: [][2]int64{{20, 601}, {30, 700}}}, product{sku: "B", images: []string{"b1", "b2"}})
	same(t, rows(t, db, images), "A|0|a3", "B|0|b1", "B|1|b2")
	same(t, rows(t, db, prices), "A|20|6.01", "A|30|7.00")
	put(t, s, product{sku: "A"}, product{sku: "B", images: []string{"b2"}})
	same(t, rows(t, db, images), "B|0|b2")
	same(t, rows(t, db, prices))
	// Two elements with one key: the product is held back whole.
	if p := put(t, s, product{sku: "B", name: "changed", prices: [][2]int64{{1, 1}, {1, 2}}}); len(p) != 1 || !strings.Contains(p[0].Fault.What, "elements 0 and 1") {
		t.Fatalf("parked: %+v", p)
	}
	same(t, rows(t, db, "SELECT sku, name FROM product ORDER BY sku"), "A|-", "B|-")
	applyBatch(t, s, &sink.Batch{Records: []sink.Record{gone(s.Place().Next, "B")}, Next: s.Place().Next + 1})
	same(t, rows(t, db, images))
	same(t, rows(t, db, "SELECT sku FROM product"), "A")
	found, err := tg.Lookup(t.Context(), shop(), []schemas.Value{schemas.Text("A")})
	if err != nil || len(found) != 3 || len(found[0].Rows) != 1 || *found[0].Rows[0][0] != "A" {
		t.Errorf("Lookup: %+v, %v", found, err)
	}
}

// A product must never be overwritten through the unique EAN of another.
func TestSecondaryUniqueIndex(t *testing.T) {
	dsn, db := database(t, uniqueEAN)
	tg := target(t, Config{DSN: dsn, Tables: plainShop()}, shop())
	s := open(t, tg, shop(), 0)
	other := open(t, tg, shop(), 1)
	all := "SELECT sku, ean, stock FROM product ORDER BY sku"
	put(t, s, product{sku: "A", ean: "111", stock: 1}, product{sku: "B", ean: "222", stock: 1})
	// A new product with A's EAN, as 'plain' ON DUPLICATE KEY UPDATE would overwrite A; among good ones.
	parked := put(t, s, product{sku: "C", ean: "333"}, product{sku: "D", ean: "111", stock: 4}, product{sku: "E", ean: "555"})
	if len(parked) != 1 || parked[0].Key != "D" || !strings.Contains(parked[0].Fault.What, "product A") || !strings.Contains(parked[0].Fault.Where, "product D") || !strings.Contains(parked[0].Fault.What, "111") {
		t.Fatalf("parked: %+v", parked)
	}
	same(t, rows(t, db, all), "A|111|1", "B|222|1", "C|333|0", "E|555|0")
	// An existing product that takes another's EAN, from another partition.
	if parked = put(t, other, product{sku: "F", ean: "999"}, product{sku: "G", ean: "222"}); len(parked) != 1 || parked[0].Key != "G" {
		t.Fatalf("parked: %+v", parked)
	}
	// B gives its EAN up: G is woken, in whatever partition it is.
	woken := make(chan struct{}, 9)
	other.(sink.Retrier).OnWake(func() { woken <- struct{}{} })
	put(t, s, product{sku: "B", ean: "223", stock: 1})
	select {
	case <-woken:
	default:
		t.Fatal("G was not woken when B gave the value up")
	}
	offsets := other.(sink.Retrier).TakeWoken()
	if fmt.Sprint(offsets) != "[1]" {
		t.Fatalf("woken offsets: %v", offsets)
	}
	if parked = applyBatch(t, other, &sink.Batch{Records: []sink.Record{product{sku: "G", ean: "222"}.record(1)}, Next: other.Place().Next}); len(parked) != 0 {
		t.Fatalf("parked: %+v", parked)
	}
	same(t, rows(t, db, all), "A|111|1", "B|223|1", "C|333|0", "E|555|0", "F|999|0", "G|222|0")
	// Values that change hands within a batch, in the unlucky order; a swap; a cycle of three.
	if parked = put(t, s, product{sku: "D", ean: "111", stock: 5}, product{sku: "A", ean: "100"}); len(parked) != 0 {
		t.Fatalf("a value that changed hands is parked: %+v", parked)
	}
	if parked = put(t, s, product{sku: "A", ean: "111"}, product{sku: "D", ean: "100"}); len(parked) != 0 {
		t.Fatalf("a swap is parked: %+v", parked)
	}
	if parked = put(t, s, product{sku: "A", ean: "333"}, product{sku: "C", ean: "555"}, product{sku: "E", ean: "111"}, product{sku: "F", ean: "9999"}); len(parked) != 0 {
		t.Fatalf("a cycle is parked: %+v", parked)
	}
	same(t, rows(t, db, all), "A|333|0", "B|223|1", "C|555|0", "D|100|0", "E|111|0", "F|9999|0", "G|222|0")
	same(t, rows(t, db, "SELECT DISTINCT own FROM product"), "shop")
	// Two products of one batch with one new value: the first has it.
	if parked = put(t, s, product{sku: "X", ean: "777"}, product{sku: "Y", ean: "777"}); len(parked) != 1 || parked[0].Key != "Y" || !strings.Contains(parked[0].Fault.What, "product X") {
		t.Fatalf("parked: %+v", parked)
	}
	same(t, rows(t, db, "SELECT record_key, attempts FROM shelfstream_parked"), "Y|1")
}

// The value belongs to a row whose letters differ in case: only the database's collation knows that they clash.
func TestUniqueIndexFoldsCase(t *testing.T) {
	dsn, db := database(t, uniqueEAN+" COLLATE utf8mb4_general_ci")
	tg := target(t, Config{DSN: dsn, Tables: plainShop()}, shop())
	s := open(t, tg, shop(), 0)
	put(t, s, product{sku: "a", ean: "abc"}, product{sku: "A", ean: "x"}, product{sku: "a ", ean: "y"}, product{sku: "å", ean: "z"})
	parked := put(t, s, product{sku: "B", ean: "ABC"})
	if len(parked) != 1 || !strings.Contains(parked[0].Fault.What, "product a already has") {
		t.Fatalf("parked: %+v", parked)
	}
	same(t, rows(t, db, "SELECT HEX(sku), ean FROM product ORDER BY ean"), "61|abc", "41|x", "6120|y", "C3A5|z")
}

func TestBadValues(t *testing.T) {
	dsn, db := database(t, "CREATE TABLE product (sku varchar(20) COLLATE utf8mb4_nopad_bin PRIMARY KEY, name varchar(10), ean varchar(20), price decimal(5,1), stock smallint, images json, prices longtext,"+
		" CONSTRAINT sane CHECK (ean <> 'evil'))")
	cfg := Config{DSN: dsn, Tables: map[string]TableConfig{"product": {From: "product", Unfit: "park", Columns: cols{"sku": "sku", "name": "name", "ean": "ean", "price": "price", "stock": "stock", "images": "images"}.config()}}}
	tg := target(t, cfg, shop())
	s := open(t, tg, shop(), 0)
	var many []product
	for i := range 1000 {
		p := product{sku: fmt.Sprintf("s%d", i), name: "ok", ean: "e", price: 1000, images: []string{"u\"1"}}
		switch i {
		case 100:
			p.name = "elevenchars"
		case 200:
			p.name = "elleve ååå" // ten characters, thirteen bytes
		case 300:
			p.stock = 40000
		case 400:
			p.price = 1_000_000
		case 500:
			p.price = 1005 // 10.05
		case 600:
			p.ean = "evil" // only the server knows
		case 700:
			p.name = "bad\xff" // no UTF-8
		case 800:
			p.sku = strings.Repeat("k", 21)
		}
		many = append(many, p)
	}
	parked := put(t, s, many...)
	said := map[int64]string{}
	for _, p := range parked {
		said[p.Offset] = p.Fault.Error()
	}
	for offset, want := range map[int64]string{
		100: "column product.name: it has 11 characters, and the column (varchar(10)) holds 10",
		300: "column product.stock: it is 40000, and the column (smallint(6)) holds -32768 to 32767",
		400: "holds 4 digits before the point",
		500: "is 10.05, and the column (decimal(5,1)) holds 1 digits after the point",
		600: "a check or trigger of the database refuses it",
		700: "character set",
		800: "column product.sku: it has 21 characters",
	} {
		if !strings.Contains(said[offset], want) || !strings.Contains(said[offset], "(fix: ") {
			t.Errorf("offset %d: %q, want %q", offset, said[offset], want)
		}
	}
	if len(parked) != 7 {
		t.Errorf("%d parked: %v", len(parked), said)
	}
	same(t, rows(t, db, "SELECT COUNT(*), SUM(sku = 's200'), MIN(images) FROM product"), `993|1|[{"url":"u\"1","alt":null}]`)
	same(t, rows(t, db, "SELECT COUNT(*), MIN(reason <> ''), MIN(fix <> '') FROM shelfstream_parked"), "7|1|1")
	// A wider column is seen before the retry.
	if _, err := db.Exec("ALTER TABLE product MODIFY name varchar(30)"); err != nil {
		t.Fatal(err)
	}
	if faults, err := tg.Check(t.Context(), []sink.View{shop()}); err != nil || len(faults) > 0 {
		t.Fatal(faults, err)
	}
	if parked := applyBatch(t, s, &sink.Batch{Records: []sink.Record{many[100].record(100)}, Next: 1000}); len(parked) != 0 {
		t.Fatalf("still parked: %+v", parked)
	}
	same(t, rows(t, db, "SELECT COUNT(*) FROM shelfstream_parked"), "6")
}

func TestSoftDelete(t *testing.T) {
	dsn, db := database(t,
		"CREATE TABLE product (sku varchar(20) COLLATE utf8mb4_nopad_bin PRIMARY KEY, name varchar(60), hidden tinyint NOT NULL DEFAULT 0)",
		"CREATE TABLE dated (sku varchar(20) COLLATE utf8mb4_nopad_bin PRIMARY KEY, name varchar(60), gone_at datetime NULL)")
	columns := cols{"sku": "sku", "name": "name"}.config()
	tg := target(t, Config{DSN: dsn, Tables: map[string]TableConfig{
		"product": {From: "product", Delete: "soft", SoftDeleteColumn: "hidden", Columns: columns},
		"dated":   {From: "product", Delete: "soft", SoftDeleteColumn: "gone_at", Columns: columns},
	}}, shop())
	s := open(t, tg, shop(), 0)
	put(t, s, product{sku: "A", name: "a"}, product{sku: "B", name: "b"})
	applyBatch(t, s, &sink.Batch{Records: []sink.Record{gone(2, "A"), gone(3, "never")}, Next: 4})
	same(t, rows(t, db, "SELECT p.sku, p.name, hidden, gone_at IS NOT NULL FROM product p JOIN dated USING (sku) ORDER BY sku"), "A|a|1|1", "B|b|0|0")
	keys, err := tg.Keys(t.Context(), shop(), nil, 10)
	if err != nil || len(keys) != 1 || keys[0][0].String() != "B" {
		t.Errorf("Keys: %v %v", keys, err)
	}
	put(t, s, product{sku: "A", name: "back"})
	same(t, rows(t, db, "SELECT p.sku, p.name, hidden, gone_at IS NOT NULL FROM product p JOIN dated USING (sku) ORDER BY sku"), "A|back|0|0", "B|b|0|0")
}

func TestCheckFindsEverything(t *testing.T) {
	dsn, db := database(t, `CREATE TABLE product (sku varchar(20) COLLATE utf8mb4_general_ci, name int, ean varchar(20), price decimal(5,1), stock int unsigned, must int NOT NULL) ENGINE=MyISAM`)
	cfg := Config{DSN: dsn, Tables: map[string]TableConfig{"product": {From: "product"}, "missing": {From: "product.images"}}}
	cfg.Tables["product"] = TableConfig{From: "product", Columns: cols{"sku": "sku", "name": "name", "ean": "ean", "price": "price", "stock": "stock", "extra": "name"}.config()}
	tg, err := Open(cfg, Options{Sink: "shop"})
	if err != nil {
		t.Fatal(err)
	}
	defer tg.Close()
	faults, err := tg.Check(t.Context(), []sink.View{shop()})
	if err != nil {
		t.Fatal(err)
	}
	all := faults.Error()
	for _, want := range []string{
		"table missing: does not exist", "engine MyISAM", "column name: is int(11), and cannot take the field name (text)", "column price: is decimal(5,1), and is too small",
		"column stock: is int(10) unsigned", "column extra: does not exist, and the field name wants it", "column must: takes no null", "no primary key or unique index on its key (sku)",
		"its collation utf8mb4_general_ci takes different keys for the same", "column sku: belongs to the key and takes null",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("not said: %q", want)
		}
	}
	if t.Failed() {
		t.Log(all)
	}
	// Every remedy that is SQL mends its fault: run them all, and nothing is left.
	for range 3 {
		for _, f := range faults {
			if f.Class != fault.Environment || f.Fix == "" {
				t.Errorf("fault without remedy: %v", f)
			}
			for _, verb := range []string{"ALTER TABLE", "CREATE TABLE"} {
				if i := strings.Index(f.Fix, verb); i >= 0 {
					stmt, _, _ := strings.Cut(f.Fix[i:], ";")
					if _, err := db.Exec(stmt); err != nil {
						t.Logf("%s: %v", stmt, err)
					}
				}
			}
		}
		if faults, err = tg.Check(t.Context(), []sink.View{shop()}); err != nil {
			t.Fatal(err)
		}
	}
	if len(faults) > 0 {
		t.Errorf("after running every remedy there are still faults:\n%s", faults.Error())
	}
	s := open(t, tg, shop(), 0)
	put(t, s, product{sku: "A", name: "a", images: []string{"u"}}, product{sku: "a", name: "b"})
	same(t, rows(t, db, "SELECT sku, extra FROM product ORDER BY sku"), "A|a", "a|b")
}

func TestCreateAddsColumns(t *testing.T) {
	dsn, db := database(t)
	v := shop()
	narrow := *v.Table
	narrow.Columns = narrow.Columns[:3]
	cfg := Config{DSN: dsn, Tables: map[string]TableConfig{"product": {From: "product", Create: true}}}
	tg := target(t, cfg, sink.View{Name: v.Name, Topic: v.Topic, Table: &narrow})
	if faults, err := tg.Check(t.Context(), []sink.View{v}); err != nil || len(faults) > 0 {
		t.Fatal(faults, err)
	}
	s := open(t, tg, v, 0)
	put(t, s, product{sku: "å", price: 1250}, product{sku: "a"}, product{sku: "A"}, product{sku: "a "})
	same(t, rows(t, db, "SELECT HEX(sku), price, stock FROM product ORDER BY sku"), "41|0.00|0", "61|0.00|0", "6120|0.00|0", "C3A5|12.50|0")
}
