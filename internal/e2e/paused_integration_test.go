//go:build integration

package e2e

import (
	"testing"
	"time"

	"shelfstream/status"
)

// A worker that was stopped for longer than its session comes back in the middle of what it was doing, and knows nothing of the other who has its work
// now and is further on. Whatever it still writes must not show: the fence of each stage is all that stands in its way.
func TestPausedOwnerCannotWrite(t *testing.T) {
	for _, stage := range []string{"capture", "transform", "sink"} {
		t.Run(stage, func(t *testing.T) {
			w := newWorld(t, "paused_"+stage, options{session: time.Second, products: 60})
			for _, s := range []string{"capture", "transform", "sink"} {
				w.start(s)
			}
			w.equal()
			w.start(stage)
			w.witness()
			l := w.work(3, time.Millisecond)
			for range 3 {
				w.hold(l, stage)
			}
			l.finish()
			w.testify()
		})
	}
	t.Run("transform with records in hand", inHand)
}

// hold stops one of the stage's two workers while it has work, waits until the other has all of it and is well ahead, and lets it go on.
func (w *world) hold(l *load, stage string) {
	w.t.Helper()
	var pair []*worker
	for _, k := range w.workers {
		if k.stage == stage {
			pair = append(pair, k)
		}
	}
	var owner, other *worker
	w.until("the work of "+stage+" to be shared out", func() (bool, error) {
		first, second := pair[0].share(), pair[1].share()
		owner, other = pair[0], pair[1]
		if first == 0 {
			owner, other = other, owner
		}
		return first+second == w.wholeOf(stage), nil
	})
	if owner.shop != nil {
		// What it sends from now on comes to the shop only when it is no owner any more.
		owner.shop.Stall()
		l.goOn(500)
	}
	must(w.t, owner.process.Pause(w.ctx))
	began := time.Now()
	w.until("the other "+stage+" to own everything", func() (bool, error) { return other.share() == w.wholeOf(stage), nil })
	taken := time.Since(began)
	// Newer states than those the stopped one has in hand: each of the few products is changed many times over.
	done := other.records()
	w.until("newer states by the other "+stage, func() (bool, error) { return other.records() > done+300, nil })
	if owner.shop != nil {
		must(w.t, owner.shop.Heal())
	}
	must(w.t, owner.process.Continue())
	w.until("the first "+stage+" to answer again", func() (bool, error) { _, err := owner.report(); return err == nil, nil })
	l.goOn(2000)
	w.t.Logf("%s was stopped for %v; the other had its work after %v", owner.name, time.Since(began).Round(time.Millisecond), taken.Round(time.Millisecond))
}

// wholeOf is how many shares of work a stage has.
func (w *world) wholeOf(stage string) int {
	if stage == "capture" {
		return 1
	}
	return 4 // log.partitions
}

// share is how many partitions the worker has open; for capture 1 if it owns the source.
func (k *worker) share() int {
	s, err := k.report()
	if err != nil {
		return 0
	}
	if k.stage == "capture" {
		if s.State == status.StateLive || s.State == status.StateCatchingUp {
			return 1
		}
		return 0
	}
	n := 0
	for _, p := range s.Positions {
		if p.Value != "" {
			n++
		}
	}
	return n
}

// witness lets the shop itself note, in the transaction that does it, when a product goes back or is torn. No reader can look so often.
func (w *world) witness() {
	w.t.Helper()
	const look = `BEGIN
		DECLARE seen BIGINT DEFAULT (SELECT rev FROM witness_newest WHERE product_no = NEW.product_no);
		IF NEW.rev <> 0 AND seen IS NOT NULL AND NEW.rev < seen THEN
			INSERT INTO witness (what) VALUES (CONCAT('product ', NEW.product_no, ' goes back from rev ', seen, ' to ', NEW.rev));
		END IF;
		IF NEW.rev <> 0 AND (NEW.price_rev <> NEW.rev OR NEW.stock_rev <> NEW.rev) THEN
			INSERT INTO witness (what) VALUES (CONCAT('product ', NEW.product_no, ' is torn: ', NEW.rev, ', ', COALESCE(NEW.price_rev, -1), ', ', COALESCE(NEW.stock_rev, -1)));
		END IF;
		INSERT INTO witness_newest VALUES (NEW.product_no, NEW.rev) ON DUPLICATE KEY UPDATE rev = GREATEST(rev, NEW.rev);
	END`
	for _, q := range []string{
		"CREATE TABLE witness (id BIGINT AUTO_INCREMENT PRIMARY KEY, what VARCHAR(200))",
		"CREATE TABLE witness_newest (product_no BIGINT PRIMARY KEY, rev BIGINT NOT NULL)",
		"CREATE TRIGGER witness_insert AFTER INSERT ON product FOR EACH ROW " + look,
		"CREATE TRIGGER witness_update AFTER UPDATE ON product FOR EACH ROW " + look,
	} {
		_, err := w.shop.ExecContext(w.ctx, q)
		must(w.t, err)
	}
}

// testify reports what the shop noted.
func (w *world) testify() {
	w.t.Helper()
	rows, err := w.shop.QueryContext(w.ctx, "SELECT what FROM witness ORDER BY id LIMIT 20")
	must(w.t, err)
	defer rows.Close()
	for rows.Next() {
		var what string
		must(w.t, rows.Scan(&what))
		w.t.Error("noted by the shop: " + what)
	}
	must(w.t, rows.Err())
	var products int
	must(w.t, w.shop.QueryRowContext(w.ctx, "SELECT count(*) FROM witness_newest").Scan(&products))
	if products == 0 {
		w.t.Error("the shop's triggers saw nothing")
	}
}
