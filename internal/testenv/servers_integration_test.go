//go:build integration

package testenv_test

import (
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"

	"shelfstream/internal/testenv"
)

func deadline(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestPostgresKeepsItsDataOverKillAndRestart(t *testing.T) {
	ctx := deadline(t, 2*time.Minute)
	pg, err := testenv.StartPostgres(ctx, filepath.Join(t.TempDir(), "pg"))
	must(t, err)
	t.Cleanup(func() { must(t, pg.Close()) })
	dsn, err := pg.CreateDatabase(ctx, "erp")
	must(t, err)
	must(t, pg.Exec(ctx, "erp", "CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a VALUES (1)"))
	must(t, pg.Exec(ctx, "erp", "SELECT pg_create_logical_replication_slot('s', 'pgoutput')"))
	for i, end := range []func() error{pg.Kill, func() error { return pg.Stop(ctx) }} {
		// A client that stays connected must keep neither a stop nor a restart waiting.
		held, err := pgx.Connect(ctx, dsn)
		must(t, err)
		t.Cleanup(func() { held.Close(context.Background()) })
		must(t, end())
		if pg.PID() != 0 {
			t.Fatal("PostgreSQL still runs after its end")
		}
		must(t, pg.Restart(ctx))
		c, err := pgx.Connect(ctx, dsn)
		must(t, err)
		var n int
		must(t, c.QueryRow(ctx, "SELECT count(*) FROM a").Scan(&n))
		must(t, c.Close(ctx))
		if n != 1 {
			t.Errorf("end %d: %d rows, want 1", i, n)
		}
	}
	must(t, pg.DropDatabase(ctx, "erp"))
}

func TestMariaDBKeepsItsDataOverKillAndRestart(t *testing.T) {
	ctx := deadline(t, 2*time.Minute)
	m, err := testenv.StartMariaDB(ctx, "")
	must(t, err)
	t.Cleanup(func() { must(t, m.Close()) })
	dsn, err := m.CreateDatabase(ctx, "shop")
	must(t, err)
	must(t, m.Exec(ctx, "shop", "CREATE TABLE a (id INT PRIMARY KEY, b VARCHAR(10)); INSERT INTO a VALUES (1, 'æøå')"))
	for i, end := range []func() error{m.Kill, func() error { return m.Stop(ctx) }} {
		must(t, end())
		must(t, m.Restart(ctx))
		db, err := sql.Open("mysql", dsn)
		must(t, err)
		var b string
		must(t, db.QueryRowContext(ctx, "SELECT b FROM a").Scan(&b))
		must(t, db.Close())
		if b != "æøå" {
			t.Errorf("end %d: got %q", i, b)
		}
	}
}

func TestBrokersKeepTheirRecordsOverKillAndRestart(t *testing.T) {
	ctx := deadline(t, 5*time.Minute)
	t.Run("embedded", func(t *testing.T) {
		b, err := testenv.StartEmbedded(ctx, "", time.Second)
		must(t, err)
		t.Cleanup(func() { must(t, b.Close()) })
		keepsRecords(t, ctx, b)
	})
	t.Run("kafka", func(t *testing.T) {
		k, err := testenv.StartKafka(ctx, "")
		must(t, err)
		t.Cleanup(func() { must(t, k.Close()) })
		keepsRecords(t, ctx, &k.Broker)
	})
}

func keepsRecords(t *testing.T, ctx context.Context, k *testenv.Broker) {
	tr := &kafka.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	c := &kafka.Client{Addr: kafka.TCP(k.Addr()), Transport: tr, Timeout: 10 * time.Second}
	res, err := c.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{Topic: "a", NumPartitions: 1, ReplicationFactor: 1}}})
	must(t, err)
	must(t, res.Errors["a"])
	produce := func() error {
		r, err := c.Produce(ctx, &kafka.ProduceRequest{Topic: "a", RequiredAcks: kafka.RequireAll, Records: kafka.NewRecordReader(kafka.Record{Value: kafka.NewBytes([]byte("v"))})})
		if err == nil {
			err = r.Error
		}
		return err
	}
	eventually(t, ctx, "the topic's leader", produce)
	for i, end := range []func() error{k.Kill, func() error { return k.Stop(ctx) }} {
		must(t, end())
		began := time.Now()
		must(t, k.Restart(ctx))
		t.Logf("restart %d took %v", i, time.Since(began).Round(time.Millisecond))
		eventually(t, ctx, "a produce after the restart", produce)
	}
	l, err := c.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{"a": {kafka.LastOffsetOf(0)}}})
	must(t, err)
	if got := l.Topics["a"][0].LastOffset; got < 3 {
		t.Errorf("end offset %d, want at least the three that were acknowledged", got)
	}

	// Paused, it keeps connections open and answers nothing; continued, it answers again.
	must(t, k.Pause(ctx))
	short, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	_, err = c.Metadata(short, &kafka.MetadataRequest{Topics: []string{"a"}})
	cancel()
	if err == nil {
		// kafka-go answers from its cache; a fresh connection cannot.
		fresh := &kafka.Client{Addr: kafka.TCP(k.Addr()), Transport: &kafka.Transport{}, Timeout: 300 * time.Millisecond}
		_, err = fresh.Metadata(ctx, &kafka.MetadataRequest{})
	}
	if err == nil {
		t.Error("a paused broker answered")
	}
	must(t, k.Continue())
	eventually(t, ctx, "an answer after the pause", produce)
}

