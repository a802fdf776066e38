package main

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"shelfstream/status"
	"shelfstream/status/incident"
	"shelfstream/status/web"
)

// TestStatusShowsIncidents: the open ones come first, a line each, from the admin port.
func TestStatusShowsIncidents(t *testing.T) {
	at := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	all := []incident.Incident{
		{ID: "aaaaaa", Severity: "critical", Link: "log", What: "the log does not answer", Count: 1, Opened: at.Add(-90 * time.Second)},
		{ID: "bbbbbb", Severity: "error", Link: "sink shop", What: "connection\nrefused with geheim", Count: 12345, Opened: at.Add(-26 * time.Hour), Acked: at, By: "anna"},
		{ID: "cccccc", Severity: "warning", Link: "view product", What: "it is 5 min behind", Count: 1, Opened: at.Add(-time.Minute), Behind: "aaaaaa"},
		{ID: "dddddd", Severity: "error", Link: "source erp", What: "over", Opened: at.Add(-time.Hour), Resolved: at},
	}
	s, err := web.NewServer(web.Config{
		Pipeline: "moestue", Version: "test", Listen: "127.0.0.1:0", Now: func() time.Time { return at },
		Reporters: []status.Reporter{endingStage{Stage: status.Stage{Kind: status.KindSink, Name: "shop", State: status.StateLive, Since: at.Add(-time.Hour), Records: 7}}},
		Redact:    func(text string) string { return strings.ReplaceAll(text, "geheim", "***") },
		Incidents: func() []web.Incident { return incidentsShown(all) },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	file := writeConfig(t, goodConfig)
	got := execute(t, goodEnv, "status", "-config", file, "-admin", s.Addr())
	if got.code != 0 {
		t.Fatalf("%d %s", got.code, got.stderr)
	}
	goldenText(t, "status.txt", got.stdout)

	got = execute(t, goodEnv, "status", "-json", "-config", file, "-admin", s.Addr())
	var r status.Report
	if err := json.Unmarshal([]byte(got.stdout), &r); err != nil || got.code != 0 {
		t.Fatalf("%d %v %s", got.code, err, got.stderr)
	}
	if len(r.Incidents) != 3 || r.Incidents[0].ID != "aaaaaa" || r.Incidents[1].By != "anna" || r.Incidents[1].Count != 12345 || !r.Incidents[2].Since.Equal(at.Add(-time.Minute)) || r.Incidents[2].Behind != "aaaaaa" {
		t.Errorf("%+v", r.Incidents)
	}
}
