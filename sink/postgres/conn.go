package postgres

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"
	"unsafe"

	"github.com/jackc/pgx/v5/pgconn"

	"shelfstream/sink/table"
)

// conn is one connection. Everything goes by the simple protocol: a packet of statements is one message, and values are the server's text.
type conn struct {
	pg     *pgconn.PgConn
	pool   *pool
	epoch  int
	since  time.Time
	staged map[string]bool // temporary tables that exist
}

// text is the statements without a copy; pgconn copies them before Exec returns.
func text(statements []byte) string {
	return unsafe.String(unsafe.SliceData(statements), len(statements))
}

// Exec implements table.Conn.
func (c *conn) Exec(ctx context.Context, statements []byte) error {
	return c.Query(ctx, statements, func([][]byte) error { return nil })
}

// Query implements table.Conn.
func (c *conn) Query(ctx context.Context, statements []byte, row func(vals [][]byte) error) error {
	r := c.pg.Exec(ctx, text(statements))
	var own error
	for r.NextResult() {
		rows := r.ResultReader()
		for rows.NextRow() {
			if own == nil {
				own = row(rows.Values())
			}
		}
		if _, err := rows.Close(); err != nil {
			break // Close says it too
		}
	}
	if err := r.Close(); err != nil {
		return err
	}
	return own
}

// Release implements table.Conn.
func (c *conn) Release(broken bool) { c.pool.release(c, broken) }

// close ends the connection; the server rolls back what is open.
func (c *conn) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = c.pg.Close(ctx) // it is given up either way
}

// Load implements table.Loader. The temporary tables are made before the transaction, so that rolling back does not take them away. Nobody else waits for anything until the packet that
// follows, so a worker that is stopped in the middle of COPY keeps nobody out.
func (c *conn) Load(ctx context.Context, loads []table.Load) ([]string, error) {
	names := make([]string, len(loads))
	for i, l := range loads {
		name := fmt.Sprintf("shelfstream_load_%016x", l.Version)
		names[i] = `pg_temp."` + name + `"`
		if !c.staged[name] {
			ddl := fmt.Sprintf("CREATE TEMPORARY TABLE %q ON COMMIT DELETE ROWS AS SELECT %s FROM %s WITH NO DATA", name, quoteNames(l.Columns), quoteTable(l.Like))
			if err := c.Exec(ctx, []byte(ddl)); err != nil {
				return nil, err
			}
			c.staged[name] = true
		}
	}
	if err := c.Exec(ctx, []byte("START TRANSACTION")); err != nil {
		return nil, err
	}
	for i, l := range loads {
		if _, err := c.pg.CopyFrom(ctx, bytes.NewReader(l.Rows), "COPY "+names[i]+" FROM STDIN"); err != nil {
			return nil, err
		}
	}
	return names, nil
}

func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// quoteTable quotes a table's name, which may have a schema in front.
func quoteTable(name string) string {
	schema, name, ok := strings.Cut(name, ".")
	if !ok {
		return quote(schema)
	}
	return quote(schema) + "." + quote(name)
}

func quoteNames(names []string) string {
	q := make([]string, len(names))
	for i, n := range names {
		q[i] = quote(n)
	}
	return strings.Join(q, ", ")
}
