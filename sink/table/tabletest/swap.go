package tabletest

import (
	"fmt"
	"testing"

	"shelfstream/sink"
	"shelfstream/sink/table"
)

// Swaps tests that values of unique indexes can change hands between products, within a batch, over batches and over partitions.
func Swaps(t *testing.T, k *Kit) {
	k.run(t, map[string]func(*testing.T, *Kit){
		"SwapOfTwoIndexes": swapOfTwoIndexes,
		"SwapOverBatches":  swapOverBatches,
		"ValueOfTheDead":   valueOfTheDead,
		"ListChangesOrder": listChangesOrder,
		"LongRowOfValues":  longRowOfValues,
	})
}

const twoUnique = "CREATE TABLE product (sku varchar(20) {exact} PRIMARY KEY, name varchar(60) UNIQUE, ean varchar(20) NOT NULL UNIQUE, stock int, hidden {flag} NOT NULL DEFAULT 0)"

func twoUniqueShop(c table.TableConfig) Tables {
	c.From, c.Columns = "product", Fields{"sku": "sku", "name": "name", "ean": "ean", "stock": "stock"}.Columns()
	return Tables{"product": c}
}

const twoUniqueRows = "SELECT sku, name, ean FROM product ORDER BY sku"

// Two products exchange the values of two unique indexes at once; one that cannot be written does not keep others from it.
func swapOfTwoIndexes(t *testing.T, k *Kit) {
	d := k.Database(t, twoUnique)
	tg := d.Target(twoUniqueShop(table.TableConfig{}), Shop())
	s := Open(t, tg, Shop(), 0)
	Put(t, s, Product{SKU: "A", Name: "a", EAN: "1"}, Product{SKU: "B", Name: "b", EAN: "2"}, Product{SKU: "C", Name: "c", EAN: "3"}, Product{SKU: "D", Name: "d", EAN: "4"})
	parked := Put(t, s, Product{SKU: "A", Name: "b", EAN: "2"}, Product{SKU: "B", Name: "a", EAN: "1"}, Product{SKU: "C", Name: "c", EAN: "4"})
	if len(parked) != 1 || parked[0].Key != "C" {
		t.Errorf("parked: %+v", parked)
	}
	d.Want(twoUniqueRows, "A|b|2", "B|a|1", "C|c|3", "D|d|4")
}

// What products exchange comes in batches of its own, and from several partitions: two, and three in a circle.
func swapOverBatches(t *testing.T, k *Kit) {
	for _, partitions := range []int{1, 2, 3} {
		for n := 2; n <= 3; n++ {
			t.Run(fmt.Sprintf("%d products in %d partitions", n, partitions), func(t *testing.T) {
				d := k.Database(t, twoUnique)
				tg := d.Target(twoUniqueShop(table.TableConfig{}), Shop())
				sessions := make([]sink.Session, partitions)
				for i := range sessions {
					sessions[i] = Open(t, tg, Shop(), int32(i))
				}
				offsets := map[[2]int64]Product{}
				write := func(i, ean int) {
					s := sessions[i%partitions]
					p := Product{SKU: string(rune('A' + i)), Name: fmt.Sprint("n", i), EAN: fmt.Sprint(ean % n)}
					offsets[[2]int64{int64(i % partitions), s.Place().Next}] = p
					Put(t, s, p)
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
							Apply(t, s, &sink.Batch{Records: []sink.Record{offsets[[2]int64{int64(id), o}].Record(o)}, Next: s.Place().Next})
						}
					}
				}
				want := []string{"A|n0|1", "B|n1|2", "C|n2|0"}
				if n == 2 {
					want = []string{"A|n0|1", "B|n1|0"}
				}
				d.Want(twoUniqueRows, want...)
				d.Want("SELECT record_key, reason FROM shelfstream_parked")
			})
		}
	}
}

