//go:build integration

package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"shelfstream/internal/testenv"
	"shelfstream/status"
)

// launch runs the program itself on the world's ERP and shop, with a log section, and waits until it has brought the shop up to date.
func (w *world) launch(t *testing.T, log string) (p *testenv.Process, file string) {
	t.Helper()
	file = w.config(t, log)
	p = w.again(t, file)
	w.converge(t)
	return p, file
}

// again starts the program on a configuration.
func (w *world) again(t *testing.T, file string) *testenv.Process {
	t.Helper()
	var env []string
	for name, value := range w.env {
		env = append(env, name+"="+value)
	}
	p, err := binary(t).Start(testenv.ProcessConfig{Args: []string{"run", "-config", file}, Env: env, Log: filepath.Join(filepath.Dir(file), "run.log")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeServer(t, p.Kill) })
	return p
}

// ends waits for the end of a process and gives its exit code and how long that took.
func ends(t *testing.T, p *testenv.Process, within time.Duration) (code int, took time.Duration) {
	t.Helper()
	began := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	code, err := p.Wait(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return code, time.Since(began)
}

const ownLog = `{ listen: "127.0.0.1:0", registry: { listen: "127.0.0.1:0" } }`

// TestTerminates: SIGTERM ends the program cleanly within 10 s, also while the shop or the log accepts connections and answers nothing; started again, it
// delivers what changed meanwhile.
func TestTerminates(t *testing.T) {
	t.Run("shop stalls", func(t *testing.T) {
		w := newWorld(t)
		servers, err := startServers()
		if err != nil {
			t.Fatal(err)
		}
		proxy, err := testenv.NewProxy(servers.shop.Addr())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(proxy.Close)
		w.env["SHOP_DSN"] = servers.shop.DSNThrough(proxy, "it")
		p, file := w.launch(t, ownLog)
		proxy.Stall()
		w.inERP(t, "UPDATE price SET amount = amount + 1")
		eventually(t, "writing to the shop", 20*time.Second, func() bool { return w.behind(t, file) })
		w.terminate(t, p)
		if err := proxy.Heal(); err != nil {
			t.Fatal(err)
		}
		w.again(t, file)
		w.converge(t)
	})
	t.Run("log stalls", func(t *testing.T) {
		w := newWorld(t)
		broker, p, file := w.launchOnBroker(t)
		if err := broker.Pause(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.inERP(t, "UPDATE price SET amount = amount + 1")
		w.terminate(t, p)
		if err := broker.Continue(); err != nil {
			t.Fatal(err)
		}
		w.again(t, file)
		w.converge(t)
	})
}

// behind says whether the sink has records that the shop has not.
func (w *world) behind(t *testing.T, file string) bool {
	t.Helper()
	r, err := askStatus(t.Context(), newShell(w.env).program, &common{file: file, logForm: "text", logLevel: "info"}, "")
	if err != nil {
		return false
	}
	for i := range r.Stages {
		for _, p := range r.Stages[i].Positions {
			if r.Stages[i].Kind == status.KindSink && p.LagRecords > 0 {
				return true
			}
		}
	}
	return false
}

func (w *world) terminate(t *testing.T, p *testenv.Process) {
	t.Helper()
	if err := p.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	code, took := ends(t, p, stopWithin+5*time.Second)
	t.Logf("ended after %s", took)
	if code != 0 || took > stopWithin {
		t.Errorf("exit code %d after %s; the log ends:\n%s", code, took, p.LogTail(15))
	}
}

// TestSecondSignalEndsAtOnce: while a clean end waits for a log that does not answer, a second signal ends the process, and nothing is lost by it.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	w := newWorld(t)
	broker, p, file := w.launchOnBroker(t)
	if err := broker.Pause(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.inERP(t, "UPDATE price SET amount = amount + 1")
	// Two signals that arrive together count once: the second is sent until it is heard.
	began := time.Now()
	eventually(t, "ended", stopWithin, func() bool { return p.Signal(syscall.SIGINT) == nil && !p.Running() })
	if code, _ := ends(t, p, time.Second); code != 130 {
		t.Errorf("exit code %d after %s; the log ends:\n%s", code, time.Since(began), p.LogTail(10))
	}
	if err := broker.Continue(); err != nil {
		t.Fatal(err)
	}
	w.again(t, file)
	w.converge(t)
}

// TestWriteFails: a write that fails although the disk seemed to have room (here the process may not make its files larger) ends the program, which says what it
// could not write; started again, it delivers everything.
func TestWriteFails(t *testing.T) {
	w := newWorld(t)
	w.inERP(t, "ALTER TABLE product ADD COLUMN notes text")
	p, file := w.launch(t, ownLog)
	small := unix.Rlimit{Cur: 128 << 10, Max: unix.RLIM_INFINITY}
	if err := unix.Prlimit(p.PID(), unix.RLIMIT_FSIZE, &small, nil); err != nil {
		t.Fatal(err)
	}
	// Texts that cannot be compressed: 200 products of 10 kB.
	w.inERP(t, "UPDATE product SET name = name || '!', notes = (SELECT string_agg(md5(random()::text || no || i), '') FROM generate_series(1, 320) i)")
	code, _ := ends(t, p, 30*time.Second)
	log, err := os.ReadFile(filepath.Join(filepath.Dir(file), "run.log"))
	if err != nil {
		t.Fatal(err)
	}
	said := strings.Contains(string(log), "log.data_dir "+filepath.Dir(file)) || strings.Contains(string(log), "state.dir "+filepath.Dir(file))
	if code != 3 || !said || !strings.Contains(string(log), "fix: see that its disk works and has room, then start again") {
		t.Errorf("exit code %d; the log ends:\n%s", code, p.LogTail(20))
	}
	w.again(t, file)
	w.converge(t)
}
