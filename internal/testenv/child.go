package testenv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"shelfstream/internal/fault"
)

// stopGrace is how long a server may take to end after SIGTERM before it is killed and Stop reports it.
const stopGrace = 30 * time.Second

// command says how to start a child process.
type command struct {
	name string // for messages: "PostgreSQL"
	path string
	args []string
	env  []string // nil = our own environment
	dir  string
	log  string // file that takes stdout and stderr, appended to
	user *account
}

// child is one process that we started. Its exit is collected by the goroutine that started it; done closes after that.
type child struct {
	name string
	log  string
	pid  int
	done chan struct{}
	err  error // how it ended; read after done
}

// start runs c and returns as soon as the process exists.
//
// The kernel sends the parent-death signal when the *thread* that forked ends, not the process. So the goroutine that forks locks
// itself to its thread and keeps it until the child has ended.
func start(c command) (*child, error) {
	if err := os.MkdirAll(filepath.Dir(c.log), 0o755); err != nil {
		return nil, fmt.Errorf("make log directory: %w", err)
	}
	out, err := os.OpenFile(c.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	ch := &child{name: c.name, log: c.log, done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer out.Close()
		//nolint:noctx // the life of a server is not that of the context that started it; Stop and Kill end it
		cmd := exec.Command(c.path, c.args...)
		cmd.Stdout, cmd.Stderr = out, out
		cmd.Dir, cmd.Env = c.dir, c.env
		cmd.SysProcAttr = sysProcAttr(c.user)
		if err := cmd.Start(); err != nil {
			started <- err
			return
		}
		ch.pid = cmd.Process.Pid
		started <- nil
		ch.err = cmd.Wait()
		close(ch.done)
	}()
	if err := <-started; err != nil {
		return nil, &fault.Fault{Class: fault.Environment, Where: c.name, What: "cannot start " + c.path, Fix: "check that it can be executed by this user", Err: err}
	}
	return ch, nil
}

// running tells whether the process has not ended yet.
func (c *child) running() bool {
	if c == nil {
		return false
	}
	select {
	case <-c.done:
		return false
	default:
		return true
	}
}

// signal sends sig to this process by its pid; it is nothing if the process has ended.
func (c *child) signal(sig syscall.Signal) error {
	if !c.running() {
		return nil
	}
	if err := syscall.Kill(c.pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("signal %s (pid %d): %w", c.name, c.pid, err)
	}
	return nil
}

// stop sends sig and waits for the end; past the grace time or ctx the process is killed and that is the error.
func (c *child) stop(ctx context.Context, sig syscall.Signal) error {
	if !c.running() {
		return nil
	}
	if err := c.signal(sig); err != nil {
		return err
	}
	// A stopped (SIGSTOP) process does not see a signal before it is continued.
	if err := c.signal(syscall.SIGCONT); err != nil {
		return err
	}
	t := time.NewTimer(stopGrace)
	defer t.Stop()
	select {
	case <-c.done:
		return nil
	case <-ctx.Done():
	case <-t.C:
	}
	if err := c.kill(); err != nil {
		return err
	}
	return fmt.Errorf("%s did not end after %s and was killed; its log ends:\n%s", c.name, sig, tail(c.log, 20))
}

// kill sends SIGKILL and waits until the process is gone.
func (c *child) kill() error {
	if err := c.signal(syscall.SIGKILL); err != nil {
		return err
	}
	if c != nil {
		<-c.done
	}
	return nil
}

// pause stops the process with SIGSTOP and waits until the kernel says that all of it stands still.
func (c *child) pause(ctx context.Context) error {
	if err := c.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	return WaitFor(ctx, c.name+" to stand still", func() (bool, error) { return stopped(c.pid) })
}

func (c *child) resume() error { return c.signal(syscall.SIGCONT) }

// failed describes an unexpected end or a start that did not come to readiness, with the end of the log.
func (c *child) failed(what string, cause error) error {
	if !c.running() {
		what += fmt.Sprintf("; the process ended (%v)", c.err)
	}
	return &fault.Fault{
		Class: fault.Environment, Where: c.name, Err: cause,
		What: what + "; its log " + c.log + " ends:\n" + tail(c.log, 30),
	}
}

// ready polls probe until it succeeds, the process ends, or ctx does.
func (c *child) ready(ctx context.Context, timeout time.Duration, probe func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for {
		pctx, pcancel := context.WithTimeout(ctx, 5*time.Second)
		err := probe(pctx)
		pcancel()
		if err == nil {
			return nil
		}
		t := time.NewTimer(25 * time.Millisecond)
		select {
		case <-c.done:
			t.Stop()
			return c.failed("did not become ready", err)
		case <-ctx.Done():
			t.Stop()
			return c.failed(fmt.Sprintf("did not become ready within %v", timeout), err)
		case <-t.C:
		}
	}
}
