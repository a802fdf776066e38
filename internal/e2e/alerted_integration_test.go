//go:build integration

package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/quotedprintable"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"shelfstream/internal/demo"
	"shelfstream/internal/testenv"
	"shelfstream/internal/testenv/mailbox"
	"shelfstream/status/notify"
	adminpage "shelfstream/status/web"
)

// untilBoss is after how long without an acknowledgement the boss is told.
const untilBoss = 8 * time.Second

// alertsSection tells the clerk at once, and the boss after untilBoss; by mail, and if that does not go by the webhook.
const alertsSection = `retries: { tries: 2, first: 100ms, most: 200ms, slow: 500ms }
alerts:
  url: "http://${ADMIN}"
  throttle: { messages: 0 }
  channels:
    mail: { smtp: { host: 127.0.0.1, port: "${MAIL_PORT}", tls: none, from: "Shelfstream <alerts@example.com>", timeout: 5s } }
    chat: { webhook: { url: "${CHAT_URL}", timeout: 5s } }
  people:
    clerk: { reach: [{ mail: clerk@example.com }, { chat: clerk }] }
    boss:  { reach: [{ mail: boss@example.com }, { chat: boss }] }
  policies:
    - { name: all, steps: [{ to: [clerk] }, { after: "${UNTIL_BOSS}", to: [boss] }] }
`

// alerted is a world in one process, with a mail server and a chat to which it tells of incidents.
type alerted struct {
	*world
	run  *worker
	box  *mailbox.Box
	chat *chat
}

func newAlerted(t *testing.T, kind string, o options) *alerted {
	t.Helper()
	a := &alerted{chat: &chat{}}
	var err error
	a.box, err = mailbox.Start(mailbox.Config{})
	must(t, err)
	t.Cleanup(func() { must(t, a.box.Stop()) })
	server := httptest.NewServer(a.chat)
	t.Cleanup(server.Close)
	admin, err := testenv.FreeAddr()
	must(t, err)
	if o.pipeline == "" {
		o.pipeline, o.rules = demo.Pipeline, demo.Rules
	}
	o.pipeline += alertsSection + o.alerts
	o.proxied, o.session = true, 2*time.Second
	o.more = append([]string{"ADMIN=" + admin, fmt.Sprintf("MAIL_PORT=%d", a.box.Port()), "CHAT_URL=" + server.URL, "UNTIL_BOSS=" + untilBoss.String()}, o.more...) // the last one counts
	a.world = newWorld(t, kind, o)
	a.run = a.startAt("run", admin)
	must(t, a.run.process.WaitReady(a.ctx, patience))
	return a
}

// chat takes messages over HTTP.
type chat struct {
	mu   sync.Mutex
	told []told
}

