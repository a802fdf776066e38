package notify

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"shelfstream/internal/fault"
	"shelfstream/status/escalate"
	"shelfstream/status/exchange"
)

// mailbox is a real SMTP server on a port of its own.
type mailbox struct {
	host string
	port int
	ca   string

	mu    sync.Mutex
	mails []received
}

type received struct {
	to, user string
	tls      bool
	data     []byte
}

type mailSession struct {
	box  *mailbox
	conn *smtp.Conn
	got  received
}

func (s *mailSession) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *mailSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "shelf" || password != "open" {
			return &smtp.SMTPError{Code: 535, EnhancedCode: smtp.EnhancedCode{5, 7, 8}, Message: "bad credentials"}
		}
		s.got.user = user
		return nil
	}), nil
}
func (s *mailSession) Mail(string, *smtp.MailOptions) error { return nil }
func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	switch {
	case strings.HasPrefix(to, "gone@"):
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user"}
	case strings.HasPrefix(to, "full@"):
		return &smtp.SMTPError{Code: 452, EnhancedCode: smtp.EnhancedCode{4, 2, 2}, Message: "mailbox full"}
	}
	s.got.to = to
	return nil
}

func (s *mailSession) Data(r io.Reader) (err error) {
	_, s.got.tls = s.conn.TLSConnectionState()
	if s.got.data, err = io.ReadAll(r); err == nil {
		s.box.mu.Lock()
		s.box.mails = append(s.box.mails, s.got)
		s.box.mu.Unlock()
	}
	return err
}
func (s *mailSession) Reset()        {}
func (s *mailSession) Logout() error { return nil }

// startMail starts a server; with a certificate it offers STARTTLS.
func startMail(t *testing.T, withTLS bool) *mailbox {
	t.Helper()
	box := &mailbox{host: "127.0.0.1"}
	server := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return &mailSession{box: box, conn: c}, nil }))
	server.Domain = "mail.example.com"
	if withTLS {
		web := httptest.NewUnstartedServer(nil) // its certificate is for 127.0.0.1
		web.StartTLS()
		server.TLSConfig = &tls.Config{Certificates: web.TLS.Certificates, MinVersion: tls.VersionTLS12}
		box.ca = filepath.Join(t.TempDir(), "ca.pem")
		if err := os.WriteFile(box.ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw}), 0o600); err != nil {
			t.Fatal(err)
		}
		web.Close()
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	box.port = l.Addr().(*net.TCPAddr).Port
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	t.Cleanup(func() {
		_ = server.Close()
		<-done
	})
	return box
}

func (b *mailbox) config(tlsMode string) MailConfig {
	return MailConfig{Name: "mail", Host: b.host, Port: b.port, TLS: tlsMode, CAFile: b.ca, From: "Shelfstream <alerts@example.com>", Timeout: 5 * time.Second}
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
	got := box.mails[0]
	if got.to != "anna@example.com" || got.user != "shelf" || !got.tls {
		t.Errorf("to %q, login %q, encrypted %v", got.to, got.user, got.tls)
	}
	m, err := mail.ReadMessage(bytes.NewReader(got.data))
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
	if again, err := mail.ReadMessage(bytes.NewReader(box.mails[1].data)); err != nil || again.Header.Get("Message-Id") != m.Header.Get("Message-Id") {
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
		{"recipient", open.config("none"), "gone@example.com", CauseRecipient},
		{"full", open.config("none"), "full@example.com", CauseRecipient},
		{"login", login, "anna@example.com", CauseLogin},
		{"certificate", stranger, "anna@example.com", CauseRefused},
		{"no STARTTLS", open.config("starttls"), "anna@example.com", CauseRefused},
		{"down", nobody, "anna@example.com", CauseUnreachable},
		{"silent", silent, "anna@example.com", CauseTimeout},
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
	if len(open.mails)+len(secure.mails) > 0 {
		t.Errorf("mail got through: %d, %d", len(open.mails), len(secure.mails))
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
	if err != nil || channel != "second" || len(box.mails) != 1 || box.mails[0].to != "anna@example.org" {
		t.Fatalf("%q %v, %d mails", channel, err, len(box.mails))
	}
	if len(x.all) != 2 || x.all[0].Outcome != exchange.Failed || x.all[0].Link != "channel first" || x.all[0].Fault.Cause != string(CauseUnreachable) || x.all[1].Outcome != exchange.OK || x.all[1].Attempt != 2 {
		t.Errorf("exchanges: %+v", x.all)
	}
	if text := string(box.mails[0].data); !strings.Contains(text, "https://page.example/incidents/i1") {
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
