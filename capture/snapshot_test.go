package capture_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"shelfstream/capture"
	"shelfstream/capture/capturetest"
	"shelfstream/internal/fault"
	"shelfstream/schemas"
	"shelfstream/status"
)

func (e *env) resnapshot(tables ...string) {
	e.Helper()
	e.must(capture.RequestResnapshot(e.ctx, e.client, pipeline, sourceName, tables, "test"))
}

// fill commits n rows of each table in one transaction.
func (e *env) fill(n int64) {
	var tx []capturetest.Change
	for id := range n {
		r := capturetest.Row{ID: id, Owner: id % 5, Label: "first", Cents: id}
		tx = append(tx, insert(head, r), insert(line, r))
	}
	e.db.Commit(tx...)
}

// The position is lost while changes go on: the runner says so, waits for the operator, and then sends exactly what differs.
func TestPositionLost(t *testing.T) {
	e := newEnv(t)
	e.fill(200)
	_, stop := e.run()
	before := e.reaches("1")
	stop()
	e.db.Lose()
	row := func(id, cents int64) capturetest.Row {
		return capturetest.Row{ID: id, Owner: id % 5, Label: "first", Cents: cents}
	}
	moved := row(7, 7)
	moved.Owner = 1000
	e.db.Commit(
		update(head, row(3, 3), row(3, 33)), remove(head, row(4, 4)), remove(head, row(5, 5)), insert(head, row(900, 9)), // 2 rows, 2 tombstones
		update(line, row(7, 7), moved), // 1 row, 1 tombstone if the partition differs
	)
	r, stop := e.run()
	e.eventually("the state position lost", func() bool { return r.Status().State == status.StatePositionLost })
	st := r.Status()
	if len(st.Faults) != 1 || !errors.Is(st.Faults[0], capture.ErrPositionLost) || st.Faults[0].Fix == "" {
		t.Errorf("faults are %v", st.Faults)
	}
	e.resnapshot(head) // not enough: what the other table missed is not known
	e.eventually("the request is seen", func() bool { return r.Status().Since.After(st.Since) && r.Status().State == status.StatePositionLost })
	if cp := e.checkpoint(); cp.Position != "1" {
		t.Fatalf("a checkpoint at %s was written although the position is lost", cp.Position)
	}
	e.resnapshot()
	e.exact(e.reaches("2"))
	for table, want := range map[string][2]int{head: {2, 2}, line: {1, 1}} {
		rows, tombstones := e.recordsFrom(before.Topic(capture.RawTopic(pipeline, sourceName, table)))
		if table == line && schemas.Partition([]schemas.Value{schemas.Int(1000)}, partitions) == schemas.Partition([]schemas.Value{schemas.Int(2)}, partitions) {
			want[1] = 0
		}
		if rows != want[0] || tombstones != want[1] {
			t.Errorf("%s: %d rows and %d tombstones were sent, the difference is %v", table, rows, tombstones, want)
		}
	}
	e.db.Commit(insert(head, row(901, 1)))
	e.exact(e.reaches("3"))
	// The request is done: a restart does not read again.
	stop()
	at := e.checkpoint()
	_, stop = e.run()
	e.db.Commit(insert(head, row(902, 1)))
	e.reaches("4")
	stop()
	if rows, _ := e.recordsFrom(at.Topic(capture.RawTopic(pipeline, sourceName, head))); rows != 1 {
		t.Errorf("%d rows were sent after a restart, one was changed", rows)
	}
}

// A resnapshot on request while all is well repairs a topic that somebody damaged, and sends nothing else.
func TestResnapshotRepairs(t *testing.T) {
	e := newEnv(t)
	e.fill(100)
	r, _ := e.run()
	e.reaches("1")
	e.resnapshot(line, "nonsense")
	e.eventually("the snapshot is read", func() bool {
		st := r.Status()
		return len(st.Progress) == 1 && st.Progress[0].Name == line && !st.Progress[0].FinishedAt.IsZero()
	})
	cp := e.reaches("1")
	e.eventually("the unknown table is named", func() bool { return strings.Contains(fmt.Sprint(r.Status().Faults), `"nonsense"`) })
	for i := range cp.Topics {
		first := e.checkpoints()[0].Topic(cp.Topics[i].Topic)
		if rows, tombstones := e.recordsFrom(first); rows+tombstones > 0 {
			t.Errorf("%s: %d rows and %d tombstones were sent for nothing", first.Topic, rows, tombstones)
		}
	}
	if p := r.Status().Progress[0]; p.Done != 100 || p.Total != 100 {
		t.Errorf("the progress ends at %d of %d", p.Done, p.Total)
	}
}

