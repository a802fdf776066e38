package notify

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"net"
	"net/http/httptest"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/internal/testenv/mailbox"
	"shelfstream/status/escalate"
	"shelfstream/status/exchange"
)

// post is a mail server, and how to reach it.
type post struct {
	*mailbox.Box
	ca string
}

// startMail starts a server; with a certificate it offers STARTTLS.
func startMail(t *testing.T, withTLS bool) *post {
	t.Helper()
	p := &post{}
	cfg := mailbox.Config{User: "shelf", Password: "open"}
	if withTLS {
		web := httptest.NewUnstartedServer(nil) // its certificate is for 127.0.0.1
		web.StartTLS()
		cfg.TLS = &tls.Config{Certificates: web.TLS.Certificates, MinVersion: tls.VersionTLS12}
		p.ca = filepath.Join(t.TempDir(), "ca.pem")
		if err := os.WriteFile(p.ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw}), 0o600); err != nil {
			t.Fatal(err)
		}
		web.Close()
	}
	var err error
	if p.Box, err = mailbox.Start(cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func (p *post) config(tlsMode string) MailConfig {
	return MailConfig{Name: "mail", Host: "127.0.0.1", Port: p.Port(), TLS: tlsMode, CAFile: p.ca, From: "Shelfstream <alerts@example.com>", Timeout: patient}
}

func mailChannel(t *testing.T, cfg MailConfig) *Mail {
	t.Helper()
	m, err := NewMail(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMailOverSTARTTLSWithALogin(t *testing.T) {
	box := startMail(t, true)
	cfg := box.config("starttls")
	cfg.User, cfg.Password = "shelf", "open"
	if n, err := mailChannel(t, cfg).Send(context.Background(), "anna@example.com", opened, down()); err != nil || n < 500 {
		t.Fatal(n, err)
	}
	got := box.Mails()[0]
	if got.To != "anna@example.com" || got.User != "shelf" || !got.TLS {
		t.Errorf("to %q, login %q, encrypted %v", got.To, got.User, got.TLS)
	}
	m, err := mail.ReadMessage(bytes.NewReader(got.Data))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"X-Shelfstream-Incident": "i1", "X-Shelfstream-Severity": "critical", "X-Shelfstream-Reason": "opened", "Auto-Submitted": "auto-generated",
		"Subject": "[moestue] CRITICAL sink shop: the shop's server does not answer",
	} {
		if got := m.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if id := m.Header.Get("Message-Id"); !strings.HasSuffix(id, "@example.com>") {
		t.Errorf("Message-ID %q", id)
	}
	if kind := m.Header.Get("Content-Type"); !strings.HasPrefix(kind, "multipart/alternative") {
		t.Errorf("content type %s", kind)
	}
	if _, err := mailChannel(t, cfg).Send(context.Background(), "anna@example.com", opened, down()); err != nil {
		t.Fatal(err)
	}
	if again, err := mail.ReadMessage(bytes.NewReader(box.Mails()[1].Data)); err != nil || again.Header.Get("Message-Id") != m.Header.Get("Message-Id") {
		t.Errorf("another Message-ID at the second try: %v", err)
	}
}

func TestWhatMailServersRefuse(t *testing.T) {
	secure, open := startMail(t, true), startMail(t, false)
	login := secure.config("starttls")
	login.User, login.Password = "shelf", "wrong"
	stranger := secure.config("starttls")
	stranger.CAFile = ""
	nobody := open.config("none")
	nobody.Port = closedPort(t)
	silent := open.config("none")
	silent.Port, silent.Timeout = silentPort(t), 200*time.Millisecond
	for _, c := range []struct {
		name  string
		cfg   MailConfig
		to    string
		cause fault.Cause
	}{
		{"recipient", open.config("none"), "gone@example.com", fault.ChannelRecipient},
		{"full", open.config("none"), "full@example.com", fault.ChannelRecipient},
		{"login", login, "anna@example.com", fault.ChannelLogin},
		{"certificate", stranger, "anna@example.com", fault.ChannelRefused},
		{"no STARTTLS", open.config("starttls"), "anna@example.com", fault.ChannelRefused},
		{"down", nobody, "anna@example.com", fault.ChannelUnreachable},
		{"silent", silent, "anna@example.com", fault.ChannelTimeout},
	} {
		_, err := mailChannel(t, c.cfg).Send(context.Background(), c.to, opened, down())
		var f *fault.Fault
		if !errors.As(err, &f) || f.Cause != c.cause || f.Fix == "" {
			t.Errorf("%s: %v, want %s", c.name, err, c.cause)
		}
		if err != nil && strings.Contains(err.Error(), "wrong") {
			t.Errorf("%s: the password is told: %v", c.name, err)
		}
	}
	if len(open.Mails())+len(secure.Mails()) > 0 {
		t.Errorf("mail got through: %d, %d", len(open.Mails()), len(secure.Mails()))
	}
}

func closedPort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// silentPort takes connections and never says a word.
func silentPort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().(*net.TCPAddr).Port
}

// exchanges collects the record.
type exchanges struct {
	mu  sync.Mutex
	all []exchange.Exchange
}

func (x *exchanges) Add(e exchange.Exchange) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.all = append(x.all, e)
}

func TestTheNextChannelWhenTheMailServerIsDown(t *testing.T) {
	box := startMail(t, false)
	dead := box.config("none")
	dead.Name, dead.Port = "first", closedPort(t)
	x := &exchanges{}
	n := New(Config{
		Channels:  map[string]Channel{"first": mailChannel(t, dead), "second": mailChannel(t, box.config("none"))},
		Addresses: map[string]map[string]string{"anna": {"first": "anna@example.com", "second": "anna@example.org"}}, Exchanges: x, URL: "https://page.example/", Signer: NewSigner([]byte("k"), time.Hour),
	})
	m := opened
	m.Channels = []string{"first", "second"}
	channel, err := n.Deliver(context.Background(), m, down())
	if err != nil || channel != "second" || len(box.Mails()) != 1 || box.Mails()[0].To != "anna@example.org" {
		t.Fatalf("%q %v, %d mails", channel, err, len(box.Mails()))
	}
	if len(x.all) != 2 || x.all[0].Outcome != exchange.Failed || x.all[0].Link != "channel first" || x.all[0].Fault.Cause != string(fault.ChannelUnreachable) || x.all[1].Outcome != exchange.OK || x.all[1].Attempt != 2 {
		t.Errorf("exchanges: %+v", x.all)
	}
	if text := string(box.Mails()[0].Data); !strings.Contains(text, "https://page.example/incidents/i1") {
		t.Errorf("no link in %s", text)
	}
	m.Channels = []string{"first"}
	if _, err := n.Deliver(context.Background(), m, down()); fault.ExitCode(err) != 3 {
		t.Errorf("exit code %d of %v", fault.ExitCode(err), err)
	}
}

var opened = escalate.Message{ID: "i1/opened/0.0/anna", Reason: escalate.Opened, Person: "anna", Channels: []string{"mail"}}

// down is an incident.
func down() Content {
	return Content{
		Pipeline: "moestue", Incident: "i1", Severity: "critical", Link: "sink shop", Data: "order", Cause: "mysql.unreachable", Kind: "connection",
		Where: "sink shop: 10.0.0.7:3306", What: "the shop's server does not answer", Fix: "start the server <or> correct the DSN & try again", Command: "systemctl start mysql",
		Worker: "web-1", Count: 12, Samples: []string{"product 4711", "product 4712"}, Reason: escalate.Opened,
		Opened: time.Date(2026, 7, 8, 12, 0, 0, 0, time.UTC), Last: time.Date(2026, 7, 8, 12, 5, 0, 0, time.UTC),
		AckURL: "https://page.example/ack?incident=i1&person=anna", PageURL: "https://page.example/incidents/i1",
	}
}
