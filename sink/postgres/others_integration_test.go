//go:build integration

package postgres

import (
	"testing"

	"shelfstream/sink/sinktest"
	"shelfstream/sink/table"
)

func TestOthersRows(t *testing.T) {
	sinktest.RunOthersRows(t, func(t *testing.T, ddl string, c sinktest.OthersRows) sinktest.OthersHarness {
		dsn, db := database(t, ddl)
		cfg := table.TableConfig{From: "order_status", Missing: c.Missing, Columns: map[string]table.ColumnConfig{
			"id": {From: "id"}, "status": {From: "status"}, "number": {From: "number"}, "note": {From: "note", Write: c.Note},
		}}
		if c.Soft != "" {
			cfg.Delete, cfg.SoftDeleteColumn = "soft", c.Soft
		}
		tg, err := Open(Config{DSN: dsn, Tables: map[string]table.TableConfig{"shop_order": cfg}}, Options{Sink: "shop"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { tg.Close() })
		return sinktest.OthersHarness{
			Target: tg,
			Exec: func(statement string) {
				db.exec(statement)
			},
			Rows: func(query string) []string { return rows(t, db, query) },
		}
	})
}
