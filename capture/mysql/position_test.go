package mysql

import (
	"errors"
	"testing"

	"shelfstream/capture"
)

func TestPosition(t *testing.T) {
	const a, b = "3e11fa47-71ca-11e1-9e33-c80aa9429562", "4e11fa47-71ca-11e1-9e33-c80aa9429562"
	for _, c := range []struct {
		flavor        flavor
		later, former string
		covers        bool // former ≤ later
		back          bool // later ≤ former
	}{
		{mariaDB, "0-7-10", "0-7-9", true, false},
		{mariaDB, "0-8-10,1-7-3", "0-7-10", true, false},
		{mariaDB, "0-8-10", "0-7-10", true, true},
		{mariaDB, "0-7-1", "empty", true, false},
		{mariaDB, "0-7-2 binlog.000003@1763790000", "0-7-1 other.000009", true, false},
		{mariaDB, "empty", "empty", true, true},
		{mySQL, a + ":1-10 binlog.000001@1763790000", a + ":1-9", true, false},
		{mySQL, a + ":1-10", a + ":1-3:5-11", false, false},
		{mySQL, a + ":1-10," + b + ":1", b + ":1", true, false},
		{mySQL, a + ":1-10", "empty", true, false},
		{mySQL, "binlog.000010:4", "binlog.000009:1234", true, false},
		{mySQL, "binlog.1000000:4", "binlog.999999:1234", true, false},
		{mySQL, "binlog.000010:1235@1763790000", "binlog.000010:1234", true, false},
		{mySQL, "binlog.000010:4", a + ":1-10", false, false},
	} {
		later, err := parsePosition(c.flavor, capture.Position(c.later))
		if err != nil {
			t.Fatal(err)
		}
		former, err := parsePosition(c.flavor, capture.Position(c.former))
		if err != nil {
			t.Fatal(err)
		}
		if later.String() != c.later || former.String() != c.former {
			t.Errorf("%s became %s, %s became %s", c.later, later, c.former, former)
		}
		if later.covers(former) != c.covers || former.covers(later) != c.back {
			t.Errorf("%s covers %s: %v, the other way round %v", c.later, c.former, later.covers(former), former.covers(later))
		}
	}
	for _, text := range []string{"0-7", "0-7-x", "binlog.000001:x", "binlog.000001:1@x", "5000000000-1-1"} {
		if p, err := parsePosition(mariaDB, capture.Position(text)); err == nil {
			t.Errorf("%q was read as %s", text, p)
		}
	}
}

func TestTagged(t *testing.T) {
	const a = "3e11fa47-71ca-11e1-9e33-c80aa9429562"
	for set, want := range map[string]bool{
		"": false, a + ":1-3": false, a + ":1-3:5,\n" + a + ":7": false,
		a + ":import:1": true, a + ":1-4:import:1": true, a + ":1-4:_x:1-2,\n" + a + ":7": true,
	} {
		if tagged(set) != want {
			t.Errorf("%q: tagged %v", set, !want)
		}
		if _, err := parseGTIDs(mySQL, set); errors.Is(err, errTagged) != want || !want && err != nil {
			t.Errorf("%q: %v", set, err)
		}
	}
}
