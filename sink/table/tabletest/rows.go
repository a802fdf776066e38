package tabletest

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"shelfstream/schemas"
	"shelfstream/sink"
)

// Rows tests what becomes of products in tables: their lists, values that are another's or do not fit, soft deletion, foreign keys.
func Rows(t *testing.T, k *Kit) {
	k.run(t, map[string]func(*testing.T, *Kit){
		"ListsBecomeRows":        listsBecomeRows,
		"SecondaryUniqueIndex":   secondaryUniqueIndex,
		"UniqueIndexFoldsCase":   uniqueIndexFoldsCase,
		"BadValues":              badValues,
		"SoftDelete":             softDelete,
		"ForeignKeysSetTheOrder": foreignKeysSetTheOrder,
		"ListsAreCheap":          listsAreCheap,
	})
}

// A list is a table, whose rows come, move and go with the elements.
func listsBecomeRows(t *testing.T, k *Kit) {
	d := k.Database(t)
	tg := d.Target(Tables{
		"product":       {From: "product", Create: true},
		"product_image": {From: "product.images", Create: true},
		"product_price": {From: "product.prices", Create: true},
	}, Shop())
	s := Open(t, tg, Shop(), 0)
	images, prices := "SELECT sku, position, url FROM product_image ORDER BY sku, position", "SELECT sku, position, amount FROM product_price ORDER BY sku, position"
	Put(t, s, Product{SKU: "A", Images: []string{"a1", "a2", "a3"}, Prices: [][2]int64{{10, 500}, {20, 600}}}, Product{SKU: "B", Images: []string{"b1"}})
	d.Want(images, "A|0|a1", "A|1|a2", "A|2|a3", "B|0|b1")
	d.Want(prices, "A|10|5.00", "A|20|6.00")
	Put(t, s, Product{SKU: "A", Images: []string{"a3"}, Prices: [][2]int64{{20, 601}, {30, 700}}}, Product{SKU: "B", Images: []string{"b1", "b2"}})
	d.Want(images, "A|0|a3", "B|0|b1", "B|1|b2")
	d.Want(prices, "A|20|6.01", "A|30|7.00")
	Put(t, s, Product{SKU: "A"}, Product{SKU: "B", Images: []string{"b2"}})
	d.Want(images, "B|0|b2")
	d.Want(prices)
	// Two elements with one key: the product is held back whole.
	if p := Put(t, s, Product{SKU: "B", Name: "changed", Prices: [][2]int64{{1, 1}, {1, 2}}}); len(p) != 1 || !strings.Contains(p[0].Fault.What, "elements 0 and 1") {
		t.Fatalf("parked: %+v", p)
	}
	d.Want("SELECT sku, name FROM product ORDER BY sku", "A|-", "B|-")
	Apply(t, s, &sink.Batch{Records: []sink.Record{Gone(s.Place().Next, "B")}, Next: s.Place().Next + 1})
	d.Want(images)
	d.Want("SELECT sku FROM product", "A")
	found, err := tg.Lookup(t.Context(), Shop(), []schemas.Value{schemas.Text("A")})
	if err != nil || len(found) != 3 || len(found[0].Rows) != 1 || *found[0].Rows[0][0] != "A" {
		t.Errorf("Lookup: %+v, %v", found, err)
	}
}