func (c *chat) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var p notify.Payload
	if err := json.NewDecoder(r.Body).Decode(&p); err != nil || len(p.Incidents) == 0 {
		http.Error(w, "no message", http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told = append(c.told, told{to: p.To, reason: string(p.Reason), link: p.Incidents[0].Link, incident: p.Incidents[0].ID, id: p.ID, at: time.Now()})
}

// told is one message that somebody got.
type told struct {
	to, reason, link, incident string
	id                         string // Message-ID of a mail
	at                         time.Time
	ack                        *url.URL
}

func (m told) String() string { return m.to + " " + m.reason + " " + m.link }

var ackLink = regexp.MustCompile(`(?m)^I take it on: (\S+)`)

// mails are the mails that have come, each once: those of one Message-ID are the same. again is how many came more than once.
func (a *alerted) mails() (once []told, again int) {
	a.t.Helper()
	for _, m := range a.box.Mails() {
		parsed, err := mail.ReadMessage(bytes.NewReader(m.Data))
		must(a.t, err)
		person, _, _ := strings.Cut(m.To, "@")
		head := func(name string) string { return parsed.Header.Get(name) }
		one := told{to: person, reason: head("X-Shelfstream-Reason"), link: head("X-Shelfstream-Link"), incident: head("X-Shelfstream-Incident"), id: head("Message-Id"), at: m.At}
		body, err := io.ReadAll(quotedprintable.NewReader(bytes.NewReader(m.Data)))
		must(a.t, err)
		if found := ackLink.FindSubmatch(body); found != nil {
			one.ack, err = url.Parse(string(found[1]))
			must(a.t, err)
		}
		if slices.ContainsFunc(once, func(o told) bool { return o.id == one.id }) {
			again++
			continue
		}
		once = append(once, one)
	}
	return once, again
}

// chats are the messages that came over the webhook.
func (a *alerted) chats() []told {
	a.chat.mu.Lock()
	defer a.chat.mu.Unlock()
	return slices.Clone(a.chat.told)
}

// words are messages without what differs from run to run.
func words(all []told) []string {
	out := make([]string, 0, len(all))
	for _, m := range all {
		out = append(out, m.String())
	}
	return out
}

// have waits until exactly these messages have come by mail since the first n, in any order within one reason, and gives them.
func (a *alerted) have(n int, want ...string) []told {
	a.t.Helper()
	var got []told
	a.until(fmt.Sprintf("mails %q", want), func() (bool, error) {
		all, _ := a.mails()
		if got = all[n:]; len(got) > len(want) {
			return false, fmt.Errorf("there are %q", words(got))
		}
		return len(got) == len(want), nil
	})
	has := words(got)
	slices.Sort(has)
	slices.Sort(want)
	if !slices.Equal(has, want) {
		a.t.Fatalf("mails %q, want %q", has, want)
	}
	return got
}

// quiet sees that nobody is told anything for so long.
func (a *alerted) quiet(within time.Duration) {
	a.t.Helper()
	before, _ := a.mails()
	n, end := len(before)+len(a.chats()), time.Now().Add(within)
	a.until("some time to pass", func() (bool, error) {
		now, _ := a.mails()
		if len(now)+len(a.chats()) > n {
			all, err := a.incidents()
			return false, errors.Join(fmt.Errorf("somebody was told: %q, %q; the incidents: %s", words(now[len(before):]), words(a.chats()), asJSON(all)), err)
		}
		return time.Now().After(end), nil
	})
}

func asJSON(v any) string {
	text, err := json.MarshalIndent(v, "", " ")
	return string(text) + fmt.Sprintln(err)
}

// incidents asks the process for all that it knows.
func (a *alerted) incidents() (all []adminpage.Incident, err error) {
	res, err := browse.Get("http://" + a.run.admin + "/incidents.json")
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	return all, json.NewDecoder(res.Body).Decode(&all)
}

// incident waits until the incident of a link is as wanted.
func (a *alerted) incident(link, what string, cond func(i *adminpage.Incident) bool) (found adminpage.Incident) {
	a.t.Helper()
	a.until("the incident of "+link+" to be "+what, func() (bool, error) {
		all, err := a.incidents()
		if err != nil {
			return false, nil //nolint:nilerr // the process may be starting
		}
		for i := range all {
			if all[i].Link == link && cond(&all[i]) {
				found = all[i]
				return true, nil
			}
		}
		return false, nil
	})
	return found
}

// noted waits until it is written down that a person was told.
func (a *alerted) noted(link, person string) adminpage.Incident {
	a.t.Helper()
	return a.incident(link, "noted as told to "+person, func(i *adminpage.Incident) bool {
		return slices.ContainsFunc(i.Log, func(e adminpage.Event) bool { return strings.HasPrefix(e.What, person+" was told") })
	})
}

// killed takes the process away and starts it again.
func (a *alerted) killed() {
	a.t.Helper()
	must(a.t, a.run.process.Kill())
	a.run.again()
}

// browse is what people open links with.
var browse = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// page gets or sends a page and gives its text.
func (a *alerted) page(method string, at *url.URL, form url.Values) string {
	a.t.Helper()
	req, err := http.NewRequestWithContext(a.ctx, method, at.String(), strings.NewReader(form.Encode()))
	must(a.t, err)
	req.Header.Set("Accept", "text/html")
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", "http://"+at.Host)
	}
	res, err := browse.Do(req)
	must(a.t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	must(a.t, err)
	if res.StatusCode != http.StatusOK {
		a.t.Fatalf("%s %s: %s\n%s", method, at, res.Status, text)
	}
	return string(text)
}

// The shop is cut off. The clerk is told at once, and the boss once untilBoss is over, once each, though the process is killed between the two, at the very moment in which the
// boss's mail is taken, and after it; the all-clear goes to both, once.
func TestAlertsOverKills(t *testing.T) {
	a := newAlerted(t, "alertkills", options{products: 60})
	a.equal()
	a.shopProxy.Cut()
	_, err := a.erp().Exec(a.ctx, "UPDATE price SET price = price + 1, rev = rev + 1")
	must(t, err)
	const shop = "sink shop"
	clerk := a.have(0, "clerk opened "+shop)[0]
	opened := a.noted(shop, "clerk")
	if wait := clerk.at.Sub(opened.Opened); wait > untilBoss {
		t.Errorf("the clerk was told after %v", wait)
	}

	// Killed at the moment in which the mail server has the boss's mail, and has not said so.
	killed := make(chan error, 1)
	process := a.run.process
	var once sync.Once
	a.box.OnArrival(func(m *mailbox.Mail) {
		if strings.HasPrefix(m.To, "boss@") {
			once.Do(func() { killed <- process.Kill() })
		}
	})
	must(t, process.Kill())
	a.run.again()
	process = a.run.process
	boss := a.have(1, "boss reminder "+shop)[0]
	must(t, <-killed)
	if wait := boss.at.Sub(opened.Opened); wait < untilBoss {
		t.Errorf("the boss was told after %v", wait)
	} else {
		t.Logf("clerk told %v after the incident, boss %v, the process killed in between", clerk.at.Sub(opened.Opened).Round(time.Millisecond), wait.Round(time.Millisecond))
	}
	a.run.again()
	a.noted(shop, "boss")
	a.killed()

	must(t, a.shopProxy.Heal())
	a.equal()
	a.incident(shop, "resolved", func(i *adminpage.Incident) bool { return !i.Resolved.IsZero() })
	a.have(2, "clerk all clear "+shop, "boss all clear "+shop)
	a.quiet(3 * time.Second)
	all, again := a.mails()
	if again > 1 {
		t.Errorf("%d mails came again; only the one that was being taken at the kill may", again)
	}
	t.Logf("%d mails: %q; %d came again with its Message-ID", len(all), words(all), again)
	for _, m := range all {
		if m.incident != opened.ID {
			t.Errorf("%s is about another incident, %s", m, m.incident)
		}
	}
}

// The ERP is cut off. The clerk opens the link in the mail, which shows a button and changes nothing, and presses it: the boss is never told, also not by a process
// that was killed meanwhile, and the all-clear goes to the clerk alone. Then the mail server is down, and the chat takes what is told.
func TestAlertsTakenOn(t *testing.T) {
	a := newAlerted(t, "alertacks", options{products: 60})
	a.equal()
	a.erpProxy.Cut()
	const erp = "source erp"
	clerk := a.have(0, "clerk opened "+erp)[0]
	a.noted(erp, "clerk")
	if clerk.ack == nil {
		t.Fatal("the mail has no link to take it on")
	}
	if text := a.page(http.MethodGet, clerk.ack, nil); !strings.Contains(text, `<form method="post" action="/ack?`) || !strings.Contains(text, "<button") {
		t.Errorf("no button on %s", text)
	}
	if i := a.noted(erp, "clerk"); !i.Acked.IsZero() {
		t.Error("looking at the link has acknowledged it")
	}
	forged := *clerk.ack
	query := forged.Query()
	query.Set("person", "boss")
	forged.RawQuery = query.Encode()
	if res, err := browse.Post(forged.String(), "application/x-www-form-urlencoded", strings.NewReader("")); err != nil || res.StatusCode != http.StatusForbidden {
		t.Errorf("a forged link: %v %v", res, err)
	} else {
		res.Body.Close()
	}
	a.page(http.MethodPost, clerk.ack, url.Values{"note": {"on my way"}})
	taken := a.incident(erp, "taken on", func(i *adminpage.Incident) bool { return i.By == "clerk" && i.Note == "on my way" })
	a.killed()
	a.quiet(time.Until(taken.Opened.Add(untilBoss + 4*time.Second)))
	must(t, a.erpProxy.Heal())
	a.have(1, "clerk all clear "+erp)

	// Nobody takes mail.
	must(t, a.box.Stop())
	_, err := a.erp().Exec(a.ctx, "UPDATE product SET vat_code = 77 WHERE product_no <= 3")
	must(t, err)
	const view = "view product"
	a.until("the chat to tell the clerk and the boss", func() (bool, error) { return len(a.chats()) == 2, nil })
	a.noted(view, "boss")
	must(t, a.box.Restart())
	_, err = a.erp().Exec(a.ctx, "INSERT INTO vat_rate VALUES (77, '2020-01-01', NULL, 25)")
	must(t, err)
	a.until("the all-clear in the chat", func() (bool, error) { return len(a.chats()) == 4, nil })
	a.quiet(3 * time.Second)
	chats := words(a.chats())
	slices.Sort(chats[2:])
	if want := []string{"clerk opened " + view, "boss reminder " + view, "boss all clear " + view, "clerk all clear " + view}; !slices.Equal(chats, want) {
		t.Errorf("the chat has %q, want %q", chats, want)
	}
	a.have(2)
	a.equal()
	a.alive()
}
