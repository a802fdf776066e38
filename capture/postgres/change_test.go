package postgres

import (
	"context"
	"testing"

	"shelfstream/capture"
	"shelfstream/schemas"
)

// discard is a Log that does nothing.
type discard struct{}

func (discard) Table(context.Context, string, *schemas.Table) (capture.Handle, error) { return 0, nil }

func (discard) Change(context.Context, capture.Handle, capture.Op, []schemas.Value, []schemas.Value, capture.Meta) error {
	return nil
}
func (discard) Commit(context.Context, capture.Commit) error { return nil }
func (discard) Snapshot(context.Context, capture.Position, []string) (capture.Snapshot, error) {
	return nil, nil
}

// productStream is a stream inside a transaction, with the products table ready.
func productStream() *stream {
	sh := productShape()
	sh.part = []int{0}
	st := &stream{s: &Source{}, log: discard{}, tables: map[uint32]*streamTable{}, open: true}
	t := &streamTable{name: "products", rel: &relation{oid: 16384}, shape: sh, ready: true}
	t.row, t.before = make([]schemas.Value, len(sh.types)), make([]schemas.Value, len(sh.types))
	st.tables[16384] = t
	return st
}

// productUpdate is an update of the products table with its whole old row.
func productUpdate() wireMessage {
	tuple := productInsert()[6:]
	m := wireMessage{'U'}.u32(16384).u8('O')
	return append(append(m, tuple...).u8('N'), tuple...)
}

// TestChangeAllocatesNothing: from the message to the call of the log.
func TestChangeAllocatesNothing(t *testing.T) {
	st := productStream()
	insert, update := productInsert(), productUpdate()
	change := func() {
		for _, b := range []wireMessage{insert, update} {
			if err := st.m.Parse(b); err != nil {
				t.Fatal(err)
			}
			if err := st.message(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	change()
	if n := testing.AllocsPerRun(100, change); n != 0 {
		t.Errorf("%v allocations for an insert and an update", n)
	}
}

func BenchmarkChange(b *testing.B) {
	for name, msg := range map[string]wireMessage{"insert": productInsert(), "update": productUpdate()} {
		b.Run(name, func(b *testing.B) {
			st := productStream()
			b.ReportAllocs()
			for b.Loop() {
				if err := st.m.Parse(msg); err != nil {
					b.Fatal(err)
				}
				if err := st.message(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// counting is a Log that counts.
type counting struct {
	discard
	changes, commits, heartbeats int
	last                         capture.Commit
}

func (c *counting) Change(context.Context, capture.Handle, capture.Op, []schemas.Value, []schemas.Value, capture.Meta) error {
	c.changes++
	return nil
}

func (c *counting) Commit(_ context.Context, m capture.Commit) error {
	c.last = m
	if m.Heartbeat {
		c.heartbeats++
	} else {
		c.commits++
	}
	return nil
}

// TestAlreadyCaptured: a slot's position may go back over a restart of the server; what a checkpoint covers is passed over.
func TestAlreadyCaptured(t *testing.T) {
	st, log := productStream(), &counting{}
	m, err := newMetrics(nil, "p", "s")
	if err != nil {
		t.Fatal(err)
	}
	st.s, st.log, st.open, st.after = &Source{metrics: m, cfg: Config{Heartbeat: 1}}, log, false, 0x200
	send := func(b wireMessage) {
		t.Helper()
		if err := st.m.Parse(b); err != nil {
			t.Fatal(err)
		}
		if err := st.message(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		begin, end uint64
		changes    int
	}{{0x100, 0x180, 0}, {0x180, 0x200, 0}, {0x200, 0x280, 1}, {0x300, 0x380, 2}} {
		send(wireMessage{'B'}.u64(c.begin).u64(0).u32(7))
		if err := st.keepalive(t.Context(), 0x1000, 1, false); err != nil || log.heartbeats > 0 {
			t.Fatalf("a heartbeat inside a transaction (%v)", err)
		}
		send(productInsert())
		send(wireMessage{'C'}.u8(0).u64(c.begin).u64(c.end).u64(0))
		if log.changes != c.changes || log.commits != c.changes {
			t.Fatalf("up to %x: %d changes in %d transactions", c.end, log.changes, log.commits)
		}
	}
	if log.last.Position != "0/380" || log.last.Transaction != "7" {
		t.Errorf("the newest commit is %+v", log.last)
	}
	// A transaction without changes of ours needs no commit, and a position never goes back.
	send(wireMessage{'B'}.u64(0x400).u64(0).u32(8))
	send(wireMessage{'C'}.u8(0).u64(0x400).u64(0x480).u64(0))
	if err := st.keepalive(t.Context(), 0x300, 1, true); err != nil {
		t.Fatal(err)
	}
	if log.commits != 2 || log.heartbeats != 1 || log.last.Position != "0/380" {
		t.Errorf("after a keepalive from below: %+v", log)
	}
}

// TestDisorder: a stream that breaks the protocol ends the Run rather than mixing transactions.
func TestDisorder(t *testing.T) {
	for name, list := range map[string][]wireMessage{
		"a change outside of a transaction": {productInsert()},
		"a commit without a beginning":      {wireMessage{'C'}.u8(0).u64(1).u64(2).u64(0)},
		"a transaction inside another":      {wireMessage{'B'}.u64(1).u64(0).u32(1), wireMessage{'B'}.u64(1).u64(0).u32(2)},
	} {
		st := productStream()
		st.open = false
		var err error
		for _, b := range list {
			if err = st.m.Parse(b); err != nil {
				t.Fatal(err)
			}
			err = st.message(t.Context())
		}
		if err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}
