package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/sink"
)

// Options are what is not in the configuration.
type Options struct {
	// Sink is the sink's name; it is the key of its rows in shelfstream_offsets and shelfstream_parked.
	Sink   string
	Logger *slog.Logger
}

// Target is one database. It implements sink.Target, Rewinder, Pruner and Looker; its sessions implement Retrier.
type Target struct {
	cfg    Config
	name   string
	log    *slog.Logger
	db     *sql.DB
	dbName string
	holds  holds

	// planned is what the last Check that found nothing wrong has made; sessions look at it with each batch.
	planned atomic.Pointer[planSet]

	mu      sync.Mutex // one Check at a time
	dialect dialect
	views   []sink.View // of the last Check
	checked time.Time
}

// planSet is immutable.
type planSet struct {
	views     map[string]*viewPlan
	maxPacket int
}

const (
	defaultMaxRows = 1000
	idleConns      = 8
	// refreshEvery spares the server the questions of many partitions.
	refreshEvery = 10 * time.Second
	// More than this in one packet gains nothing, and costs memory on both ends.
	packetLimit = 8 << 20
)

var (
	_ sink.Target     = (*Target)(nil)
	_ sink.Rewinder   = (*Target)(nil)
	_ sink.Pruner     = (*Target)(nil)
	_ sink.Looker     = (*Target)(nil)
	_ sink.DryChecker = (*Target)(nil)
	_ sink.Session    = (*session)(nil)
	_ sink.Retrier    = (*session)(nil)
)

// Open makes a target from a valid configuration; it does not connect yet.
func Open(cfg Config, opts Options) (*Target, error) {
	if err := cfg.Validate().Err(); err != nil {
		return nil, err
	}
	c, dsn, err := newConnector(cfg.DSN)
	if err != nil {
		return nil, &fault.Fault{Class: fault.Config, Where: "mysql.dsn", What: "cannot be used", Fix: "write user:password@tcp(host:3306)/database", Err: err}
	}
	if cfg.MaxRows == 0 {
		cfg.MaxRows = defaultMaxRows
	}
	db := sql.OpenDB(c)
	db.SetMaxIdleConns(idleConns)
	db.SetConnMaxIdleTime(50 * time.Second) // the server closes them after 60
	t := &Target{cfg: cfg, name: opts.Sink, log: opts.Logger, db: db, dbName: dsn.DBName}
	if t.log == nil {
		t.log = slog.New(slog.DiscardHandler)
	}
	t.holds.init()
	return t, nil
}

// Close closes the connections; sessions must be closed before.
func (t *Target) Close() error { return t.db.Close() }

// Workers is the configured number of writers, 0 if it is left to the runner.
func (t *Target) Workers() int { return t.cfg.Workers }

// Check implements sink.Target.
func (t *Target) Check(ctx context.Context, views []sink.View) (fault.List, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.check(ctx, views)
}

// Refresh looks at the tables again, so that a column that was made wider since counts. The runner calls it before it tries parked records again; faults
// are left to the next Check, and to the writes themselves.
func (t *Target) Refresh(ctx context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.views) == 0 || time.Since(t.checked) < refreshEvery {
		return nil
	}
	_, err := t.check(ctx, t.views)
	return err
}

// check is Check; t.mu is held.
func (t *Target) check(ctx context.Context, views []sink.View) (fault.List, error) {
	plans, faults := plan(&t.cfg, views)
	if len(faults) > 0 {
		return faults, nil
	}
	d, packet, err := serverFacts(ctx, t.db)
	if err != nil {
		return nil, t.unreachable(err)
	}
	t.dialect, t.views, t.checked = d, views, time.Now()
	for _, ddl := range []string{offsetsDDL, parkedDDL} {
		if f, err := t.makeOwn(ctx, ddl); err != nil {
			return nil, err
		} else if f != nil {
			faults.Add(f)
		}
	}
	if f, err := t.upgradeParked(ctx); err != nil {
		return nil, err
	} else if f != nil {
		faults.Add(f)
	}
	if err := t.create(ctx, plans, &faults); err != nil {
		return nil, err
	}
	tables, err := readCatalog(ctx, t.db, sortedNames(t.cfg.Tables))
	if err != nil {
		return nil, t.unreachable(err)
	}
	for _, name := range sortedNames(plans) {
		for _, p := range plans[name].all() {
			faults = append(faults, p.check(tables[p.name], d)...)
		}
	}
	if len(faults) > 0 {
		return t.placed(faults), nil
	}
	for _, vp := range plans {
		vp.bind(tables)
	}
	t.planned.Store(&planSet{views: plans, maxPacket: packet})
	return nil, nil
}

// placed puts the sink and the database before the place of each fault.
func (t *Target) placed(faults fault.List) fault.List {
	for _, f := range faults {
		f.Where = fmt.Sprintf("sink %s: database %s: %s", t.name, t.dbName, f.Where)
	}
	return faults
}

// all lists a view's tables, roots first.
func (vp *viewPlan) all() []*tablePlan { return vp.tables }

