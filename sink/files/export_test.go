package files

import (
	"context"

	"shelfstream/sink"
)

// OnStep has each step told before it is done.
func (t *Target) OnStep(f func(name string)) { t.step = f }

// Look looks for answers at once.
func Look(ctx context.Context, s sink.Session) error {
	_, err := s.(*session).look(ctx, 0)
	return err
}

// FolderFault puts an error of a table's folder into words.
func (t *Target) FolderFault(table string, err error) error {
	return t.folderFault(&document{table: table, cfg: t.cfg.Tables[table]}, err)
}
