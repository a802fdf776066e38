//go:build integration

package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"shelfstream/status"
	adminpage "shelfstream/status/web"
)

const (
	flood = 100_000
	// floodLimit is what the whole pipeline in one process may hold in memory at its highest.
	floodLimit = 300 << 20
	// slowPage is how long any page may take, but for one answer in twenty, since machines that test are loaded.
	slowPage = 100 * time.Millisecond
)

// floodPipeline has items with a price and a VAT code.
const floodPipeline = `pipeline: wine
timezone: Europe/Oslo
sources:
  erp:
    postgres:
      dsn: ${ERP_DSN}
      tables: { item: {}, vat_rate: { broadcast: true } }
views:
  item:
    from: erp.item
    lookups: { vat: { from: erp.vat_rate, on: vat_code } }
    rules: [demo.rules.yaml]
sinks:
  shop:
    mysql:
      dsn: ${SHOP_DSN}
      tables: { item: { from: item, create: true } }
`

const floodRules = `rules:
  - name: texts
    set: { name: name, net: net }
  - name: gross
    vat: { rates: vat, rate: rate, net: net, round: 2, set: { gross: gross } }
`

// looker asks for pages all the time, one after the other, and notes how long each took.
type looker struct {
	mu    sync.Mutex
	took  map[string][]time.Duration
	wrong []string
}

// floodPages are what somebody looks at who was told.
var floodPages = []string{"/", "/status.json", "/incidents", "/incidents.json", "/parked?kind=transform&name=item", "/stage?kind=transform&name=item", "/links"}

func (l *looker) look(ctx context.Context, admin string) {
	for ctx.Err() == nil {
		l.round(ctx, admin)
	}
}

// round asks for each page once.
func (l *looker) round(ctx context.Context, admin string) {
	for _, path := range floodPages {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+admin+path, http.NoBody)
		if err != nil {
			l.note(path, 0, err.Error())
			return
		}
		req.Header.Set("Accept", "text/html")
		began := time.Now()
		res, err := browse.Do(req)
		if err != nil {
			if ctx.Err() == nil {
				l.note(path, time.Since(began), err.Error())
			}
			continue
		}
		_, err = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		switch took := time.Since(began); {
		case ctx.Err() != nil:
		case err != nil || res.StatusCode != http.StatusOK:
			l.note(path, took, fmt.Sprint(res.Status, " ", err))
		default:
			l.note(path, took, "")
		}
	}
}

// calm asks for each page n times, and fails the test for those that are slow.
func calm(ctx context.Context, t *testing.T, admin string, n int) {
	t.Helper()
	l := &looker{}
	for range n {
		l.round(ctx, admin)
	}
	l.tell(t)
}

func (l *looker) note(path string, took time.Duration, wrong string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.took == nil {
		l.took = map[string][]time.Duration{}
	}
	l.took[path] = append(l.took[path], took)
	if wrong != "" {
		l.wrong = append(l.wrong, path+": "+wrong)
	}
}

