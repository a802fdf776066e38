package web

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"shelfstream/status"
)

// TestPagesDoNotWaitForTheLog: what is parked and held is read from the log, which takes long where it is much, or where the log does not answer. Pages are there at once all the same, and show what was
// read when it is there; a command gets it whole.
func TestPagesDoNotWaitForTheLog(t *testing.T) {
	s := busy(now)
	s.wait = time.Millisecond
	parked, held, gate := s.cfg.Parked, s.cfg.Held, make(chan struct{})
	reads := make(chan struct{}, 100)
	s.cfg.Parked = func(ctx context.Context, kind, name string, limit int) ([]status.Parked, error) {
		reads <- struct{}{}
		<-gate
		return parked(ctx, kind, name, limit)
	}
	s.cfg.Held = func(ctx context.Context) ([]Held, error) { <-gate; return held(ctx) }
	const list = "/parked?kind=transform&name=article"
	for range 3 {
		for path, want := range map[string]string{list: "The list is being read", "/held": "What is held is being read", "/": "article"} {
			if r := get(t, s, path, asBrowser); r.code != http.StatusOK || !strings.Contains(r.body, want) {
				t.Errorf("%s: %d %s", path, r.code, r.body)
			}
		}
	}
	if len(reads) != 1 {
		t.Errorf("read %d times at once", len(reads))
	}
	whole := make(chan reply)
	go func() { whole <- get(t, s, list) }()
	close(gate)
	if r := <-whole; !strings.Contains(r.body, `"4711"`) {
		t.Errorf("as JSON: %s", r.body)
	}
	s.wait = time.Minute
	s.moments.drop()
	for path, want := range map[string]string{list: "4711", "/held": "340"} {
		if r := get(t, s, path, asBrowser); !strings.Contains(r.body, want) {
			t.Errorf("%s: %s", path, r.body)
		}
	}
	close(s.closing)
	s.reads.Wait()
}
