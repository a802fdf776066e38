package notify

import (
	"context"
	"errors"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/status/escalate"
)

// patient is longer than a machine stands still.
const patient = time.Minute

var update = flag.Bool("update", false, "rewrite the golden files")

func webhook(t *testing.T, cfg WebhookConfig) *Webhook {
	t.Helper()
	w, err := NewWebhook(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestForms(t *testing.T) {
	solved := down()
	solved.Reason, solved.AckURL = escalate.AllClear, ""
	solved.Resolved = solved.Opened.Add(20 * time.Minute)
	other := down()
	other.Incident, other.Severity, other.Data, other.What, other.Link = "i2", "warning", "image", "12 images are missing", "view product"
	for _, form := range []string{"json", "slack", "teams", "alertmanager"} {
		for name, c := range map[string]Content{"opened": down(), "solved": solved, "several": Sum([]Content{down(), other})} {
			m := opened
			switch name {
			case "solved":
				m.Reason = escalate.AllClear
			case "several":
				m.Reason = escalate.Several
			}
			t.Run(form+" "+name, func(t *testing.T) {
				var got []byte
				server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					got, _ = io.ReadAll(r.Body)
					if r.Header.Get("Authorization") != "Bearer x" || r.Header.Get("Content-Type") != "application/json" {
						t.Errorf("headers %v", r.Header)
					}
				}))
				defer server.Close()
				w := webhook(t, WebhookConfig{
					Name: "chat", URL: server.URL + "/hook", Form: form, Headers: map[string]string{"Authorization": "Bearer x"}, Timeout: patient,
					Now: func() time.Time { return time.Date(2026, 7, 8, 12, 6, 0, 0, time.UTC) },
				})
				if _, err := w.Send(context.Background(), "<@U1>", m, c); err != nil {
					t.Fatal(err)
				}
				golden(t, form+"_"+name+".json", got)
			})
		}
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	got = indented(t, got)
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(path); err != nil || string(want) != string(got) {
		t.Errorf("%s: %v\ngot:\n%s\nwant:\n%s", path, err, got, want)
	}
}

func TestWhatWebServersAnswer(t *testing.T) {
	var calls atomic.Int32
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := calls.Add(1)
		switch r.URL.Path {
		case "/500":
			http.Error(w, "out of order", http.StatusInternalServerError)
		case "/429":
			w.Header().Set("Retry-After", "120")
			w.WriteHeader(http.StatusTooManyRequests)
		case "/soon":
			if n == 1 {
				w.Header().Set("Retry-After", "1")
				w.WriteHeader(http.StatusTooManyRequests)
			}
		case "/404":
			w.WriteHeader(http.StatusNotFound)
		case "/moved":
			http.Redirect(w, r, "/ok", http.StatusTemporaryRedirect)
		case "/slow":
			select {
			case <-release:
			case <-r.Context().Done():
			}
		}
	}))
	defer server.Close()
	defer close(release)
	for _, c := range []struct {
		path    string
		timeout time.Duration
		cause   fault.Cause
		calls   int32
	}{
		{"/ok", patient, "", 1},
		{"/500", patient, fault.ChannelBusy, 1},
		{"/429", patient, fault.ChannelThrottled, 1},
		{"/soon", patient, "", 2},
		{"/404", patient, fault.ChannelRefused, 1},
		{"/moved", patient, fault.ChannelRefused, 1},
		{"/slow", 100 * time.Millisecond, fault.ChannelTimeout, 1},
	} {
		calls.Store(0)
		_, err := webhook(t, WebhookConfig{Name: "chat", URL: server.URL + c.path, Timeout: c.timeout}).Send(context.Background(), "", opened, down())
		var f *fault.Fault
		if errors.As(err, &f) != (c.cause != "") || f != nil && f.Cause != c.cause {
			t.Errorf("%s: %v, want %q", c.path, err, c.cause)
		}
		if err != nil && strings.Contains(err.Error(), c.path) {
			t.Errorf("%s: the address is told: %v", c.path, err)
		}
		n := calls.Load()
		if n == 0 && c.cause == fault.ChannelTimeout {
			n = 1 // it was over before the call had arrived
		}
		if n != c.calls {
			t.Errorf("%s: %d calls, want %d", c.path, n, c.calls)
		}
	}
}

func TestAWebServerThatIsDown(t *testing.T) {
	address := "http://127.0.0.1:" + strconv.Itoa(closedPort(t)) + "/T0/secret"
	_, err := webhook(t, WebhookConfig{Name: "chat", URL: address, Timeout: patient}).Send(context.Background(), "", opened, down())
	var f *fault.Fault
	if !errors.As(err, &f) || f.Cause != fault.ChannelUnreachable || strings.Contains(err.Error(), "secret") {
		t.Error(err)
	}
}

