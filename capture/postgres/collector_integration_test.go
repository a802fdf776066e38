//go:build integration

package postgres

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pglogrepl"

	"shelfstream/capture"
	"shelfstream/schemas"
)

// collector is a Log that checks nothing: it counts, and keeps the rows if keep is set. It confirms every commit at once.
type collector struct {
	keep    bool
	confirm func(capture.Position)
	rows    atomic.Int64 // of snapshots
	changes atomic.Int64
	end     atomic.Pointer[capture.Commit] // of the newest snapshot
	last    atomic.Pointer[capture.Commit]
	at      func(capture.Meta) // called for each change

	mu     sync.Mutex
	read   [][]schemas.Value
	change []collected
	tables map[string]*schemas.Table
}

type collected struct {
	op          capture.Op
	row, before []schemas.Value
}

func cloned(row []schemas.Value) []schemas.Value {
	var out []schemas.Value
	for _, v := range row {
		out = append(out, v.Clone())
	}
	return out
}

func (c *collector) Table(_ context.Context, name string, t *schemas.Table) (capture.Handle, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tables == nil {
		c.tables = map[string]*schemas.Table{}
	}
	c.tables[name] = t
	return 0, nil
}

func (c *collector) Change(_ context.Context, _ capture.Handle, op capture.Op, row, before []schemas.Value, at capture.Meta) error {
	if c.at != nil {
		c.at(at)
	}
	if c.keep {
		c.mu.Lock()
		c.change = append(c.change, collected{op, cloned(row), cloned(before)})
		c.mu.Unlock()
	}
	c.changes.Add(1)
	return nil
}

func (c *collector) Commit(_ context.Context, m capture.Commit) error {
	c.last.Store(&m)
	if c.confirm != nil {
		c.confirm(m.Position)
	}
	return nil
}

func (c *collector) Snapshot(context.Context, capture.Position, []string) (capture.Snapshot, error) {
	return c, nil
}

func (c *collector) Row(_ context.Context, _ int, _ capture.Handle, row []schemas.Value) error {
	if c.keep {
		c.mu.Lock()
		c.read = append(c.read, cloned(row))
		c.mu.Unlock()
	}
	c.rows.Add(1)
	return nil
}

func (c *collector) Lanes() int { return 8 }

func (c *collector) End(_ context.Context, m capture.Commit) error {
	c.end.Store(&m)
	return nil
}

// run starts a source on a collector and waits for its snapshot.
func run(t testing.TB, cfg Config, log *collector) (*Source, func()) {
	t.Helper()
	src, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	log.confirm = src.Confirm
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- src.Run(ctx, capture.Start{Snapshot: sortedTables(cfg.Tables)}, log) }()
	until(t, "the snapshot", func() bool {
		select {
		case err := <-ended:
			t.Fatal(err)
		default:
		}
		return log.end.Load() != nil
	})
	return src, func() {
		t.Helper()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// benchCheckpoint is a checkpoint at a position of the source's server.
func benchCheckpoint(t testing.TB, s *Source, position string) *schemas.Checkpoint {
	t.Helper()
	repl, err := s.connectReplication(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer closeReplication(repl)
	sys, err := pglogrepl.IdentifySystem(t.Context(), repl)
	if err != nil {
		t.Fatal(err)
	}
	return &schemas.Checkpoint{Position: position, System: systemName(sys)}
}