func eventually(t *testing.T, ctx context.Context, what string, f func() error) {
	t.Helper()
	var last error
	if err := testenv.WaitFor(ctx, what, func() (bool, error) { last = f(); return last == nil, nil }); err != nil {
		t.Fatal(err, last)
	}
}

func TestKafkaListenersWithPasswordsAndTLS(t *testing.T) {
	ctx := deadline(t, 2*time.Minute)
	cert, err := testenv.NewKafkaTLS()
	must(t, err)
	k, err := testenv.StartKafka(ctx, "", testenv.KafkaUsers(map[string]string{"kari": "hemmelig"}), testenv.KafkaWithTLS(cert), testenv.KafkaStock())
	must(t, err)
	t.Cleanup(func() { must(t, k.Close()) })
	s256, err := scram.Mechanism(scram.SHA256, "kari", "hemmelig")
	must(t, err)
	s512, err := scram.Mechanism(scram.SHA512, "kari", "hemmelig")
	must(t, err)
	wrong, err := scram.Mechanism(scram.SHA512, "kari", "galt")
	must(t, err)
	for _, tc := range []struct {
		name, addr string
		tr         *kafka.Transport
		refused    bool
	}{
		{"PLAIN", k.SASLAddr(), &kafka.Transport{SASL: plain.Mechanism{Username: "kari", Password: "hemmelig"}}, false},
		{"SCRAM-SHA-256", k.SASLAddr(), &kafka.Transport{SASL: s256}, false},
		{"SCRAM-SHA-512 over TLS", k.SASLTLSAddr(), &kafka.Transport{SASL: s512, TLS: cert.ClientConfig()}, false},
		{"TLS", k.TLSAddr(), &kafka.Transport{TLS: cert.ClientConfig()}, false},
		{"wrong password", k.SASLAddr(), &kafka.Transport{SASL: wrong}, true},
		{"unknown certificate", k.TLSAddr(), &kafka.Transport{TLS: &tls.Config{}}, true},
	} {
		c := &kafka.Client{Addr: kafka.TCP(tc.addr), Transport: tc.tr, Timeout: 10 * time.Second}
		_, err := c.Metadata(ctx, &kafka.MetadataRequest{})
		if (err != nil) != tc.refused {
			t.Errorf("%s: error %v, want refused: %v", tc.name, err, tc.refused)
		}
		tc.tr.CloseIdleConnections()
	}
}

func TestProxyBreaksADatabaseConnection(t *testing.T) {
	ctx := deadline(t, time.Minute)
	pg, err := testenv.StartPostgres(ctx, "", testenv.PostgresNoFsync())
	must(t, err)
	t.Cleanup(func() { must(t, pg.Close()) })
	p, err := testenv.NewProxy(pg.Addr())
	must(t, err)
	t.Cleanup(p.Close)
	c, err := pgx.Connect(ctx, pg.DSNThrough(p, "postgres"))
	must(t, err)
	p.Cut()
	if err := c.Ping(ctx); !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, net.ErrClosed) && err == nil {
		t.Errorf("ping over a cut connection: %v", err)
	}
	if _, err := pgx.Connect(ctx, pg.DSNThrough(p, "postgres")); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("connect while cut: %v, want refused", err)
	}
	must(t, p.Heal())
	c, err = pgx.Connect(ctx, pg.DSNThrough(p, "postgres"))
	must(t, err)
	p.Stall()
	answer := make(chan error, 1)
	go func() { answer <- c.Ping(ctx) }()
	select {
	case err := <-answer:
		t.Errorf("ping through a stalled proxy came back: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	must(t, p.Heal())
	must(t, <-answer)
	must(t, c.Close(ctx))
}

func TestChromiumLeavesNothing(t *testing.T) {
	ctx := deadline(t, 2*time.Minute)
	dir, err := os.MkdirTemp("", "tmp") //nolint:usetesting // the browser needs a short name
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
	t.Setenv("TMPDIR", dir)
	c, err := testenv.StartChromium(ctx, "")
	must(t, err)
	pid := c.PID()
	conn, err := net.Dial("tcp", strings.Split(strings.TrimPrefix(c.DevTools(), "ws://"), "/")[0])
	must(t, err)
	conn.Close()
	must(t, c.Close())
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("process %d is still there: %v", pid, err)
	}
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	must(t, err)
	if len(left) > 0 {
		t.Errorf("it leaves %v", left)
	}
}
