package capturetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"shelfstream/capture"
	"shelfstream/internal/fault"
	"shelfstream/schemas"
)

var _ capture.Source = (*source)(nil)

// source reads a Database.
type source struct {
	d       *Database
	tables  map[string]capture.TableConfig
	handles map[string]capture.Handle
	shapes  map[string]*schemas.Table
	// skip are tables that are read whole later.
	skip map[string]bool
}

// Source makes a source on the database that captures some of its tables.
func (d *Database) Source(tables map[string]capture.TableConfig) capture.Source {
	return &source{d: d, tables: tables, handles: map[string]capture.Handle{}, shapes: map[string]*schemas.Table{}, skip: map[string]bool{}}
}

// Preflight implements capture.Source.
func (s *source) Preflight(context.Context) (fault.List, error) {
	var l fault.List
	if s.d.Faults != nil {
		for _, err := range s.d.Faults() {
			l.Add(&fault.Fault{Class: fault.Environment, Where: "memory", What: "a fault", Fix: "mend it", Err: err})
		}
	}
	return l, nil
}

// Confirm implements capture.Source.
func (s *source) Confirm(pos capture.Position) {
	if s.d.OnConfirm != nil {
		s.d.OnConfirm(pos)
	}
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	s.d.confirmed = mustInt(pos)
}

// Run implements capture.Source.
func (s *source) Run(ctx context.Context, start capture.Start, log capture.Log) error {
	err := s.run(ctx, start, log)
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil
	}
	return err
}

func (s *source) run(ctx context.Context, start capture.Start, log capture.Log) error {
	var at int64
	if start.Checkpoint != nil {
		at = mustInt(capture.Position(start.Checkpoint.Position))
	}
	s.d.mu.Lock()
	if start.Fresh {
		s.d.lost = false
	}
	lost, end := s.d.lost, int64(len(s.d.log))
	s.d.mu.Unlock()
	if lost {
		return &fault.Fault{Class: fault.Environment, Where: "memory", What: "the log is gone", Fix: "read all again", Err: capture.ErrPositionLost}
	}
	if len(start.Snapshot) > 0 {
		for _, t := range start.Snapshot {
			s.skip[t] = start.Checkpoint == nil || !named(start.Checkpoint, t)
		}
		// A snapshot is a point in the stream: everything below it comes first.
		if start.Checkpoint != nil && !start.Fresh {
			for ; at < end; at++ {
				if err := s.transaction(ctx, log, at+1); err != nil {
					return err
				}
			}
		}
		if err := s.snapshot(ctx, log, end, start.Snapshot); err != nil {
			return err
		}
		at = end
		clear(s.skip)
	}
	return s.stream(ctx, log, at)
}

func named(cp *schemas.Checkpoint, table string) bool {
	return slices.ContainsFunc(cp.Topics, func(t schemas.CheckpointTopic) bool { return t.Table == table })
}

func (s *source) stream(ctx context.Context, log capture.Log, at int64) error {
	every := s.d.HeartbeatEvery
	if every <= 0 {
		every = 10 * time.Millisecond
	}
	beat := time.NewTicker(every)
	defer beat.Stop()
	for {
		s.d.mu.Lock()
		end, changed := int64(len(s.d.log)), s.d.changed
		s.d.mu.Unlock()
		for ; at < end; at++ {
			if err := s.transaction(ctx, log, at+1); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		case <-beat.C:
			now := time.Now().UnixMicro()
			c := capture.Commit{Meta: capture.Meta{Position: positionOf(at), CommitTimeUS: now}, System: s.d.system, Heartbeat: true}
			if err := log.Commit(ctx, c); err != nil {
				return err
			}
		}
	}
}

// transaction pushes the transaction whose commit is at a position.
func (s *source) transaction(ctx context.Context, log capture.Log, position int64) error {
	s.d.mu.Lock()
	tx, hook := s.d.log[position-1], s.d.Hook
	s.d.mu.Unlock()
	meta := capture.Meta{Position: positionOf(position), Transaction: fmt.Sprintf("tx%d", position), CommitTimeUS: tx.at.UnixMicro()}
	for i := range tx.n {
		if hook != nil {
			if err := hook(position, i); err != nil {
				return err
			}
		}
		c := tx.make(i)
		if _, ok := s.tables[c.Table]; !ok || s.skip[c.Table] {
			continue
		}
		if err := s.change(ctx, log, c, position, meta); err != nil {
			return err
		}
	}
	if hook != nil {
		if err := hook(position, -1); err != nil {
			return err
		}
	}
	return log.Commit(ctx, capture.Commit{Meta: meta, System: s.d.system})
}

func (s *source) change(ctx context.Context, log capture.Log, c Change, position int64, meta capture.Meta) error {
	if c.Shape != nil && s.shapes[c.Table] != nil {
		if err := s.declare(ctx, log, c.Table, c.Shape); err != nil {
			return err
		}
	}
	h, err := s.handle(ctx, log, c.Table, position-1)
	if err != nil {
		return err
	}
	switch {
	case c.Truncate:
		return log.(capture.Truncater).Truncate(ctx, h, meta)
	case c.Row == nil:
		return nil
	}
	return log.Change(ctx, h, c.Op, c.Row, c.Before, meta)
}

// handle declares a table in the shape that it had at a position, once.
func (s *source) handle(ctx context.Context, log capture.Log, table string, position int64) (capture.Handle, error) {
	if s.shapes[table] == nil {
		if err := s.declare(ctx, log, table, s.d.shapeAt(table, position)); err != nil {
			return 0, err
		}
	}
	return s.handles[table], nil
}

func (s *source) declare(ctx context.Context, log capture.Log, table string, shape *schemas.Table) error {
	h, err := log.Table(ctx, table, shape)
	if err != nil {
		return err
	}
	s.handles[table], s.shapes[table] = h, shape
	return nil
}

func (s *source) snapshot(ctx context.Context, log capture.Log, position int64, tables []string) error {
	for _, t := range tables {
		if _, err := s.handle(ctx, log, t, position); err != nil {
			return err
		}
	}
	snap, err := log.Snapshot(ctx, positionOf(position), tables)
	if err != nil {
		return err
	}
	for _, t := range tables {
		rows := slices.Collect(maps.Values(s.d.RowsAt(t, positionOf(position))))
		if e, ok := snap.(capture.Estimator); ok {
			e.Estimate(t, int64(len(rows)))
		}
		g, gctx := errgroup.WithContext(ctx)
		for lane := range snap.Lanes() {
			g.Go(func() error {
				for i := lane; i < len(rows); i += snap.Lanes() {
					if hook := s.d.SnapshotHook; hook != nil {
						if err := hook(t, i); err != nil {
							return err
						}
					}
					if err := snap.Row(gctx, lane, s.handles[t], rows[i]); err != nil {
						return err
					}
				}
				return nil
			})
		}
		if err := g.Wait(); err != nil {
			return err
		}
	}
	meta := capture.Meta{Position: positionOf(position), CommitTimeUS: time.Now().UnixMicro()}
	return snap.End(ctx, capture.Commit{Meta: meta, System: s.d.system})
}
