package web

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"shelfstream/internal/fault"
	"shelfstream/status"
)

// TestNotHere: what this process does not run is not found here, and the answer says whom to ask, as JSON and as a page.
func TestNotHere(t *testing.T) {
	s := testServer(calm())
	ask := map[string]reply{
		"transform product": get(t, s, "/explain?view=product&key=1"),
		"sink shop":         get(t, s, "/parked?kind=sink&name=shop"),
		"transform":         get(t, s, "/explain"),
	}
	for stage, r := range ask {
		if r.code != http.StatusNotFound || !strings.Contains(r.body, `"what": "this process does not run `+stage+`"`) || !strings.Contains(r.body, `"fix": "ask the process that runs `+stage+`: name`) || !strings.Contains(r.body, `"class": "environment"`) {
			t.Errorf("%s: %d %s", stage, r.code, r.body)
		}
	}
	if r := post(t, s, "application/json", "{}"); r.Code != http.StatusNotFound || !strings.Contains(r.Body.String(), "ask the process that runs transform") {
		t.Errorf("plan: %d %s", r.Code, r.Body)
	}
	if r := get(t, s, "/explain?view=product&key=1", asBrowser); r.code != http.StatusNotFound || !strings.Contains(r.body, "ask the process that runs transform product") {
		t.Errorf("as a page: %d %s", r.code, r.body)
	}
	if err := fmt.Errorf("explain: %w", status.NotHere(status.KindTransform, "product")); !errors.Is(err, status.ErrNotFound) || len(fault.All(err)) != 1 || fault.ExitCode(err) != 3 {
		t.Errorf("the error: %v", err)
	}
}
