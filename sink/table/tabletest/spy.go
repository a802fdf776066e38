package tabletest

import (
	"bytes"
	"context"
	"errors"
	"strings"

	"shelfstream/sink"
	"shelfstream/sink/table"
)

// errBroken is what a connection says that is lost.
var errBroken = errors.New("the connection is broken")

// spy is a pool that sees the packets with which sessions commit. One goroutine uses what it keeps.
type spy struct {
	table.Pool
	packet []byte // the newest
	before error  // given instead of sending
	after  error  // given though the packet was executed
}

type spyConn struct {
	table.Conn
	s *spy
}

func (s *spy) Get(ctx context.Context) (table.Conn, error) {
	c, err := s.Pool.Get(ctx)
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
		return c.s.before
	}
	if err := c.Conn.Exec(ctx, statements); err != nil {
		return err
	}
	return c.s.after
}

// spied opens a checked target whose packets can be seen.
func (d *Database) spied(tables Tables, views ...sink.View) (*table.Target, *spy) {
	d.T.Helper()
	p, name, err := d.kit.Pool(d.DSN)
	if err != nil {
		d.T.Fatal(err)
	}
	s := &spy{Pool: p}
	dialect := d.kit.Dialect()
	tg := table.Open(table.Config{Section: dialect.Section, Tables: tables}, dialect, s, table.Options{Sink: "shop", Database: name})
	return d.checked(d.opened(tg, nil), views), s
}
