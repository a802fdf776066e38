//go:build integration

package mysql

import (
	"errors"
	"testing"

	"shelfstream/internal/fault"
)

// TestTableLocked: a table that somebody took between the look over the source and the snapshot.
func TestTableLocked(t *testing.T) {
	d := newDatabase(t, "CREATE TABLE a (id int PRIMARY KEY)", "INSERT INTO a VALUES (1)", "LOCK TABLES a WRITE")
	r := start(t, d.config(tables("a")), nil)
	err := r.failure()
	d.exec("UNLOCK TABLES")
	var f *fault.Fault
	if !errors.As(err, &f) || f.Cause != fault.BinlogTableLocked {
		t.Fatalf("Run ended with %v", err)
	}
	r = start(t, r.cfg, r.Recorder)
	r.follows(d, "a")
	r.stop()
}
