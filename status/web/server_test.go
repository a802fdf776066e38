package web

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"shelfstream/internal/fault"
	"shelfstream/status"
)

var update = flag.Bool("update", false, "rewrite the golden pages")

var now = time.Date(2026, 3, 14, 9, 26, 53, 0, time.UTC)

type fixed status.Stage

func (f fixed) Status() status.Stage { return status.Stage(f) }

func ago(d time.Duration) time.Time { return now.Add(-d) }

// busyDay is a pipeline with everything that a page can show.
func busyDay() []status.Reporter {
	var many []status.Position
	for i := range 12 {
		many = append(many, status.Position{Name: fmt.Sprintf("moestue.product/%d", i), Value: fmt.Sprint(120_000 + 17*i), LagRecords: int64(i % 3), LagSeconds: float64(i%3) * 0.7})
	}
	return []status.Reporter{
		fixed{
			Kind: status.KindCapture, Name: "erp", State: status.StateSnapshot, Since: ago(95 * time.Second), Detail: "2 of 5 tables are read", LastHeartbeat: ago(400 * time.Millisecond), Records: 1_240_311,
			Positions: []status.Position{{Name: "source", Value: "0/16B3748", LagRecords: -1, LagSeconds: 95}},
			Progress: []status.Progress{
				{Name: "product", Done: 5000, Total: 5000, StartedAt: ago(95 * time.Second), FinishedAt: ago(94 * time.Second)},
				{Name: "price", Done: 1_235_311, Total: 2_400_000, StartedAt: ago(94 * time.Second)},
				{Name: "stock", Done: 12, StartedAt: ago(time.Second)},
			},
		},
		fixed{
			Kind: status.KindTransform, Name: "product", State: status.StateLive, Since: ago(26 * time.Hour), LastHeartbeat: ago(time.Second), Records: 88_211, Parked: 3, Positions: many,
			Faults: fault.List{{Where: "moestue.erp.price/3@1042", What: "a record is not Avro", Err: errors.New("unexpected end at byte 7"), Fix: "look for a writer beside capture on this topic"}},
		},
		fixed{Kind: status.KindTransform, Name: "category", State: status.StateStandby, Since: ago(26 * time.Hour), Detail: "other workers have all partitions", LastHeartbeat: ago(time.Second)},
		fixed{
			Kind: status.KindSink, Name: "shop", State: status.StateRetrying, Since: ago(3 * time.Minute), Detail: "dial tcp 127.0.0.1:3306: connection refused, password geheim", Records: 70_102, Parked: 12_001,
			Positions: []status.Position{{Name: "moestue.product/0", Value: "70102", LagRecords: 12, LagSeconds: 180}},
			Faults:    fault.List{{Class: fault.Environment, Where: "sink shop", What: "the shop's database does not answer", Fix: "start it: systemctl start mariadb"}},
		},
		fixed{
			Kind: status.KindCapture, Name: "warehouse", State: status.StatePositionLost, Since: ago(50 * time.Hour),
			Faults: fault.List{{Class: fault.Environment, Where: "source warehouse", What: "the replication slot shelf_wh is gone", Fix: "shelfstream capture resnapshot -source warehouse"}},
		},
	}
}

func calm() []status.Reporter {
	return []status.Reporter{
		fixed{Kind: status.KindCapture, Name: "erp", State: status.StateStreaming, Since: ago(time.Hour), LastHeartbeat: ago(time.Second), Positions: []status.Position{{Name: "source", Value: "0/1", LagRecords: -1, LagSeconds: 0}}},
		fixed{Kind: status.KindTransform, Name: "product", State: status.StateLive, Since: ago(time.Hour), LastHeartbeat: ago(time.Second), Positions: []status.Position{{Name: "product/0", Value: "7", LagRecords: 0, LagSeconds: 0}}},
		fixed{Kind: status.KindSink, Name: "shop", State: status.StateLive, Since: ago(time.Hour), LastHeartbeat: ago(9 * time.Hour), Positions: []status.Position{{Name: "product/0", Value: "7", LagRecords: 0, LagSeconds: 0}}},
	}
}

