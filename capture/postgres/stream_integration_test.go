//go:build integration

package postgres

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"shelfstream/capture"
	"shelfstream/internal/fault"
	"shelfstream/schemas"
)

func TestUnchangedToast(t *testing.T) {
	d := newDatabase(t, "CREATE TABLE doc (id int PRIMARY KEY, n int, body text)", "ALTER TABLE doc ALTER body SET STORAGE EXTERNAL", "ALTER TABLE doc REPLICA IDENTITY FULL",
		"INSERT INTO doc VALUES (1, 0, repeat('long ', 5000))")
	r := start(t, d.config(tables("doc")), nil, false)
	r.wait("the snapshot", func() bool { return r.Checkpoint() != nil })
	d.exec("UPDATE doc SET n = 1")
	r.wait("the update with its unchanged text", func() bool { return r.equals(d, "doc", "SELECT * FROM doc") })
	r.stop()
	if rows := r.Rows("doc"); len(rows["1"]) < 25000 || !strings.HasPrefix(rows["1"], "1|1|long ") {
		t.Errorf("the row is %.40q with %d bytes", rows["1"], len(rows["1"]))
	}

	// Somebody sets the identity back: the next such update names the remedy, and the resnapshot heals it.
	rec := r.Recorder
	r = start(t, d.config(tables("doc")), rec, false)
	d.exec("ALTER TABLE doc REPLICA IDENTITY DEFAULT", "UPDATE doc SET n = 2")
	err := r.failure()
	want := `ALTER TABLE "public"."doc" REPLICA IDENTITY FULL; then shelfstream capture resnapshot -source ` + d.name + " -table doc"
	if f := fault.All(err); len(f) != 1 || f[0].Fix != want {
		t.Errorf("the fault is %v", err)
	}
	d.exec("ALTER TABLE doc REPLICA IDENTITY FULL", "UPDATE doc SET n = 3")
	r = start(t, d.config(tables("doc")), rec, false, "doc")
	r.wait("the table read again", func() bool { return r.equals(d, "doc", "SELECT * FROM doc") })
	r.stop()
}

// TestColumnsChange changes a table in every way while it is captured, and once while it is not.
func TestColumnsChange(t *testing.T) {
	d := newDatabase(t, "CREATE TYPE mood AS ENUM ('sad')", "CREATE TABLE item (id int PRIMARY KEY, a int NOT NULL, b text, m mood)", "ALTER TABLE item REPLICA IDENTITY FULL", "INSERT INTO item VALUES (1, 1, 'one', 'sad')")
	r := start(t, d.config(tables("item")), nil, false)
	steps := []string{
		"INSERT INTO item VALUES (2, 2, 'two', NULL)",
		"ALTER TABLE item ADD c numeric(8,2) DEFAULT 1.50; UPDATE item SET c = c + 1",
		"ALTER TABLE item ALTER a TYPE text; UPDATE item SET a = a || '!'",
		"ALTER TABLE item RENAME b TO name; UPDATE item SET name = 'x' || name",
		"ALTER TABLE item DROP c; UPDATE item SET name = name || 'y'",
		"ALTER TABLE item ALTER a DROP NOT NULL; UPDATE item SET a = NULL",
		"ALTER TYPE mood ADD VALUE 'glad'",
		"UPDATE item SET m = 'glad'",
		"ALTER TYPE mood RENAME VALUE 'glad' TO 'happy'; UPDATE item SET m = 'happy'",
		"ALTER TABLE item ADD moods mood[]; UPDATE item SET moods = '{sad}'",
		"ALTER TYPE mood ADD VALUE 'calm'",
		"UPDATE item SET moods = '{sad,calm,NULL}'",
		"ALTER TABLE item ADD tags text[]; UPDATE item SET tags = '{a,NULL}'",
		"ALTER TABLE item RENAME TO thing; UPDATE thing SET name = 'renamed'; ALTER TABLE thing RENAME TO item",
	}
	r.wait("the snapshot", func() bool { return r.Checkpoint() != nil })
	for _, s := range steps {
		d.exec(s)
		r.heal(s, func() bool { return equalsText(r, d, "item") })
	}
	from := r.Heartbeats()
	r.heal("the catalogue looked at", func() bool { return r.Heartbeats() > from+3*watchEvery && equalsText(r, d, "item") })
	r.stop()
	// The stream is behind the catalogue: what it brings first has the shape of the past. Nothing here needs the table read anew.
	d.exec("INSERT INTO item VALUES (3, NULL, 'three', 'sad')", "ALTER TABLE item ADD y mood", "UPDATE item SET m = 'happy', y = 'calm' WHERE id = 3", "ALTER TABLE item ALTER name SET NOT NULL, ALTER a SET DEFAULT 'a'",
		"ALTER TABLE item ADD z int", "INSERT INTO item (id, name, z) VALUES (4, 'four', 4)", "UPDATE item SET z = 3 WHERE id = 3", "ALTER TYPE mood RENAME VALUE 'calm' TO 'quiet'", "UPDATE item SET y = 'quiet', moods = NULL")
	before := len(r.Events())
	r = start(t, d.config(tables("item")), r.Recorder, false)
	r.wait("what happened meanwhile", func() bool { return equalsText(r, d, "item") })
	r.stop()
	for _, e := range r.Events()[before:] {
		if e.Kind == "row" {
			t.Error("a snapshot was read though all of it was in the stream")
		}
	}
}