// A product must never be overwritten through the unique EAN of another.
func secondaryUniqueIndex(t *testing.T, k *Kit) {
	d := k.Database(t, uniqueEAN)
	tg := d.Target(PlainShop(), Shop())
	s := Open(t, tg, Shop(), 0)
	other := Open(t, tg, Shop(), 1)
	all := "SELECT sku, ean, stock FROM product ORDER BY sku"
	Put(t, s, Product{SKU: "A", EAN: "111", Stock: 1}, Product{SKU: "B", EAN: "222", Stock: 1})
	// A new product with A's EAN, as 'plain' ON DUPLICATE KEY UPDATE would overwrite A; among good ones.
	parked := Put(t, s, Product{SKU: "C", EAN: "333"}, Product{SKU: "D", EAN: "111", Stock: 4}, Product{SKU: "E", EAN: "555"})
	if len(parked) != 1 || parked[0].Key != "D" || !strings.Contains(parked[0].Fault.What, "product A") || !strings.Contains(parked[0].Fault.Where, "product D") || !strings.Contains(parked[0].Fault.What, "111") {
		t.Fatalf("parked: %+v", parked)
	}
	d.Want(all, "A|111|1", "B|222|1", "C|333|0", "E|555|0")
	// An existing product that takes another's EAN, from another partition.
	if parked = Put(t, other, Product{SKU: "F", EAN: "999"}, Product{SKU: "G", EAN: "222"}); len(parked) != 1 || parked[0].Key != "G" {
		t.Fatalf("parked: %+v", parked)
	}
	// B gives its EAN up: G is woken, in whatever partition it is.
	woken := make(chan struct{}, 9)
	other.(sink.Retrier).OnWake(func() { woken <- struct{}{} })
	Put(t, s, Product{SKU: "B", EAN: "223", Stock: 1})
	select {
	case <-woken:
	default:
		t.Fatal("G was not woken when B gave the value up")
	}
	offsets := other.(sink.Retrier).TakeWoken()
	if fmt.Sprint(offsets) != "[1]" {
		t.Fatalf("woken offsets: %v", offsets)
	}
	if parked = Apply(t, other, &sink.Batch{Records: []sink.Record{Product{SKU: "G", EAN: "222"}.Record(1)}, Next: other.Place().Next}); len(parked) != 0 {
		t.Fatalf("parked: %+v", parked)
	}
	d.Want(all, "A|111|1", "B|223|1", "C|333|0", "E|555|0", "F|999|0", "G|222|0")
	// Values that change hands within a batch, in the unlucky order; a swap; a cycle of three.
	if parked = Put(t, s, Product{SKU: "D", EAN: "111", Stock: 5}, Product{SKU: "A", EAN: "100"}); len(parked) != 0 {
		t.Fatalf("a value that changed hands is parked: %+v", parked)
	}
	if parked = Put(t, s, Product{SKU: "A", EAN: "111"}, Product{SKU: "D", EAN: "100"}); len(parked) != 0 {
		t.Fatalf("a swap is parked: %+v", parked)
	}
	if parked = Put(t, s, Product{SKU: "A", EAN: "333"}, Product{SKU: "C", EAN: "555"}, Product{SKU: "E", EAN: "111"}, Product{SKU: "F", EAN: "9999"}); len(parked) != 0 {
		t.Fatalf("a cycle is parked: %+v", parked)
	}
	d.Want(all, "A|333|0", "B|223|1", "C|555|0", "D|100|0", "E|111|0", "F|9999|0", "G|222|0")
	d.Want("SELECT DISTINCT own FROM product", "shop")
	// Two products of one batch with one new value: the first has it.
	if parked = Put(t, s, Product{SKU: "X", EAN: "777"}, Product{SKU: "Y", EAN: "777"}); len(parked) != 1 || parked[0].Key != "Y" || !strings.Contains(parked[0].Fault.What, "product X") {
		t.Fatalf("parked: %+v", parked)
	}
	d.Want("SELECT record_key, attempts FROM shelfstream_parked", "Y|1")
}

// The value belongs to a row whose letters differ in case: only the database's collation knows that they clash.
func uniqueIndexFoldsCase(t *testing.T, k *Kit) {
	d := k.Database(t, strings.Replace(uniqueEAN, "UNIQUE", "{fold} UNIQUE", 1))
	tg := d.Target(PlainShop(), Shop())
	s := Open(t, tg, Shop(), 0)
	Put(t, s, Product{SKU: "a", EAN: "abc"}, Product{SKU: "A", EAN: "x"}, Product{SKU: "a ", EAN: "y"}, Product{SKU: "å", EAN: "z"})
	parked := Put(t, s, Product{SKU: "B", EAN: "ABC"})
	if len(parked) != 1 || !strings.Contains(parked[0].Fault.What, "product a already has") {
		t.Fatalf("parked: %+v", parked)
	}
	d.Want("SELECT sku, ean FROM product ORDER BY ean", "a|abc", "A|x", "a |y", "å|z")
}

