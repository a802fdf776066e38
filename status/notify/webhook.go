package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/internal/retry"
	"shelfstream/status/escalate"
)

// WebhookConfig is an address that takes JSON.
type WebhookConfig struct {
	Name    string // of the channel
	URL     string // a secret
	Form    string // "json", "slack", "teams", "alertmanager"
	Headers map[string]string
	Timeout time.Duration
	Now     func() time.Time // nil: time.Now
}

// Webhook posts messages. Answers of 200 to 299 mean that a message was taken. A server that asks to be left alone for no longer than the timeout is
// asked once more after that.
type Webhook struct {
	cfg    WebhookConfig
	body   func(to string, m escalate.Message, c *Content, now time.Time) any
	client *http.Client
}

// NewWebhook makes the channel. The error is that of an unknown form.
func NewWebhook(cfg WebhookConfig) (*Webhook, error) {
	w := &Webhook{cfg: cfg}
	if w.cfg.Now == nil {
		w.cfg.Now = time.Now
	}
	switch cfg.Form {
	case "json", "":
		w.body = func(to string, m escalate.Message, c *Content, _ time.Time) any { return payload(to, m, c) }
	case "slack":
		w.body = func(to string, m escalate.Message, c *Content, _ time.Time) any { return slack(to, m, c) }
	case "teams":
		w.body = func(_ string, m escalate.Message, c *Content, _ time.Time) any { return teams(m, c) }
	case "alertmanager":
		w.body = func(_ string, _ escalate.Message, c *Content, now time.Time) any { return alerts(c, now) }
	default:
		return nil, &fault.Fault{Class: fault.Config, Where: "channel " + cfg.Name, What: fmt.Sprintf("there is no form %q", cfg.Form), Fix: "write json, slack, teams or alertmanager"}
	}
	// A redirect is not followed: what it leads to was not chosen by whoever wrote the configuration, and headers with secrets would go there.
	w.client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return w, nil
}

var _ Channel = (*Webhook)(nil)

// Kind is "webhook".
func (*Webhook) Kind() string { return "webhook" }

// Send posts one message.
func (s *Webhook) Send(ctx context.Context, to string, m escalate.Message, c Content) (int64, error) {
	body, err := encode(s.body(to, m, &c, s.cfg.Now()))
	if err != nil {
		return 0, s.fault(fault.ChannelRefused, "the message cannot be written as JSON", err, "")
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	n, err := s.post(ctx, body)
	var l *later
	if errors.As(err, &l) && l.after < s.cfg.Timeout/2 && retry.Sleep(ctx, l.after) == nil {
		n, err = s.post(ctx, body)
	}
	return n, err
}

// encode writes JSON as it reads best: < and & stay as they are.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return b.Bytes(), err
}

func (s *Webhook) post(ctx context.Context, body []byte) (int64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.cfg.URL, bytes.NewReader(body))
	if err != nil {
		return 0, s.fault(fault.ChannelRefused, "this is no web address", nil, "correct 'url' of the channel")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "shelfstream")
	for k, v := range s.cfg.Headers {
		req.Header.Set(k, v)
	}
	res, err := s.client.Do(req)
	if err != nil {
		return 0, s.unreachable(err)
	}
	defer res.Body.Close()
	said, err := io.ReadAll(io.LimitReader(res.Body, 500))
	if res.StatusCode/100 == 2 {
		return int64(len(body)), nil
	}
	if err != nil && len(said) == 0 {
		said = []byte(err.Error())
	}
	return 0, s.refused(res, oneLine(strings.ToValidUTF8(string(said), "")))
}

func (s *Webhook) refused(res *http.Response, said string) error {
	var inner error
	if said != "" {
		inner = errors.New(said)
	}
	what := "the server answers " + res.Status
	wait := retryAfter(res.Header.Get("Retry-After"), s.cfg.Now())
	switch {
	case res.StatusCode == http.StatusTooManyRequests:
		return &later{max(wait, time.Second), s.fault(fault.ChannelThrottled, what, inner, "nothing, it is tried again by itself; or send it fewer messages with alerts.throttle")}
	case res.StatusCode >= 500 || res.StatusCode == http.StatusRequestTimeout:
		err := s.fault(fault.ChannelBusy, what, inner, "nothing if it passes; else ask who runs the server")
		if wait > 0 {
			return &later{wait, err}
		}
		return err
	case res.StatusCode == http.StatusUnauthorized || res.StatusCode == http.StatusForbidden:
		return s.fault(fault.ChannelLogin, what, inner, "correct 'headers' or 'url' of the channel, or allow it at the server")
	}
	return s.fault(fault.ChannelRefused, what, inner, "correct 'url' and 'form' of the channel: the address of a webhook is often withdrawn when its maker leaves")
}

// retryAfter reads seconds or a date (RFC 9110, 10.2.3); 0 if it is neither.
func retryAfter(text string, now time.Time) time.Duration {
	if n, err := strconv.Atoi(text); err == nil && n > 0 {
		return time.Duration(min(n, 24*3600)) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil && at.After(now) {
		return min(at.Sub(now), 24*time.Hour)
	}
	return 0
}

// unreachable leaves the address out of the sentence: it may be a secret.
func (s *Webhook) unreachable(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	var network net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &network) && network.Timeout() {
		return s.fault(fault.ChannelTimeout, "the server did not answer in "+s.cfg.Timeout.String(), nil, "look for what slows it down, or give it more time with 'timeout'; a firewall may swallow the connection")
	}
	return s.fault(fault.ChannelUnreachable, "the server does not answer, or broke off", err, "start the server, or correct the address of the channel")
}

func (s *Webhook) fault(cause fault.Cause, what string, err error, fix string) error {
	where := "channel " + s.cfg.Name
	if u, errURL := url.Parse(s.cfg.URL); errURL == nil && u.Host != "" {
		where += ": " + u.Scheme + "://" + u.Host // the path is the secret part
	}
	return &fault.Fault{Class: fault.Environment, Cause: cause, Where: where, What: what, Err: err, Fix: fix}
}
