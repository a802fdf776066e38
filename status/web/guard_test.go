package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"shelfstream/status/audit"
	"shelfstream/status/login"
)

// acts is a server that notes what was done and what was written down.
func acts(t *testing.T) (s *Server, done *[]string, noted *[]audit.Entry) {
	t.Helper()
	s, done, noted = busy(now), &[]string{}, &[]audit.Entry{}
	s.cfg.Ack = func(_ context.Context, id, by, note string) error {
		*done = append(*done, "ack "+id+" "+by+" "+note)
		return nil
	}
	s.cfg.RetryParked = func(_ context.Context, view string, keys []string, by string) (string, error) {
		*done = append(*done, "retry "+view+" "+strings.Join(keys, ",")+" "+by)
		return "asked for", nil
	}
	s.cfg.Audit = func(_ context.Context, e audit.Entry) error {
		*noted = append(*noted, e)
		return nil
	}
	return s, done, noted
}

// TestActions: who may act, may; the audit says who, what and why.
func TestActions(t *testing.T) {
	s, done, noted := acts(t)
	cookie, token := as(t, s, "anna")
	mine := func(r *http.Request) { r.AddCookie(cookie) }
	if w := send(s, "/incident/ack", url.Values{"csrf": {token}, "id": {"i-8f21"}, "note": {"on my way"}, "back": {"/incidents"}}, mine); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `href="/incidents"`) {
		t.Errorf("ack: %d %s", w.Code, w.Body)
	}
	send(s, "/parked/retry", url.Values{"csrf": {token}, "view": {"article"}, "key": {"1", "2"}}, mine)
	send(s, "/parked/retry", url.Values{"csrf": {token}, "view": {"article"}, "key": {"1"}, "all": {"1"}}, mine)
	if got := strings.Join(*done, "; "); got != "ack i-8f21 anna on my way; retry article 1,2 anna; retry article  anna" {
		t.Errorf("done: %s", got)
	}
	for _, path := range []string{"/parked/skip", "/held/apply"} {
		if w := send(s, path, url.Values{"csrf": {token}, "view": {"article"}, "key": {"1"}, "guard": {"removals"}, "why": {"  "}}, mine); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "the reason is missing") {
			t.Errorf("%s without a reason: %d", path, w.Code)
		}
	}
	if e := (*noted)[1]; e.Who != "anna" || e.Role != "operate" || e.From != "127.0.0.1" || e.Action != "acknowledge" || e.Target != "i-8f21" || e.Note != "on my way" || e.Outcome != audit.Done {
		t.Errorf("noted: %+v", e)
	}
	if last := (*noted)[len(*noted)-1]; last.Outcome != audit.Failed {
		t.Errorf("a failed action is noted as %+v", last)
	}
	for text, want := range map[string]string{"": "and more for 0s", "30m": "and more for 30m0s", "0": "no time", "-1h": "no time", "169h": "no time", "soon": "no time"} {
		if w := send(s, "/held/apply", url.Values{"csrf": {token}, "view": {"product"}, "guard": {"removals"}, "why": {"the list"}, "for": {text}}, mine); !strings.Contains(w.Body.String(), want) {
			t.Errorf("for %q: %d %s", text, w.Code, w.Body)
		}
	}
	s.cfg.Audit = func(context.Context, audit.Entry) error { return errors.New("the log is away") }
	if w := send(s, "/incident/ack", url.Values{"csrf": {token}, "id": {"x"}}, mine); w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), "could not be noted") {
		t.Errorf("an action that could not be noted: %d", w.Code)
	}
}

