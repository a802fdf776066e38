//go:build integration

package mysql

import (
	"strings"
	"testing"

	"shelfstream/capture"
)

// TestStream makes changes of every kind while the source runs, and while it does not. In the end the topic has the rows of the database. read lists the tables that
// were read anew for it.
func TestStream(t *testing.T) {
	const table = "CREATE TABLE a (id int PRIMARY KEY, v varchar(200), n int)"
	anew := []string{"CREATE OR REPLACE TABLE a (id int PRIMARY KEY, v varchar(9)) AS SELECT 5 AS id, 'five' AS v"}
	if onMySQL() {
		anew = []string{"DROP TABLE a", "CREATE TABLE a (id int PRIMARY KEY, v varchar(9)) AS SELECT 5 AS id, 'five' AS v"}
	}
	rows := []string{table, "INSERT INTO a VALUES (1, 'one', 10), (2, 'two', 20), (3, NULL, NULL)"}
	for _, c := range []struct {
		name   string
		before []string
		then   []string
		read   bool
	}{
		{"an engine without transactions", []string{table + " ENGINE=MyISAM", "INSERT INTO a VALUES (1, 'one', 10)"}, []string{
			"INSERT INTO a VALUES (2, 'two', 20), (3, 'three', 30)", "UPDATE a SET v = 'x' WHERE id > 1", "DELETE FROM a WHERE id = 1",
		}, false},
		{"a key that changes places", rows, []string{"UPDATE a SET id = id + 10 ORDER BY id DESC", "UPDATE a SET id = id - 9 ORDER BY id"}, false},
		{"replace, and on duplicate key", rows, []string{"REPLACE INTO a VALUES (1, 'uno', 1), (4, 'four', 4)", "INSERT INTO a VALUES (2, 'z', 0) ON DUPLICATE KEY UPDATE v = 'dup'"}, false},
		{"rolled back, whole and in part", rows, []string{
			"BEGIN", "DELETE FROM a", "ROLLBACK", "BEGIN", "INSERT INTO a VALUES (7, 'kept', 7)", "SAVEPOINT s", "DELETE FROM a WHERE id < 3", "ROLLBACK TO s", "COMMIT",
		}, false},
		{"a rotated log", rows, []string{"FLUSH BINARY LOGS", "INSERT INTO a VALUES (7, 'after', 7)", "FLUSH BINARY LOGS", "DELETE FROM a WHERE id = 1"}, false},
		{"a column added without a value", rows, []string{"ALTER TABLE a ADD COLUMN extra varchar(10) DEFAULT NULL", "INSERT INTO a VALUES (7, 'x', 7, 'e')", "UPDATE a SET v = 'y' WHERE id = 1"}, false},
		{"an index", rows, []string{"ALTER TABLE a ADD INDEX (v)", "CREATE INDEX i ON a (n)", "UPDATE a SET v = 'y' WHERE id = 1"}, false},
		{"a column added with a value", rows, []string{"ALTER TABLE a ADD COLUMN extra int NOT NULL DEFAULT 5"}, true},
		{"a column dropped", rows, []string{"INSERT INTO a VALUES (7, 'x', 7)", "ALTER TABLE a DROP COLUMN v", "INSERT INTO a VALUES (8, 8)"}, true},
		{"a column renamed", rows, []string{"ALTER TABLE a CHANGE v w varchar(200)", "UPDATE a SET w = 'y' WHERE id = 1"}, true},
		{"a column retyped", rows, []string{"ALTER TABLE a MODIFY n varchar(20)", "UPDATE a SET n = 'many' WHERE id = 1"}, true},
		{"altered twice", rows, []string{"ALTER TABLE a DROP COLUMN n", "INSERT INTO a VALUES (9, 'nine')", "ALTER TABLE a ADD COLUMN n int DEFAULT 6", "INSERT INTO a VALUES (10, 'ten', 1)"}, true},
		{"another table takes its place", rows, []string{
			"CREATE TABLE _a_gho (id bigint PRIMARY KEY, v varchar(300), n int, extra int DEFAULT 3)", "INSERT INTO _a_gho (id, v, n) SELECT * FROM a",
			"INSERT INTO a VALUES (7, 'late', 7)", "INSERT INTO _a_gho (id, v, n) VALUES (7, 'late', 7)", "RENAME TABLE a TO _a_del, _a_gho TO a", "INSERT INTO a VALUES (8, 'new', 8, 8)",
		}, true},
		{"dropped and made again", rows, []string{"DROP TABLE a", table, "INSERT INTO a VALUES (1, 'again', 1)"}, true},
		{"made anew in one go", rows, anew, true},
		{"made where it is already", rows, []string{"CREATE TABLE IF NOT EXISTS a (id int)", "DELETE FROM a WHERE id = 2"}, false},
		{"a statement logged as such", rows, []string{"SET SESSION binlog_format = 'STATEMENT'", "UPDATE a SET v = 'stated' WHERE id > 1", "SET SESSION binlog_format = 'ROW'", "DELETE FROM a WHERE id = 1"}, true},
		{"rows that are not logged whole", rows, []string{"SET SESSION binlog_row_image = 'MINIMAL'", "UPDATE a SET v = 'min' WHERE id > 1", "SET SESSION binlog_row_image = 'FULL'"}, true},
		{"a definition that changes without a word", rows, []string{"SET SESSION sql_log_bin = 0", "ALTER TABLE a ADD COLUMN extra int NOT NULL DEFAULT 5", "SET SESSION sql_log_bin = 1", "INSERT INTO a VALUES (7, 'x', 7, 7)"}, true},
		{"XA, committed", rows, []string{"XA START 'x', 'WHILE'", "UPDATE a SET v = 'xa'", "XA END 'x', 'WHILE'", "XA PREPARE 'x', 'WHILE'", "XA COMMIT 'x', 'WHILE'"}, true},
		{"XA, in one phase", rows, []string{"XA START 'y', 'WHILE'", "UPDATE a SET v = 'xa'", "XA END 'y', 'WHILE'", "XA COMMIT 'y', 'WHILE' ONE PHASE"}, onMySQL()}, // MariaDB logs it as any other
		{"XA, rolled back", rows, []string{"XA START 'z', 'WHILE'", "DELETE FROM a", "XA END 'z', 'WHILE'", "XA PREPARE 'z', 'WHILE'", "XA ROLLBACK 'z', 'WHILE'", "UPDATE a SET v = 'still' WHERE id = 1"}, false},
	} {
		for _, while := range []string{"running", "stopped"} {
			t.Run(c.name+", "+while, func(t *testing.T) {
				t.Parallel()
				d := newDatabase(t, c.before...)
				r := start(t, d.config(tables("a")), nil)
				r.follows(d, "a")
				if while == "stopped" {
					r.stop()
				}
				n := len(r.Events())
				for _, statement := range c.then {
					d.exec(strings.ReplaceAll(statement, "'WHILE'", "'"+while+"'")) // the names of XA transactions are the whole server's
				}
				if while == "stopped" {
					r = start(t, r.cfg, r.Recorder)
				}
				r.follows(d, "a")
				d.exec("INSERT INTO a (id) VALUES (99)") // and it goes on
				r.follows(d, "a")
				r.stop()
				if read := len(r.snapshots(n)) > 0; read != c.read && while == "running" {
					t.Errorf("the table was read anew: %v", read)
				}
			})
		}
	}
}

