//go:build integration

package e2e

import (
	"testing"
	"time"

	"shelfstream/internal/kafka"
	"shelfstream/status"
)

// Without its slot capture cannot know what it missed. It says so and sends nothing; the operator's resnapshot sends what differs, and tombstones.
func TestResnapshotAfterSlotLost(t *testing.T) {
	w := newWorld(t, "lost", options{products: 300})
	w.startAll(1, 1, 1)
	w.equal()
	capture := w.workers[0]
	must(t, capture.process.Stop(w.ctx))
	before := w.raw()

	erp := w.erp()
	w.until("the slot to be left", func() (left bool, err error) {
		err = erp.QueryRow(w.ctx, "SELECT NOT bool_or(active) FROM pg_replication_slots WHERE database = current_database()").Scan(&left)
		return left, err
	})
	for _, q := range []string{
		"SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = current_database()",
		"UPDATE product SET producer = 'nobody noticed' WHERE product_no <= 10",
		"DELETE FROM product WHERE product_no = 11",
	} {
		_, err := erp.Exec(w.ctx, q)
		must(t, err)
	}
	capture.again()
	w.until("the state position lost", func() (bool, error) {
		s, err := capture.report()
		return err == nil && s.State == status.StatePositionLost && len(s.Faults) > 0, nil
	})
	if n := w.raw() - before; n != 0 {
		t.Errorf("%d records were written although the position is lost", n)
	}
	w.command("capture", "resnapshot")
	w.equal()
	// 10 rows that differ and one tombstone, of some 3,000 rows that were read.
	if n := w.raw() - before; n != 11 {
		t.Errorf("%d records were written, want the 11 that differ", n)
	}
	l := w.work(2, 2*time.Millisecond)
	l.goOn(1000)
	l.finish()
}

// raw is how many records there are on the raw topics.
func (w *world) raw() (n int) {
	w.t.Helper()
	for _, table := range []string{"product", "price", "stock", "product_text", "image", "vat_rate"} {
		for p := range int32(4) {
			must(w.t, w.client.Scan(w.ctx, w.name+".erp."+table, p, 0, -1, func(*kafka.Record) error { n++; return nil }))
		}
	}
	return n
}
