package capturetest

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"shelfstream/capture"
)

// System is a database with the tables Head and Line, empty at first, for one subtest.
type System interface {
	// Source makes a source on it that captures the given tables. Each call is a start of a new process.
	Source(tables map[string]capture.TableConfig) (capture.Source, error)
	// Transact runs the statements in one transaction.
	Transact(writes ...Write) error
}

// limit is how long anything may take; servers on loaded machines are slow.
const limit = 60 * time.Second

// Run tests a source. open gives each subtest a system of its own and cleans up after the test.
func Run(t *testing.T, open func(t *testing.T) System) {
	cases := map[string]func(*bench){
		"snapshot and stream":          snapshotAndStream,
		"resume from the checkpoint":   resume,
		"a key that changes":           keyChanges,
		"a partition that changes":     partitionChanges,
		"a table added later":          addedLater,
		"a table read again":           readAgain,
		"an empty database":            emptyTables,
		"heartbeats while nothing is":  heartbeats,
		"truncate":                     truncate,
		"many rows and values at ends": manyRows,
		"a transaction of other rows":  otherRows,
	}
	for name, fn := range cases {
		t.Run(name, func(t *testing.T) { fn(&bench{T: t, sys: open(t)}) })
	}
}

// bench is one subtest: a system, and a source running against a recorder.
type bench struct {
	*testing.T
	sys  System
	rec  *Recorder
	want map[string]map[int64]Row
}

// transact writes to the database and remembers what its tables hold.
func (b *bench) transact(writes ...Write) {
	b.Helper()
	if err := b.sys.Transact(writes...); err != nil {
		b.Fatal(err)
	}
	if b.want == nil {
		b.want = map[string]map[int64]Row{Head: {}, Line: {}}
	}
	for _, w := range writes {
		switch {
		case w.Truncate:
			clear(b.want[w.Table])
		case w.Op == capture.OpCreate:
			b.want[w.Table][w.Row.ID] = w.Row
		case w.Op == capture.OpDelete:
			delete(b.want[w.Table], w.ID)
		case w.Op == capture.OpUpdate:
			delete(b.want[w.Table], w.ID)
			b.want[w.Table][w.Row.ID] = w.Row
		}
	}
}

// run starts a source from the recorder's checkpoint. stop ends it as an operator would, and checks that it ends with nil.
func (b *bench) run(tables map[string]capture.TableConfig, resnapshot ...string) (ctx context.Context, stop func()) {
	b.Helper()
	src, err := b.sys.Source(tables)
	if err != nil {
		b.Fatal(err)
	}
	if b.rec == nil {
		b.rec = NewRecorder(b, nil)
	}
	b.rec.Reopen(src.Confirm)
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	faults, err := src.Preflight(ctx)
	if err != nil || len(faults) > 0 {
		b.Fatalf("preflight: %v %v", faults, err)
	}
	start := capture.Start{Checkpoint: b.rec.Checkpoint()}
	for name := range tables {
		if start.Checkpoint == nil || start.Checkpoint.Topic("test."+name) == nil || slices.Contains(resnapshot, name) {
			start.Snapshot = append(start.Snapshot, name)
		}
	}
	slices.Sort(start.Snapshot)
	reading, end := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		err := src.Run(reading, start, b.rec)
		if err != nil || reading.Err() == nil {
			cancel() // who waits for the recorder waits in vain
		}
		ended <- err
	}()
	return ctx, func() {
		b.Helper()
		end()
		if err := <-ended; err != nil {
			b.Errorf("Run ended with %v", err)
		}
		cancel()
	}
}

// settled says whether the recorder holds what the database does.
func (b *bench) settled(tables ...string) bool {
	for _, t := range tables {
		got := b.rec.Rows(t)
		if len(got) != len(b.want[t]) {
			return false
		}
		for id, row := range b.want[t] {
			if got[fmt.Sprint(id)] != rowText(row.Values()) {
				return false
			}
		}
	}
	return true
}

func (b *bench) wait(ctx context.Context, tables ...string) {
	b.Helper()
	b.rec.Wait(ctx, "the log equals the database", func() bool { return b.settled(tables...) })
}
