package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	kgo "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"

	"shelfstream/internal/fault"
	"shelfstream/internal/retry"
)

// Config says how to reach the brokers.
type Config struct {
	Brokers  []string    // host:port of some brokers; the others are found from them
	ClientID string      // shown in the brokers' logs and quotas; "" means "shelfstream"
	TLS      *tls.Config // nil: no TLS
	SASL     *SASL       // nil: no login
	Logger   *slog.Logger
	// Registerer receives the client's metrics; nil keeps none.
	Registerer prometheus.Registerer
}

// SASL is a login by user and password.
type SASL struct {
	Mechanism      string // PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512
	User, Password string
}

// mechanism is kafka-go's form of the login.
func (s *SASL) mechanism() (sasl.Mechanism, error) {
	switch s.Mechanism {
	case "PLAIN":
		return plain.Mechanism{Username: s.User, Password: s.Password}, nil
	case "SCRAM-SHA-256":
		return scram.Mechanism(scram.SHA256, s.User, s.Password)
	case "SCRAM-SHA-512":
		return scram.Mechanism(scram.SHA512, s.User, s.Password)
	}
	return nil, fmt.Errorf("unknown SASL mechanism %q", s.Mechanism)
}

// Client is a connection to one Kafka cluster. Its methods may be called by several goroutines.
type Client struct {
	cfg       Config
	log       *slog.Logger
	metrics   *metrics
	transport *kgo.Transport
	dialer    *kgo.Dialer // for the consumer group, which does not take a Transport
	backoff   retry.Backoff
	meta      metadataCache
	codecs    codecs
	pool      bufPool
	wrap      func(net.Conn) net.Conn // breaks connections in tests; nil otherwise

	stop   context.CancelFunc // ends the transport's background work
	connMu sync.Mutex
	conns  map[net.Conn]struct{} // every open connection; nil once closed
	away   error                 // why the last connection was not made; nil after one that was
}

// Open checks the configuration and returns a client. It does not connect: Ping does.
func Open(cfg Config) (*Client, error) {
	if len(cfg.Brokers) == 0 {
		return nil, &fault.Fault{Class: fault.Config, Where: "log.brokers", What: "no Kafka broker is named", Fix: "name at least one as host:port"}
	}
	for _, b := range cfg.Brokers {
		if _, _, err := net.SplitHostPort(b); err != nil {
			return nil, &fault.Fault{Class: fault.Config, Where: "log.brokers", What: fmt.Sprintf("%q is no broker address", b), Fix: "write it as host:port", Err: err}
		}
	}
	if cfg.ClientID == "" {
		cfg.ClientID = "shelfstream"
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	var mech sasl.Mechanism
	if cfg.SASL != nil {
		var err error
		if mech, err = cfg.SASL.mechanism(); err != nil {
			return nil, &fault.Fault{
				Class: fault.Config, Where: "log.sasl.mechanism", What: "the SASL login cannot be used",
				Fix: "use PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512", Err: err,
			}
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	c := &Client{
		cfg: cfg, log: cfg.Logger, metrics: newMetrics(cfg.Registerer), stop: stop, conns: map[net.Conn]struct{}{},
		backoff: retry.Backoff{Base: 50 * time.Millisecond, Max: 2 * time.Second},
	}
	c.transport = &kgo.Transport{
		Dial: c.dial, DialTimeout: 5 * time.Second, IdleTimeout: 30 * time.Second, ClientID: cfg.ClientID,
		TLS: cfg.TLS, SASL: mech, Context: ctx,
		// The transport polls metadata by itself, of which nothing is needed here but that it succeeds: asked for no topic, seldom.
		MetadataTopics: []string{}, MetadataTTL: 10 * time.Second,
	}
	c.dialer = &kgo.Dialer{ClientID: cfg.ClientID, Timeout: 5 * time.Second, DialFunc: c.dial, TLS: cfg.TLS, SASLMechanism: mech}
	c.meta.init(cfg.Brokers)
	return c, nil
}

// Close ends every connection. Producers, fetchers and groups of the client are closed before it.
func (c *Client) Close() error {
	c.stop()
	c.transport.CloseIdleConnections()
	c.connMu.Lock()
	open := c.conns
	c.conns = nil
	c.connMu.Unlock()
	for conn := range open {
		_ = conn.Close() // already broken ones report that; nobody is left to act on it
	}
	return nil
}

// dial keeps count of the connections, so that Close can end requests that are still waiting for an answer.
func (c *Client) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	d := net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}
	conn, err := d.DialContext(ctx, network, addr)
	if err != nil {
		if ctx.Err() == nil {
			c.connMu.Lock()
			c.away = err
			c.connMu.Unlock()
		}
		return nil, err
	}
	if c.wrap != nil {
		conn = c.wrap(conn)
	}
	t := &trackedConn{Conn: conn, client: c}
	c.connMu.Lock()
	defer c.connMu.Unlock()
	if c.conns == nil {
		_ = conn.Close() // the client was closed meanwhile
		return nil, ErrClosed
	}
	c.conns[t], c.away = struct{}{}, nil
	return t, nil
}

// Fault says that no broker can be reached, for which everything waits; nil as long as a connection to one of them stands.
func (c *Client) Fault() *fault.Fault {
	c.connMu.Lock()
	defer c.connMu.Unlock()
	if c.away == nil || len(c.conns) > 0 {
		return nil
	}
	f, _ := errors.AsType[*fault.Fault](faultFor("kafka "+strings.Join(c.cfg.Brokers, ","), c.away))
	return f
}

type trackedConn struct {
	net.Conn
	client *Client
}

func (t *trackedConn) Close() error {
	t.client.connMu.Lock()
	delete(t.client.conns, t)
	t.client.connMu.Unlock()
	return t.Conn.Close()
}

// Ping asks any broker for the cluster's brokers and then each of those whether it answers.
func (c *Client) Ping(ctx context.Context) error {
	where := "kafka " + strings.Join(c.cfg.Brokers, ",")
	if err := c.refresh(ctx); err != nil {
		return faultFor(where, err)
	}
	for id, addr := range c.meta.brokers() {
		if err := c.probe(ctx, addr); err != nil {
			return faultFor(fmt.Sprintf("kafka broker %d at %s", id, addr), err)
		}
	}
	return nil
}

// retrying repeats fn while its error is transient, until ctx ends, and says so in the log once. Where ctx ends in the middle of a try, the error is that of the try
// before, which says what is wrong.
func (c *Client) retrying(ctx context.Context, what string, fn func(context.Context) error) error {
	warned := false
	var before error
	err := c.backoff.Do(ctx, fn, func(err error) bool {
		if !transient(err) {
			return false
		}
		if ctx.Err() == nil {
			before = err
		}
		if !warned && ctx.Err() == nil {
			warned = true
			c.log.Warn("kafka: retrying", "operation", what, "error", err)
		}
		return true
	})
	if before != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		err = before
	}
	if err != nil && ctx.Err() != nil && !errors.Is(err, ctx.Err()) {
		return fmt.Errorf("%w: %w", ctx.Err(), faultFor(what, err))
	}
	if err != nil {
		return faultFor(what, err)
	}
	return nil
}