// equalsText compares a table in its present columns with the recorder; arrays and nulls as Value.String prints them.
func equalsText(r *running, d *database, table string) bool {
	d.Helper()
	cols := d.text("SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = '" + table + "'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum")
	var want []string
	want = append(want, d.text("SELECT "+strings.Join(cols, ", ")+" FROM "+table)...)
	got := r.Rows(table)
	if len(got) != len(want) {
		return false
	}
	for _, line := range want {
		key, _, _ := strings.Cut(line, "|")
		if plainText(got[key]) != plainText(line) {
			return false
		}
	}
	return true
}

// plainText takes out what SQL and Value.String write differently: null, brackets and spaces.
func plainText(s string) string {
	return strings.NewReplacer("NULL", "", "null", "", "[", "", "]", "", "{", "", "}", "", " ", "", `"`, "").Replace(s)
}

// TestKeyChangesWithDefaultIdentity: the old key comes, though the rest of the old row does not.
func TestKeyChangesWithDefaultIdentity(t *testing.T) {
	d := newDatabase(t, "CREATE TABLE k (a int, b int, n int, PRIMARY KEY (b, a))", "INSERT INTO k VALUES (1, 2, 3)")
	r := start(t, d.config(tables("k")), nil, false)
	r.wait("the snapshot", func() bool { return r.Checkpoint() != nil })
	d.exec("UPDATE k SET a = 5", "INSERT INTO k VALUES (7, 7, 7)", "DELETE FROM k WHERE a = 7")
	r.wait("the changes", func() bool { return len(r.Rows("k")) == 1 && r.Rows("k")["2|5"] == "5|2|3" })
	r.stop()
}

// TestIdentityIndex: a table without a primary key is keyed by the index its replica identity names.
func TestIdentityIndex(t *testing.T) {
	d := newDatabase(t, "CREATE TABLE k (n int, code varchar(9) NOT NULL)", "CREATE UNIQUE INDEX ki ON k (code)", "ALTER TABLE k REPLICA IDENTITY USING INDEX ki", "INSERT INTO k VALUES (1, 'a')")
	r := start(t, d.config(tables("k")), nil, false)
	r.wait("the snapshot", func() bool { return r.Checkpoint() != nil })
	d.exec("UPDATE k SET n = 2", "INSERT INTO k VALUES (3, 'b')", "DELETE FROM k WHERE code = 'a'")
	r.wait("the changes", func() bool { return len(r.Rows("k")) == 1 && r.Rows("k")["b"] == "3|b" })
	r.stop()
}

func TestPartitionedTable(t *testing.T) {
	d := newDatabase(t, "CREATE TABLE sale (id int, day date, n int, PRIMARY KEY (id, day)) PARTITION BY RANGE (day)",
		"CREATE TABLE sale_1 PARTITION OF sale FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')", "CREATE TABLE sale_2 (n int, day date NOT NULL, id int NOT NULL)",
		"ALTER TABLE sale ATTACH PARTITION sale_2 FOR VALUES FROM ('2026-02-01') TO ('2026-03-01')",
		"INSERT INTO sale VALUES (1, '2026-01-05', 1), (2, '2026-02-05', 2)")
	r := start(t, d.config(tables("sale")), nil, false)
	r.wait("the snapshot", func() bool { return len(r.Rows("sale")) == 2 })
	d.exec("UPDATE sale SET day = '2026-02-07' WHERE id = 1", "INSERT INTO sale VALUES (3, '2026-01-09', 3)", "DELETE FROM sale WHERE id = 2")
	r.wait("the changes", func() bool {
		rows := r.Rows("sale")
		_, moved := rows["1|2026-02-07"]
		_, added := rows["3|2026-01-09"]
		return len(rows) == 2 && moved && added
	})
	d.exec("TRUNCATE sale")
	r.wait("the truncate", func() bool { return len(r.Rows("sale")) == 0 })
	r.stop()
}