// What does not fit parks its product with a remedy, and the others of the batch are written.
func badValues(t *testing.T, k *Kit) {
	d := k.Database(t, "CREATE TABLE product (sku varchar(20) {exact} PRIMARY KEY, name varchar(10), ean varchar(20), price decimal(5,1), stock smallint, images {json}, prices {text},"+
		" CONSTRAINT sane CHECK (ean <> 'evil'))")
	tables := Tables{"product": {From: "product", Unfit: "park", Columns: Fields{"sku": "sku", "name": "name", "ean": "ean", "price": "price", "stock": "stock", "images": "images"}.Columns()}}
	tg := d.Target(tables, Shop())
	s := Open(t, tg, Shop(), 0)
	var many []Product
	for i := range 1000 {
		p := Product{SKU: fmt.Sprintf("s%d", i), Name: "ok", EAN: "e", Price: 1000, Images: []string{"u\"1"}}
		switch i {
		case 100:
			p.Name = "elevenchars"
		case 200:
			p.Name = "elleve ååå" // ten characters, thirteen bytes
		case 300:
			p.Stock = 40000
		case 400:
			p.Price = 1_000_000
		case 500:
			p.Price = 1005 // 10.05
		case 600:
			p.EAN = "evil" // only the server knows
		case 700:
			p.Name = "bad\xff" // no UTF-8
		case 800:
			p.SKU = strings.Repeat("k", 21)
		}
		many = append(many, p)
	}
	parked := Put(t, s, many...)
	said := map[int64]string{}
	for _, p := range parked {
		said[p.Offset] = p.Fault.Error()
	}
	for offset, want := range map[int64]string{
		100: "column product.name: it has 11 characters, and the column ({varchar}(10)) holds 10",
		300: "column product.stock: it is 40000, and the column ({smallint}) holds -32768 to 32767",
		400: "holds 4 digits before the point",
		500: "is 10.05, and the column ({decimal}(5,1)) holds 1 digits after the point",
		600: "a check or trigger of the database refuses it",
		700: "{not utf8}",
		800: "column product.sku: it has 21 characters",
	} {
		if !strings.Contains(said[offset], d.say(want)) || !strings.Contains(said[offset], "(fix: ") {
			t.Errorf("offset %d: %q, want %q", offset, said[offset], want)
		}
	}
	if len(parked) != 7 {
		t.Errorf("%d parked: %v", len(parked), said)
	}
	d.Want("SELECT COUNT(*) FROM product", "993")
	d.Want("SELECT name FROM product WHERE sku = 's200'", many[200].Name)
	var images any
	if got := d.Rows("SELECT DISTINCT images FROM product"); len(got) != 1 || json.Unmarshal([]byte(got[0]), &images) != nil || !reflect.DeepEqual(images, []any{map[string]any{"url": "u\"1", "alt": nil}}) {
		t.Errorf("images: %q", got)
	}
	d.Want("SELECT COUNT(*) FROM shelfstream_parked WHERE reason <> '' AND fix <> ''", "7")
	d.Want("SELECT COUNT(*) FROM shelfstream_parked", "7")
	// A wider column is seen before the retry.
	d.Exec(statement(said[100]))
	if faults, err := tg.Check(t.Context(), []sink.View{Shop()}); err != nil || len(faults) > 0 {
		t.Fatal(faults, err)
	}
	if parked := Apply(t, s, &sink.Batch{Records: []sink.Record{many[100].Record(100)}, Next: 1000}); len(parked) != 0 {
		t.Fatalf("still parked: %+v", parked)
	}
	d.Want("SELECT COUNT(*) FROM shelfstream_parked", "6")
}

