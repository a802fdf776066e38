package tabletest

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"shelfstream/schemas"
	"shelfstream/sink"
)

// Locks tests that sessions do not want each other's rows.
func Locks(t *testing.T, k *Kit) {
	k.run(t, map[string]func(*testing.T, *Kit){
		"NoDeadlocks":              func(t *testing.T, k *Kit) { noDeadlocks(t, k, 60) },
		"NoDeadlocksByLoading":     func(t *testing.T, k *Kit) { noDeadlocks(t, k, 300) },
		"DeletesLockOnlyTheirRows": deletesLockOnlyTheirRows,
	})
}

// Partitions write at once, and no two of them ever want each other's rows, though their products are neighbours in the children's tables, whose lists shrink, grow and
// go. Large batches are loaded where the dialect can.
func noDeadlocks(t *testing.T, k *Kit, most int) {
	const partitions, products, batches = 4, 400, 60
	d := k.Database(t)
	tg := d.Target(Tables{
		"product":       {From: "product", Create: true},
		"product_image": {From: "product.images", Create: true},
		"product_price": {From: "product.prices", Create: true},
	}, Shop())
	before, _ := k.Deadlocks(d)
	want := make([]map[string]Product, partitions)
	var wg sync.WaitGroup
	for id := range partitions {
		s := Open(t, tg, Shop(), int32(id))
		want[id] = map[string]Product{}
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(7, uint64(id)))
			for range batches {
				b := &sink.Batch{Next: s.Place().Next}
				seen := map[string]bool{}
				for range most {
					p := Product{SKU: fmt.Sprintf("s%04d", rnd.IntN(products)*partitions+id), Name: "x"}
					if seen[p.SKU] {
						continue
					}
					seen[p.SKU] = true
					if rnd.IntN(8) == 0 {
						b.Records = append(b.Records, Gone(b.Next, p.SKU))
						delete(want[id], p.SKU)
					} else {
						for i := range rnd.IntN(4) {
							p.Images = append(p.Images, fmt.Sprint("u", i))
						}
						for i, from := range rnd.Perm(5)[:rnd.IntN(4)] {
							p.Prices = append(p.Prices, [2]int64{int64(from), int64(i)})
						}
						b.Records = append(b.Records, p.Record(b.Next))
						want[id][p.SKU] = p
					}
					b.Next++
				}
				if _, err := s.Apply(t.Context(), b); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if n, last := k.Deadlocks(d); n != before {
		t.Errorf("%d deadlocks, the last:\n%s", n-before, last)
	}
	wantRows, wantImages, wantPrices := 0, 0, 0
	for _, m := range want {
		for _, p := range m {
			wantRows, wantImages, wantPrices = wantRows+1, wantImages+len(p.Images), wantPrices+len(p.Prices)
		}
	}
	d.Want("SELECT (SELECT COUNT(*) FROM product), (SELECT COUNT(*) FROM product_image), (SELECT COUNT(*) FROM product_price)", fmt.Sprintf("%d|%d|%d", wantRows, wantImages, wantPrices))
}

// wines is a view with a key of two columns, a list of records and a list of texts.
func wines() sink.View {
	text := schemas.Type{Kind: schemas.KindText}
	image := schemas.Type{Kind: schemas.KindRecord, Fields: []schemas.Column{{Name: "url", Type: text}}}
	return sink.View{Name: "wine", Topic: "p.wine", Table: &schemas.Table{Name: "p.wine", Key: []int{0, 1}, Columns: []schemas.Column{
		{Name: "no", Type: text},
		{Name: "year", Type: schemas.Type{Kind: schemas.KindInt, Bits: 32}},
		{Name: "images", Type: schemas.Type{Kind: schemas.KindArray, Elem: &image}, Nullable: true},
		{Name: "tags", Type: schemas.Type{Kind: schemas.KindArray, Elem: &text}, Nullable: true},
	}}}
}

func wine(offset int64, no string, tags ...string) sink.Record {
	images, list := []schemas.Value{}, []schemas.Value{}
	for _, v := range tags {
		images = append(images, schemas.Value{Kind: schemas.KindRecord, List: []schemas.Value{schemas.Text(v)}})
		list = append(list, schemas.Text(v))
	}
	row := []schemas.Value{schemas.Text(no), schemas.Int(2020), {Kind: schemas.KindArray, List: images}, {Kind: schemas.KindArray, List: list}}
	return sink.Record{Key: []byte(no), KeyValues: row[:2], Row: row, Offset: offset}
}

// While another transaction holds every other row, rows of a product can go, in tables whose keys are of several columns.
func deletesLockOnlyTheirRows(t *testing.T, k *Kit) {
	d := k.Database(t)
	tg := d.Target(Tables{
		"wine":  {From: "wine", Create: true, Columns: Fields{"no": "no", "year": "year"}.Columns()},
		"image": {From: "wine.images", Create: true},
		"tag":   {From: "wine.tags", Create: true, Columns: Fields{"no": "no", "year": "year", "tag": "value"}.Columns(), Key: []string{"no", "year", "tag"}},
	}, wines())
	s := Open(t, tg, wines(), 0)
	b := &sink.Batch{Next: 1}
	for c := 'a'; c <= 'z'; c++ {
		b.Records = append(b.Records, wine(0, string(c), "x", "y"))
	}
	Apply(t, s, b)
	other := d.another()
	hold := func(statement string) {
		t.Helper()
		if _, err := other.Query(t.Context(), d.say(statement)); err != nil {
			t.Fatal(err)
		}
	}
	hold("START TRANSACTION")
	for _, table := range []string{"wine", "image", "tag"} {
		for c := 'a'; c <= 'z'; c++ {
			if c != 'c' && c != 'f' {
				hold(fmt.Sprintf("UPDATE %s SET no = no WHERE no = '%c' AND year = 2020 AND {true}", table, c))
			}
		}
	}
	dead := wine(1, "c")
	dead.Row = nil
	if _, err := s.Apply(t.Context(), &sink.Batch{Records: []sink.Record{dead, wine(1, "f", "y")}, Next: 2}); err != nil {
		t.Fatalf("it waited for rows of others: %v", err)
	}
	hold("ROLLBACK")
	d.Want("SELECT (SELECT COUNT(*) FROM wine), (SELECT COUNT(*) FROM image), (SELECT COUNT(*) FROM tag), (SELECT MIN(tag) FROM tag WHERE no = 'f')", "25|49|49|y")
}
