package tabletest

import (
	"testing"

	"shelfstream/schemas"
	"shelfstream/sink"
)

// Orders tests import tables of an ERP, the lines in one of their own that refers to the order's, keyed by the web order's number; what the ERP writes beside them stays.
func Orders(t *testing.T, k *Kit) {
	text, int32s := schemas.Type{Kind: schemas.KindText}, schemas.Type{Kind: schemas.KindInt, Bits: 32}
	line := schemas.Type{Kind: schemas.KindRecord, Fields: []schemas.Column{
		{Name: "line", Type: int32s}, {Name: "sku", Type: text}, {Name: "qty", Type: schemas.Type{Kind: schemas.KindDecimal, Precision: 9, Scale: 3}},
	}}
	v := sink.View{Name: "order", Topic: "shop.order", Table: &schemas.Table{Name: "shop.order", Key: []int{0}, Columns: []schemas.Column{
		{Name: "web_no", Type: text},
		{Name: "total", Type: schemas.Type{Kind: schemas.KindDecimal, Precision: 12, Scale: 2}},
		{Name: "lines", Type: schemas.Type{Kind: schemas.KindArray, Elem: &line}},
	}}}
	d := k.Database(t, "CREATE TABLE {erp}order_import (web_no varchar(20) {exact} PRIMARY KEY, total numeric(12,2) NOT NULL, state char(1) NOT NULL DEFAULT 'N', erp_no int)",
		"CREATE TABLE {erp}line_import (web_no varchar(20) {exact}, line int, sku varchar(20) NOT NULL, qty numeric(9,3) NOT NULL, PRIMARY KEY (web_no, line), FOREIGN KEY (web_no) REFERENCES {erp}order_import (web_no))")
	tg := d.Target(Tables{
		d.say("{erp}order_import"): {From: "order", Columns: Fields{"web_no": "web_no", "total": "total"}.Columns()},
		d.say("{erp}line_import"):  {From: "order.lines", Key: []string{"web_no", "line"}, Columns: Fields{"web_no": "web_no", "line": "line", "sku": "sku", "qty": "qty"}.Columns()},
	}, v)
	s := Open(t, tg, v, 0)
	order := func(no string, total int64, lines ...string) sink.Record {
		r := Gone(s.Place().Next, no)
		var list []schemas.Value
		for i, sku := range lines {
			list = append(list, schemas.Value{Kind: schemas.KindRecord, List: []schemas.Value{schemas.Int(int64(10 * (i + 1))), schemas.Text(sku), schemas.Dec(1500, 3)}})
		}
		r.Row = []schemas.Value{schemas.Text(no), schemas.Dec(total, 2), {Kind: schemas.KindArray, List: list}}
		return r
	}
	put := func(r sink.Record) {
		t.Helper()
		if parked := Apply(t, s, &sink.Batch{Records: []sink.Record{r}, Next: s.Place().Next + 1}); len(parked) > 0 {
			t.Fatalf("parked: %v", parked[0].Fault)
		}
	}
	put(order("W1", 10000, "a", "b"))
	d.Exec("UPDATE {erp}order_import SET state = 'D', erp_no = 4711")
	put(order("W1", 9000, "a")) // the same order again: no second row, and the ERP's columns stay
	put(order("W2", 500, "c"))
	d.Want("SELECT web_no, total, state, erp_no FROM {erp}order_import ORDER BY 1", "W1|90.00|D|4711", "W2|5.00|N|-")
	d.Want("SELECT web_no, line, sku, qty FROM {erp}line_import ORDER BY 1, 2", "W1|10|a|1.500", "W2|10|c|1.500")
	put(Gone(s.Place().Next, "W2"))
	d.Want("SELECT COUNT(*) FROM {erp}line_import", "1")
}
