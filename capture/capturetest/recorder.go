package capturetest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"shelfstream/capture"
	"shelfstream/schemas"
)

var (
	_ capture.Log       = (*Recorder)(nil)
	_ capture.Truncater = (*Recorder)(nil)
	_ capture.Snapshot  = (*recorderSnapshot)(nil)
	_ capture.Estimator = (*recorderSnapshot)(nil)
)

// Event is one row change, truncate, snapshot row or commit in the order of its call, with values copied.
type Event struct {
	// Kind is "change", "truncate", "row", "commit", "snapshot" or "end".
	Kind        string
	Table       string
	Op          capture.Op
	Row, Before []schemas.Value
	Meta        capture.Meta
	Commit      capture.Commit
}

// Recorder is a Log in memory. What breaks the contract fails the test at once, with the call that did.
type Recorder struct {
	t       testing.TB
	confirm func(capture.Position)

	mu         sync.Mutex
	tables     []declared
	rows       map[string]map[string][]schemas.Value // table -> key -> row, as of now
	committed  map[string]map[string][]schemas.Value // the same as of the newest commit
	complete   map[string]bool                       // tables whose snapshot has ended
	events     []Event
	open       string // transaction
	dirty      bool   // rows changed since the newest commit
	snapshot   *recorderSnapshot
	checkpoint *schemas.Checkpoint
	heartbeats int
	changed    chan struct{}
}

type declared struct {
	name  string
	table *schemas.Table
}

// NewRecorder makes an empty log. confirm is called after each commit, as the runner would; it may be nil.
func NewRecorder(t testing.TB, confirm func(capture.Position)) *Recorder {
	return &Recorder{
		t: t, confirm: confirm, rows: map[string]map[string][]schemas.Value{}, committed: map[string]map[string][]schemas.Value{},
		complete: map[string]bool{}, changed: make(chan struct{}),
	}
}

// Reopen gives the recorder to a new Run, as after a crash: an open transaction and an open snapshot are forgotten.
func (r *Recorder) Reopen(confirm func(capture.Position)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.confirm, r.open, r.snapshot, r.tables, r.dirty = confirm, "", nil, nil, false
	r.rows = cloneTables(r.committed)
}

func (r *Recorder) broken(format string, args ...any) error {
	r.t.Helper()
	err := fmt.Errorf("contract broken: "+format, args...)
	r.t.Error(err)
	return err
}

func (r *Recorder) notifyLocked() {
	close(r.changed)
	r.changed = make(chan struct{})
}

// Table implements capture.Log. Each declaration gets a new handle, so that a source that keeps an old one is found out.
func (r *Recorder) Table(_ context.Context, name string, t *schemas.Table) (capture.Handle, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(t.Key) == 0 {
		return 0, r.broken("table %s was declared without a key", name)
	}
	own := *t
	own.Name = "test." + name
	if _, err := schemas.Compile(&own); err != nil {
		return 0, r.broken("table %s: %w", name, err)
	}
	for i := range r.tables {
		if r.tables[i].name == name {
			r.tables[i].table = nil
		}
	}
	r.tables = append(r.tables, declared{name, &own})
	return capture.Handle(len(r.tables) - 1), nil
}

func (r *Recorder) handleLocked(h capture.Handle) (declared, error) {
	if h < 0 || int(h) >= len(r.tables) {
		return declared{}, r.broken("handle %d was not given out", h)
	}
	if d := r.tables[h]; d.table != nil {
		return d, nil
	}
	return declared{}, r.broken("handle %d of table %s is stale: the table was declared again", h, r.tables[h].name)
}

func (r *Recorder) enterLocked(what string, at capture.Meta) error {
	switch {
	case r.snapshot != nil:
		return r.broken("%s while a snapshot is open", what)
	case at.Transaction == "":
		return r.broken("%s without a transaction", what)
	case at.Position == "":
		return r.broken("%s without a position", what)
	case at.CommitTimeUS == 0:
		return r.broken("%s without a commit time", what)
	case r.open != "" && r.open != at.Transaction:
		return r.broken("%s of transaction %s while %s is open", what, at.Transaction, r.open)
	}
	r.open, r.dirty = at.Transaction, true
	return nil
}

// Change implements capture.Log.
func (r *Recorder) Change(_ context.Context, h capture.Handle, op capture.Op, row, before []schemas.Value, at capture.Meta) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	d, err := r.handleLocked(h)
	if err != nil {
		return err
	}
	if err := r.enterLocked("a change", at); err != nil {
		return err
	}
	if len(row) != len(d.table.Columns) || before != nil && len(before) != len(row) {
		return r.broken("a row of %s has %d values (%d before), its shape has %d", d.name, len(row), len(before), len(d.table.Columns))
	}
	rows := r.tableLocked(d.name)
	switch op {
	case capture.OpDelete:
		key, err := keyOf(d.table, row)
		if err != nil {
			return r.broken("delete from %s: %w", d.name, err)
		}
		delete(rows, key)
	case capture.OpCreate, capture.OpUpdate:
		if before != nil {
			key, err := keyOf(d.table, before)
			if err != nil {
				return r.broken("change of %s: the row before: %w", d.name, err)
			}
			delete(rows, key)
		}
		if err := r.putLocked(d, rows, row); err != nil {
			return err
		}
	case capture.OpRead:
		return r.broken("operation r belongs to snapshots")
	default:
		return r.broken("operation %q is unknown", op)
	}
	r.events = append(r.events, Event{Kind: "change", Table: d.name, Op: op, Row: cloneRow(row), Before: cloneRow(before), Meta: at})
	r.notifyLocked()
	return nil
}

