//go:build integration

package mysql

import (
	"context"
	"strings"
	"testing"
	"time"

	"shelfstream/internal/testenv"
	"shelfstream/schemas"
	"shelfstream/sink"
	"shelfstream/sink/sinktest"
	"shelfstream/sink/table/tabletest"
)

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

// TestNarrowCharacterSet: what a column's character set does not have is parked, and a key that cannot stand in the table has nothing to remove.
func TestNarrowCharacterSet(t *testing.T) {
	if onMySQL() {
		t.Skip("MySQL has no collation of a narrow character set that compares keys byte by byte")
	}
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