func testServer(reporters []status.Reporter) *Server {
	s := newServer(Config{
		Pipeline: "moestue", Version: "v0.1.0", Reporters: reporters, MaxLag: time.Minute, Now: func() time.Time { return now },
		Redact: func(s string) string { return strings.ReplaceAll(s, "geheim", "****") },
	})
	s.onLoopbackOnly(true)
	s.wait = time.Minute // what is not asked for here is how long a loaded machine takes
	return s
}

// fromHere makes a request of this machine, to loopback.
func fromHere(r *http.Request) { r.Host, r.RemoteAddr = "127.0.0.1:8480", "127.0.0.1:5000" }

type reply struct {
	code int
	body string
	head http.Header
}

func get(t *testing.T, s *Server, target string, change ...func(*http.Request)) reply {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, target, nil)
	fromHere(r)
	for _, c := range change {
		c(r)
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return reply{w.Code, w.Body.String(), w.Header()}
}

func asBrowser(r *http.Request) { r.Header.Set("Accept", "text/html,*/*;q=0.8") }

var (
	style  = regexp.MustCompile(`(?s)<style nonce="[0-9a-f]{32}">.*?</style>`)
	script = regexp.MustCompile(`(?s)<script nonce="[0-9a-f]{32}">.*?</script>`)
	token  = regexp.MustCompile(`value="[0-9a-f]{64}"`)
)

func golden(t *testing.T, name, got string) {
	t.Helper()
	got = token.ReplaceAllString(script.ReplaceAllString(style.ReplaceAllString(got, "<style>…</style>"), "<script>…</script>"), `value="TOKEN"`)
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != got {
		t.Errorf("%s differs; look at it and run with -update:\n%s", name, got)
	}
}

func TestStatusJSON(t *testing.T) {
	r := get(t, testServer(busyDay()), "/status.json")
	var report status.Report
	if err := json.Unmarshal([]byte(r.body), &report); err != nil {
		t.Fatal(err)
	}
	if report.Ready || len(report.Stages) != 5 || report.Stages[3].Faults[0].Class != fault.Environment || report.Stages[3].Positions[0].LagSeconds != 180 {
		t.Errorf("got %+v", report)
	}
	if what := report.Stages[1].Faults[0].What; what != "a record is not Avro: unexpected end at byte 7" {
		t.Errorf("a fault's cause is %q", what)
	}
	if strings.Contains(r.body, "geheim") || r.head.Get("Content-Type") != "application/json" {
		t.Errorf("got %s", r.body)
	}
	again, err := json.MarshalIndent(&report, "", "  ")
	if err != nil || string(again)+"\n" != r.body {
		t.Errorf("reading and writing changes it: %v\n%s\n%s", err, again, r.body)
	}
}

// TestProgramsSeeNow: what a page showed a moment ago is no answer to a program, which may have waited for the very change.
func TestProgramsSeeNow(t *testing.T) {
	var list []Incident
	s := testServer([]status.Reporter{fixed(status.Stage{Kind: "sink", Name: "shop", State: status.StateStarting})})
	s.cfg.Incidents = func() []Incident { return list }
	if r := get(t, s, "/", asBrowser); r.code != http.StatusOK {
		t.Fatalf("the page: %d %s", r.code, r.body)
	}
	s.cfg.Reporters = []status.Reporter{fixed(status.Stage{Kind: "sink", Name: "shop", State: status.StateLive})}
	list = []Incident{{ID: "i7", What: "the shop does not answer"}}
	for _, path := range []string{"/status.json", "/incidents.json"} {
		if r := get(t, s, path); !strings.Contains(r.body, "the shop does not answer") || strings.Contains(r.body, status.StateStarting) {
			t.Errorf("%s is not of now: %s", path, r.body)
		}
	}
}

