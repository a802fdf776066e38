package notify

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"

	"shelfstream/internal/fault"
	"shelfstream/status/escalate"
)

// MailConfig is a mail server and how to speak with it.
type MailConfig struct {
	Name string // of the channel
	Host string
	Port int // 0: 587, with TLS "tls" 465
	// TLS is "starttls" (the mail is not sent if the server cannot), "tls" from the start, or "none".
	TLS            string
	CAFile         string // "": the system's authorities
	User, Password string
	From           string
	To             []string // who is told if the channel itself is
	Timeout        time.Duration
}

// Mail sends mail over SMTP: text and HTML, with a Message-ID that is the same at each try and headers for filters (X-Shelfstream-…).
type Mail struct {
	cfg    MailConfig
	from   *netmail.Address
	domain string
	roots  *x509.CertPool
}

// NewMail reads the sender and the certificates.
func NewMail(cfg MailConfig) (*Mail, error) {
	from, err := netmail.ParseAddress(cfg.From)
	if err != nil {
		return nil, &fault.Fault{Class: fault.Config, Where: "channel " + cfg.Name, What: fmt.Sprintf("%q is no mail address", cfg.From), Fix: "write alerts@example.com in 'from'"}
	}
	m := &Mail{cfg: cfg, from: from, domain: from.Address[strings.LastIndexByte(from.Address, '@')+1:]}
	if cfg.CAFile != "" {
		pem, err := os.ReadFile(cfg.CAFile)
		m.roots = x509.NewCertPool()
		if err != nil || !m.roots.AppendCertsFromPEM(pem) {
			return nil, &fault.Fault{Class: fault.Config, Where: cfg.CAFile, What: "there is no certificate in this file", Err: err, Fix: "name a PEM file with the authority that signed the mail server's certificate in 'ca'"}
		}
	}
	if cfg.Port == 0 {
		m.cfg.Port = 587
		if cfg.TLS == "tls" {
			m.cfg.Port = 465
		}
	}
	return m, nil
}

var _ Channel = (*Mail)(nil)

// Kind is "mail".
func (*Mail) Kind() string { return "mail" }

// Send delivers to one address, or to the channel's own where to is empty.
func (s *Mail) Send(ctx context.Context, to string, m escalate.Message, c Content) (int64, error) {
	recipients := s.cfg.To
	if to != "" {
		recipients = []string{to}
	}
	msg, err := s.message(recipients, m, &c)
	if err != nil {
		return 0, s.fault(fault.ChannelRecipient, "the mail cannot be addressed", err, "correct the address in alerts.people")
	}
	client, err := s.client()
	if err != nil {
		return 0, s.fault(fault.ChannelRefused, "the mail server's settings do not fit together", err, "correct alerts.channels")
	}
	err = client.DialAndSendWithContext(ctx, msg)
	var size counter
	if _, errSize := msg.WriteTo(&size); errSize != nil {
		size = 0
	}
	if err != nil && !msg.IsDelivered() { // a line that breaks after the server took it is no failure: the mail is on its way
		return 0, s.explain(err, recipients)
	}
	return int64(size), nil
}

type counter int64

func (c *counter) Write(b []byte) (int, error) { *c += counter(len(b)); return len(b), nil }

func (s *Mail) client() (*mail.Client, error) {
	options := []mail.Option{
		mail.WithPort(s.cfg.Port), mail.WithTimeout(s.cfg.Timeout), mail.WithHELO(helo()),
		mail.WithTLSConfig(&tls.Config{ServerName: s.cfg.Host, RootCAs: s.roots, MinVersion: tls.VersionTLS12}),
	}
	switch s.cfg.TLS {
	case "tls":
		options = append(options, mail.WithSSL())
	case "none":
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	default:
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if s.cfg.User != "" {
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(s.cfg.User), mail.WithPassword(s.cfg.Password))
	}
	return mail.NewClient(s.cfg.Host, options...)
}

func helo() string {
	if name, err := os.Hostname(); err == nil && name != "" {
		return name
	}
	return "localhost"
}

