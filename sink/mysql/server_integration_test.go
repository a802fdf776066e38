//go:build integration

package mysql

import (
	"context"
	"strings"
	"testing"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/internal/testenv"
	"shelfstream/schemas"
	"shelfstream/sink"
	"shelfstream/sink/sinktest"
	"shelfstream/sink/table"
	"shelfstream/sink/table/tabletest"
)

// TestSessionIsOurs: neither the server's defaults nor parameters of the address change how we write.
func TestSessionIsOurs(t *testing.T) {
	d := kit.Database(t)
	d.Exec("SET GLOBAL autocommit = 0", "SET GLOBAL sql_mode = ''", "SET GLOBAL foreign_key_checks = 0")
	t.Cleanup(func() {
		if err := server.Exec(context.Background(), "mysql", "SET GLOBAL autocommit = 1; SET GLOBAL sql_mode = DEFAULT; SET GLOBAL foreign_key_checks = 1"); err != nil {
			t.Error(err)
		}
	})
	sep := "?"
	if strings.Contains(d.DSN, "?") {
		sep = "&"
	}
	p, _, err := openPool(&Config{DSN: d.DSN + sep + "charset=latin1&sql_safe_updates=1&time_zone=%27%2B05:00%27", Tables: tabletest.PlainShop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	d.WantBy(client{p.db}, "SELECT @@autocommit, @@foreign_key_checks, @@sql_safe_updates, @@time_zone, @@character_set_client, @@character_set_results, @@sql_mode LIKE '%STRICT_ALL%', @@tx_isolation",
		"1|1|0|+00:00|utf8mb4|utf8mb4|1|READ-COMMITTED")
}

// TestZeroDateDefaults: an old shop's table, with dates that are zero by default, takes a new column and rows.
func TestZeroDateDefaults(t *testing.T) {
	d := kit.Database(t, "SET SESSION sql_mode = ''", "CREATE TABLE product (no bigint PRIMARY KEY, name varchar(40), post_date datetime NOT NULL DEFAULT '0000-00-00 00:00:00')",
		"INSERT INTO product (no, name) VALUES (1, 'old')")
	tg := d.Target(tabletest.Tables{"product": {From: "product", Create: true}}, sinktest.View())
	s := tabletest.Open(t, tg, sinktest.View(), 0)
	parked := tabletest.Apply(t, s, &sink.Batch{Records: []sink.Record{sinktest.Record(0, 1, "one", 1), sinktest.Record(1, 2, "two", 2)}, Next: 2})
	if len(parked) > 0 {
		t.Errorf("parked: %+v", parked)
	}
	d.Want("SELECT no, name, counter, post_date FROM product ORDER BY no", "1|one|1|0000-00-00 00:00:00", "2|two|2|0000-00-00 00:00:00")
}

// TestReadOnlyServer: the fault says what it is, and the connection is given up, for the address may lead to another server by now.
func TestReadOnlyServer(t *testing.T) {
	d := kit.Database(t, "CREATE TABLE product (no bigint PRIMARY KEY, name varchar(40), counter bigint)")
	d.Exec("CREATE OR REPLACE USER 'plain'@'%' IDENTIFIED BY 'pw'", "GRANT ALL ON "+d.Name+".* TO 'plain'@'%'")
	p, name, err := openPool(&Config{DSN: server.DSNAs("plain", "pw", d.Name)})
	if err != nil {
		t.Fatal(err)
	}
	tg := table.Open(table.Config{Section: "mysql", Tables: tabletest.Tables{"product": {From: "product"}}}, newDialect(), p, table.Options{Sink: "shop", Database: name})
	t.Cleanup(func() { tg.Close() })
	if faults, err := tg.Check(t.Context(), []sink.View{sinktest.View()}); err != nil || len(faults) > 0 {
		t.Fatalf("Check: %v %v", faults, err)
	}
	s := tabletest.Open(t, tg, sinktest.View(), 0)
	before := d.RowsBy(client{p.db}, "SELECT CONNECTION_ID()")[0]
	d.Exec("SET GLOBAL read_only = 1")
	b := &sink.Batch{Records: []sink.Record{sinktest.Record(0, 1, "one", 1)}, Next: 1}
	_, err = s.Apply(t.Context(), b)
	_, oerr := tg.Open(t.Context(), sink.Partition{View: sinktest.View(), ID: 1})
	d.Exec("SET GLOBAL read_only = 0")
	for _, err := range []error{err, oerr} {
		if f := fault.All(err); len(f) != 1 || f[0].Class != fault.Environment || !strings.Contains(f[0].What, "read-only") {
			t.Errorf("%v", err)
		}
	}
	if after := d.RowsBy(client{p.db}, "SELECT CONNECTION_ID()")[0]; after == before {
		t.Error("the connection to the read-only server is kept")
	}
	tabletest.Apply(t, s, b)
}

// TestNarrowCharacterSet: what a column's character set does not have is parked, and a key that cannot stand in the table has nothing to remove.
func TestNarrowCharacterSet(t *testing.T) {
	d := kit.Database(t, "CREATE TABLE product (sku varchar(20) CHARACTER SET utf8mb3 COLLATE utf8mb3_nopad_bin PRIMARY KEY, name varchar(60) CHARACTER SET utf8mb3)",
		"CREATE TABLE image (sku varchar(20) CHARACTER SET latin1 COLLATE latin1_nopad_bin, position int, url varchar(60), PRIMARY KEY (sku, position))")
	tg := d.Target(tabletest.Tables{
		"product": {From: "product", Columns: tabletest.Fields{"sku": "sku", "name": "name"}.Columns()},
		"image":   {From: "product.images", Columns: tabletest.Fields{"sku": "sku", "position": "position", "url": "url"}.Columns()},
	}, tabletest.Shop())
	s := tabletest.Open(t, tg, tabletest.Shop(), 0)
	parked := tabletest.Put(t, s, tabletest.Product{SKU: "A", Name: "wine \U0001F377"}, tabletest.Product{SKU: "B", Name: "ølmøkk", Images: []string{"u"}}, tabletest.Product{SKU: "\U0001F377", Name: "x"}, tabletest.Product{SKU: "ž", Name: "x"}, tabletest.Product{SKU: "Ł", Name: "x", Images: []string{"u"}})
	if len(parked) != 3 {
		t.Errorf("parked: %+v", parked)
	}
	tabletest.Apply(t, s, &sink.Batch{Records: []sink.Record{tabletest.Gone(5, "\U0001F377"), tabletest.Gone(6, "Ł"), tabletest.Gone(7, "B")}, Next: 8})
	d.Want("SELECT sku, name FROM product", "ž|x")
	d.Want("SELECT sku FROM image")
}

// TestLargePackets: packets larger than the server takes are split; one product that is larger is parked.
func TestLargePackets(t *testing.T) {
	own, err := testenv.StartMariaDB(t.Context(), "", testenv.MariaDBSetting("max_allowed_packet", "1M"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { own.Close() })
	d := kit.DatabaseOf(t, own, "CREATE TABLE product (no bigint PRIMARY KEY, name longtext {exact}, counter bigint)")
	tg := d.Target(tabletest.Tables{"product": {From: "product"}}, sinktest.View())
	s := tabletest.Open(t, tg, sinktest.View(), 0)
	b := &sink.Batch{Next: 60}
	for i := range int64(60) {
		size := 100_000
		if i == 30 {
			size = 1_100_000
		}
		b.Records = append(b.Records, sinktest.Record(i, i, strings.Repeat("z", size), i))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	parked, err := s.Apply(ctx, b)
	if err != nil || len(parked) != 1 || parked[0].Offset != 30 || !strings.Contains(parked[0].Fault.Fix, "max_allowed_packet") {
		t.Fatalf("parked %d, %v", len(parked), err)
	}
	d.Want("SELECT COUNT(*), SUM(LENGTH(name)) FROM product", "59|5900000")
}

// TestOthersRowsByteByByte: to a collation that pads, 'A' and 'A ' are the same; to us they are two orders.
func TestOthersRowsByteByByte(t *testing.T) {
	d := kit.Database(t, "CREATE TABLE web (no varchar(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PRIMARY KEY, status varchar(20))", "INSERT INTO web VALUES ('A ', 'theirs')")
	text := schemas.Type{Kind: schemas.KindText}
	v := sink.View{Name: "status", Topic: "suite.status", Table: &schemas.Table{Name: "suite.status", Key: []int{0}, Columns: []schemas.Column{{Name: "no", Type: text}, {Name: "status", Type: text}}}}
	tg := d.Target(tabletest.Tables{"web": {From: "status", Missing: "park"}}, v)
	s := tabletest.Open(t, tg, v, 0)
	row := []schemas.Value{schemas.Text("A"), schemas.Text("ours")}
	parked, err := s.Apply(t.Context(), &sink.Batch{Records: []sink.Record{{Key: []byte("A"), KeyValues: row[:1], Row: row}}, Next: 1})
	if err != nil || len(parked) != 1 {
		t.Errorf("parked %v, %v", parked, err)
	}
	d.Want("SELECT status FROM web", "theirs")
}
