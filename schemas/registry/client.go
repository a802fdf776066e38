package registry

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/sr"

	"shelfstream/internal/fault"
	"shelfstream/schemas"
)

// ErrNotFound says that the registry answers and has no such subject or id; find it with errors.Is.
var ErrNotFound = errors.New("not in the registry")

// Client reads and registers schemas. What it once learnt it does not ask again: ids and schemas never change. It may be
// used by any number of goroutines.
//
// While the registry cannot be reached or answers with a server error, calls are repeated with growing pauses until the limit
// given by WithRetry; then, and at once for all other errors, they return a *fault.Fault that names the registry and the remedy.
type Client struct {
	where   string // the address without secrets
	api     *sr.Client
	invalid error // why the address cannot be used; told by the first call
	limit   time.Duration
	log     *slog.Logger
	silent  atomic.Pointer[fault.Fault] // nil while it answers

	mu      sync.Mutex
	ids     map[subjectSchema]int32
	schemas map[int32]string
}

type subjectSchema struct{ subject, schema string }

type options struct {
	user, password string
	auth           bool
	tls            *tls.Config
	limit          time.Duration
	timeout        time.Duration
	log            *slog.Logger
}

// Option sets something about a Client.
type Option func(*options)

// WithBasicAuth sends a user and a password with each request; they may also stand in the address.
func WithBasicAuth(user, password string) Option {
	return func(o *options) { o.user, o.password, o.auth = user, password, true }
}

// WithTLS sets what https connections trust and show.
func WithTLS(cfg *tls.Config) Option { return func(o *options) { o.tls = cfg } }

// WithRetry sets for how long a call is repeated while the registry cannot be reached (default 30 s; 0: one attempt; negative:
// until the call's context ends).
func WithRetry(limit time.Duration) Option { return func(o *options) { o.limit = limit } }

// WithTimeout bounds a single request (default 10 s).
func WithTimeout(d time.Duration) Option { return func(o *options) { o.timeout = d } }

// WithLogger has the first failure and the recovery of a repeated call logged.
func WithLogger(l *slog.Logger) Option { return func(o *options) { o.log = l } }

// NewClient makes a client of the registry at an address such as "http://registry:8081"; several addresses of one registry are
// separated by commas. It connects nowhere yet; an address that cannot be used is reported by the first call.
func NewClient(address string, opts ...Option) *Client {
	o := options{limit: 30 * time.Second, timeout: 10 * time.Second, log: slog.New(slog.DiscardHandler)}
	for _, opt := range opts {
		opt(&o)
	}
	c := &Client{limit: o.limit, log: o.log, ids: map[subjectSchema]int32{}, schemas: map[int32]string{}}
	urls := strings.Split(address, ",")
	for i := range urls {
		u, err := url.Parse(strings.TrimSpace(urls[i]))
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			// url.Parse's error repeats the address with its password.
			c.invalid = errors.New("the address is not of the form http://host:port or https://host:port")
			continue
		}
		if u.User != nil {
			o.user = u.User.Username()
			o.password, _ = u.User.Password()
			o.auth = true
			u.User = nil
		}
		urls[i] = u.String()
	}
	c.where = "schema registry"
	if c.invalid != nil {
		return c
	}
	c.where += " " + strings.Join(urls, ",")
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = o.tls
	api := []sr.ClientOpt{
		sr.URLs(urls...),
		sr.UserAgent("shelfstream"),
		sr.HTTPClient(&http.Client{Transport: transport, Timeout: o.timeout}),
	}
	if o.auth {
		api = append(api, sr.BasicAuth(o.user, o.password))
	}
	c.api, c.invalid = sr.NewClient(api...)
	return c
}

// Register gives the id of a schema under a subject, and registers it where it is not. A subject that this call makes gets
// compatibility NONE first: a column that the ERP drops must not stop its table. Idempotent.
func (c *Client) Register(ctx context.Context, subject, schema string) (int32, error) {
	key := subjectSchema{subject, schema}
	c.mu.Lock()
	id, known := c.ids[key]
	c.mu.Unlock()
	if known {
		return id, nil
	}
	err := c.do(ctx, "register a schema of "+subject, func(ctx context.Context) error {
		if _, err := c.api.SubjectVersions(ctx, subject); code(err) == codeSubjectNotFound {
			results := c.api.SetCompatibility(ctx, sr.SetCompatibility{Level: sr.CompatNone}, subject)
			for _, r := range results {
				if r.Err != nil {
					return fmt.Errorf("set compatibility NONE: %w", r.Err)
				}
			}
		} else if err != nil {
			return err
		}
		n, err := c.api.RegisterSchema(ctx, subject, sr.Schema{Schema: schema}, -1, -1)
		id = int32(n)
		return err
	})
	if err != nil {
		return 0, err
	}
	c.mu.Lock()
	c.ids[key] = id
	c.mu.Unlock()
	return id, nil
}

// Schema gives the schema with an id, as it was registered. ErrNotFound if there is none.
func (c *Client) Schema(ctx context.Context, id int32) (string, error) {
	c.mu.Lock()
	schema, known := c.schemas[id]
	c.mu.Unlock()
	if known {
		return schema, nil
	}
	err := c.do(ctx, fmt.Sprintf("read schema %d", id), func(ctx context.Context) error {
		s, err := c.api.SchemaByID(ctx, int(id))
		schema = s.Schema
		return err
	})
	if err != nil {
		return "", err
	}
	c.mu.Lock()
	c.schemas[id] = schema
	c.mu.Unlock()
	return schema, nil
}

// Latest gives the newest schema of a subject. ErrNotFound if there is no such subject. Never from the cache.
func (c *Client) Latest(ctx context.Context, subject string) (id int32, schema string, err error) {
	err = c.do(ctx, "read the newest schema of "+subject, func(ctx context.Context) error {
		s, err := c.api.SchemaByVersion(ctx, subject, -1)
		id, schema = int32(s.ID), s.Schema.Schema
		return err
	})
	if err != nil {
		return 0, "", err
	}
	c.mu.Lock()
	c.schemas[id] = schema
	c.mu.Unlock()
	return id, schema, nil
}

// Table gives the newest shape of a topic's records, from the newest schemas of its keys and values. ErrNotFound if nothing was
// written to the topic yet.
func (c *Client) Table(ctx context.Context, topic string) (*schemas.Table, error) {
	_, key, err := c.Latest(ctx, topic+"-key")
	if err != nil {
		return nil, err
	}
	_, value, err := c.Latest(ctx, topic+"-value")
	if err != nil {
		return nil, err
	}
	t, err := schemas.ParseTable(topic, key, value)
	if err != nil {
		return nil, &fault.Fault{
			Cause: fault.RegistryForeign, Where: c.where, What: "the schemas of topic " + topic + " cannot be read as a table", Err: err,
			Fix: "look at them with GET /subjects/" + topic + "-value/versions/latest and -key; one that another program registered goes with DELETE in place of GET; a topic that another program writes needs a table shape listed in the documentation of package schemas",
		}
	}
	return t, nil
}

// code is Confluent's error code in err; 0 if err is nil or something else.
func code(err error) int {
	var e *sr.ResponseError
	if errors.As(err, &e) {
		return e.ErrorCode
	}
	return 0
}
