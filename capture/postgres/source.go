package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync/atomic"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"shelfstream/capture"
	"shelfstream/internal/fault"
	"shelfstream/schemas"
)

var _ capture.Source = (*Source)(nil)

// Source reads one PostgreSQL database: whole tables by COPY as of an exact LSN, then its changes from a replication slot. See
// capture.Source for how it is used, and the package's documentation for what it guarantees.
type Source struct {
	cfg     Config
	metrics *metrics

	// Shared with whoever calls Confirm and with the goroutine that tells the server.
	confirmed atomic.Uint64
	received  atomic.Uint64
	urgent    atomic.Bool   // the server waits for the next confirmation
	wake      chan struct{} // capacity 1
	watched   atomic.Pointer[map[string]identity]

	// Of Run's goroutine.
	server      string              // the server and its history
	identities  map[string]identity // of the tables whose rows are on their topics
	system      string              // both
	catalog     *catalog
	publication *publication
	declared    handles
}

// New makes a source. The error is a fault.List of class Config with everything that is wrong with cfg; nothing is connected to yet.
func New(cfg Config) (*Source, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	m, err := newMetrics(cfg.Registerer, cfg.Pipeline, cfg.Source)
	if err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	return &Source{cfg: cfg, metrics: m, wake: make(chan struct{}, 1), declared: handles{}, identities: map[string]identity{}}, nil
}

// Run implements capture.Source.
func (s *Source) Run(ctx context.Context, start capture.Start, log capture.Log) error {
	err := s.run(ctx, start, log)
	if ctx.Err() != nil {
		return nil // whatever broke, broke because it was told to end
	}
	if f := s.locked(err); f != nil {
		return f
	}
	if f := s.broke(err); f != nil {
		return f
	}
	return err
}

func (s *Source) run(ctx context.Context, start capture.Start, log capture.Log) (err error) {
	conn, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer closeSQL(conn)
	var repl *pgconn.PgConn
	st := &stream{s: s, log: log, tables: map[uint32]*streamTable{}}
	defer func() { // once it streams, wire tells
		if err != nil && st.w == nil && (conn.IsClosed() || repl != nil && repl.IsClosed()) {
			err = fmt.Errorf("%w: %w", errBroke, err)
		}
	}()
	if s.catalog, err = loadCatalog(ctx, conn, &s.cfg); err != nil {
		return err
	}
	for _, table := range sortedTables(s.cfg.Tables) {
		if s.catalog.tables[table] == nil {
			return s.missingTable(table, "")
		}
	}
	if s.publication, err = loadPublication(ctx, conn, s.cfg.Publication); err != nil {
		return err
	}
	if repl, err = s.connectReplication(ctx); err != nil {
		return err
	}
	defer func() { closeReplication(repl) }()
	sys, err := pglogrepl.IdentifySystem(ctx, repl)
	if err != nil {
		return fmt.Errorf("identify the server: %w", err)
	}
	s.server = systemName(sys)

	if start.Checkpoint == nil || start.Fresh {
		st.after, err = s.begin(ctx, conn, repl, log)
	} else {
		st.after, err = s.resume(ctx, conn, repl, sys, &start)
		if err == nil && len(start.Snapshot) > 0 {
			var b *barrier
			if b, err = s.openBarrier(ctx, start.Snapshot); err == nil {
				st.barrier = b
				defer b.close()
			}
		}
	}
	if err != nil {
		return err
	}
	closeSQL(conn)
	s.confirmed.Store(uint64(st.after))
	return st.run(ctx, repl)
}

// begin makes a new slot and reads every table as of its consistent point, which it returns.
func (s *Source) begin(ctx context.Context, conn *pgx.Conn, repl *pgconn.PgConn, log capture.Log) (LSN, error) {
	p, err := s.ensurePublication(ctx, conn, s.catalog, s.publication)
	if err != nil {
		return 0, err
	}
	s.publication = p
	for attempt := 1; ; attempt++ {
		// What a crash left behind: nothing was captured through it.
		if err := s.dropSlot(ctx, conn); err != nil {
			return 0, err
		}
		slot, err := s.createSlot(ctx, repl, s.cfg.Slot, false)
		if err != nil {
			return 0, err
		}
		err = s.snapshot(ctx, log, slot, sortedTables(s.cfg.Tables))
		if err == nil {
			return slot.at, nil
		}
		const attempts = 5
		if !errors.Is(err, errRewritten) || attempt == attempts {
			return 0, err
		}
		s.cfg.Logger.Info("a table was rewritten while its snapshot began; it begins again", "error", err)
	}
}

