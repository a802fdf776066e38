package tabletest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"shelfstream/internal/testenv"
	"shelfstream/sink"
	"shelfstream/sink/sinktest"
	"shelfstream/sink/table"
)

// Failures tests what becomes of the rows when connections, servers and workers fail in the middle of the work, and when it is done once more.
func Failures(t *testing.T, k *Kit) {
	k.run(t, map[string]func(*testing.T, *Kit){
		"ConnectionCut": connectionCut,
		"ServerRestart": serverRestart,
		"Replay":        replay,
		"StoppedOwner":  stoppedOwner,
		"LatePacket":    latePacket,
		"LostAnswer":    lostAnswer,
		"MadeAnew":      databaseMadeAnew,
	})
}

var (
	oneTable  = Tables{"product": {From: "product"}}
	twoTables = Tables{"product": {From: "product"}, "copy": {From: "product"}}
)

const (
	oneDDL  = "CREATE TABLE product (" + counted + ")"
	copyDDL = "CREATE TABLE copy (" + counted + ")"
)

// place reads where the target has a partition; it waits over restarts of the server.
func (d *Database) place(id int32) int64 {
	rows, err := texts(d.T.Context(), d.client, fmt.Sprintf("SELECT next_offset FROM shelfstream_offsets WHERE %s = %d", d.kit.Dialect().Quote("partition"), id))
	if err != nil || len(rows) != 1 {
		return 0
	}
	n, err := strconv.ParseInt(rows[0], 10, 64)
	if err != nil {
		d.T.Error(err)
	}
	return n
}

// reader looks at the table again and again, as shop pages do, and asserts that no product ever goes back and that the two
// tables, written from the same products, always agree.
type reader struct {
	stop func()
	read atomic.Int64
}

func watch(d *Database) *reader {
	ctx, cancel := context.WithCancel(d.T.Context())
	r := &reader{}
	client := d.another()
	var wg sync.WaitGroup
	wg.Go(func() {
		last := map[int64]int64{}
		for ctx.Err() == nil {
			rows, err := texts(ctx, client, "SELECT p.no, p.counter, COALESCE(c.counter, -1) FROM product p LEFT JOIN copy c USING (no)")
			if err != nil {
				continue // the server is being restarted
			}
			for _, row := range rows {
				var no, counter, second int64
				if _, err := fmt.Sscanf(row, "%d|%d|%d", &no, &counter, &second); err != nil {
					d.T.Errorf("%q: %v", row, err)
				}
				if counter < last[no] {
					d.T.Errorf("product %d went from %d back to %d", no, last[no], counter)
				}
				if counter != second {
					d.T.Errorf("product %d is %d in one table and %d in the other", no, counter, second)
				}
				last[no] = counter
			}
			r.read.Add(1)
		}
	})
	r.stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
	d.T.Cleanup(r.stop)
	return r
}

// counting writes rising counters over a few products until stop, and gives what the tables must hold in the end.
func counting(w *sinktest.World) (stop func() map[int64]int64) {
	want := map[int64]int64{}
	quit := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := int64(1); ; n++ {
			select {
			case <-quit:
				return
			default:
			}
			w.Put(sinktest.Row(n%40, "x", n))
			want[n%40] = n
		}
	})
	return func() map[int64]int64 { close(quit); wg.Wait(); return want }
}

func compare(d *Database, want map[int64]int64) {
	d.T.Helper()
	for _, table := range []string{"product", "copy"} {
		got := d.Rows("SELECT no, counter FROM " + table)
		if len(got) != len(want) {
			d.T.Errorf("%s has %d rows, want %d", table, len(got), len(want))
		}
		for _, r := range got {
			var no, n int64
			if _, err := fmt.Sscanf(r, "%d|%d", &no, &n); err != nil || want[no] != n {
				d.T.Errorf("%s: product %d is %d, want %d; %v", table, no, n, want[no], err)
			}
		}
	}
}

