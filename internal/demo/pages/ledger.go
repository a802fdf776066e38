package pages

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// ledger keeps the newest changes, and looks into the shop for those that it does not show yet.
type ledger struct {
	shop *sql.DB

	mu      sync.Mutex
	last    int64
	changes []*change // oldest first
	news    chan struct{}
	wake    chan struct{}
}

// Bounds of the ledger: how many changes are kept, how often the shop is read while one is fresh and later, and when it is given up.
const (
	keptChanges = 50
	freshEvery  = time.Millisecond
	fresh       = 3 * time.Second
	staleEvery  = 100 * time.Millisecond
	waitedFor   = time.Hour
)

func newLedger(shop *sql.DB) *ledger {
	return &ledger{shop: shop, news: make(chan struct{}), wake: make(chan struct{}, 1)}
}

// add begins to wait for a change, and gives its id.
func (l *ledger) add(c *change) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last++
	c.ID = l.last
	for _, earlier := range l.changes {
		if earlier.Pending() && c.overtakes(earlier) {
			earlier.Given, earlier.Why = true, "overtaken by a later change"
		}
	}
	l.changes = append(l.changes, c)
	if len(l.changes) > keptChanges {
		l.changes = slices.Delete(l.changes, 0, len(l.changes)-keptChanges)
	}
	select {
	case l.wake <- struct{}{}:
	default:
	}
	return c.ID
}

// newest gives the last n changes, of one product if no is not 0, newest first.
func (l *ledger) newest(no int64, n int) []change {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []change
	for _, c := range slices.Backward(l.changes) {
		if len(out) < n && (no == 0 || c.No == no) {
			out = append(out, *c)
		}
	}
	return out
}

// settled waits until a change is no longer pending, or ctx ends.
func (l *ledger) settled(ctx context.Context, id int64) {
	for {
		l.mu.Lock()
		news := l.news
		i := slices.IndexFunc(l.changes, func(c *change) bool { return c.ID == id })
		done := i < 0 || !l.changes[i].Pending()
		l.mu.Unlock()
		if done {
			return
		}
		select {
		case <-news:
		case <-ctx.Done():
			return
		}
	}
}

// run reads the shop for as long as changes are waited for, until ctx ends.
func (l *ledger) run(ctx context.Context) {
	for {
		var pause <-chan time.Time
		if youngest, some := l.pending(); some {
			pause = time.After(pace(time.Since(youngest)))
		}
		select {
		case <-ctx.Done():
			return
		case <-l.wake:
		case <-pause:
		}
		if err := l.look(ctx); err != nil && ctx.Err() == nil {
			select { // the shop may be closed; it is asked again, but not a thousand times a second
			case <-ctx.Done():
			case <-time.After(staleEvery):
			}
		}
	}
}

func pace(age time.Duration) time.Duration {
	if age < fresh {
		return freshEvery
	}
	return staleEvery
}

// pending says whether any change is waited for, and when the youngest was committed.
func (l *ledger) pending() (youngest time.Time, some bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.changes {
		if c.Pending() {
			youngest, some = c.Committed, true
		}
	}
	return youngest, some
}

// look reads the rows of all pending changes at once.
func (l *ledger) look(ctx context.Context) error {
	l.mu.Lock()
	var numbers []string
	for _, c := range l.changes {
		if c.Pending() {
			numbers = append(numbers, fmt.Sprint(c.No))
		}
	}
	l.mu.Unlock()
	if len(numbers) == 0 {
		return nil
	}
	rows, err := l.shop.QueryContext(ctx, "SELECT product_no, "+strings.Join(shopColumns, ", ")+" FROM product WHERE product_no IN ("+strings.Join(numbers, ",")+")")
	if err != nil {
		return shopError(err)
	}
	defer rows.Close()
	have := map[int64]map[string]string{}
	for rows.Next() {
		var no int64
		values := make([]sql.NullString, len(shopColumns))
		into := []any{&no}
		for i := range values {
			into = append(into, &values[i])
		}
		if err := rows.Scan(into...); err != nil {
			return fmt.Errorf("read the shop: %w", err)
		}
		have[no] = map[string]string{}
		for i, name := range shopColumns {
			have[no][name] = values[i].String
		}
	}
	l.saw(have, time.Now())
	return rows.Err()
}

// saw notes which changes the shop showed at a time.
func (l *ledger) saw(have map[int64]map[string]string, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	some := false
	for _, c := range l.changes {
		switch {
		case !c.Pending():
			continue
		case c.shown(have[c.No]):
			c.Seen = at
		case at.Sub(c.Committed) > waitedFor:
			c.Given = true
		default:
			continue
		}
		some = true
	}
	if some {
		close(l.news)
		l.news = make(chan struct{})
	}
}
