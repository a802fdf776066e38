package capturetest

import (
	"strings"

	"shelfstream/capture"
)

func snapshotAndStream(b *bench) {
	b.transact(Insert(Head, Row{1, 1, "one", 100}), Insert(Head, Row{2, 1, "", -250}), Insert(Line, Row{10, 1, "a", 5}))
	ctx, stop := b.run(Tables())
	b.wait(ctx, Head, Line)
	snapshots := count(b, "row")
	if snapshots != 3 {
		b.Errorf("the snapshot brought %d rows, 3 are there", snapshots)
	}
	b.transact(Insert(Head, Row{3, 2, "three", 300}), Update(Head, 1, Row{1, 1, "uno", 101}), Insert(Line, Row{11, 3, "b", 6}))
	b.transact(Delete(Head, 2), Update(Line, 10, Row{10, 1, "", 7}))
	b.wait(ctx, Head, Line)
	stop()
	b.orderly()
}

// resume stops the source, writes, and starts it again: everything comes, and nothing from before the checkpoint.
func resume(b *bench) {
	b.transact(Insert(Head, Row{1, 1, "one", 100}))
	ctx, stop := b.run(Tables())
	b.wait(ctx, Head, Line)
	b.transact(Insert(Head, Row{2, 1, "two", 200}))
	b.wait(ctx, Head, Line)
	stop()
	b.transact(Update(Head, 1, Row{1, 1, "uno", 1}), Insert(Line, Row{10, 1, "a", 5}))
	b.transact(Delete(Head, 2))
	before := len(b.rec.Events())
	ctx, stop = b.run(Tables())
	b.wait(ctx, Head, Line)
	stop()
	for _, e := range b.rec.Events()[before:] {
		if e.Kind == "row" || e.Kind == "snapshot" {
			b.Error("a snapshot was read after a restart with a checkpoint")
		}
		if e.Kind == "change" && e.Row[2].String() == "two" && e.Op == capture.OpCreate {
			b.Error("a change from below the checkpoint came again")
		}
	}
	b.orderly()
}

// keyChanges: the row before comes with the change, so that the old key can be removed.
func keyChanges(b *bench) {
	b.transact(Insert(Head, Row{1, 1, "one", 100}))
	ctx, stop := b.run(Tables())
	b.wait(ctx, Head, Line)
	b.transact(Update(Head, 1, Row{5, 1, "one", 100}))
	b.wait(ctx, Head, Line)
	stop()
}

func partitionChanges(b *bench) {
	b.transact(Insert(Line, Row{1, 1, "one", 100}))
	ctx, stop := b.run(Tables())
	b.wait(ctx, Head, Line)
	b.transact(Update(Line, 1, Row{1, 2, "one", 100}))
	b.transact(Delete(Line, 1))
	b.wait(ctx, Head, Line)
	stop()
	moved, removed := false, false
	for _, e := range b.rec.Events() {
		if e.Kind != "change" {
			continue
		}
		switch e.Op {
		case capture.OpUpdate:
			moved = len(e.Before) == 4 && e.Before[1].Int == 1 && e.Row[1].Int == 2
		case capture.OpDelete:
			old := e.Row
			if e.Before != nil {
				old = e.Before
			}
			removed = old[1].Int == 2
		case capture.OpCreate, capture.OpRead:
		}
	}
	if !moved {
		b.Error("a changed partition_by column came without the row before")
	}
	if !removed {
		b.Error("a delete came without its partition_by column")
	}
}

// addedLater starts with one table and adds the other: it is read at a point of the stream.
func addedLater(b *bench) {
	b.transact(Insert(Head, Row{1, 1, "one", 100}), Insert(Line, Row{10, 1, "a", 5}))
	one := map[string]capture.TableConfig{Head: Tables()[Head]}
	ctx, stop := b.run(one)
	b.wait(ctx, Head)
	b.transact(Insert(Head, Row{2, 1, "two", 200}), Insert(Line, Row{11, 1, "b", 6}))
	b.wait(ctx, Head)
	stop()
	b.transact(Update(Line, 10, Row{10, 1, "c", 7}), Delete(Head, 1))
	ctx, stop = b.run(Tables())
	b.wait(ctx, Head, Line)
	b.transact(Insert(Line, Row{12, 1, "d", 8}), Delete(Line, 11))
	b.wait(ctx, Head, Line)
	stop()
	b.orderly()
}

