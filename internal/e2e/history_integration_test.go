//go:build integration

package e2e

import (
	"shelfstream/internal/kafka"
	"shelfstream/schemas"
	"shelfstream/schemas/registry"
)

// history reads the whole cleaned topic and checks each product: no record is part of a transaction, and none is older than one before
// it. It gives the number of products written.
func (w *world) history() int {
	w.t.Helper()
	topic := w.name + ".product"
	reg := registry.NewClient(w.registry)
	table, err := reg.Table(w.ctx, topic)
	must(w.t, err)
	codec, err := schemas.Compile(table)
	must(w.t, err)
	at := func(name string) int {
		i := table.Column(name)
		if i < 0 {
			w.t.Fatalf("%s has no column %s", topic, name)
		}
		return i
	}
	product, rev, price, stock := at("product_no"), at("rev"), at("price_rev"), at("stock_rev")
	n, err := w.client.Partitions(w.ctx, topic)
	must(w.t, err)
	count, complaints := 0, 0
	for p := range int32(n) {
		newest := map[int64]int64{}
		var row []schemas.Value
		err := w.client.Scan(w.ctx, topic, p, 0, -1, func(r *kafka.Record) error {
			if r.Value == nil {
				return nil
			}
			_, body, err := schemas.ParseFrame(r.Value)
			if err != nil {
				return err
			}
			if row, err = codec.DecodeValue(row[:0], body); err != nil {
				return err
			}
			count++
			complain := func(format string, args ...any) {
				if complaints++; complaints <= 20 {
					w.t.Errorf("%s/%d, offset %d: "+format, append([]any{topic, p, r.Offset}, args...)...)
				}
			}
			no, is := row[product].Int, row[rev].Int
			if is == 0 {
				return nil // deleted and made again: its prices and stock are older
			}
			for _, part := range []int{price, stock} {
				if !row[part].IsNull() && row[part].Int != is {
					complain("product %d with rev %d has %s %d", no, is, table.Columns[part].Name, row[part].Int)
				}
			}
			if is < newest[no] {
				complain("product %d goes back from rev %d to %d", no, newest[no], is)
			}
			newest[no] = max(is, newest[no])
			return nil
		})
		must(w.t, err)
	}
	if complaints > 20 {
		w.t.Errorf("and %d more", complaints-20)
	}
	return count
}
