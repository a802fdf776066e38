package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// event is a line of `go test -json`.
type event struct {
	Action      string
	Package     string
	ImportPath  string // of build output
	Test        string
	Output      string
	FailedBuild string
}

// result is one run's line in the file of counts.
type result struct {
	Name    string         `json:"name"`
	Passed  int            `json:"passed"`
	Failed  int            `json:"failed"`
	Skipped int            `json:"skipped"`
	Servers map[string]int `json:"servers,omitempty"` // tests passed in the packages that started the server
}

// test is one test or subtest of a package.
type test struct{ pkg, name string }

// tally collects the events of a run.
type tally struct {
	out     io.Writer
	output  map[test][]string // of tests that still run
	ended   map[test]string   // pass, fail, skip
	failed  []string          // packages
	printed map[test]bool
}

// runTests runs go test and prints what it would print without -v: a line for each package, and everything a failed test said.
func runTests(name, into string, args []string) error {
	servers, err := os.CreateTemp("", "testsum-")
	if err != nil {
		return err
	}
	defer os.Remove(servers.Name())
	if err := servers.Close(); err != nil {
		return err
	}
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = os.Stderr
	cmd.Env = append(os.Environ(), "SHELFSTREAM_TEST_REPORT="+servers.Name())
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	t := &tally{out: os.Stdout, output: map[test][]string{}, ended: map[test]string{}, printed: map[test]bool{}}
	readErr := t.read(pipe)
	waitErr := cmd.Wait()
	started, err := readServers(servers.Name())
	if err != nil {
		return err
	}
	r := t.result(name, started)
	if err := appendResult(into, r); err != nil {
		return err
	}
	fmt.Fprintf(t.out, "%s: %d passed, %d failed, %d skipped\n", name, r.Passed, r.Failed, r.Skipped)
	switch {
	case readErr != nil:
		return readErr
	case waitErr != nil:
		return fmt.Errorf("%s: go test: %w", name, waitErr)
	case r.Skipped > 0:
		return fmt.Errorf("%s: %d tests were skipped, and none may be", name, r.Skipped)
	case r.Passed == 0:
		return fmt.Errorf("%s: no test ran", name)
	}
	return nil
}

func (t *tally) read(r io.Reader) error {
	in := bufio.NewReader(r)
	for {
		line, err := in.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) != nil {
				fmt.Fprintf(t.out, "%s", line) // not JSON: the go command's own words
			} else {
				t.take(e)
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (t *tally) take(e event) {
	id := test{e.Package, e.Test}
	switch e.Action {
	case "output":
		if e.Test == "" {
			if !quiet(e.Output) {
				fmt.Fprint(t.out, coverage.ReplaceAllString(e.Output, ""))
			}
			return
		}
		t.output[id] = append(t.output[id], e.Output)
	case "build-output":
		fmt.Fprint(t.out, e.Output)
	case "pass", "fail", "skip":
		if e.Test == "" {
			if e.Action == "fail" {
				t.failed = append(t.failed, e.Package)
				t.flush(e.Package)
			}
			return
		}
		t.ended[id] = e.Action
		if e.Action != "pass" {
			t.print(id)
		}
		delete(t.output, id)
	}
}

// coverage stands at the end of a package's line; measured over all packages it says nothing of this one, and `testsum cover` prints the
// shares that do.
var coverage = regexp.MustCompile(`\tcoverage: .* of statements.*`)

// quiet lines say nothing: a bare PASS, and packages without tests.
func quiet(line string) bool {
	return line == "PASS\n" || strings.Contains(line, "[no test files]") || strings.Contains(line, "[no tests to run]") || strings.HasPrefix(line, "coverage: ") || strings.Contains(line, "\tcoverage: 0.0% of statements")
}

func (t *tally) print(id test) {
	if t.printed[id] {
		return
	}
	t.printed[id] = true
	for _, line := range t.output[id] {
		fmt.Fprint(t.out, line)
	}
}

// flush prints what tests said that never ended, as when the package panicked or timed out.
func (t *tally) flush(pkg string) {
	for id := range t.output {
		if id.pkg == pkg {
			t.print(id)
		}
	}
}

// result counts the tests that have no subtests of their own.
func (t *tally) result(name string, started map[string][]string) result {
	parents := map[test]bool{}
	for id := range t.ended {
		for n := id.name; ; {
			i := strings.LastIndexByte(n, '/')
			if i < 0 {
				break
			}
			n = n[:i]
			parents[test{id.pkg, n}] = true
		}
	}
	r := result{Name: name, Servers: map[string]int{}}
	for _, names := range started {
		for _, s := range names {
			r.Servers[s] += 0
		}
	}
	for id, how := range t.ended {
		if parents[id] && how != "fail" {
			continue
		}
		switch how {
		case "pass":
			r.Passed++
			for _, s := range started[id.pkg] {
				if countsFor(s, id.name, started[id.pkg]) {
					r.Servers[s]++
				}
			}
		case "fail":
			if !parents[id] {
				r.Failed++
			}
		case "skip":
			r.Skipped++
		}
	}
	if r.Failed == 0 {
		r.Failed = len(t.failed) // a package that did not build or whose TestMain failed
	}
	return r
}

// countsFor tells whether a test used the server, in a package that started these. Where a package started several brokers, its tests say in
// their names which one they use, or use none.
func countsFor(server, name string, all []string) bool {
	word := brokerWord(server)
	brokers := 0
	for _, s := range all {
		if brokerWord(s) != "" {
			brokers++
		}
	}
	if word == "" || brokers < 2 {
		return true
	}
	return strings.Contains(strings.ToLower(name), word)
}

func brokerWord(server string) string {
	switch {
	case strings.HasPrefix(server, "Apache Kafka"):
		return "kafka"
	case strings.HasPrefix(server, "embedded"):
		return "embedded"
	}
	return ""
}

// readServers gives the servers that each package started, by import path. The lines are "directory<TAB>name".
func readServers(path string) (map[string][]string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	root, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	out := map[string][]string{}
	for line := range strings.Lines(string(b)) {
		dir, name, ok := strings.Cut(strings.TrimSpace(line), "\t")
		if !ok {
			continue
		}
		rel, err := filepath.Rel(root, dir)
		if err != nil {
			return nil, err
		}
		pkg := "shelfstream/" + filepath.ToSlash(rel)
		if !slices.Contains(out[pkg], name) {
			out[pkg] = append(out[pkg], name)
		}
	}
	return out, nil
}
