// Command bench measures Shelfstream against the limits of the databases and, where they are installed, against its peers, on the same
// tables and the same servers in one run:
//
//	go run ./deploy/bench [-peers DIR] [-runs N] [-only case,case] [-rows N]
//
// DIR is a directory with the peers' scripts (Kafka, PostgreSQL, MariaDB, Debezium and its JDBC sink), set up. Without it the servers are
// started by the project's own testenv and the peers' columns stay empty. Results go to deploy/bench/results.json and RESULTS.md.
//
// The machine is noisy: read ratios, not absolutes. Every case runs the peer, the limit and ours in turn.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is one run of the program.
type bench struct {
	peers   *peers
	servers *servers
	binary  string
	dir     string
	runs    int
	rows    int
	uid     int
	results []*result
}

// cases in the order in which they run; each appends its results.
var cases = []struct {
	name string
	run  func(*bench, context.Context) error
}{
	{"eval", (*bench).eval},
	{"pg_snapshot", (*bench).snapshotPG},
	{"pg_backlog", (*bench).backlogPG},
	{"my_snapshot", (*bench).snapshotMy},
	{"my_backlog", (*bench).backlogMy},
	{"latency", (*bench).latency},
	{"sink_drain", (*bench).sinkDrain},
	{"whole_way", (*bench).wholeWay},
}

func run(ctx context.Context, args []string) (err error) {
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	dir := fs.String("peers", os.Getenv("SHELFSTREAM_PEERS"), "directory of the peers, set up; empty = measure without them")
	runs := fs.Int("runs", 3, "repetitions of each case; the median counts")
	only := fs.String("only", "", "cases to run, with commas between; others keep their rows in results.json")
	rows := fs.Int("rows", 1_000_000, "rows of the products table")
	out := fs.String("out", "deploy/bench", "where results.json and RESULTS.md go")
	if err := fs.Parse(args); err != nil {
		return err
	}
	b := &bench{runs: *runs, rows: *rows, uid: int(time.Now().Unix() % 1_000_000)}
	if b.dir, err = os.MkdirTemp("", "shelfstream-bench-"); err != nil {
		return fmt.Errorf("make a directory: %w", err)
	}
	defer os.RemoveAll(b.dir)
	if err := os.Chmod(b.dir, 0o755); err != nil {
		return err
	}
	if b.binary, err = build(ctx, b.dir); err != nil {
		return err
	}
	if *dir != "" {
		b.peers = &peers{dir: *dir}
	}
	if b.servers, err = startServers(ctx, b.dir, b.peers); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.servers.stop()) }()
	if err := b.servers.load(ctx, b.rows); err != nil {
		return err
	}
	if err := os.MkdirAll(*out, 0o755); err != nil {
		return err
	}
	if err := b.readResults(*out); err != nil {
		return err
	}
	want := strings.FieldsFunc(*only, func(r rune) bool { return r == ',' })
	for _, c := range cases {
		if len(want) > 0 && !slices.Contains(want, c.name) {
			continue
		}
		say("case %s", c.name)
		if err := c.run(b, ctx); err != nil {
			return fmt.Errorf("case %s: %w", c.name, err)
		}
		if err := b.write(ctx, *out); err != nil {
			return err
		}
	}
	return nil
}

func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s %s\n", time.Now().Format(time.TimeOnly), fmt.Sprintf(format, args...))
}
