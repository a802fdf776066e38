//go:build integration

package e2e

import (
	"fmt"
	"testing"
	"time"
)

// The log, the ERP's server and the shop's are killed, ended cleanly and cut off while the pipeline is at work. No stage ends for it, and nothing is lost.
func TestServersRestart(t *testing.T) {
	w := newWorld(t, "servers", options{proxied: true})
	w.startAll(1, 2, 2)
	w.equal()
	l := w.work(3, 2*time.Millisecond)
	for _, s := range []struct {
		name string
		end  func() error
		back func() error
	}{
		{"the log is killed", broker.Kill, func() error { return broker.Restart(w.ctx) }},
		{"PostgreSQL is killed", postgres.Kill, func() error { return postgres.Restart(w.ctx) }},
		{"MariaDB is killed", mariadb.Kill, func() error { return mariadb.Restart(w.ctx) }},
		{"the log ends", func() error { return broker.Stop(w.ctx) }, func() error { return broker.Restart(w.ctx) }},
		{"PostgreSQL ends", func() error { return postgres.Stop(w.ctx) }, func() error { return postgres.Restart(w.ctx) }},
		{"MariaDB ends", func() error { return mariadb.Stop(w.ctx) }, func() error { return mariadb.Restart(w.ctx) }},
		{"the ERP is cut off", func() error { w.erpProxy.Cut(); return nil }, w.erpProxy.Heal},
		{"the shop is cut off", func() error { w.shopProxy.Cut(); return nil }, w.shopProxy.Heal},
		{"the log stands still", func() error { return broker.Pause(w.ctx) }, broker.Continue},
		{"the shop does not answer", func() error { w.shopProxy.Stall(); return nil }, w.shopProxy.Heal},
	} {
		l.goOn(1000)
		must(t, s.end())
		if postgres.PID() != 0 {
			l.goOn(1000) // the ERP's people go on working
		}
		must(t, s.back())
		began := time.Now()
		w.flows(l, s.name)
		t.Logf("%s: the shop shows new work %v after it is back", s.name, time.Since(began).Round(time.Millisecond))
		w.alive()
	}
	l.finish()
}

// flows waits until the shop shows something that was changed after the call.
func (w *world) flows(l *load, after string) {
	w.t.Helper()
	conn := w.erp()
	var rev int64
	w.until("the ERP after "+after, func() (bool, error) {
		return conn.QueryRow(w.ctx, "SELECT greatest((SELECT max(rev) FROM product), 0)").Scan(&rev) == nil, nil
	})
	w.until(fmt.Sprintf("the shop to pass rev %d after %s", rev, after), func() (bool, error) {
		var shown int64
		err := w.shop.QueryRowContext(w.ctx, "SELECT coalesce(max(rev), 0) FROM product").Scan(&shown)
		return err == nil && shown > rev, nil
	})
}
