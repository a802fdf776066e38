package mysql

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"shelfstream/capture"
	"shelfstream/internal/fault"
	"shelfstream/schemas"
)

var _ capture.Source = (*Source)(nil)

// Source reads one MySQL or MariaDB server: whole tables as of an exact position, then its changes from the binlog. See
// capture.Source for how it is used, and the package's documentation for what it guarantees.
type Source struct {
	cfg     Config
	metrics *metrics
	now     func() time.Time

	// Of Run.
	server     serverInfo
	names      map[string]tableName  // of the configured tables in the database
	tables     map[string]*tableInfo // as the catalogue has them; those that exist
	collations *collations
	identities map[string]identity // of the tables whose rows are on their topics
	system     string              // the server and the identities
	declared   map[string]declared
}

// declared is what the log was told of a table.
type declared struct {
	table  *schemas.Table
	handle capture.Handle
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
	return &Source{cfg: cfg, metrics: m, now: time.Now, declared: map[string]declared{}, identities: map[string]identity{}}, nil
}

// Preflight implements capture.Source.
func (s *Source) Preflight(ctx context.Context) (fault.List, error) { return preflight(ctx, &s.cfg) }

// Describe gives the shape that each captured table will be published in, by the name the configuration gives it, without reading a row or changing
// anything. Tables that do not exist are left out; so are those that have no shape, such as one without a key, and the error says why.
func (s *Source) Describe(ctx context.Context) (map[string]*schemas.Table, error) {
	if err := s.look(ctx); err != nil {
		return nil, err
	}
	shapes := map[string]*schemas.Table{}
	var errs []error
	for _, name := range sortedTables(s.tables) {
		sh, err := s.cfg.shapeOf(name, s.tables[name], s.collations)
		if err != nil {
			errs = append(errs, fmt.Errorf("describe the table %s: %w", name, err))
			continue
		}
		shapes[name] = sh.table
	}
	return shapes, errors.Join(errs...)
}

// Run implements capture.Source.
func (s *Source) Run(ctx context.Context, start capture.Start, log capture.Log) error {
	err := s.run(ctx, start, log)
	if ctx.Err() != nil {
		return nil // whatever broke, broke because it was told to end
	}
	var f *fault.Fault
	if code := errorCode(err); (code != 0 && code != codeTableChanged || errors.Is(err, errTagged) || broken(err)) && !errors.As(err, &f) {
		return s.cfg.unread("a table cannot be read", err) // which the look over the source did not show: it reads no row, and locks nothing
	}
	return err
}

func (s *Source) run(ctx context.Context, start capture.Start, log capture.Log) error {
	if err := s.look(ctx); err != nil {
		return err
	}
	for _, table := range sortedTables(s.cfg.Tables) {
		if s.tables[table] == nil {
			return s.cfg.missingTable(table, "")
		}
	}
	st := &stream{
		s: s, log: log, maps: newTableMaps(s), stale: map[string]string{}, dropped: map[string]struct{}{}, adjusts: map[string]struct{}{}, xa: map[string][]string{}, blamed: map[string]identity{},
	}
	defer st.close()
	if start.Checkpoint == nil || start.Fresh {
		b, err := s.openBarrier(ctx, sortedTables(s.cfg.Tables))
		if err != nil {
			return err
		}
		st.at = b.pos.clone()
		err = s.readBarrier(ctx, log, b)
		b.drop()
		if err != nil {
			return err
		}
		return st.run(ctx)
	}
	at, err := s.resume(&start)
	if err != nil {
		return err
	}
	st.at, st.before = at, at.file
	if server, _ := parseSystem(start.Checkpoint.System); server != s.server.name {
		st.before = filePosition{} // its files have nothing to do with those
	}
	if len(start.Snapshot) > 0 {
		if st.barrier, err = s.openBarrier(ctx, start.Snapshot); err != nil {
			return err
		}
	}
	return st.run(ctx)
}

