package capturetest

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"shelfstream/capture"
	"shelfstream/schemas"
)

// Change is one row change of a transaction in a Database.
type Change struct {
	Table string
	Op    capture.Op
	// Row is the new row, for a delete the old one.
	Row []schemas.Value
	// Before is the whole old row of an update.
	Before   []schemas.Value
	Truncate bool
	// Shape, if set, is the table's shape from this change on.
	Shape *schemas.Table
}

// Database is a system with a change log, in memory. Its position is the number of committed transactions.
type Database struct {
	mu        sync.Mutex
	shapes    map[string]*schemas.Table // at the beginning
	log       []transaction
	system    string
	lost      bool
	confirmed int64
	changed   chan struct{}

	// Hook, if set, is called by sources before each change (position = that of the transaction's commit, n counts from 0) and, with n
	// = -1, before its commit. An error ends the source's Run with it. Set it before a source runs.
	Hook func(position int64, n int) error
	// SnapshotHook is the same before each row of a snapshot, called by several goroutines.
	SnapshotHook func(table string, n int) error
	// HeartbeatEvery is how often an idle source sends a heartbeat; 0 = 10 ms.
	HeartbeatEvery time.Duration
	// OnConfirm, if set, is called with each confirmed position.
	OnConfirm func(capture.Position)
	// Faults is what Preflight finds.
	Faults func() []error
}

// transaction makes its changes when they are read, so that a large one takes no memory.
type transaction struct {
	n    int
	make func(i int) Change
	at   time.Time
}

// NewDatabase makes one with empty tables.
func NewDatabase(shapes map[string]*schemas.Table) *Database {
	return &Database{shapes: shapes, system: "memory/1", changed: make(chan struct{})}
}

// Commit adds a transaction and gives its position.
func (d *Database) Commit(changes ...Change) capture.Position {
	return d.CommitMany(len(changes), func(i int) Change { return changes[i] })
}

// CommitMany adds a transaction of n changes that are made when they are read; makeChange must give the same each time.
func (d *Database) CommitMany(n int, makeChange func(i int) Change) capture.Position {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.log = append(d.log, transaction{n, makeChange, time.Now()})
	close(d.changed)
	d.changed = make(chan struct{})
	return positionOf(int64(len(d.log)))
}

// End is the position of the newest transaction.
func (d *Database) End() capture.Position {
	d.mu.Lock()
	defer d.mu.Unlock()
	return positionOf(int64(len(d.log)))
}

// Confirmed is the newest position that was confirmed, 0 if none was.
func (d *Database) Confirmed() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.confirmed
}

// Lose makes every position up to now unusable, as a dropped slot does: only a fresh start goes on.
func (d *Database) Lose() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lost = true
}

// RowsAt are a table's rows after so many transactions, by their key.
func (d *Database) RowsAt(table string, position capture.Position) map[string][]schemas.Value {
	d.mu.Lock()
	log := slices.Clone(d.log[:mustInt(position)])
	shape := d.shapes[table]
	d.mu.Unlock()
	rows := map[string][]schemas.Value{}
	for _, tx := range log {
		for i := range tx.n {
			c := tx.make(i)
			if c.Table != table {
				continue
			}
			if c.Shape != nil {
				shape = c.Shape
			}
			switch {
			case c.Truncate:
				clear(rows)
			case c.Row == nil:
			case c.Op == capture.OpDelete:
				delete(rows, mustKey(shape, c.Row))
			default:
				if c.Before != nil {
					delete(rows, mustKey(shape, c.Before))
				}
				rows[mustKey(shape, c.Row)] = c.Row
			}
		}
	}
	return rows
}

// shapeAt is a table's shape after so many transactions.
func (d *Database) shapeAt(table string, position int64) *schemas.Table {
	d.mu.Lock()
	log := slices.Clone(d.log[:position])
	shape := d.shapes[table]
	d.mu.Unlock()
	for _, tx := range log {
		if tx.n > 100 {
			continue // bulk transactions never change a shape
		}
		for i := range tx.n {
			if c := tx.make(i); c.Table == table && c.Shape != nil {
				shape = c.Shape
			}
		}
	}
	return shape
}

// Transact makes the suite's statements a transaction, so that a Database passes as a System.
func (d *Database) Transact(writes ...Write) error {
	changes := make([]Change, 0, len(writes))
	rows := map[string]map[string][]schemas.Value{}
	for t := range maps.Keys(d.shapes) {
		rows[t] = d.RowsAt(t, d.End())
	}
	for _, w := range writes {
		key := strconv.FormatInt(w.ID, 10)
		old := rows[w.Table][key]
		c := Change{Table: w.Table, Op: w.Op, Row: w.Row.Values()}
		switch {
		case w.Truncate:
			c = Change{Table: w.Table, Truncate: true}
			clear(rows[w.Table])
		case w.Op == capture.OpCreate:
			rows[w.Table][strconv.FormatInt(w.Row.ID, 10)] = c.Row
		case old == nil:
			return fmt.Errorf("%s: no row %d", w.Table, w.ID)
		case w.Op == capture.OpDelete:
			c.Row = old
			delete(rows[w.Table], key)
		default:
			c.Before = old
			delete(rows[w.Table], key)
			rows[w.Table][strconv.FormatInt(w.Row.ID, 10)] = c.Row
		}
		changes = append(changes, c)
	}
	d.Commit(changes...)
	return nil
}

func positionOf(n int64) capture.Position { return capture.Position(strconv.FormatInt(n, 10)) }

func mustInt(p capture.Position) int64 {
	n, err := strconv.ParseInt(string(p), 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}

func mustKey(t *schemas.Table, row []schemas.Value) string {
	k, err := keyOf(t, row)
	if err != nil {
		panic(err)
	}
	return k
}