// TestRefusedActions: each guard by itself; nothing is done, and the refusal is noted.
func TestRefusedActions(t *testing.T) {
	s, done, noted := acts(t)
	anna, token := as(t, s, "anna")
	per, perToken := as(t, s, "per")
	for name, c := range map[string]struct {
		token  string
		change func(*http.Request)
		code   int
		says   string
	}{
		"no login":            {token, func(*http.Request) {}, http.StatusUnauthorized, "nobody is logged in"},
		"role view":           {perToken, func(r *http.Request) { r.AddCookie(per) }, http.StatusForbidden, "the role operate is needed"},
		"no token":            {"", func(r *http.Request) { r.AddCookie(anna) }, http.StatusForbidden, "not of this session"},
		"another's token":     {perToken, func(r *http.Request) { r.AddCookie(anna) }, http.StatusForbidden, "not of this session"},
		"another origin":      {token, func(r *http.Request) { r.AddCookie(anna); r.Header.Set("Origin", "http://evil.example") }, http.StatusForbidden, "from another site"},
		"no origin at all":    {token, func(r *http.Request) { r.AddCookie(anna); r.Header.Set("Origin", "null") }, http.StatusForbidden, "from another site"},
		"another site":        {token, func(r *http.Request) { r.AddCookie(anna); r.Header.Set("Sec-Fetch-Site", "cross-site") }, http.StatusForbidden, "from another site"},
		"a made-up session":   {token, func(r *http.Request) { r.AddCookie(&http.Cookie{Name: login.Cookie, Value: "x"}) }, http.StatusUnauthorized, "nobody is logged in"},
		"the commands' token": {token, func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+login.Token(s.cfg.Users)) }, http.StatusUnauthorized, "nobody is logged in"},
		"a script's password": {token, func(r *http.Request) { r.SetBasicAuth("anna", "correct horse") }, http.StatusUnauthorized, "nobody is logged in"},
	} {
		before := len(*noted)
		w := send(s, "/incident/ack", url.Values{"csrf": {c.token}, "id": {"i-8f21"}}, c.change)
		if w.Code != c.code || !strings.Contains(w.Body.String(), c.says) {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		if len(*noted) != before+1 || (*noted)[before].Outcome != audit.Refused {
			t.Errorf("%s: noted %+v", name, (*noted)[before:])
		}
	}
	if len(*done) > 0 {
		t.Errorf("done all the same: %v", *done)
	}
	open := testServer(calm())
	open.cfg.Ack = s.cfg.Ack
	if w := send(open, "/incident/ack", url.Values{"id": {"x"}}); w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "shelfstream password") {
		t.Errorf("without users: %d %s", w.Code, w.Body)
	}
}

// TestLooking: without users the pages are shown on loopback only; with users to who is logged in, or shows the commands' token; health to everybody.
func TestLooking(t *testing.T) {
	abroad := func(r *http.Request) { r.RemoteAddr, r.Host = "192.0.2.7:5000", "shop.example" }
	rebound := func(r *http.Request) { r.Host = "evil.example:8480" }
	nobody := testServer(calm())
	users := busy(now)
	users.cfg.Open = false
	users.onLoopbackOnly(true)
	cookie, _ := func() (*http.Cookie, string) {
		w := send(users, "/login", url.Values{"name": {"per"}, "password": {"correct horse"}})
		return w.Result().Cookies()[0], ""
	}()
	for _, path := range []string{"/", "/status.json", "/explain?view=product&key=4711&format=json", "/parked?kind=sink&name=shop", "/incidents.json", "/live?page=/", "/charts"} {
		for name, c := range map[string]struct {
			s      *Server
			change func(*http.Request)
			let    bool
		}{
			"no users, here":              {nobody, func(*http.Request) {}, true},
			"no users, abroad":            {nobody, abroad, false},
			"no users, another name":      {nobody, rebound, false},
			"users, nobody":               {users, func(*http.Request) {}, false},
			"users, a cookie":             {users, func(r *http.Request) { abroad(r); r.AddCookie(cookie) }, true},
			"users, the token":            {users, func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+login.Token(users.cfg.Users)) }, true},
			"users, a wrong token":        {users, func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") }, false},
			"users, a password":           {users, func(r *http.Request) { abroad(r); r.SetBasicAuth("per", "correct horse") }, true},
			"users, a wrong password":     {users, func(r *http.Request) { r.RemoteAddr = "192.0.2.99:1"; r.SetBasicAuth("per", "wrong") }, false},
			"no users, but token of none": {nobody, func(r *http.Request) { abroad(r); r.Header.Set("Authorization", "Bearer ") }, false},
		} {
			if strings.HasPrefix(path, "/live") && c.let {
				continue // it does not end
			}
			r := get(t, c.s, path, c.change)
			if refused := r.code == http.StatusForbidden || r.code == http.StatusUnauthorized; refused == c.let {
				t.Errorf("%s: %s answers %d", name, path, r.code)
			}
		}
	}
	for _, path := range []string{"/healthz", "/readyz"} {
		if r := get(t, users, path, abroad); r.code == http.StatusForbidden || r.code == http.StatusUnauthorized {
			t.Errorf("%s answers %d", path, r.code)
		}
	}
	if r := get(t, users, "/held?x=1", asBrowser); r.code != http.StatusSeeOther || r.head.Get("Location") != "/login?to=%2Fheld%3Fx%3D1" {
		t.Errorf("a browser is sent to %d %s", r.code, r.head.Get("Location"))
	}
	if r := get(t, busy(now), "/audit", asBrowser); r.code != http.StatusUnauthorized {
		t.Errorf("what people did is shown to nobody in particular: %d", r.code)
	}
}

