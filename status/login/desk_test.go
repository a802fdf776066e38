package login

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
)

func TestPasswords(t *testing.T) {
	hash, err := Hash("correct horse")
	if err != nil || CheckHash(hash) != nil || !matches(hash, "correct horse") || matches(hash, "correct horsf") || matches(hash, "") {
		t.Errorf("argon2id: %v %s", err, hash)
	}
	other, _ := Hash("correct horse")
	if hash == other {
		t.Error("two hashes of one password are the same")
	}
	old, err := bcrypt.GenerateFromPassword([]byte("correct horse"), bcrypt.MinCost)
	if err != nil || CheckHash(string(old)) != nil || !matches(string(old), "correct horse") || matches(string(old), "x") {
		t.Errorf("bcrypt: %v", err)
	}
	for _, bad := range []string{"", "correct horse", "$argon2id$", strings.Replace(hash, "m=19456", "m=9999999", 1), strings.Replace(hash, "t=2", "t=99", 1), strings.Replace(hash, "p=1", "p=0", 1), "$2a$31$" + strings.Repeat("a", 53), "$5$x$y"} {
		if CheckHash(bad) == nil || matches(bad, "correct horse") {
			t.Errorf("%q counts as a hash", bad)
		}
	}
	for _, bad := range []string{"short", strings.Repeat("x", MaxPassword+1)} {
		if _, err := Hash(bad); err == nil {
			t.Errorf("a password of %d bytes is taken", len(bad))
		}
	}
}

func TestLimit(t *testing.T) {
	now := time.Unix(1000, 0)
	l := newLimit(2, 10*time.Second, func() time.Time { return now })
	var waits []time.Duration
	for _, key := range []string{"a", "a", "a", "b"} {
		waits = append(waits, l.take(key))
	}
	if waits[0] != 0 || waits[1] != 0 || waits[2] != 10*time.Second || waits[3] != 0 {
		t.Errorf("two tries, and then none: %v", waits)
	}
	now = now.Add(4 * time.Second)
	if w := l.take("a"); w != 6*time.Second {
		t.Errorf("after 4 s one waits %v", w)
	}
	now = now.Add(6 * time.Second)
	if l.take("a") != 0 || l.take("a") == 0 {
		t.Error("one more after ten seconds, and only one")
	}
	for i := range mostBuckets + 10 {
		l.take(string(rune(i)) + "x")
	}
	if len(l.buckets) > mostBuckets {
		t.Errorf("%d buckets", len(l.buckets))
	}
}

func TestSessionsEnd(t *testing.T) {
	now := time.Unix(1000, 0)
	s := newSessions(func() time.Time { return now })
	id := s.begin("anna")
	for range 11 {
		now = now.Add(time.Hour)
		if _, ok := s.find(id); !ok {
			t.Fatal("a session in use has ended")
		}
	}
	now = now.Add(61 * time.Minute)
	if _, ok := s.find(id); ok {
		t.Error("a session lasts for ever")
	}
	id = s.begin("anna")
	now = now.Add(idleFor + time.Second)
	if _, ok := s.find(id); ok {
		t.Error("a session that nobody uses lasts")
	}
	for range mostSessions + 5 {
		now = now.Add(time.Millisecond)
		id = s.begin("x")
	}
	if _, ok := s.find(id); !ok || len(s.open) > mostSessions {
		t.Errorf("%d sessions, the newest there: %v", len(s.open), ok)
	}
}

func ask(remote string, change func(*http.Request)) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "http://shop.example/", nil)
	r.RemoteAddr = remote
	if change != nil {
		change(r)
	}
	return r
}

