package config

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"time"
)

// Admin is the admin port.
type Admin struct {
	Listen   string         `yaml:"listen" doc:"Address of the status page, /metrics, /healthz and /readyz; port 0 = any free port, off = none."`
	ReadyLag time.Duration  `yaml:"ready_lag" doc:"/readyz answers 503 while a stage is further behind than this."`
	Users    Map[AdminUser] `yaml:"users" doc:"Who may log in, by name. Without users nobody may act, and the page is shown on loopback only."`
	Open     bool           `yaml:"open" doc:"Everybody who reaches the port may look without logging in. Acting needs a login all the same."`
	Proxy    *AdminProxy    `yaml:"proxy" doc:"A server before this port that logs people in and names them in a header."`
}

// AdminUser is somebody who may log in.
type AdminUser struct {
	PasswordHash string `yaml:"password_hash" required:"true" secret:"true" doc:"What 'shelfstream password' prints, or a bcrypt hash."`
	Role         string `yaml:"role" enum:"view,operate" doc:"view looks at everything; operate also acknowledges, retries, skips and applies."`
}

// SetDefaults lets a user look.
func (u *AdminUser) SetDefaults() { u.Role = "view" }

// AdminProxy is a server that logs people in.
type AdminProxy struct {
	Header  string   `yaml:"header" required:"true" doc:"Name of the header with the person's name, e.g. X-Forwarded-User. The proxy must take away what callers send under this name."`
	Trusted []string `yaml:"trusted" required:"true" doc:"Addresses or networks from which the header counts, e.g. 10.0.0.5 or 10.0.0.0/24."`
	Role    string   `yaml:"role" enum:"view,operate" doc:"Role of people who are not under users."`
}

// SetDefaults lets people look.
func (p *AdminProxy) SetDefaults() { p.Role = "view" }

// Networks are the trusted addresses; what is none is left out, which Validate tells.
func (p *AdminProxy) Networks() []netip.Prefix {
	var out []netip.Prefix
	for _, t := range p.Trusted {
		if n, ok := network(t); ok {
			out = append(out, n)
		}
	}
	return out
}

func network(text string) (netip.Prefix, bool) {
	if n, err := netip.ParsePrefix(text); err == nil {
		return n, true
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(a, a.BitLen()), true
}

// SetDefaults keeps the admin port on loopback.
func (a *Admin) SetDefaults() {
	a.Listen = "127.0.0.1:8480"
	a.ReadyLag = time.Minute
}

// Off says whether no admin server is wanted.
func (a *Admin) Off() bool { return a.Listen == "off" || a.Listen == "" }

var (
	headerName = regexp.MustCompile(`^[A-Za-z0-9-]+$`)
	hashForm   = regexp.MustCompile(`^(\$2[abxy]\$\d\d\$[./A-Za-z0-9]{53}|\$argon2id\$v=19\$m=\d+,t=\d+,p=\d+\$[+/A-Za-z0-9]+\$[+/A-Za-z0-9]+)$`)
)

// adminUsers checks who may log in.
func (v *validator) adminUsers() {
	a := &v.p.Admin
	for _, u := range a.Users {
		if h := u.Value.PasswordHash; h != "" && !hashForm.MatchString(h) {
			v.fail([]string{"admin", "users", u.Name, "password_hash"}, "this is neither an argon2id nor a bcrypt hash", "write what 'shelfstream password' prints, between single quotes, or file:/path")
		}
		if len(u.Name) > 100 || strings.ContainsAny(u.Name, "\r\n\t:") {
			v.fail([]string{"admin", "users", u.Name}, "this cannot be a user's name", "write up to 100 characters without colons and line breaks")
		}
	}
	if a.Proxy == nil {
		return
	}
	if h := a.Proxy.Header; h != "" && !headerName.MatchString(h) {
		v.fail([]string{"admin", "proxy", "header"}, fmt.Sprintf("%q is no header's name", h), "write e.g. X-Forwarded-User")
	}
	for _, t := range a.Proxy.Trusted {
		if _, ok := network(t); !ok {
			v.fail([]string{"admin", "proxy", "trusted"}, fmt.Sprintf("%q is neither an address nor a network", t), "write e.g. 10.0.0.5 or 10.0.0.0/24")
		}
	}
}
