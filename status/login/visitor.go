package login

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// Cookie is the session's name in the browser.
const Cookie = "shelfstream_session"

// CSRFField and CSRFHeader are where a form carries its session's token.
const (
	CSRFField  = "csrf"
	CSRFHeader = "X-CSRF-Token"
)

// Visitor is who asks.
type Visitor struct {
	// Name is empty for who is not logged in.
	Name string
	Role Role
	// From is the address, by the proxy's word where the proxy is trusted.
	From string
	// Token goes into each form; empty without a session.
	Token string

	session string
	proxied bool
}

// Who finds out who asks. Somebody whom the proxy names gets a session here, for the token of the forms.
func (d *Desk) Who(w http.ResponseWriter, r *http.Request) *Visitor {
	v := &Visitor{From: d.From(r)}
	if d.nobody(r) {
		v.Role = View
	}
	id := ""
	if c, err := r.Cookie(Cookie); err == nil {
		id = c.Value
	}
	owner, open := d.sessions.find(id)
	if name := d.proxied(r); name != "" {
		v.Name, v.Role, v.proxied = name, d.cfg.Proxy.Role, true
		if u, ok := d.cfg.Users[name]; ok {
			v.Role = u.Role
		}
		if !open || owner != name {
			id = d.open(w, r, name)
		}
		v.session, v.Token = id, d.sessions.token(id)
		return v
	}
	if u, ok := d.cfg.Users[owner]; open && ok {
		v.Name, v.Role, v.session, v.Token = owner, u.Role, id, d.sessions.token(id)
		return v
	}
	if d.command(r) {
		v.Role = View
	}
	return v
}

// nobody says whether a request may look without any login.
func (d *Desk) nobody(r *http.Request) bool {
	return d.cfg.Open || !d.Known() && d.cfg.Loopback && Local(r)
}

// Local says whether a request was sent on this machine to an address of loopback. A page of the web that had its own name resolve to 127.0.0.1 comes with that
// name in Host.
func Local(r *http.Request) bool {
	remote, err := netip.ParseAddrPort(r.RemoteAddr)
	host, _, splitErr := net.SplitHostPort(r.Host)
	if splitErr != nil {
		host = strings.Trim(r.Host, "[]")
	}
	ip, _ := netip.ParseAddr(host)
	return err == nil && remote.Addr().Unmap().IsLoopback() && (host == "localhost" || ip.IsLoopback())
}

// command says whether a request shows the commands' token, or a user's name and password as scripts do. Neither can be made by a page of another site, and both only look.
func (d *Desk) command(r *http.Request) bool {
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return d.token != "" && hmac.Equal([]byte(token), []byte(d.token))
	}
	name, password, ok := r.BasicAuth()
	if !ok || !d.HasPasswords() {
		return false
	}
	m := hmac.New(sha256.New, d.sessions.key)
	m.Write([]byte(name + "\x00" + password))
	var k [sha256.Size]byte
	m.Sum(k[:0])
	now := d.cfg.Now()
	d.hashing.Lock()
	until := d.basic[k]
	d.hashing.Unlock()
	if now.Before(until) {
		return true
	}
	if d.check(r, name, password) != nil {
		return false
	}
	d.hashing.Lock()
	defer d.hashing.Unlock()
	if len(d.basic) >= 2*len(d.cfg.Users) { // a user has one password
		clear(d.basic)
	}
	d.basic[k] = now.Add(5 * time.Minute)
	return true
}

func (d *Desk) trusted(r *http.Request) bool {
	remote, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || d.cfg.Proxy == nil {
		return false
	}
	a := remote.Addr().Unmap().WithZone("")
	for _, p := range d.cfg.Proxy.Trusted {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// proxied is the name that a trusted proxy gives; "" if none does.
func (d *Desk) proxied(r *http.Request) string {
	if !d.trusted(r) {
		return ""
	}
	values := r.Header.Values(d.cfg.Proxy.Header)
	if len(values) != 1 { // two names mean that a caller's own went through
		return ""
	}
	return values[0]
}

// From is the caller's address: of the connection, or the last that a trusted proxy names.
func (d *Desk) From(r *http.Request) string {
	if d.trusted(r) {
		all := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
		if a, err := netip.ParseAddr(strings.TrimSpace(all[len(all)-1])); err == nil {
			return a.String()
		}
	}
	remote, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return remote.Addr().Unmap().String()
}

// In logs somebody in. The error is ErrWrong or a *TooManyError.
func (d *Desk) In(w http.ResponseWriter, r *http.Request, name, password string) error {
	if err := d.check(r, name, password); err != nil {
		return err
	}
	if c, err := r.Cookie(Cookie); err == nil {
		d.sessions.end(c.Value)
	}
	d.open(w, r, name)
	return nil
}

func (d *Desk) open(w http.ResponseWriter, r *http.Request, name string) (id string) {
	id = d.sessions.begin(name)
	http.SetCookie(w, d.cookie(r, id, int(lastsFor/time.Second)))
	return id
}

// cookie is for this port's pages alone. Over plain HTTP, which is what loopback has, a browser would not keep a secure one.
func (d *Desk) cookie(r *http.Request, value string, age int) *http.Cookie {
	secure := r.TLS != nil || d.trusted(r) && r.Header.Get("X-Forwarded-Proto") == "https"
	return &http.Cookie{Name: Cookie, Value: value, Path: "/", MaxAge: age, HttpOnly: true, Secure: secure, SameSite: http.SameSiteStrictMode}
}

// Out ends a visitor's session.
func (d *Desk) Out(w http.ResponseWriter, r *http.Request, v *Visitor) {
	d.sessions.end(v.session)
	http.SetCookie(w, d.cookie(r, "", -1))
}

// The reasons for which a form is refused.
var (
	ErrOtherSite = errors.New("the request comes from another site")
	ErrForm      = errors.New("the form is not of this session: load the page again and send it once more")
)

var sameOrigin = http.NewCrossOriginProtection()

// SameSite refuses what a page of another site sends: the browser says so in Sec-Fetch-Site or Origin.
func SameSite(r *http.Request) error {
	if sameOrigin.Check(r) != nil {
		return ErrOtherSite
	}
	return nil
}

// Form refuses a request that was not made of a page of this visitor's session.
func (d *Desk) Form(r *http.Request, v *Visitor) error {
	if err := SameSite(r); err != nil {
		return err
	}
	token := r.Header.Get(CSRFHeader)
	if token == "" {
		token = r.PostFormValue(CSRFField)
	}
	if v.session == "" || !d.sessions.isToken(v.session, token) {
		return ErrForm
	}
	return nil
}

// Still says whether a visitor of an open page is still logged in.
func (d *Desk) Still(v *Visitor) bool {
	if v.session == "" {
		return true
	}
	name, ok := d.sessions.find(v.session)
	return ok && name == v.Name
}

// Proxied says whether it is a proxy that logs this visitor in and out.
func (v *Visitor) Proxied() bool { return v.proxied }
