//go:build integration

package postgres

import (
	"fmt"
	"testing"

	"shelfstream/sink"
)

const twoUnique = "CREATE TABLE product (sku varchar(20) PRIMARY KEY, name varchar(60) UNIQUE, ean varchar(20) NOT NULL UNIQUE, stock int, hidden smallint NOT NULL DEFAULT 0)"

func twoUniqueShop(c TableConfig) map[string]TableConfig {
	c.From, c.Columns = "product", cols{"sku": "sku", "name": "name", "ean": "ean", "stock": "stock"}.config()
	return map[string]TableConfig{"product": c}
}

const twoUniqueRows = "SELECT sku, name, ean FROM product ORDER BY sku"

// Two products exchange the values of two unique indexes at once; one that cannot be written does not keep others from it.
func TestSwapOfTwoIndexes(t *testing.T) {
	dsn, d := database(t, twoUnique)
	tg := target(t, Config{DSN: dsn, Tables: twoUniqueShop(TableConfig{})}, shop())
	s := open(t, tg, shop(), 0)
	put(t, s, product{sku: "A", name: "a", ean: "1"}, product{sku: "B", name: "b", ean: "2"}, product{sku: "C", name: "c", ean: "3"}, product{sku: "D", name: "d", ean: "4"})
	parked := put(t, s, product{sku: "A", name: "b", ean: "2"}, product{sku: "B", name: "a", ean: "1"}, product{sku: "C", name: "c", ean: "4"})
	if len(parked) != 1 || parked[0].Key != "C" {
		t.Errorf("parked: %+v", parked)
	}
	same(t, rows(t, d, twoUniqueRows), "A|b|2", "B|a|1", "C|c|3", "D|d|4")
}

// What products exchange comes in batches of its own, and from several partitions: two, and three in a circle.
func TestSwapOverBatches(t *testing.T) {
	for _, partitions := range []int{1, 2, 3} {
		for n := 2; n <= 3; n++ {
			t.Run(fmt.Sprintf("%d products in %d partitions", n, partitions), func(t *testing.T) {
				dsn, d := database(t, twoUnique)
				tg := target(t, Config{DSN: dsn, Tables: twoUniqueShop(TableConfig{})}, shop())
				sessions := make([]sink.Session, partitions)
				for i := range sessions {
					sessions[i] = open(t, tg, shop(), int32(i))
				}
				offsets := map[[2]int64]product{}
				write := func(i, ean int) {
					s := sessions[i%partitions]
					p := product{sku: string(rune('A' + i)), name: fmt.Sprint("n", i), ean: fmt.Sprint(ean % n)}
					offsets[[2]int64{int64(i % partitions), s.Place().Next}] = p
					put(t, s, p)
				}
				for i := range n {
					write(i, i)
				}
				for i := range n {
					write(i, i+1)
				}
				for woken := true; woken; { // as the runner does
					woken = false
					for id, s := range sessions {
						for _, o := range s.(sink.Retrier).TakeWoken() {
							woken = true
							applyBatch(t, s, &sink.Batch{Records: []sink.Record{offsets[[2]int64{int64(id), o}].record(o)}, Next: s.Place().Next})
						}
					}
				}
				want := []string{"A|n0|1", "B|n1|2", "C|n2|0"}
				if n == 2 {
					want = []string{"A|n0|1", "B|n1|0"}
				}
				same(t, rows(t, d, twoUniqueRows), want...)
				same(t, rows(t, d, "SELECT record_key, reason FROM shelfstream_parked"))
			})
		}
	}
}

// A value that a softly deleted product still has goes to the product that wants it now.
func TestValueOfTheDead(t *testing.T) {
	dsn, d := database(t, twoUnique)
	tg := target(t, Config{DSN: dsn, Tables: twoUniqueShop(TableConfig{Delete: "soft", SoftDeleteColumn: "hidden"})}, shop())
	s := open(t, tg, shop(), 0)
	put(t, s, product{sku: "A", name: "a", ean: "1"})
	if parked := put(t, s, product{sku: "B", name: "b", ean: "1"}); len(parked) != 1 {
		t.Fatalf("a value of a living product was taken: %+v", parked)
	}
	applyBatch(t, s, &sink.Batch{Records: []sink.Record{gone(2, "A")}, Next: 3})
	if parked := put(t, s, product{sku: "B", name: "b", ean: "1"}); len(parked) > 0 {
		t.Fatalf("parked: %+v", parked)
	}
	same(t, rows(t, d, "SELECT sku, name, LEFT(ean, 1), hidden FROM product ORDER BY sku"), "A|a|~|1", "B|b|1|0")
	if parked := put(t, s, product{sku: "A", name: "a", ean: "1"}); len(parked) != 1 || parked[0].Key != "A" {
		t.Errorf("parked: %+v", parked)
	}
}

// Elements of a list change places, though a unique index is on what they exchange.
func TestListChangesOrder(t *testing.T) {
	dsn, d := database(t, "CREATE TABLE product (sku varchar(20) PRIMARY KEY, name varchar(60))",
		"CREATE TABLE image (sku varchar(20), position int, url varchar(60) NOT NULL, PRIMARY KEY (sku, position), UNIQUE (sku, url))",
		"CREATE TABLE gallery (sku varchar(20), rank int NOT NULL, url varchar(60), PRIMARY KEY (sku, url), UNIQUE (sku, rank))")
	tg := target(t, Config{DSN: dsn, Tables: map[string]TableConfig{
		"product": {From: "product", Columns: cols{"sku": "sku", "name": "name"}.config()},
		"image":   {From: "product.images", Columns: cols{"sku": "sku", "position": "position", "url": "url"}.config()},
		"gallery": {From: "product.images", Columns: cols{"sku": "sku", "rank": "position", "url": "url"}.config(), Key: []string{"sku", "url"}},
	}}, shop())
	s := open(t, tg, shop(), 0)
	for _, images := range [][]string{{"a", "b", "c"}, {"c", "a", "b"}, {"b", "c"}, {"x", "b"}} {
		if parked := put(t, s, product{sku: "A", name: "n", images: images}, product{sku: "B", images: images}); len(parked) > 0 {
			t.Fatalf("%v is parked: %+v", images, parked)
		}
		var want, ranks []string
		for i, u := range images {
			want = append(want, fmt.Sprintf("%d|%s", i, u))
		}
		ranks = append(ranks, want...)
		same(t, rows(t, d, "SELECT position, url FROM image WHERE sku = 'A' ORDER BY position"), want...)
		same(t, rows(t, d, "SELECT rank, url FROM gallery WHERE sku = 'A' ORDER BY rank"), ranks...)
	}
}

// Each product takes the next one's value, in the order in which each must wait for the next.
func TestLongRowOfValues(t *testing.T) {
	dsn, d := database(t, uniqueEAN)
	tg := target(t, Config{DSN: dsn, Tables: plainShop()}, shop())
	s := open(t, tg, shop(), 0)
	const n = 1000
	for shift := range 2 {
		var list []product
		for i := range n {
			list = append(list, product{sku: fmt.Sprintf("s%04d", i), ean: fmt.Sprint(i + shift)})
		}
		if parked := put(t, s, list...); len(parked) > 0 {
			t.Fatalf("%d parked, the first: %+v", len(parked), parked[0])
		}
	}
	same(t, rows(t, d, "SELECT COUNT(*), SUM((ean::int = RIGHT(sku, 4)::int + 1)::int) FROM product"), "1000|1000")
}
