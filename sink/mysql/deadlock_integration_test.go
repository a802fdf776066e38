//go:build integration

package mysql

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"shelfstream/schemas"
	"shelfstream/sink"
)

// TestNoDeadlocks: partitions write at once, and no two of them ever want each other's rows, though their products are neighbours in the children's
// tables, whose lists shrink, grow and go.
func TestNoDeadlocks(t *testing.T) {
	const partitions, products, batches = 4, 400, 60
	dsn, db := database(t)
	tg := target(t, Config{DSN: dsn, Tables: map[string]TableConfig{
		"product":       {From: "product", Create: true},
		"product_image": {From: "product.images", Create: true},
		"product_price": {From: "product.prices", Create: true},
	}}, shop())
	before := innodbDeadlocks(t, db)
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
				for range 60 {
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
				for {
					_, err := s.Apply(t.Context(), b)
					if err == nil {
						break
					}
					if number(err) != errDeadlock {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	if n := innodbDeadlocks(t, db) - before; n > 0 {
		t.Errorf("%d deadlocks, the last:\n%s", n, lastDeadlock(t, db))
	}
	wantRows, wantImages, wantPrices := 0, 0, 0
	for _, m := range want {
		for _, p := range m {
			wantRows, wantImages, wantPrices = wantRows+1, wantImages+len(p.images), wantPrices+len(p.prices)
		}
	}
	same(t, rows(t, db, "SELECT (SELECT COUNT(*) FROM product), (SELECT COUNT(*) FROM product_image), (SELECT COUNT(*) FROM product_price)"), fmt.Sprintf("%d|%d|%d", wantRows, wantImages, wantPrices))
}

// TestDeletesLockOnlyTheirRows: while other transactions hold every other row, rows of a product can go, in tables whose keys are of several columns.
func TestDeletesLockOnlyTheirRows(t *testing.T) {
	dsn, db := database(t)
	tg := target(t, Config{DSN: dsn, Tables: map[string]TableConfig{
		"wine":  {From: "wine", Create: true, Columns: cols{"no": "no", "year": "year"}.config()},
		"image": {From: "wine.images", Create: true},
		"tag":   {From: "wine.tags", Create: true, Columns: cols{"no": "no", "year": "year", "tag": "value"}.config(), Key: []string{"no", "year", "tag"}},
	}}, wines())
	s := open(t, tg, wines(), 0)
	record := func(no string, tags ...string) sink.Record {
		row := make([]schemas.Value, len(wines().Table.Columns))
		row[0], row[1] = schemas.Text(no), schemas.Int(2020)
		images, list := []schemas.Value{}, []schemas.Value{}
		for _, v := range tags {
			images = append(images, schemas.Value{Kind: schemas.KindRecord, List: []schemas.Value{schemas.Text(v), schemas.Int(7)}})
			list = append(list, schemas.Text(v))
		}
		row[16], row[17] = schemas.Value{Kind: schemas.KindArray, List: images}, schemas.Value{Kind: schemas.KindArray, List: list}
		return sink.Record{Key: []byte(no), KeyValues: row[:2], Row: row, Offset: s.Place().Next}
	}
	b := &sink.Batch{Next: 1}
	for c := 'a'; c <= 'z'; c++ {
		b.Records = append(b.Records, record(string(c), "x", "y"))
	}
	applyBatch(t, s, b)
	other, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Rollback() }()
	for _, table := range []string{"wine", "image", "tag"} {
		for c := 'a'; c <= 'z'; c++ {
			if c == 'c' || c == 'f' {
				continue
			}
			if _, err := other.Exec("UPDATE "+table+" SET no = no WHERE no = ? AND year = 2020 AND 1 = SLEEP(0) + 1", string(c)); err != nil {
				t.Fatal(err)
			}
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	dead := record("c")
	dead.Row = nil
	if _, err := s.Apply(ctx, &sink.Batch{Records: []sink.Record{dead, record("f", "y")}, Next: 2}); err != nil {
		t.Fatalf("it waited for rows of others: %v", err)
	}
	if err := other.Rollback(); err != nil {
		t.Fatal(err)
	}
	same(t, rows(t, db, "SELECT (SELECT COUNT(*) FROM wine), (SELECT COUNT(*) FROM image), (SELECT COUNT(*) FROM tag), (SELECT MIN(tag) FROM tag WHERE no = 'f')"), "25|49|49|y")
}
