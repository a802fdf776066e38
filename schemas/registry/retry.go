package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/twmb/franz-go/pkg/sr"

	"shelfstream/internal/fault"
)

const (
	firstPause = 50 * time.Millisecond
	maxPause   = 2 * time.Second
)

// do calls the registry until it answers, the client's limit has passed or ctx ends; the error is a *fault.Fault, or ctx's.
func (c *Client) do(ctx context.Context, what string, call func(context.Context) error) error {
	if c.invalid != nil {
		return &fault.Fault{
			Class: fault.Config, Where: c.where, What: "cannot be used", Err: c.invalid,
			Fix: "correct the registry's address in the configuration",
		}
	}
	began := time.Now()
	pause := firstPause
	for attempt := 1; ; attempt++ {
		err := call(ctx)
		if err == nil || !transient(err) && ctx.Err() == nil {
			c.silent.Store(nil)
		}
		if err == nil {
			if attempt > 1 {
				c.log.Info("schema registry answers again", "registry", c.where, "after", time.Since(began))
			}
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%s: %w", what, ctx.Err())
		}
		if !transient(err) {
			return c.refused(what, err)
		}
		f := &fault.Fault{
			Class: fault.Environment, Cause: fault.RegistryUnreachable, Where: c.where, What: fmt.Sprintf("no answer to: %s, after %d attempts", what, attempt), Err: err,
			Fix: "start the registry, or correct its address in the configuration; `curl <address>/subjects` shows whether it answers",
		}
		if somebodyElse(err) {
			f.Cause = fault.RegistryNotOne
			f.What = fmt.Sprintf("no registry answers to: %s, but some other server (404), after %d attempts", what, attempt)
			f.Fix = "check that the address is a schema registry's, and what the proxy before it does; `curl <address>/subjects` shows who answers"
		}
		c.silent.Store(f)
		if c.limit >= 0 && time.Since(began)+pause > c.limit {
			return f
		}
		if attempt == 1 {
			c.log.Warn("schema registry does not answer; trying again", "registry", c.where, "call", what, "error", err)
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("%s: %w", what, ctx.Err())
		}
		pause = min(2*pause, maxPause)
	}
}

// Fault says that the registry does not answer, and what waits for it; nil once it has answered again.
func (c *Client) Fault() *fault.Fault { return c.silent.Load() }

// transient says whether the same call may succeed later: no connection, no answer in time, a server that says it is unwell, or one that is no registry.
func transient(err error) bool {
	var e *sr.ResponseError
	if errors.As(err, &e) {
		return somebodyElse(err) || e.StatusCode >= http.StatusInternalServerError || e.StatusCode == http.StatusTooManyRequests
	}
	return true
}

// somebodyElse says whether a 404 lacks a registry's own code (40401 and so on): then it comes from a proxy whose registry is away, or from another server, and says nothing
// of what is registered. Taking it for an answer would reject for good the rows whose schema was asked for.
func somebodyElse(err error) bool {
	var e *sr.ResponseError
	return errors.As(err, &e) && e.StatusCode == http.StatusNotFound && e.ErrorCode/100 != http.StatusNotFound
}

// refused makes the fault for an answer that will not change by asking again.
func (c *Client) refused(what string, err error) error {
	f := &fault.Fault{Class: fault.Environment, Cause: fault.RegistryRefused, Where: c.where, What: "refused to " + what, Err: err}
	var e *sr.ResponseError
	if !errors.As(err, &e) {
		return f
	}
	switch e.StatusCode {
	case http.StatusNotFound:
		f.Class, f.Cause = fault.Runtime, fault.RegistryMissing
		f.What = "could not " + what
		f.Err = fmt.Errorf("%w: %w", ErrNotFound, err)
		f.Fix = "check that this is the registry that the topic's writer uses"
	case http.StatusUnauthorized, http.StatusForbidden:
		f.Cause, f.Fix = fault.RegistryLogin, "check the registry's user and password and what it may do"
	case http.StatusConflict:
		f.Cause, f.Fix = fault.RegistryForbids, "the subject's compatibility level forbids this change of the table; set it to NONE: PUT /config/<subject> with {\"compatibility\":\"NONE\"}"
	default:
		f.Fix = "see the registry's answer, and its log; one that is read-only takes schemas again after PUT /mode (or /mode/<subject>) with {\"mode\":\"READWRITE\"}"
	}
	return f
}