func TestAChannelThatAskedIsLeftAlone(t *testing.T) {
	calls := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls++
		w.Header().Set("Retry-After", "120")
		w.WriteHeader(http.StatusTooManyRequests)
	}))
	defer server.Close()
	clock := noonClock{time.Date(2026, 7, 8, 12, 0, 0, 0, time.UTC)}
	n := New(Config{
		Channels:  map[string]Channel{"chat": webhook(t, WebhookConfig{Name: "chat", URL: server.URL, Timeout: patient})},
		Addresses: map[string]map[string]string{"anna": {"chat": ""}}, Now: clock.now,
	})
	m := opened
	m.Channels = []string{"chat"}
	var wait interface{ RetryAfter() time.Duration }
	for range 3 {
		_, err := n.Deliver(context.Background(), m, down())
		if !errors.As(err, &wait) || wait.RetryAfter() != 2*time.Minute {
			t.Errorf("%v does not say when to come back", err)
		}
	}
	if calls != 1 {
		t.Errorf("%d calls", calls)
	}
}

type noonClock struct{ t time.Time }

func (c noonClock) now() time.Time { return c.t }

func TestCommand(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("ERP_DSN", "a secret")
	out, pid := filepath.Join(dir, "out"), filepath.Join(dir, "pid")
	for _, c := range []struct {
		name  string
		run   []string
		cause fault.Cause
		said  string
	}{
		{"taken", []string{"sh", "-c", `cat > "$OUT"; env >> "$OUT"`}, "", ""},
		{"exit code", []string{"sh", "-c", "echo no credit >&2; exit 7"}, fault.ChannelCommand, "exit status 7: no credit"},
		{"not there", []string{filepath.Join(dir, "nothing")}, fault.ChannelCommand, "cannot be started"},
		{"hangs with a child", []string{"sh", "-c", `sleep 600 & echo $! > "$PID"; wait`}, fault.ChannelTimeout, "was killed"},
	} {
		send := func(timeout time.Duration) error {
			_, err := NewCommand(CommandConfig{Name: "pager", Run: c.run, Env: map[string]string{"OUT": out, "PID": pid}, Timeout: timeout}).Send(context.Background(), "+47", opened, down())
			return err
		}
		var err error
		if c.cause != fault.ChannelTimeout {
			err = send(patient)
		}
		for timeout := 250 * time.Millisecond; c.cause == fault.ChannelTimeout && !exists(pid); timeout *= 2 { // until there is time enough for the child to begin
			err = send(timeout)
		}
		var f *fault.Fault
		if errors.As(err, &f) != (c.cause != "") || f != nil && (f.Cause != c.cause || !strings.Contains(f.Error(), c.said)) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	text, err := os.ReadFile(out)
	if err != nil || !strings.Contains(string(text), `"id":"i1/opened/0.0/anna"`) || strings.Contains(string(text), "a secret") {
		t.Errorf("%v: %s", err, text)
	}
	text, err = os.ReadFile(pid)
	child, errNumber := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || errNumber != nil {
		t.Fatal(err, errNumber)
	}
	for end := time.Now().Add(patient); alive(child); {
		if time.Now().After(end) {
			t.Fatalf("the child %d lives on", child)
		}
	}
}

// exists says whether a file is there, and not empty.
func exists(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Size() > 0
}

// alive says whether a process runs; one that has ended and was not waited for yet does not.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && !slices.Contains(strings.Fields(string(stat)), "Z")
}

func TestSigner(t *testing.T) {
	at := time.Date(2026, 7, 8, 12, 0, 0, 0, time.UTC)
	s := NewSigner([]byte("key"), time.Hour)
	q := s.Sign("i1", "anna", at)
	if incident, person, err := s.Verify(q, at.Add(time.Hour)); err != nil || incident != "i1" || person != "anna" {
		t.Error(incident, person, err)
	}
	if _, _, err := s.Verify(q, at.Add(time.Hour+time.Second)); !errors.Is(err, ErrExpired) {
		t.Error(err)
	}
	for name, change := range map[string]func(url.Values){
		"incident": func(v url.Values) { v.Set("incident", "i2") }, "person": func(v url.Values) { v.Set("person", "ola") },
		"until": func(v url.Values) { v.Set("until", "99999999999") }, "moved": func(v url.Values) { v.Set("incident", "i1a"); v.Set("person", "nna") }, "none": func(v url.Values) { v.Del("sig") },
	} {
		changed := s.Sign("i1", "anna", at)
		change(changed)
		if _, _, err := s.Verify(changed, at); !errors.Is(err, ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := NewSigner([]byte("other"), time.Hour).Verify(q, at); !errors.Is(err, ErrSignature) {
		t.Error(err)
	}
	path := filepath.Join(t.TempDir(), "state", "link.key")
	a, errA := LoadKey(path)
	b, errB := LoadKey(path)
	info, err := os.Stat(path)
	if errA != nil || errB != nil || err != nil || string(a) != string(b) || len(a) != 32 || info.Mode().Perm() != 0o600 {
		t.Error(errA, errB, err, info)
	}
	if files, err := os.ReadDir(filepath.Dir(path)); err != nil || len(files) != 1 {
		t.Errorf("%v %v", files, err)
	}
}