// TestTransactions: changes come by transaction, in the order of the commits and inside each in the order of the statements, whatever tables they
// are of and however the transactions overlapped.
func TestTransactions(t *testing.T) {
	d := newDatabase(t, "CREATE TABLE a (id int PRIMARY KEY, n int)", "CREATE TABLE b (id int PRIMARY KEY, n int)", "CREATE TABLE c (id int PRIMARY KEY, n int)")
	r := start(t, d.config(tables("a", "b", "c")), nil, false)
	r.wait("the snapshot", func() bool { return r.Checkpoint() != nil })
	other := &database{TB: t, name: d.name, dsn: d.dsn}
	other.reconnect()
	defer other.conn.Close(t.Context())
	d.exec("BEGIN", "INSERT INTO a VALUES (1, 1)")
	other.exec("BEGIN", "INSERT INTO b VALUES (1, 2)", "INSERT INTO a VALUES (2, 2)")
	d.exec("INSERT INTO c VALUES (1, 1)", "SAVEPOINT s", "INSERT INTO c VALUES (9, 9)", "ROLLBACK TO s")
	other.exec("UPDATE b SET n = 3", "COMMIT")
	d.exec("INSERT INTO b VALUES (2, 1)", "COMMIT", "BEGIN; INSERT INTO a VALUES (8, 8); ROLLBACK", "DELETE FROM a WHERE id = 1")
	r.wait("the last change", func() bool { return len(r.Rows("a")) == 1 && len(r.Rows("b")) == 2 })
	r.stop()
	var got []string
	for _, e := range r.Events() {
		switch {
		case e.Kind == "change":
			got = append(got, fmt.Sprintf("%c %s %s", e.Op, e.Table, e.Row[0]))
		case e.Kind == "commit" && !e.Commit.Heartbeat:
			got = append(got, "commit")
		}
	}
	want := []string{"c b 1", "c a 2", "u b 1", "commit", "c a 1", "c c 1", "c b 2", "commit", "d a 1", "commit"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// TestLargeTransaction: 200,000 rows in one transaction come together after their commit, and another that commits before it comes before.
func TestLargeTransaction(t *testing.T) {
	const n = 200_000
	d := newDatabase(t, "CREATE TABLE big (id int PRIMARY KEY, v varchar(20))", "CREATE TABLE small (id int PRIMARY KEY)")
	log := &collector{}
	var transactions []string
	log.at = func(m capture.Meta) {
		if k := len(transactions); k == 0 || transactions[k-1] != m.Transaction {
			transactions = append(transactions, m.Transaction)
		}
	}
	_, stop := run(t, d.config(tables("big", "small")), log)
	other := &database{TB: t, name: d.name, dsn: d.dsn}
	other.reconnect()
	defer other.conn.Close(t.Context())
	d.exec(fmt.Sprintf("BEGIN; INSERT INTO big SELECT i, 'v' || i FROM generate_series(1, %d) i", n))
	other.exec("INSERT INTO small VALUES (1)")
	until(t, "the small one", func() bool { return log.changes.Load() == 1 })
	large := d.one("SELECT pg_current_xact_id()::text")
	d.exec("COMMIT")
	until(t, "the large one", func() bool { return log.changes.Load() == n+1 })
	stop()
	if len(transactions) != 2 || transactions[1] != large {
		t.Errorf("the rows came in transactions %v; the large one is %s", transactions, large)
	}
}

// TestLatency: a change that comes alone is not held back for others.
func TestLatency(t *testing.T) {
	d := newDatabase(t, "CREATE TABLE l (id int PRIMARY KEY)")
	log := &collector{}
	arrived := make(chan time.Time, 1)
	log.at = func(capture.Meta) { arrived <- time.Now() }
	cfg := d.config(tables("l"))
	cfg.Heartbeat = time.Second
	_, stop := run(t, cfg, log)
	var took []time.Duration
	for i := range 100 {
		began := time.Now()
		d.exec(fmt.Sprintf("INSERT INTO l VALUES (%d)", i))
		took = append(took, (<-arrived).Sub(began))
	}
	stop()
	slices.Sort(took)
	t.Logf("from the statement's start to the log: p50 %v, p99 %v", took[50], took[98])
	if took[50] > 5*time.Millisecond {
		t.Errorf("half of the changes took more than %v", took[50])
	}
}

// TestPaddedKey: a char(n) key is the same by snapshot and stream, by insert, update and delete, and the same as a varchar's.
func TestPaddedKey(t *testing.T) {
	d := newDatabase(t, "CREATE TABLE unit (code char(5) PRIMARY KEY, name varchar(9), n int)", "CREATE TABLE item (id int PRIMARY KEY, unit varchar(5), n int)", "ALTER TABLE unit REPLICA IDENTITY FULL", "ALTER TABLE item REPLICA IDENTITY FULL",
		"INSERT INTO unit VALUES ('kg', 'kilo', 0), ('l', 'litre', 0)", "INSERT INTO item VALUES (1, 'kg', 0)")
	cfg := d.config(map[string]capture.TableConfig{"unit": {}, "item": {PartitionBy: []string{"unit"}}})
	r := start(t, cfg, nil, false)
	r.wait("the snapshot", func() bool { return r.Checkpoint() != nil && r.has("unit", "kg") && r.has("unit", "l") })
	d.exec("UPDATE unit SET n = 1 WHERE code = 'kg'", "INSERT INTO unit VALUES ('m', 'metre', 2)", "UPDATE unit SET code = 'km' WHERE code = 'm'", "DELETE FROM unit WHERE code = 'l'")
	r.wait("the changes", func() bool {
		return r.has("unit", "km") && len(r.Rows("unit")) == 2 && r.Rows("unit")["kg"] == "kg|kilo|1"
	})
	// With the default identity only the key's old value comes.
	d.exec("ALTER TABLE unit REPLICA IDENTITY DEFAULT", "UPDATE unit SET code = 'g' WHERE code = 'km'", "DELETE FROM unit WHERE code = 'kg'")
	r.wait("the changes by the key alone", func() bool { return len(r.Rows("unit")) == 1 && r.Rows("unit")["g"] == "g|metre|2" })
	r.stop()
	for _, e := range r.Events() {
		if e.Kind != "row" && e.Kind != "change" {
			continue
		}
		if key := e.Row[0]; e.Table == "unit" && schemas.Partition([]schemas.Value{key}, 1<<20) != schemas.Partition([]schemas.Value{schemas.Text(strings.TrimRight(key.String(), " "))}, 1<<20) {
			t.Errorf("%q lies in another partition than the varchar of the same text", key)
		}
	}
}

// TestKeyOutOfLine: a key so long that it is stored out of line comes with the old key when an update does not touch it.
func TestKeyOutOfLine(t *testing.T) {
	d := newDatabase(t, "CREATE TABLE k (id text PRIMARY KEY, n int)", "ALTER TABLE k ALTER id SET STORAGE EXTERNAL", "INSERT INTO k VALUES (repeat('k', 2500), 0)")
	r := start(t, d.config(tables("k")), nil, false)
	r.wait("the snapshot", func() bool { return r.Checkpoint() != nil })
	d.exec("UPDATE k SET n = 1")
	r.wait("the update", func() bool { return r.equals(d, "k", "SELECT * FROM k") })
	r.stop()
}

// TestTypeOfThePast: a column that came and went while nobody read the stream has its own type all the same.
func TestTypeOfThePast(t *testing.T) {
	d := newDatabase(t, "CREATE TABLE a (id int PRIMARY KEY)", "ALTER TABLE a REPLICA IDENTITY FULL")
	r := start(t, d.config(tables("a")), nil, false)
	r.wait("the snapshot", func() bool { return r.Checkpoint() != nil })
	r.stop()
	d.exec("ALTER TABLE a ADD v int[]", "INSERT INTO a VALUES (1, '{1,2}')", "ALTER TABLE a DROP v", "INSERT INTO a VALUES (2)")
	r = start(t, d.config(tables("a")), r.Recorder, false)
	r.wait("the rows", func() bool { return len(r.Rows("a")) == 2 })
	r.stop()
	for _, e := range r.Events() {
		if e.Kind == "change" && e.Row[0].Int == 1 && (len(e.Row) != 2 || e.Row[1].Kind != schemas.KindArray) {
			t.Errorf("the row came as %#v", e.Row)
		}
	}
}
