//go:build integration

package mysql

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"shelfstream/capture"
	"shelfstream/internal/fault"
)

// TestCharsets compares the tables of the charsets with the server's own conversion, byte by byte.
func TestCharsets(t *testing.T) {
	d := newDatabase(t)
	for name := range singleByte {
		c := charsetNamed(name)
		for b := range 256 {
			want := d.one(fmt.Sprintf("SELECT HEX(CONVERT(_%s X'%02X' USING utf8mb4))", name, b))
			got, err := c.append(nil, []byte{byte(b)})
			if err != nil || !strings.EqualFold(hex.EncodeToString(got), want) {
				t.Errorf("%s: %02x became %x, and %s in the server (%v)", name, b, got, want, err)
			}
		}
	}
}

// TestDoubles: JSON of MySQL prints doubles as both servers print a DOUBLE; here is the one that is at hand.
func TestDoubles(t *testing.T) {
	d := newDatabase(t)
	for _, f := range []float64{0, 1, -1.5, 0.1, 1e14, 1e15, 123456789012345678, 1e16, 1.5e300, 1e-4, 1e-5, 1.25e-14, 1e-15, 1e-16, 1.234567890123e-10, math.MaxFloat64, math.SmallestNonzeroFloat64, 1.0 / 3, 100, 1e21, 123456.789e3, 9007199254740993} {
		d.exec("DROP TABLE IF EXISTS f", "CREATE TABLE f (v double)", fmt.Sprintf("INSERT INTO f VALUES (%g)", f))
		if want, got := d.one("SELECT CONCAT(v, '') FROM f"), string(appendDouble(nil, f)); got != want {
			t.Errorf("%g is printed as %s, and by the server as %s", f, got, want)
		}
	}
}

// TestHiddenColumns: MariaDB adds a column for a unique index on a long text, which only its log has. MySQL adds one for an index on an expression, and keeps it out of its log.
func TestHiddenColumns(t *testing.T) {
	create, extra := "CREATE TABLE everything (id int primary key, t text unique, n int invisible)", 1
	if onMySQL() {
		create, extra = "CREATE TABLE everything (id int primary key, t varchar(300), n int invisible, unique ((lower(t))))", 0
	}
	d := newDatabase(t, create, "INSERT INTO everything (id, t, n) VALUES (1, 'a', 5)")
	cfg := Config{DSN: d.dsn(), Pipeline: "p", Source: d.name, Tables: map[string]capture.TableConfig{"everything": {}}}.withDefaults()
	s, err := cfg.openSnapshot(t.Context(), []string{"everything"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	d.exec("INSERT INTO everything (id, t, n) VALUES (2, 'b', 6)")
	db, err := cfg.connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	set, err := readCollations(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	log := readLog(t, &cfg, s, set, 2)
	if row := log.rows[2]; len(row) != 3 || row[1].String() != "b" || row[2].Int != 6 {
		t.Errorf("the row became %v of %+v", row, log.cols)
	}
	if seen := len(log.cols) - extra; seen != 3 || extra > 0 && !log.cols[seen].hidden() || !s.tables[0].shape.equal(log.cols[:seen]) {
		t.Errorf("the catalogue gives %+v, the log %+v", s.tables[0].shape.cols, log.cols)
	}
}

// TestRefusedTypes: what has no form that can be read is refused by name, and may be left out.
func TestRefusedTypes(t *testing.T) {
	d := newDatabase(t, "CREATE TABLE a (id int primary key, w varchar(9) character set gbk)")
	cfg := Config{DSN: d.dsn(), Pipeline: "p", Source: d.name, Tables: map[string]capture.TableConfig{"a": {}}}.withDefaults()
	refused := func(why, fix string) {
		_, err := cfg.openSnapshot(t.Context(), []string{"a"})
		var f *fault.Fault
		if !errors.As(err, &f) || f.Cause != fault.BinlogColumnType || !strings.Contains(err.Error(), why) || !strings.HasPrefix(f.Fix, fix) {
			t.Errorf("%v, and not that %s is refused, with the remedy to %s", err, why, fix)
		}
	}
	refused("gbk", "leave it out under columns")
	cfg.Tables["a"] = capture.TableConfig{Columns: []string{"id"}}
	s, err := cfg.openSnapshot(t.Context(), []string{"a"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	if !onMySQL() { // which has none; left out it is refused as well, since nobody knows where it ends
		d.exec("ALTER TABLE a ADD v varchar(100) compressed")
		refused("COMPRESSED", "give it another type")
	}
}
