package rest

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/sink"
	"shelfstream/sink/sinktest"
	"shelfstream/status/exchange"
)

// erp is a server that takes orders. It knows no idempotency keys unless told, and counts what it did by order number.
type erp struct {
	*httptest.Server
	t *testing.T

	mu      sync.Mutex
	orders  map[string]string // no -> "name|counter"
	created map[string]int
	calls   []string                                          // "POST /orders key"
	before  func(w http.ResponseWriter, r *http.Request) bool // before anything is done; true: it has answered
	after   func(w http.ResponseWriter, r *http.Request) bool // after the order was applied, instead of the answer
	knows   map[string]string                                 // idempotency keys it has seen, and what it said; nil: it knows none
	sizes   []int                                             // of batches
	most    int                                               // items in a batch; 0: any
	refuses func(w http.ResponseWriter, names []string) bool  // a whole batch
}

type erpOrder struct {
	No      int64  `json:"no"`
	Name    string `json:"name"`
	Counter int64  `json:"counter"`
}

const badName = "refused by the ERP"

func newERP(t *testing.T) *erp {
	e := &erp{t: t, orders: map[string]string{}, created: map[string]int{}}
	e.Server = httptest.NewServer(http.HandlerFunc(e.serve))
	t.Cleanup(e.Close)
	return e
}

// do changes the server's manners.
func (e *erp) do(change func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	change()
}

func (e *erp) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	key := r.Header.Get("Idempotency-Key")
	e.calls = append(e.calls, strings.TrimSpace(r.Method+" "+r.URL.Path+" "+key))
	if e.before != nil && e.before(w, r) {
		return
	}
	if e.knows != nil && e.knows[key] != "" && r.Method == http.MethodPost {
		fmt.Fprint(w, e.knows[key])
		return
	}
	no := strings.TrimPrefix(r.URL.Path, "/orders/")
	switch {
	case r.Method == http.MethodGet && r.URL.Path == "/ping":
	case r.Method == http.MethodGet:
		if _, ok := e.orders[no]; !ok {
			http.NotFound(w, r)
			return
		}
		fmt.Fprintf(w, `{"order":{"erpNo":"SO-%s"}}`, no)
	case r.Method == http.MethodDelete:
		delete(e.orders, no)
	case r.URL.Path == "/orders/batch":
		e.batch(w, r, body)
	default:
		var o erpOrder
		if err := json.Unmarshal(body, &o); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if o.Name == badName {
			w.WriteHeader(http.StatusUnprocessableEntity)
			fmt.Fprint(w, `{"error":{"message":"customer kari@example.no is blocked"}}`)
			return
		}
		e.apply(o)
		said := fmt.Sprintf(`{"order":{"erpNo":"SO-%d"}}`, o.No)
		if e.knows != nil {
			e.knows[key] = said
		}
		if e.after != nil && e.after(w, r) {
			return
		}
		fmt.Fprint(w, said)
	}
}

func (e *erp) apply(o erpOrder) {
	no := strconv.FormatInt(o.No, 10)
	e.created[no]++
	e.orders[no] = fmt.Sprintf("%s|%d", o.Name, o.Counter)
}

// batch answers as WooCommerce does: 200, and in each item what became of it.
func (e *erp) batch(w http.ResponseWriter, r *http.Request, body []byte) {
	var in struct{ Create []erpOrder }
	if err := json.Unmarshal(body, &in); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	e.sizes = append(e.sizes, len(in.Create))
	if e.most > 0 && len(in.Create) > e.most {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	names := make([]string, len(in.Create))
	for i := range in.Create {
		names[i] = in.Create[i].Name
	}
	if e.refuses != nil && e.refuses(w, names) {
		return
	}
	items := make([]string, len(in.Create))
	for i, o := range in.Create {
		if o.Name == badName {
			items[i] = `{"id":0,"error":{"code":"invalid_sku","message":"Invalid or duplicated SKU.","data":{"status":400}}}`
			continue
		}
		e.apply(o)
		items[i] = fmt.Sprintf(`{"id":%d,"sku":"%d"}`, 1000+o.No, o.No)
	}
	if e.after != nil && e.after(w, r) {
		return
	}
	fmt.Fprintf(w, `{"create":[%s]}`, strings.Join(items, ","))
}

func (e *erp) rows() map[int64]string {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := map[int64]string{}
	for no, o := range e.orders {
		n, _ := strconv.ParseInt(no, 10, 64)
		out[n] = o
	}
	return out
}

// twice lists orders that were made more often than once.
func (e *erp) twice() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []string
	for no, n := range e.created {
		if n > 1 {
			out = append(out, fmt.Sprintf("%s: %d times", no, n))
		}
	}
	return out
}

