package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	_ "github.com/go-sql-driver/mysql" // the shop's driver
	"github.com/jackc/pgx/v5"

	"shelfstream/internal/kafka"
	"shelfstream/internal/testenv"
	"shelfstream/schemas/registry"
)

// servers are where everything runs: the peers' own, or ones of testenv with the same stock settings.
type servers struct {
	pgDSN   string // PostgreSQL, database with the table products
	myDSN   string // MariaDB, database with the table products
	brokers string
	pgBin   string
	text    string // versions
	client  *kafka.Client
	// registry is the address of a schema registry in this process, for stages that run as processes of their own.
	registry string
	stop     func() error
}

// build makes the binary that users run.
func build(ctx context.Context, dir string) (string, error) {
	out := filepath.Join(dir, "shelfstream")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", out, "./cmd/shelfstream")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if b, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build shelfstream: %w\n%s", err, b)
	}
	return out, nil
}

func startServers(ctx context.Context, dir string, p *peers) (s *servers, err error) {
	pgBin, _, err := testenv.FindPostgres(ctx)
	if err != nil {
		return nil, err
	}
	if p != nil {
		if s, err = p.start(ctx); err != nil {
			return nil, err
		}
	} else if s, err = ownServers(ctx, dir); err != nil {
		return nil, err
	}
	s.pgBin = pgBin
	if s.client, err = kafka.Open(kafka.Config{Brokers: []string{s.brokers}}); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	if err := s.startRegistry(ctx); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, s.versions(ctx)
}

// memoryLog keeps the registry's schemas for one run of the program.
type memoryLog struct{}

func (memoryLog) Append(context.Context, []byte, []byte) error { return nil }

func (memoryLog) Replay(context.Context, func(key, value []byte) error) error { return nil }

func (s *servers) startRegistry(ctx context.Context) error {
	server, err := registry.NewServer(ctx, memoryLog{})
	if err != nil {
		return err
	}
	var listen net.ListenConfig
	l, err := listen.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	web := &http.Server{Handler: server, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = web.Serve(l)
	}()
	s.registry = "http://" + l.Addr().String()
	stop := s.stop
	s.stop = func() error {
		err := web.Close()
		<-done
		return errors.Join(err, s.client.Close(), stop())
	}
	return nil
}

func ownServers(ctx context.Context, dir string) (*servers, error) {
	pg, err := testenv.StartPostgres(ctx, filepath.Join(dir, "pg"))
	if err != nil {
		return nil, err
	}
	my, err := testenv.StartMariaDB(ctx, filepath.Join(dir, "mariadb"), testenv.MariaDBCaptured())
	if err != nil {
		return nil, errors.Join(err, pg.Close())
	}
	k, err := testenv.StartKafka(ctx, filepath.Join(dir, "kafka"), testenv.KafkaStock(), testenv.KafkaHeap("1g"))
	if err != nil {
		return nil, errors.Join(err, my.Close(), pg.Close())
	}
	s := &servers{brokers: k.Addr(), stop: func() error { return errors.Join(k.Close(), my.Close(), pg.Close()) }}
	if s.pgDSN, err = pg.CreateDatabase(ctx, "shop"); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	if s.myDSN, err = my.CreateDatabase(ctx, "shop"); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

const pgProducts = `CREATE TABLE products (id bigint PRIMARY KEY, sku text NOT NULL, name text NOT NULL, descr text, price numeric(12,2) NOT NULL,
	stock integer NOT NULL, vat_code smallint NOT NULL, updated_at timestamptz NOT NULL, blocked boolean NOT NULL);
INSERT INTO products SELECT g, 'SKU-' || to_char(g, 'FM000000000'), 'Artikel ' || g || ' Größe ' || g % 50, repeat(md5(g::text), 3) || left(md5((g + 1)::text), 24),
	(g % 99000 + 99)::numeric / 100, g % 1000, g % 3 + 1, '2026-01-01Z'::timestamptz + (g % 86400) * interval '1 second', g % 97 = 0 FROM generate_series(1, %d) g;
VACUUM ANALYZE products;`

// load sees to it that products is in PostgreSQL.
func (s *servers) load(ctx context.Context, rows int) error {
	c, err := pgx.Connect(ctx, s.pgDSN)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer c.Close(ctx)
	var there bool
	if err := c.QueryRow(ctx, "SELECT to_regclass('products') IS NOT NULL").Scan(&there); err != nil {
		return err
	}
	if !there {
		say("loading %d products into PostgreSQL", rows)
		for _, q := range strings.SplitAfter(fmt.Sprintf(strings.ReplaceAll(pgProducts, "% ", "%% "), rows), ";") {
			if strings.TrimSpace(q) == "" {
				continue
			}
			if _, err := c.Exec(ctx, q); err != nil {
				return fmt.Errorf("load products: %w", err)
			}
		}
	}
	// Values that can never be stored out of line need no old row image: the change log then is the one that the peers read, not one with
	// every row twice (REPLICA IDENTITY FULL).
	_, err = c.Exec(ctx, "ALTER TABLE products ALTER sku SET STORAGE PLAIN, ALTER name SET STORAGE PLAIN, ALTER descr SET STORAGE PLAIN")
	return err
}

func (s *servers) versions(ctx context.Context) error {
	c, err := pgx.Connect(ctx, s.pgDSN)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer c.Close(ctx)
	var pg, my string
	if err := c.QueryRow(ctx, "SHOW server_version").Scan(&pg); err != nil {
		return err
	}
	db, err := sql.Open("mysql", s.myDSN)
	if err != nil {
		return err
	}
	defer db.Close()
	if err := db.QueryRowContext(ctx, "SELECT version()").Scan(&my); err != nil {
		return err
	}
	s.text = fmt.Sprintf("PostgreSQL %s, MariaDB %s, Apache Kafka (KRaft, one node, stock settings)", pg, my)
	return nil
}

// pg runs statements, each in a transaction of its own.
func (s *servers) pg(ctx context.Context, statements ...string) error {
	c, err := pgx.Connect(ctx, s.pgDSN)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer c.Close(ctx)
	for _, q := range statements {
		if _, err := c.Exec(ctx, q); err != nil {
			return fmt.Errorf("%s: %w", q, err)
		}
	}
	return nil
}

// my runs statements in the shop.
func (s *servers) my(ctx context.Context, statements ...string) error {
	db, err := sql.Open("mysql", s.myDSN)
	if err != nil {
		return err
	}
	defer db.Close()
	for _, q := range statements {
		if _, err := db.ExecContext(ctx, q); err != nil {
			return fmt.Errorf("%s: %w", q, err)
		}
	}
	return nil
}

// dropSlots removes what a finished pipeline left in PostgreSQL, so that it does not hold WAL back.
func (s *servers) dropSlots(ctx context.Context) error {
	return s.pg(ctx,
		"SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active AND slot_name LIKE 'shelfstream%'",
		"DO $$ DECLARE p text; BEGIN FOR p IN SELECT pubname FROM pg_publication WHERE pubname LIKE 'shelfstream%' LOOP EXECUTE format('DROP PUBLICATION %I', p); END LOOP; END $$")
}