// TestProxy: the header counts from the proxy only, once only, and the address is what the proxy saw.
func TestProxy(t *testing.T) {
	d := NewDesk(Config{Users: map[string]User{"anna": {Role: Operate}}, Proxy: &Proxy{Header: "X-User", Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}, Role: View}})
	named := func(names ...string) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Set("X-Forwarded-For", "6.6.6.6, 192.0.2.5")
			for _, n := range names {
				r.Header.Add("X-User", n)
			}
		}
	}
	for name, c := range map[string]struct {
		remote string
		names  []string
		who    string
		role   Role
		from   string
	}{
		"a user":           {"10.0.0.9:1", []string{"anna"}, "anna", Operate, "192.0.2.5"},
		"another person":   {"10.0.0.9:1", []string{"kari"}, "kari", View, "192.0.2.5"},
		"nobody":           {"10.0.0.9:1", nil, "", Nobody, "192.0.2.5"},
		"twice":            {"10.0.0.9:1", []string{"anna", "x"}, "", Nobody, "192.0.2.5"},
		"not of the proxy": {"10.0.1.9:1", []string{"anna"}, "", Nobody, "10.0.1.9"},
		"on loopback":      {"127.0.0.1:1", []string{"anna"}, "", Nobody, "127.0.0.1"},
	} {
		w := httptest.NewRecorder()
		v := d.Who(w, ask(c.remote, named(c.names...)))
		if v.Name != c.who || v.Role != c.role || v.From != c.from {
			t.Errorf("%s: %+v", name, v)
		}
		if (v.Token != "") != (c.who != "") || (len(w.Result().Cookies()) == 1) != (c.who != "") {
			t.Errorf("%s: token %q, cookies %v", name, v.Token, w.Result().Cookies())
		}
	}
	w := httptest.NewRecorder()
	r := ask("10.0.0.9:1", named("anna"))
	r.Header.Set("X-Forwarded-Proto", "https")
	d.Who(w, r)
	cookie := w.Result().Cookies()[0]
	if !cookie.Secure {
		t.Error("the cookie goes over plain HTTP too")
	}
	r.AddCookie(cookie)
	if w = httptest.NewRecorder(); d.Who(w, r) == nil || len(w.Result().Cookies()) != 0 {
		t.Error("each request begins a session")
	}
	r.Header.Set("X-User", "kari")
	if v := d.Who(httptest.NewRecorder(), r); v.Name != "kari" || v.Token == d.sessions.token(cookie.Value) {
		t.Errorf("anna's session is used for %+v", v)
	}
}

// TestGuessingFromEverywhere: one user's password is guarded also against many addresses.
func TestGuessingFromEverywhere(t *testing.T) {
	now := time.Unix(1000, 0)
	hash, err := bcrypt.GenerateFromPassword([]byte("correct horse"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	d := NewDesk(Config{Users: map[string]User{"anna": {PasswordHash: string(hash)}}, Now: func() time.Time { return now }})
	wrong := 0
	for i := range 30 {
		if err := d.In(httptest.NewRecorder(), ask(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}).String()+":1", nil), "anna", "x"); errors.Is(err, ErrWrong) {
			wrong++
		}
	}
	if wrong != userBurst {
		t.Errorf("%d passwords were tried", wrong)
	}
	if limitKey("2001:db8:1:2:3::1") != limitKey("2001:db8:1:2:ffff::9") || limitKey("2001:db8:1:2::1") == limitKey("2001:db8:1:3::1") || limitKey("::ffff:10.0.0.1") != "10.0.0.1" {
		t.Error("addresses count by the network that one customer has")
	}
}

func TestRoles(t *testing.T) {
	for _, c := range []struct {
		have, need Role
		may        bool
	}{{Operate, View, true}, {Operate, Operate, true}, {View, View, true}, {View, Operate, false}, {Nobody, View, false}, {"admin", View, false}} {
		if c.have.May(c.need) != c.may {
			t.Errorf("%q may %q: %v", c.have, c.need, !c.may)
		}
	}
	if Token(nil) != "" || Token(map[string]User{"a": {PasswordHash: "x"}}) == Token(map[string]User{"a": {PasswordHash: "y"}}) {
		t.Error("the token does not follow from the hashes")
	}
}