// 100,000 products of a code that has no VAT fail within a minute. They are one incident, one message, counted to the last; memory does not grow with them, and the page
// answers. When the ERP has the code all of them go live, and the incident ends.
func TestFloodOfFailures(t *testing.T) {
	a := newAlerted(t, "flood", options{
		pipeline: floodPipeline, rules: floodRules, more: []string{"UNTIL_BOSS=1h"},
		seed: func(w *world) {
			_, err := w.erp().Exec(w.ctx, `CREATE TABLE item (item_no bigint PRIMARY KEY, name text NOT NULL, net numeric(10,2) NOT NULL, vat_code smallint NOT NULL);
				CREATE TABLE vat_rate (vat_code smallint PRIMARY KEY, rate numeric(5,2) NOT NULL);
				ALTER TABLE item REPLICA IDENTITY FULL;
				ALTER TABLE vat_rate REPLICA IDENTITY FULL;
				INSERT INTO vat_rate VALUES (1, 25);
				INSERT INTO item VALUES (0, 'the first', 100, 1)`)
			must(w.t, err)
		},
	})
	items := func(n int, gross string) {
		t.Helper()
		a.until(fmt.Sprintf("%d items in the shop", n), func() (bool, error) {
			var have int
			// The table is made by the sink.
			if a.shop.QueryRowContext(a.ctx, "SELECT count(*) FROM item WHERE gross = "+gross).Scan(&have) != nil {
				return false, nil
			}
			return have == n, nil
		})
	}
	items(1, "net * 1.25")

	l := &looker{}
	looking, closed := context.WithCancel(a.ctx)
	var done sync.WaitGroup
	done.Go(func() { l.look(looking, a.run.admin) })
	t.Cleanup(func() { closed(); done.Wait() })

	const view = "view item"
	began := time.Now()
	const lot = flood / 20
	erp := a.erp()
	for from := 1; from <= flood; from += lot {
		_, err := erp.Exec(a.ctx, "INSERT INTO item SELECT i, 'item ' || i, i % 1000 + 0.40, 77 FROM generate_series($1::int, $2::int) i", from, from+lot-1)
		must(t, err)
	}
	inserted := time.Since(began)
	opened := a.incident(view, "counted whole", func(i *adminpage.Incident) bool { return i.Count == flood })
	failed := time.Since(began)
	t.Logf("%d products inserted in %.1f s, all of them counted after %.1f s", flood, inserted.Seconds(), failed.Seconds())
	if failed > time.Minute {
		t.Errorf("100,000 records took %v to fail: that is less than 100,000 a minute", failed)
	}
	all, err := a.incidents()
	must(t, err)
	if len(all) != 1 || len(all[0].Samples) == 0 || len(all[0].Samples) > 10 || all[0].Fix == "" {
		t.Errorf("incidents: %+v", all)
	}
	a.noted(view, "clerk")
	a.have(0, "clerk opened "+view)
	if s, err := a.run.one(status.KindTransform); err != nil || s.Parked != flood || len(s.Troubles) != 1 || s.Troubles[0].Count != flood {
		t.Errorf("the view: %v, %+v", err, s)
	}

	calm(a.ctx, t, a.run.admin, 15)

	_, err = erp.Exec(a.ctx, "INSERT INTO vat_rate VALUES (77, 15)")
	must(t, err)
	began = time.Now()
	items(flood, "round(net * 1.15, 2)")
	t.Logf("all live %.1f s after the code was added", time.Since(began).Seconds())
	a.incident(view, "resolved", func(i *adminpage.Incident) bool { return i.ID == opened.ID && !i.Resolved.IsZero() })
	closed()
	done.Wait()
	a.have(1, "clerk all clear "+view)
	if n := len(a.box.Mails()) + len(a.chats()); n != 2 {
		t.Errorf("%d messages", n)
	}
	if all, err := a.incidents(); err != nil || len(all) != 1 {
		t.Errorf("%v, %d incidents: %+v", err, len(all), all)
	}
	rss, peak, err := a.run.process.Memory()
	must(t, err)
	cpu, err := a.run.process.CPUSeconds()
	must(t, err)
	t.Logf("memory %d MiB, %d MiB at its highest; %.1f CPU seconds", rss>>20, peak>>20, cpu)
	if peak > floodLimit {
		t.Errorf("it took %d MiB, more than %d", peak>>20, floodLimit>>20)
	}
	l.tell(t)
	a.alive()
}

// tell logs and checks how long pages took.
func (l *looker) tell(t *testing.T) {
	t.Helper()
	for _, w := range l.wrong {
		t.Error(w)
	}
	for _, path := range floodPages {
		took := l.took[path]
		if len(took) == 0 {
			t.Errorf("nobody saw %s", path)
			continue
		}
		slices.Sort(took)
		part := func(of float64) time.Duration { return took[int(of*float64(len(took)-1))] }
		t.Logf("%-36s %4d answers, p50 %6.1f ms, p95 %6.1f ms, longest %6.1f ms", path, len(took), ms(part(0.5)), ms(part(0.95)), ms(part(1)))
		if p := part(0.95); p > slowPage {
			t.Errorf("%s: 5%% of the answers took more than %v", path, p)
		}
	}
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
