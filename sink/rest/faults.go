package rest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/oauth2"

	"shelfstream/internal/fault"
)

// later is a fault whose other side said when to come back.
type later struct {
	after time.Duration
	err   *fault.Fault
}

func (l *later) Error() string             { return l.err.Error() }
func (l *later) Unwrap() error             { return l.err }
func (l *later) RetryAfter() time.Duration { return l.after }

// verdict is what an answer means for the records of a call.
type verdict uint8

const (
	taken     verdict = iota
	refused           // these records, by themselves: another try without a change is in vain
	tooLarge          // for one call
	failed            // something broke at the other side over it: it may be these records, or everything
	everybody         // nothing happened: everybody is to wait
	unknown           // no answer, or a gateway's that had none: it may have happened
)

// judge says what an answer's status means. fixed: the call's path is the same for all records.
func judge(status int, fixed bool) verdict {
	switch {
	case status >= 200 && status < 300:
		return taken
	case status == http.StatusRequestEntityTooLarge:
		return tooLarge
	case status == http.StatusTooManyRequests, status == http.StatusUnauthorized, status == http.StatusForbidden,
		status == http.StatusServiceUnavailable, status == http.StatusProxyAuthRequired, status >= 300 && status < 400:
		return everybody
	case fixed && (status == http.StatusNotFound || status == http.StatusMethodNotAllowed || status == http.StatusGone):
		return everybody
	case status == http.StatusRequestTimeout, status == http.StatusBadGateway, status == http.StatusGatewayTimeout:
		return unknown
	case status >= 500:
		return failed
	}
	return refused
}

// statusFault tells a person what an answer says of the link as a whole.
func (t *Target) statusFault(a *reply) error {
	f := &fault.Fault{Class: fault.Environment, Cause: fault.RestBusy, Where: t.where(), What: "the server answers " + a.text, Err: t.words(a.body)}
	switch {
	case a.status == http.StatusTooManyRequests:
		f.Cause, f.Fix = fault.RestThrottled, "nothing, it goes on by itself; or set rate below what the server allows"
		return &later{max(a.after, time.Second), f}
	case a.status == http.StatusUnauthorized || a.status == http.StatusForbidden || a.status == http.StatusProxyAuthRequired:
		f.Cause, f.Fix = fault.RestLogin, "correct auth or headers of the sink, or what this client may do at the server; then run shelfstream check -connect"
		return f
	case a.status >= 300 && a.status < 400 || a.status == http.StatusNotFound || a.status == http.StatusMethodNotAllowed || a.status == http.StatusGone:
		f.Cause, f.Fix = fault.RestAddress, "correct url, path and method of the sink; redirects are not followed"
		return f
	}
	f.Fix = "nothing if it passes; else look into the server's log"
	if a.after > 0 {
		return &later{a.after, f}
	}
	return f
}

// lineFault tells a person why there was no answer.
func (t *Target) lineFault(err error) error {
	var token *tokenError
	if errors.As(err, &token) {
		return t.tokenFault(token.err)
	}
	if len(fault.All(err)) > 0 || errors.Is(err, context.Canceled) {
		return err
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err // the address may have a secret in it
	}
	f := &fault.Fault{Class: fault.Environment, Cause: fault.RestUnreachable, Where: t.where(), Err: err}
	var network net.Error
	if errors.Is(err, errTimeout) || errors.Is(err, context.DeadlineExceeded) || errors.As(err, &network) && network.Timeout() {
		f.Cause, f.What, f.Err = fault.RestTimeout, "the server did not answer in "+t.call.timeout.String(), errTimeout
		f.Fix = "look for what slows it down, or give it more time with timeout; a firewall may swallow the connection"
		return f
	}
	if badCertificate(err) {
		f.What, f.Fix = "no secure connection can be made with the server", "correct tls of the sink (ca, server_name), or the server's certificate"
		return f
	}
	f.What, f.Fix = "the server does not answer, or broke off", "start the server, or correct url; records wait in the log"
	return f
}

func badCertificate(err error) bool {
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	return errors.As(err, &certificate) || errors.As(err, &record)
}

// tokenFault is for the address that gives tokens.
func (t *Target) tokenFault(err error) error {
	where := "sink " + t.name + ": " + hostOf(t.cfg.Auth.OAuth2.TokenURL)
	var r *oauth2.RetrieveError
	if !errors.As(err, &r) || r.Response == nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		return &fault.Fault{Class: fault.Environment, Cause: fault.RestUnreachable, Where: where, What: "the server that gives tokens does not answer", Fix: "start it, or correct auth.oauth2.token_url", Err: err}
	}
	said := strings.TrimSpace(r.ErrorCode + " " + r.ErrorDescription)
	if said == "" {
		said = string(r.Body)
	}
	f := &fault.Fault{Class: fault.Environment, Cause: fault.RestLogin, Where: where, What: "no token is given: " + r.Response.Status, Err: t.words([]byte(said)), Fix: "correct auth.oauth2 of the sink, or allow this client at the server; then run shelfstream check -connect"}
	wait := retryAfter(r.Response.Header.Get("Retry-After"), time.Now())
	switch s := r.Response.StatusCode; {
	case s == http.StatusTooManyRequests:
		f.Cause, f.Fix = fault.RestThrottled, "nothing, it goes on by itself"
		return &later{max(wait, time.Second), f}
	case s >= 500:
		f.Cause, f.Fix = fault.RestBusy, "nothing if it passes; else look into the server's log"
	}
	return f
}

// recordFault tells a person why the other side does not take a record. said are its own words.
func (t *Target) recordFault(view, key string, status int, what string, said error) *fault.Fault {
	f := &fault.Fault{Class: fault.Runtime, Cause: fault.RestRefused, Where: fmt.Sprintf("sink %s: %s %s", t.name, view, key), What: what, Err: said, Fix: "correct the value in the source, in a rule or in the sink's template; it is tried again within a minute"}
	switch status {
	case http.StatusConflict, http.StatusPreconditionFailed:
		f.Cause, f.Fix = fault.RestConflict, "look at what the other side has under this key, and decide which of the two is right; it is tried again within a minute"
	case http.StatusRequestEntityTooLarge:
		f.Cause, f.Fix = fault.RestTooLarge, "raise the server's limit for bodies, or leave large fields out of the body"
	}
	return f
}

// words are what an answer says, for people, in one line and without secrets; nil for nothing.
func (t *Target) words(body []byte) error {
	const limit = 400
	text := string(body)
	for _, s := range t.call.auth.secrets() {
		if len(s) >= 4 {
			text = strings.ReplaceAll(text, s, "****")
		}
	}
	text = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(text, ""), func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
	if r := []rune(text); len(r) > limit {
		text = string(r[:limit]) + "…"
	}
	if text == "" {
		return nil
	}
	return errors.New(text)
}

// where is the sink and the server, without the address' path.
func (t *Target) where() string { return "sink " + t.name + ": " + hostOf(t.cfg.URL) }

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "the server"
	}
	return u.Scheme + "://" + u.Host
}

// retryAfter reads seconds or a date (RFC 9110, 10.2.3); 0 if it is neither.
func retryAfter(text string, now time.Time) time.Duration {
	if n, err := strconv.Atoi(strings.TrimSpace(text)); err == nil && n > 0 {
		return time.Duration(min(n, 24*3600)) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil && at.After(now) {
		return min(at.Sub(now), 24*time.Hour)
	}
	return 0
}
