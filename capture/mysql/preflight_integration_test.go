//go:build integration

package mysql

import (
	"context"
	"errors"
	"strings"
	"testing"

	"shelfstream/capture"
	"shelfstream/internal/fault"
	"shelfstream/internal/testenv"
	"shelfstream/schemas"
)

// as is a configuration that logs in as another user.
func (d *database) as(user string, tables map[string]capture.TableConfig) Config {
	return Config{DSN: d.server.DSNAs(user, "secret", d.name), Pipeline: "p", Source: d.name, Tables: tables, SnapshotLanes: 2}.withDefaults()
}

// TestPreflight: everything that is wrong is found at once, and what each remedy says cures it.
func TestPreflight(t *testing.T) {
	needsMariaDB(t) // its tables and privileges have names of their own
	d := newDatabase(t,
		"CREATE TABLE good (id int PRIMARY KEY, n int)", "INSERT INTO good VALUES (1, 1), (2, 2)",
		"CREATE TABLE nokey (id int)",
		"CREATE TABLE isam (id int PRIMARY KEY) ENGINE=MyISAM",
		"CREATE TABLE history (id int PRIMARY KEY) WITH SYSTEM VERSIONING",
		"CREATE TABLE child (id int PRIMARY KEY, parent int, FOREIGN KEY f (parent) REFERENCES good (id) ON DELETE CASCADE)",
		"CREATE TABLE odd (id int PRIMARY KEY, v varchar(100) COMPRESSED)",
		"CREATE TABLE columns1 (id int PRIMARY KEY, price int)",
		"CREATE TABLE secret (id int PRIMARY KEY)",
		"CREATE TABLE part (id int PRIMARY KEY, hidden int)",
		"CREATE VIEW seen AS SELECT * FROM good",
		"CREATE USER cap@'127.0.0.1' IDENTIFIED BY 'secret'")
	t.Cleanup(func() {
		d.connectAgain()
		d.exec("DROP USER cap@'127.0.0.1'", "SET GLOBAL binlog_format = 'ROW'", "SET GLOBAL binlog_row_image = 'FULL'", "SET GLOBAL binlog_row_metadata = 'FULL'", "SET GLOBAL binlog_expire_logs_seconds = 0", "SET GLOBAL server_id = 7")
	})
	for _, table := range []string{"good", "nokey", "isam", "history", "child", "odd", "columns1", "seen"} {
		d.exec("GRANT SELECT ON " + table + " TO cap@'127.0.0.1'")
	}
	d.exec("GRANT SELECT (id) ON part TO cap@'127.0.0.1'")
	cfg := d.as("cap", map[string]capture.TableConfig{
		"good": {}, "again": {Name: d.name + ".good"}, "nokey": {}, "isam": {}, "history": {}, "child": {}, "odd": {}, "secret": {}, "part": {}, "seen": {}, "goood": {},
		"columns1": {Columns: []string{"prise"}, PartitionBy: []string{"ID", "shop"}},
	})
	cfg.ServerID = 7
	d.exec("SET GLOBAL binlog_format = 'MIXED'", "SET GLOBAL binlog_row_image = 'MINIMAL'", "SET GLOBAL binlog_row_metadata = 'NO_LOG'", "SET GLOBAL binlog_expire_logs_seconds = 600")
	l, err := preflight(t.Context(), &cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct{ cause, where, text string }{
		{"binlog.format", "", "binlog_format is MIXED"},
		{"binlog.format", "", "binlog_row_image is MINIMAL"},
		{"binlog.metadata", "", "binlog_row_metadata is NO_LOG"},
		{"binlog.expires", "", "600 seconds"},
		{"binlog.server_id", "", "server_id: 8"},
		{"binlog.replication_privilege", "", "GRANT REPLICATION SLAVE, BINLOG MONITOR ON *.* TO 'cap'@'127.0.0.1'"},
		{"binlog.table_privilege", "goood", "did you mean good?"},
		{"binlog.table_unfit", "good", "same table as " + d.name + ".again"},
		{"binlog.no_key", "nokey", "ADD PRIMARY KEY"},
		{"binlog.table_unfit", "isam", "ENGINE=InnoDB"},
		{"binlog.table_unfit", "history", "DROP SYSTEM VERSIONING"},
		{"binlog.table_unfit", "child", "cascades: true"},
		{"binlog.table_unfit", "seen", "it is a view"},
		{"binlog.column_type", "odd", "COMPRESSED"},
		{"binlog.column_missing", "columns1", "did you mean price?"},
		{"binlog.column_missing", "columns1", `partition_by names the column "shop"`},
		{"binlog.table_privilege", "secret", "GRANT SELECT ON `" + d.name + "`.`secret` TO 'cap'@'127.0.0.1'"},
		{"binlog.table_privilege", "part", "GRANT SELECT ON `" + d.name + "`.`part`"},
	} {
		found := false
		for i, f := range l {
			if f != nil && string(f.Cause) == want.cause && strings.Contains(f.Error(), want.text) && strings.Contains(f.Where, want.where) {
				l[i], found = nil, true
				break
			}
		}
		if !found {
			t.Errorf("not found: %s %s %s", want.cause, want.where, want.text)
		}
	}
	for _, f := range l {
		if f != nil {
			t.Errorf("beyond what is wrong: %v", f)
		}
	}

	// The remedies that are statements, as they stand.
	d.exec("ALTER TABLE nokey ADD PRIMARY KEY (id)")
	cfg.ServerID, cfg.Cascades = 8, true
	delete(cfg.Tables, "again")
	delete(cfg.Tables, "seen")
	delete(cfg.Tables, "goood")
	cfg.Tables["columns1"] = capture.TableConfig{Columns: []string{"price"}, PartitionBy: []string{"ID"}}
	cfg.Tables["odd"] = capture.TableConfig{Columns: []string{"id"}}
	d.exec("ALTER TABLE odd MODIFY v varchar(100)")
	if l, err = preflight(t.Context(), &cfg); err != nil {
		t.Fatal(err)
	}
	for _, f := range l {
		statement, _, _ := strings.Cut(f.Fix, ";")
		d.exec(statement)
	}
	if l, err = preflight(t.Context(), &cfg); err != nil || len(l) > 0 {
		t.Errorf("after the remedies: %v %v", l, err)
	}
	// And the user can do what it is for; without RELOAD by one connection.
	s, err := cfg.openSnapshot(t.Context(), []string{"good"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	read := &collected{rows: map[int64][]schemas.Value{}}
	if err := s.read(t.Context(), read); err != nil || len(read.rows) != 2 {
		t.Errorf("%d rows (%v)", len(read.rows), err)
	}
}

// connectAgain is connect for a cleanup, when the test's context has ended.
func (d *database) connectAgain() {
	c := *d
	c.TB = background{d.TB}
	c.connect()
	d.conn, d.TB = c.conn, c.TB
}

type background struct{ testing.TB }

func (background) Context() context.Context { return context.Background() }

// TestPreflightWithoutLog: a server that writes no binary log.
func TestPreflightWithoutLog(t *testing.T) {
	quiet, err := testenv.StartMariaDB(t.Context(), "", testenv.MariaDBRelaxed(), testenv.MariaDBSetting("skip-log-bin", "1"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { quiet.Close() })
	d := newDatabaseOn(t, quiet, "CREATE TABLE a (id int PRIMARY KEY)")
	cfg := Config{DSN: d.dsn(), Pipeline: "p", Source: "erp", Tables: map[string]capture.TableConfig{"a": {}}}.withDefaults()
	cfg.Tables["b"] = capture.TableConfig{}
	l, err := preflight(t.Context(), &cfg)
	if err != nil || len(l) < 2 || l[0].Cause != fault.BinlogOff || l[len(l)-1].Cause != fault.BinlogTableMissing {
		t.Errorf("%v %v", l, err)
	}
	if _, err := cfg.openSnapshot(t.Context(), []string{"a"}); err == nil {
		t.Error("a snapshot began without a place in the log")
	}
}

// TestUnreachable: what keeps from looking at all.
func TestUnreachable(t *testing.T) {
	d := newDatabase(t)
	for dsn, want := range map[string]fault.Cause{
		"root@tcp(127.0.0.1:1)/" + d.name:           fault.BinlogUnreachable,
		d.server.DSNAs("nobody", "wrong", d.name):   fault.BinlogLogin,
		d.server.DSNAs("root", "", "no_such_thing"): fault.BinlogDatabase,
	} {
		cfg := Config{DSN: dsn, Pipeline: "p", Source: "erp", Tables: map[string]capture.TableConfig{"a": {}}}.withDefaults()
		_, err := preflight(t.Context(), &cfg)
		var f *fault.Fault
		if !errors.As(err, &f) || f.Cause != want || f.Class != fault.Environment {
			t.Errorf("%s: %v", dsn, err)
		}
		if _, err := cfg.dial(t.Context(), true); !errors.As(err, &f) || f.Cause != want {
			t.Errorf("%s: a lane says %v", dsn, err)
		}
	}
}
