package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// closeTimeout bounds the farewell to the server; the connection is gone after it in any case.
const closeTimeout = 2 * time.Second

// closeSQL closes a connection, also when the work's context has ended. Closing twice does nothing.
func closeSQL(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	_ = conn.Close(ctx) // nothing depends on it any more
}

// closeReplication is closeSQL for a replication connection.
func closeReplication(conn *pgconn.PgConn) {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	_ = conn.Close(ctx) // nothing depends on it any more
}
