package tabletest

import (
	"testing"

	"shelfstream/sink/sinktest"
	"shelfstream/sink/table"
)

// OthersRows runs the suite of sinktest for tables whose rows are made by somebody else.
func OthersRows(t *testing.T, k *Kit) {
	sinktest.RunOthersRows(t, func(t *testing.T, ddl string, c sinktest.OthersRows) sinktest.OthersHarness {
		d := k.Database(t, ddl)
		cfg := table.TableConfig{From: "order_status", Missing: c.Missing, Columns: map[string]table.ColumnConfig{
			"id": {From: "id"}, "status": {From: "status"}, "number": {From: "number"}, "note": {From: "note", Write: c.Note},
		}}
		if c.Soft != "" {
			cfg.Delete, cfg.SoftDeleteColumn = "soft", c.Soft
		}
		return sinktest.OthersHarness{
			Target: d.Unchecked(Tables{"shop_order": cfg}),
			Exec:   func(statement string) { d.Exec(statement) },
			Rows:   d.Rows,
		}
	})
}
