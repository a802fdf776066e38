package rest

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"shelfstream/internal/fault"
)

// mostAnswer bounds what is read of an answer.
const mostAnswer = 16 << 20

// request is one call, rendered.
type request struct {
	method, path string
	headers      [][2]string
	body         []byte
	contentType  string
	key          string // of idempotency; "" for none
	keyHeader    string
}

// reply is what came back, whole.
type reply struct {
	status int
	text   string // "409 Conflict"
	body   []byte
	after  time.Duration // Retry-After; 0: not asked for
}

// caller makes calls to one address. Several goroutines may use it.
type caller struct {
	base    string
	fixed   map[string]string
	timeout time.Duration
	client  *http.Client
	auth    *authorizer
	limit   *limiter
}

func newClient(cfg *TLS, path func(string) string) (*http.Client, error) {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = 16
	if cfg != nil {
		c, err := cfg.load(path)
		if err != nil {
			return nil, err
		}
		t.TLSClientConfig = c
	}
	// A redirect is not followed: what it leads to was not chosen by whoever wrote the configuration, and a POST would become a GET.
	return &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, nil
}

func (t *TLS) load(path func(string) string) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName, InsecureSkipVerify: t.Insecure} //nolint:gosec // asked for by the user, for tests
	if t.CA != "" {
		pem, err := os.ReadFile(path(t.CA))
		if err != nil {
			return nil, &fault.Fault{Class: fault.Config, Where: "rest.tls.ca", What: "cannot be read", Fix: "name a file with certificates in PEM form", Err: err}
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, &fault.Fault{Class: fault.Config, Where: "rest.tls.ca", What: "has no certificate in it", Fix: "name a file with certificates in PEM form"}
		}
	}
	if t.Cert != "" {
		cert, err := tls.LoadX509KeyPair(path(t.Cert), path(t.Key))
		if err != nil {
			return nil, &fault.Fault{Class: fault.Config, Where: "rest.tls.cert", What: "the certificate and its key cannot be used", Fix: "name two files in PEM form that belong together", Err: err}
		}
		c.Certificates = []tls.Certificate{cert}
	}
	return c, nil
}

// do makes a call and reads the answer, whatever its status; once more with a new token if the old one is refused. until is when it must be over.
func (c *caller) do(ctx context.Context, r *request, until time.Time) (*reply, error) {
	if err := c.limit.wait(ctx); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithDeadlineCause(ctx, until, errTimeout)
	defer cancel()
	for again := true; ; again = false {
		req, err := c.request(ctx, r)
		if err != nil {
			return nil, err
		}
		a, err := c.send(req)
		if err != nil {
			if errors.Is(context.Cause(ctx), errTimeout) {
				err = errTimeout
			}
			return nil, err
		}
		if a.status != http.StatusUnauthorized || !again || !c.auth.refused(req) {
			return a, nil
		}
	}
}

// errTimeout says that a call took too long; what came of it is not known.
var errTimeout error = timeoutError{}

type timeoutError struct{}

func (timeoutError) Error() string { return "no answer in time" }
func (timeoutError) Timeout() bool { return true }

func (c *caller) request(ctx context.Context, r *request) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, r.method, c.address(r.path), bytes.NewReader(r.body))
	if err != nil {
		return nil, &fault.Fault{Class: fault.Runtime, Cause: fault.RestUnrendered, What: "its path gives no address", Fix: "correct 'path'", Err: err}
	}
	if len(r.body) == 0 {
		req.Body, req.GetBody, req.ContentLength = http.NoBody, nil, 0
	} else {
		req.Header.Set("Content-Type", r.contentType)
	}
	req.Header.Set("Accept", "application/json, */*;q=0.5")
	req.Header.Set("User-Agent", "shelfstream")
	for k, v := range c.fixed {
		req.Header.Set(k, v)
	}
	for _, h := range r.headers {
		req.Header.Set(h[0], h[1])
	}
	if r.key != "" {
		// Not in the canonical form: net/http would take a request with an Idempotency-Key for one that it may send again by itself after a lost connection, and
		// whether that is right is what 'lookup' is asked first. Names of headers know no case.
		req.Header[strings.ToLower(r.keyHeader)] = []string{r.key}
	}
	if err := c.auth.authorize(ctx, req); err != nil {
		return nil, &tokenError{err}
	}
	return req, nil
}

// tokenError says that no token was to be had, so that the call was not made.
type tokenError struct{ err error }

func (e *tokenError) Error() string { return "get a token: " + e.err.Error() }
func (e *tokenError) Unwrap() error { return e.err }

func (c *caller) address(path string) string {
	if path == "" {
		return c.base
	}
	return strings.TrimSuffix(c.base, "/") + "/" + strings.TrimPrefix(path, "/")
}

func (c *caller) send(req *http.Request) (*reply, error) {
	res, err := c.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	a := &reply{status: res.StatusCode, text: res.Status, after: retryAfter(res.Header.Get("Retry-After"), time.Now())}
	if a.body, err = io.ReadAll(io.LimitReader(res.Body, mostAnswer+1)); err != nil {
		return nil, fmt.Errorf("the answer %s broke off: %w", res.Status, err)
	}
	if len(a.body) > mostAnswer {
		return nil, fmt.Errorf("the answer %s is longer than %d MiB", res.Status, mostAnswer>>20)
	}
	return a, nil
}