// A value that a softly deleted product still has goes to the product that wants it now.
func valueOfTheDead(t *testing.T, k *Kit) {
	d := k.Database(t, twoUnique)
	tg := d.Target(twoUniqueShop(table.TableConfig{Delete: "soft", SoftDeleteColumn: "hidden"}), Shop())
	s := Open(t, tg, Shop(), 0)
	Put(t, s, Product{SKU: "A", Name: "a", EAN: "1"})
	if parked := Put(t, s, Product{SKU: "B", Name: "b", EAN: "1"}); len(parked) != 1 {
		t.Fatalf("a value of a living product was taken: %+v", parked)
	}
	Apply(t, s, &sink.Batch{Records: []sink.Record{Gone(2, "A")}, Next: 3})
	if parked := Put(t, s, Product{SKU: "B", Name: "b", EAN: "1"}); len(parked) > 0 {
		t.Fatalf("parked: %+v", parked)
	}
	d.Want("SELECT sku, name, LEFT(ean, 1), hidden FROM product ORDER BY sku", "A|a|~|1", "B|b|1|0")
	if parked := Put(t, s, Product{SKU: "A", Name: "a", EAN: "1"}); len(parked) != 1 || parked[0].Key != "A" {
		t.Errorf("parked: %+v", parked)
	}
}

// Elements of a list change places, though a unique index is on what they exchange.
func listChangesOrder(t *testing.T, k *Kit) {
	d := k.Database(t, "CREATE TABLE product (sku varchar(20) {exact} PRIMARY KEY, name varchar(60))",
		"CREATE TABLE image (sku varchar(20) {exact}, position int, url varchar(60) NOT NULL, PRIMARY KEY (sku, position), UNIQUE (sku, url))",
		"CREATE TABLE gallery (sku varchar(20) {exact}, {rank} int NOT NULL, url varchar(60) {exact}, PRIMARY KEY (sku, url), UNIQUE (sku, {rank}))")
	tg := d.Target(Tables{
		"product": {From: "product", Columns: Fields{"sku": "sku", "name": "name"}.Columns()},
		"image":   {From: "product.images", Columns: Fields{"sku": "sku", "position": "position", "url": "url"}.Columns()},
		"gallery": {From: "product.images", Columns: Fields{"sku": "sku", "rank": "position", "url": "url"}.Columns(), Key: []string{"sku", "url"}},
	}, Shop())
	s := Open(t, tg, Shop(), 0)
	for _, images := range [][]string{{"a", "b", "c"}, {"c", "a", "b"}, {"b", "c"}, {"x", "b"}} {
		if parked := Put(t, s, Product{SKU: "A", Name: "n", Images: images}, Product{SKU: "B", Images: images}); len(parked) > 0 {
			t.Fatalf("%v is parked: %+v", images, parked)
		}
		var want, ranks []string
		for i, u := range images {
			want = append(want, fmt.Sprintf("%d|%s", i, u))
		}
		ranks = append(ranks, want...)
		d.Want("SELECT position, url FROM image WHERE sku = 'A' ORDER BY position", want...)
		d.Want("SELECT {rank}, url FROM gallery WHERE sku = 'A' ORDER BY {rank}", ranks...)
	}
}

// Each product takes the next one's value, in the order in which each must wait for the next.
func longRowOfValues(t *testing.T, k *Kit) {
	d := k.Database(t, uniqueEAN)
	tg := d.Target(PlainShop(), Shop())
	s := Open(t, tg, Shop(), 0)
	const n = 1000
	var want []string
	for shift := range 2 {
		var list []Product
		want = want[:0]
		for i := range n {
			p := Product{SKU: fmt.Sprintf("s%04d", i), EAN: fmt.Sprint(i + shift)}
			list, want = append(list, p), append(want, p.SKU+"|"+p.EAN)
		}
		if parked := Put(t, s, list...); len(parked) > 0 {
			t.Fatalf("%d parked, the first: %+v", len(parked), parked[0])
		}
	}
	d.Want("SELECT sku, ean FROM product ORDER BY sku", want...)
}
