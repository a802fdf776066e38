package postgres

import (
	"context"
	"maps"
	"net"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"shelfstream/sink/table"
)

// sessionParams are those of each connection, whatever the server's, the role's and the address' are. UTC and ISO, so that times are what was written; READ COMMITTED, so that a
// worker waits for another's row instead of failing; an error rather than rows silently left out by a policy. A connection that is idle in a transaction (its process
// stopped, its network gone) is closed by the server, which frees the partition's row for the next owner.
var sessionParams = map[string]string{
	"client_encoding":                     "UTF8",
	"datestyle":                           "ISO, YMD",
	"intervalstyle":                       "postgres",
	"timezone":                            "UTC",
	"extra_float_digits":                  "3",
	"bytea_output":                        "hex",
	"standard_conforming_strings":         "on",
	"row_security":                        "off",
	"default_transaction_isolation":       "read committed",
	"default_transaction_read_only":       "off",
	"default_transaction_deferrable":      "off",
	"lock_timeout":                        "10s", // ALTER TABLE and LOCK TABLE of others; without it nobody would know why nothing moves
	"statement_timeout":                   "120s",
	"idle_in_transaction_session_timeout": "60s",
}

const (
	connectTimeout = 10 * time.Second
	// maxIdle is how many connections are kept, idleTime for how long.
	maxIdle  = 8
	idleTime = 50 * time.Second
	// restTime is after how long it is asked whether it still answers.
	restTime = time.Second
)

// pool keeps idle connections. It has no upper bound: as many are open as there are workers.
type pool struct {
	cfg *pgconn.Config

	mu     sync.Mutex
	idle   []*conn // newest last
	epoch  int     // of Reset
	closed bool
}

var (
	_ table.Pool   = (*pool)(nil)
	_ table.Loader = (*conn)(nil)
)

func newPool(dsn, sinkName string) (_ *pool, database string, err error) {
	c, err := pgconn.ParseConfig(dsn)
	if err != nil {
		return nil, "", err
	}
	maps.Copy(c.RuntimeParams, sessionParams)
	c.RuntimeParams["application_name"] = "shelfstream " + sinkName
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = connectTimeout
	}
	c.OnNotice = nil
	dialer := &net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 4}}
	c.DialFunc = dialer.DialContext
	return &pool{cfg: c}, c.Database, nil
}

// Get implements table.Pool.
func (p *pool) Get(ctx context.Context) (table.Conn, error) {
	for {
		p.mu.Lock()
		var c *conn
		if n := len(p.idle); n > 0 {
			c, p.idle = p.idle[n-1], p.idle[:n-1]
		}
		epoch := p.epoch
		p.mu.Unlock()
		if c == nil {
			pg, err := pgconn.ConnectConfig(ctx, p.cfg)
			if err != nil {
				return nil, err
			}
			return &conn{pg: pg, pool: p, epoch: epoch, staged: map[string]bool{}}, nil
		}
		if rest := time.Since(c.since); rest < restTime || rest < idleTime && c.pg.Ping(ctx) == nil {
			return c, nil
		}
		c.close()
	}
}

func (p *pool) release(c *conn, broken bool) {
	broken = broken || c.pg.IsClosed() || c.pg.TxStatus() != 'I'
	p.mu.Lock()
	keep := !broken && c.epoch == p.epoch && !p.closed && len(p.idle) < maxIdle
	if keep {
		c.since = time.Now()
		p.idle = append(p.idle, c)
	}
	p.mu.Unlock()
	if !keep {
		c.close()
	}
}

// Reset implements table.Pool.
func (p *pool) Reset() {
	p.mu.Lock()
	p.epoch++
	idle := p.idle
	p.idle = nil
	p.mu.Unlock()
	for _, c := range idle {
		c.close()
	}
}

// Close implements table.Pool.
func (p *pool) Close() error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.Reset()
	return nil
}
