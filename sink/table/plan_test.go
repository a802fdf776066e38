package table

import (
	"strings"
	"testing"

	"shelfstream/schemas"
	"shelfstream/sink"
)

// wines is a view with a key of two columns, a list of records, a list of texts, and one column of each type.
func wines() sink.View {
	text := schemas.Type{Kind: schemas.KindText}
	image := schemas.Type{Kind: schemas.KindRecord, Fields: []schemas.Column{{Name: "url", Type: schemas.Type{Kind: schemas.KindText, Length: 300}}, {Name: "width", Type: schemas.Type{Kind: schemas.KindInt, Bits: 16}}}}
	col := func(name string, t schemas.Type) schemas.Column {
		return schemas.Column{Name: name, Type: t, Nullable: true}
	}
	return sink.View{Name: "wine", Topic: "p.wine", Table: &schemas.Table{Name: "p.wine", Key: []int{0, 1}, Columns: []schemas.Column{
		{Name: "no", Type: text},
		{Name: "year", Type: schemas.Type{Kind: schemas.KindInt, Bits: 32}},
		col("price", schemas.Type{Kind: schemas.KindDecimal, Precision: 12, Scale: 2}), col("any", schemas.Type{Kind: schemas.KindDecimal}),
		col("short", schemas.Type{Kind: schemas.KindText, Length: 40}), col("long", text), col("kind", schemas.Type{Kind: schemas.KindEnum, Symbols: []string{"red", "white"}}),
		col("bin", schemas.Type{Kind: schemas.KindBytes}), col("day", schemas.Type{Kind: schemas.KindDate}), col("at", schemas.Type{Kind: schemas.KindTimestampTZ}),
		col("clock", schemas.Type{Kind: schemas.KindTime}), col("ok", schemas.Type{Kind: schemas.KindBool}), col("id", schemas.Type{Kind: schemas.KindUUID}),
		col("doc", schemas.Type{Kind: schemas.KindJSON}), col("f", schemas.Type{Kind: schemas.KindFloat, Bits: 64}), col("g", schemas.Type{Kind: schemas.KindFloat, Bits: 32}),
		col("images", schemas.Type{Kind: schemas.KindArray, Elem: &image}), col("tags", schemas.Type{Kind: schemas.KindArray, Elem: &text}),
	}}}
}

func planOne(t *testing.T, tables map[string]TableConfig) *viewPlan {
	t.Helper()
	plans, faults := plan(testDialect(), &Config{Section: "mysql", Tables: tables}, []sink.View{wines()})
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	return plans["wine"]
}

// TestStatements writes a batch and a tombstone as SQL.
func TestStatements(t *testing.T) {
	vp := planOne(t, map[string]TableConfig{
		"wine":  {From: "wine", Columns: cols{"no": "no", "year": "year", "name": "short"}.config()},
		"image": {From: "wine.images"},
	})
	made(vp.roots[0], UniqueIndex{Name: "name", Columns: []string{"name"}})
	made(vp.lists[0])
	row := make([]schemas.Value, len(wines().Table.Columns))
	row[0], row[1], row[4] = schemas.Text("it's"), schemas.Int(2020), schemas.Text("Chablis")
	row[16] = schemas.Value{Kind: schemas.KindArray, List: []schemas.Value{{Kind: schemas.KindRecord, List: []schemas.Value{schemas.Text("u"), schemas.Int(7)}}}}
	e := encoder{sink: "shop"}
	e.st.reset(vp)
	for _, r := range []sink.Record{{KeyValues: row[:2], Row: row}, {KeyValues: []schemas.Value{schemas.Text("x"), schemas.Int(1)}}} {
		if f := e.add(vp, &r); f != nil {
			t.Fatal(f)
		}
	}
	// One that does not fit leaves nothing behind, though its first values were written.
	long := append([]schemas.Value{}, row...)
	long[16] = schemas.Value{Kind: schemas.KindArray, List: []schemas.Value{row[16].List[0], {Kind: schemas.KindRecord, List: []schemas.Value{schemas.Text(strings.Repeat("u", 51)), schemas.Int(7)}}}}
	if f := e.add(vp, &sink.Record{KeyValues: row[:2], Row: long}); f == nil || !strings.Contains(f.What, "images.url (element 1)") {
		t.Errorf("too long an element: %v", f)
	}
	for _, stored := range [][][]byte{{[]byte("it's"), []byte("2020"), []byte("1")}, {[]byte("x"), []byte("1"), []byte("0")}} {
		e.st.tables[1].left.addStored(vp.lists[0], stored)
	}
	b := packetBuilder{d: vp.d, limit: 1 << 20, rows: 1000}
	b.add(&e.st, nil)
	if got, want := string(e.st.tables[1].trim), "(`no` = 'it''s' AND `year` = 2020 AND `position` >= 1) OR (`no` = 'x' AND `year` = 1)"; got != want {
		t.Errorf("rows that leave the list are found by\n%s\nwant\n%s", got, want)
	}
	want := "DELETE FROM `image` WHERE ((`no` = 'it''s' AND `year` = 2020 AND `position` = 1) OR (`no` = 'x' AND `year` = 1 AND `position` = 0));\n" +
		"DELETE FROM `wine` WHERE ((`no` = 'x' AND `year` = 1));\n" +
		"INSERT INTO `wine` (`name`, `no`, `year`) VALUES ('Chablis','it''s',2020) ON DUPLICATE KEY UPDATE guard of `no` and `year`, `name` = VALUES(`name`);\n" +
		"INSERT INTO `image` (`no`, `year`, `position`, `url`, `width`) VALUES ('it''s',2020,0,'u',7) ON DUPLICATE KEY UPDATE `url` = VALUES(`url`), `width` = VALUES(`width`)"
	packets := b.finish()
	if len(packets) != 1 || string(packets[0]) != want {
		t.Errorf("%d packets:\n%s\nwant\n%s", len(packets), packets[0], want)
	}
}