func TestHealthAndReadiness(t *testing.T) {
	with := func(change func(s []status.Stage)) *Server {
		var stages []status.Stage
		for _, r := range calm() {
			stages = append(stages, r.Status())
		}
		change(stages)
		var reporters []status.Reporter
		for _, s := range stages {
			reporters = append(reporters, fixed(s))
		}
		return testServer(reporters)
	}
	for name, c := range map[string]struct {
		change         func(s []status.Stage)
		health, ready  int
		says, headline string
	}{
		"all well":         {func([]status.Stage) {}, 200, 200, "ok\n", "All is well"},
		"starting":         {func(s []status.Stage) { s[1].State = status.StateCatchingUp }, 200, 503, "transform product: catching up\n", "On the way: 1 stage not live yet"},
		"standby":          {func(s []status.Stage) { s[1].State, s[1].LastHeartbeat = status.StateStandby, ago(time.Hour) }, 200, 200, "ok\n", "All is well"},
		"behind":           {func(s []status.Stage) { s[2].Positions[0].LagSeconds = 61 }, 200, 503, "sink shop is 1 min 1 s behind, more than 1 min\n", "Behind"},
		"silent":           {func(s []status.Stage) { s[0].LastHeartbeat = ago(2 * time.Hour) }, 200, 503, "capture erp has heard nothing for 2 h\n", "Behind"},
		"waits for person": {func(s []status.Stage) { s[0].State = status.StatePositionLost }, 200, 503, "capture erp: position lost\n", "1 stage needs you"},
		"dead":             {func(s []status.Stage) { s[0].State, s[1].State = status.StateStopped, status.StateRetrying }, 503, 503, "capture erp: stopped\ntransform product: retrying\n", "1 stage needs you"},
	} {
		s := with(c.change)
		if r := get(t, s, "/healthz"); r.code != c.health {
			t.Errorf("%s: /healthz is %d %s", name, r.code, r.body)
		}
		if r := get(t, s, "/readyz"); r.code != c.ready || r.body != c.says {
			t.Errorf("%s: /readyz is %d %q", name, r.code, r.body)
		}
		if r := get(t, s, "/"); !strings.Contains(r.body, c.headline) {
			t.Errorf("%s: the page does not say %q", name, c.headline)
		}
	}
	s := testServer(calm())
	s.cfg.Ready = func() error { return errors.New("shutting down") }
	if r := get(t, s, "/readyz"); r.code != 503 || r.body != "shutting down\n" {
		t.Errorf("a further reason gives %d %q", r.code, r.body)
	}
}

func TestExplain(t *testing.T) {
	s := testServer(calm())
	cell := "119.90"
	s.cfg.Explain = func(_ context.Context, view, key string) (*status.Explanation, error) {
		if key != "4711" {
			return nil, fmt.Errorf("product %s: %w", key, status.ErrNotFound)
		}
		return &status.Explanation{
			View: view, Key: key, Topic: "moestue.product", Partition: 3, Included: true, EmittedAt: ago(time.Minute), Wake: now.Add(time.Hour),
			Fields: []status.ExplainedField{{
				Field: "price_vat", Value: "119.90", Rule: "price with VAT", Layer: "standard", File: "standard.rules.yaml", Line: 12,
				Uses: []status.ExplainedUse{{Input: "prices", Column: "amount", Value: "95.92"}, {Input: "vat", Column: "rate", Value: "0.25"}},
			}},
			Rows:    []status.ExplainedRow{{Input: "root", Topic: "moestue.erp.product", Partition: 3, Offset: 1042, Position: "0/16B3748", Committed: ago(time.Hour)}},
			Targets: []status.ExplainedTarget{{Sink: "shop", Table: "product", Columns: []string{"no", "price"}, Rows: [][]*string{{&cell, nil}}}, {Sink: "shop", Table: "product_image"}, {Sink: "b2b", Table: "item", Error: "connection refused"}},
		}, nil
	}
	var x status.Explanation
	if r := get(t, s, "/explain?view=product&key=4711"); json.Unmarshal([]byte(r.body), &x) != nil || x.Fields[0].Uses[1].Value != "0.25" {
		t.Errorf("as JSON: %s", r.body)
	}
	if r := get(t, s, "/explain?view=product&key=1"); r.code != 404 {
		t.Errorf("an unknown product: %d", r.code)
	}
	if r := get(t, s, "/explain?view=product"); r.code != 400 {
		t.Errorf("no key: %d", r.code)
	}
}

