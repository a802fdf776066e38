package web

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"shelfstream/status"
)

// changing is a stage whose state a test sets.
type changing struct{ state atomic.Value }

func (c *changing) Status() status.Stage {
	s, _ := c.state.Load().(string)
	return status.Stage{Kind: status.KindSink, Name: "shop", State: s}
}

// events reads parts from a stream until ctx ends.
func events(t *testing.T, base, path string) <-chan rendered {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%d %s", resp.StatusCode, resp.Header.Get("Content-Type"))
	}
	out := make(chan rendered)
	go func() {
		defer resp.Body.Close()
		defer close(out)
		lines := bufio.NewScanner(resp.Body)
		lines.Buffer(nil, 1<<20)
		event := ""
		for lines.Scan() {
			if name, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
				event = name
			}
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok && event == "part" {
				var p rendered
				if json.Unmarshal([]byte(data), &p) == nil {
					out <- p
				}
			}
		}
	}()
	return out
}

// TestLive: all parts come at first, then only what has changed, at once when there is news.
func TestLive(t *testing.T) {
	stage := &changing{}
	stage.state.Store(status.StateLive)
	changed := make(chan struct{})
	var next atomic.Value
	next.Store(changed)
	s, err := NewServer(Config{Pipeline: "moestue", Listen: "127.0.0.1:0", Reporters: []status.Reporter{stage}, Changed: []func() <-chan struct{}{func() <-chan struct{} { c, _ := next.Load().(chan struct{}); return c }}})
	if err != nil {
		t.Fatal(err)
	}
	s.grace = time.Hour
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	stream := events(t, "http://"+s.Addr(), "/live?page=%2F")
	first := map[string]string{}
	for len(first) < 4 { // nav, headline, picture, and the faults, of which there are none
		p, ok := <-stream
		if !ok {
			t.Fatalf("the stream ended after %v", first)
		}
		first[p.ID] = string(p.HTML)
	}
	if !strings.Contains(first["picture"], "<b>live</b>") || !strings.Contains(first["headline"], "All is well") {
		t.Errorf("at first: %v", first)
	}
	stage.state.Store(status.StateRetrying)
	next.Store(make(chan struct{}))
	close(changed)
	var seen []string
	for p := range stream {
		seen = append(seen, p.ID)
		if p.ID == "nav" {
			t.Errorf("the menu came again and has not changed")
		}
		if p.ID == "picture" && strings.Contains(string(p.HTML), "retrying") {
			break
		}
	}
	if len(seen) == 0 {
		t.Error("nothing came")
	}
	cancel() // an open stream does not hold the end up
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("the server does not end")
	}
}

// TestStreamsAreBounded: too many open pages are told to come back, and then reload by themselves.
func TestStreamsAreBounded(t *testing.T) {
	s := testServer(calm())
	s.streams.open.Store(mostStreams)
	r := httptest.NewRequest(http.MethodGet, "/live?page=%2F", nil)
	fromHere(r)
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("got %d", w.Code)
	}
	if get(t, s, "/live?page=http://x/").code != http.StatusNotFound || get(t, s, "/live?page=/live").code != http.StatusNotFound {
		t.Error("a stream of no page")
	}
}
