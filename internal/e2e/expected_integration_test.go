//go:build integration

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	adminpage "shelfstream/status/web"
)

// TestExpectedStaysAway: prices are expected every few seconds. None comes, which is an incident that says so, and somebody is told; what is expected in hours that are not now is not
// missed. A price comes, and it is over.
func TestExpectedStaysAway(t *testing.T) {
	const within = 5 * time.Second
	day := strings.ToLower(time.Now().AddDate(0, 0, 3).Weekday().String()[:3]) // in no zone is it now
	a := newAlerted(t, "expected", options{products: 20, more: []string{"UNTIL_BOSS=1h"}, alerts: fmt.Sprintf(`  calendars:
    all_day: { open: ["mon-sun 00:00-24:00"] }
    another_day: { open: ["%s 08:00-17:00"] }
  expect:
    - { from: erp.price, within: %v, hours: all_day, severity: warning, name: new prices }
    - { from: product, within: %v, hours: another_day, name: products }
`, day, within, within)})
	a.equal()
	const prices = "expectation new prices"
	a.have(0, "clerk opened "+prices)
	i := a.incident(prices, "open", func(i *adminpage.Incident) bool { return i.Resolved.IsZero() })
	if i.Severity != "warning" || !strings.Contains(i.What, "nothing has come for 5 s (of mon-sun 00:00-24:00)") || i.Fix == "" {
		t.Errorf("%+v", i)
	}
	erp := a.erp()
	a.until("prices to come, and the incident to be over", func() (bool, error) {
		if _, err := erp.Exec(a.ctx, "UPDATE price SET price = price + 1, rev = rev + 1 WHERE product_no = 1"); err != nil {
			return false, err
		}
		all, err := a.incidents()
		return err == nil && len(all) == 1 && !all[0].Resolved.IsZero(), nil //nolint:nilerr // asked again
	})
	a.have(1, "clerk all clear "+prices)
	if all, err := a.incidents(); err != nil || len(all) != 1 {
		t.Errorf("%v, %d incidents: %+v", err, len(all), all)
	}
	a.alive()
}
