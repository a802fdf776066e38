package sinktest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"shelfstream/internal/fault"
	"shelfstream/schemas"
	"shelfstream/sink"
)

// OthersRows is how the suite of others' rows wants the table shop_order made of the view order_status: columns id, status, number and note, each from the field of its name.
type OthersRows struct {
	Missing string // park or skip
	Soft    string // column of delete: soft; "" = none
	Note    string // when note is written: always, or empty
}

// OthersHarness is a target over a database of its own.
type OthersHarness struct {
	Target sink.Target
	Exec   func(statement string)
	// Rows gives a query's rows, values joined by "|", null as "-".
	Rows func(query string) []string
}

// statusView is what an ERP says of orders.
func statusView() sink.View {
	text := schemas.Type{Kind: schemas.KindText}
	return sink.View{Name: "order_status", Topic: "suite.order_status", Table: &schemas.Table{Name: "suite.order_status", Key: []int{0}, Columns: []schemas.Column{
		{Name: "id", Type: schemas.Type{Kind: schemas.KindInt, Bits: 64}}, {Name: "status", Type: text, Nullable: true}, {Name: "number", Type: text, Nullable: true}, {Name: "note", Type: text, Nullable: true},
	}}}
}

// order_no has no default: whoever inserts a row without it makes half an order, and is refused.
const shopOrders = `CREATE TABLE shop_order (id bigint PRIMARY KEY, order_no varchar(20) NOT NULL, status varchar(20), number varchar(20), note varchar(20), gone int NOT NULL DEFAULT 0, UNIQUE (number), CHECK (status <> 'bad'))`

// others is one test's state.
type others struct {
	*testing.T
	OthersHarness
	s sink.Session
}

func (o *others) open() {
	o.Helper()
	s, err := o.Target.Open(o.Context(), sink.Partition{View: statusView(), Owner: o.Name()})
	if err != nil {
		o.Fatal(err)
	}
	o.Cleanup(func() { s.Close() })
	o.s = s
}

// apply writes records "id|status|number|note", or "id" for a tombstone, and gives "key cause" of what is parked.
func (o *others) apply(again bool, records ...string) []string {
	o.Helper()
	b := &sink.Batch{Next: o.s.Place().Next}
	for i, text := range records {
		f := strings.Split(text, "|")
		id, err := strconv.ParseInt(f[0], 10, 64)
		if err != nil {
			o.Fatal(err)
		}
		r := sink.Record{Key: []byte(f[0]), KeyValues: []schemas.Value{schemas.Int(id)}, Offset: b.Next}
		if again {
			r.Offset = int64(i)
		} else {
			b.Next++
		}
		if len(f) > 1 {
			r.Row = []schemas.Value{schemas.Int(id)}
			for _, v := range f[1:] {
				r.Row = append(r.Row, map[bool]schemas.Value{true: schemas.Null, false: schemas.Text(v)}[v == ""])
			}
		}
		b.Records = append(b.Records, r)
	}
	parked, err := o.s.Apply(o.Context(), b)
	if err != nil {
		o.Fatal(err)
	}
	var out []string
	for _, p := range parked {
		out = append(out, p.Key+" "+string(p.Fault.Cause))
	}
	slices.Sort(out)
	return out
}

func (o *others) want(what string, parked []string, wantParked string, rows ...string) {
	o.Helper()
	if got := strings.Join(parked, ", "); got != wantParked {
		o.Errorf("%s: parked %q, want %q", what, got, wantParked)
	}
	if got := o.Rows("SELECT id, order_no, status, number, note, gone FROM shop_order ORDER BY id"); !slices.Equal(got, rows) {
		o.Errorf("%s: the shop has\n%s\nwant\n%s", what, strings.Join(got, "\n"), strings.Join(rows, "\n"))
	}
}

