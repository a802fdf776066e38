package web

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/status"
	"shelfstream/status/audit"
	"shelfstream/status/exchange"
)

// as logs somebody in and gives their cookie, and the token of their forms.
func as(t *testing.T, s *Server, name string) (cookie *http.Cookie, token string) {
	t.Helper()
	w := send(s, "/login", url.Values{"name": {name}, "password": {"correct horse"}})
	if w.Code != http.StatusSeeOther || len(w.Result().Cookies()) != 1 {
		t.Fatalf("%s cannot log in: %d %s", name, w.Code, w.Body)
	}
	cookie = w.Result().Cookies()[0]
	r := get(t, s, "/", func(r *http.Request) { asBrowser(r); r.AddCookie(cookie) })
	m := regexp.MustCompile(`name="csrf" value="([0-9a-f]+)"`).FindStringSubmatch(r.body)
	if m == nil {
		t.Fatalf("no token on %s's page: %s", name, r.body)
	}
	return cookie, m[1]
}

// send posts a form from a page of the port itself.
func send(s *Server, path string, form url.Values, change ...func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
	fromHere(r)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Origin", "http://"+r.Host)
	for _, c := range change {
		c(r)
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w
}

// everyPage is each page with something on it.
var everyPage = map[string]string{
	"overview": "/", "stage": "/stage?kind=sink&name=shop", "incidents": "/incidents", "incident": "/incident?id=i-77aa", "incident_open": "/incident?id=i-8f21", "links": "/links", "link": "/link?name=sink+shop&failed=1",
	"parked": "/parked", "parked_view": "/parked?kind=transform&name=article", "held": "/held", "product": "/explain?view=product&key=4711", "ask": "/explain", "charts": "/charts?range=15m", "workers": "/workers", "audit": "/audit", "ack": "/ack?sig=good",
}

var insideMain = regexp.MustCompile(`(?s)<main id="main">(.*)</main>`)

func TestPages(t *testing.T) {
	s := busy(now)
	cookie, _ := as(t, s, "anna")
	for name, path := range everyPage {
		r := get(t, s, path, func(r *http.Request) { asBrowser(r); r.AddCookie(cookie) })
		if r.code != http.StatusOK || !strings.Contains(r.body, "</html>") {
			t.Errorf("%s: %d", path, r.code)
		}
		if strings.Contains(r.body, "geheim") {
			t.Errorf("%s shows a secret", path)
		}
		text := r.body
		if name != "overview" { // one with everything around it
			text = insideMain.FindString(text)
		}
		golden(t, name+".html", text)
	}
	r := get(t, s, "/", asBrowser)
	csp := r.head.Get("Content-Security-Policy")
	m := regexp.MustCompile(`<script nonce="([0-9a-f]+)"`).FindStringSubmatch(r.body)
	if m == nil || !strings.Contains(csp, "script-src 'nonce-"+m[1]+"'") || strings.Contains(r.body, `style="`) {
		t.Errorf("the script may not run under %q, or there is a style that may not be used", csp)
	}
	golden(t, "calm.html", insideMain.FindString(get(t, testServer(calm()), "/", asBrowser).body))
	if r := get(t, testServer(nil), "/", asBrowser); !strings.Contains(r.body, "No stage runs") {
		t.Error("an empty process shows nothing")
	}
	if r := get(t, testServer(nil), "/nothing", asBrowser); r.code != http.StatusNotFound {
		t.Errorf("an unknown path gives %d", r.code)
	}
	for _, path := range []string{"/stage?kind=sink&name=x", "/incident?id=x", "/link?name=x", "/explain?view=product&key=1"} {
		if r := get(t, s, path, asBrowser); r.code != http.StatusNotFound {
			t.Errorf("%s: %d", path, r.code)
		}
	}
}

// TestEscaping: whatever anybody says is text on the page, and a link never leads to a script.
func TestEscaping(t *testing.T) {
	evil := `"><script>alert(1)</script><img src=x onerror='x'>`
	s := busy(now)
	f := status.FaultJSON{Cause: evil, Where: evil, What: evil, Fix: evil}
	st := status.Stage{
		Kind: "transform", Name: evil, State: evil, Detail: evil, Parked: 1, Positions: []status.Position{{Name: evil, Value: evil}}, Progress: []status.Progress{{Name: evil}},
		Faults: fault.List{{Where: evil, What: evil, Fix: evil, Err: errors.New(evil)}}, Troubles: []status.Trouble{{Fault: f, Count: 2, Samples: []string{evil}}},
	}
	s.cfg.Pipeline, s.cfg.Version = evil, evil
	s.cfg.Reporters = []status.Reporter{fixed(st)}
	s.cfg.Flow = Flow{Nodes: []Node{{"transform", evil, evil}}, Arrows: []Arrow{{"capture " + evil, "transform " + evil}}}
	s.cfg.Workers = func() []Worker {
		return []Worker{{Name: evil, Host: evil, Role: evil, Version: evil, Admin: "javascript:alert(1)", At: now, Stages: []status.Stage{st}}}
	}
	x := exchange.Exchange{Link: evil, Direction: evil, Kind: evil, Keys: []string{evil}, Outcome: evil, Fault: &f, Spans: []exchange.Span{{Topic: evil}}, Position: evil, Worker: evil}
	s.cfg.Links = func() []Link { return []Link{{Link: evil, Direction: evil, Last: &x, LastFailed: &x}} }
	s.cfg.Exchanges = func(string, int, bool) []exchange.Exchange { return []exchange.Exchange{x} }
	s.cfg.Incidents = func() []Incident {
		return []Incident{{ID: evil, Link: "view " + evil, Data: evil, Cause: evil, Kind: evil, Severity: evil, Where: evil, What: evil, Fix: evil, Command: evil, Count: 2, Samples: []string{evil}, Acked: now, By: evil, Note: evil, Worker: evil, Next: evil, Log: []Event{{now, evil, evil}}}}
	}
	s.cfg.Held = func(context.Context) ([]Held, error) {
		return []Held{{View: evil, Guard: evil, Counts: evil, Allows: evil, Held: 2, By: evil, Why: evil, OverrideUntil: now, Samples: []HeldSample{{Key: evil, Before: evil, After: evil}}}}, nil
	}
	s.cfg.AuditLast = func(int) []audit.Entry {
		return []audit.Entry{{Who: evil, Role: evil, From: evil, Action: evil, Target: evil, Note: evil, Outcome: evil, Why: evil}}
	}
	s.cfg.History = func(context.Context, string, string, int) ([]Version, error) {
		return []Version{{Changes: []Change{{evil, evil, evil}}}}, nil
	}
	s.cfg.Parked = func(context.Context, string, string, int) ([]status.Parked, error) {
		return []status.Parked{{Key: evil, Topic: evil, Where: evil, What: evil, Fix: evil}}, nil
	}
	s.cfg.Explain = func(_ context.Context, view, key string) (*status.Explanation, error) {
		text := evil
		if key == "bad" {
			return nil, &fault.Fault{Where: evil, What: evil, Fix: evil}
		}
		return &status.Explanation{
			View: view, Key: key, Topic: evil, Limited: []string{evil}, Fields: []status.ExplainedField{{Field: evil, Value: evil, Rule: evil, Layer: evil, File: evil, Line: 1, Uses: []status.ExplainedUse{{Input: evil, Column: evil, Value: evil}}, Sent: &text}}, Rows: []status.ExplainedRow{{Input: evil, Topic: evil, Position: evil, View: evil, Product: evil}},
			Parked: &status.Parked{What: evil, Where: evil, Fix: evil}, Targets: []status.ExplainedTarget{{Sink: evil, Table: evil, Columns: []string{evil}, Rows: [][]*string{{&text, nil}}}, {Error: evil}},
		}, nil
	}
	cookie, _ := as(t, s, "anna")
	e := url.QueryEscape(evil)
	paths := []string{"/explain?view=v&key=bad", "/stage?kind=transform&name=" + e, "/incident?id=" + e, "/link?name=" + e, "/parked?kind=sink&name=" + e + "&find=" + e, "/parked?kind=capture&name=" + e, "/explain?view=" + e + "&key=" + e, "/login?to=" + e}
	for _, path := range everyPage {
		paths = append(paths, path)
	}
	for _, path := range paths {
		r := get(t, s, path, func(r *http.Request) { asBrowser(r); r.AddCookie(cookie) })
		body := style.ReplaceAllString(script.ReplaceAllString(r.body, ""), "")
		if strings.Contains(body, "<script") || strings.Contains(body, "<img") || strings.Contains(body, "onerror='x'") || strings.Contains(body, `href="javascript`) {
			t.Errorf("%s is not escaped:\n%s", path, body)
		}
		if path != "/login?to="+e && !strings.Contains(body, "</html>") {
			t.Errorf("%s is no whole page: %s", path, body)
		}
	}
}

// TestLargeLists: the work of a page is bounded however much is wrong.
func TestLargeLists(t *testing.T) {
	s := busy(now)
	asked := 0
	s.cfg.Parked = func(_ context.Context, _, _ string, limit int) ([]status.Parked, error) {
		asked++
		out := make([]status.Parked, limit)
		for i := range out {
			out[i] = status.Parked{Key: strings.Repeat("k", 20), What: "no VAT rate for the code M7"}
		}
		return out, nil
	}
	s.cfg.Incidents = func() []Incident {
		out := make([]Incident, 500)
		for i := range out {
			out[i] = Incident{ID: strings.Repeat("i", i), What: "x", Severity: "error", Opened: now}
			if i%2 == 0 {
				out[i].Resolved = now
			}
		}
		return out
	}
	for path, most := range map[string]int{"/": 60_000, "/parked?kind=transform&name=article": 60_000, "/incidents": 260_000} {
		if r := get(t, s, path, asBrowser); len(insideMain.FindString(r.body)) > most {
			t.Errorf("%s has %d bytes", path, len(r.body))
		}
	}
	get(t, s, "/parked?kind=transform&name=article&find=k", asBrowser)
	if asked != 1 {
		t.Errorf("the list was read %d times within a moment", asked)
	}
}

func BenchmarkOverview(b *testing.B) { benchmark(b, "/") }

func BenchmarkParked(b *testing.B) { benchmark(b, "/parked?kind=transform&name=article&find=nothing") }

func BenchmarkIncidents(b *testing.B) { benchmark(b, "/incidents") }

func benchmark(b *testing.B, path string) {
	s := busy(now)
	clock := now
	s.cfg.Now = func() time.Time { clock = clock.Add(time.Second); return clock } // nothing is held from one page to the next
	s.cfg.Parked = func(_ context.Context, _, _ string, limit int) ([]status.Parked, error) {
		return make([]status.Parked, limit), nil
	}
	s.cfg.Incidents = func() []Incident { return make([]Incident, 500) }
	h := s.Handler()
	for b.Loop() {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Header.Set("Accept", "text/html")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			b.Fatal(w.Code)
		}
	}
}

