package testenv

import (
	"context"
	"errors"
	"sync"
	"syscall"
	"time"
)

// server is what all servers have in common: a process that can be ended and started again on the same port and data.
type server struct {
	place   place
	command command
	timeout time.Duration                   // to readiness
	probe   func(ctx context.Context) error // a real request
	stopSig syscall.Signal                  // asks for a clean end
	retry   func(logTail string) bool       // a start that failed this way is tried again until the timeout

	mu    sync.Mutex
	child *child
}

// Restart starts the server again after Stop or Kill, on the same port and data, and returns when it answers. A server that still runs is
// stopped first.
func (s *server) Restart(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.child.stop(ctx, s.stopSig); err != nil {
		return err
	}
	end := time.Now().Add(s.timeout)
	for {
		c, err := start(s.command)
		if err != nil {
			return err
		}
		s.child = c
		err = c.ready(ctx, time.Until(end), s.probe)
		if err == nil {
			return nil
		}
		again := !c.running() && s.retry != nil && s.retry(tail(c.log, 10)) && time.Now().Before(end) && ctx.Err() == nil
		if kerr := c.kill(); kerr != nil {
			return errors.Join(err, kerr)
		}
		if !again {
			return err
		}
	}
}

// Stop ends the server cleanly and waits for it. The data stays for Restart.
func (s *server) Stop(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.child.stop(ctx, s.stopSig)
}

// Kill ends the server with SIGKILL, as a crash would, together with the processes it made, and returns when it is gone.
func (s *server) Kill() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.child.running() {
		return nil
	}
	family := children(s.child.pid)
	err := s.child.kill()
	for _, pid := range family {
		if kerr := syscall.Kill(pid, syscall.SIGKILL); kerr != nil && !errors.Is(kerr, syscall.ESRCH) {
			err = errors.Join(err, kerr)
		}
	}
	return err
}

// Pause stops the server with SIGSTOP: its connections stay open and nothing answers. It returns when it stands still. Only the main process is
// stopped, so it is of little use with PostgreSQL, which answers from a process for each connection; cut or stall a Proxy there.
func (s *server) Pause(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.child.pause(ctx)
}

// Continue lets a paused server go on.
func (s *server) Continue() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.child.resume()
}

// PID is the process id of the running server, 0 if it does not run.
func (s *server) PID() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.child.running() {
		return 0
	}
	return s.child.pid
}

// Dir is the directory that holds the server's data and log.
func (s *server) Dir() string { return s.place.dir }

// LogTail is the end of the server's log, for a test's message.
func (s *server) LogTail(lines int) string { return tail(s.command.log, lines) }

// Close ends the server at once and removes its directory if Start made it.
func (s *server) Close() error {
	return errors.Join(s.Kill(), s.place.remove())
}

// Memory is the resident set of the main process now and its highest value so far, in bytes.
func (s *server) Memory() (rss, peak int64, err error) { return memory(s.PID()) }

// CPUSeconds is the user and system time that the main process and the processes it made have used so far.
func (s *server) CPUSeconds() (float64, error) {
	pid := s.PID()
	total, err := cpuSeconds(pid)
	for _, c := range children(pid) {
		t, cerr := cpuSeconds(c)
		if cerr == nil { // a back end may have ended meanwhile
			total += t
		}
	}
	return total, err
}
