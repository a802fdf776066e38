package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"shelfstream/internal/kafka"
	"shelfstream/internal/kafka/embedded"
	"shelfstream/schemas/registry"
	"shelfstream/status"
)

// eventually polls a condition.
func eventually(t *testing.T, what string, within time.Duration, ok func() bool) {
	t.Helper()
	deadline := time.After(within)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("after %s: not %s", within, what)
		case <-tick.C:
		}
	}
}

func openLog(t *testing.T, dir string) *kafka.Client {
	t.Helper()
	b, err := embedded.Start(embedded.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	client, err := kafka.Open(kafka.Config{Brokers: []string{b.Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(client.Close(), b.Close()); err != nil {
			t.Error(err)
		}
	})
	return client
}

// TestRegistryKeepsItsSchemas: what one process registered the next one has; a second one beside it shuts the first out; a
// reader changes nothing.
func TestRegistryKeepsItsSchemas(t *testing.T) {
	client := openLog(t, t.TempDir())
	start := func(owner bool) (*registryServer, *registry.Client) {
		s, err := startRegistry(t.Context(), client, registryConfig{topic: "_schemas", listen: "127.0.0.1:0", owner: owner}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Close(context.Background()); err != nil {
				t.Error(err)
			}
		})
		return s, registry.NewClient(s.url, registry.WithRetry(0))
	}
	_, none := start(false)
	if _, _, err := none.Latest(t.Context(), "product-value"); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("a registry without a topic: %v", err)
	}
	_, first := start(true)
	id, err := first.Register(t.Context(), "product-value", `"string"`)
	if err != nil {
		t.Fatal(err)
	}
	_, second := start(true)
	if got, text, err := second.Latest(t.Context(), "product-value"); err != nil || got != id || text != `"string"` {
		t.Errorf("after a restart: %d %s %v", got, text, err)
	}
	if _, err := second.Register(t.Context(), "price-value", `"long"`); err != nil {
		t.Error(err)
	}
	if _, err := first.Register(t.Context(), "stock-value", `"int"`); err == nil {
		t.Error("two registries write one topic")
	}
	_, reader := start(false)
	if _, err := reader.Schema(t.Context(), id); err != nil {
		t.Errorf("a reader does not know the schema: %v", err)
	}
	if _, err := reader.Register(t.Context(), "image-value", `"int"`); err == nil {
		t.Error("a reader registers")
	}
	if _, err := second.Register(t.Context(), "text-value", `"double"`); err != nil {
		t.Errorf("a reader shut the registry out: %v", err)
	}
}

