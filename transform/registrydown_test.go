package transform

import (
	"cmp"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"shelfstream/internal/kafka"
	"shelfstream/internal/retry"
	"shelfstream/internal/testenv"
	"shelfstream/schemas"
	"shelfstream/schemas/registry"
)

// gate stands before the registry and answers in its place when a test says so.
type gate struct {
	t       testing.TB
	handler http.Handler
	addr    string
	server  *httptest.Server
	status  atomic.Int64 // what to answer; 0: ask the registry
	refused atomic.Int64 // requests that were not let through
}

func (l *lab) gate() *gate {
	l.t.Helper()
	to, err := url.Parse(l.registryURL)
	check(l.t, err)
	proxy := httputil.NewSingleHostReverseProxy(to)
	addr, err := testenv.FreeAddr() // which nobody gets while it is shut
	check(l.t, err)
	g := &gate{t: l.t, addr: addr}
	g.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s := int(g.status.Load()); s != 0 {
			g.refused.Add(1)
			http.Error(w, `{"error_code": `+fmt.Sprint(s)+`, "message": "not today"}`, s)
			return
		}
		proxy.ServeHTTP(w, r)
	})
	g.open()
	l.t.Cleanup(g.shut)
	return g
}

// open listens, after shut on the same port.
func (g *gate) open() {
	g.t.Helper()
	ln, err := net.Listen("tcp", g.addr)
	check(g.t, err)
	g.server = httptest.NewUnstartedServer(g.handler)
	check(g.t, g.server.Listener.Close())
	g.server.Listener = ln
	g.server.Start()
}

// shut refuses connections.
func (g *gate) shut() { g.server.Close() }

// client asks through the gate, and gives up soon.
func (g *gate) client() *registry.Client {
	return registry.NewClient("http://"+g.addr, registry.WithRetry(30*time.Millisecond))
}

// widen gives a table one more column, so that its next rows have a schema that nobody has asked for yet.
func (l *lab) widen(name string) {
	l.t.Helper()
	x := l.tables[name]
	tab := *x.codec.Table()
	tab.Columns = append(slices.Clone(tab.Columns), schemas.Column{Name: "extra", Type: schemas.Type{Kind: schemas.KindText}, Nullable: true})
	var err error
	x.codec, err = schemas.Compile(&tab)
	check(l.t, err)
	x.valueID, err = l.registry.Register(l.t.Context(), x.topic+"-value", x.codec.ValueSchema())
	check(l.t, err)
}

const aliasRules = `
rules:
  - name: facts
    set: { title: name, rev: rev, pct: rate.pct, alias: "first(alias, text order id)", prices: count(prices) }
  - name: images
    list: { from: images, order: [pos], set: { images: { url: url } } }
`

// aliasConfig has a child (images) and a lookup (alias) that are joined by columns outside their keys, and some that are in it.
func (l *lab) aliasConfig() Config {
	n := schemas.Type{Kind: schemas.KindInt, Bits: 64}
	if l.tables["alias"] == nil {
		l.table("alias", true, []string{"id"}, []string{"id"}, "id", n, "code", n, "text", schemas.Type{Kind: schemas.KindText})
	}
	cfg := l.config(aliasRules)
	cfg.View.Lookups = append(cfg.View.Lookups, Lookup{Name: "alias", Topic: "t.erp.alias", On: []LookupOn{{Column: "code", Of: "vat"}}})
	return cfg
}

// recordsIn counts a topic's live records.
func (l *lab) recordsIn(topic string) int {
	l.t.Helper()
	n := 0
	for p := range int32(labPartitions) {
		check(l.t, l.client.Scan(l.t.Context(), topic, p, 0, -1, func(*kafka.Record) error {
			n++
			return nil
		}))
	}
	return n
}

// TestRegistryDownCostsNoRow: while the registry cannot be asked for the schema of a row, the row waits; it is not to blame.
func TestRegistryDownCostsNoRow(t *testing.T) {
	for _, how := range []int{http.StatusInternalServerError, http.StatusUnauthorized, http.StatusForbidden, 0} {
		t.Run(cmp.Or(http.StatusText(how), "refuses connections"), func(t *testing.T) {
			l := newLab(t)
			g := l.gate()
			cfg := l.aliasConfig()
			cfg.Registry = g.client()
			cfg.Retries = retry.Policy{First: 20 * time.Millisecond, Most: 50 * time.Millisecond, Slow: 200 * time.Millisecond} // a refusal is tried slowly
			a, b := samePartition(t)
			l.put("rate", num(1), dec(2500))
			l.product(a, 1)
			l.product(b, 1)
			l.put("image", num(50), num(a), num(1), txt("moves.jpg"))
			l.put("alias", num(1), num(1), txt("first"))
			l.checkpoint()
			w := l.start(cfg)
			l.settled(w)
			before, _ := l.products()

			if g.status.Store(int64(how)); how == 0 {
				g.shut()
			}
			l.put("product", num(a), txt("renamed"), num(1), num(2)) // its schema is known, and it is read before the others
			for _, table := range []string{"product", "image", "alias", "price"} {
				l.widen(table)
			}
			l.put("product", num(b), txt("widened"), num(1), num(2))
			l.put("price", num(a), num(2), dec(90), num(2))
			l.put("image", num(50), num(b), num(1), txt("moves.jpg"))
			l.put("image", num(51), num(a), num(1), txt("new.jpg"))
			l.put("alias", num(1), num(2), txt("gone elsewhere"))
			l.put("alias", num(2), num(1), txt("second"))
			l.checkpoint()
			for attempt := 0; attempt < 4; {
				l.eventually("the task fails again and again", func() bool {
					s := w.Status()
					ok := s.State == "retrying" && s.Attempt > attempt
					attempt = max(attempt, s.Attempt)
					return ok
				})
				l.rowsAreCovered(w)
			}
			s := w.Status()
			now, _ := l.products()
			if len(s.Faults) == 0 || s.Attempt < 4 || len(s.Troubles) > 0 || s.Parked != 0 || l.recordsIn("t.shop.parked") != 0 || fmt.Sprint(now) != fmt.Sprint(before) {
				t.Errorf("while the registry is down: attempt %d, faults %v, troubles %v, %d parked, products %v", s.Attempt, s.Faults, s.Troubles, s.Parked, now)
			}

			if g.status.Store(0); how == 0 {
				g.open()
			}
			l.settled(w)
			s = w.Status()
			got, _ := l.products()
			wantA, wantB := "title=renamed rev=2 pct=25.00 alias=second prices=2 images=[{new.jpg}]", "title=widened rev=2 pct=25.00 alias=second prices=1 images=[{moves.jpg}]"
			if got[fmt.Sprint(a)] != wantA || got[fmt.Sprint(b)] != wantB || len(s.Faults) > 0 || s.Parked != 0 {
				t.Errorf("after it: faults %v, %d parked\nhave %v\nwant %s\nand  %s", s.Faults, s.Parked, got, wantA, wantB)
			}
		})
	}
}

