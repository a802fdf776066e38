package demo

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Watcher measures, from outside, how long a commit in the ERP takes to show in the shop, and that products there are whole and never go back.
type Watcher struct {
	Shop *sql.DB
	// All reads every product at each look, and not only those that a commit is waited for.
	All bool
	// Every is the pause between two looks; 0 = 2 ms.
	Every time.Duration

	mu      sync.Mutex
	waiting map[int64]sighting
	delays  []time.Duration
	last    map[int64]int64
	looks   int
	torn    []string
}

type sighting struct {
	rev int64
	at  time.Time
}

// Committed is for Clerk.OnCommit. A product that is changed again before it was seen counts from its newer commit.
func (w *Watcher) Committed(product, rev int64, at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waiting == nil {
		w.waiting = map[int64]sighting{}
	}
	if len(w.waiting) < 500 {
		w.waiting[product] = sighting{rev, at}
	}
}

// Run polls the shop until ctx ends.
func (w *Watcher) Run(ctx context.Context) error {
	every := w.Every
	if every <= 0 {
		every = 2 * time.Millisecond
	}
	for rest(ctx, every) {
		if err := w.look(ctx); err != nil && !rest(ctx, 100*time.Millisecond) {
			break
		}
	}
	return nil
}

func (w *Watcher) look(ctx context.Context) error {
	w.mu.Lock()
	ids := make([]string, 0, len(w.waiting))
	for p, s := range w.waiting {
		if time.Since(s.at) > 5*time.Second {
			// Off sale, parked or gone: it will not show.
			delete(w.waiting, p)
			continue
		}
		ids = append(ids, fmt.Sprint(p))
	}
	w.mu.Unlock()
	query := "SELECT product_no, rev, coalesce(price_rev, -1), coalesce(stock_rev, -1) FROM product"
	if !w.All {
		if len(ids) == 0 {
			return nil
		}
		query += " WHERE product_no IN (" + strings.Join(ids, ",") + ")"
	}
	rows, err := w.Shop.QueryContext(ctx, query)
	if err != nil {
		return fmt.Errorf("watch the shop: %w", err)
	}
	defer rows.Close()
	now := time.Now()
	for rows.Next() {
		var product, rev, price, stock int64
		if err := rows.Scan(&product, &rev, &price, &stock); err != nil {
			return fmt.Errorf("watch the shop: %w", err)
		}
		w.saw(now, product, rev, price, stock)
	}
	w.mu.Lock()
	w.looks++
	w.mu.Unlock()
	return rows.Err()
}

func (w *Watcher) saw(now time.Time, product, rev, price, stock int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.last == nil {
		w.last = map[int64]int64{}
	}
	complain := func(format string, args ...any) {
		if len(w.torn) < 20 {
			w.torn = append(w.torn, fmt.Sprintf(format, args...))
		}
	}
	// A product that was deleted and made again begins at 0, with the old prices and stock still there.
	if rev != 0 && (price != -1 && price != rev || stock != -1 && stock != rev) {
		complain("product %d shows half a transaction: product rev %d, price rev %d, stock rev %d", product, rev, price, stock)
	}
	// Numbers are never used again, so what was seen before the product was deleted counts too.
	if rev != 0 && rev < w.last[product] {
		complain("product %d went back from rev %d to %d", product, w.last[product], rev)
	}
	w.last[product] = max(rev, w.last[product])
	if s, ok := w.waiting[product]; ok && rev >= s.rev {
		w.delays = append(w.delays, now.Sub(s.at))
		delete(w.waiting, product)
	}
}

// Torn lists what must never be seen: half a transaction, or a product that went back.
func (w *Watcher) Torn() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.torn)
}

// Looks is how often the shop was read.
func (w *Watcher) Looks() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.looks
}

// Delays gives the quantiles (0…1) of the delays measured since the last call with reset, and how many there were.
func (w *Watcher) Delays(reset bool, quantiles ...float64) ([]time.Duration, int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	sorted := slices.Clone(w.delays)
	if reset {
		w.delays = w.delays[:0]
	}
	if len(sorted) == 0 {
		return make([]time.Duration, len(quantiles)), 0
	}
	slices.Sort(sorted)
	out := make([]time.Duration, len(quantiles))
	for i, q := range quantiles {
		out[i] = sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
	}
	return out, len(sorted)
}
