//go:build integration

package main

import (
	"crypto/tls"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"shelfstream/internal/testenv/mailbox"
)

// A dialogue about channels has a mail server (MAIL_PORT, with STARTTLS and a certificate in ca.pem, whose only user is shelf with the password open) and a chat room (CHAT), to which one posts at
// /room with the header "Authorization: Bearer right". More prompts:
//
//	mail>  stop or start the mail server; taken: whom it has taken mail for
//	chat>  well; busy for TIME or until it is well, asks for TIME of rest, or slow: what the room answers from now on
func (f *faultWorld) channels(t *testing.T) {
	t.Helper()
	web := httptest.NewUnstartedServer(nil)
	web.StartTLS() // its certificate is for 127.0.0.1
	certificates := web.TLS.Certificates
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw})
	web.Close()
	if err := os.WriteFile(filepath.Join(f.dir, "ca.pem"), ca, 0o600); err != nil {
		t.Fatal(err)
	}
	box, err := mailbox.Start(mailbox.Config{User: "shelf", Password: "open", TLS: &tls.Config{Certificates: certificates, MinVersion: tls.VersionTLS12}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeServer(t, box.Stop) })
	room := &chatRoom{ended: make(chan struct{})}
	chat := httptest.NewServer(room)
	t.Cleanup(func() {
		close(room.ended)
		chat.Close()
	})
	f.env["MAIL_PORT"], f.env["CHAT"], f.env["DIR"] = strconv.Itoa(box.Port()), chat.URL, f.dir
	f.say["mail"] = func(t *testing.T, what string) string {
		t.Helper()
		switch what {
		case "stop":
			closeServer(t, box.Stop)
		case "start":
			closeServer(t, box.Restart)
		default:
			var b strings.Builder
			for _, m := range box.Mails() {
				b.WriteString(m.To + "\n")
			}
			return b.String()
		}
		return ""
	}
	f.say["chat"] = room.told
}

// chatRoom is a web server that takes messages.
type chatRoom struct {
	mood  atomic.Pointer[mood]
	ended chan struct{}
}

type mood struct {
	is    string
	lasts time.Duration
	until atomic.Pointer[time.Time] // from the first message on
}

func (c *chatRoom) told(t *testing.T, what string) string {
	t.Helper()
	is, text, timed := strings.Cut(what, " ")
	m := &mood{is: is}
	if timed {
		var err error
		if m.lasts, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	c.mood.Store(m)
	return ""
}

func (c *chatRoom) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch m := c.mood.Load(); {
	case r.URL.Path != "/room":
		http.Error(w, "no such room", http.StatusNotFound)
	case r.Header.Get("Authorization") != "Bearer right":
		http.Error(w, "who are you?", http.StatusUnauthorized)
	case m == nil || m.over():
	case m.is == "busy":
		http.Error(w, "being repaired", http.StatusServiceUnavailable)
	case m.is == "tired":
		w.Header().Set("Retry-After", strconv.Itoa(int(m.lasts.Seconds())))
		http.Error(w, "too many messages", http.StatusTooManyRequests)
	case m.is == "slow":
		select {
		case <-r.Context().Done():
		case <-c.ended:
		}
	}
}

// over says whether the mood has passed; its time begins with the first message that meets it.
func (m *mood) over() bool {
	if m.lasts == 0 {
		return m.is == "well"
	}
	end := time.Now().Add(m.lasts)
	m.until.CompareAndSwap(nil, &end)
	return time.Now().After(*m.until.Load())
}
