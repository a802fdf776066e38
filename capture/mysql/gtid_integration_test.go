//go:build integration

package mysql

import (
	"regexp"
	"slices"
	"testing"

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
