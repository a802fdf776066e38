//go:build integration

package mysql

import (
	"errors"
	"regexp"
	"slices"
	"testing"

	"shelfstream/capture"
	"shelfstream/internal/fault"
)

// TestGTIDsByHalves: what a MySQL says whose GTIDs are being switched on, and that its remedy goes all the way. MariaDB always has GTIDs.
func TestGTIDsByHalves(t *testing.T) {
	if !onMySQL() {
		return
	}
	d := newDatabase(t, "CREATE TABLE a (id int PRIMARY KEY)")
	cfg := d.config(tables("a"))
	statements := regexp.MustCompile(`SET GLOBAL \w+ = \w+`)
	for _, half := range []string{"ON_PERMISSIVE", "OFF_PERMISSIVE"} {
		d.exec("SET GLOBAL gtid_mode = ON_PERMISSIVE", "SET GLOBAL gtid_mode = "+half, "SET GLOBAL enforce_gtid_consistency = OFF")
		l, err := preflight(t.Context(), &cfg)
		at := slices.IndexFunc(l, func(f *fault.Fault) bool { return f.Cause == fault.BinlogGTID })
		if err != nil || at < 0 {
			t.Fatalf("%s: %v %v", half, l, err)
		}
		d.exec(statements.FindAllString(l[at].Fix, -1)...)
		if l, err := preflight(t.Context(), &cfg); err != nil || len(l) > 0 {
			t.Errorf("%s, after the remedy: %v %v", half, l, err)
		}
	}
}

// TestTaggedGTIDs: somebody gives a transaction's GTID a tag (MySQL 8.3), which stays in gtid_executed.
func TestTaggedGTIDs(t *testing.T) {
	if !onMySQL() {
		return
	}
	d := newDatabaseOn(t, startServer(t), "CREATE TABLE a (id int PRIMARY KEY)", "INSERT INTO a VALUES (1)")
	r := start(t, d.config(tables("a")), nil)
	r.follows(d, "a")
	d.exec("SET gtid_next = 'AUTOMATIC:import'", "INSERT INTO a VALUES (2)")
	isTold := func(err error) {
		t.Helper()
		var f *fault.Fault
		if !errors.As(err, &f) || f.Cause != fault.BinlogGTID {
			t.Errorf("%v", err)
		}
	}
	isTold(r.failure())
	l, err := preflight(t.Context(), &r.cfg)
	if err != nil || len(l) != 1 {
		t.Fatal(l, err)
	}
	isTold(l[0])
	r = start(t, r.cfg, r.Recorder)
	isTold(r.failure())
	d.exec("SET gtid_next = 'AUTOMATIC'", "RESET BINARY LOGS AND GTIDS")
	// What was captured is not of the new log, so the resnapshot begins anew.
	r = start(t, r.cfg, r.Recorder)
	if err := r.failure(); !errors.Is(err, capture.ErrPositionLost) {
		t.Fatal(err)
	}
	r = start(t, r.cfg, nil)
	r.follows(d, "a")
	r.stop()
}
