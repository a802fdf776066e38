//go:build integration

package mysql

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"shelfstream/capture"
	"shelfstream/capture/capturetest"
	"shelfstream/internal/fault"
	"shelfstream/internal/testenv"
	"shelfstream/schemas"
)

// startServer is a server of the test's own.
func startServer(t *testing.T, settings ...string) *testenv.MariaDB {
	t.Helper()
	opts := []testenv.MariaDBOption{testenv.MariaDBRelaxed(), testenv.MariaDBCaptured()}
	for i := 0; i < len(settings); i += 2 {
		opts = append(opts, testenv.MariaDBSetting(settings[i], settings[i+1]))
	}
	m, err := testenv.StartMariaDB(t.Context(), "", opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Log(err)
		}
	})
	return m
}

// TestPositionLost: where the log does not go back to the checkpoint, the source says so, and goes on only from a new snapshot.
func TestPositionLost(t *testing.T) {
	m := startServer(t)
	reset := "RESET MASTER"
	if onMySQL() {
		reset = "RESET BINARY LOGS AND GTIDS"
	}
	for name, lose := range map[string]func(*database){
		"purged": func(d *database) {
			d.exec("FLUSH BINARY LOGS", "INSERT INTO a VALUES (2)", "FLUSH BINARY LOGS", "INSERT INTO a VALUES (3)")
			// A file stays until InnoDB has written down what stands in it.
			until(t, "the files are gone", func() bool {
				logs := d.text("SHOW BINARY LOGS")
				newest, _, _ := strings.Cut(logs[len(logs)-1], "|")
				d.exec("PURGE BINARY LOGS TO '" + newest + "'")
				return len(d.text("SHOW BINARY LOGS")) == 1
			})
		},
		"made anew": func(d *database) { d.exec(reset) },
		"made anew, and longer than before": func(d *database) {
			second := d.one("SELECT UNIX_TIMESTAMP()")
			until(t, "another second", func() bool { return d.one("SELECT UNIX_TIMESTAMP()") != second })
			d.exec(reset)
			for i := range 100 {
				d.exec(fmt.Sprintf("INSERT INTO a VALUES (%d)", 10+i))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDatabaseOn(t, m, "CREATE TABLE a (id int PRIMARY KEY)", "INSERT INTO a VALUES (1)")
			r := start(t, d.config(tables("a")), nil)
			r.follows(d, "a")
			r.wait("a heartbeat", func() bool { return r.Heartbeats() > 0 })
			r.stop()
			lose(d)
			r = start(t, r.cfg, r.Recorder)
			err := r.failure()
			var f *fault.Fault
			if !errors.Is(err, capture.ErrPositionLost) || !errors.As(err, &f) || !strings.Contains(f.Fix, "resnapshot") {
				t.Fatalf("Run ended with %v", err)
			}
			t.Log(err)
			src, err := New(r.cfg)
			if err != nil {
				t.Fatal(err)
			}
			r.Reopen(src.Confirm)
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error)
			go func() {
				ended <- src.Run(ctx, capture.Start{Checkpoint: r.Checkpoint(), Fresh: true, Snapshot: []string{"a"}}, r.Recorder)
			}()
			want := len(d.text("SELECT id FROM a"))
			until(t, "the new snapshot", func() bool { return len(r.Rows("a")) == want })
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
}

// TestFailover goes on with a replica, by the GTIDs of the transactions that both have.
func TestFailover(t *testing.T) {
	primary, replica := startServer(t, "server_id", "11"), startServer(t, "server_id", "12", "log_slave_updates", "1", "log_bin", "other")
	_, port, err := net.SplitHostPort(primary.Addr())
	if err != nil {
		t.Fatal(err)
	}
	follow, stop := "CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT="+port+", MASTER_USER='root', MASTER_USE_GTID=slave_pos; START SLAVE", "STOP SLAVE"
	done, wait := "SELECT @@gtid_binlog_pos", "SELECT MASTER_GTID_WAIT('%s', 30)"
	if onMySQL() {
		follow = "CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT=" + port + ", SOURCE_USER='root', SOURCE_AUTO_POSITION=1, GET_SOURCE_PUBLIC_KEY=1; START REPLICA"
		stop, done, wait = "STOP REPLICA", "SELECT @@gtid_executed", "SELECT WAIT_FOR_EXECUTED_GTID_SET('%s', 30)"
	}
	if err := replica.Exec(t.Context(), "", follow); err != nil {
		t.Fatal(err)
	}
	d := newDatabaseOn(t, primary, "CREATE TABLE a (id int PRIMARY KEY, v int)", "INSERT INTO a VALUES (1, 1)")
	r := start(t, d.config(tables("a")), nil)
	r.follows(d, "a")
	d.exec("INSERT INTO a VALUES (2, 2)")
	r.follows(d, "a")
	r.stop()
	d.exec("INSERT INTO a VALUES (3, 3)") // nobody reads it from the first
	at := d.one(done)
	if err := replica.Exec(t.Context(), "", fmt.Sprintf(wait, at)); err != nil {
		t.Fatal(err)
	}
	if err := primary.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := replica.Exec(t.Context(), "", stop); err != nil {
		t.Fatal(err)
	}
	d2 := &database{TB: t, server: replica, name: d.name}
	d2.connect()
	d2.exec("UPDATE a SET v = 20 WHERE id = 2", "DELETE FROM a WHERE id = 1")
	n := len(r.Events())
	cfg := r.cfg
	cfg.DSN = d2.dsn()
	r = start(t, cfg, r.Recorder)
	r.follows(d2, "a")
	r.stop()
	if read := r.snapshots(n); len(read) > 0 {
		t.Errorf("the tables %v were read anew", read)
	}
}

// TestCrashes ends the source at random moments, and the server too, while clients write and a table is altered. Nothing is lost, and what was captured is not read anew.
func TestCrashes(t *testing.T) {
	m := startServer(t, "innodb_flush_log_at_trx_commit", "1", "sync_binlog", "1")
	d := newDatabaseOn(t, m, "CREATE TABLE a (id int PRIMARY KEY, v int, pad varchar(100))", "CREATE TABLE b (id int PRIMARY KEY, a int)")
	var r *running
	cfg := d.config(tables("a", "b"))
	rnd := rand.New(rand.NewPCG(1, 2))
	id := 0
	for round := range 12 {
		if r == nil {
			r = start(t, cfg, nil)
		} else {
			r = start(t, cfg, r.Recorder)
		}
		for range 5 + rnd.IntN(40) {
			id++
			d.exec("BEGIN", fmt.Sprintf("INSERT INTO a (id, v, pad) VALUES (%d, %d, REPEAT('x', %d))", id, round, rnd.IntN(100)), fmt.Sprintf("INSERT INTO b VALUES (%d, %d)", id, id),
				fmt.Sprintf("UPDATE a SET v = -v WHERE id = %d", 1+rnd.IntN(id)), "COMMIT")
		}
		switch round {
		case 3:
			d.exec("ALTER TABLE a ADD COLUMN w int NOT NULL DEFAULT 7")
		case 6, 9:
			if err := m.Kill(); err != nil {
				t.Fatal(err)
			}
			if err := m.Restart(t.Context()); err != nil {
				t.Fatal(err)
			}
			d.connect()
		}
		// It ends wherever it stands; what the recorder has not committed is gone.
		timer := time.NewTimer(time.Duration(rnd.IntN(60)) * time.Millisecond)
		select {
		case <-timer.C:
			r.end()
			<-r.ended
		case err := <-r.ended:
			r.end()
			if errors.Is(err, capture.ErrPositionLost) {
				t.Fatal(err)
			}
		}
	}
	r = start(t, cfg, r.Recorder)
	r.follows(d, "a")
	r.follows(d, "b")
	r.stop()
}

// TestCutConnection: a connection that is cut ends the Run with an error, and the next one goes on.
func TestCutConnection(t *testing.T) {
	proxy, err := testenv.NewProxy(server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	d := newDatabase(t, "CREATE TABLE a (id int PRIMARY KEY)")
	cfg := d.config(tables("a"))
	cfg.DSN = d.server.DSNThrough(proxy, d.name)
	r := start(t, cfg, nil)
	for i := range 5 {
		d.exec(fmt.Sprintf("INSERT INTO a VALUES (%d)", i))
		r.follows(d, "a")
		proxy.Cut()
		d.exec(fmt.Sprintf("INSERT INTO a VALUES (%d)", 100+i))
		if err := proxy.Heal(); err != nil {
			t.Fatal(err)
		}
		r.follows(d, "a")
	}
	r.stop()
}

// cutting cuts the way to the database when the snapshot begins, or at its first row.
type cutting struct {
	*capturetest.Recorder
	atRow bool
	cut   func()
}

func (c cutting) Snapshot(ctx context.Context, at capture.Position, tables []string) (capture.Snapshot, error) {
	if !c.atRow {
		c.cut()
	}
	s, err := c.Recorder.Snapshot(ctx, at, tables)
	return cuttingRows{s, sync.OnceFunc(c.cut)}, err
}

type cuttingRows struct {
	capture.Snapshot
	cut func()
}

func (c cuttingRows) Row(ctx context.Context, lane int, h capture.Handle, row []schemas.Value) error {
	c.cut()
	return c.Snapshot.Row(ctx, lane, h, row)
}

// TestCutWhileReadingTables: a connection that is cut in the middle of a statement is the same trouble as a server that does not answer, so people are told once.
func TestCutWhileReadingTables(t *testing.T) {
	proxy, err := testenv.NewProxy(server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	d := newDatabase(t, "CREATE TABLE a (id int PRIMARY KEY)", "INSERT INTO a SELECT seq FROM seq_1_to_100000")
	cfg := d.config(tables("a"))
	cfg.DSN = d.server.DSNThrough(proxy, d.name)
	for _, atRow := range []bool{false, true} {
		src, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err = src.Run(ctx, capture.Start{Snapshot: []string{"a"}}, cutting{capturetest.NewRecorder(t, nil), atRow, proxy.Cut})
		var f *fault.Fault
		if !errors.As(err, &f) || f.Cause != fault.BinlogUnreachable {
			t.Errorf("cut at a row %t: Run ended with %v", atRow, err)
		}
		if err := proxy.Heal(); err != nil {
			t.Fatal(err)
		}
	}
}
