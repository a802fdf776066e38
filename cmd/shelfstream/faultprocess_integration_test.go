//go:build integration

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"shelfstream/internal/testenv"
)

// The section "process" has the pipeline run in a process of its own, whose disk can break. More prompts:
//
//	disk>   break: from now on every write of the process to a file fails in the middle
//	ended>  what the process said when it ended by itself
//
// The process is this test's program: the one that people run says a fault's words, and not its cause.

// playedLine is the variable that makes the test's program run a command line instead of tests.
const playedLine = "SHELFSTREAM_PLAYED_LINE"

// playProcess runs a command line, and prints the causes of what it ended with as well.
func playProcess(line string) int {
	p := &program{stdout: os.Stdout, env: os.LookupEnv, version: "v1.2.3", screen: newScreen(os.Stderr, false)}
	ctx, cancel := context.WithCancelCause(context.Background())
	go onSignal(p, cancel)
	err := p.dispatch(ctx, strings.Split(line, "\x1f"))
	code := p.ended(err)
	_, _ = io.WriteString(os.Stderr, causesIn(err))
	_, _ = fmt.Fprintf(os.Stderr, "exit code %d\n", code)
	return code
}

// runInProcess starts a command line in a process of its own. A write beyond the limit on a file's size, which breaking the disk sets, is then an error and no signal; what is printed goes
// through a pipe, which has no such limit.
func (f *faultWorld) runInProcess(t *testing.T, line string) {
	t.Helper()
	f.env[playedLine] = strings.Join(f.arguments(line), "\x1f")
	var env []string
	for name, value := range f.env {
		env = append(env, name+"="+value)
	}
	p, err := (&testenv.Binary{Path: "bash"}).Start(testenv.ProcessConfig{
		Name: line, Env: env, Log: filepath.Join(f.dir, "run.log"), Args: []string{"-c", `exec env --block-signal=XFSZ "$0" > >(cat) 2>&1`, os.Args[0]},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeServer(t, p.Kill) })
	f.process = p
	f.say["disk"], f.say["ended"] = f.breakDisk, f.ended
}

func (f *faultWorld) breakDisk(t *testing.T, _ string) string {
	t.Helper()
	if err := unix.Prlimit(f.process.PID(), unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 1, Max: unix.RLIM_INFINITY}, nil); err != nil {
		t.Fatal(err)
	}
	return ""
}

// ended waits for the process's end, and gives what it said but for its log.
func (f *faultWorld) ended(t *testing.T, _ string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), withinStep)
	defer cancel()
	if _, err := f.process.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	for tick := time.NewTicker(20 * time.Millisecond); ; <-tick.C { // the last of it is on its way through the pipe
		text, err := os.ReadFile(filepath.Join(f.dir, "run.log"))
		if err != nil || ctx.Err() != nil {
			t.Fatal(err, ctx.Err())
		}
		if strings.Contains(string(text), "exit code") {
			var said strings.Builder
			for line := range strings.Lines(string(text)) {
				// But for what else could not be written at the end, and the line between.
				if !strings.HasPrefix(line, "time=") && !strings.HasPrefix(line, "error: ") && strings.TrimSpace(line) != "" {
					said.WriteString(line)
				}
			}
			return said.String()
		}
	}
}