// TestLogin: the cookie is out of reach of scripts and other sites; guessing is slowed; a password typed as a name is not written down.
func TestLogin(t *testing.T) {
	s, _, noted := acts(t)
	cookie, token := as(t, s, "anna")
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode || cookie.Secure || cookie.Path != "/" {
		t.Errorf("the cookie is %+v", cookie)
	}
	if w := send(s, "/login", url.Values{"name": {"anna"}, "password": {"correct horse"}}, func(r *http.Request) { r.Header.Set("Origin", "http://evil.example") }); w.Code != http.StatusForbidden {
		t.Errorf("another site logs in: %d", w.Code)
	}
	if w := send(s, "/login", url.Values{"name": {"anna"}, "password": {"correct horse"}, "to": {"//evil.example/"}}); w.Header().Get("Location") != "/" {
		t.Errorf("the login leads to %s", w.Header().Get("Location"))
	}
	send(s, "/login", url.Values{"name": {"correct horse"}, "password": {""}})
	if e := (*noted)[len(*noted)-1]; e.Outcome != audit.Refused || strings.Contains(e.Who, "horse") {
		t.Errorf("noted: %+v", e)
	}
	codes := map[int]int{}
	for range 8 {
		w := send(s, "/login", url.Values{"name": {"anna"}, "password": {"wrong"}})
		codes[w.Code]++
		if w.Code == http.StatusTooManyRequests && w.Header().Get("Retry-After") == "" {
			t.Error("it is not said when to try again")
		}
	}
	if codes[http.StatusUnauthorized] != 4 || codes[http.StatusTooManyRequests] != 4 {
		t.Errorf("guessing gives %v", codes)
	}
	if w := send(s, "/login", url.Values{"name": {"anna"}, "password": {"correct horse"}}); w.Code != http.StatusTooManyRequests {
		t.Errorf("the right password after too many wrong ones: %d", w.Code)
	}
	if w := send(s, "/logout", url.Values{}, func(r *http.Request) { r.AddCookie(cookie) }); w.Code != http.StatusForbidden {
		t.Errorf("logged out without a token: %d", w.Code)
	}
	if w := send(s, "/logout", url.Values{"csrf": {token}}, func(r *http.Request) { r.AddCookie(cookie) }); w.Code != http.StatusSeeOther {
		t.Errorf("log out: %d", w.Code)
	}
	if w := send(s, "/incident/ack", url.Values{"csrf": {token}, "id": {"x"}}, func(r *http.Request) { r.AddCookie(cookie) }); w.Code != http.StatusUnauthorized {
		t.Errorf("acts after logging out: %d", w.Code)
	}
}

// TestComingBack: a form leads to paths of this port only.
func TestComingBack(t *testing.T) {
	for to, want := range map[string]string{
		"/held?x=1": "/held?x=1", "": "/", "//evil.example": "/", "/\\evil.example": "/", "http://evil.example/": "/", "javascript:alert(1)": "/", "held": "/", "/%": "/",
	} {
		if got := localPath(to); got != want {
			t.Errorf("%q leads to %q", to, got)
		}
	}
}

// TestSignedLink: looking acknowledges nothing, the button does, for the person of the link; a link that is not ours does neither.
func TestSignedLink(t *testing.T) {
	s, done, noted := acts(t)
	s.cfg.Open = false
	s.onLoopbackOnly(false)
	if r := get(t, s, "/ack?sig=good", asBrowser); r.code != http.StatusOK || !strings.Contains(r.body, "Take it on, kari?") || len(*done) > 0 {
		t.Errorf("looking: %d, done %v", r.code, *done)
	}
	if w := send(s, "/ack?sig=bad", nil); w.Code != http.StatusForbidden || len(*done) > 0 {
		t.Errorf("a wrong link: %d, done %v", w.Code, *done)
	}
	if w := send(s, "/ack?sig=good", nil, func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }); w.Code != http.StatusForbidden || len(*done) > 0 {
		t.Errorf("another site: %d, done %v", w.Code, *done)
	}
	if w := send(s, "/ack?sig=good", url.Values{"note": {"soon"}}); w.Code != http.StatusOK || strings.Join(*done, "") != "ack i-8f21 kari soon" {
		t.Errorf("the button: %d, done %v", w.Code, *done)
	}
	if e := (*noted)[0]; e.Who != "kari" || e.Role != "link" || e.Target != "i-8f21" {
		t.Errorf("noted: %+v", e)
	}
}
