package rest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"shelfstream/internal/fault"
	"shelfstream/sink"
	"shelfstream/sink/sinktest"
)

func TestValidate(t *testing.T) {
	good := func() Config {
		return Config{URL: "https://erp.example.com/api", Tables: map[string]TableConfig{"order": orders()}}
	}
	table := func(change func(*TableConfig)) func(*Config) {
		return func(c *Config) {
			o := orders()
			change(&o)
			c.Tables["order"] = o
		}
	}
	for want, change := range map[string]func(*Config){
		"":                            func(*Config) {},
		"rest.url: is no web address": func(c *Config) { c.URL = "erp.example.com" },
		"rest.url: has a user in it":  func(c *Config) { c.URL = "https://a:b@erp.example.com" },
		"rest.auth: wants one of":     func(c *Config) { c.Auth = &Auth{Token: "a", User: "b"} },
		"rest.auth.oauth2.token_url: is no web address": func(c *Config) { c.Auth = &Auth{OAuth2: &OAuth2{TokenURL: "x"}} },
		"rest.tls.cert: a certificate and its key":      func(c *Config) { c.TLS = &TLS{Cert: "a.pem"} },
		"rest.tables.order.from: \"a.b\" is no view":    table(func(o *TableConfig) { o.From = "a.b" }),
		"rest.tables.order.answer: \"a..b\" is no path": table(func(o *TableConfig) { o.Answer = "a..b" }),
		"rest.tables.order.update: is never called":     table(func(o *TableConfig) { o.Update = &Call{} }),
		"rest.tables.order.body: is no template":        table(func(o *TableConfig) { o.Body = "{{.no" }),
		"rest.tables.order.batch: a call for several":   table(func(o *TableConfig) { o.Path, o.Batch = "/{{.no}}", &Batch{Size: 2} }),
		"rest.tables.order.batch.size: must be":         table(func(o *TableConfig) { o.Batch = &Batch{} }),
		"rest.tables.zz.from: the view product is":      func(c *Config) { c.Tables["zz"] = orders() },
	} {
		c := good()
		change(&c)
		l := c.Validate()
		if want == "" && len(l) == 0 {
			continue
		}
		if len(l) != 1 || want == "" || !strings.HasPrefix(l[0].Where+": "+l[0].What, want) || l[0].Fix == "" || l[0].Class != fault.Config {
			t.Errorf("%v, want one that begins with %q", l, want)
		}
	}
}

// TestDryCheck: names of columns are compared with the view, and the probe is asked.
func TestDryCheck(t *testing.T) {
	e := newERP(t)
	o := orders()
	o.Body = `{"no": {{.number}}}`
	cfg := config(e, o)
	cfg.Probe = "/ping"
	tg, err := Open(cfg, Options{Pipeline: "suite", Sink: "erp"})
	if err != nil {
		t.Fatal(err)
	}
	views := []sink.View{sinktest.View()}
	if l, err := tg.DryCheck(t.Context(), views); err != nil || len(l) != 1 || l[0].Where != "rest.tables.order.body" || !strings.Contains(l[0].What, `no column "number"`) {
		t.Errorf("%v, %v", l, err)
	}
	e.Close()
	if l, err := tg.DryCheck(t.Context(), views); err != nil || len(l) != 2 || l[1].Cause != fault.RestUnreachable {
		t.Errorf("of a server that is gone: %v, %v", l, err)
	}
}

func TestPaths(t *testing.T) {
	v, err := decodeJSON([]byte(`{"data":{"orders":[{"no":12345678901234567890,"ok":true,"nil":null,"empty":""}]}}`))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range []string{"data.orders[0].no", "$.data.orders[0].ok", "data.orders[1].no", "data.orders[0].nil", "data.orders[0].empty", "data.orders.no", "data.orders[0].no.x"} {
		text, ok := mustPath(p).text(v)
		got = append(got, fmt.Sprint(text, ok))
	}
	if want := []string{"12345678901234567890true", "truetrue", "false", "false", "false", "false", "false"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	for _, bad := range []string{"a..b", "a.", "[x]", "a[1", "[-1]"} {
		if _, err := parsePath(bad); err == nil {
			t.Errorf("%q is taken for a path", bad)
		}
	}
}
