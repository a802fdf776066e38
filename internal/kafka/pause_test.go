package kafka

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// atExit ends what tests of this package share.
var atExit []func()

// TestMain lets the test binary be a group member in a process of its own: SIGSTOP stops whole processes.
func TestMain(m *testing.M) {
	if addr := os.Getenv("KAFKA_TEST_MEMBER"); addr != "" {
		if err := memberProcess(addr, os.Getenv("KAFKA_TEST_TOPIC")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	code := m.Run()
	for _, end := range atExit {
		end()
	}
	os.Exit(code)
}

// memberProcess prints "have N" for each generation and "over <ms since the process last ran>" when it ends, until its input ends.
func memberProcess(addr, topic string) error {
	c, err := Open(Config{Brokers: []string{addr}})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	err = c.RunGroup(ctx, mortalConfig(topic), func(ctx context.Context, g Generation) error {
		fmt.Println("have", len(g.Assignment[topic]))
		// A busy worker: it notices how long it could go on after waking.
		last := time.Now()
		for ctx.Err() == nil {
			if now := time.Now(); now.Sub(last) > time.Second {
				woke := now
				<-ctx.Done()
				fmt.Println("over", time.Since(woke).Milliseconds())
				return nil
			}
			last = time.Now()
			select {
			case <-ctx.Done():
			case <-time.After(time.Millisecond):
			}
		}
		fmt.Println("over 0")
		return nil
	})
	if ctx.Err() == nil {
		return err
	}
	return nil
}

// pausedMember stops a member for longer than its session, lets another take over, and continues it.
func pausedMember(t *testing.T, addr string) {
	t.Helper()
	c := client(t, addr)
	name := topic(t, c, 4)
	ctx := within(t, 90*time.Second)
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), "KAFKA_TEST_MEMBER="+addr, "KAFKA_TEST_TOPIC="+name)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	next := func(prefix string) string {
		t.Helper()
		for lines.Scan() {
			if rest, ok := strings.CutPrefix(lines.Text(), prefix); ok {
				return rest
			}
		}
		t.Fatalf("the member ended without saying %q: %v", prefix, lines.Err())
		return ""
	}
	next("have 4")
	if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	r := newRoster(t)
	leave := r.join(c, "other", mortalConfig(name))
	r.await(ctx, name, 4)
	if err := cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	var ms int
	if _, err := fmt.Sscan(next("over "), &ms); err != nil || ms > 500 {
		t.Fatalf("its work went on for %d ms after it woke, %v", ms, err)
	}
	next("have 2")
	r.await(ctx, name, 2)
	if leave(); ctx.Err() != nil {
		t.Fatal(ctx.Err())
	}
	next("have 4")
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
}

func TestPausedMemberLosesItsWork(t *testing.T) { pausedMember(t, cluster(t).ListenAddrs()[0]) }
