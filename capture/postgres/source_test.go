package postgres

import (
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"shelfstream/capture"
	"shelfstream/internal/fault"
)

func TestConfig(t *testing.T) {
	_, err := New(Config{Source: "erp", DSN: "postgres://u:secret@host:x/db", Slot: "Bad-Slot", Publication: strings.Repeat("p", 64)})
	faults := fault.All(err)
	if len(faults) != 4 || fault.ExitCode(err) != 2 {
		t.Fatalf("%d faults: %v", len(faults), err)
	}
	for _, f := range faults {
		if f.Fix == "" || strings.Contains(f.Error(), "secret") {
			t.Errorf("fault %v", f)
		}
	}
	s, err := New(Config{Pipeline: "Møstue", Source: "erp", DSN: "host=h", Tables: map[string]capture.TableConfig{"a": {}}})
	if err != nil {
		t.Fatal(err)
	}
	if s.cfg.Slot != "shelfstream_m__stue_erp" || s.cfg.Publication != s.cfg.Slot || s.cfg.SnapshotLanes != 4 || s.cfg.Heartbeat != time.Second {
		t.Errorf("defaults are %+v", s.cfg)
	}
}

// TestMetricsTwice: the runner makes a new source after each error, and its metrics go on.
func TestMetricsTwice(t *testing.T) {
	reg := prometheus.NewRegistry()
	for range 2 {
		m, err := newMetrics(reg, "p", "s")
		if err != nil {
			t.Fatal(err)
		}
		m.rows.Inc()
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "shelfstream_postgres_row_changes_total" && f.GetMetric()[0].GetCounter().GetValue() != 2 {
			t.Errorf("the counter is %v", f)
		}
	}
}

func TestPosition(t *testing.T) {
	for _, l := range []LSN{0, 0x16B3748, 0xABCDEF01_23456789, 1<<64 - 1} {
		if got := position(l); string(got) != l.String() {
			t.Errorf("%s is written %s", l, got)
		}
		if got, err := parsePosition(position(l)); err != nil || got != l {
			t.Errorf("%s is read as %s: %v", l, got, err)
		}
	}
	for _, p := range []capture.Position{"", "1", "1/", "/1", "x/1", "1/100000000", "1/2/3"} {
		if _, err := parsePosition(p); err == nil {
			t.Errorf("%q is taken for a position", p)
		}
	}
}

func TestSwitchPoint(t *testing.T) {
	history := []byte("1\t0/3000000\tno recovery target specified\n\n2\t0/5000028\tbefore 2026-01-01\n")
	if l, ok := switchPoint(history, 2); !ok || l != 0x5000028 {
		t.Errorf("%s %v", l, ok)
	}
	if _, ok := switchPoint(history, 3); ok {
		t.Error("timeline 3 is not in it")
	}
}

func TestNearest(t *testing.T) {
	names := []string{"product", "price", "erp.vat_rate", "SalesHeader"}
	for name, want := range map[string]string{"prodct": "product", "public.price": "price", "vat_rates": "erp.vat_rate", "salesheader": "SalesHeader", "unrelated": ""} {
		if got := nearest(name, names); got != want {
			t.Errorf("%s suggests %q, not %q", name, got, want)
		}
	}
}

// TestConfirm: positions only rise, and one that the server waits for is told at once.
func TestConfirm(t *testing.T) {
	s, err := New(Config{Pipeline: "p", Source: "s", DSN: "host=h", Tables: map[string]capture.TableConfig{"a": {}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []capture.Position{"0/20", "0/10", "nonsense"} {
		s.Confirm(p)
	}
	if got := s.confirmed.Load(); got != 0x20 || len(s.wake) != 0 {
		t.Errorf("confirmed is %x, %d wakes", got, len(s.wake))
	}
	s.urgent.Store(true)
	s.Confirm("0/30")
	if len(s.wake) != 1 {
		t.Error("the server is not told at once")
	}
}

// TestInterrupt ends a read that waits, and every later one, in both modes.
func TestInterrupt(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, batching := range []bool{false, true} {
		client, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		peer, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		c := newBatchConn(client)
		c.enabled, c.batching, c.silence = true, batching && canBatch, time.Minute
		ended := make(chan error, 1)
		go func() {
			_, err := c.Read(make([]byte, 10))
			ended <- err
		}()
		c.Interrupt()
		if err := <-ended; !errors.Is(err, errInterrupted) {
			t.Errorf("the read ended with %v", err)
		}
		if _, err := c.Read(make([]byte, 10)); !errors.Is(err, errInterrupted) {
			t.Errorf("the next read ended with %v", err)
		}
		c.Close()
		peer.Close()
	}
}

// TestBatchKeepsLatency: while batching, what little comes is given out after maxHold, and reading becomes eager again; a silent peer is given up.
func TestBatchKeepsLatency(t *testing.T) {
	if !canBatch {
		return
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	peer, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	c := newBatchConn(client)
	c.enabled, c.batching, c.silence = true, true, 100*time.Millisecond
	if err := setLowWater(c.raw, lowWater); err != nil {
		t.Fatal(err)
	}
	if _, err := peer.Write([]byte("few")); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 10)
	if n, err := c.Read(b); n != 3 || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
	for c.batching {
		if _, err := c.Read(b); err != nil && !errors.Is(err, errSilent) {
			t.Fatal(err)
		}
	}
	if _, err := c.Read(b); !errors.Is(err, errSilent) {
		t.Errorf("a silent peer gives %v", err)
	}
}
