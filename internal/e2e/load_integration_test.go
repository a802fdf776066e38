//go:build integration

package e2e

import (
	"context"
	"sync"
	"time"

	"shelfstream/internal/demo"
)

// load is clerks at work in the ERP, and a watcher who reads the shop all the time.
type load struct {
	w       *world
	clerks  []*demo.Clerk
	watcher *demo.Watcher
	clocked context.CancelFunc // ends the clerks
	closed  context.CancelFunc // ends the watcher
	working sync.WaitGroup
	looking sync.WaitGroup
}

// work lets clerks begin, each resting for pause between two transactions.
func (w *world) work(clerks int, pause time.Duration) *load {
	l := &load{w: w, watcher: &demo.Watcher{Shop: w.shop, All: true, Every: 10 * time.Millisecond}}
	var clerking, watching context.Context
	clerking, l.clocked = context.WithCancel(w.ctx)
	watching, l.closed = context.WithCancel(w.ctx)
	for i := range clerks {
		c := &demo.Clerk{DSN: postgres.DSN(w.name), Products: w.products, Pause: pause, Seed: uint64(100 + i), Share: i, Of: clerks}
		l.clerks = append(l.clerks, c)
		l.working.Go(func() { _ = c.Run(clerking) }) // nil, always
	}
	l.looking.Go(func() { _ = l.watcher.Run(watching) })
	w.t.Cleanup(func() {
		l.clocked()
		l.closed()
		l.working.Wait()
		l.looking.Wait()
	})
	return l
}

// changes is how many rows the clerks changed.
func (l *load) changes() (n int64) {
	for _, c := range l.clerks {
		n += c.Changes()
	}
	return n
}

// goOn waits until the clerks have changed n rows more.
func (l *load) goOn(n int64) {
	l.w.t.Helper()
	from := l.changes()
	l.w.until("the clerks' changes", func() (bool, error) { return l.changes() >= from+n, nil })
}

// finish sends the clerks home, waits until the shop equals the ERP, and checks everything that was seen on the way.
func (l *load) finish() {
	l.w.t.Helper()
	l.clocked()
	l.working.Wait()
	for _, c := range l.clerks {
		must(l.w.t, c.Tidy(l.w.ctx))
	}
	began := time.Now()
	l.w.equal()
	caught := time.Since(began)
	l.closed()
	l.looking.Wait()
	for _, torn := range l.watcher.Torn() {
		l.w.t.Error("seen in the shop: " + torn)
	}
	records := l.w.history()
	l.w.alive()
	l.w.t.Logf("%d rows changed; equal %v after the last; the shop was read %d times; %d products on the cleaned topic", l.changes(), caught.Round(time.Millisecond), l.watcher.Looks(), records)
	if l.watcher.Looks() == 0 || l.changes() == 0 || records == 0 {
		l.w.t.Error("nothing was changed or sent, or nobody looked")
	}
}
