package postgres

import (
	"context"
	"errors"
	"fmt"

	"shelfstream/internal/fault"
	"shelfstream/schemas"
)

// Describe gives the shape that each captured table will be published in, by the name the configuration gives it, without reading a row or changing
// anything. Tables that do not exist are left out; so are those that have no shape, such as one without a key, and the error says why.
func (s *Source) Describe(ctx context.Context) (map[string]*schemas.Table, error) {
	conn, err := s.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer closeSQL(conn)
	cat, err := loadCatalog(ctx, conn, &s.cfg)
	if err != nil {
		return nil, s.undescribed(err)
	}
	pub, err := loadPublication(ctx, conn, s.cfg.Publication)
	if err != nil {
		return nil, s.undescribed(err)
	}
	shapes := map[string]*schemas.Table{}
	var errs []error
	for _, table := range sortedTables(cat.tables) {
		sh, _, err := s.snapshotShape(cat.tables[table], cat, pub)
		if err != nil {
			errs = append(errs, fmt.Errorf("describe the table %s: %w", table, err))
			continue
		}
		shapes[table] = sh.table
	}
	return shapes, errors.Join(errs...)
}

// seeMessage is the fix of a catalogue that cannot be read: everybody may read it, unless somebody took that away.
const seeMessage = "see the server's message: the role needs SELECT on the system catalogue that it names (GRANT SELECT ON pg_catalog.… TO …); where the connection broke, it is tried again by itself"

func (s *Source) undescribed(err error) error {
	return &fault.Fault{Class: fault.Environment, Cause: fault.PostgresCatalogRight, Where: "source " + s.cfg.Source, What: "the tables' columns cannot be read", Fix: seeMessage, Err: err}
}