func (r *Recorder) putLocked(d declared, rows map[string][]schemas.Value, row []schemas.Value) error {
	key, err := keyOf(d.table, row)
	if err != nil {
		return r.broken("row of %s: %w", d.name, err)
	}
	codec, err := schemas.Compile(d.table)
	if err == nil {
		_, err = codec.AppendValue(nil, row)
	}
	if err != nil {
		return r.broken("row of %s does not fit its declared shape: %w", d.name, err)
	}
	rows[key] = cloneRow(row)
	return nil
}

func (r *Recorder) tableLocked(name string) map[string][]schemas.Value {
	if r.rows[name] == nil {
		r.rows[name] = map[string][]schemas.Value{}
	}
	return r.rows[name]
}

// Truncate implements capture.Truncater.
func (r *Recorder) Truncate(_ context.Context, h capture.Handle, at capture.Meta) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	d, err := r.handleLocked(h)
	if err != nil {
		return err
	}
	if err := r.enterLocked("a truncate", at); err != nil {
		return err
	}
	clear(r.tableLocked(d.name))
	r.events = append(r.events, Event{Kind: "truncate", Table: d.name, Meta: at})
	r.notifyLocked()
	return nil
}

// Commit implements capture.Log.
func (r *Recorder) Commit(_ context.Context, c capture.Commit) error {
	r.mu.Lock()
	confirm, err := r.commitLocked(c)
	r.mu.Unlock()
	if err == nil && confirm != nil {
		confirm(c.Position)
	}
	return err
}

func (r *Recorder) commitLocked(c capture.Commit) (func(capture.Position), error) {
	switch {
	case c.Position == "" || c.System == "" || c.CommitTimeUS == 0:
		return nil, r.broken("a commit needs a position, a system and a time: %+v", c)
	case c.Heartbeat && r.snapshot != nil:
		r.heartbeats++
		r.notifyLocked()
		return nil, nil
	case r.snapshot != nil:
		return nil, r.broken("a commit while a snapshot is open")
	case c.Heartbeat && r.open != "":
		return nil, r.broken("a heartbeat inside transaction %s", r.open)
	case !c.Heartbeat && c.Transaction == "":
		return nil, r.broken("a commit without a transaction")
	case r.open != "" && c.Transaction != r.open:
		return nil, r.broken("a commit of transaction %s while %s is open", c.Transaction, r.open)
	}
	if c.Heartbeat {
		r.heartbeats++
	}
	r.open = ""
	r.sealLocked(c, "commit")
	return r.confirm, nil
}

// sealLocked makes a checkpoint of the present rows.
func (r *Recorder) sealLocked(c capture.Commit, kind string) {
	if r.dirty {
		r.committed, r.dirty = cloneTables(r.rows), false
	}
	cp := &schemas.Checkpoint{
		Source: "test", Position: string(c.Position), System: c.System, Transaction: c.Transaction, CommitTimeUS: c.CommitTimeUS,
		Heartbeat: c.Heartbeat,
	}
	for _, t := range slices.Sorted(maps.Keys(r.complete)) {
		cp.Topics = append(cp.Topics, schemas.CheckpointTopic{Table: t, Topic: "test." + t, Next: []int64{0}})
	}
	r.checkpoint = cp
	r.events = append(r.events, Event{Kind: kind, Commit: c})
	r.notifyLocked()
}

// Checkpoint is the newest one, nil if there is none: what the next Run starts from.
func (r *Recorder) Checkpoint() *schemas.Checkpoint {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.checkpoint
}

// Events are a copy of everything that was called.
func (r *Recorder) Events() []Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events)
}

// Heartbeats is how many came.
func (r *Recorder) Heartbeats() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.heartbeats
}

// Rows are a table's rows as of the newest commit, each as "column=value …", by their keys.
func (r *Recorder) Rows(table string) map[string]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := map[string]string{}
	for k, row := range r.committed[table] {
		out[k] = rowText(row)
	}
	return out
}

// Wait returns when cond holds, and fails the test when ctx ends before. cond is called after each change, without a lock held.
func (r *Recorder) Wait(ctx context.Context, what string, cond func() bool) {
	r.t.Helper()
	for {
		r.mu.Lock()
		changed := r.changed
		r.mu.Unlock()
		if cond() {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			r.t.Fatalf("%s: not within the time (%v)", what, ctx.Err())
		}
	}
}

func keyOf(t *schemas.Table, row []schemas.Value) (string, error) {
	vals := make([]string, len(t.Key))
	for i, c := range t.Key {
		if row[c].IsNull() {
			return "", fmt.Errorf("key column %s is null", t.Columns[c].Name)
		}
		vals[i] = row[c].String()
	}
	return strings.Join(vals, "|"), nil
}

func rowText(row []schemas.Value) string {
	vals := make([]string, len(row))
	for i, v := range row {
		vals[i] = v.String()
	}
	return strings.Join(vals, "|")
}

func cloneRow(row []schemas.Value) []schemas.Value {
	if row == nil {
		return nil
	}
	out := make([]schemas.Value, len(row))
	for i, v := range row {
		out[i] = v.Clone()
	}
	return out
}

func cloneTables(m map[string]map[string][]schemas.Value) map[string]map[string][]schemas.Value {
	out := make(map[string]map[string][]schemas.Value, len(m))
	for k, v := range m {
		out[k] = maps.Clone(v)
	}
	return out
}
