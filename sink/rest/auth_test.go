package rest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"shelfstream/internal/fault"
	"shelfstream/sink"
	"shelfstream/sink/sinktest"
)

// TestTokens: a token is asked for once, renewed when the server refuses it, and shown to nobody.
func TestTokens(t *testing.T) {
	w, e := world(t), newERP(t)
	var asked atomic.Int64
	var refuse atomic.Bool
	tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil || r.Form.Get("grant_type") != "client_credentials" || r.Form.Get("audience") != "erp" {
			t.Errorf("asked with %v, %v", r.Form, err)
		}
		w.Header().Set("Content-Type", "application/json")
		if refuse.Load() {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"error":"invalid_client","error_description":"the secret hush-hush is wrong"}`)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"access_token": fmt.Sprintf("token-%d", asked.Add(1)), "token_type": "bearer", "expires_in": 3600})
	}))
	t.Cleanup(tokens.Close)
	cfg := config(e, put())
	cfg.Auth = &Auth{OAuth2: &OAuth2{TokenURL: tokens.URL, ClientID: "us", ClientSecret: "hush-hush", Params: map[string]string{"audience": "erp"}}}
	log := &kept{}
	s := open(t, target(t, w, cfg, log), w)
	valid := "Bearer token-1"
	e.before = func(w http.ResponseWriter, r *http.Request) bool {
		switch got := r.Header.Get("Authorization"); {
		case got != valid:
			http.Error(w, "expired", http.StatusUnauthorized)
		case strings.HasSuffix(r.URL.Path, "/9"):
			http.Error(w, "your header was "+got, http.StatusBadRequest)
		default:
			return false
		}
		return true
	}
	applied(t, s, records(0, 3))
	e.do(func() { valid = "Bearer token-2" }) // the first one has expired early
	applied(t, s, records(3, 5))
	if asked.Load() != 2 || len(e.rows()) != 5 || len(e.twice()) > 0 {
		t.Errorf("%d tokens were asked for; the server has %v; %s", asked.Load(), e.rows(), log.kinds())
	}
	parked := applied(t, s, &sink.Batch{Records: []sink.Record{sinktest.Record(9, 9, "x", 9)}, Next: 10})
	if len(parked) != 1 || strings.Contains(parked[0].Fault.Error(), "token-2") || !strings.Contains(parked[0].Fault.Error(), "your header was Bearer ****") {
		t.Errorf("parked %v", parked)
	}
	e.do(func() { valid = "" })
	refuse.Store(true)
	_, err := s.Apply(t.Context(), records(11, 12))
	if l := fault.All(err); len(l) != 1 || l[0].Cause != fault.RestLogin || strings.Contains(l[0].Error(), "hush") || !strings.Contains(l[0].Error(), "invalid_client") || !strings.Contains(l[0].Where, tokens.URL) {
		t.Errorf("%v", err)
	}
	if s.Held() != 1 {
		t.Errorf("%d are parked because nobody lets us in", s.Held()-1)
	}
}

// TestStaticAuth: the proof goes with each call, and with the headers that the configuration names.
func TestStaticAuth(t *testing.T) {
	for want, auth := range map[string]*Auth{"Bearer abc": {Token: "abc"}, "Basic a2FyaTpwdw==": {User: "kari", Password: "pw"}, "": nil} {
		w, e := world(t), newERP(t)
		cfg := config(e, put())
		cfg.Auth, cfg.Headers = auth, map[string]string{"X-Company": "F0001"}
		got := ""
		e.before = func(_ http.ResponseWriter, r *http.Request) bool {
			got = r.Header.Get("Authorization") + "/" + r.Header.Get("X-Company") + "/" + r.Header.Get("Content-Type")
			return false
		}
		applied(t, open(t, target(t, w, cfg, nil), w), records(0, 1))
		if got != want+"/F0001/application/json" {
			t.Errorf("the server sees %s, want %s", got, want)
		}
	}
}
