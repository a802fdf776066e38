package tabletest

import (
	"strings"
	"testing"

	"shelfstream/internal/fault"
	"shelfstream/sink"
	"shelfstream/sink/table"
)

// Checks tests what is said of a database before anything is written to it, what is made in it, and what is said of what the sink holds.
func Checks(t *testing.T, k *Kit) {
	k.run(t, map[string]func(*testing.T, *Kit){
		"CheckFindsEverything":    checkFindsEverything,
		"CreateAddsColumns":       createAddsColumns,
		"DryCheckChangesNothing":  dryCheckChangesNothing,
		"DryCheckKnowsPrivileges": dryCheckKnowsPrivileges,
		"ListParked":              listParked,
	})
}

// statement is the SQL in a remedy, "" if there is none.
func statement(fix string) string {
	for _, verb := range []string{"ALTER TABLE", "CREATE TABLE"} {
		if i := strings.Index(fix, verb); i >= 0 {
			sql, _, _ := strings.Cut(fix[i:], ";")
			return sql
		}
	}
	return ""
}

// said ends the test unless each text is in the faults.
func (d *Database) said(faults fault.List, want ...string) {
	d.T.Helper()
	all := faults.Error()
	for _, w := range want {
		if w = d.say(w); !strings.Contains(all, w) {
			d.T.Errorf("not said: %q", w)
		}
	}
	if d.T.Failed() {
		d.T.Fatal(all)
	}
}

// A table with every fault at once: each is said, and the statements of the remedies leave none.
func checkFindsEverything(t *testing.T, k *Kit) {
	d := k.Database(t, "CREATE TABLE product (sku {folded key}, name int, ean varchar(20), price decimal(5,1), stock {too small}, must int NOT NULL) {engine}")
	tg := d.Unchecked(Tables{
		"missing": {From: "product.images"},
		"product": {From: "product", Columns: Fields{"sku": "sku", "name": "name", "ean": "ean", "price": "price", "stock": "stock", "extra": "name"}.Columns()},
	})
	faults, err := tg.Check(t.Context(), []sink.View{Shop()})
	if err != nil {
		t.Fatal(err)
	}
	d.said(faults, "table missing: does not exist", "{engine fault}", "column name: is {int}, and cannot take the field name (text)", "column price: is {decimal}(5,1), and is too small",
		"column stock: is {too small fault}", "column extra: does not exist, and the field name wants it", "column must: takes no null", "no primary key or unique index on its key (sku)",
		"{folded key fault} takes different keys for the same", "column sku: belongs to the key and takes null")
	for range 3 {
		for _, f := range faults {
			if f.Class != fault.Environment || f.Fix == "" {
				t.Errorf("fault without remedy: %v", f)
			}
			if sql := statement(f.Fix); sql != "" {
				if _, err := d.client.Query(t.Context(), sql); err != nil {
					t.Logf("%s: %v", sql, err) // it may want another one first
				}
			}
		}
		if faults, err = tg.Check(t.Context(), []sink.View{Shop()}); err != nil {
			t.Fatal(err)
		}
	}
	if len(faults) > 0 {
		t.Errorf("after running every remedy there are still faults:\n%s", faults.Error())
	}
	s := Open(t, tg, Shop(), 0)
	Put(t, s, Product{SKU: "A", Name: "a", Images: []string{"u"}}, Product{SKU: "a", Name: "b"})
	d.Want("SELECT sku, extra FROM product ORDER BY extra", "A|a", "a|b")
}

// A table that create: true has made gets the columns that the view has got since; its keys tell everything apart.
func createAddsColumns(t *testing.T, k *Kit) {
	d := k.Database(t)
	v := Shop()
	narrow := *v.Table
	narrow.Columns = narrow.Columns[:3]
	tg := d.Target(Tables{"product": {From: "product", Create: true}}, sink.View{Name: v.Name, Topic: v.Topic, Table: &narrow})
	d.checked(tg, []sink.View{v})
	Put(t, Open(t, tg, v, 0), Product{SKU: "å", Price: 1250}, Product{SKU: "a"}, Product{SKU: "A"}, Product{SKU: "a "})
	d.Want("SELECT sku, price, stock FROM product ORDER BY sku", "A|0.00|0", "a|0.00|0", "a |0.00|0", "å|12.50|0")
}

