package table

import (
	"context"
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
	Sink string
	// Database is its name for people.
	Database string
	Logger   *slog.Logger
}

// Target is one database. It implements sink.Target, Rewinder, Pruner, Looker and DryChecker; its sessions implement Retrier.
type Target struct {
	cfg      Config
	d        *Dialect
	pool     Pool
	name     string
	database string
	log      *slog.Logger
	holds    holds

	// planned is what the last Check that found nothing wrong has made; sessions look at it with each batch.
	planned atomic.Pointer[planSet]

	mu      sync.Mutex  // one Check at a time
	views   []sink.View // of the last Check
	checked time.Time
}

// planSet is immutable.
type planSet struct {
	views map[string]*viewPlan
	facts Facts
}

const (
	defaultMaxRows = 1000
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

// Open makes a target from a valid configuration; it does not connect yet. It closes the pool when it is closed.
func Open(cfg Config, d *Dialect, pool Pool, opts Options) *Target {
	if cfg.MaxRows == 0 {
		cfg.MaxRows = defaultMaxRows
	}
	t := &Target{cfg: cfg, d: d, pool: pool, name: opts.Sink, database: opts.Database, log: opts.Logger}
	if t.log == nil {
		t.log = slog.New(slog.DiscardHandler)
	}
	t.holds.init()
	return t
}

// Close closes the connections; sessions must be closed before.
func (t *Target) Close() error { return t.pool.Close() }

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
func (t *Target) check(ctx context.Context, views []sink.View) (faults fault.List, err error) {
	plans, faults := plan(t.d, &t.cfg, views)
	if len(faults) > 0 {
		return faults, nil
	}
	err = t.with(ctx, func(c Conn) error {
		facts, err := t.d.Facts(ctx, c)
		if err != nil {
			return err
		}
		t.views, t.checked = views, time.Now()
		if err := t.makeOwn(ctx, c, &faults); err != nil {
			return err
		}
		if err := t.create(ctx, c, plans, &faults); err != nil {
			return err
		}
		tables, err := t.d.Catalog(ctx, c, SortedNames(t.cfg.Tables))
		if err != nil {
			return err
		}
		for _, name := range SortedNames(plans) {
			for _, p := range plans[name].all() {
				faults = append(faults, p.check(tables[p.name])...)
			}
		}
		if len(faults) > 0 {
			return nil
		}
		for _, vp := range plans {
			vp.bind(tables)
		}
		t.planned.Store(&planSet{views: plans, facts: facts})
		return nil
	})
	if err != nil {
		return nil, t.unreachable(err)
	}
	return t.found(faults), nil
}

// found puts the sink and the database before the place of each fault. Whoever follows a remedy may grant what a connection that is open by then does not get any more, so none is kept.
func (t *Target) found(faults fault.List) fault.List {
	if len(faults) > 0 {
		t.pool.Reset()
	}
	for _, f := range faults {
		f.Where = fmt.Sprintf("sink %s: database %s: %s", t.name, t.database, f.Where)
	}
	return faults
}

// all lists a view's tables, roots first.
func (vp *viewPlan) all() []*tablePlan { return vp.tables }

// unreachable makes a fault of an error that is not one yet.
func (t *Target) unreachable(err error) error {
	var f *fault.Fault
	if errors.As(err, &f) {
		return err
	}
	where := fmt.Sprintf("sink %s: database %s", t.name, t.database)
	if e := t.d.Environment(where, err); errors.As(e, &f) {
		return e
	}
	return &fault.Fault{Class: fault.Environment, Cause: t.d.Causes.Unreachable, Where: where, What: "does not answer", Fix: "start the server, or correct the sink's dsn", Err: err}
}

// makeOwn makes our own tables and the columns that older ones lack; a user who may not can have it done by somebody else.
func (t *Target) makeOwn(ctx context.Context, c Conn, faults *fault.List) error {
	run := func(name, test, what, statement string) error {
		_, err := queryRow(ctx, c, "SELECT "+test+" FROM "+name+" LIMIT 1")
		if err == nil || t.d.Kind(err) != ErrNoTable && t.d.Kind(err) != ErrPrivilege {
			return err
		}
		err = c.Exec(ctx, []byte(statement))
		switch {
		case err == nil || t.d.Kind(err) == ErrThere:
			return nil
		case t.d.Kind(err) == ErrPrivilege:
			faults.Add(&fault.Fault{Class: fault.Environment, Cause: t.d.Causes.Privilege, Where: "table " + name, What: what, Fix: "run: " + oneLine(statement) + ";", Err: err})
			return nil
		}
		return err
	}
	before := len(*faults)
	for _, own := range []struct{ name, ddl string }{{OffsetsTable, t.d.Offsets}, {ParkedTable, t.d.Parked}} {
		if err := run(own.name, "sink", "does not exist, and the database user may not make it", own.ddl); err != nil {
			return err
		}
	}
	for _, u := range t.d.ParkedUpgrades {
		if len(*faults) > before {
			break
		}
		if err := run(ParkedTable, u.Column, "lacks the column "+u.Column+", and the database user may not add it", u.Statement); err != nil {
			return err
		}
	}
	return nil
}

// create makes what create: true allows: missing tables, and missing columns of existing ones.
func (t *Target) create(ctx context.Context, c Conn, plans map[string]*viewPlan, faults *fault.List) error {
	tables, err := t.d.Catalog(ctx, c, SortedNames(t.cfg.Tables))
	if err != nil {
		return err
	}
	run := func(p *tablePlan, ddl string) error {
		err := c.Exec(ctx, []byte(ddl))
		switch {
		case err == nil || t.d.Kind(err) == ErrThere:
			t.log.InfoContext(ctx, "changed the target", "sink", t.name, "statement", oneLine(ddl))
			return nil
		case t.d.Kind(err) == ErrBroken:
			return err
		}
		faults.Add(&fault.Fault{Class: fault.Environment, Cause: t.d.Causes.Privilege, Where: p.where(), What: "create: true is set, and the database refuses it", Fix: "run it as a user who may: " + oneLine(ddl), Err: err})
		return nil
	}
	for _, name := range SortedNames(plans) {
		for _, p := range plans[name].all() {
			have := tables[p.name]
			if !p.cfg.Create {
				continue
			}
			if have == nil {
				if !p.makes() {
					continue
				}
				if err := run(p, p.createTable()); err != nil {
					return err
				}
				continue
			}
			for i := range p.columns {
				if _, ok := have.column(p.columns[i].name); !ok && !p.columns[i].key {
					if err := run(p, p.addColumn(&p.columns[i])); err != nil {
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
	if err != nil && t.d.Kind(err) == ErrNoTable {
		if err := t.remake(ctx); err != nil {
			return nil, err
		}
		row, err = t.takeOver(ctx, p, vp)
	}
	if err != nil {
		if t.d.Kind(err) == ErrBroken { // where the server takes no writes any more, the others lead to it too
			t.pool.Reset()
		}
		return nil, t.d.Environment("sink "+t.name, fmt.Errorf("take over %s: %w", p, err))
	}
	s := newSession(t, p, vp, row)
	if err := s.loadParked(ctx); err != nil {
		return nil, fmt.Errorf("list what is parked of %s: %w", p, err)
	}
	return s, nil
}

// remake makes what a database that was made anew lacks, and looks whether it can take the views.
func (t *Target) remake(ctx context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	faults, err := t.check(ctx, t.views)
	if err == nil && len(faults) > 0 {
		err = faults
	}
	return err
}
