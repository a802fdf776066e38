package login

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"sync"
	"time"
)

// How long a session lives: after the last request, and altogether. mostSessions bounds the memory; the one unused for longest goes first.
const (
	idleFor      = 2 * time.Hour
	lastsFor     = 12 * time.Hour
	mostSessions = 1000
)

// sessions are those of this process, by the hash of their id: what a dump of the memory shows cannot be sent as a cookie.
type sessions struct {
	now func() time.Time
	key []byte // of the forms' tokens

	mu   sync.Mutex
	open map[[sha256.Size]byte]*session
}

type session struct {
	name        string
	began, used time.Time
}

func newSessions(now func() time.Time) *sessions {
	return &sessions{now: now, key: random(32), open: map[[sha256.Size]byte]*session{}}
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}

// begin opens a session and gives its id, which goes into the cookie.
func (s *sessions) begin(name string) (id string) {
	id = hex.EncodeToString(random(32))
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.open) >= mostSessions {
		s.room(now)
	}
	s.open[sha256.Sum256([]byte(id))] = &session{name: name, began: now, used: now}
	return id
}

// room drops what has ended, and where that is nothing, the session unused for longest.
func (s *sessions) room(now time.Time) {
	var oldest [sha256.Size]byte
	var at time.Time
	for k, o := range s.open {
		if o.over(now) {
			delete(s.open, k)
		} else if at.IsZero() || o.used.Before(at) {
			oldest, at = k, o.used
		}
	}
	if len(s.open) >= mostSessions {
		delete(s.open, oldest)
	}
}

func (o *session) over(now time.Time) bool {
	return now.Sub(o.used) > idleFor || now.Sub(o.began) > lastsFor
}

// find gives the name of whose session it is.
func (s *sessions) find(id string) (name string, ok bool) {
	now, k := s.now(), sha256.Sum256([]byte(id))
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.open[k]
	if o == nil {
		return "", false
	}
	if o.over(now) {
		delete(s.open, k)
		return "", false
	}
	o.used = now
	return o.name, true
}

func (s *sessions) end(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, sha256.Sum256([]byte(id)))
}

// token is what forms of this session carry. Another site can make a browser send the cookie, but cannot read the page that has the token.
func (s *sessions) token(id string) string {
	m := hmac.New(sha256.New, s.key)
	m.Write([]byte(id))
	return hex.EncodeToString(m.Sum(nil))
}

func (s *sessions) isToken(id, token string) bool {
	return hmac.Equal([]byte(s.token(id)), []byte(token))
}
