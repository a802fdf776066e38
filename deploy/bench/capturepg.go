package main

import (
	"context"
	"fmt"
	"os/exec"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"

	"shelfstream/schemas"
)

// postgres is PostgreSQL with pgoutput.
func (b *bench) postgres() captured {
	return captured{
		kind: "pg", connector: "postgres", dsn: "ERP_DSN", after: b.servers.dropSlots, update: b.updates,
		dump: b.copyOut, dumpName: "COPY out",
		drain: func(ctx context.Context) (func(context.Context) (time.Duration, error), error) {
			return b.receive, b.servers.pg(ctx, "DROP PUBLICATION IF EXISTS benchrecv", "CREATE PUBLICATION benchrecv FOR TABLE products",
				"SELECT pg_create_logical_replication_slot('benchrecv', 'pgoutput')")
		},
		drainName: "pg_recvlogical with pgoutput to /dev/null",
		end: func(ctx context.Context) (func(*schemas.Checkpoint) (bool, error), error) {
			to, err := b.walEnd(ctx)
			return func(c *schemas.Checkpoint) (bool, error) {
				at, err := pglogrepl.ParseLSN(c.Position)
				return at >= to, err
			}, err
		},
	}
}

func (b *bench) copyOut(ctx context.Context) (time.Duration, error) {
	start := time.Now()
	cmd := exec.CommandContext(ctx, b.servers.pgBin+"/psql", "-q", "-d", b.servers.pgDSN, "-c", `\copy products to '/dev/null' (format binary)`)
	if out, err := cmd.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("copy out: %w\n%s", err, out)
	}
	return time.Since(start), nil
}

// updates changes n rows, 100 a transaction.
func (b *bench) updates(ctx context.Context, n, mark int) error {
	c, err := pgx.Connect(ctx, b.servers.pgDSN)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer c.Close(ctx)
	for i := range n / 100 {
		from := (i * 100 * 7) % (b.rows - 100)
		if _, err := c.Exec(ctx, "UPDATE products SET stock = $1, updated_at = clock_timestamp() WHERE id > $2 AND id <= $2 + 100", mark, from); err != nil {
			return fmt.Errorf("update: %w", err)
		}
	}
	return nil
}

func (b *bench) walEnd(ctx context.Context) (pglogrepl.LSN, error) {
	c, err := pgx.Connect(ctx, b.servers.pgDSN)
	if err != nil {
		return 0, fmt.Errorf("connect: %w", err)
	}
	defer c.Close(ctx)
	var text string
	if err := c.QueryRow(ctx, "SELECT pg_current_wal_lsn()::text").Scan(&text); err != nil {
		return 0, err
	}
	return pglogrepl.ParseLSN(text)
}

// receive drains the slot benchrecv with PostgreSQL's own client.
func (b *bench) receive(ctx context.Context) (time.Duration, error) {
	to, err := b.walEnd(ctx)
	if err != nil {
		return 0, err
	}
	start := time.Now()
	cmd := exec.CommandContext(ctx, b.servers.pgBin+"/pg_recvlogical", "-d", b.servers.pgDSN, "-S", "benchrecv", "--start", "-F", "0", "--endpos", to.String(),
		"-o", "proto_version=1", "-o", "publication_names=benchrecv", "-f", "/dev/null")
	if out, err := cmd.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("pg_recvlogical: %w\n%s", err, out)
	}
	d := time.Since(start)
	return d, b.servers.pg(ctx, "SELECT pg_drop_replication_slot('benchrecv')", "DROP PUBLICATION benchrecv")
}
