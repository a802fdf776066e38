//go:build integration

package e2e

import (
	"strings"
	"testing"
	"time"
)

// A replay sends every product's newest state again. On the way no product shows an older one, although the topic holds them all.
func TestReplayNeverShowsOlder(t *testing.T) {
	w := newWorld(t, "replay", options{products: 200})
	w.startAll(1, 1, 2)
	w.equal()
	w.witness()
	l := w.work(3, 2*time.Millisecond)
	l.goOn(10_000)
	for _, to := range []string{"beginning", time.Now().Add(-2 * time.Second).UTC().Format(time.RFC3339Nano), "beginning"} {
		out := w.command("replay", "shop", "-to", to)
		if !strings.Contains(out, "back to") {
			t.Errorf("nothing was rewound to %s:\n%s", to, out)
		}
		l.goOn(5_000)
		w.replayed()
	}
	l.finish()
	// Nobody changes the ERP any more, so only the replay can put the shop right.
	_, err := w.shop.ExecContext(w.ctx, "UPDATE product SET name = 'by hand'")
	must(t, err)
	w.command("replay", "shop", "-to", "beginning")
	w.equal()
	w.testify()
}

// replayed waits until every partition has come past the end that its replay was to reach.
func (w *world) replayed() {
	w.t.Helper()
	w.until("the end of the replay", func() (bool, error) {
		var under int
		err := w.shop.QueryRowContext(w.ctx, "SELECT count(*) FROM shelfstream_offsets WHERE replay_until > next_offset").Scan(&under)
		return under == 0, err
	})
}
