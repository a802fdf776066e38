package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"shelfstream/internal/config"
	"shelfstream/status/escalate"
)

const alertsExample = `
pipeline: moestue
timezone: Europe/Oslo
sources: {erp: {postgres: {dsn: "postgres://erp@127.0.0.1/erp", tables: {product: {}}}}}
alerts:
  calendars: {office: {open: [mon-fri 08:00-17:00, sat 22:00-02:00, sun 00:00-24:00], holidays: [12-25]}}
  channels:
    chat: {webhook: {url: URL}}
    pager: {command: {run: [sh, -c, "exit 3"]}}
  people:
    anna: {reach: [pager, {chat: "@anna"}]}
  groups: {board: [anna, chat]}
  policies:
    - {name: all, steps: [{to: [board], by: [chat], hours: office}], repeat: {every: 1h}}
`

// What the configuration takes package escalate can read.
func TestAlertsOfAConfiguration(t *testing.T) {
	cfg, err := config.Parse("pipeline.yaml", []byte(strings.Replace(alertsExample, "URL", "https://chat.example.com/T0", 1)), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	policies, err := alertPolicies(cfg)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 7, 8, 10, 0, 0, 0, time.UTC)
	send, _, _ := policies.Next(escalate.Subject{ID: "i", Severity: escalate.Error, Opened: now}, escalate.State{}, now)
	if len(send) != 2 || send[0].Person != "anna" || strings.Join(send[0].Channels, " ") != "chat pager" || send[1].Person != "chat" {
		t.Errorf("%+v", send)
	}
}

func TestAlertsTestCommand(t *testing.T) {
	var bodies atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if b, _ := io.ReadAll(r.Body); strings.Contains(string(b), "this is a test") {
			bodies.Add(1)
		}
	}))
	defer server.Close()
	file := writeConfig(t, strings.Replace(alertsExample, "URL", server.URL, 1))
	for _, c := range []struct {
		args []string
		code int
		said string
	}{
		{[]string{"alerts", "test", "-config", file, "-to", "board", "-by", "chat"}, 0, "anna by chat: sent in"},
		{[]string{"alerts", "test", "-config", file, "-to", "anna"}, 3, "anna by pager: NOT sent"},
		{[]string{"alerts", "test", "-config", file, "-to", "ana"}, 2, "anna"},
		{[]string{"alerts", "test", "-config", file}, 2, "-to NAME"},
	} {
		got := execute(t, nil, c.args...)
		if got.code != c.code || !strings.Contains(got.stdout+got.stderr, c.said) {
			t.Errorf("%v: %+v", c.args, got)
		}
	}
	if bodies.Load() != 3 {
		t.Errorf("%d messages arrived", bodies.Load())
	}
}

// The example stands in comments; without them it is right.
func TestTheExampleOfAlerts(t *testing.T) {
	text, err := os.ReadFile("../../deploy/examples/postgres-mysql/pipeline.yaml")
	if err != nil {
		t.Fatal(err)
	}
	before, section, ok := strings.Cut(string(text), "\n# alerts:\n")
	if !ok {
		t.Fatal("there is no example")
	}
	section = strings.ReplaceAll("\n"+section, "\n# ", "\n")
	file := filepath.Join(t.TempDir(), "pipeline.yaml")
	for _, name := range []string{"standard.rules.yaml", "moestue.rules.yaml"} {
		if err := os.WriteFile(filepath.Join(filepath.Dir(file), name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg, err := config.Parse(file, []byte(before+"\nalerts:"+section), func(name string) (string, bool) {
		return map[string]string{"ADMIN_LISTEN": "off", "REGISTRY_URL": "http://x:1", "KAFKA_BROKER": "x:1", "CHAT_URL": "https://x.example"}[name] + strings.Repeat("k", 20*strings.Count(name, "LINK_KEY")) + map[bool]string{true: "v"}[strings.HasSuffix(name, "DSN") || strings.HasSuffix(name, "DIR") || name == "MAIL_PASSWORD"], true
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := alertPolicies(cfg); err != nil || len(cfg.Alerts.Expect) != 2 {
		t.Error(err, cfg.Alerts.Expect)
	}
}