// resume checks that the changes after the checkpoint are still there, and publishes tables that were added since. Tables whose rows on the
// topic are not theirs any more are added to start.Snapshot.
func (s *Source) resume(ctx context.Context, conn *pgx.Conn, repl *pgconn.PgConn, sys pglogrepl.IdentifySystemResult, start *capture.Start) (LSN, error) {
	after, err := parsePosition(capture.Position(start.Checkpoint.Position))
	if err != nil {
		return 0, s.lost("the checkpoint's position cannot be read", err)
	}
	if err := s.verifyHistory(ctx, repl, sys, start.Checkpoint, after); err != nil {
		return 0, err
	}
	if err := s.verifySlot(ctx, conn, after); err != nil {
		return 0, err
	}
	if !s.publication.exists {
		return 0, s.lost("publication "+s.cfg.Publication+" does not exist any more; changes since are not in the stream", nil)
	}
	s.recognise(start)
	if s.publication, err = s.ensurePublication(ctx, conn, s.catalog, s.publication); err != nil {
		return 0, err
	}
	return after, s.freeSlot(ctx, conn)
}

// recognise compares the tables with those of the checkpoint, and adds to start.Snapshot what must be read anew. Such a table keeps its former identity
// in the checkpoints until it is read, so that a start after a crash meanwhile finds the same.
func (s *Source) recognise(start *capture.Start) {
	_, known, listed := parseSystem(start.Checkpoint.System)
	missing := s.publication.uncovered(s.catalog)
	now := map[string]identity{}
	for _, name := range sortedTables(s.cfg.Tables) {
		t := s.catalog.tables[name]
		id, ok := known[name]
		reason := ""
		switch {
		case slices.Contains(missing, t):
			reason = "it is not in the publication"
		case !listed: // of an earlier version, which did not say
		case !ok:
			reason = "it was not read to its end"
		default:
			reason = s.changed(id, t, s.publication)
		}
		switch {
		case slices.Contains(start.Snapshot, name):
		case reason == "":
			id, ok = s.identityOf(t, s.publication), true
		default:
			s.cfg.Logger.Warn("a captured table is read anew", "table", t.sql(), "reason", reason)
			start.Snapshot = append(slices.Clone(start.Snapshot), name)
		}
		if ok {
			now[name] = id
		}
	}
	s.identify(now)
}

// Confirm implements capture.Source.
func (s *Source) Confirm(pos capture.Position) {
	l, err := parsePosition(pos)
	if err != nil {
		s.cfg.Logger.Error("a position that is none was confirmed", "position", string(pos))
		return
	}
	for {
		old := s.confirmed.Load()
		if uint64(l) <= old {
			return
		}
		if s.confirmed.CompareAndSwap(old, uint64(l)) {
			break
		}
	}
	if s.urgent.Swap(false) {
		s.nudge()
	}
}

// nudge makes the status go out now.
func (s *Source) nudge() {
	select {
	case s.wake <- struct{}{}:
	default: // one is due already
	}
}

// declare tells the log a table's shape, unless it knows it.
func (s *Source) declare(ctx context.Context, log capture.Log, table string, t *schemas.Table) (capture.Handle, error) {
	if d, ok := s.declared[table]; ok && sameTable(d.table, t) {
		return d.handle, nil
	}
	h, err := log.Table(ctx, table, t)
	if err != nil {
		return 0, fmt.Errorf("declare table %s: %w", table, err)
	}
	s.declared[table] = declared{table: t, handle: h}
	return h, nil
}

func (s *Source) missingTable(table, suggestion string) *fault.Fault {
	f := &fault.Fault{
		Class: fault.Environment, Cause: fault.PostgresTableMissing, Where: s.cfg.where(table), What: "the table does not exist",
		Fix: "correct its name under tables (\"schema.table\" outside the role's search_path)",
	}
	if suggestion != "" {
		f.Fix = "did you mean " + suggestion + "? " + f.Fix
	}
	return f
}

// systemName identifies a server and its history.
func systemName(sys pglogrepl.IdentifySystemResult) string {
	return sys.SystemID + "/" + strconv.Itoa(int(sys.Timeline))
}
