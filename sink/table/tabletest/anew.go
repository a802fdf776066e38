package tabletest

import (
	"errors"
	"math"
	"testing"

	"shelfstream/sink"
)

// Somebody drops the database and makes it anew. Whoever writes next makes the tables and begins at the beginning; and so does a partition in which nothing happened meanwhile.
func databaseMadeAnew(t *testing.T, k *Kit) {
	d := k.Database(t)
	tables := PlainShop()
	for name, c := range tables {
		c.Create = true
		tables[name] = c
	}
	tg := d.Target(tables, Shop())
	busy, idle := Open(t, tg, Shop(), 0), Open(t, tg, Shop(), 1)
	Put(t, busy, Product{SKU: "A", Name: "a"})
	Put(t, idle, Product{SKU: "B", Name: "b"})
	for name := range tables {
		d.Exec("DROP TABLE " + name)
	}
	d.Exec("DROP TABLE shelfstream_offsets", "DROP TABLE shelfstream_parked")
	touch := func(s sink.Session) error {
		_, err := s.Apply(t.Context(), &sink.Batch{Next: s.Place().Next})
		return err
	}
	if err := touch(busy); !errors.Is(err, sink.ErrLost) {
		t.Fatalf("the tables are gone, and Apply says %v", err)
	}
	if busy = Open(t, tg, Shop(), 0); busy.Place().Next != 0 {
		t.Fatalf("it begins at %d", busy.Place().Next)
	}
	Put(t, busy, Product{SKU: "A", Name: "a"})
	if err := errors.Join(touch(idle), touch(idle)); !errors.Is(err, sink.ErrLost) {
		t.Fatalf("its row is gone, and Apply says %v", err)
	}
	if p := Open(t, tg, Shop(), 1).Place(); p.Next != 0 || p.ReplayUntil != math.MaxInt64 {
		t.Fatalf("it begins at %+v", p)
	}
	d.Want("SELECT sku FROM product", "A")
}
