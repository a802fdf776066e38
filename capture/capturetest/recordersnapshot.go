package capturetest

import (
	"context"
	"slices"

	"shelfstream/capture"
	"shelfstream/schemas"
)

// recorderLanes is more than one, so that sources show how they share rows out.
const recorderLanes = 3

// recorderSnapshot takes the rows of whole tables.
type recorderSnapshot struct {
	r      *Recorder
	pos    capture.Position
	tables []string
	rows   map[string]map[string][]schemas.Value
	ended  bool
}

// Snapshot implements capture.Log.
func (r *Recorder) Snapshot(_ context.Context, pos capture.Position, tables []string) (capture.Snapshot, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.open != "":
		return nil, r.broken("a snapshot inside transaction %s", r.open)
	case r.snapshot != nil:
		return nil, r.broken("a snapshot inside another")
	case pos == "":
		return nil, r.broken("a snapshot without a position")
	case len(tables) == 0:
		return nil, r.broken("a snapshot of no tables")
	}
	s := &recorderSnapshot{r: r, pos: pos, tables: slices.Clone(tables), rows: map[string]map[string][]schemas.Value{}}
	for _, t := range tables {
		s.rows[t] = map[string][]schemas.Value{}
	}
	r.snapshot = s
	r.events = append(r.events, Event{Kind: "snapshot", Meta: capture.Meta{Position: pos}})
	r.notifyLocked()
	return s, nil
}

// Lanes implements capture.Snapshot.
func (s *recorderSnapshot) Lanes() int { return recorderLanes }

// Estimate implements capture.Estimator.
func (s *recorderSnapshot) Estimate(table string, rows int64) {
	if !slices.Contains(s.tables, table) || rows < 0 {
		_ = s.r.broken("an estimate of %d rows for table %s, which the snapshot does not read", rows, table)
	}
}

// Row implements capture.Snapshot.
func (s *recorderSnapshot) Row(_ context.Context, lane int, h capture.Handle, row []schemas.Value) error {
	r := s.r
	r.mu.Lock()
	defer r.mu.Unlock()
	d, err := r.handleLocked(h)
	if err != nil {
		return err
	}
	rows := s.rows[d.name]
	switch {
	case lane < 0 || lane >= recorderLanes:
		return r.broken("lane %d of %d", lane, recorderLanes)
	case s.ended:
		return r.broken("a row after the snapshot's end")
	case rows == nil:
		return r.broken("a row of table %s, which the snapshot does not read", d.name)
	case len(row) != len(d.table.Columns):
		return r.broken("a row of %s has %d values, its shape has %d", d.name, len(row), len(d.table.Columns))
	}
	key, err := keyOf(d.table, row)
	if err != nil {
		return r.broken("row of %s: %w", d.name, err)
	}
	if _, twice := rows[key]; twice {
		return r.broken("the snapshot brought row %s of %s twice", key, d.name)
	}
	if err := r.putLocked(d, rows, row); err != nil {
		return err
	}
	r.events = append(r.events, Event{Kind: "row", Table: d.name, Op: capture.OpRead, Row: cloneRow(row)})
	return nil
}

// End implements capture.Snapshot.
func (s *recorderSnapshot) End(_ context.Context, c capture.Commit) error {
	r := s.r
	r.mu.Lock()
	confirm := r.confirm
	err := func() error {
		switch {
		case s.ended:
			return r.broken("a snapshot was ended twice")
		case c.Position != s.pos:
			return r.broken("the snapshot as of %s was ended as of %s", s.pos, c.Position)
		case c.System == "" || c.CommitTimeUS == 0:
			return r.broken("a snapshot's end needs a system and a time: %+v", c)
		}
		s.ended = true
		r.snapshot = nil
		for t, rows := range s.rows {
			r.rows[t] = rows
			r.complete[t] = true
		}
		r.dirty = true
		r.sealLocked(c, "end")
		return nil
	}()
	r.mu.Unlock()
	if err == nil && confirm != nil {
		confirm(c.Position)
	}
	return err
}