// A table that is added to the configuration is read at a point of the stream, and only it.
func TestTableAddedLater(t *testing.T) {
	e := newEnv(t)
	both := e.tables
	e.tables = map[string]capture.TableConfig{head: both[head]}
	e.fill(50)
	_, stop := e.run()
	e.reaches("1")
	c := newClerk(9)
	c.next = 1000
	for range 20 {
		e.db.Commit(c.transaction(5)...)
	}
	e.reaches("21")
	stop()
	e.tables = both
	for range 20 {
		e.db.Commit(c.transaction(5)...)
	}
	_, stop = e.run()
	e.reaches("41")
	for range 20 {
		e.db.Commit(c.transaction(5)...)
	}
	e.reaches("61")
	stop()
	for _, cp := range e.checkpoints() {
		e.exact(cp)
	}
	// A table that left the configuration leaves the checkpoint; when it comes back, it is read again and compared.
	e.tables = map[string]capture.TableConfig{line: both[line]}
	_, stop = e.run()
	e.db.Commit(c.transaction(5)...)
	e.reaches("62")
	stop()
	e.tables = both
	_, stop = e.run()
	e.exact(e.reaches("62"))
	stop()
}

// A first snapshot that breaks off is begun again; rows that are gone by then do not stay.
func TestSnapshotBreaksOff(t *testing.T) {
	e := newEnv(t)
	e.fill(300)
	var failures atomic.Int64
	e.db.SnapshotHook = func(table string, n int) error {
		if table == line && n == 200 && failures.Add(1) <= 2 {
			e.db.Commit(remove(line, capturetest.Row{ID: failures.Load(), Owner: failures.Load() % 5, Label: "first", Cents: failures.Load()}))
			return errors.New("the snapshot broke off")
		}
		return nil
	}
	r := e.runner()
	stop := e.start(r.Run)
	cp := e.reaches("3")
	e.exact(cp)
	stop()
	if failures.Load() != 3 {
		t.Errorf("the snapshot was read %d times", failures.Load())
	}
	if all := e.checkpoints(); all[0].Position != "3" {
		t.Errorf("the first checkpoint is at %s: of a snapshot that was not whole", all[0].Position)
	}
}

// Temporary files do not outlive a run, nor a process that was killed.
func TestScratchIsSweptAway(t *testing.T) {
	e := newEnv(t)
	dir := t.TempDir()
	e.must(os.MkdirAll(dir+"/shelfstream-test.erp-dead/db", 0o750))
	e.change = func(c *capture.RunnerConfig) { c.ScratchDir = dir }
	e.fill(50)
	r, stop := e.run()
	e.reaches("1")
	e.resnapshot()
	e.eventually("the second snapshot", func() bool {
		st := r.Status()
		return len(st.Progress) == 2 && !st.Progress[0].FinishedAt.IsZero() && st.Progress[0].Total == 50 && st.State == status.StateLive
	})
	stop()
	left, err := os.ReadDir(dir)
	e.must(err)
	if len(left) > 0 {
		t.Errorf("left in the scratch directory: %v", left)
	}
}

// TRUNCATE removes what the topic holds, what the same transaction wrote before included.
func TestTruncate(t *testing.T) {
	e := newEnv(t)
	e.fill(100)
	_, stop := e.run()
	e.reaches("1")
	e.db.Commit(
		insert(head, capturetest.Row{ID: 500}), capturetest.Change{Table: head, Truncate: true}, insert(head, capturetest.Row{ID: 501}),
	)
	e.db.Commit(capturetest.Change{Table: line, Truncate: true})
	e.reaches("3")
	stop()
	for _, cp := range e.checkpoints() {
		e.exact(cp)
	}
}

// Columns come and go in the stream; rows on both sides can be read.
func TestShapeChangesInTheStream(t *testing.T) {
	e := newEnv(t)
	_, stop := e.run()
	e.db.Commit(insert(head, capturetest.Row{ID: 1, Cents: 5}))
	e.reaches("1")
	wide := capturetest.Shape()
	wide.Columns = append(wide.Columns, schemas.Column{Name: "extra", Type: schemas.Type{Kind: schemas.KindText}, Nullable: true})
	e.db.Commit(capturetest.Change{
		Table: head, Op: capture.OpCreate, Shape: wide, Row: append(capturetest.Row{ID: 2}.Values(), schemas.Text("more")),
	})
	e.db.Commit(capturetest.Change{Table: head, Op: capture.OpCreate, Row: append(capturetest.Row{ID: 3}.Values(), schemas.Null)})
	e.exact(e.reaches("3"))
	stop()
	_, stop = e.run()
	e.db.Commit(capturetest.Change{Table: head, Op: capture.OpCreate, Row: append(capturetest.Row{ID: 4}.Values(), schemas.Text("again"))})
	e.exact(e.reaches("4"))
	stop()
}

