//go:build integration

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"shelfstream/internal/kafka/embedded"
	"shelfstream/internal/testenv"
	"shelfstream/status/notify"
)

// TestToldWithoutTheLog: a process that is started while no broker answers tells people by a command, is acknowledged by the link in its message, knows that after a restart, and
// gives the all-clear when the brokers are there.
func TestToldWithoutTheLog(t *testing.T) {
	admin, err := testenv.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	brokers, err := testenv.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	post := filepath.Join(t.TempDir(), "post")
	config := strings.Replace(goodConfig, `log: { listen: "127.0.0.1:0", `, fmt.Sprintf(`log: { brokers: [%q], `, brokers), 1)
	config = strings.Replace(config, `admin: { listen: "127.0.0.1:0" }`, fmt.Sprintf(`admin: { listen: %q }
alerts:
  url: "http://%s"
  people: { anna: { reach: [pager] } }
  channels: { pager: { command: { run: [sh, -c, "cat >> '%s'; echo >> '%s'"] } } }
  policies:
    - { name: log, when: { severity: [critical] }, steps: [{ to: [anna] }] }`, admin, admin, post, post), 1)
	file := writeConfig(t, config)
	arrived := func() (all []notify.Payload) {
		data, err := os.ReadFile(post)
		if err != nil {
			return nil
		}
		for line := range bytes.Lines(data) {
			var p notify.Payload
			if json.Unmarshal(line, &p) == nil && len(p.Incidents) == 1 && p.Incidents[0].Link == "log" { // the ERP is away too, as the keeper finds later
				all = append(all, p)
			}
		}
		return all
	}
	taken := func() bool {
		got := execute(t, goodEnv, "status", "-config", file, "-admin", admin)
		return got.code == 0 && strings.Contains(got.stdout, "CRITICAL") && strings.Contains(got.stdout, "anna has it")
	}

	s, stop := begin(t, goodEnv, "run", "-config", file)
	defer func() {
		if t.Failed() {
			t.Logf("%+v\n%s", arrived(), s.stderr.String())
		}
	}()
	eventually(t, "anna is told", 2*time.Minute, func() bool { return len(arrived()) > 0 })
	told := arrived()[0].Incidents[0]
	if told.Link != "log" || told.AckURL == "" || told.Fix == "" {
		t.Fatalf("%+v", told)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, told.AckURL, strings.NewReader(""))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", "http://"+admin)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusOK || !taken() {
		t.Fatalf("acknowledged: %s", answer.Status)
	}

	stop()
	s, stop = begin(t, goodEnv, "run", "-config", file)
	eventually(t, "it is known after a restart", time.Minute, taken)

	b, err := embedded.Start(embedded.Config{Listen: brokers})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	eventually(t, "the all-clear", 2*time.Minute, func() bool { return len(arrived()) > 1 })
	stop()
	if all := arrived(); len(all) != 2 || all[1].Reason != "all clear" || all[1].Incidents[0].ID != told.ID {
		t.Errorf("%+v", all)
	}
}