func (t *Target) unreachable(err error) error {
	where := fmt.Sprintf("sink %s: database %s", t.name, t.dbName)
	var f *fault.Fault
	if e := environment(where, err); errors.As(e, &f) {
		return e
	}
	return &fault.Fault{Class: fault.Environment, Cause: fault.MySQLUnreachable, Where: where, What: "does not answer", Fix: "start the server, or correct the sink's dsn", Err: err}
}

// makeOwn makes one of our own tables; a user without CREATE may have it made by somebody else.
func (t *Target) makeOwn(ctx context.Context, ddl string) (*fault.Fault, error) {
	_, err := t.db.ExecContext(ctx, ddl)
	switch {
	case err == nil:
		return nil, nil
	case number(err) == errTableDenied || number(err) == errDBDenied:
		var one int
		name := "shelfstream_offsets"
		if ddl == parkedDDL {
			name = "shelfstream_parked"
		}
		if qerr := t.db.QueryRowContext(ctx, "SELECT 1 FROM "+name+" LIMIT 1").Scan(&one); qerr == nil || errors.Is(qerr, sql.ErrNoRows) {
			return nil, nil
		}
		return &fault.Fault{Class: fault.Environment, Cause: fault.MySQLPrivilege, Where: "table " + name, What: "does not exist, and the database user may not make it", Fix: "run: " + oneLine(ddl) + ";", Err: err}, nil
	}
	return nil, t.unreachable(err)
}

// upgradeParked adds what an older shelfstream_parked lacks; a user without ALTER may have it added by somebody else.
func (t *Target) upgradeParked(ctx context.Context) (*fault.Fault, error) {
	var cause string
	err := t.db.QueryRowContext(ctx, "SELECT cause FROM shelfstream_parked LIMIT 1").Scan(&cause)
	if number(err) != errNoColumn {
		return nil, nil // it has the column, or whether there is a table at all was said before
	}
	_, err = t.db.ExecContext(ctx, parkedUpgrade)
	switch number(err) {
	case errDupColumn: // another process was quicker
		return nil, nil
	case errTableDenied, errDBDenied:
		return &fault.Fault{
			Class: fault.Environment, Cause: fault.MySQLPrivilege, Where: "table shelfstream_parked",
			What: "lacks the column cause, and the database user may not add it", Fix: "run: " + parkedUpgrade + ";", Err: err,
		}, nil
	}
	if err != nil {
		return nil, t.unreachable(err)
	}
	return nil, nil
}

// create makes what create: true allows: missing tables, and missing columns of existing ones.
func (t *Target) create(ctx context.Context, plans map[string]*viewPlan, faults *fault.List) error {
	tables, err := readCatalog(ctx, t.db, sortedNames(t.cfg.Tables))
	if err != nil {
		return t.unreachable(err)
	}
	run := func(p *tablePlan, ddl string) error {
		_, err := t.db.ExecContext(ctx, ddl)
		switch n := number(err); {
		case err == nil || n == errDupColumn: // another process was quicker
			t.log.InfoContext(ctx, "changed the target", "sink", t.name, "statement", oneLine(ddl))
			return nil
		case n == 0:
			return t.unreachable(err)
		default:
			faults.Add(&fault.Fault{Class: fault.Environment, Cause: fault.MySQLPrivilege, Where: p.where(), What: "create: true is set, and the database refuses it", Fix: "run it as a user who may: " + oneLine(ddl), Err: err})
			return nil
		}
	}
	for _, name := range sortedNames(plans) {
		for _, p := range plans[name].all() {
			have := tables[p.name]
			if !p.cfg.Create {
				continue
			}
			if have == nil {
				if err := run(p, p.createTable(t.dialect)); err != nil {
					return err
				}
				continue
			}
			for i := range p.columns {
				if _, ok := have.column(p.columns[i].name); !ok && !p.columns[i].key {
					if err := run(p, p.addColumn(&p.columns[i], t.dialect)); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

// Open implements sink.Target.
func (t *Target) Open(ctx context.Context, p sink.Partition) (sink.Session, error) {
	set := t.planned.Load()
	if set == nil || set.views[p.View.Name] == nil {
		return nil, &fault.Fault{Class: fault.Config, Where: "sink " + t.name, What: fmt.Sprintf("no table is made of the view %s", p.View.Name), Fix: "add one under 'tables', or take the view from the sink"}
	}
	vp := set.views[p.View.Name]
	row, err := t.takeOver(ctx, p, vp)
	if err != nil {
		if readOnly(err) { // see brokenConn
			t.db.SetMaxIdleConns(-1)
			t.db.SetMaxIdleConns(idleConns)
		}
		return nil, environment("sink "+t.name, fmt.Errorf("take over %s: %w", p, err))
	}
	s := newSession(t, p, vp, row)
	if err := s.loadParked(ctx); err != nil {
		return nil, fmt.Errorf("list what is parked of %s: %w", p, err)
	}
	return s, nil
}
