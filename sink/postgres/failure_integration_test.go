//go:build integration

package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"shelfstream/internal/testenv"
	"shelfstream/sink"
	"shelfstream/sink/sinktest"
	"shelfstream/sink/table"
)

var errBroken = errors.New("the connection is broken")

// asker asks the database, on a new connection each time, since the server may have been restarted.
type asker struct{ dsn string }

func (a asker) ask(ctx context.Context, query string) (out [][]string, err error) {
	c, err := pgconn.Connect(ctx, a.dsn)
	if err != nil {
		return nil, err
	}
	defer c.Close(context.WithoutCancel(ctx))
	results, err := c.Exec(ctx, query).ReadAll()
	if err != nil {
		return nil, err
	}
	for _, row := range results[len(results)-1].Rows {
		var vals []string
		for _, v := range row {
			vals = append(vals, string(v))
		}
		out = append(out, vals)
	}
	return out, nil
}

func (a asker) rows(t *testing.T, query string) []string {
	t.Helper()
	all, err := a.ask(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	out := []string{}
	for _, r := range all {
		out = append(out, strings.Join(r, "|"))
	}
	return out
}

func askDatabase(t *testing.T, statements ...string) (dsn string, a asker) {
	t.Helper()
	dsn, _ = database(t, statements...)
	return dsn, asker{dsn}
}

const suiteDDL = "CREATE TABLE product (no bigint PRIMARY KEY, name varchar(40), counter bigint)"

// place reads where the target has a partition; it waits over restarts of the server.
func place(t *testing.T, db asker) func(int32) int64 {
	return func(id int32) int64 {
		rows, err := db.ask(t.Context(), fmt.Sprintf(`SELECT next_offset FROM shelfstream_offsets WHERE "partition" = %d`, id))
		if err != nil || len(rows) != 1 {
			return 0
		}
		n, _ := strconv.ParseInt(rows[0][0], 10, 64)
		return n
	}
}

// reader looks at the table again and again, as shop pages do, and asserts that no product ever goes back and that the two
// tables, written from the same products, always agree.
type reader struct {
	stop func()
	read atomic.Int64
}

func watch(t *testing.T, db asker) *reader {
	ctx, cancel := context.WithCancel(t.Context())
	r := &reader{}
	var wg sync.WaitGroup
	wg.Go(func() {
		last := map[string]int{}
		for ctx.Err() == nil {
			rows, err := db.ask(ctx, "SELECT p.no, p.counter, COALESCE(c.counter, -1) FROM product p LEFT JOIN copy c USING (no)")
			if err != nil {
				continue // the server is being restarted
			}
			for _, row := range rows {
				n, _ := strconv.Atoi(row[1])
				if n < last[row[0]] {
					t.Errorf("product %s went from %d back to %d", row[0], last[row[0]], n)
				}
				if row[1] != row[2] {
					t.Errorf("product %s is %s in one table and %s in the other", row[0], row[1], row[2])
				}
				last[row[0]] = n
			}
			r.read.Add(1)
		}
	})
	r.stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
	t.Cleanup(r.stop)
	return r
}

var twoTables = map[string]TableConfig{"product": {From: "product"}, "copy": {From: "product"}}

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

func compare(t *testing.T, db asker, want map[int64]int64) {
	t.Helper()
	for _, table := range []string{"product", "copy"} {
		got := db.rows(t, "SELECT no, counter FROM "+table)
		if len(got) != len(want) {
			t.Errorf("%s has %d rows, want %d", table, len(got), len(want))
		}
		for _, r := range got {
			var no, n int64
			fmt.Sscanf(r, "%d|%d", &no, &n)
			if want[no] != n {
				t.Errorf("%s: product %d is %d, want %d", table, no, n, want[no])
			}
		}
	}
}

// The connection is cut again and again in the middle of the work: everything arrives, and a reader never sees anything older or halves.
func TestConnectionCut(t *testing.T) {
	_, db := askDatabase(t, suiteDDL, strings.Replace(suiteDDL, "product", "copy", 1))
	name := db.rows(t, "SELECT current_database()")[0]
	proxy, err := testenv.NewProxy(server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proxy.Close)
	tg, err := Open(Config{DSN: server.DSNThrough(proxy, name), Tables: twoTables}, Options{Sink: "shop"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tg.Close() })
	w := sinktest.NewWorld(t, sinktest.View(), 3)
	cfg := w.Config(tg)
	cfg.MaxRecords = 20
	r := w.Start(cfg)
	see := watch(t, db)
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
	w.CaughtUp(place(t, db))
	see.stop()
	compare(t, db, want)
	if see.read.Load() == 0 {
		t.Error("the reader never read")
	}
}

// The server is killed and started again in the middle of the work.
func TestServerRestart(t *testing.T) {
	own, err := testenv.StartPostgres(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { own.Close() })
	dsn, err := own.CreateDatabase(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	if err := own.Exec(t.Context(), "shop", suiteDDL+"; "+strings.Replace(suiteDDL, "product", "copy", 1)); err != nil {
		t.Fatal(err)
	}
	db := asker{dsn}
	tg, err := Open(Config{DSN: dsn, Tables: twoTables}, Options{Sink: "shop"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tg.Close() })
	w := sinktest.NewWorld(t, sinktest.View(), 3)
	r := w.Start(w.Config(tg))
	watch(t, db)
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
	w.CaughtUp(place(t, db))
	compare(t, db, want)
}

// A replay from the beginning, asked for while everything runs, shows nothing older.
func TestReplay(t *testing.T) {
	dsn, db := askDatabase(t, suiteDDL, strings.Replace(suiteDDL, "product", "copy", 1))
	tg, err := Open(Config{DSN: dsn, Tables: twoTables}, Options{Sink: "shop"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tg.Close() })
	w := sinktest.NewWorld(t, sinktest.View(), 3)
	cfg := w.Config(tg)
	cfg.MaxRecords = 20
	r := w.Start(cfg)
	watch(t, db)
	stop := counting(w)
	for range 3 {
		before := r.Status().Records
		sinktest.Wait(t, "progress in every partition", func() bool {
			at := place(t, db)
			return r.Status().Records > before+200 && at(0) > 0 && at(1) > 0 && at(2) > 0
		})
		moved, err := sink.Rewind(t.Context(), sink.RewindConfig{Pipeline: "suite", Sink: "shop", Views: cfg.Views, Client: w.Client, Target: tg, Prune: true})
		if err != nil || len(moved) != 3 || moved[0].From == 0 || moved[0].To != 0 {
			t.Fatalf("Rewind: %+v, %v", moved, err)
		}
	}
	for _, table := range []string{"copy", "product"} { // in this order, since the reader takes its products from the second
		if _, err := db.ask(t.Context(), "INSERT INTO "+table+" VALUES (777, 'ghost', 1)"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := sink.Rewind(t.Context(), sink.RewindConfig{Pipeline: "suite", Sink: "shop", Views: cfg.Views, Client: w.Client, Target: tg, Prune: true}); err != nil {
		t.Fatal(err)
	}
	sinktest.Wait(t, "the ghost is gone", func() bool { return len(db.rows(t, "SELECT no FROM product WHERE no = 777")) == 0 })
	want := stop()
	w.CaughtUp(place(t, db))
	compare(t, db, want)
}

// A worker that is stopped in the middle of a transaction, its connection alive, and loses its partition meanwhile: the packet it had
// sent ends by itself, and what it sends later changes nothing.
func TestStoppedOwner(t *testing.T) {
	dsn, db := askDatabase(t, suiteDDL)
	tg, p := spied(t, Config{DSN: dsn, Tables: map[string]TableConfig{"product": {From: "product"}}}, sinktest.View())
	old := open(t, tg, sinktest.View(), 0)
	put := func(s sink.Session, n int64) error {
		_, err := s.Apply(t.Context(), &sink.Batch{Records: []sink.Record{sinktest.Record(n, 1, "x", n)}, Next: n + 1})
		return err
	}
	if err := put(old, 0); err != nil {
		t.Fatal(err)
	}
	// The old owner's next transaction, made but not sent yet.
	p.before = func() error { return errBroken }
	if err := put(old, 1); err == nil {
		t.Fatal("nothing was held up")
	}
	p.before = nil
	stale := p.packet
	// While the fence's row is locked by a transaction under way, a take-over waits for it, and then has its place.
	conn, err := p.pool.Get(t.Context())
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
		return len(db.rows(t, "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'SELECT next_offset%FOR UPDATE'")) > 0
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
	if err := conn.Exec(t.Context(), stale); kind(err) != table.ErrFenced {
		t.Errorf("the old owner's packet: %v", err)
	}
	if err := conn.Exec(t.Context(), []byte("ROLLBACK")); err != nil {
		t.Fatal(err)
	}
	if err := put(old, 1); !errors.Is(err, sink.ErrLost) {
		t.Errorf("Apply of the old owner: %v", err)
	}
	same(t, db.rows(t, "SELECT no, name, counter FROM product"), "1|x|1")
}

// A packet that a broken connection left behind is executed after its batch was sent again and later ones were applied: it changes nothing.
func TestLatePacket(t *testing.T) {
	dsn, db := askDatabase(t, suiteDDL)
	tg, p := spied(t, Config{DSN: dsn, Tables: map[string]TableConfig{"product": {From: "product"}}}, sinktest.View())
	s := open(t, tg, sinktest.View(), 0)
	var late []byte
	for n := range int64(2) {
		if _, err := s.Apply(t.Context(), &sink.Batch{Records: []sink.Record{sinktest.Record(n, 1, "x", n)}, Next: n + 1}); err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			late = p.packet
		}
	}
	conn, err := p.pool.Get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release(true)
	if err := conn.Exec(t.Context(), late); kind(err) != table.ErrFenced {
		t.Errorf("the late packet: %v", err)
	}
	same(t, db.rows(t, "SELECT no, name, counter FROM product"), "1|x|1")
}

// The answer to COMMIT is lost: the same batch again is taken for what it is, also the records it parked.
func TestLostAnswer(t *testing.T) {
	dsn, db := askDatabase(t, suiteDDL)
	tg, p := spied(t, Config{DSN: dsn, Tables: map[string]TableConfig{"product": {From: "product"}}}, sinktest.View())
	s := open(t, tg, sinktest.View(), 0)
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
	same(t, db.rows(t, "SELECT no, counter FROM product"), "1|1")
	same(t, db.rows(t, "SELECT attempts FROM shelfstream_parked"), "1")
}
