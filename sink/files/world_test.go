package files_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"shelfstream/internal/kafka"
	"shelfstream/sink"
	"shelfstream/sink/files"
	"shelfstream/sink/sinktest"
	"shelfstream/status/exchange"
)

// world is a log, a folder and a clock.
type world struct {
	*sinktest.World
	dir  string
	at   time.Time
	opts files.Options
	said said
}

// said keeps exchanges.
type said struct {
	mu   sync.Mutex
	list []exchange.Exchange
}

func (s *said) Add(e exchange.Exchange) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, e)
}

// kinds are the kinds and outcomes so far, each once.
func (s *said) kinds() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, e := range s.list {
		if k := e.Kind + " " + e.Outcome; !slices.Contains(out, k) {
			out = append(out, k)
		}
	}
	return strings.Join(out, ", ")
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{World: sinktest.NewWorld(t, sinktest.View(), 4), dir: t.TempDir(), at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	w.opts = options(w.Client)
	w.opts.Now, w.opts.Exchanges = func() time.Time { return w.at }, &w.said
	return w
}

func options(c *kafka.Client) files.Options {
	return files.Options{Pipeline: "suite", Sink: "erp", Client: c}
}

// template of the tests: the content tells whether the file is whole.
func (w *world) template(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "template")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const wholeFile = "BEGIN {{.no}} {{.name}} {{.counter}} END\n"

func (w *world) config(t *testing.T, change func(*files.TableConfig)) files.Config {
	t.Helper()
	c := files.TableConfig{From: "product", Dir: w.dir, Name: "{{.no}}.edi", TemplateFile: w.template(t, wholeFile), Acknowledge: files.Acknowledge{Poll: time.Hour}}
	change(&c)
	cfg := files.Config{Tables: map[string]files.TableConfig{"order": c}}
	if err := cfg.Validate().Err(); err != nil {
		t.Fatal(err)
	}
	return cfg
}

func (w *world) target(t *testing.T, change func(*files.TableConfig)) *files.Target {
	t.Helper()
	target, err := files.New(w.config(t, change), w.opts)
	if err != nil {
		t.Fatal(err)
	}
	return target
}

func partition() sink.Partition { return sink.Partition{View: sinktest.View(), ID: 3, Owner: "test"} }

func open(t *testing.T, target *files.Target) sink.Session {
	t.Helper()
	s, err := target.Open(t.Context(), partition())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func apply(t *testing.T, s sink.Session, next int64, records ...sink.Record) []sink.Parked {
	t.Helper()
	parked, err := s.Apply(t.Context(), &sink.Batch{Records: records, Next: next})
	if err != nil {
		t.Fatal(err)
	}
	return parked
}

// listed is what lies in the folder: names and contents.
func listed(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue // a reader has taken it meanwhile
		}
		if err != nil {
			t.Fatal(err)
		}
		out[e.Name()] = string(b)
	}
	return out
}

func put(t *testing.T, dir, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