// What create: true would make is no fault and is not made; what is wrong all the same is found.
func dryCheckChangesNothing(t *testing.T, k *Kit) {
	d := k.Database(t, "CREATE TABLE product (sku varchar(20) {exact} PRIMARY KEY, name varchar(5) {exact})")
	tables := Tables{"product": {From: "product", Create: true, Delete: "soft"}, "product_image": {From: "product.images", Create: true}}
	tg := d.Unchecked(tables)
	const columns = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = {schema} ORDER BY 1, 2"
	before := d.Rows(columns)
	if faults, err := tg.DryCheck(t.Context(), []sink.View{Shop()}); err != nil || len(faults) > 0 {
		t.Errorf("faults %v, error %v", faults, err)
	}
	tables["product"] = table.TableConfig{From: "product", Columns: Fields{"sku": "sku", "title": "name"}.Columns()}
	faults, err := tg.DryCheck(t.Context(), []sink.View{Shop()})
	if err != nil || len(faults) != 1 || !strings.Contains(faults[0].Where, "column title") || !strings.Contains(faults[0].What, "does not exist") {
		t.Errorf("faults %v, error %v", faults, err)
	}
	d.Want(columns, before...)
}

// Each privilege that a run will need is asked for, table by table, and what the faults say grants it.
func dryCheckKnowsPrivileges(t *testing.T, k *Kit) {
	d := k.Database(t, "CREATE TABLE product (sku varchar(20) {exact} PRIMARY KEY, name {text})")
	tg := d.opened(k.Open(k.Narrow(d), Tables{"product": {From: "product", Columns: Fields{"sku": "sku", "name": "name"}.Columns()}}, nil))
	faults, err := tg.DryCheck(t.Context(), []sink.View{Shop()})
	if err != nil {
		t.Fatal(err)
	}
	d.said(faults, "table shelfstream_offsets: the database user {narrow} may not make and write it (it lacks {narrow lacks})",
		"table product: the database user {narrow} may not write it (it lacks DELETE) (fix: GRANT DELETE ON {narrow grant};")
	for _, f := range faults {
		sql, _, _ := strings.Cut(f.Fix, ";")
		d.Exec(sql)
	}
	if faults, err = tg.DryCheck(t.Context(), []sink.View{Shop()}); err != nil || len(faults) > 0 {
		t.Errorf("after the remedies: %v %v", faults, err)
	}
	d.checked(tg, []sink.View{Shop()})
}

// Everything the sink holds is listed, whichever partition and whoever parked it; nothing before a sink ever ran.
func listParked(t *testing.T, k *Kit) {
	d := k.Database(t, "CREATE TABLE product (sku varchar(20) {exact} PRIMARY KEY, name varchar(5) {exact})")
	tables := Tables{"product": {From: "product", Unfit: "park", Columns: Fields{"sku": "sku", "name": "name"}.Columns()}}
	fresh := d.Unchecked(tables)
	if list, err := fresh.ListParked(t.Context(), 10); err != nil || len(list) != 0 {
		t.Errorf("before any run: %v %v", list, err)
	}
	tg := d.Target(tables, Shop())
	for id := range int32(2) {
		Put(t, Open(t, tg, Shop(), id), Product{SKU: string('A' + id), Name: "much too long"})
	}
	list, err := fresh.ListParked(t.Context(), 10)
	if err != nil || len(list) != 2 || list[0].Key != "A" || list[1].Partition != 1 || list[0].Since.IsZero() || !strings.Contains(list[0].Fault.What, "name") || list[0].Fault.Fix == "" {
		t.Errorf("got %+v, %v", list, err)
	}
	if list, err = fresh.ListParked(t.Context(), 1); err != nil || len(list) != 1 {
		t.Errorf("limit 1: %v %v", list, err)
	}
}
