package testenv

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Binary is a shelfstream program built from the present source.
type Binary struct {
	// Path of the executable.
	Path string
}

// BuildBinary builds cmd/shelfstream of the module that the working directory lies in, into dir. Build it once for a package, in TestMain. With race the
// program reports data races and exits with 66 at its end if there were any.
func BuildBinary(ctx context.Context, dir string, race bool) (*Binary, error) {
	root, err := ModuleRoot()
	if err != nil {
		return nil, err
	}
	out := filepath.Join(dir, "shelfstream")
	args := []string{"build", "-o", out}
	if race {
		args = append(args, "-race")
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "./cmd/shelfstream")...)
	cmd.Dir = root
	if b, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build shelfstream: %w\n%s", err, b)
	}
	return &Binary{Path: out}, nil
}

// ModuleRoot is the nearest directory upwards from the working directory that holds go.mod.
func ModuleRoot() (string, error) {
	d, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		_, err := os.Stat(filepath.Join(d, "go.mod"))
		if err == nil {
			return d, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		if d == filepath.Dir(d) {
			return "", errors.New("no go.mod above the working directory")
		}
		d = filepath.Dir(d)
	}
}

// ProcessConfig says how to run the program.
type ProcessConfig struct {
	// Name for messages, e.g. "sink 2".
	Name string
	Args []string
	// Env is added to this process's environment, as NAME=value.
	Env []string
	// Dir is the working directory; "" = this process's.
	Dir string
	// Log takes what the program prints (appended).
	Log string
	// Admin is host:port of the program's admin listener, for WaitReady; "" if it has none.
	Admin string
}

// Process is a running shelfstream. It dies with this process.
type Process struct {
	child *child
	admin string
}

// Start runs the program; it returns when the process exists, see WaitReady.
func (b *Binary) Start(cfg ProcessConfig) (*Process, error) {
	name := cfg.Name
	if name == "" {
		name = "shelfstream " + strings.Join(cfg.Args[:min(1, len(cfg.Args))], "")
	}
	c, err := start(command{name: name, path: b.Path, args: cfg.Args, env: append(os.Environ(), cfg.Env...), dir: cfg.Dir, log: cfg.Log})
	if err != nil {
		return nil, err
	}
	return &Process{child: c, admin: cfg.Admin}, nil
}

// FreeAddr is 127.0.0.1 with a port that nobody listens on, outside the range that the system gives to clients.
func FreeAddr() (string, error) {
	p, err := freePort()
	return hostPort(p), err
}

// WaitReady waits until /readyz of the admin listener answers 200. It fails when the process ends, with the end of its log.
func (p *Process) WaitReady(ctx context.Context, timeout time.Duration) error {
	client := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	return p.child.ready(ctx, timeout, func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.admin+"/readyz", http.NoBody)
		if err != nil {
			return err
		}
		res, err := client.Do(req)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		if res.StatusCode != http.StatusOK {
			return fmt.Errorf("/readyz: %s", res.Status)
		}
		return nil
	})
}

// Stop sends SIGTERM and waits for the end; it is an error if that takes longer than 30 s or the exit code is not 0.
func (p *Process) Stop(ctx context.Context) error {
	if err := p.child.stop(ctx, syscall.SIGTERM); err != nil {
		return err
	}
	if p.child.err != nil {
		return fmt.Errorf("%s: %w; its log ends:\n%s", p.child.name, p.child.err, p.LogTail(20))
	}
	return nil
}

// Wait waits for the process to end by itself and gives its exit code; -1 if a signal ended it.
func (p *Process) Wait(ctx context.Context) (int, error) {
	select {
	case <-p.child.done:
	case <-ctx.Done():
		return 0, fmt.Errorf("wait for %s to end: %w; its log ends:\n%s", p.child.name, ctx.Err(), p.LogTail(20))
	}
	var exit *exec.ExitError
	if errors.As(p.child.err, &exit) {
		return exit.ExitCode(), nil
	}
	return 0, p.child.err
}

// Kill sends SIGKILL and waits until the process is gone.
func (p *Process) Kill() error { return p.child.kill() }

// Pause sends SIGSTOP and returns when the process stands still.
func (p *Process) Pause(ctx context.Context) error { return p.child.pause(ctx) }

// Continue sends SIGCONT.
func (p *Process) Continue() error { return p.child.resume() }

// Signal sends any other signal.
func (p *Process) Signal(sig syscall.Signal) error { return p.child.signal(sig) }

// Running tells whether the process has not ended.
func (p *Process) Running() bool { return p.child.running() }

// PID is the process id.
func (p *Process) PID() int { return p.child.pid }

// Memory is the resident set now and its highest value so far, in bytes (VmRSS and VmHWM). Read it before the end.
func (p *Process) Memory() (rss, peak int64, err error) { return memory(p.child.pid) }

// CPUSeconds is the user and system time used so far. Read it before the end.
func (p *Process) CPUSeconds() (float64, error) { return cpuSeconds(p.child.pid) }

// LogTail is the end of what the program printed.
func (p *Process) LogTail(lines int) string { return tail(p.child.log, lines) }
