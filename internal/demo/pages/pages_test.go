package pages

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestWords(t *testing.T) {
	for in, want := range map[string]string{"149.00": "149.00", "1249.5": "1\u202f249.50", "-12345678.123": "−12\u202f345\u202f678.123", "0": "0.00"} {
		if got := money(in); got != want {
			t.Errorf("money(%q) = %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{"12.50": "12.5", "25.00": "25", "100": "100", "0.00": "0"} {
		if got := plain(in); got != want {
			t.Errorf("plain(%q) = %q, want %q", in, got, want)
		}
	}
	for in, want := range map[time.Duration]string{3400 * time.Microsecond: "3.4 ms", 1234 * time.Millisecond: "1\u202f234 ms", 90 * time.Second: "90 s"} {
		if got := millis(in); got != want {
			t.Errorf("millis(%v) = %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{"129": "129.00", "129.5": "129.50", "129.0500": "129.05", "129.1234": "129.1234", "": ""} {
		if got := plainNet(in); got != want {
			t.Errorf("plainNet(%q) = %q, want %q", in, got, want)
		}
	}
}

// TestForm: what the ERP could not keep is said field by field, and nothing of it is taken.
func TestForm(t *testing.T) {
	f, wrong := parseForm(url.Values{"name": {" Riesling "}, "net": {"129,5"}, "vat": {"42"}, "stock-OSL": {"7"}})
	if len(wrong) != 0 || f.Name != "Riesling" || f.Net != "129.5" || f.VATCode != 42 || f.OnHand["OSL"] != 7 {
		t.Errorf("got %+v, wrong %v", f, wrong)
	}
	_, wrong = parseForm(url.Values{"name": {""}, "net": {"1e9"}, "vat": {"-1"}, "stock-OSL": {"many"}})
	for _, field := range []string{"name", "net", "vat", "stock-OSL"} {
		if wrong[field] == "" {
			t.Errorf("%s is taken", field)
		}
	}
	if money4("0129.5") != money4("129.5000") || money4("129.5") == money4("129.51") {
		t.Error("equal prices are not found equal")
	}
}

func riesling() *article {
	return &article{No: 7, Name: "Riesling", Net: "100.0000", Rate: "25.00", VATCode: 1, Total: 12}
}

// TestChange: the shop showed a change when all of it is there, and only what was changed counts.
func TestChange(t *testing.T) {
	now := time.Now()
	if c := changeOf(riesling(), riesling(), now); c != nil {
		t.Errorf("nothing was changed, and %+v is waited for", c)
	}
	after := riesling()
	after.Net, after.Total = "110.0000", 9
	c := changeOf(riesling(), after, now)
	if got := strings.Join(c.What, ", "); got != "net price 100.00 → 110.00, stock 12 → 9" {
		t.Errorf("got %q", got)
	}
	row := map[string]string{"name": "as somebody else calls it", "net_price": "110.0000", "vat_rate": "25.00", "stock": "12"}
	if c.shown(row) || c.shown(nil) {
		t.Error("half of it counts as shown")
	}
	if row["stock"] = "9"; !c.shown(row) {
		t.Error("all of it is there and does not count")
	}

	parked := riesling()
	parked.VATCode, parked.Rate = 42, ""
	if c = changeOf(riesling(), parked, now); !strings.Contains(c.Why, "code 42") || c.shown(row) {
		t.Errorf("a code without a rate: %+v", c)
	}
	rated := riesling()
	rated.VATCode, rated.Rate = 42, "15.00"
	if c = changeOf(parked, rated, now); c.What[0] != "VAT code 42: no rate → 15 %" || !c.shown(map[string]string{"vat_rate": "15.00"}) {
		t.Errorf("the rate is added: %+v", c)
	}
}

// TestLedger: a change is waited for until it was seen or a later one has come before it; the ledger stays small.
func TestLedger(t *testing.T) {
	l := newLedger(nil)
	dearer, dearest := riesling(), riesling()
	dearer.Net, dearest.Net = "110.0000", "120.0000"
	now := time.Now()
	first := l.add(changeOf(riesling(), dearer, now))
	second := l.add(changeOf(dearer, dearest, now))
	if c := l.newest(7, 9); len(c) != 2 || c[0].ID != second || !c[0].Pending() || c[1].ID != first || c[1].Pending() {
		t.Fatalf("got %+v", c)
	}
	settled := make(chan struct{})
	go func() { l.settled(t.Context(), second); close(settled) }()
	l.saw(map[int64]map[string]string{7: {"net_price": "110.0000"}}, now.Add(time.Millisecond))
	if c := l.newest(0, 1); !c[0].Pending() {
		t.Error("an older price counts as the newer")
	}
	l.saw(map[int64]map[string]string{7: {"net_price": "120.0000"}}, now.Add(14*time.Millisecond))
	<-settled
	if c := l.newest(0, 1)[0]; c.Pending() || c.Took() != 14*time.Millisecond {
		t.Errorf("got %+v", c)
	}
	l.saw(map[int64]map[string]string{7: {"net_price": "120.0000"}}, now.Add(time.Minute))
	if c := l.newest(0, 1)[0]; c.Took() != 14*time.Millisecond {
		t.Error("what was seen once is counted again")
	}
	for range 3 * keptChanges {
		l.add(changeOf(riesling(), dearer, now))
	}
	if len(l.changes) != keptChanges {
		t.Errorf("%d changes are kept", len(l.changes))
	}
}

// TestGuarded: forms come from the own pages only, and loopback answers to its own names.
func TestGuarded(t *testing.T) {
	l, err := listen("127.0.0.1:0", false)
	if err != nil {
		t.Fatal(err)
	}
	done := 0
	mux := http.NewServeMux()
	mux.HandleFunc("POST /", func(http.ResponseWriter, *http.Request) { done++ })
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		show(w, r, 200, "down.html", frame{Title: "t", Data: "<b>"})
	})
	s := &Server{site: mux, listener: l, log: logger(nil)}
	h := s.guarded(mux)
	ask := func(method, host string, header map[string]string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), method, "http://"+host+"/", http.NoBody)
		for k, v := range header {
			r.Header.Set(k, v)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	for _, c := range []struct {
		host, origin, site string
		want               int
	}{
		{"127.0.0.1:8482", "http://127.0.0.1:8482", "same-origin", 200},
		{"localhost:8482", "", "", 200}, // curl
		{"127.0.0.1:8482", "http://127.0.0.1:9999", "same-site", 403},
		{"127.0.0.1:8482", "http://evil.example", "cross-site", 403},
		{"127.0.0.1:8482", "http://evil.example", "", 403},
		{"evil.example:8482", "http://evil.example:8482", "same-origin", 403}, // its name resolves to loopback
	} {
		header := map[string]string{}
		if c.origin != "" {
			header["Origin"] = c.origin
		}
		if c.site != "" {
			header["Sec-Fetch-Site"] = c.site
		}
		before := done
		if w := ask(http.MethodPost, c.host, header); w.Code != c.want || (done > before) != (c.want == 200) {
			t.Errorf("%+v: %d", c, w.Code)
		}
	}
	w := ask(http.MethodGet, "127.0.0.1:8482", nil)
	if p := w.Header().Get("Content-Security-Policy"); !strings.Contains(p, "default-src 'none'") || strings.Contains(p, "unsafe") || !strings.Contains(w.Body.String(), "&lt;b&gt;") {
		t.Errorf("%s\n%s", p, w.Body)
	}

	// An address in use: the preferred one gives way, one that was asked for does not.
	if other, err := listen(l.Addr().String(), true); err != nil || other.Addr().String() == l.Addr().String() {
		t.Errorf("%v %v", other, err)
	} else {
		other.Close()
	}
	if _, err := OpenShop(ShopConfig{Listen: l.Addr().String()}); err == nil || !strings.Contains(err.Error(), "-shop") {
		t.Errorf("an address in use: %v", err)
	}

	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.Addr(), http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(res.Body); err != nil || res.Body.Close() != nil || !strings.Contains(string(b), "<h1>t</h1>") {
		t.Errorf("%s %v", b, err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestEveryPageRenders: with everything there, and with nothing.
func TestEveryPageRenders(t *testing.T) {
	w := wine{No: 7, Name: "Riesling <1>", Producer: "Ørsted", Country: "DE", Vintage: "2004", Alcohol: "12.50", Volume: "750", Price: "1249.50", Net: "999.6000", VAT: "25.00", Stock: 3, Status: "published", Reason: "complete", Images: []string{"front", "back"}}
	seen := *changeOf(riesling(), &article{No: 7, Name: "R", Rate: "25.00", VATCode: 1}, time.Now())
	seen.Seen = seen.Committed.Add(14 * time.Millisecond)
	waits := seen
	waits.Seen, waits.Why = time.Time{}, "because"
	a := riesling()
	a.Stock = []inStock{{"OSL", 5, 1}}
	for name, data := range map[string][]any{
		"shelf.html":    {&shelfData{Wines: []wine{w, {No: 8, Status: "sold_out"}, {Status: "draft"}, {Status: "hidden"}}, Total: 99, From: 1, To: 24, After: "/?page=2", Chips: []chip{{"All", "/", true}}}, &shelfData{Closed: true}, &shelfData{Closed: true, StillEmpty: true}, &shelfData{shelf: shelf{Search: "<x>"}}},
		"wine.html":     {&wineData{No: 7, Wine: &w}, &wineData{No: 7}, &wineData{No: 7, Closed: true}},
		"articles.html": {&listData{Articles: []article{*riesling(), {Discontinued: true}, {Blocked: true}}, Changes: []change{seen, waits}, After: "/?page=2"}, &listData{}},
		"article.html":  {&articleData{Article: a, Form: form{OnHand: map[string]int64{}}, Codes: choices(nil, a), Shown: shownData{Shop: &w, URL: "http://x", Changes: []change{seen}}}, &articleData{Article: riesling(), Wrong: map[string]string{"name": "no"}, Shown: shownData{Closed: true, Changes: []change{waits}}}},
		"vat.html":      {&vatData{Rates: []vatRate{{Code: 1, Rate: "25.00", From: "2020-01-01"}, {Code: 42, Articles: 1}}, Missing: 1, Changes: []change{seen}}, &vatData{Wrong: map[string]string{"code": "no"}}},
	} {
		for i, d := range data {
			rec := httptest.NewRecorder()
			show(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody), 200, name, frame{Title: "t", Data: d})
			if b := rec.Body.String(); rec.Code != 200 || !strings.Contains(b, "</html>") || strings.Contains(b, "ZgotmplZ") || strings.Contains(b, "<1>") || strings.Contains(b, " style=") {
				t.Errorf("%s %d: %d %s", name, i, rec.Code, b)
			}
		}
	}
}