func readAgain(b *bench) {
	b.transact(Insert(Head, Row{1, 1, "one", 100}), Insert(Line, Row{10, 1, "a", 5}))
	ctx, stop := b.run(Tables())
	b.wait(ctx, Head, Line)
	stop()
	b.transact(Insert(Head, Row{2, 1, "two", 200}), Delete(Line, 10))
	before := len(b.rec.Events())
	ctx, stop = b.run(Tables(), Head)
	b.rec.Wait(ctx, "the snapshot's end", func() bool { return hasKind(b.rec.Events()[before:], "end") })
	b.transact(Insert(Head, Row{3, 1, "three", 300}))
	b.wait(ctx, Head, Line)
	stop()
	rows := 0
	for _, e := range b.rec.Events()[before:] {
		if e.Kind == "row" {
			rows++
			if e.Table != Head {
				b.Errorf("the snapshot brought a row of %s, which was not asked for", e.Table)
			}
		}
	}
	if rows != 2 {
		b.Errorf("the snapshot brought %d rows, 2 were there", rows)
	}
}

func emptyTables(b *bench) {
	ctx, stop := b.run(Tables())
	b.rec.Wait(ctx, "the snapshot's end", func() bool { return hasKind(b.rec.Events(), "end") })
	b.transact(Insert(Line, Row{1, 1, "first", 0}))
	b.wait(ctx, Head, Line)
	stop()
}

func heartbeats(b *bench) {
	ctx, stop := b.run(Tables())
	b.rec.Wait(ctx, "three heartbeats", func() bool { return b.rec.Heartbeats() >= 3 })
	b.transact(Insert(Head, Row{1, 1, "one", 100}))
	b.wait(ctx, Head, Line)
	stop()
}

func truncate(b *bench) {
	b.transact(Insert(Head, Row{1, 1, "one", 100}), Insert(Line, Row{10, 1, "a", 5}))
	ctx, stop := b.run(Tables())
	b.wait(ctx, Head, Line)
	b.transact(TruncateTable(Head), Insert(Head, Row{9, 1, "after", 900}))
	b.wait(ctx, Head, Line)
	stop()
	b.orderly()
}

// manyRows has more rows than any buffer of a source, in the snapshot and in one transaction, and the amounts at the ends of their type.
func manyRows(b *bench) {
	const n = 5000
	writes := make([]Write, 0, n)
	for i := range int64(n) {
		writes = append(writes, Insert(Head, Row{i, i % 7, strings.Repeat("x", int(i%300)), 999999999999 - i}))
	}
	b.transact(writes...)
	ctx, stop := b.run(Tables())
	b.wait(ctx, Head, Line)
	for i := range writes {
		w := &writes[i]
		r := w.Row
		r.Cents = -r.Cents
		*w = Update(Head, r.ID, r)
	}
	b.transact(writes...)
	b.wait(ctx, Head, Line)
	stop()
	b.orderly()
}

// otherRows: a transaction that touches no captured table must not stop the stream.
func otherRows(b *bench) {
	one := map[string]capture.TableConfig{Head: Tables()[Head]}
	ctx, stop := b.run(one)
	b.rec.Wait(ctx, "the snapshot's end", func() bool { return hasKind(b.rec.Events(), "end") })
	b.transact(Insert(Line, Row{1, 1, "nobody reads it", 0}))
	b.transact(Insert(Head, Row{1, 1, "one", 100}))
	b.wait(ctx, Head)
	stop()
	for _, e := range b.rec.Events() {
		if e.Kind == "change" && e.Table != Head {
			b.Errorf("a change of table %s came, which is not captured", e.Table)
		}
	}
}

// orderly checks that commit times never go far back and that each change carries its own transaction's commit time.
func (b *bench) orderly() {
	b.Helper()
	var open []Event
	for _, e := range b.rec.Events() {
		switch e.Kind {
		case "change", "truncate":
			open = append(open, e)
		case "commit":
			for _, c := range open {
				if c.Meta.Transaction != e.Commit.Transaction || c.Meta.CommitTimeUS != e.Commit.CommitTimeUS {
					b.Errorf("a change says transaction %s of %d, its commit %s of %d", c.Meta.Transaction, c.Meta.CommitTimeUS, e.Commit.Transaction, e.Commit.CommitTimeUS)
				}
			}
			open = open[:0]
		}
	}
}

func count(b *bench, kind string) int {
	n := 0
	for _, e := range b.rec.Events() {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

func hasKind(events []Event, kind string) bool {
	for _, e := range events {
		if e.Kind == kind {
			return true
		}
	}
	return false
}
