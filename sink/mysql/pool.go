package mysql

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"slices"
	"time"
	"unsafe"

	"shelfstream/sink/table"
)

const idleConns = 8

// pool is database/sql's.
type pool struct{ db *sql.DB }

var _ table.Pool = (*pool)(nil)

func newPool(c *connector) *pool {
	db := sql.OpenDB(c)
	db.SetMaxIdleConns(idleConns)
	db.SetConnMaxIdleTime(50 * time.Second) // the server closes them after 60
	return &pool{db: db}
}

// Get implements table.Pool.
func (p *pool) Get(ctx context.Context) (table.Conn, error) {
	c, err := p.db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	return &conn{c: c}, nil
}

// Reset implements table.Pool.
func (p *pool) Reset() {
	p.db.SetMaxIdleConns(-1)
	p.db.SetMaxIdleConns(idleConns)
}

// Close implements table.Pool.
func (p *pool) Close() error { return p.db.Close() }

// conn is one connection. Statements without arguments go by the text protocol.
type conn struct {
	c    *sql.Conn
	vals []sql.RawBytes
	dest []any
	out  [][]byte
}

// packetText is the statements as a string without a copy; the driver copies them before it returns.
func packetText(packet []byte) string { return unsafe.String(unsafe.SliceData(packet), len(packet)) }

// Exec implements table.Conn.
func (c *conn) Exec(ctx context.Context, statements []byte) error {
	_, err := c.c.ExecContext(ctx, packetText(statements))
	return err
}

// Query implements table.Conn.
func (c *conn) Query(ctx context.Context, statements []byte, row func(vals [][]byte) error) error {
	rows, err := c.c.QueryContext(ctx, packetText(statements))
	if err != nil {
		return err
	}
	defer rows.Close()
	for {
		columns, err := rows.Columns()
		if err != nil {
			return err
		}
		c.vals = slices.Grow(c.vals[:0], len(columns))[:len(columns)]
		c.dest, c.out = c.dest[:0], slices.Grow(c.out[:0], len(columns))[:len(columns)]
		for i := range c.vals {
			c.dest = append(c.dest, &c.vals[i])
		}
		for rows.Next() {
			if err := rows.Scan(c.dest...); err != nil {
				return err
			}
			for i, v := range c.vals {
				c.out[i] = v
			}
			if err := row(c.out); err != nil {
				return err
			}
		}
		if err := rows.Err(); err != nil {
			return err
		}
		if !rows.NextResultSet() {
			return rows.Err()
		}
	}
}

// Release implements table.Conn.
func (c *conn) Release(broken bool) {
	if broken {
		// The error is the very ErrBadConn that makes the pool drop the connection.
		_ = c.c.Raw(func(any) error { return driver.ErrBadConn })
	}
	_ = c.c.Close() // it is given back either way
}
