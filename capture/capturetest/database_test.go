package capturetest_test

import (
	"testing"

	"shelfstream/capture"
	"shelfstream/capture/capturetest"
	"shelfstream/schemas"
)

// memory makes a Database a System.
type memory struct{ *capturetest.Database }

func (m memory) Source(tables map[string]capture.TableConfig) (capture.Source, error) {
	return m.Database.Source(tables), nil
}

func TestDatabasePassesTheSuite(t *testing.T) {
	capturetest.Run(t, func(*testing.T) capturetest.System {
		return memory{capturetest.NewDatabase(map[string]*schemas.Table{capturetest.Head: capturetest.Shape(), capturetest.Line: capturetest.Shape()})}
	})
}
