//go:build integration

package mysql

import (
	"testing"

	"shelfstream/schemas"
	"shelfstream/sink"
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
				if _, err := db.ExecContext(t.Context(), statement); err != nil {
					t.Fatal(err)
				}
			},
			Rows: func(query string) []string { return rows(t, db, query) },
		}
	})
}

// To a collation that pads, 'A' and 'A ' are the same; to us they are two orders.
func TestOthersRowsByteByByte(t *testing.T) {
	dsn, db := database(t, "CREATE TABLE web (no varchar(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PRIMARY KEY, status varchar(20))", "INSERT INTO web VALUES ('A ', 'theirs')")
	text := schemas.Type{Kind: schemas.KindText}
	v := sink.View{Name: "status", Topic: "suite.status", Table: &schemas.Table{Name: "suite.status", Key: []int{0}, Columns: []schemas.Column{{Name: "no", Type: text}, {Name: "status", Type: text}}}}
	tg := target(t, Config{DSN: dsn, Tables: map[string]table.TableConfig{"web": {From: "status", Missing: "park"}}}, v)
	s := open(t, tg, v, 0)
	row := []schemas.Value{schemas.Text("A"), schemas.Text("ours")}
	parked, err := s.Apply(t.Context(), &sink.Batch{Records: []sink.Record{{Key: []byte("A"), KeyValues: row[:1], Row: row}}, Next: 1})
	if err != nil || len(parked) != 1 {
		t.Errorf("parked %v, %v", parked, err)
	}
	if got := rows(t, db, "SELECT status FROM web"); got[0] != "theirs" {
		t.Error(got)
	}
}