func (e *erp) said() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]string(nil), e.calls...)
}

// breakOff ends the connection in the middle of an answer.
func breakOff(w http.ResponseWriter) {
	c, buf, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	_, _ = buf.WriteString("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"order\":")
	_ = buf.Flush()
	_ = c.Close()
}

// hangUp ends the connection without a word.
func hangUp(w http.ResponseWriter) {
	if c, _, err := w.(http.Hijacker).Hijack(); err == nil {
		_ = c.Close()
	}
}

// put is a table that keeps the server equal, by PUT.
func put() TableConfig {
	return TableConfig{From: "product", Call: Call{Method: "PUT", Path: "/orders/{{.no}}", Answer: "order.erpNo", Error: "error.message"}, Delete: &Call{Path: "/orders/{{.no}}"}}
}

// orders is a table whose records are made once, and can be looked up.
func orders() TableConfig {
	return TableConfig{
		From: "product", Once: true, Call: Call{Path: "/orders", Body: `{"no": {{.no}}, "name": {{.name}}, "counter": {{.counter}}}`, Answer: "order.erpNo"},
		Lookup: &Lookup{Path: "/orders/{{.no}}", Found: "order.erpNo"},
	}
}

func config(e *erp, t TableConfig) Config {
	return Config{URL: e.URL, Timeout: time.Minute, Tables: map[string]TableConfig{"order": t}}
}

// kept takes exchanges.
type kept struct {
	mu   sync.Mutex
	list []exchange.Exchange
}

func (k *kept) Add(e exchange.Exchange) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.list = append(k.list, e)
}

func (k *kept) kinds() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	var out []string
	for i := range k.list {
		out = append(out, k.list[i].Kind+" "+k.list[i].Outcome)
	}
	return strings.Join(out, ", ")
}

// target opens a target that has checked the suite's view.
func target(t *testing.T, w *sinktest.World, cfg Config, log exchange.Log) *Target {
	t.Helper()
	opts := Options{Pipeline: "suite", Sink: "erp", Client: w.Client, Registry: w.Registry, Exchanges: log, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))}
	tg, err := Open(cfg, opts)
	if err != nil {
		t.Fatal(err)
	}
	tg.grace = 0
	t.Cleanup(func() {
		if err := tg.Close(); err != nil {
			t.Error(err)
		}
	})
	if faults, err := tg.Check(t.Context(), []sink.View{w.View}); err != nil || len(faults) > 0 {
		t.Fatal(err, faults)
	}
	return tg
}

func open(t *testing.T, tg *Target, w *sinktest.World) *session {
	t.Helper()
	s, err := tg.Open(t.Context(), sink.Partition{View: w.View, ID: 3, Owner: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s.(*session)
}

func world(t *testing.T) *sinktest.World { return sinktest.NewWorld(t, sinktest.View(), 4) }

func records(from, to int64) *sink.Batch {
	b := &sink.Batch{Next: to}
	for i := from; i < to; i++ {
		b.Records = append(b.Records, sinktest.Record(i, i, fmt.Sprintf("n%d", i), i))
	}
	return b
}

func faultsOf(parked []sink.Parked) []fault.Cause {
	var out []fault.Cause
	for _, p := range parked {
		out = append(out, p.Fault.Cause)
	}
	return out
}