// rowsAreCovered sees that no root row stands in the state that its offset does not cover: a row, its mark and its offset go as one.
func (l *lab) rowsAreCovered(w *worker) {
	l.t.Helper()
	for p := range int32(labPartitions) {
		pre := makePrefix(w.bound.viewID, p)
		saved, err := w.store.get(nil, pre.offset(nil, 0, p))
		check(l.t, err)
		for no := range int64(100) {
			raw, err := w.store.get(nil, append(pre.product(nil, fmt.Append(nil, no)), 0))
			check(l.t, err)
			if raw == nil {
				continue
			}
			o, _, err := parseRow(raw)
			check(l.t, err)
			if next := bigEndian(saved); o.offset >= next {
				l.t.Errorf("product %d stands in the state from offset %d, and the input's next is %d", no, o.offset, next)
			}
		}
	}
}

// TestUnknownSchemaCostsItsRowOnly: a row of a schema that the registry does not know is left out, or parks the product that has it.
func TestUnknownSchemaCostsItsRowOnly(t *testing.T) {
	l := newLab(t)
	cfg := l.aliasConfig()
	a, b := samePartition(t)
	l.put("rate", num(1), dec(2500))
	l.put("rate", num(2), dec(1500))
	l.product(a, 1)
	l.put("product", num(b), txt("b"), num(2), num(1))
	l.put("image", num(50), num(a), num(1), txt("a.jpg"))
	l.put("alias", num(1), num(1), txt("first"))
	l.checkpoint()
	w := l.start(cfg)
	l.settled(w)
	before, _ := l.products()
	bad := func(table string, row ...schemas.Value) {
		x := l.tables[table]
		good := x.valueID
		x.valueID = 9999
		l.put(table, row...)
		x.valueID = good
	}
	parked := func(what string, faults int, keys ...string) {
		t.Helper()
		l.settled(w)
		list, err := w.Parked(10)
		check(t, err)
		var have []string
		for _, p := range list {
			have = append(have, p.Key)
		}
		s := w.Status()
		if !slices.Equal(have, keys) || int(s.Parked) != len(keys) || len(s.Faults) != faults {
			t.Fatalf("%s: parked %v (%d), want %v; faults %v", what, have, s.Parked, keys, s.Faults)
		}
		// What is held keeps its last good version, and the others are not touched.
		if now, _ := l.products(); len(keys) > 0 && fmt.Sprint(now) != fmt.Sprint(before) {
			t.Fatalf("%s: products %v", what, now)
		}
	}
	const rejected = 1 + labPartitions // the lookup's row by each task
	bad("image", num(60), num(b), num(1), txt("nobody's"))
	bad("alias", num(7), num(2), txt("nobody's"))
	l.checkpoint()
	parked("rows that never were read", rejected)
	bad("image", num(50), num(b), num(1), txt("b.jpg"))
	l.checkpoint()
	parked("a row that a product had", rejected, fmt.Sprint(a))
	l.put("image", num(50), num(a), num(1), txt("a.jpg"))
	bad("alias", num(1), num(2), txt("x"))
	l.checkpoint()
	parked("a lookup row that products had", rejected, fmt.Sprint(a))
	l.put("alias", num(1), num(1), txt("first"))
	bad("price", num(b), num(1), dec(1), num(1))
	l.checkpoint()
	parked("a row whose key names the product", rejected, fmt.Sprint(b))
	l.del("price", num(b), num(1))
	l.put("image", num(50), num(b), num(1), txt("a.jpg"))
	l.checkpoint()
	parked("all cured", rejected)
	got, _ := l.products()
	if strings.Contains(got[fmt.Sprint(a)], "a.jpg") || !strings.Contains(got[fmt.Sprint(b)], "a.jpg") {
		t.Errorf("after the cure: %v", got)
	}
}
