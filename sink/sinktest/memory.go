// Package sinktest holds the suite that every target runs, and a target in memory that the runner's tests write to.
package sinktest

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/schemas"
	"shelfstream/sink"
)

// Memory is a target in memory. Its hooks are set before it is used.
type Memory struct {
	// Reject says why a record cannot be written; nil for most.
	Reject func(r *sink.Record) *fault.Fault
	// Fail is called before each transaction; its error ends it.
	Fail func(p sink.Partition, b *sink.Batch) error
	// Lose is called after each transaction; its error is returned though the transaction was committed, as when a connection breaks.
	Lose func(p sink.Partition, b *sink.Batch) error
	// KeepOthers is what KeepsOthers answers.
	KeepOthers bool
	// Seen is told of every change a reader could see, in order; a nil row is a deletion.
	Seen func(view, key string, row []schemas.Value)

	mu     sync.Mutex
	rows   map[string]map[string]memoryRow // view, key
	places map[string]*memoryPlace         // partition
	checks [][]sink.View
	filled map[string]bool // view: had rows when its first partition was opened
}

type memoryRow struct {
	key []schemas.Value
	row []schemas.Value
}

type memoryPlace struct {
	sink.Place
	epoch  int64
	parked []sink.Parked
	topic  string
	id     int32
}

var (
	_ sink.Target   = (*Memory)(nil)
	_ sink.Rewinder = (*Memory)(nil)
	_ sink.Pruner   = (*Memory)(nil)
	_ sink.Session  = (*memorySession)(nil)
	_ sink.Retrier  = (*memorySession)(nil)
)

// NewMemory makes an empty target.
func NewMemory() *Memory {
	return &Memory{rows: map[string]map[string]memoryRow{}, places: map[string]*memoryPlace{}, filled: map[string]bool{}}
}

// Check implements sink.Target; everything fits.
func (m *Memory) Check(_ context.Context, views []sink.View) (fault.List, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.checks = append(m.checks, views)
	return nil, nil
}

// Checks gives the views of each Check so far.
func (m *Memory) Checks() [][]sink.View {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.checks)
}

// Rows gives what a reader sees of a view: rows by key, both as text.
func (m *Memory) Rows(view string) map[string]string {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[string]string{}
	for k, r := range m.rows[view] {
		out[k] = Text(r.row)
	}
	return out
}

// Put writes a row as if it had been there before.
func (m *Memory) Put(view string, key, row []schemas.Value) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.put(view, key, row)
}

func (m *Memory) put(view string, key, row []schemas.Value) {
	k := Text(key)
	if m.rows[view] == nil {
		m.rows[view] = map[string]memoryRow{}
	}
	if m.Seen != nil {
		m.Seen(view, k, row)
	}
	if row == nil {
		delete(m.rows[view], k)
		return
	}
	m.rows[view][k] = memoryRow{key: clone(key), row: clone(row)}
}

// Parked gives everything that is parked.
func (m *Memory) Parked() []sink.Parked {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []sink.Parked
	for _, p := range m.places {
		out = append(out, p.parked...)
	}
	return out
}

// Place gives a partition's place.
func (m *Memory) Place(topic string, id int32) sink.Place {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.places[fmt.Sprintf("%s/%d", topic, id)]; p != nil {
		return p.Place
	}
	return sink.Place{}
}

// SetUpdated makes it look as if nobody had written the partition since at.
func (m *Memory) SetUpdated(topic string, id int32, at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.places[fmt.Sprintf("%s/%d", topic, id)].Updated = at
}

func clone(vals []schemas.Value) []schemas.Value {
	out := make([]schemas.Value, len(vals))
	for i := range vals {
		out[i] = vals[i].Clone()
	}
	return out
}

// Text joins values for people, by "|".
func Text(vals []schemas.Value) string {
	parts := make([]string, len(vals))
	for i := range vals {
		parts[i] = vals[i].String()
	}
	return strings.Join(parts, "|")
}

// Open implements sink.Target.
func (m *Memory) Open(_ context.Context, p sink.Partition) (sink.Session, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	place := m.places[p.String()]
	if place == nil {
		place = &memoryPlace{topic: p.View.Topic, id: p.ID}
		if _, known := m.filled[p.View.Name]; !known {
			m.filled[p.View.Name] = len(m.rows[p.View.Name]) > 0
		}
		if m.filled[p.View.Name] {
			place.ReplayUntil = math.MaxInt64
		}
		m.places[p.String()] = place
	}
	place.epoch++
	return &memorySession{m: m, p: p, place: place.Place, epoch: place.epoch}, nil
}

// Rewind implements sink.Rewinder.
func (m *Memory) Rewind(_ context.Context, p sink.Partition, to int64, prune bool) (sink.Place, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	place := m.places[p.String()]
	if place == nil {
		return sink.Place{}, nil
	}
	before := place.Place
	place.epoch++
	if to < place.Next {
		place.Next, place.ReplayUntil = to, math.MaxInt64
	}
	place.Prune = place.Prune || prune
	return before, nil
}

// Keys implements sink.Pruner.
func (m *Memory) Keys(_ context.Context, v sink.View, after []schemas.Value, limit int) ([][]schemas.Value, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var names []string
	for k := range m.rows[v.Name] {
		if after == nil || k > Text(after) {
			names = append(names, k)
		}
	}
	slices.Sort(names)
	var out [][]schemas.Value
	for _, k := range names[:min(limit, len(names))] {
		out = append(out, m.rows[v.Name][k].key)
	}
	return out, nil
}

// Prune implements sink.Pruner.
func (m *Memory) Prune(_ context.Context, v sink.View, keys [][]schemas.Value, still func(map[int32]int64) ([]bool, error)) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	next := map[int32]int64{}
	for _, p := range m.places {
		if p.topic == v.Topic {
			next[p.id] = p.Next
		}
	}
	remove, err := still(next)
	if err != nil {
		return 0, err
	}
	n := 0
	for i, k := range keys {
		if remove[i] {
			n++
			m.put(v.Name, k, nil)
		}
	}
	return n, nil
}

// Compare implements sink.Pruner.
func (m *Memory) Compare(_ context.Context, v sink.View, asked bool) (func(context.Context, bool) error, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	epochs := map[string]int64{}
	for name, p := range m.places {
		if p.topic == v.Topic {
			epochs[name] = p.epoch
		}
	}
	return func(_ context.Context, others bool) error {
		m.mu.Lock()
		defer m.mu.Unlock()
		for name, epoch := range epochs {
			if p := m.places[name]; p.epoch == epoch && (asked || !p.Prune) {
				p.Prune, p.Others, p.Updated = false, others, time.Now()
			}
		}
		return nil
	}, nil
}

// KeepsOthers implements sink.Pruner.
func (m *Memory) KeepsOthers(sink.View) bool { return m.KeepOthers }
