//go:build integration

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// restServer takes products by their key, for dialogues whose pipeline speaks HTTP.
type restServer struct {
	mu    sync.Mutex
	names map[string]string
	moods []restMood
	slow  time.Duration
}

// restMood is an answer that is not well, to bodies with a word.
type restMood struct {
	status     int
	word, said string
}

// startREST starts the server at REST, behind a proxy.
func (f *faultWorld) startREST(t *testing.T) {
	t.Helper()
	s := &restServer{names: map[string]string{}}
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	f.proxy(t, "rest", strings.TrimPrefix(srv.URL, "http://"))
	f.env["REST"], f.rest = "http://"+f.proxies["rest"].Addr(), s
}

func (s *restServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	s.mu.Lock()
	moods, slow := s.moods, s.slow
	s.mu.Unlock()
	if slow > 0 {
		select {
		case <-time.After(slow):
		case <-r.Context().Done():
			return
		}
	}
	for _, m := range moods {
		if r.URL.Path != "/ping" && strings.Contains(string(body), m.word) {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(m.status)
			fmt.Fprint(w, m.said)
			return
		}
	}
	var p struct {
		No   int64  `json:"no"`
		Name string `json:"name"`
	}
	if r.URL.Path == "/products" && json.Unmarshal(body, &p) == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.names[strconv.FormatInt(p.No, 10)] = p.Name
		fmt.Fprintf(w, `{"id": "W%d"}`, p.No)
	}
}

// inREST is the prompt "rest": "has" lists what the server has, "well", "slow", or a status, which of the bodies get it ("*": all) until all is well, and what is said.
func (f *faultWorld) inREST(t *testing.T, what string) string {
	t.Helper()
	s := f.rest
	s.mu.Lock()
	defer s.mu.Unlock()
	words := strings.SplitN(what, " ", 3)
	switch words[0] {
	case "has":
		var b strings.Builder
		for _, no := range slices.Sorted(maps.Keys(s.names)) {
			b.WriteString(no + " | " + s.names[no] + "\n")
		}
		return b.String()
	case "well":
		s.moods, s.slow = nil, 0
	case "slow":
		s.slow = time.Minute
	default:
		status, err := strconv.Atoi(words[0])
		if err != nil {
			t.Fatal(err)
		}
		s.moods = append(s.moods, restMood{status, strings.Trim(words[1], "*"), strings.Join(words[2:], " ")})
	}
	return ""
}