// RunOthersRows is the suite of tables whose rows are others': only those that are there are updated.
func RunOthersRows(t *testing.T, open func(t *testing.T, ddl string, c OthersRows) OthersHarness) {
	start := func(t *testing.T, c OthersRows) *others {
		o := &others{T: t, OthersHarness: open(t, shopOrders, c)}
		faults, err := o.Target.Check(t.Context(), []sink.View{statusView()})
		if err != nil || len(faults) > 0 {
			t.Fatalf("Check: %v %v", faults, err)
		}
		o.Exec("INSERT INTO shop_order (id, order_no) VALUES (1, 'W1'), (2, 'W2')")
		o.open()
		return o
	}
	waits := func(id int) string { return fmt.Sprintf("%d %s", id, fault.ProductRow) }

	t.Run("a product without a row waits for it", func(t *testing.T) {
		o := start(t, OthersRows{Missing: "park"})
		o.want("some are there", o.apply(false, "1|received|N1|", "3|received|N3|", "2|received||"), waits(3), "1|W1|received|N1|-|0", "2|W2|received|-|-|0")
		held := func() int { return o.s.(sink.Retrier).Held() }
		o.want("tried again", o.apply(true, "9", "3|received|N3|"), waits(3), "1|W1|received|N1|-|0", "2|W2|received|-|-|0")
		if held() != 1 {
			t.Errorf("%d are held", held())
		}
		o.Exec("INSERT INTO shop_order (id, order_no, note) VALUES (3, 'W3', 'by hand')")
		o.Exec("DELETE FROM shop_order WHERE id = 2")
		o.want("one came, one went", o.apply(false, "3|received|N3|by ERP", "2|picked||"), waits(2), "1|W1|received|N1|-|0", "3|W3|received|N3|by ERP|0")
		o.want("deletions", o.apply(false, "1", "2", "7"), "", "1|W1|received|N1|-|0", "3|W3|received|N3|by ERP|0")
		if held() != 0 {
			t.Errorf("%d are held", held())
		}
	})
	t.Run("passed over, marked, filled, replayed", func(t *testing.T) {
		o := start(t, OthersRows{Missing: "skip", Soft: "gone", Note: "empty"})
		o.Exec("UPDATE shop_order SET note = 'by hand' WHERE id = 1")
		o.want("some are there", o.apply(false, "1|received||by ERP", "2|received||by ERP", "3|received||"), "", "1|W1|received|-|by hand|0", "2|W2|received|-|by ERP|0")
		o.want("gone", o.apply(false, "2", "3"), "", "1|W1|received|-|by hand|0", "2|W2|received|-|by ERP|1")
		o.Exec("INSERT INTO shop_order (id, order_no) VALUES (3, 'W3'), (4, 'not of the view')")
		rw := o.Target.(sink.Rewinder)
		if _, err := rw.Rewind(t.Context(), sink.Partition{View: statusView()}, 0, true); err != nil {
			t.Fatal(err)
		}
		o.open()
		o.want("replayed", o.apply(false, "1|picked||", "2|picked||", "3|picked||"), "", "1|W1|picked|-|by hand|0", "2|W2|picked|-|by ERP|0", "3|W3|picked|-|-|0", "4|not of the view|-|-|-|0")
		if p := o.Target.(sink.Pruner); !p.KeepsOthers(statusView()) {
			t.Error("a comparison of keys would remove the shop's rows")
		}
	})
	t.Run("values that one row has and another wants", func(t *testing.T) {
		o := start(t, OthersRows{Missing: "park"})
		o.Exec("INSERT INTO shop_order (id, order_no, number) VALUES (9, 'W9', 'X')")
		o.apply(false, "1|received|A|", "2|received|B|")
		o.want("exchanged", o.apply(false, "1|picked|B|", "2|picked|A|"), "", "1|W1|picked|B|-|0", "2|W2|picked|A|-|0", "9|W9|-|X|-|0")
		o.want("the shop's own, refused, absent", o.apply(false, "1|invoiced|X|", "2|bad|A|", "3|received|C|"), "1 "+string(fault.ProductUnique)+", 2 "+string(fault.ProductCheck)+", "+waits(3),
			"1|W1|picked|B|-|0", "2|W2|picked|A|-|0", "9|W9|-|X|-|0")
	})
	t.Run("many", func(t *testing.T) {
		o := start(t, OthersRows{Missing: "park"})
		var records []string
		for i := range 1000 {
			records = append(records, fmt.Sprintf("%d|received|N%d|", i+1, i+1))
		}
		if parked := o.apply(false, records...); len(parked) != 998 {
			t.Errorf("%d are parked", len(parked))
		}
		o.want("many", nil, "", "1|W1|received|N1|-|0", "2|W2|received|N2|-|0")
	})
	t.Run("nothing of the view is listed to be removed", func(t *testing.T) {
		o := start(t, OthersRows{Missing: "park"})
		o.apply(false, "1|received||")
		if keys, err := o.Target.(sink.Pruner).Keys(t.Context(), statusView(), nil, 10); err != nil || len(keys) != 0 {
			t.Errorf("%v %v", keys, err)
		}
	})
}