// TestOwnWrites: what sinks of the same pipeline write into captured tables is no change, unless the configuration says so. What another pipeline's write is one.
func TestOwnWrites(t *testing.T) {
	for _, keep := range []bool{false, true} {
		d := newDatabase(t, "CREATE TABLE a (id int PRIMARY KEY, v int)",
			"CREATE TABLE shelfstream_offsets (sink varchar(40), topic varchar(200) CHARACTER SET ascii, next_offset int, PRIMARY KEY (sink, topic))")
		cfg := d.config(tables("a"))
		if keep {
			cfg.OwnWrites = ownKeep
		}
		r := start(t, cfg, nil)
		r.follows(d, "a")
		ours, theirs := cfg.Pipeline+".order", "not"+cfg.Pipeline+".order"
		d.exec("BEGIN", "INSERT INTO shelfstream_offsets VALUES ('shop', '"+ours+"', 1)", "INSERT INTO a VALUES (1, 1)", "COMMIT",
			"BEGIN", "UPDATE shelfstream_offsets SET next_offset = 2", "UPDATE a SET v = 2", "COMMIT",
			"BEGIN", "INSERT INTO shelfstream_offsets VALUES ('shop', '"+theirs+"', 1)", "INSERT INTO a VALUES (3, 3)", "COMMIT",
			"INSERT INTO a VALUES (2, 2)")
		r.wait("the foreign row", func() bool { return r.Rows("a")["2"] != "" })
		r.stop()
		if _, got := r.Rows("a")["1"]; got != keep {
			t.Errorf("keep %v: the sink's row is there: %v", keep, got)
		}
		if _, got := r.Rows("a")["3"]; !got {
			t.Errorf("keep %v: the row of another pipeline's sink is missing", keep)
		}
	}
}

// TestOtherTablesMoveThePosition: a server that is busy with other tables must not leave the position behind.
func TestOtherTablesMoveThePosition(t *testing.T) {
	d := newDatabase(t, "CREATE TABLE a (id int PRIMARY KEY)", "CREATE TABLE other (id int PRIMARY KEY)")
	r := start(t, d.config(tables("a")), nil)
	r.follows(d, "a")
	d.exec("INSERT INTO other VALUES (1), (2)")
	f, newest := mariaDB, "SELECT @@global.gtid_binlog_pos"
	if onMySQL() {
		f, newest = mySQL, "SELECT @@global.gtid_executed"
	}
	want, err := parseGTIDs(f, d.one(newest))
	if err != nil {
		t.Fatal(err)
	}
	r.wait("the position", func() bool {
		p, err := parsePosition(f, capture.Position(r.Checkpoint().Position))
		return err == nil && p.covers(want)
	})
	r.stop()
}
