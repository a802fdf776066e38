package rest

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"shelfstream/internal/fault"
)

// Validate returns every fault in the section that can be seen without a record. Where is "rest.tables.order.path".
func (c *Config) Validate() fault.List {
	var l fault.List
	bad := func(where, what, fix string) {
		l.Add(&fault.Fault{Class: fault.Config, Where: "rest." + where, What: what, Fix: fix})
	}
	if u, err := url.Parse(c.URL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		bad("url", "is no web address", "write https://host/path")
	} else if u.User != nil {
		bad("url", "has a user in it", "write user and password under auth")
	}
	if c.Rate < 0 || c.Workers < 0 || c.Timeout < 0 {
		bad("rate", "rate, workers and timeout cannot be negative", "leave them out")
	}
	c.Auth.validate(bad)
	if c.TLS != nil && (c.TLS.Cert == "") != (c.TLS.Key == "") {
		bad("tls.cert", "a certificate and its key come together", "name both files, or none")
	}
	taken := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(c.Tables)) {
		t := c.Tables[name]
		where := "tables." + name
		if t.From == "" || strings.Contains(t.From, ".") {
			bad(where+".from", fmt.Sprintf("%q is no view", t.From), "write the name of a view; lists of it are in its records")
		}
		if other := taken[t.From]; other != "" {
			bad(where+".from", fmt.Sprintf("the view %s is delivered by %s already", t.From, other), "deliver it in another sink")
		}
		taken[t.From] = name
		t.validate(where, bad)
	}
	if len(l) > 0 {
		return l
	}
	for _, name := range slices.Sorted(maps.Keys(c.Tables)) { // the templates' own form
		t := c.Tables[name]
		if _, err := compile(c, name, &t, nil, nil, ""); err != nil {
			l = append(l, fault.All(err)...)
		}
	}
	return l
}

func (a *Auth) validate(bad func(where, what, fix string)) {
	if a == nil {
		return
	}
	kinds := 0
	for _, has := range []bool{a.Token != "", a.User != "" || a.Password != "", a.OAuth2 != nil} {
		if has {
			kinds++
		}
	}
	if kinds != 1 {
		bad("auth", "wants one of token, user with password, and oauth2", "keep one, or leave auth out")
	}
	if a.OAuth2 != nil {
		if u, err := url.Parse(a.OAuth2.TokenURL); err != nil || u.Host == "" {
			bad("auth.oauth2.token_url", "is no web address", "write https://host/path")
		}
	}
}

func (t *TableConfig) validate(where string, bad func(where, what, fix string)) {
	calls := map[string]*Call{"": &t.Call, ".update": t.Update, ".delete": t.Delete}
	for _, name := range slices.Sorted(maps.Keys(calls)) {
		c := calls[name]
		if c == nil {
			continue
		}
		for what, path := range map[string]string{".answer": c.Answer, ".error": c.Error} {
			if _, err := parsePath(path); err != nil {
				bad(where+name+what, err.Error(), "write names and places: data.orders[0].no")
			}
		}
		if c.Batch != nil {
			c.Batch.validate(where+name+".batch", c, bad)
		}
	}
	if t.Once && t.Update != nil {
		bad(where+".update", "is never called: the table has once: true", "keep one of the two")
	}
	if t.Delete != nil && t.Delete.Batch != nil {
		bad(where+".delete.batch", "deletions go one by one", "remove it")
	}
	if t.Lookup != nil {
		for what, path := range map[string]string{".lookup.found": t.Lookup.Found, ".lookup.answer": t.Lookup.Answer} {
			if _, err := parsePath(path); err != nil {
				bad(where+what, err.Error(), "write names and places: data.orders[0].no")
			}
		}
	}
	if t.IdempotencyKey != "" && t.header() == "" {
		bad(where+".idempotency_key", "has no effect without a header", "remove idempotency_header: none")
	}
}

func (b *Batch) validate(where string, c *Call, bad func(where, what, fix string)) {
	if b.Size < 1 {
		bad(where+".size", "must be at least 1", "write how many records one call takes")
	}
	if c.Format != "" && c.Format != "json" {
		bad(where, "only JSON goes in batches", "remove batch or format")
	}
	if b.Match != "" && b.Key == "" {
		bad(where+".match", "has no effect without key", "name the path to the key in an item with 'key'")
	}
	for what, path := range map[string]string{".items": b.Items, ".key": b.Key, ".status": b.Status} {
		if _, err := parsePath(path); err != nil {
			bad(where+what, err.Error(), "write names and places: data.orders[0].no")
		}
	}
}
