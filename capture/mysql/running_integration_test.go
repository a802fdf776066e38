//go:build integration

package mysql

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"shelfstream/capture"
	"shelfstream/capture/capturetest"
	"shelfstream/internal/testenv"
)

// config is a source on the database that captures tables of the same names.
func (d *database) config(tables map[string]capture.TableConfig) Config {
	return Config{DSN: d.dsn(), Pipeline: "p", Source: d.name, Tables: tables, Heartbeat: 50 * time.Millisecond, SnapshotLanes: 2}
}

// tables names captured tables without more.
func tables(names ...string) map[string]capture.TableConfig {
	m := map[string]capture.TableConfig{}
	for _, n := range names {
		m[n] = capture.TableConfig{}
	}
	return m
}

// until polls a condition.
func until(t testing.TB, what string, cond func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := testenv.WaitFor(ctx, what, func() (bool, error) { return cond(), nil }); err != nil {
		t.Fatal(err)
	}
}

// running is a source at work against a recorder.
type running struct {
	*capturetest.Recorder
	t     testing.TB
	cfg   Config
	ended chan error
	end   context.CancelFunc
}

// start runs a source from the recorder's checkpoint, with the snapshots that the runner would ask for.
func start(t testing.TB, cfg Config, rec *capturetest.Recorder) *running {
	t.Helper()
	src, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if rec == nil {
		rec = capturetest.NewRecorder(t, nil)
	}
	rec.Reopen(src.Confirm)
	from := capture.Start{Checkpoint: rec.Checkpoint()}
	for name := range cfg.Tables {
		if from.Checkpoint == nil || from.Checkpoint.Topic("test."+name) == nil {
			from.Snapshot = append(from.Snapshot, name)
		}
	}
	r := &running{Recorder: rec, t: t, cfg: cfg, ended: make(chan error, 1)}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	r.end = cancel
	go func() { r.ended <- src.Run(ctx, from, rec) }()
	return r
}

// wait polls, and begins a new Run after an error, as the runner would. A lost position is none that passes.
func (r *running) wait(what string, cond func() bool) {
	r.t.Helper()
	until(r.t, what, func() bool {
		select {
		case err := <-r.ended:
			r.end()
			if err == nil || errors.Is(err, capture.ErrPositionLost) {
				r.t.Fatalf("while waiting for %s, Run ended with %v", what, err)
			}
			r.t.Logf("%s: %v", what, err)
			*r = *start(r.t, r.cfg, r.Recorder)
		default:
		}
		return cond()
	})
}

// stop ends the source as an operator would.
func (r *running) stop() {
	r.t.Helper()
	r.end()
	if err := <-r.ended; err != nil {
		r.t.Errorf("Run ended with %v", err)
	}
}

// failure waits until the source ends by itself and gives its error.
func (r *running) failure() error {
	r.t.Helper()
	err := <-r.ended
	r.end()
	if err == nil {
		r.t.Fatal("Run ended without an error")
	}
	return err
}

// follows waits until the recorder's rows of a table are those of the database, whose first column is the key.
func (r *running) follows(d *database, table string) {
	d.Helper()
	var got map[string]string
	var want []string
	defer func() {
		if d.Failed() {
			d.Logf("%s: got %v, want %v", table, got, want)
		}
	}()
	want = d.text("SELECT * FROM " + table)
	r.wait(table+" equals the database", func() bool {
		got = r.Rows(table)
		if r.Checkpoint() == nil || len(got) != len(want) {
			return false
		}
		for _, row := range want {
			key, _, _ := strings.Cut(row, "|")
			// Rows that nobody wrote since a column was added do not have it.
			if got[key] != row && (got[key] == "" || got[key]+"|null" != row) {
				return false
			}
		}
		return true
	})
}

// snapshots lists the tables whose rows came by a snapshot after the given number of events.
func (r *running) snapshots(after int) (l []string) {
	for _, e := range r.Events()[after:] {
		if e.Kind == "row" && !slices.Contains(l, e.Table) {
			l = append(l, e.Table)
		}
	}
	return l
}
