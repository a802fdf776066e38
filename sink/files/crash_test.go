package files_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/internal/kafka"
	"shelfstream/sink"
	"shelfstream/sink/files"
	"shelfstream/sink/sinktest"
)

// steps are all that a delivery goes through. A process is killed before each, also before the second file's.
var steps = []string{"write", "write 2", "sync", "intend", "intended", "rename", "rename 2", "renamed", "deliver", "moved"}

// three records, as they come from the topic.
func three() *sink.Batch {
	return &sink.Batch{Records: []sink.Record{sinktest.Record(0, 1, "one", 1), sinktest.Record(1, 2, "two", 2), sinktest.Record(2, 3, "three", 3)}, Next: 3}
}

const childEnv = "SHELFSTREAM_FILES_CHILD" // "broker|folder|template|step"

// TestChild is the process that is killed; alone it does nothing.
func TestChild(t *testing.T) {
	words := strings.Split(os.Getenv(childEnv), "|")
	if len(words) != 4 {
		return
	}
	client, err := kafka.Open(kafka.Config{Brokers: words[:1], ClientID: "child"})
	must(t, err)
	target, err := files.New(files.Config{Tables: map[string]files.TableConfig{"order": {From: "product", Dir: words[1], Name: "{{.no}}.edi", TemplateFile: words[2]}}}, options(client))
	must(t, err)
	seen := map[string]int{}
	target.OnStep(func(name string) {
		if seen[name]++; name == words[3] || fmt.Sprintf("%s %d", name, seen[name]) == words[3] {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	})
	apply(t, open(t, target), 3, three().Records...)
}

// reader takes files as soon as they are there, as the other system does, and counts them.
type reader struct {
	dir    string
	mu     sync.Mutex
	counts map[string]int
	broken []string
	end    func()
}

var whole = regexp.MustCompile(`^BEGIN (\d+) \w+ \d+ END\n$`)

func newReader(dir string) *reader {
	r := &reader{dir: dir, counts: map[string]int{}}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			r.take()
			<-tick.C
		}
		r.take()
	}()
	r.end = func() {
		cancel()
		<-done
	}
	return r
}

func (r *reader) take() {
	r.mu.Lock()
	defer r.mu.Unlock()
	names, _ := filepath.Glob(filepath.Join(r.dir, "*.edi"))
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil || !whole.Match(b) {
			r.broken = append(r.broken, fmt.Sprintf("%s: %q %v", name, b, err))
		}
		r.counts[filepath.Base(name)]++
		if err := os.Remove(name); err != nil {
			r.broken = append(r.broken, err.Error())
		}
	}
}

func (r *reader) want(t *testing.T, names ...string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if got := slices.Sorted(maps.Keys(r.counts)); !slices.Equal(got, names) || len(r.broken) > 0 {
		t.Errorf("the reader has %v, want %v; broken: %v", got, names, r.broken)
	}
	for name, n := range r.counts {
		if n != 1 {
			t.Errorf("the reader has %s %d times", name, n)
		}
	}
}

// TestKilledBeforeEachStep: whatever step a process is killed at, each file is there once and whole, also for a reader that takes files at once.
func TestKilledBeforeEachStep(t *testing.T) {
	for _, step := range steps {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			template := w.template(t, wholeFile)
			r := newReader(w.dir)
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestChild$")
			cmd.Env = append(os.Environ(), childEnv+"="+strings.Join([]string{w.Broker.Addr(), w.dir, template, step}, "|"))
			out, err := cmd.CombinedOutput()
			var ended *exec.ExitError
			if !errors.As(err, &ended) || ended.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
				t.Fatalf("the child was not killed: %v\n%s", err, out)
			}
			target := w.target(t, func(c *files.TableConfig) { c.TemplateFile = template })
			s := open(t, target)
			if left := slices.Sorted(maps.Keys(listed(t, w.dir))); slices.ContainsFunc(left, func(n string) bool { return strings.HasSuffix(n, ".tmp") }) {
				t.Errorf("after the take-over there are %v", left)
			}
			if s.Place().Next < 3 { // else the log would not give them again
				apply(t, s, 3, three().Records...)
			}
			r.end()
			r.want(t, "1.edi", "2.edi", "3.edi")
			if s.Place().Next != 3 {
				t.Errorf("the place is %+v", s.Place())
			}
		})
	}
}

