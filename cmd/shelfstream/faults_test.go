package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// A file of testdata/faults is one kind of bad input, told as a dialogue: what the situation is, the files that differ from those of base/, and what is
// done with what comes of it. In the dialogue a line that begins with a prompt is done, and the indented lines below it are what it prints; after a "?"
// it is repeated until it prints that. `go test -update` (with -tags integration for systems/) writes what is printed.
//
//	$ check          a command line; "$ run &" goes on beside the others until "$ stop"
//	erp> shop>       SQL in the ERP, in the shop (erp? shop? to wait for a result)
//	log? words       lines of the running pipeline's log that have the words
type dialogue struct {
	head  string // title and files, as they stand
	files map[string]string
	steps []step
}

type step struct {
	line string // as it stands; a comment or an empty line does nothing
	want string // with indentation
}

const indent = "    "

func readDialogue(t *testing.T, path string) *dialogue {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	d := &dialogue{files: map[string]string{}}
	section := ""
	for line := range strings.Lines(string(data)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "-- "); ok && strings.HasSuffix(name, " --") {
			section = strings.TrimSuffix(name, " --")
			d.head += line
			continue
		}
		switch {
		case section != "dialogue":
			d.head += line
			if section != "" {
				d.files[section] += line
			}
		case strings.HasPrefix(line, indent) && len(d.steps) > 0:
			d.steps[len(d.steps)-1].want += line
		default:
			d.steps = append(d.steps, step{line: strings.TrimRight(line, "\n")})
		}
	}
	return d
}

