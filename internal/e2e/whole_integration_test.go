//go:build integration

package e2e

import (
	"testing"
	"time"
)

// Each transaction writes one number to a product, its price and its stock, over three topics. With two workers of every stage a reader of the shop
// never sees two numbers in one product, and never a smaller one than before.
func TestTransactionsStayWholeUnderLoad(t *testing.T) {
	w := newWorld(t, "whole", options{})
	w.startAll(1, 2, 2)
	w.equal()
	l := w.work(3, 3*time.Millisecond)
	l.goOn(60_000)
	for _, k := range w.workers {
		k.worked()
	}
	l.finish()
}
