// Package mailbox is a real SMTP server for tests: it takes mail over TCP, and keeps it in memory.
package mailbox

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// Config of a Box; the zero value takes mail from anybody.
type Config struct {
	// TLS lets it offer STARTTLS; nil: the line is never encrypted.
	TLS *tls.Config
	// User and Password are the login that it offers.
	User, Password string
}

// Mail is one that was taken.
type Mail struct {
	To   string
	User string // who had logged in; "" is nobody
	TLS  bool   // whether the line was encrypted
	At   time.Time
	Data []byte // as it came, with its header
}

// Box is a mail server on a port of 127.0.0.1. It refuses recipients whose address begins with "gone@" (nobody has it) and "full@" (for now).
type Box struct {
	cfg  Config
	addr *net.TCPAddr

	mu       sync.Mutex
	mails    []Mail
	arrived  func(*Mail)
	server   *smtp.Server
	listener net.Listener
	ended    chan struct{}
}

// Start starts a server on a free port. Stop it.
func Start(cfg Config) (*Box, error) {
	b := &Box{cfg: cfg, addr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}}
	return b, b.Restart()
}

// Port is where it listens, on 127.0.0.1. It stays over Stop and Restart.
func (b *Box) Port() int { return b.addr.Port }

// Restart listens again after Stop; what was taken stays.
func (b *Box) Restart() error {
	l, err := net.Listen("tcp", b.addr.String())
	if err != nil {
		return fmt.Errorf("mail server: %w", err)
	}
	if a, ok := l.Addr().(*net.TCPAddr); ok {
		b.addr = a
	}
	server := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return &session{box: b, conn: c}, nil }))
	server.Domain, server.TLSConfig = "mail.example.com", b.cfg.TLS
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(l) // it ends by Stop
	}()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.server, b.listener, b.ended = server, l, ended
	return nil
}

// Stop breaks off every connection; nobody listens until Restart.
func (b *Box) Stop() error {
	b.mu.Lock()
	server, listener, ended := b.server, b.listener, b.ended
	b.server = nil
	b.mu.Unlock()
	if server == nil {
		return nil
	}
	err := server.Close()
	if closing := listener.Close(); !errors.Is(closing, net.ErrClosed) { // it had not got as far as to serve it
		err = errors.Join(err, closing)
	}
	<-ended
	if errors.Is(err, smtp.ErrServerClosed) {
		return nil
	}
	return err
}

// Mails are those that were taken so far, the oldest first.
func (b *Box) Mails() []Mail {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.mails)
}

// OnArrival has fn called with each mail that has come whole, before its sender is told that it was taken.
func (b *Box) OnArrival(fn func(*Mail)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.arrived = fn
}

func (b *Box) take(m Mail) {
	b.mu.Lock()
	b.mails = append(b.mails, m)
	fn := b.arrived
	b.mu.Unlock()
	if fn != nil {
		fn(&m)
	}
}

// session is one connection.
type session struct {
	box  *Box
	conn *smtp.Conn
	user string
	to   []string
}

var _ smtp.AuthSession = (*session)(nil)

func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if s.box.cfg.User == "" || user != s.box.cfg.User || password != s.box.cfg.Password {
			return &smtp.SMTPError{Code: 535, EnhancedCode: smtp.EnhancedCode{5, 7, 8}, Message: "bad credentials"}
		}
		s.user = user
		return nil
	}), nil
}

func (s *session) Mail(string, *smtp.MailOptions) error { return nil }

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	switch {
	case strings.HasPrefix(to, "gone@"):
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user"}
	case strings.HasPrefix(to, "full@"):
		return &smtp.SMTPError{Code: 452, EnhancedCode: smtp.EnhancedCode{4, 2, 2}, Message: "mailbox full"}
	}
	s.to = append(s.to, to)
	return nil
}

func (s *session) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	_, encrypted := s.conn.TLSConnectionState()
	for _, to := range s.to {
		s.box.take(Mail{To: to, User: s.user, TLS: encrypted, At: time.Now(), Data: data})
	}
	return nil
}

func (s *session) Reset() { s.to = nil }

func (s *session) Logout() error { return nil }
