//go:build integration

package mysql

import (
	"strings"
	"testing"

	"shelfstream/sink"
)

// TestDryCheckChangesNothing: what create: true would make is no fault and is not made; what is wrong all the same is found.
func TestDryCheckChangesNothing(t *testing.T) {
	dsn, db := database(t, "CREATE TABLE product (sku varchar(20) COLLATE utf8mb4_nopad_bin PRIMARY KEY, name varchar(5) COLLATE utf8mb4_nopad_bin)")
	tables := map[string]TableConfig{"product": {From: "product", Create: true, Delete: "soft"}, "product_image": {From: "product.images", Create: true}}
	tg, err := Open(Config{DSN: dsn, Tables: tables}, Options{Sink: "shop"})
	if err != nil {
		t.Fatal(err)
	}
	defer tg.Close()
	before := rows(t, db, "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = DATABASE() ORDER BY 1, 2")
	if faults, err := tg.DryCheck(t.Context(), []sink.View{shop()}); err != nil || len(faults) > 0 {
		t.Errorf("faults %v, error %v", faults, err)
	}
	tables["product"] = TableConfig{From: "product", Columns: cols{"sku": "sku", "title": "name"}.config()}
	faults, err := tg.DryCheck(t.Context(), []sink.View{shop()})
	if err != nil || len(faults) != 1 || !strings.Contains(faults[0].Where, "column title") || !strings.Contains(faults[0].What, "does not exist") {
		t.Errorf("faults %v, error %v", faults, err)
	}
	same(t, rows(t, db, "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = DATABASE() ORDER BY 1, 2"), before...)
}

// TestDryCheckKnowsPrivileges: each privilege that a run will need is asked for, table by table.
func TestDryCheckKnowsPrivileges(t *testing.T) {
	dsn, db := database(t, "CREATE TABLE product (sku varchar(20) COLLATE utf8mb4_nopad_bin PRIMARY KEY, name longtext)")
	name := rows(t, db, "SELECT DATABASE()")[0]
	for _, s := range []string{"CREATE USER 'narrow'@'%' IDENTIFIED BY 'pw'", "GRANT SELECT ON " + name + ".* TO 'narrow'@'%'", "GRANT INSERT, UPDATE ON " + name + ".product TO 'narrow'@'%'"} {
		if _, err := db.Exec(s); err != nil {
			t.Fatal(err)
		}
	}
	narrow := strings.Replace(dsn, dsn[:strings.Index(dsn, "@")], "narrow:pw", 1)
	tg, err := Open(Config{DSN: narrow, Tables: map[string]TableConfig{"product": {From: "product", Columns: cols{"sku": "sku", "name": "name"}.config()}}}, Options{Sink: "shop"})
	if err != nil {
		t.Fatal(err)
	}
	defer tg.Close()
	faults, err := tg.DryCheck(t.Context(), []sink.View{shop()})
	if err != nil {
		t.Fatal(err)
	}
	all := faults.Error()
	for _, want := range []string{
		"table shelfstream_offsets: the database user 'narrow'@'%' may not make and write it (it lacks CREATE, INSERT, UPDATE, DELETE)",
		"table product: the database user 'narrow'@'%' may not write it (it lacks DELETE) (fix: GRANT DELETE ON `" + name + "`.* TO 'narrow'@'%';",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("not said: %q in\n%s", want, all)
		}
	}
	// Every remedy is a statement that mends its fault.
	for _, f := range faults {
		if _, err := db.Exec(strings.SplitN(f.Fix, ";", 2)[0]); err != nil {
			t.Errorf("%s: %v", f.Fix, err)
		}
	}
	if faults, err = tg.DryCheck(t.Context(), []sink.View{shop()}); err != nil || len(faults) > 0 {
		t.Errorf("after the remedies: %v %v", faults, err)
	}
	if _, err := tg.Check(t.Context(), []sink.View{shop()}); err != nil {
		t.Errorf("Check as that user: %v", err)
	}
}

// TestListParked: everything the sink holds, whichever partition and whoever parked it; nothing before a sink ever ran.
func TestListParked(t *testing.T) {
	dsn, _ := database(t, "CREATE TABLE product (sku varchar(20) COLLATE utf8mb4_nopad_bin PRIMARY KEY, name varchar(5) COLLATE utf8mb4_nopad_bin)")
	cfg := Config{DSN: dsn, Tables: map[string]TableConfig{"product": {From: "product", Unfit: "park", Columns: cols{"sku": "sku", "name": "name"}.config()}}}
	fresh, err := Open(cfg, Options{Sink: "shop"})
	if err != nil {
		t.Fatal(err)
	}
	defer fresh.Close()
	if list, err := fresh.ListParked(t.Context(), 10); err != nil || len(list) != 0 {
		t.Errorf("before any run: %v %v", list, err)
	}
	tg := target(t, cfg, shop())
	for id := range int32(2) {
		s := open(t, tg, shop(), id)
		put(t, s, product{sku: string('A' + id), name: "much too long"})
	}
	list, err := fresh.ListParked(t.Context(), 10)
	if err != nil || len(list) != 2 || list[0].Key != "A" || list[1].Partition != 1 || list[0].Since.IsZero() || !strings.Contains(list[0].Fault.What, "name") || list[0].Fault.Fix == "" {
		t.Errorf("got %+v, %v", list, err)
	}
	if list, err = fresh.ListParked(t.Context(), 1); err != nil || len(list) != 1 {
		t.Errorf("limit 1: %v %v", list, err)
	}
}
