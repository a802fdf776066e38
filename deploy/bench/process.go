package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a running shelfstream, measured from outside.
type process struct {
	cmd  *exec.Cmd
	log  *os.File
	done chan error
	at   time.Time
}

// start writes the files and runs `shelfstream ARGS -config pipeline.yaml` in a directory of its own.
func (b *bench) start(ctx context.Context, name string, files map[string]string, args ...string) (*process, error) {
	dir := filepath.Join(b.dir, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	for f, text := range files {
		if err := os.WriteFile(filepath.Join(dir, f), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, b.binary, append(args, "-config", "pipeline.yaml")...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, log, log
	cmd.Env = append(os.Environ(), "ERP_DSN="+b.servers.pgDSN, "SHOP_DSN="+b.servers.myDSN)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 15 * time.Second
	p := &process{cmd: cmd, log: log, done: make(chan error, 1), at: time.Now()}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start shelfstream: %w", err)
	}
	go func() { p.done <- cmd.Wait() }()
	return p, nil
}

// stop ends the process with SIGTERM.
func (p *process) stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	err := <-p.done
	p.done <- err
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() != 0 {
		text, _ := os.ReadFile(p.log.Name())
		return fmt.Errorf("shelfstream ended with %d:\n%s", exit.ExitCode(), tail(string(text), 20))
	}
	return nil
}

// alive gives the log's tail as an error if the process has ended.
func (p *process) alive() error {
	select {
	case err := <-p.done:
		p.done <- err
		text, _ := os.ReadFile(p.log.Name())
		return fmt.Errorf("shelfstream ended: %w\n%s", err, tail(string(text), 20))
	default:
		return nil
	}
}

func tail(s string, n int) string {
	l := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(l[max(0, len(l)-n):], "\n")
}

// usage is what a process has used so far.
type usage struct {
	cpu float64 // user and system seconds
	rss float64 // highest resident set, MiB
}

func (p *process) usage() usage {
	pid := p.cmd.Process.Pid
	var u usage
	if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err == nil {
		f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+2:]))
		user, _ := strconv.ParseFloat(f[11], 64)
		sys, _ := strconv.ParseFloat(f[12], 64)
		u.cpu = (user + sys) / 100
	}
	if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)); err == nil {
		for line := range strings.Lines(string(b)) {
			if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
				kib, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
				u.rss = kib / 1024
			}
		}
	}
	return u
}

// poll looks again every interval until ok, the process ends, or the time is over.
func (p *process) poll(ctx context.Context, what string, limit, every time.Duration, ok func() (bool, error)) error {
	deadline := time.Now().Add(limit)
	for {
		if done, err := ok(); done || err != nil {
			return err
		}
		if p != nil {
			if err := p.alive(); err != nil {
				return err
			}
		}
		if time.Now().After(deadline) {
			text := ""
			if p != nil {
				b, _ := os.ReadFile(p.log.Name())
				text = tail(string(b), 20)
			}
			return fmt.Errorf("waited %s for %s\n%s", limit, what, text)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(every):
		}
	}
}
