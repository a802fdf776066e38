package mysql

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"shelfstream/capture"
)

// barrier is the position as of which some tables are read whole while a stream is under way. Connections whose transactions all see the database as of that position are
// opened at once; the stream is read up to it, without those tables; then comes the snapshot; then the stream goes on with them. So there is neither a gap nor
// an overlap.
type barrier struct {
	*wholeSnapshot
	pos   position
	names []string
}

// openBarrier makes tables wait to be read whole as of now.
func (s *Source) openBarrier(ctx context.Context, tables []string) (*barrier, error) {
	w, err := s.cfg.openSnapshot(ctx, tables)
	if err != nil {
		return nil, err
	}
	b := &barrier{wholeSnapshot: w, pos: atFile(w.file, w.at), names: tables}
	if s.server.positions != byFile {
		if b.pos, err = parseGTIDs(s.server.flavor, w.gtids); err != nil {
			return nil, errors.Join(err, w.close())
		}
		b.pos.file.name = w.file
	}
	return b, nil
}

// drop closes the barrier's connections; nothing depends on them any more.
func (b *barrier) drop() { _ = b.close() }

// readBarrier reads the tables and pushes them.
func (s *Source) readBarrier(ctx context.Context, log capture.Log, b *barrier) error {
	began := s.now()
	identities := map[string]identity{}
	for _, t := range b.tables {
		var err error
		if t.handle, err = s.declare(ctx, log, t.table, t.shape.table); err != nil {
			return err
		}
		identities[t.table] = identityOf(t.shape.table)
		s.tables[t.table] = t.info
	}
	snap, err := log.Snapshot(ctx, b.pos.text(), slices.Clone(b.names))
	if err != nil {
		return fmt.Errorf("begin a snapshot at %s: %w", b.pos, err)
	}
	if err := b.read(ctx, snap); err != nil {
		return err
	}
	s.identify(identities)
	end := capture.Commit{Meta: capture.Meta{Position: b.pos.text(), CommitTimeUS: b.nowUS}, System: s.system}
	if err := snap.End(ctx, end); err != nil {
		return fmt.Errorf("end the snapshot at %s: %w", b.pos, err)
	}
	s.cfg.Logger.Info("snapshot read", "position", b.pos.String(), "tables", len(b.names), "took", s.now().Sub(began).Round(time.Millisecond).String(),
		"writers_waited", b.locked.String())
	return nil
}

// reading says whether the table's rows need not be read from the stream, as it will be read whole.
func (st *stream) reading(table string) bool {
	if st.barrier == nil && len(st.stale) == 0 {
		return false
	}
	if _, ok := st.stale[table]; ok {
		return true
	}
	if st.barrier == nil {
		return false
	}
	return slices.Contains(st.barrier.names, table)
}

// mistrust makes a table be read anew at the end of the open transaction: what happened to its rows is not in the log.
func (st *stream) mistrust(table, reason string) {
	if st.reading(table) {
		return
	}
	st.s.cfg.Logger.Warn("a captured table is read anew", "table", st.s.cfg.tableName(table), "reason", reason)
	st.s.metrics.reread.Inc()
	st.stale[table] = reason
}

// raise opens a barrier for the tables that are to be read anew, and for those that wait already.
func (st *stream) raise(ctx context.Context) error {
	if len(st.stale) == 0 {
		return nil
	}
	tables := maps.Clone(st.stale)
	clear(st.stale)
	if err := st.s.loadTables(ctx, nil); err != nil {
		return err
	}
	st.s.forget(sortedTables(tables))
	for name := range tables {
		if st.s.tables[name] == nil {
			st.s.cfg.Logger.Warn("a captured table was dropped or renamed: nothing comes of it until there is one of its name again", "table", st.s.cfg.tableName(name))
			st.dropped[name] = struct{}{}
			delete(tables, name)
		} else {
			delete(st.dropped, name)
		}
	}
	if len(tables) == 0 {
		return nil
	}
	if st.barrier != nil {
		for _, name := range st.barrier.names {
			tables[name] = ""
		}
		st.barrier.drop()
		st.barrier = nil
	}
	b, err := st.s.openBarrier(ctx, sortedTables(tables))
	if err != nil {
		return err
	}
	st.barrier = b
	return nil
}

// cross reads the tables if the stream is where they were opened. Everything that was committed before has been pushed, nothing later has.
func (st *stream) cross(ctx context.Context) error {
	b := st.barrier
	if b == nil || st.group.open || !st.at.covers(b.pos) {
		return nil
	}
	st.barrier = nil
	defer b.drop()
	// Their definitions in the stream are compared with what was read.
	for _, name := range b.names {
		delete(st.adjusts, name)
		delete(st.maps.newest, name)
	}
	maps.DeleteFunc(st.maps.byID, func(_ uint64, t *streamTable) bool { return t != nil && slices.Contains(b.names, t.name) })
	if err := st.s.readBarrier(ctx, st.log, b); err != nil {
		return err
	}
	st.last = st.s.now()
	return nil
}

// apply does what a statement says of captured tables.
func (st *stream) apply(ctx context.Context, e *effect, schema string, text []byte) error {
	const shown = 120
	reason := "in the log stands: " + strings.ToValidUTF8(string(text[:min(len(text), shown)]), "?")
	for _, name := range st.named(e, schema) {
		switch e.kind {
		case truncates:
			if st.group.own || st.reading(name) {
				continue
			}
			if err := st.truncate(ctx, name); err != nil {
				return fmt.Errorf("truncate: %w", err)
			}
		case adjusts:
			st.adjusts[name] = struct{}{}
			// A column that was added may be of a type that only the catalogue tells.
			if err := st.s.loadTables(ctx, nil); err != nil {
				return err
			}
		case creates:
			if _, ok := st.dropped[name]; ok {
				st.mistrust(name, reason)
			}
		case alters, replaces, drops, dropsSchema, writes:
			st.mistrust(name, reason)
		case noEffect, begins, commits, rollsBack, rollsPart, begunXA, endsXA, commitsXA, rollsBackXA:
		}
	}
	return nil
}

// named are the captured tables that a statement names.
func (st *stream) named(e *effect, schema string) (l []string) {
	for _, n := range e.tables {
		if n.schema == "" {
			n.schema = schema
		}
		for _, name := range sortedTables(st.s.names) {
			own := st.s.names[name]
			if !strings.EqualFold(own.schema, n.schema) || e.kind != dropsSchema && !strings.EqualFold(own.name, n.name) || slices.Contains(l, name) {
				continue
			}
			l = append(l, name)
		}
	}
	return l
}