// A row is marked as gone by a number or by a time, and comes back.
func softDelete(t *testing.T, k *Kit) {
	d := k.Database(t,
		"CREATE TABLE product (sku varchar(20) {exact} PRIMARY KEY, name varchar(60), hidden {flag} NOT NULL DEFAULT 0)",
		"CREATE TABLE dated (sku varchar(20) {exact} PRIMARY KEY, name varchar(60), gone_at {datetime} NULL)")
	columns := Fields{"sku": "sku", "name": "name"}.Columns()
	tg := d.Target(Tables{
		"product": {From: "product", Delete: "soft", SoftDeleteColumn: "hidden", Columns: columns},
		"dated":   {From: "product", Delete: "soft", SoftDeleteColumn: "gone_at", Columns: columns},
	}, Shop())
	s := Open(t, tg, Shop(), 0)
	Put(t, s, Product{SKU: "A", Name: "a"}, Product{SKU: "B", Name: "b"})
	Apply(t, s, &sink.Batch{Records: []sink.Record{Gone(2, "A"), Gone(3, "never")}, Next: 4})
	d.Want("SELECT p.sku, p.name, hidden, CASE WHEN gone_at IS NULL THEN 0 ELSE 1 END FROM product p JOIN dated USING (sku) ORDER BY sku", "A|a|1|1", "B|b|0|0")
	keys, err := tg.Keys(t.Context(), Shop(), nil, 10)
	if err != nil || len(keys) != 1 || keys[0][0].String() != "B" {
		t.Errorf("Keys: %v %v", keys, err)
	}
	Put(t, s, Product{SKU: "A", Name: "back"})
	d.Want("SELECT p.sku, p.name, hidden, CASE WHEN gone_at IS NULL THEN 0 ELSE 1 END FROM product p JOIN dated USING (sku) ORDER BY sku", "A|back|0|0", "B|b|0|0")
}

// The shop's tables refer to each other, against the order of their names; products come and go all the same.
func foreignKeysSetTheOrder(t *testing.T, k *Kit) {
	key := "sku varchar(20) {exact}"
	d := k.Database(t, "CREATE TABLE product ("+key+" PRIMARY KEY, name varchar(60))",
		"CREATE TABLE a_lang ("+key+" PRIMARY KEY, name varchar(60), FOREIGN KEY (sku) REFERENCES product (sku))",
		"CREATE TABLE a_image ("+key+", position int, url varchar(60), PRIMARY KEY (sku, position), FOREIGN KEY (sku) REFERENCES a_lang (sku))")
	columns := Fields{"sku": "sku", "name": "name"}.Columns()
	tg := d.Target(Tables{
		"product": {From: "product", Columns: columns}, "a_lang": {From: "product", Columns: columns},
		"a_image": {From: "product.images", Columns: Fields{"sku": "sku", "position": "position", "url": "url"}.Columns()},
	}, Shop())
	s := Open(t, tg, Shop(), 0)
	if parked := Put(t, s, Product{SKU: "A", Name: "a", Images: []string{"u", "v"}}, Product{SKU: "B", Name: "b", Images: []string{"w"}}); len(parked) > 0 {
		t.Fatalf("parked: %+v", parked)
	}
	if parked := Apply(t, s, &sink.Batch{Records: []sink.Record{Gone(2, "A")}, Next: 3}); len(parked) > 0 {
		t.Fatalf("parked: %+v", parked)
	}
	d.Want("SELECT p.sku, l.name, i.url FROM product p JOIN a_lang l USING (sku) JOIN a_image i USING (sku)", "B|b|w")
}

// Trimming the lists of a batch's products costs little beside writing their rows.
func listsAreCheap(t *testing.T, k *Kit) {
	d := k.Database(t)
	tg := d.Target(Tables{"product": {From: "product", Create: true}, "product_image": {From: "product.images", Create: true}}, Shop())
	s := Open(t, tg, Shop(), 0)
	const n = 20000
	for round, images := range [][]string{{"a", "b", "c"}, {"a", "b"}} {
		start := time.Now()
		for from := 0; from < n; from += 4000 {
			var list []Product
			for i := from; i < from+4000; i++ {
				list = append(list, Product{SKU: "sku" + string(rune('a'+i%26)) + string(rune('a'+i/26%26)) + string(rune('a'+i/676)), Images: images})
			}
			Put(t, s, list...)
		}
		t.Logf("round %d: %d products with %d images each in %v", round, n, len(images), time.Since(start))
	}
	d.Want("SELECT COUNT(*), COUNT(DISTINCT sku), MAX(position) FROM product_image", "40000|20000|1")
}
