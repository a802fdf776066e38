package testenv

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"shelfstream/internal/fault"
)

// TestMain lets this test binary stand in for a server: started with SHELFSTREAM_TEST_CHILD it says so and waits for its end.
func TestMain(m *testing.M) {
	switch os.Getenv("SHELFSTREAM_TEST_CHILD") {
	case "":
		os.Exit(m.Run())
	case "parent":
		exe, err := os.Executable()
		if err == nil {
			var p *Process
			p, err = (&Binary{Path: exe}).Start(ProcessConfig{Env: []string{"SHELFSTREAM_TEST_CHILD=wait"}, Log: os.Getenv("SHELFSTREAM_TEST_LOG")})
			if err == nil {
				fmt.Println("child", p.PID())
				select {}
			}
		}
		fmt.Println(err)
		os.Exit(1)
	case "fail":
		io.WriteString(os.Stdout, "first\nlast words\n")
		os.Exit(3)
	default:
		io.WriteString(os.Stdout, "up\n")
		select {}
	}
}

func startSelf(t *testing.T, mode string, env ...string) *Process {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p, err := (&Binary{Path: exe}).Start(ProcessConfig{Name: "self", Env: append(env, "SHELFSTREAM_TEST_CHILD="+mode), Log: filepath.Join(t.TempDir(), "self.log"), Admin: "127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Kill(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func TestProcessPausesContinuesAndEnds(t *testing.T) {
	ctx := t.Context()
	p := startSelf(t, "wait")
	up := func() (bool, error) { return strings.Contains(p.LogTail(5), "up"), nil }
	if err := WaitFor(ctx, "the child's first line", up); err != nil {
		t.Fatal(err)
	}
	if err := p.Pause(ctx); err != nil {
		t.Fatal(err)
	}
	if s, err := processState(p.PID()); err != nil || s != 'T' {
		t.Errorf("state %c, %v; want T", s, err)
	}
	rss, peak, err := p.Memory()
	if err != nil || rss <= 0 || peak < rss {
		t.Errorf("memory %d, peak %d, %v", rss, peak, err)
	}
	if _, err := p.CPUSeconds(); err != nil {
		t.Error(err)
	}
	// SIGTERM reaches a stopped process only once it is continued; Stop sees to that.
	err = p.Stop(ctx)
	if p.Running() {
		t.Error("runs after Stop")
	}
	if err == nil || !strings.Contains(err.Error(), "terminated") {
		t.Errorf("Stop of a program that SIGTERM killed: %v", err)
	}
	if err := p.Signal(syscall.SIGCONT); err != nil {
		t.Errorf("a signal to an ended process: %v", err)
	}
}

func TestChildrenDieWithTheProcessThatStartedThem(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Log("the parent-death signal is Linux's")
		return
	}
	p := startSelf(t, "parent", "SHELFSTREAM_TEST_LOG="+filepath.Join(t.TempDir(), "grandchild.log"))
	var pid int
	err := WaitFor(t.Context(), "the grandchild", func() (bool, error) {
		_, err := fmt.Sscanf(p.LogTail(1), "child %d", &pid)
		return err == nil, nil
	})
	if err != nil {
		t.Fatal(err, p.LogTail(10))
	}
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	err = WaitFor(t.Context(), "the grandchild's end", func() (bool, error) {
		s, err := processState(pid)
		return err != nil || s == 'Z', nil // an orphan may stay as Z until init collects it
	})
	if err != nil {
		t.Error(err)
	}
}

func TestProcessThatEndsShowsItsLog(t *testing.T) {
	p := startSelf(t, "fail")
	err := p.WaitReady(t.Context(), time.Minute)
	var f *fault.Fault
	if !errors.As(err, &f) || !strings.Contains(err.Error(), "last words") || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("WaitReady: %v", err)
	}
	if code, err := p.Wait(t.Context()); code != 3 || err != nil {
		t.Errorf("Wait: %d, %v", code, err)
	}
}

