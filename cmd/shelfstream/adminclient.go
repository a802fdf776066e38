package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/status"
	"shelfstream/status/login"
)

// errNoAnswer says that no process listens on the admin port.
var errNoAnswer = errors.New("nobody answers on the admin port")

// noAnswerError is errNoAnswer with why: a port that refuses, a name that is not known, a time that ran out.
type noAnswerError struct{ why error }

func (e *noAnswerError) Error() string        { return errNoAnswer.Error() + ": " + e.why.Error() }
func (e *noAnswerError) Is(target error) bool { return target == errNoAnswer }
func (e *noAnswerError) Unwrap() error        { return e.why }

// askAdmin gets JSON from the admin port. Faults that the process reports come back as faults.
func askAdmin(ctx context.Context, url string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return usage(fmt.Sprintf("%s is not an address", url), "write -admin host:port")
	}
	showToken(req)
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, Proxy: nil}}
	resp, err := client.Do(req)
	if err != nil {
		return &noAnswerError{err}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<20))
	if err != nil {
		return fmt.Errorf("read the admin port's answer: %w", err)
	}
	if resp.StatusCode == http.StatusOK {
		if err := json.Unmarshal(body, into); err != nil {
			return &fault.Fault{Class: fault.Environment, Where: url, What: "this is no admin port of shelfstream", Fix: "name it with -admin host:port", Err: err}
		}
		return nil
	}
	return answeredFault(url, resp.StatusCode, body)
}

// tokenKey carries what the admin port's token for commands is.
type tokenKey struct{}

// knownTo lets what is asked with the context show that it comes from who reads the same configuration: an admin port with users answers nobody else.
func (p *pipeline) knownTo(ctx context.Context) context.Context {
	return context.WithValue(ctx, tokenKey{}, login.Token(p.users()))
}

func showToken(req *http.Request) {
	if token, ok := req.Context().Value(tokenKey{}).(string); ok && token != "" && req.URL.User == nil {
		req.Header.Set("Authorization", "Bearer "+token)
	}
}

// answeredFault turns the admin port's error into faults.
func answeredFault(url string, code int, body []byte) error {
	var e struct {
		Error  string `json:"error"`
		Faults []struct{ Class, Cause, Where, What, Fix string }
	}
	if json.Unmarshal(body, &e) != nil || e.Error == "" {
		return &fault.Fault{Class: fault.Environment, Where: url, What: fmt.Sprintf("the admin port answers %d", code), Fix: "name the right one with -admin host:port"}
	}
	if len(e.Faults) == 0 {
		return &fault.Fault{Class: fault.Runtime, What: e.Error}
	}
	var l fault.List
	for _, f := range e.Faults {
		class := fault.Runtime
		switch f.Class {
		case "configuration":
			class = fault.Config
		case "environment":
			class = fault.Environment
		}
		if f.Where == status.AdminPort {
			f.Where = url
		}
		l.Add(&fault.Fault{Class: class, Cause: fault.Cause(f.Cause), Where: f.Where, What: f.What, Fix: f.Fix})
	}
	return l
}

// notRunning is the fault of a command that needs a running pipeline.
func notRunning(url string, err error) error {
	return &fault.Fault{
		Class: fault.Environment, Where: url, What: "the pipeline does not answer on its admin port", Err: why(err),
		Fix: "start it with 'shelfstream run', or name its admin port with -admin host:port",
	}
}

// why is the cause of an errNoAnswer.
func why(err error) error {
	if no, ok := errors.AsType[*noAnswerError](err); ok {
		return no.why
	}
	return err
}