// TestStagesOfSeveralWorkers: a stage is the sum of its workers, as bad as the worst; one whose only worker is silent says so.
func TestStagesOfSeveralWorkers(t *testing.T) {
	s := testServer(nil)
	live := func(n int64) []status.Stage {
		return []status.Stage{{Kind: "sink", Name: "shop", State: status.StateLive, Records: n, Parked: 1, Positions: []status.Position{{Name: "p", LagSeconds: 1, LagRecords: 2}}, Troubles: []status.Trouble{{Fault: status.FaultJSON{Cause: "c", Where: "w"}, Count: n, First: ago(time.Hour), Last: now}}}}
	}
	bad := live(5)
	bad[0].State = status.StateRetrying
	got := s.stages(live(1), []Worker{{Name: "b", At: now, Stages: bad}, {Name: "c", At: ago(time.Minute), Stages: live(100)}, {Name: "d", At: ago(time.Minute), Stages: []status.Stage{{Kind: "sink", Name: "other", State: status.StateLive}}}}, now)
	if len(got) != 2 || got[0].State != status.StateRetrying || got[0].Records != 6 || got[0].Stage.Parked != 2 || len(got[0].Positions) != 2 || got[0].Troubles[0].Count != 6 || len(got[0].Workers) != 2 {
		t.Errorf("the sum is %+v", got[0])
	}
	if got[1].State != stateSilent || got[1].look() != toneBad {
		t.Errorf("a silent worker's stage is %+v", got[1])
	}
}

func TestLayout(t *testing.T) {
	var stages []*stageSum
	for _, n := range wineFlow.Nodes {
		stages = append(stages, &stageSum{Node: n})
	}
	var got [][]string
	for _, c := range layout(stages, wineFlow.Arrows) {
		var names []string
		for _, st := range c {
			names = append(names, st.Node.Name)
		}
		got = append(got, names)
	}
	if want := [][]string{{"erp", "warehouse"}, {"category", "article"}, {"product"}, {"shop", "b2b"}}; !reflect.DeepEqual(got, want) {
		t.Errorf("the picture is %v, want %v", got, want)
	}
	answered := append(slices.Clone(wineFlow.Arrows), Arrow{"sink shop", "sink b2b"})
	if columns := layout(stages, answered); len(columns) != 5 || columns[4][0].Node.Name != "b2b" {
		t.Errorf("what reads the answers of a sink is not behind it: %d columns", len(columns))
	}
	circle := []Arrow{{"transform article", "transform product"}, {"transform product", "transform article"}}
	if n := len(layout(stages, circle)); n == 0 {
		t.Error("a circle loses the stages")
	}
}