// When the type of a key changes, the old rows stand under keys that no new row will ever have: the table is read again by itself.
func TestKeyChangesItsShape(t *testing.T) {
	e := newEnv(t)
	e.fill(30)
	r, stop := e.run()
	e.reaches("1")
	other := capturetest.Shape()
	other.Columns[0].Type = schemas.Type{Kind: schemas.KindInt, Bits: 32}
	e.db.Commit(capturetest.Change{
		Table: head, Op: capture.OpUpdate, Shape: other, Row: capturetest.Row{ID: 3, Owner: 3, Cents: 1}.Values(),
	})
	e.eventually("the table was read again", func() bool {
		st := r.Status()
		return len(st.Progress) == 1 && st.Progress[0].Name == head && st.State == status.StateLive
	})
	e.exact(e.reaches("2"))
	e.db.Commit(capturetest.Change{Table: head, Op: capture.OpDelete, Row: capturetest.Row{ID: 4, Owner: 4}.Values()})
	e.exact(e.reaches("3"))
	stop()
}

// When partition_by changes in the configuration, rows would stay in partitions where nobody updates them: the table is read again.
func TestPartitionByChangesInTheConfiguration(t *testing.T) {
	e := newEnv(t)
	e.fill(60)
	_, stop := e.run()
	e.reaches("1")
	stop()
	e.tables = map[string]capture.TableConfig{head: {Name: head, PartitionBy: []string{"owner"}}, line: {Name: line, Broadcast: true, PartitionBy: []string{"owner"}}}
	r, stop := e.run()
	e.eventually("both tables were read again", func() bool { return len(r.Status().Progress) == 2 && r.Status().State == status.StateLive })
	e.db.Commit(update(head, capturetest.Row{ID: 1, Owner: 1, Label: "first", Cents: 1}, capturetest.Row{ID: 1, Owner: 4}))
	cp := e.reaches("2")
	e.exact(cp)
	stop()
}

// Preflight's faults block the source and are shown, until they are mended.
func TestBlockedByPreflight(t *testing.T) {
	e := newEnv(t)
	var bad atomic.Bool
	bad.Store(true)
	e.db.Faults = func() []error {
		if bad.Load() {
			return []error{errors.New("one"), errors.New("two")}
		}
		return nil
	}
	r, _ := e.run()
	e.eventually("both faults are shown", func() bool { return r.Status().State == capture.StateBlocked && len(r.Status().Faults) == 2 })
	bad.Store(false)
	e.reaches("0")
	e.eventually("live", func() bool { return r.Status().State == status.StateLive && len(r.Status().Faults) == 0 })
}

// A configuration that no table can meet is a fault that names the table's columns, shown while it is tried again.
func TestUnknownPartitionColumn(t *testing.T) {
	e := newEnv(t)
	e.tables = map[string]capture.TableConfig{head: {Name: head, PartitionBy: []string{"ovner"}}}
	r, _ := e.run()
	e.eventually("the fault is shown", func() bool {
		st := r.Status()
		return st.State == status.StateRetrying && len(st.Faults) == 1 && st.Faults[0].Class == fault.Config && strings.Contains(st.Faults[0].Fix, "owner")
	})
}

// NaN in a decimal column is published as null and named in a header.
func TestSpecialValues(t *testing.T) {
	e := newEnv(t)
	_, stop := e.run()
	row := capturetest.Row{ID: 1}.Values()
	row[3] = schemas.DecSpecial(schemas.SpecialNaN)
	e.db.Commit(capturetest.Change{Table: head, Op: capture.OpCreate, Row: row})
	cp := e.reaches("1")
	stop()
	got := e.rowsBelow(cp.Topic(capture.RawTopic(pipeline, sourceName, head)))
	if got["1"] != "1|0|null|null" {
		t.Errorf("the row is %q", got["1"])
	}
	special := ""
	for p := range partitions {
		r, err := e.client.Last(context.WithoutCancel(e.ctx), capture.RawTopic(pipeline, sourceName, head), int32(p))
		e.must(err)
		if r == nil {
			continue
		}
		for _, h := range r.Headers {
			if h.Key == capture.HeaderSpecial {
				special = string(h.Value)
			}
		}
	}
	if special != "amount=NaN" {
		t.Errorf("the header says %q", special)
	}
}