// TestRunOnTheEmbeddedLog: with no database to be reached 'run' stays up, says what is wrong and where, can be asked by the
// other commands, and ends cleanly when told to. Nothing it prints holds a secret.
func TestRunOnTheEmbeddedLog(t *testing.T) {
	file := writeConfig(t, goodConfig)
	s := newShell(goodEnv)
	ctx, stop := context.WithCancelCause(t.Context())
	ended := make(chan int, 1)
	go func() { ended <- s.program.run(ctx, []string{"run", "-config", file, "-log", "json"}) }()
	defer func() { stop(nil) }()

	note := filepath.Join(filepath.Dir(file), "shelfstream-data", "moestue", "log", "running.json")
	var e endpoints
	eventually(t, "running", 20*time.Second, func() bool {
		b, err := os.ReadFile(note)
		return err == nil && json.Unmarshal(b, &e) == nil && e.Admin != ""
	})
	var report status.Report
	eventually(t, "retrying with a fault", 20*time.Second, func() bool {
		got := execute(t, goodEnv, "status", "-json", "-config", file)
		report = status.Report{}
		return got.code == 0 && json.Unmarshal([]byte(got.stdout), &report) == nil && len(report.Stages) == 3 && len(report.Stages[0].Faults) > 0
	})
	if report.Ready || report.Stages[0].Kind != status.KindCapture || report.Stages[2].Kind != status.KindSink {
		t.Errorf("got %+v", report)
	}
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 503, "/": 200, "/metrics": 200} {
		if code, body := httpGet(t, "http://"+e.Admin+path); code != want || strings.Contains(body, "geheim") {
			t.Errorf("%s: %d\n%s", path, code, body)
		}
	}
	if _, metrics := httpGet(t, "http://"+e.Admin+"/metrics"); !strings.Contains(metrics, "go_goroutines") || !strings.Contains(metrics, "process_resident_memory_bytes") {
		t.Error("the runtime's metrics are missing")
	}
	if got := execute(t, goodEnv, "status", "-config", file); got.code != 0 || !strings.Contains(got.stdout, "capture erp:") || !strings.Contains(got.stdout, "fix: ") {
		t.Errorf("status: %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	if got := execute(t, goodEnv, "run", "-config", file); got.code != 3 || !strings.Contains(got.stderr, "in use") {
		t.Errorf("a second one on the same log: %d %s", got.code, got.stderr)
	}
	if got := execute(t, goodEnv, "capture", "resnapshot", "-table", "price", "-config", file); got.code != 0 || !strings.Contains(got.stdout, "asked for: price of erp") {
		t.Errorf("resnapshot: %d %s%s", got.code, got.stdout, got.stderr)
	}
	if got := execute(t, goodEnv, "replay", "product", "-to", "beginning", "-config", file); got.code != 2 || !strings.Contains(got.stderr, "nothing was ever published") {
		t.Errorf("replay before anything was published: %d %s", got.code, got.stderr)
	}
	if got := execute(t, goodEnv, "check", "-connect", "-config", file); got.code != 3 || !strings.Contains(got.stdout, "ok      registry") || !strings.Contains(got.stdout, "fault   source erp") || !strings.Contains(got.stdout, "later   view product") {
		t.Errorf("check: %d\n%s%s", got.code, got.stdout, got.stderr)
	}

	stop(errSignal)
	select {
	case code := <-ended:
		if code != 0 {
			t.Errorf("exit code %d\n%s", code, s.stderr.String())
		}
	case <-time.After(stopWithin):
		t.Fatalf("does not end; it says:\n%s", s.stderr.String())
	}
	if _, err := os.Stat(note); err == nil {
		t.Error("the note of a running pipeline is still there")
	}
	if text := s.stderr.String(); strings.Contains(text, "geheim") {
		t.Errorf("a secret is in the log:\n%s", text)
	} else if !strings.Contains(text, `"msg":"pipeline has ended"`) {
		t.Errorf("no word of the end:\n%s", text)
	}
	if got := execute(t, goodEnv, "parked", "-json", "-config", file); got.code != 0 || !strings.Contains(got.stdout, `"name": "product"`) {
		t.Errorf("parked of a stopped pipeline: %d %s%s", got.code, got.stdout, got.stderr)
	}
}

func httpGet(t *testing.T, url string) (code int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

type endingStage struct {
	status.Stage
	err error
}

func (e endingStage) Status() status.Stage      { return e.Stage }
func (e endingStage) Run(context.Context) error { return e.err }

// TestStageThatEndsEndsTheProcess: a stage that cannot go on, or ends for no reason, is not left out silently.
func TestStageThatEndsEndsTheProcess(t *testing.T) {
	s := endingStage{Stage: status.Stage{Kind: status.KindSink, Name: "shop"}}
	if err := runStage(t.Context(), s); err == nil || err.Error() != "sink shop ended by itself" {
		t.Errorf("got %v", err)
	}
	s.err = errors.New("disk full")
	if err := runStage(t.Context(), s); err == nil || err.Error() != "sink shop: disk full" {
		t.Errorf("got %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range []error{nil, fmt.Errorf("read: %w", context.Canceled)} {
		s.err = err
		if got := runStage(ended, s); got != nil {
			t.Errorf("%v when asked to end: %v", err, got)
		}
	}
}
