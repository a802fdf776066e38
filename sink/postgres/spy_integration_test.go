//go:build integration

package postgres

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"shelfstream/sink"
	"shelfstream/sink/table"
)

// spy is a pool that sees the packets with which sessions commit. One goroutine uses what it keeps.
type spy struct {
	*pool
	packet []byte       // the newest
	before func() error // its error is given instead of sending
	after  error        // given though the packet was executed
}

type spyConn struct {
	table.Conn
	s *spy
}

func (s *spy) Get(ctx context.Context) (table.Conn, error) {
	c, err := s.pool.Get(ctx)
	if err != nil {
		return nil, err
	}
	return spyConn{c, s}, nil
}

func (c spyConn) Exec(ctx context.Context, statements []byte) error {
	if !strings.Contains(string(statements), "next_offset = CASE") {
		return c.Conn.Exec(ctx, statements)
	}
	c.s.packet = bytes.Clone(statements)
	if c.s.before != nil {
		return c.s.before()
	}
	if err := c.Conn.Exec(ctx, statements); err != nil {
		return err
	}
	return c.s.after
}

// spied opens a checked target whose packets can be seen.
func spied(t *testing.T, cfg Config, views ...sink.View) (*Target, *spy) {
	t.Helper()
	p, name, err := newPool(cfg.DSN, "shop")
	if err != nil {
		t.Fatal(err)
	}
	s := &spy{pool: p}
	tg := table.Open(*cfg.tables(), newDialect("it", "shop"), s, table.Options{Sink: "shop", Database: name})
	t.Cleanup(func() { tg.Close() })
	if faults, err := tg.Check(t.Context(), views); err != nil || len(faults) > 0 {
		t.Fatalf("Check: %v %v", faults, err)
	}
	return tg, s
}
