package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/status/escalate"
)

// CommandConfig is a program of this machine.
type CommandConfig struct {
	Name    string // of the channel
	Run     []string
	Env     map[string]string
	Timeout time.Duration
}

// Command runs a program for each message, which it gets as JSON (Payload) on its standard input. Exit code 0 means that the message is on its way.
type Command struct{ cfg CommandConfig }

// NewCommand makes the channel.
func NewCommand(cfg CommandConfig) *Command { return &Command{cfg} }

var _ Channel = (*Command)(nil)

// Kind is "command".
func (*Command) Kind() string { return "command" }

// Send runs the program until it ends, or its time is over: then it is killed with all its children.
func (s *Command) Send(ctx context.Context, to string, m escalate.Message, c Content) (int64, error) {
	body, err := json.Marshal(payload(to, m, &c))
	if err != nil {
		return 0, s.fault(fault.ChannelCommand, "the message cannot be written as JSON", err, "")
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.cfg.Run[0], s.cfg.Run[1:]...)
	cmd.Stdin = bytes.NewReader(body)
	said := &tail{most: 500}
	cmd.Stdout, cmd.Stderr = said, said
	cmd.Env = s.environment()
	// A group of its own, so that what the program started ends with it; a child that holds the pipes open is not waited for long.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	err = cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil || errors.Is(err, exec.ErrWaitDelay):
		return int64(len(body)), nil
	case ctx.Err() != nil:
		return 0, s.fault(fault.ChannelTimeout, "the program did not end in "+s.cfg.Timeout.String()+" and was killed", said.err(), "find out what it waits for, or give it more time with 'timeout'")
	case errors.As(err, &exit):
		return 0, s.fault(fault.ChannelCommand, fmt.Sprintf("the program ended with %s", exit.ProcessState), said.err(), "run it by hand with the JSON of a test message; it has to end with exit code 0")
	}
	return 0, s.fault(fault.ChannelCommand, "the program cannot be started", err, "correct 'run' of the channel: the whole path of a program that this process may execute")
}

// environment has none of our own secrets in it.
func (s *Command) environment() []string {
	var out []string
	for _, name := range []string{"PATH", "HOME", "USER", "LANG", "TZ", "TMPDIR"} {
		if v, ok := os.LookupEnv(name); ok {
			out = append(out, name+"="+v)
		}
	}
	for name, v := range s.cfg.Env {
		out = append(out, name+"="+v)
	}
	return out
}

func (s *Command) fault(cause fault.Cause, what string, err error, fix string) error {
	return &fault.Fault{Class: fault.Environment, Cause: cause, Where: "channel " + s.cfg.Name + ": " + s.cfg.Run[0], What: what, Err: err, Fix: fix}
}

// tail keeps the end of what a program said.
type tail struct {
	most int
	text []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.text = append(t.text, b...)
	if n := len(t.text) - t.most; n > 0 {
		t.text = append(t.text[:0], t.text[n:]...)
	}
	return len(b), nil
}

func (t *tail) err() error {
	if text := strings.TrimSpace(strings.ToValidUTF8(string(t.text), "")); text != "" {
		return errors.New(oneLine(text))
	}
	return nil
}
