//go:build integration

package postgres

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"shelfstream/sink"
)

// TestNoDeadlocks: partitions write at once, and no two of them ever want each other's rows, though their products are neighbours in the children's
// tables, whose lists shrink, grow and go.
func TestNoDeadlocks(t *testing.T) {
	const partitions, products, batches = 4, 400, 60
	dsn, d := database(t)
	tg := target(t, Config{DSN: dsn, Tables: map[string]TableConfig{
		"product":       {From: "product", Create: true},
		"product_image": {From: "product.images", Create: true},
		"product_price": {From: "product.prices", Create: true},
	}}, shop())
	want := make([]map[string]product, partitions)
	var wg sync.WaitGroup
	for id := range partitions {
		s := open(t, tg, shop(), int32(id))
		want[id] = map[string]product{}
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(7, uint64(id)))
			for range batches {
				b := &sink.Batch{Next: s.Place().Next}
				seen := map[string]bool{}
				for range 300 {
					p := product{sku: fmt.Sprintf("s%04d", rnd.IntN(products)*partitions+id), name: "x"}
					if seen[p.sku] {
						continue
					}
					seen[p.sku] = true
					if rnd.IntN(8) == 0 {
						b.Records = append(b.Records, gone(b.Next, p.sku))
						delete(want[id], p.sku)
					} else {
						for i := range rnd.IntN(4) {
							p.images = append(p.images, fmt.Sprint("u", i))
						}
						for i, from := range rnd.Perm(5)[:rnd.IntN(4)] {
							p.prices = append(p.prices, [2]int64{int64(from), int64(i)})
						}
						b.Records = append(b.Records, p.record(b.Next))
						want[id][p.sku] = p
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
	same(t, rows(t, d, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"), "0")
	wantRows, wantImages, wantPrices := 0, 0, 0
	for _, m := range want {
		for _, p := range m {
			wantRows, wantImages, wantPrices = wantRows+1, wantImages+len(p.images), wantPrices+len(p.prices)
		}
	}
	same(t, rows(t, d, "SELECT (SELECT COUNT(*) FROM product), (SELECT COUNT(*) FROM product_image), (SELECT COUNT(*) FROM product_price)"), fmt.Sprintf("%d|%d|%d", wantRows, wantImages, wantPrices))
}
