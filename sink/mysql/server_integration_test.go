//go:build integration

package mysql

import (
	"context"
	"strings"
	"testing"

	"shelfstream/internal/fault"
	"shelfstream/sink"
	"shelfstream/sink/sinktest"
)

// TestSessionIsOurs: neither the server's defaults nor parameters of the address change how we write.
func TestSessionIsOurs(t *testing.T) {
	dsn, db := database(t)
	for _, s := range []string{"SET GLOBAL autocommit = 0", "SET GLOBAL sql_mode = ''", "SET GLOBAL foreign_key_checks = 0"} {
		if _, err := db.Exec(s); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if err := server.Exec(context.Background(), "mysql", "SET GLOBAL autocommit = 1; SET GLOBAL sql_mode = DEFAULT; SET GLOBAL foreign_key_checks = 1"); err != nil {
			t.Error(err)
		}
	})
	sep := "?"
	if strings.Contains(dsn, "?") {
		sep = "&"
	}
	p, _, err := openPool(&Config{DSN: dsn + sep + "charset=latin1&sql_safe_updates=1&time_zone=%27%2B05:00%27", Tables: plainShop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	same(t, rows(t, p.db, "SELECT @@autocommit, @@foreign_key_checks, @@sql_safe_updates, @@time_zone, @@character_set_client, @@character_set_results, @@sql_mode LIKE '%STRICT_ALL%', @@tx_isolation"),
		"1|1|0|+00:00|utf8mb4|utf8mb4|1|READ-COMMITTED")
}

// TestZeroDateDefaults: an old shop's table, with dates that are zero by default, takes a new column and rows.
func TestZeroDateDefaults(t *testing.T) {
	dsn, db := database(t, "SET SESSION sql_mode = ''", "CREATE TABLE product (no bigint PRIMARY KEY, name varchar(40), post_date datetime NOT NULL DEFAULT '0000-00-00 00:00:00')",
		"INSERT INTO product (no, name) VALUES (1, 'old')")
	tg := target(t, Config{DSN: dsn, Tables: map[string]TableConfig{"product": {From: "product", Create: true}}}, sinktest.View())
	s := open(t, tg, sinktest.View(), 0)
	parked := applyBatch(t, s, &sink.Batch{Records: []sink.Record{sinktest.Record(0, 1, "one", 1), sinktest.Record(1, 2, "two", 2)}, Next: 2})
	if len(parked) > 0 {
		t.Errorf("parked: %+v", parked)
	}
	same(t, rows(t, db, "SELECT no, name, counter, post_date FROM product ORDER BY no"), "1|one|1|0000-00-00 00:00:00", "2|two|2|0000-00-00 00:00:00")
}

// TestReadOnlyServer: the fault says what it is, and the connection is given up, for the address may lead to another server by now.
func TestReadOnlyServer(t *testing.T) {
	dsn, db := database(t, suiteDDL)
	name := rows(t, db, "SELECT DATABASE()")[0]
	for _, s := range []string{"CREATE OR REPLACE USER 'plain'@'%' IDENTIFIED BY 'pw'", "GRANT ALL ON " + name + ".* TO 'plain'@'%'"} {
		if _, err := db.Exec(s); err != nil {
			t.Fatal(err)
		}
	}
	plain := strings.Replace(dsn, dsn[:strings.Index(dsn, "@")], "plain:pw", 1)
	tg, p := spied(t, Config{DSN: plain, Tables: map[string]TableConfig{"product": {From: "product"}}}, sinktest.View())
	s := open(t, tg, sinktest.View(), 0)
	before := rows(t, p.db, "SELECT CONNECTION_ID()")[0]
	if _, err := db.Exec("SET GLOBAL read_only = 1"); err != nil {
		t.Fatal(err)
	}
	b := &sink.Batch{Records: []sink.Record{sinktest.Record(0, 1, "one", 1)}, Next: 1}
	_, err := s.Apply(t.Context(), b)
	_, oerr := tg.Open(t.Context(), sink.Partition{View: sinktest.View(), ID: 1})
	if _, err := db.Exec("SET GLOBAL read_only = 0"); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{err, oerr} {
		if f := fault.All(err); len(f) != 1 || f[0].Class != fault.Environment || !strings.Contains(f[0].What, "read-only") {
			t.Errorf("%v", err)
		}
	}
	if after := rows(t, p.db, "SELECT CONNECTION_ID()")[0]; after == before {
		t.Error("the connection to the read-only server is kept")
	}
	applyBatch(t, s, b)
}

// TestForeignKeysSetTheOrder: the shop's tables refer to each other, against the order of their names; products come and go all the same.
func TestForeignKeysSetTheOrder(t *testing.T) {
	key := "sku varchar(20) COLLATE utf8mb4_nopad_bin"
	dsn, db := database(t, "CREATE TABLE product ("+key+" PRIMARY KEY, name varchar(60))",
		"CREATE TABLE a_lang ("+key+" PRIMARY KEY, name varchar(60), FOREIGN KEY (sku) REFERENCES product (sku))",
		"CREATE TABLE a_image ("+key+", position int, url varchar(60), PRIMARY KEY (sku, position), FOREIGN KEY (sku) REFERENCES a_lang (sku))")
	columns := cols{"sku": "sku", "name": "name"}.config()
	tg := target(t, Config{DSN: dsn, Tables: map[string]TableConfig{
		"product": {From: "product", Columns: columns}, "a_lang": {From: "product", Columns: columns},
		"a_image": {From: "product.images", Columns: cols{"sku": "sku", "position": "position", "url": "url"}.config()},
	}}, shop())
	s := open(t, tg, shop(), 0)
	if parked := put(t, s, product{sku: "A", name: "a", images: []string{"u", "v"}}, product{sku: "B", name: "b", images: []string{"w"}}); len(parked) > 0 {
		t.Fatalf("parked: %+v", parked)
	}
	if parked := applyBatch(t, s, &sink.Batch{Records: []sink.Record{gone(2, "A")}, Next: 3}); len(parked) > 0 {
		t.Fatalf("parked: %+v", parked)
	}
	same(t, rows(t, db, "SELECT p.sku, l.name, i.url FROM product p JOIN a_lang l USING (sku) JOIN a_image i USING (sku)"), "B|b|w")
}

// TestNarrowCharacterSet: what a column's character set does not have is parked, and a key that cannot stand in the table has nothing to remove.
func TestNarrowCharacterSet(t *testing.T) {
	dsn, db := database(t, "CREATE TABLE product (sku varchar(20) CHARACTER SET utf8mb3 COLLATE utf8mb3_nopad_bin PRIMARY KEY, name varchar(60) CHARACTER SET utf8mb3)",
		"CREATE TABLE image (sku varchar(20) CHARACTER SET latin1 COLLATE latin1_nopad_bin, position int, url varchar(60), PRIMARY KEY (sku, position))")
	tg := target(t, Config{DSN: dsn, Tables: map[string]TableConfig{
		"product": {From: "product", Columns: cols{"sku": "sku", "name": "name"}.config()},
		"image":   {From: "product.images", Columns: cols{"sku": "sku", "position": "position", "url": "url"}.config()},
	}}, shop())
	s := open(t, tg, shop(), 0)
	parked := put(t, s, product{sku: "A", name: "wine \U0001F377"}, product{sku: "B", name: "ølmøkk", images: []string{"u"}}, product{sku: "\U0001F377", name: "x"}, product{sku: "ž", name: "x"}, product{sku: "Ł", name: "x", images: []string{"u"}})
	if len(parked) != 3 {
		t.Errorf("parked: %+v", parked)
	}
	applyBatch(t, s, &sink.Batch{Records: []sink.Record{gone(5, "\U0001F377"), gone(6, "Ł"), gone(7, "B")}, Next: 8})
	same(t, rows(t, db, "SELECT sku, name FROM product"), "ž|x")
	same(t, rows(t, db, "SELECT sku FROM image"))
}
