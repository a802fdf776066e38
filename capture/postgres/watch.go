package postgres

import (
	"context"
	"maps"
	"time"

	"github.com/jackc/pgx/v5"

	"shelfstream/internal/fault"
)

// watch is the goroutine that looks at the catalogue while the source streams, since a table can be replaced or leave the publication without another
// word in the stream.
type watch struct {
	s    *Source
	conn *pgx.Conn // opened when it is needed; nil if there is none
	told map[string]bool
}

// watchEvery is how many heartbeats lie between two looks.
const watchEvery = 10

// run ends with ctx (nil), or with a fault if a table must be read anew; a new Run does that by itself.
func (w *watch) run(ctx context.Context) error {
	defer w.close()
	w.told = map[string]bool{}
	tick := time.NewTicker(watchEvery * w.s.cfg.Heartbeat)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		f, err := w.look(ctx)
		if f != nil {
			return f
		}
		if err != nil && ctx.Err() == nil {
			w.s.cfg.Logger.Debug("the catalogue was not looked at", "error", err) // whether the server is there is the stream's business
			w.close()
		}
	}
}

func (w *watch) close() {
	if w.conn != nil {
		closeSQL(w.conn)
		w.conn = nil
	}
}

// look compares each table with what it was when its rows were read.
func (w *watch) look(ctx context.Context) (f *fault.Fault, err error) {
	s := w.s
	known := s.watched.Load()
	if w.conn == nil {
		if w.conn, err = s.connect(ctx); err != nil {
			w.conn = nil
			return nil, err
		}
	}
	c, err := loadCatalog(ctx, w.conn, &s.cfg)
	if err != nil {
		return nil, err
	}
	p, err := loadPublication(ctx, w.conn, s.cfg.Publication)
	if err != nil || s.watched.Load() != known {
		return nil, err // a table was read meanwhile, so what is known is older than the catalogue
	}
	for _, name := range sortedTables(*known) {
		t := c.tables[name]
		if t == nil {
			if !w.told[name] {
				s.cfg.Logger.Warn("a captured table was dropped or renamed: nothing comes of it any more, or it comes under its old name until the next start",
					"table", s.cfg.tableName(name))
			}
			w.told[name] = true
			continue
		}
		if reason := s.changed((*known)[name], t, p); reason != "" {
			return s.outdated(name, reason), nil
		}
	}
	return nil, nil
}

// outdated is a table whose rows on the topic are not the table's any more.
func (s *Source) outdated(table, reason string) *fault.Fault {
	return &fault.Fault{Class: fault.Environment, Cause: fault.PostgresTableChanged, Where: s.cfg.where(table), What: "the table must be read anew: " + reason, Fix: "nothing: that happens by itself now"}
}

// watchAll lets the watch look at all tables but those that are still to be read.
func (st *stream) watchAll() {
	tables := maps.Clone(st.s.identities)
	if st.barrier != nil {
		for name := range st.barrier.tables {
			delete(tables, name)
		}
	}
	st.s.watched.Store(&tables)
}
