//go:build integration

package postgres

import (
	"testing"

	"shelfstream/internal/fault"
	"shelfstream/sink"
	"shelfstream/sink/table/tabletest"
)

// TestNarrowEncoding: what the database's encoding does not have is parked, whether we know the encoding or only the server does; where we know it, a key that cannot
// stand in the table has nothing to remove.
func TestNarrowEncoding(t *testing.T) {
	for encoding, refused := range map[string]int{"LATIN1": 0, "LATIN2": 1} {
		t.Run(encoding, func(t *testing.T) {
			d := kit.Database(t)
			d.Exec("CREATE DATABASE {database}_narrow ENCODING '" + encoding + "' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
			dsn := server.DSN(d.Name + "_narrow")
			narrow := &client{dsn: dsn + "&client_encoding=UTF8"}
			t.Cleanup(func() { narrow.Close() })
			d.WantBy(narrow, "CREATE TABLE product (sku varchar(20) PRIMARY KEY, name varchar(60))")
			tg, err := Open(Config{DSN: dsn, Tables: tabletest.Tables{"product": {From: "product", Columns: tabletest.Fields{"sku": "sku", "name": "name"}.Columns()}}}, Options{Sink: "shop"})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { tg.Close() })
			if faults, err := tg.Check(t.Context(), []sink.View{tabletest.Shop()}); err != nil || len(faults) > 0 {
				t.Fatalf("Check: %v %v", faults, err)
			}
			s := tabletest.Open(t, tg, tabletest.Shop(), 0)
			parked := tabletest.Put(t, s, tabletest.Product{SKU: "A", Name: "wine \U0001F377"}, tabletest.Product{SKU: "B", Name: "grün"}, tabletest.Product{SKU: "Я", Name: "x"})
			if len(parked) != 2 {
				t.Errorf("parked: %+v", parked)
			}
			for _, p := range parked {
				if p.Fault.Cause != fault.ProductCharset || p.Fault.Fix == "" {
					t.Errorf("%v", p.Fault)
				}
			}
			d.WantBy(narrow, "SELECT sku, name FROM product", "B|grün")
			d.WantBy(narrow, "SELECT record_key FROM shelfstream_parked ORDER BY 1", "A", `\u042f`)
			if parked = tabletest.Apply(t, s, &sink.Batch{Records: []sink.Record{tabletest.Gone(3, "Я"), tabletest.Gone(4, "B")}, Next: 5}); len(parked) != refused {
				t.Errorf("parked: %+v", parked)
			}
			d.WantBy(narrow, "SELECT sku FROM product")
		})
	}
}