// The connection is cut again and again in the middle of the work: everything arrives, and a reader never sees anything older or halves.
func connectionCut(t *testing.T, k *Kit) {
	d := k.Database(t, oneDDL, copyDDL)
	proxy, err := testenv.NewProxy(k.Server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proxy.Close)
	tg := d.opened(k.Open(k.Server.DSNThrough(proxy, d.Name), twoTables, nil))
	w := sinktest.NewWorld(t, sinktest.View(), 3)
	cfg := w.Config(tg)
	cfg.MaxRecords = 20
	r := w.Start(cfg)
	see := watch(d)
	stop := counting(w)
	for range 15 {
		before := r.Status().Records
		sinktest.Wait(t, "progress", func() bool { return r.Status().Records > before })
		proxy.Cut()
		if err := proxy.Heal(); err != nil {
			t.Fatal(err)
		}
	}
	want := stop()
	w.CaughtUp(d.place)
	see.stop()
	compare(d, want)
	if see.read.Load() == 0 {
		t.Error("the reader never read")
	}
}

// The server is killed and started again in the middle of the work.
func serverRestart(t *testing.T, k *Kit) {
	own, err := k.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { own.Close() })
	d := k.DatabaseOf(t, own, oneDDL, copyDDL)
	tg := d.Unchecked(twoTables)
	w := sinktest.NewWorld(t, sinktest.View(), 3)
	r := w.Start(w.Config(tg))
	watch(d)
	stop := counting(w)
	for i := range 3 {
		before := r.Status().Records
		sinktest.Wait(t, "progress", func() bool { return r.Status().Records > before })
		if i == 0 {
			err = own.Stop(t.Context())
		} else {
			err = own.Kill()
		}
		if err != nil {
			t.Fatal(err)
		}
		sinktest.Wait(t, "state retrying", func() bool { return r.Status().State == "retrying" })
		if err := own.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	want := stop()
	w.CaughtUp(d.place)
	compare(d, want)
}

// A replay from the beginning, asked for while everything runs, shows nothing older.
func replay(t *testing.T, k *Kit) {
	d := k.Database(t, oneDDL, copyDDL)
	tg := d.Unchecked(twoTables)
	w := sinktest.NewWorld(t, sinktest.View(), 3)
	cfg := w.Config(tg)
	cfg.MaxRecords = 20
	r := w.Start(cfg)
	watch(d)
	stop := counting(w)
	for range 3 {
		before := r.Status().Records
		sinktest.Wait(t, "progress in every partition", func() bool {
			return r.Status().Records > before+200 && d.place(0) > 0 && d.place(1) > 0 && d.place(2) > 0
		})
		moved, err := sink.Rewind(t.Context(), sink.RewindConfig{Pipeline: "suite", Sink: "shop", Views: cfg.Views, Client: w.Client, Target: tg, Prune: true})
		if err != nil || len(moved) != 3 || moved[0].From == 0 || moved[0].To != 0 {
			t.Fatalf("Rewind: %+v, %v", moved, err)
		}
	}
	for _, table := range []string{"copy", "product"} { // in this order, since the reader takes its products from the second
		d.Exec("INSERT INTO " + table + " VALUES (777, 'ghost', 1)")
	}
	if _, err := sink.Rewind(t.Context(), sink.RewindConfig{Pipeline: "suite", Sink: "shop", Views: cfg.Views, Client: w.Client, Target: tg, Prune: true}); err != nil {
		t.Fatal(err)
	}
	sinktest.Wait(t, "the ghost is gone", func() bool { return len(d.Rows("SELECT no FROM product WHERE no = 777")) == 0 })
	want := stop()
	w.CaughtUp(d.place)
	compare(d, want)
}