func (s *Mail) message(to []string, m escalate.Message, c *Content) (*mail.Msg, error) {
	msg := mail.NewMsg()
	msg.FromMailAddress(s.from)
	if err := msg.To(to...); err != nil {
		return nil, err
	}
	msg.Subject(title(m, c))
	msg.SetDate()
	msg.SetMessageIDWithValue(s.id(m.ID))
	if c.Incident != "" && m.Reason != escalate.Several { // mail programs show one incident's messages together
		thread := "<" + s.id("incident "+c.Incident) + ">"
		msg.SetGenHeader(mail.HeaderReferences, thread)
		msg.SetGenHeader(mail.HeaderInReplyTo, thread)
	}
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // so that no holiday notice answers
	if c.Severity == string(escalate.Critical) && m.Reason != escalate.AllClear {
		msg.SetImportance(mail.ImportanceHigh)
	}
	for _, h := range []line{
		{"Pipeline", c.Pipeline},
		{"Incident", c.Incident},
		{"Severity", c.Severity},
		{"Reason", string(m.Reason)},
		{"Link", c.Link},
		{"Data", c.Data},
		{"Cause", c.Cause},
	} {
		if h.text != "" {
			msg.SetGenHeader(mail.Header("X-Shelfstream-"+h.label), oneLine(h.text))
		}
	}
	msg.SetBodyString(mail.TypeTextPlain, plain(m, c))
	msg.AddAlternativeString(mail.TypeTextHTML, page(m, c))
	return msg, nil
}

// id makes a Message-ID, without its brackets, of a name that may hold anything.
func (s *Mail) id(name string) string {
	sum := sha256.Sum256([]byte(name))
	return "shelfstream." + hex.EncodeToString(sum[:16]) + "@" + s.domain
}

func (s *Mail) server() string { return net.JoinHostPort(s.cfg.Host, strconv.Itoa(s.cfg.Port)) }

func (s *Mail) fault(cause fault.Cause, what string, err error, fix string) error {
	return &fault.Fault{Class: fault.Environment, Cause: cause, Where: "channel " + s.cfg.Name + ": " + s.server(), What: what, Err: err, Fix: fix}
}

// explain says what a mail server's answer, or its silence, means.
func (s *Mail) explain(err error, to []string) error {
	var sent *mail.SendError
	var network net.Error
	var unknownHost *net.DNSError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &certificate):
		return s.fault(fault.ChannelRefused, "the mail server's certificate is not trusted", err, "name the authority that signed it in 'ca', or the host by the name in the certificate")
	case strings.Contains(err.Error(), "STARTTLS"):
		return s.fault(fault.ChannelRefused, "the mail server does not offer STARTTLS, so nothing was sent", nil, "write 'tls: tls' if it encrypts from the start (port 465), or 'tls: none' if the line need not be encrypted")
	case errors.As(err, &sent) && sent.Reason == mail.ErrSMTPRcptTo:
		return s.fault(fault.ChannelRecipient, "the mail server refuses the recipient "+strings.Join(to, ", "), err, "correct the address in alerts.people, or allow the sender to write to it")
	case errors.As(err, &sent) && sent.ErrorCode()/100 == 4:
		return s.fault(fault.ChannelBusy, "the mail server cannot take mail now", err, "nothing if it passes; else ask who runs the mail server")
	case errors.As(err, &sent) && sent.ErrorCode()/100 == 5:
		return s.fault(fault.ChannelRefused, "the mail server refuses the mail", err, "allow "+s.from.Address+" to send over this server, or correct 'from'")
	case errors.Is(err, smtp.ErrUnencrypted), errors.Is(err, mail.ErrNoSupportedAuthDiscovered), isReply(err, "535"), isReply(err, "534"), isReply(err, "530"):
		return s.fault(fault.ChannelLogin, "the mail server refuses the login of "+s.cfg.User, err, "correct user and password of the channel, or unlock the account at the mail server")
	case errors.As(err, &unknownHost):
		return s.fault(fault.ChannelUnreachable, "there is no such mail server", err, "correct 'host' of the channel, or the name service")
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return s.fault(fault.ChannelTimeout, "the mail server did not answer in "+s.cfg.Timeout.String(), err, "start the mail server, or look for what slows it down; a firewall may swallow the connection")
	}
	return s.fault(fault.ChannelUnreachable, "the mail server does not answer, or broke off", err, "start the mail server, or correct 'host' and 'port' of the channel")
}

// isReply says whether an error is a mail server's reply with this code; the client keeps only its text.
func isReply(err error, code string) bool {
	return strings.Contains(err.Error(), ": "+code+" ") || strings.HasPrefix(err.Error(), code+" ")
}