// Statements and packets stay within their bounds, and nothing is lost between them.
func TestPackets(t *testing.T) {
	var items []byte
	var ends []int
	for i := range 100 {
		if i > 0 {
			items = append(items, ',')
		}
		items = append(items, '(')
		items = append(items, strings.Repeat("x", i)...)
		items = append(items, ')')
		ends = append(ends, len(items))
	}
	b := packetBuilder{d: testDialect(), limit: 800, rows: 7}
	b.statement("START TRANSACTION")
	b.chunks("INSERT ", items, ends, 1, " END")
	b.statement("COMMIT")
	rows := 0
	for _, p := range b.finish() {
		if len(p) > 800 {
			t.Errorf("a packet of %d bytes", len(p))
		}
		for s := range strings.SplitSeq(string(p), ";\n") {
			if s == "START TRANSACTION" || s == "COMMIT" {
				continue
			}
			s = strings.TrimSuffix(strings.TrimPrefix(s, "INSERT "), " END")
			for item := range strings.SplitSeq(s, ",") {
				if item != "("+strings.Repeat("x", rows)+")" {
					t.Fatalf("item %d is %q", rows, item)
				}
				rows++
			}
			if n := strings.Count(s, ",") + 1; n > 7 {
				t.Errorf("a statement of %d rows", n)
			}
		}
	}
	if rows != 100 {
		t.Errorf("%d rows", rows)
	}
}

func TestPlanFaults(t *testing.T) {
	for want, c := range map[string]TableConfig{
		`there is no view "beer"`:                                  {From: "beer"},
		`view wine has no list "bottles"`:                          {From: "wine.bottles"},
		`view wine has no list "price"`:                            {From: "wine.price"},
		`there is no field "prise" in wine`:                        {From: "wine", Columns: cols{"p": "prise"}.config()},
		`the table gets no column "sku"`:                           {From: "wine", Key: []string{"sku"}},
		"lacks year, without which two products could share a row": {From: "wine", Key: []string{"no"}},
		"names more columns than the view's key":                   {From: "wine", Key: []string{"no", "year", "price"}},
		`.round: the table gets no column "nothing"`:               {From: "wine", Round: []string{"nothing"}},
	} {
		_, faults := plan(testDialect(), &Config{Section: "mysql", Tables: map[string]TableConfig{"t": c}}, []sink.View{wines()})
		if len(faults) == 0 || !strings.Contains(faults.Error(), want) || faults[0].Fix == "" || !strings.HasPrefix(faults[0].Where, "mysql.tables.t") {
			t.Errorf("%+v: %v, want %q", c, faults, want)
		}
	}
}
