//go:build integration

package e2e

import (
	"strings"
	"testing"
	"time"

	"shelfstream/internal/demo"
)

// A table that the configuration gets later is read whole by itself while the others go on from where they were.
func TestTableAddedLater(t *testing.T) {
	w := newWorld(t, "added", options{products: 300})
	_, err := w.erp().Exec(w.ctx, `CREATE TABLE note (note_no bigint PRIMARY KEY, body text NOT NULL);
		ALTER TABLE note REPLICA IDENTITY FULL;
		INSERT INTO note SELECT i, 'note ' || i FROM generate_series(1, 5000) i`)
	must(t, err)
	w.startAll(1, 1, 1)
	w.equal()
	before := w.raw()
	capture := w.workers[0]
	must(t, capture.process.Stop(w.ctx))
	w.configure(strings.Replace(demo.Pipeline, "vat_rate:     { broadcast: true }", "vat_rate:     { broadcast: true }\n        note: {}", 1))
	capture.again()
	notes := func() (n int64) {
		parts, err := w.client.Partitions(w.ctx, w.name+".erp.note")
		must(t, err)
		if parts == 0 {
			return 0
		}
		ends, err := w.client.EndOffsets(w.ctx, w.name+".erp.note")
		must(t, err)
		for _, e := range ends {
			n += e
		}
		return n
	}
	w.until("5,000 notes on their topic", func() (bool, error) { return notes() >= 5000, nil })
	had := notes()
	_, err = w.erp().Exec(w.ctx, "INSERT INTO note VALUES (5001, 'later')")
	must(t, err)
	w.until("a note written later", func() (bool, error) { return notes() > had, nil })
	if n := w.raw() - before; n != 0 {
		t.Errorf("%d records of the other tables were sent again", n)
	}
	l := w.work(2, 2*time.Millisecond)
	l.goOn(1000)
	l.finish()
}
