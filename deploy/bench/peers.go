package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// peers is a directory with the peers' scripts: bench/bench.py measures them, results/results.jsonl holds what it measured.
type peers struct{ dir string }

// start brings the peers' servers up and gives their addresses, as the peers' README says.
func (p *peers) start(ctx context.Context) (*servers, error) {
	if err := p.sh(ctx, "scripts/up.sh"); err != nil {
		return nil, err
	}
	return &servers{
		pgDSN: "postgres://postgres@127.0.0.1:55432/shop?sslmode=disable",
		myDSN: "peer:peer@tcp(127.0.0.1:53306)/shop", brokers: "127.0.0.1:59092",
		stop: func() error { return p.sh(context.Background(), "scripts/down.sh") },
	}, nil
}

func (p *peers) sh(ctx context.Context, script string, args ...string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(p.dir, script), args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = p.dir, os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("peers: %s: %w", script, err)
	}
	return nil
}

// measure runs functions of the peers' bench.py and gives the lines that they wrote.
func (p *peers) measure(ctx context.Context, call string) ([]map[string]any, error) {
	results := filepath.Join(p.dir, "results", "results.jsonl")
	before, _ := os.ReadFile(results)
	cmd := exec.CommandContext(ctx, filepath.Join(p.dir, "venv", "bin", "python"), "-c", "from bench import *; "+call)
	cmd.Dir, cmd.Stderr = p.dir, os.Stderr
	cmd.Env = append(os.Environ(), "PYTHONPATH="+filepath.Join(p.dir, "bench"))
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("peers: %s: %w", call, err)
	}
	f, err := os.Open(results)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if _, err := f.Seek(int64(len(before)), 0); err != nil {
		return nil, err
	}
	var rows []map[string]any
	sc := bufio.NewScanner(f)
	for sc.Scan() {
		var m map[string]any
		if err := json.Unmarshal(sc.Bytes(), &m); err != nil {
			return nil, fmt.Errorf("results.jsonl: %w", err)
		}
		rows = append(rows, m)
	}
	return rows, sc.Err()
}

// field reads a number of a result line; false if it is not there.
func field(m map[string]any, name string) (float64, bool) {
	switch v := m[name].(type) {
	case float64:
		return v, true
	case string:
		f, err := strconv.ParseFloat(v, 64)
		return f, err == nil
	default:
		return 0, false
	}
}

// collect adds a figure of every line to a series.
func collect(s *series, rows []map[string]any, name string) {
	for _, m := range rows {
		if v, ok := field(m, name); ok {
			s.add(v)
		}
	}
}
