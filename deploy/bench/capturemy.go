package main

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"

	"shelfstream/schemas"
)

// captureMy runs a case on MariaDB, whose table the cases before it may have changed or emptied.
func (b *bench) captureMy(ctx context.Context, run func(context.Context, captured) error) error {
	if err := b.servers.loadMy(ctx, b.rows); err != nil {
		return err
	}
	// The servers of the peers run with the stock setting, with which a table's names and signs are not in the log.
	if err := b.servers.my(ctx, "SET GLOBAL binlog_row_metadata = 'FULL'"); err != nil {
		return err
	}
	return run(ctx, b.mariadb())
}

// mariadb is MariaDB with its binlog.
func (b *bench) mariadb() captured {
	d := captured{
		kind: "my", connector: "mysql", dsn: "SHOP_DSN", update: b.updatesMy, after: func(context.Context) error { return nil },
		dumpName: "the client's SELECT *, unbuffered", drainName: "mariadb-binlog copying the log raw",
	}
	d.dump = func(ctx context.Context) (time.Duration, error) {
		return b.client(ctx, "mariadb", "--quick", "--batch", "-e", "SELECT * FROM products", b.servers.myName())
	}
	d.drain = func(ctx context.Context) (func(context.Context) (time.Duration, error), error) {
		file, at, err := b.binlogEnd(ctx)
		return func(ctx context.Context) (time.Duration, error) {
			return b.client(ctx, "mariadb-binlog", "--read-from-remote-server", "--to-last-log", "--base64-output=never", fmt.Sprintf("--start-position=%d", at), file)
		}, err
	}
	// Nothing but the case writes, so what the log has at a moment is the server's GTID then; a checkpoint's position begins with one for each domain.
	d.end = func(ctx context.Context) (func(*schemas.Checkpoint) (bool, error), error) {
		var gtid string
		err := b.servers.myRow(ctx, "SELECT @@gtid_binlog_pos", &gtid)
		return func(c *schemas.Checkpoint) (bool, error) { return strings.Contains(c.Position, gtid), nil }, err
	}
	return d
}

// client runs one of the server's own programs and throws away what it prints.
func (b *bench) client(ctx context.Context, program string, args ...string) (time.Duration, error) {
	dsn, err := mysql.ParseDSN(b.servers.myDSN)
	if err != nil {
		return 0, err
	}
	host, port, _ := strings.Cut(dsn.Addr, ":")
	cmd := exec.CommandContext(ctx, program, append([]string{"--no-defaults", "-h", host, "-P", port, "-u", dsn.User, "--protocol=tcp"}, args...)...)
	cmd.Env = append(cmd.Environ(), "MYSQL_PWD="+dsn.Passwd)
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = io.Discard, &said
	start := time.Now()
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("%s: %w\n%s", program, err, said.String())
	}
	return time.Since(start), nil
}

func (b *bench) binlogEnd(ctx context.Context) (file string, at uint64, err error) {
	var do, ignore string
	err = b.servers.myRow(ctx, "SHOW MASTER STATUS", &file, &at, &do, &ignore)
	return file, at, err
}

// updatesMy changes n rows, 100 a transaction.
func (b *bench) updatesMy(ctx context.Context, n, mark int) error {
	db, err := sql.Open("mysql", b.servers.myDSN)
	if err != nil {
		return err
	}
	defer db.Close()
	for i := range n / 100 {
		from := (i * 100 * 7) % (b.rows - 100)
		if _, err := db.ExecContext(ctx, "UPDATE products SET stock = ?, updated_at = now(6) WHERE id > ? AND id <= ?", mark, from, from+100); err != nil {
			return fmt.Errorf("update: %w", err)
		}
	}
	return nil
}

// myName is the shop's database.
func (s *servers) myName() string {
	dsn, err := mysql.ParseDSN(s.myDSN)
	if err != nil {
		return ""
	}
	return dsn.DBName
}

// myRow reads one row from the shop's server.
func (s *servers) myRow(ctx context.Context, query string, into ...any) error {
	db, err := sql.Open("mysql", s.myDSN)
	if err != nil {
		return err
	}
	defer db.Close()
	if err := db.QueryRowContext(ctx, query).Scan(into...); err != nil {
		return fmt.Errorf("%s: %w", query, err)
	}
	return nil
}

const myProducts = `CREATE TABLE products (id bigint PRIMARY KEY, sku varchar(64) NOT NULL, name varchar(255) NOT NULL, descr text, price decimal(12,2) NOT NULL,
	stock int NOT NULL, vat_code smallint NOT NULL, updated_at datetime(6) NOT NULL, blocked tinyint(1) NOT NULL) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4`

// loadMy sees to it that products is in MariaDB, with as many rows as in PostgreSQL.
func (s *servers) loadMy(ctx context.Context, rows int) error {
	var there int
	if err := s.myRow(ctx, "SELECT count(*) FROM information_schema.tables WHERE table_schema = database() AND table_name = 'products'", &there); err != nil {
		return err
	}
	if there > 0 {
		var n int
		if err := s.myRow(ctx, "SELECT count(*) FROM products", &n); err != nil || n == rows {
			return err
		}
	}
	say("loading %d products into MariaDB", rows)
	return s.my(ctx, "DROP TABLE IF EXISTS products", myProducts, fmt.Sprintf(`INSERT INTO products SELECT seq, concat('SKU-', lpad(seq, 9, '0')), concat('Artikel ', seq, ' Größe ', seq %% 50),
		concat(repeat(md5(seq), 3), left(md5(seq + 1), 24)), (seq %% 99000 + 99) / 100, seq %% 1000, seq %% 3 + 1, '2026-01-01' + INTERVAL seq %% 86400 SECOND, seq %% 97 = 0 FROM seq_1_to_%d`, rows))
}