func TestParked(t *testing.T) {
	s := testServer(calm())
	s.cfg.Parked = func(_ context.Context, kind, name string, _ int) ([]status.Parked, error) {
		if name != "shop" {
			return nil, &fault.Fault{Class: fault.Config, Where: kind + " " + name, What: "there is no such stage"}
		}
		return []status.Parked{{Key: "4711", Topic: "moestue.product", Partition: 3, Offset: 1042, What: "the name has 300 characters (geheim)", Fix: "ALTER TABLE product MODIFY name varchar(400)", Since: ago(time.Hour)}}, nil
	}
	var list []status.Parked
	if r := get(t, s, "/parked?kind=sink&name=shop"); json.Unmarshal([]byte(r.body), &list) != nil || list[0].Offset != 1042 || strings.Contains(r.body, "geheim") {
		t.Errorf("as JSON: %s", r.body)
	}
	if r := get(t, s, "/parked?kind=sink&name=other"); r.code != 400 {
		t.Errorf("an unknown stage: %d %s", r.code, r.body)
	}
}

func TestProfilingOnLoopbackOnly(t *testing.T) {
	s := testServer(nil)
	ask := func(host, remote string) int {
		return get(t, s, "/debug/pprof/cmdline", func(r *http.Request) { r.Host, r.RemoteAddr = host, remote }).code
	}
	s.loopback = true
	for _, c := range []struct {
		host, remote string
		want         int
	}{
		{"127.0.0.1:8480", "127.0.0.1:5000", 200},
		{"localhost:8480", "127.0.0.1:5000", 200},
		{"[::1]:8480", "[::1]:5000", 200},
		{"evil.example:8480", "127.0.0.1:5000", 403},
		{"127.0.0.1:8480", "192.0.2.7:5000", 403},
	} {
		if got := ask(c.host, c.remote); got != c.want {
			t.Errorf("%s from %s: %d", c.host, c.remote, got)
		}
	}
	if s.loopback = false; ask("127.0.0.1:8480", "127.0.0.1:5000") != 403 {
		t.Error("a port open to the network gives profiles")
	}
}

func TestRun(t *testing.T) {
	reg := prometheus.NewRegistry()
	reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "shelfstream_test", Help: "x"}, func() float64 { return 7 }))
	s, err := NewServer(Config{Pipeline: "moestue", Listen: "127.0.0.1:0", Gatherer: reg, Reporters: calm()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	for path, want := range map[string]string{"/metrics": "shelfstream_test 7", "/debug/pprof/cmdline": "test", "/healthz": "ok"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.Addr()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.Body.Close() != nil || !strings.Contains(string(body), want) {
			t.Errorf("%s: %v %s", path, err, body)
		}
	}
	_, err = NewServer(Config{Listen: s.Addr()})
	if fault.ExitCode(err) != 3 {
		t.Errorf("an address in use: %v", err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestWords(t *testing.T) {
	for d, want := range map[time.Duration]string{
		350 * time.Millisecond: "350 ms", 4250 * time.Millisecond: "4.2 s", 59 * time.Second: "59 s", 185 * time.Second: "3 min 5 s", 2 * time.Hour: "2 h", 51 * time.Hour: "2 d 3 h", -time.Second: "0 ms",
	} {
		if got := status.Duration(d); got != want {
			t.Errorf("Duration(%v) = %q, want %q", d, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1 000", -1234567: "-1 234 567"} {
		if got := strings.ReplaceAll(status.Count(n), "\u202f", " "); got != want {
			t.Errorf("Count(%d) = %q, want %q", n, got, want)
		}
	}
	p := status.Progress{Name: "price", Done: 120_000, Total: 480_000, StartedAt: ago(10 * time.Second)}
	if got := strings.ReplaceAll(p.Words(now), "\u202f", " "); got != "price: 120 000 of about 480 000 (25 %), 12 000/s, 30 s left" {
		t.Errorf("got %q", got)
	}
}