// A worker that is stopped in the middle of a transaction, its connection alive, and loses its partition meanwhile: the packet it had
// sent ends by itself, and what it sends later changes nothing.
func stoppedOwner(t *testing.T, k *Kit) {
	d := k.Database(t, oneDDL)
	tg, p := d.spied(oneTable, sinktest.View())
	old := Open(t, tg, sinktest.View(), 0)
	put := func(s sink.Session, n int64) error {
		_, err := s.Apply(t.Context(), &sink.Batch{Records: []sink.Record{sinktest.Record(n, 1, "x", n)}, Next: n + 1})
		return err
	}
	if err := put(old, 0); err != nil {
		t.Fatal(err)
	}
	// The old owner's next transaction, made but not sent yet.
	p.before = errBroken
	if err := put(old, 1); err == nil {
		t.Fatal("nothing was held up")
	}
	p.before = nil
	stale := p.packet
	// While the fence's row is locked by a transaction under way, a take-over waits for it, and then has its place.
	conn, err := p.Pool.Get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release(true)
	if err := conn.Exec(t.Context(), []byte("START TRANSACTION; UPDATE shelfstream_offsets SET owner = 'busy'")); err != nil {
		t.Fatal(err)
	}
	opened := make(chan sink.Session, 1)
	go func() {
		s, err := tg.Open(context.Background(), sink.Partition{View: sinktest.View(), Owner: "new"})
		if err != nil {
			t.Error(err)
		}
		opened <- s
	}()
	sinktest.Wait(t, "the new owner waits for the lock", func() bool {
		return len(d.Rows("SELECT 1 FROM {waiting} LIKE 'SELECT next_offset%FOR UPDATE'")) > 0
	})
	select {
	case <-opened:
		t.Fatal("the partition was taken over in the middle of a transaction of its owner")
	default:
	}
	if err := conn.Exec(t.Context(), []byte("COMMIT")); err != nil {
		t.Fatal(err)
	}
	mine := <-opened
	defer mine.Close()
	if err := put(mine, 1); err != nil {
		t.Fatal(err)
	}
	if err := conn.Exec(t.Context(), stale); k.Dialect().Kind(err) != table.ErrFenced {
		t.Errorf("the old owner's packet: %v", err)
	}
	if err := conn.Exec(t.Context(), []byte("ROLLBACK")); err != nil {
		t.Fatal(err)
	}
	if err := put(old, 1); !errors.Is(err, sink.ErrLost) {
		t.Errorf("Apply of the old owner: %v", err)
	}
	d.Want("SELECT no, name, counter FROM product", "1|x|1")
}

// A packet that a broken connection left behind is executed after its batch was sent again and later ones were applied: it changes nothing.
func latePacket(t *testing.T, k *Kit) {
	d := k.Database(t, oneDDL)
	tg, p := d.spied(oneTable, sinktest.View())
	s := Open(t, tg, sinktest.View(), 0)
	var late []byte
	for n := range int64(2) {
		if _, err := s.Apply(t.Context(), &sink.Batch{Records: []sink.Record{sinktest.Record(n, 1, "x", n)}, Next: n + 1}); err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			late = p.packet
		}
	}
	conn, err := p.Pool.Get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release(true)
	if err := conn.Exec(t.Context(), late); k.Dialect().Kind(err) != table.ErrFenced {
		t.Errorf("the late packet: %v", err)
	}
	d.Want("SELECT no, name, counter FROM product", "1|x|1")
}

// The answer to COMMIT is lost: the same batch again is taken for what it is, also the records it parked.
func lostAnswer(t *testing.T, k *Kit) {
	d := k.Database(t, oneDDL)
	tg, p := d.spied(oneTable, sinktest.View())
	s := Open(t, tg, sinktest.View(), 0)
	b := &sink.Batch{Records: []sink.Record{sinktest.Record(0, 1, "x", 1), sinktest.Record(1, 2, strings.Repeat("y", 41), 1)}, Next: 2}
	p.after = errBroken
	if _, err := s.Apply(t.Context(), b); err == nil {
		t.Fatal("the answer was not lost")
	}
	p.after = nil
	parked, err := s.Apply(t.Context(), b)
	if err != nil || len(parked) != 1 || parked[0].Offset != 1 || s.(sink.Retrier).Held() != 1 || s.Place().Next != 2 {
		t.Fatalf("parked %+v, held %d, place %+v, %v", parked, s.(sink.Retrier).Held(), s.Place(), err)
	}
	d.Want("SELECT no, counter FROM product", "1|1")
	d.Want("SELECT attempts FROM shelfstream_parked", "1")
}