// TestStoppedAtEachStep: a worker stops at each step, another takes its partition over and delivers, then the first one goes on.
func TestStoppedAtEachStep(t *testing.T) {
	for _, step := range steps {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			r := newReader(w.dir)
			config := w.config(t, func(*files.TableConfig) {})
			old, err := files.New(config, w.opts)
			must(t, err)
			stopped, goOn := make(chan struct{}), make(chan struct{})
			seen := map[string]int{}
			old.OnStep(func(name string) {
				if seen[name]++; name == step && seen[name] == 1 || fmt.Sprintf("%s %d", name, seen[name]) == step {
					close(stopped)
					<-goOn
				}
			})
			first := open(t, old)
			answer := make(chan error, 1)
			go func() {
				_, err := first.Apply(context.WithoutCancel(t.Context()), three())
				answer <- err
			}()
			<-stopped
			mine, err := files.New(config, w.opts)
			must(t, err)
			s := open(t, mine)
			if s.Place().Next < 3 {
				apply(t, s, 3, three().Records...)
			}
			close(goOn)
			if err := <-answer; !errors.Is(err, sink.ErrLost) && (step != "moved" || err != nil) {
				t.Errorf("the worker that was stopped got %v, want ErrLost", err)
			}
			// What it was about to write may lie there under its temporary name, until somebody takes over again.
			open(t, mine)
			if left := listed(t, w.dir); slices.ContainsFunc(slices.Collect(maps.Keys(left)), func(n string) bool { return strings.HasSuffix(n, ".tmp") }) {
				t.Errorf("there are left %v", left)
			}
			r.end()
			r.want(t, "1.edi", "2.edi", "3.edi")
		})
	}
}

// TestHalfAFileIsRubbish: a process that ended in the middle of a write leaves a half of a file, which nobody ever renames. Those of other partitions and
// programs are theirs.
func TestHalfAFileIsRubbish(t *testing.T) {
	w := newWorld(t)
	put(t, w.dir, "1.edi.erp.product.3.0123abcd000001.tmp", "BEGIN 1 o")
	theirs := []string{"1.edi.erp.product.2.0123abcd000001.tmp", "1.edi.tmp", "mine.tmp"}
	for _, name := range theirs {
		put(t, w.dir, name, "")
	}
	s := open(t, w.target(t, func(*files.TableConfig) {}))
	apply(t, s, 1, sinktest.Record(0, 1, "one", 1))
	if got, want := slices.Sorted(maps.Keys(listed(t, w.dir))), append([]string{"1.edi"}, theirs...); !slices.Equal(got, want) || listed(t, w.dir)["1.edi"] != "BEGIN 1 one 1 END\n" {
		t.Errorf("the folder has %v, want %v", listed(t, w.dir), want)
	}
}

// TestFolderGoesAwayWhileWriting: what was begun goes away with the folder, and is removed when it is back.
func TestFolderGoesAwayWhileWriting(t *testing.T) {
	w := newWorld(t)
	target, err := files.New(w.config(t, func(*files.TableConfig) {}), w.opts)
	must(t, err)
	n := 0
	target.OnStep(func(name string) {
		if name != "write" {
			return
		}
		if n++; n == 3 {
			must(t, os.Rename(w.dir, w.dir+".away"))
		}
	})
	s := open(t, target)
	var f *fault.Fault
	if _, err := s.Apply(t.Context(), three()); !errors.As(err, &f) || f.Cause != fault.FilesFolderMissing {
		t.Fatalf("Apply says %v", err)
	}
	must(t, os.Rename(w.dir+".away", w.dir))
	if n := len(listed(t, w.dir)); n != 2 {
		t.Fatalf("%d files were begun, want 2", n)
	}
	apply(t, s, 3, three().Records...)
	if got := listed(t, w.dir); len(got) != 3 || got["2.edi"] == "" {
		t.Errorf("the folder has %v", got)
	}
}

// TestWhatIsIntendedStaysSo: a take-over that finds the folder away, or another file in the place of an intended one, neither takes it for delivered nor writes over
// the other.
func TestWhatIsIntendedStaysSo(t *testing.T) {
	for name, tc := range map[string]struct {
		block, clear func(t *testing.T, dir string)
		cause        fault.Cause
	}{
		"the folder is away": {
			func(t *testing.T, dir string) { must(t, os.Rename(dir, dir+".away")) }, func(t *testing.T, dir string) { must(t, os.Rename(dir+".away", dir)) }, fault.FilesFolderMissing,
		},
		"the name is taken": {
			func(t *testing.T, dir string) { put(t, dir, "2.edi", "somebody's") }, func(t *testing.T, dir string) {
				if got := listed(t, dir)["2.edi"]; got != "somebody's" {
					t.Errorf("the other's file is %q now", got)
				}
				must(t, os.Remove(filepath.Join(dir, "2.edi")))
			}, fault.FilesNameTaken,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			config := w.config(t, func(*files.TableConfig) {})
			old, err := files.New(config, w.opts)
			must(t, err)
			ctx, cancel := context.WithCancel(t.Context())
			old.OnStep(func(name string) {
				if name == "intended" {
					tc.block(t, w.dir)
					cancel()
				}
			})
			var f *fault.Fault
			if _, err := open(t, old).Apply(ctx, three()); !errors.As(err, &f) || f.Cause != tc.cause {
				t.Fatalf("Apply says %v", err)
			}
			mine, err := files.New(config, w.opts)
			must(t, err)
			if _, err := mine.Open(t.Context(), partition()); !errors.As(err, &f) || f.Cause != tc.cause {
				t.Fatalf("Open says %v", err)
			}
			tc.clear(t, w.dir)
			apply(t, open(t, mine), 3, three().Records...)
			if got := listed(t, w.dir); len(got) != 3 || got["2.edi"] != "BEGIN 2 two 2 END\n" {
				t.Errorf("the folder has %v", got)
			}
		})
	}
}
