package web

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"shelfstream/internal/fault"
)

func post(t *testing.T, s *Server, kind, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/plan", strings.NewReader(body))
	fromHere(r)
	r.Header.Set("Content-Type", kind)
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w
}

// TestPlanAnswers: progress goes out line by line before the plan, faults keep their form, and only one plan is made at a time, for callers that say what
// they send.
func TestPlanAnswers(t *testing.T) {
	s := testServer(calm())
	var fail error
	var inside func()
	s.cfg.Plan = func(_ context.Context, request []byte, tell func(any)) (any, error) {
		if string(request) == "early" {
			return nil, fault.List{{Class: fault.Config, Where: "a.yaml:1", What: "a mistake", Fix: "mend it"}}
		}
		tell(map[string]int{"products": 5})
		if inside != nil {
			inside()
		}
		return map[string]string{"view": "product"}, fail
	}
	if r := post(t, s, "application/json", "{}"); r.Code != http.StatusOK || r.Body.String() != "{\"progress\":{\"products\":5}}\n{\"plan\":{\"view\":\"product\"}}\n" {
		t.Errorf("got %d %s", r.Code, r.Body)
	}
	if r := post(t, s, "application/json", "early"); r.Code != http.StatusBadRequest || !strings.Contains(r.Body.String(), `"fix": "mend it"`) {
		t.Errorf("a fault before any work: %d %s", r.Code, r.Body)
	}
	fail = errors.New("the disk is gone")
	if r := post(t, s, "application/json", "{}"); r.Code != http.StatusOK || !strings.HasSuffix(r.Body.String(), "{\"error\":\"the disk is gone\"}\n") {
		t.Errorf("an error on the way: %d %s", r.Code, r.Body)
	}
	fail = nil
	// A page of another site can send a form, or text, without being allowed to; not JSON.
	for _, kind := range []string{"", "text/plain", "application/x-www-form-urlencoded"} {
		if r := post(t, s, kind, "{}"); r.Code != http.StatusUnsupportedMediaType {
			t.Errorf("%q: %d", kind, r.Code)
		}
	}
	second := 0
	inside = func() { inside = nil; second = post(t, s, "application/json", "{}").Code }
	if r := post(t, s, "application/json", "{}"); r.Code != http.StatusOK || second != http.StatusConflict {
		t.Errorf("two at a time: %d and %d", r.Code, second)
	}
	if r := get(t, s, "/plan"); r.code != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", r.code)
	}
}
