package mysql

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"

	"shelfstream/capture"
	"shelfstream/internal/fault"
	"shelfstream/schemas"
)

// errRedefined is a table that was altered while its snapshot began.
var errRedefined = errors.New("the table was altered while its snapshot began")

// snapshotTable is a table that is to be read.
type snapshotTable struct {
	table  string // as the configuration calls it
	info   *tableInfo
	shape  *shape
	handle capture.Handle // of shape.table, declared by the caller
}

// wholeSnapshot reads tables as of one place in the log. close must be called.
type wholeSnapshot struct {
	cfg *Config
	*consistent
	tables []*snapshotTable
}

// openSnapshot begins a snapshot of configured tables: their definitions and the place it is read as of are known, nothing is read yet.
func (c *Config) openSnapshot(ctx context.Context, names []string) (snap *wholeSnapshot, err error) {
	db, err := c.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	set, err := readCollations(ctx, db)
	if err != nil {
		return nil, err
	}
	before, err := c.tables(ctx, db, set, names)
	if err != nil {
		return nil, err
	}
	var quoted []string
	for _, t := range before {
		quoted = append(quoted, t.info.sql())
	}
	// One more connection looks where the chunks of the tables begin, so that the lanes need not.
	k, err := c.openConsistent(ctx, db.maria, c.SnapshotLanes+1, quoted)
	if err != nil {
		return nil, err
	}
	// Nobody can alter them any more.
	after, err := c.tables(ctx, db, set, names)
	for i := range before {
		if err == nil && (before[i].info.created != after[i].info.created || !before[i].shape.equal(after[i].shape.cols)) {
			err = fmt.Errorf("snapshot of %s: %w", before[i].table, errRedefined)
		}
	}
	if err != nil {
		return nil, errors.Join(err, k.close())
	}
	return &wholeSnapshot{cfg: c, consistent: k, tables: after}, nil
}

// tables looks configured tables up in the catalogue.
func (c *Config) tables(ctx context.Context, db *session, set *collations, names []string) ([]*snapshotTable, error) {
	e, err := c.endpoint()
	if err != nil {
		return nil, err
	}
	var l []*snapshotTable
	for _, name := range names {
		t, err := c.lookUp(ctx, db, set, e.database, name)
		if err != nil {
			return nil, err
		}
		if t == nil {
			return nil, c.missingTable(name, "")
		}
		sh, err := c.shapeOf(name, t, set)
		if err != nil {
			return nil, err
		}
		l = append(l, &snapshotTable{table: name, info: t, shape: sh})
	}
	return l, nil
}

// lookUp finds a configured table: "table" in the dsn's database, or "database.table".
func (c *Config) lookUp(ctx context.Context, q queryer, set *collations, database, name string) (*tableInfo, error) {
	t, err := readCatalog(ctx, q, set, database, c.tableName(name))
	if schema, table, ok := strings.Cut(c.tableName(name), "."); t == nil && err == nil && ok {
		t, err = readCatalog(ctx, q, set, schema, table)
	}
	return t, err
}

// shapeOf is the shape of a table as the catalogue has it.
func (c *Config) shapeOf(name string, t *tableInfo, set *collations) (*shape, error) {
	cfg := c.shapeConfig(name, set)
	for i := range t.columns {
		k := &t.columns[i]
		if why := t.faults[k.name]; why != "" {
			return nil, (&shape{where: cfg.where}).refused(k, false, errors.New(why))
		}
	}
	return newShape(t.columns, cfg)
}

// shapeConfig is what newShape needs for a configured table.
func (c *Config) shapeConfig(name string, set *collations) shapeConfig {
	return shapeConfig{table: c.Tables[name], charsets: set.charsets, where: c.where(name), again: c.resnapshot(name)}
}

func (c *Config) missingTable(table, near string) *fault.Fault {
	fix := "make it, correct its name under tables, or let the user see it: GRANT SELECT ON … TO the user"
	if near != "" {
		fix = "did you mean " + near + "? " + fix
	}
	return &fault.Fault{Class: fault.Environment, Cause: fault.BinlogTableMissing, Where: c.where(table), What: "the table does not exist, or the user may not see it", Fix: fix}
}

// read pushes the rows of all tables, whose handles are set, into snap. Each lane is one goroutine and one connection; the planner's connection reads
// too where it is the only one.
func (s *wholeSnapshot) read(ctx context.Context, snap capture.Snapshot) error {
	if e, ok := snap.(capture.Estimator); ok {
		for _, t := range s.tables {
			e.Estimate(t.table, t.info.rows)
		}
	}
	lanes := s.lanes[1:]
	g, ctx := errgroup.WithContext(ctx)
	work := make(chan chunk, 2*len(s.lanes))
	if len(lanes) == 0 {
		lanes = s.lanes
		g.Go(func() error {
			defer close(work)
			for _, t := range s.tables {
				if err := hand(ctx, work, chunk{table: t}); err != nil {
					return err
				}
			}
			return nil
		})
	} else {
		g.Go(func() error {
			defer close(work)
			defer s.lanes[0].interruptOn(ctx)()
			for _, t := range s.tables {
				if err := plan(s.lanes[0], t, func(c chunk) error { return hand(ctx, work, c) }); err != nil {
					return fmt.Errorf("divide table %s for the snapshot: %w", t.table, err)
				}
			}
			return nil
		})
	}
	for n, w := range lanes[:min(len(lanes), snap.Lanes())] {
		g.Go(func() error {
			defer w.interruptOn(ctx)()
			var a arena
			var row []schemas.Value
			for c := range work {
				var err error
				if row, err = c.read(ctx, w, &a, row, snap, n); err != nil {
					return fmt.Errorf("snapshot of table %s: %w", c.table.table, err)
				}
			}
			return nil
		})
	}
	return g.Wait()
}

func hand(ctx context.Context, work chan<- chunk, c chunk) error {
	select {
	case work <- c:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// read pushes the rows of one chunk.
func (c chunk) read(ctx context.Context, w *wire, a *arena, row []schemas.Value, snap capture.Snapshot, lane int) ([]schemas.Value, error) {
	sh := c.table.shape
	return row, w.query(c.sql(), func(cells [][]byte) (err error) {
		a.reset()
		if row, err = sh.text(row[:0], cells, a); err != nil {
			return err
		}
		return snap.Row(ctx, lane, c.table.handle, row)
	})
}