func TestWaitForSaysWhatItWaitedFor(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	err := WaitFor(ctx, "the moon", func() (bool, error) { return false, nil })
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "the moon") {
		t.Error(err)
	}
	boom := errors.New("boom")
	if err := WaitFor(t.Context(), "x", func() (bool, error) { return false, boom }); !errors.Is(err, boom) {
		t.Error(err)
	}
}

func TestMissingServersAreFaultsWithARemedy(t *testing.T) {
	t.Setenv(EnvPostgresBin, t.TempDir())
	_, _, err := FindPostgres(t.Context())
	checkFault(t, err, "scripts/install.sh")
	t.Setenv(EnvKafkaJars, t.TempDir())
	_, _, err = FetchKafka(t.Context())
	checkFault(t, err, EnvKafkaJars)
	t.Setenv("PATH", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_CACHE_HOME", "")
	_, err = FastavroPython(t.Context())
	checkFault(t, err, "scripts/install.sh --test")
	if l := Missing(t.Context(), true); len(l) < 2 {
		t.Errorf("Missing: %v", l)
	}
}

func checkFault(t *testing.T, err error, fix string) {
	t.Helper()
	var f *fault.Fault
	if !errors.As(err, &f) || f.Class != fault.Environment || !strings.Contains(f.Fix+f.Where, fix) {
		t.Errorf("%v is not an environment fault that names %s", err, fix)
	}
}

// echo answers each line with itself until the listener closes.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				io.Copy(c, c)
			}()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().String()
}

func TestProxyCutStallHeal(t *testing.T) {
	const patience = time.Minute
	p, err := NewProxy(echo(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	dial := func() net.Conn {
		c, err := net.Dial("tcp", p.Addr())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	exchange := func(c net.Conn, wait time.Duration) error {
		if _, err := c.Write([]byte("hei\n")); err != nil {
			return err
		}
		if err := c.SetReadDeadline(time.Now().Add(wait)); err != nil {
			return err
		}
		_, err := io.ReadFull(c, make([]byte, 4))
		return err
	}
	c := dial()
	if err := exchange(c, patience); err != nil {
		t.Fatal(err)
	}
	if p.Carried() < 4 {
		t.Errorf("carried %d bytes", p.Carried())
	}
	p.Stall()
	if err := exchange(c, 50*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("stalled: %v", err)
	}
	waiting := dial() // accepted while stalled, served once healed
	if err := p.Heal(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []net.Conn{c, waiting} {
		if err := exchange(c, patience); err != nil {
			t.Errorf("after the stall: %v", err)
		}
	}
	p.Cut()
	c.SetReadDeadline(time.Now().Add(patience))
	var n int
	for err = nil; err == nil; _, err = c.Read(make([]byte, 4)) {
		n++
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("cut: %v, want a reset", err)
	}
	if _, err := net.Dial("tcp", p.Addr()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("dial while cut: %v", err)
	}
	p.Cut() // twice is once
	if err := p.Heal(); err != nil {
		t.Fatal(err)
	}
	if err := exchange(dial(), patience); err != nil {
		t.Errorf("after the cut: %v", err)
	}
	p.Close()
	if err := p.Heal(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("heal after close: %v", err)
	}
}

func TestDirectoriesOnTheWayAreOpenedForTheServersUser(t *testing.T) {
	top := filepath.Join(t.TempDir(), "closed")
	if err := os.Mkdir(top, 0o700); err != nil {
		t.Fatal(err)
	}
	p, err := newPlace("x", filepath.Join(top, "in"), &account{uid: uint32(os.Getuid()), gid: uint32(os.Getgid())})
	if err != nil {
		t.Fatal(err)
	}
	st, err := os.Stat(top)
	if err != nil || st.Mode().Perm()&0o001 == 0 {
		t.Errorf("mode %v, %v: others cannot pass", st.Mode(), err)
	}
	if err := p.remove(); err != nil || !p.exists(".") {
		t.Errorf("a directory of the caller's was removed (%v)", err)
	}
}
