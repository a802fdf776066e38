package registry

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// memoryLog keeps records as a topic does that was not compacted yet.
type memoryLog struct {
	mu      sync.Mutex
	records []record
	fail    error
}

type record struct{ key, value []byte }

var _ Log = (*memoryLog)(nil)

func (l *memoryLog) Append(_ context.Context, key, value []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail != nil {
		return l.fail
	}
	l.records = append(l.records, record{key, value})
	return nil
}

func (l *memoryLog) Replay(_ context.Context, fn func(key, value []byte) error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.records {
		if err := fn(r.key, r.value); err != nil {
			return err
		}
	}
	return nil
}

// compact drops all but the newest record of each key.
func (l *memoryLog) compact() {
	newest := map[string]int{}
	for i, r := range l.records {
		newest[string(r.key)] = i
	}
	var kept []record
	for i, r := range l.records {
		if newest[string(r.key)] == i && r.value != nil {
			kept = append(kept, r)
		}
	}
	l.records = kept
}

func start(t *testing.T, log Log) (*httptest.Server, *Server) {
	t.Helper()
	s, err := NewServer(t.Context(), log)
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	return web, s
}

// call sends a request as curl would and gives status and body.
func call(t *testing.T, web *httptest.Server, method, path, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, web.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := web.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(b) {
		t.Errorf("%s %s answers what is no JSON: %q", method, path, b)
	}
	return resp.StatusCode, string(b)
}

// wrapped is a schema as the body of a request.
func wrapped(schema string) string {
	b, _ := json.Marshal(map[string]string{"schema": schema})
	return string(b)
}

func recordOf(fields string) string {
	return `{"type":"record","name":"r","fields":[` + fields + `]}`
}