// look reads what the server and its catalogue say.
func (s *Source) look(ctx context.Context) error {
	conn, err := s.cfg.connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if s.server, err = identify(ctx, conn); err != nil {
		return s.unread(err)
	}
	if s.collations, err = readCollations(ctx, conn); err != nil {
		return s.unread(err)
	}
	return s.loadTables(ctx, conn)
}

// resume checks that the checkpoint can be gone on from. Tables whose rows on the topic are not theirs any more are added to start.Snapshot.
func (s *Source) resume(start *capture.Start) (position, error) {
	server, _ := parseSystem(start.Checkpoint.System)
	family, _, _ := strings.Cut(server, "/")
	at, err := parsePosition(flavor(family), capture.Position(start.Checkpoint.Position))
	switch {
	case err != nil:
		return at, s.lost("the checkpoint's position cannot be read", err)
	case flavor(family) != s.server.flavor:
		return at, s.lost("the server is "+string(s.server.flavor)+" now; what was captured so far came from "+family, nil)
	case at.kind != s.server.positions:
		return at, s.lost("the server's GTIDs were switched on or off since the checkpoint "+start.Checkpoint.Position, nil)
	case server != s.server.name && at.kind == byFile:
		return at, s.lost(fmt.Sprintf("this is another server (%s) than the one captured so far (%s), and without GTIDs their logs have nothing in common", s.server.name, server), nil)
	case server != s.server.name:
		s.cfg.Logger.Warn("this is another server than the one captured so far; the GTIDs go on", "was", server, "is", s.server.name, "position", start.Checkpoint.Position)
	}
	if err := s.verify(at); err != nil {
		return at, err
	}
	shapes := map[string]*schemas.Table{}
	for name, t := range s.tables {
		if sh, err := newShape(t.columns, s.cfg.shapeConfig(name, s.collations)); err == nil {
			shapes[name] = sh.table
		}
	}
	s.recognise(start, shapes)
	return at, nil
}

// Confirm implements capture.Source. The server keeps its log by its own rules, and is told nothing.
func (s *Source) Confirm(capture.Position) {}

// declare tells the log a table's shape, unless it knows it.
func (s *Source) declare(ctx context.Context, log capture.Log, table string, t *schemas.Table) (capture.Handle, error) {
	if d, ok := s.declared[table]; ok && reflect.DeepEqual(d.table, t) {
		return d.handle, nil
	}
	h, err := log.Table(ctx, table, t)
	if err != nil {
		return 0, fmt.Errorf("declare table %s: %w", table, err)
	}
	s.declared[table] = declared{table: t, handle: h}
	return h, nil
}

// captured gives the configuration's name for a table of the database, "" if it is not captured.
func (s *Source) captured(schema, table string) string {
	for name, n := range s.names {
		if n.name == table && n.schema == schema || s.server.foldsNames && strings.EqualFold(n.name, table) && strings.EqualFold(n.schema, schema) {
			return name
		}
	}
	return ""
}

// loadTables reads the catalogue anew, over a connection of its own if there is none.
func (s *Source) loadTables(ctx context.Context, conn *session) (err error) {
	if conn == nil {
		if conn, err = s.cfg.connect(ctx); err != nil {
			return err
		}
		defer conn.Close()
	}
	e, err := s.cfg.endpoint()
	if err != nil {
		return err
	}
	s.names, s.tables = map[string]tableName{}, map[string]*tableInfo{}
	for name := range s.cfg.Tables {
		t, err := s.cfg.lookUp(ctx, conn, s.collations, e.database, name)
		if err != nil {
			return s.unread(err)
		}
		if t != nil {
			s.names[name], s.tables[name] = tableName{t.schema, t.name}, t
			continue
		}
		n := tableName{e.database, s.cfg.tableName(name)}
		if schema, table, ok := strings.Cut(n.name, "."); ok {
			n = tableName{schema, table}
		}
		s.names[name] = n
	}
	return nil
}
