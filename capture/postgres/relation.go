package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"shelfstream/internal/fault"
	"shelfstream/schemas"
)

// relation takes a table's description in. It is looked at only when a change of the table follows, since descriptions come in
// transactions too that are skipped, and for tables that are not captured.
func (st *stream) relation() {
	st.recent, st.oid = nil, 0
	r := newRelation(&st.m)
	table, err := st.s.tableOf(r)
	if table == "" {
		st.tables[r.oid] = nil
		return
	}
	st.tables[r.oid] = &streamTable{name: table, rel: r, err: err}
}

// tableOf finds the configured table that a relation is; "" if none. A table that was renamed keeps its OID, and so its place here.
func (s *Source) tableOf(r *relation) (string, error) {
	for name, t := range s.catalog.tables {
		if t.oid == r.oid {
			return name, nil
		}
	}
	for name, t := range s.catalog.tables {
		if t.schema == r.schema && t.name == r.name {
			return name, &fault.Fault{
				Class: fault.Environment, Cause: fault.PostgresTableChanged, Where: s.cfg.where(name), What: "the table was dropped and made again; what lies between is not known",
				Fix: s.cfg.resnapshot(name),
			}
		}
	}
	return "", nil
}

// lookup finds the table of a change; nil if it is not captured.
func (st *stream) lookup(oid uint32) *streamTable {
	if oid == st.oid {
		return st.recent
	}
	st.recent, st.oid = st.tables[oid], oid
	return st.recent
}

// prepare makes the table's rows readable: their shape as of this place in the stream, declared to the log.
func (st *stream) prepare(ctx context.Context, t *streamTable) error {
	if t.err != nil {
		return t.err
	}
	info := st.s.catalog.tables[t.name]
	if !t.rel.matches(info) {
		// A type that no column has any more may still be in the stream.
		var types []uint32
		for _, c := range t.rel.columns {
			types = append(types, c.typ)
		}
		if err := st.s.refresh(ctx, types...); err != nil {
			return err
		}
		info = st.s.catalog.tables[t.name]
	}
	sh, err := st.s.relationShape(t.rel, info, st.s.catalog.types)
	if err != nil {
		return err
	}
	t.shape, t.ready = sh, true
	t.row, t.before = make([]schemas.Value, len(sh.types)), make([]schemas.Value, len(sh.types))
	t.handle, err = st.s.declare(ctx, st.log, t.name, sh.table)
	return err
}

// refresh reads the catalogue anew. A table that is gone keeps what was known of it, as its changes may still come.
func (s *Source) refresh(ctx context.Context, types ...uint32) error {
	conn, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer closeSQL(conn)
	c, err := loadCatalog(ctx, conn, &s.cfg, types...)
	if err != nil {
		return err
	}
	for name, old := range s.catalog.tables {
		if t := c.tables[name]; t == nil || t.oid != old.oid {
			c.tables[name] = old
		}
	}
	for oid, t := range s.catalog.types {
		if c.types[oid] == nil {
			c.types[oid] = t
		}
	}
	s.catalog = c
	return nil
}

// adapt changes a table's shape to what a value needs, and declares it: a null in a column that the catalogue, which may be
// ahead of the stream, says has none; or an enum's symbol that was added since. Any other error is returned as it is.
func (st *stream) adapt(ctx context.Context, t *streamTable, column int, err error) error {
	own := *t.table
	own.Columns = slices.Clone(own.Columns)
	var sym *symbolError
	switch {
	case errors.Is(err, errUnexpectedNull):
		own.Columns[column].Nullable = true
	case errors.As(err, &sym):
		if err := st.s.refresh(ctx); err != nil {
			return err
		}
		c := &t.rel.columns[t.from[column]]
		// The catalogue does not know a symbol that was renamed since.
		t.types[column] = st.s.catalog.types.resolve(c.typ, c.typmod, t.types[column].dims).withSymbol(sym.symbol)
		own.Columns[column].Type = t.types[column].typ
	default:
		return err
	}
	t.table = &own
	t.handle, err = st.s.declare(ctx, st.log, t.name, t.table)
	return err
}

// columnFault names the value that could not be read.
func (s *Source) columnFault(table, column string, err error) error {
	return &fault.Fault{
		Class: fault.Runtime, Cause: fault.PostgresValue, Where: s.cfg.where(table), What: fmt.Sprintf("column %s of a row cannot be read", column), Err: err,
		Fix: "correct the value and " + s.cfg.resnapshot(table) + "; or leave the column out with columns:",
	}
}