func (d *dialogue) write(t *testing.T, path string) {
	t.Helper()
	var b strings.Builder
	b.WriteString(d.head)
	for _, s := range d.steps {
		b.WriteString(s.line + "\n" + s.want)
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// playground is what a dialogue is played on: what each prompt does, and the values that differ from run to run.
type playground struct {
	dir    string
	env    map[string]string
	say    map[string]func(t *testing.T, text string) string // by the prompt: "$", "erp"
	hidden []string                                          // old, new, …: replaced in what is printed
}

// newPlayground lays out the files of a dialogue, and of base/ where it has none of its own.
func newPlayground(t *testing.T, d *dialogue, env map[string]string) *playground {
	t.Helper()
	p := &playground{dir: t.TempDir(), env: env}
	base, err := os.ReadDir("testdata/faults/base")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, e := range base {
		text, err := os.ReadFile(filepath.Join("testdata/faults/base", e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = string(text)
	}
	maps.Copy(files, d.files)
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p.hidden = []string{p.dir + "/", "", p.dir, "."}
	p.say = map[string]func(*testing.T, string) string{"$": p.command}
	return p
}

func (p *playground) config() string { return filepath.Join(p.dir, "pipeline.yaml") }

// arguments takes a command line apart, and adds the configuration if it names none.
func (p *playground) arguments(line string) []string {
	args := strings.Fields(line)
	if i := slices.Index(args, "-config"); i >= 0 {
		args[i+1] = filepath.Join(p.dir, args[i+1])
		return args
	}
	return append(args, "-config", p.config())
}

// command runs a command line to its end and gives everything it printed.
func (p *playground) command(t *testing.T, line string) string {
	t.Helper()
	args := p.arguments(line)
	ctx, cancel := context.WithTimeout(t.Context(), withinStep)
	defer cancel()
	s := newShell(p.env)
	err := s.program.dispatch(ctx, args)
	code := s.program.ended(err)
	out := s.stdout.String()
	var lines strings.Builder
	for line := range strings.Lines(s.stderr.String()) {
		if !strings.HasPrefix(line, "time=") { // the log is what "log?" looks into
			lines.WriteString(line)
		}
	}
	out += lines.String()
	if args[0] == "run" || args[0] == "alerts" {
		out += causesIn(err)
	}
	switch {
	case ctx.Err() != nil:
		out += fmt.Sprintf("does not end within %s\n", withinStep)
	case code != 0:
		out += fmt.Sprintf("exit code %d\n", code)
	}
	return out
}

// volatile are values that differ from run to run.
var volatile = []struct {
	what *regexp.Regexp
	as   string
}{
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "127.0.0.1:PORT"},
	{regexp.MustCompile(`@\d+`), "@OFFSET"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d| [+-]?\w+)?`), "TIME"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d`), "DATE"},
	{regexp.MustCompile(`[0-9.]+ MiB are left`), "N MiB are left"},
	{regexp.MustCompile(`(process|pid|connection) \d+`), "$1 PID"},
	{regexp.MustCompile(`/\d+@`), "/PARTITION@"},
	{regexp.MustCompile(`(write \S+)/\d+:`), "$1/PARTITION:"},
	{regexp.MustCompile(`pg_terminate_backend\(\d+\)`), "pg_terminate_backend(PID)"},
	{regexp.MustCompile(`\b[0-9A-F]+/[0-9A-F]{5,}\b`), "LSN"},
	{regexp.MustCompile(`apply \d+ records of (\S+)/\d+:`), "apply N records of $1/PARTITION:"},
	{regexp.MustCompile(`: sent in .*`), ": sent"},
	{regexp.MustCompile(`could not extend file ".*?"`), `could not extend file "FILE"`},
	{regexp.MustCompile(`let user \d+ write`), "let user UID write"},
	{regexp.MustCompile(`(from \d+ back to|stays at) 0\b`), "begins at 0"}, // whether it has seen the end of the last transaction
	// The place that goes with a record takes a byte more or less.
	{regexp.MustCompile(`it takes \d+ bytes`), "it takes N bytes"},
	{regexp.MustCompile(`--add-config max\.message\.bytes=\d+`), "--add-config max.message.bytes=N"},
	{regexp.MustCompile(`stays at [1-9]\d*`), "stays at N"},
	{regexp.MustCompile(`up to offset \d+, when`), "up to offset N, when"},
	{regexp.MustCompile(`checksum \w+, computed \w+`), "checksum X, computed Y"},
	{regexp.MustCompile(`\(persist .*\)`), "(persist …)"}, // whichever write was the first
	{regexp.MustCompile(`<shelfstream\.[0-9a-f]{32}@`), "<shelfstream.ID@"},
	{regexp.MustCompile(`call=".*`), "call=… error=…"}, // whichever was first
}

// plainly replaces what differs from run to run, and indents.
func (p *playground) plainly(out string) string {
	out = strings.NewReplacer(p.hidden...).Replace(out)
	for _, v := range volatile {
		out = v.what.ReplaceAllString(out, v.as)
	}
	var b strings.Builder
	for line := range strings.Lines(out) {
		b.WriteString(strings.TrimRight(indent+line, " \n") + "\n")
	}
	return b.String()
}

var prompt = regexp.MustCompile(`^(\$|\w+)([>?]?) (.*)$`)

// How long a repeated step may take to print what is wanted; with -update, how long it must have printed the same.
const (
	withinStep = 2 * time.Minute
	settled    = 4 * time.Second
)

// play does every step and compares what it prints.
func (d *dialogue) play(t *testing.T, p *playground) {
	t.Helper()
	for i := range d.steps {
		s := &d.steps[i]
		if s.line == "" || strings.HasPrefix(s.line, "#") {
			continue
		}
		m := prompt.FindStringSubmatch(s.line)
		if m == nil || p.say[m[1]] == nil {
			t.Fatalf("%q is no step", s.line)
		}
		do := func() string { return p.plainly(p.say[m[1]](t, m[3])) }
		got := do()
		if m[2] == "?" {
			got = d.repeat(t, s, got, do)
		}
		if *update {
			s.want = got
		} else if got != s.want {
			t.Fatalf("%s\nprints:\n%s\nwanted:\n%s", s.line, got, s.want)
		}
	}
}

// repeat does a step until it prints what is wanted.
func (d *dialogue) repeat(t *testing.T, s *step, got string, do func() string) string {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	since, began := time.Now(), time.Now()
	for time.Since(began) < withinStep {
		if got == s.want && (!*update || got != "") || *update && got != "" && time.Since(since) > settled && promised(got, s.want) {
			break
		}
		<-tick.C
		if next := do(); next != got {
			got, since = next, time.Now()
		}
	}
	return got
}

// promised says whether what is printed has the causes that the step's author wrote down; with -update they are what is waited for.
func promised(got, want string) bool {
	for line := range strings.Lines(want) {
		if cause := strings.TrimSpace(line); strings.HasPrefix(cause, "cause: ") && !strings.Contains(got, cause) {
			return false
		}
	}
	return true
}

// playAll plays every dialogue of a folder; prepare adds to the playground what the folder's dialogues need.
func playAll(t *testing.T, folder string, prepare func(t *testing.T, d *dialogue) *playground) {
	paths, err := filepath.Glob(filepath.Join("testdata", "faults", folder, "*.txt"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no dialogues: %v", err)
	}
	slices.Sort(paths)
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			d := readDialogue(t, path)
			d.play(t, prepare(t, d))
			if *update {
				d.write(t, path)
			}
		})
	}
}

// TestFaultsInFiles plays what can be seen without any system, or with none that answers.
func TestFaultsInFiles(t *testing.T) {
	playAll(t, "files", func(t *testing.T, d *dialogue) *playground {
		env := map[string]string{}
		for line := range strings.Lines(d.files["env"]) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			env[name] = value
		}
		return newPlayground(t, d, env)
	})
}

// causesIn lists the causes of an error's faults, for what only the end of a command shows.
func causesIn(err error) string {
	faults, _ := allFaults(err)
	var causes []string
	for _, f := range faults {
		if f.Cause != "" && !slices.Contains(causes, string(f.Cause)) {
			causes = append(causes, string(f.Cause))
		}
	}
	if len(causes) == 0 {
		return ""
	}
	return "cause: " + strings.Join(causes, ", ") + "\n"
}
