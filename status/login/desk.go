package login

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Role is what somebody may do.
type Role string

// The roles; each may what those before it may. The empty role may nothing.
const (
	Nobody  Role = ""
	View    Role = "view"    // look at everything
	Operate Role = "operate" // acknowledge, retry, skip, apply
)

// May says whether the role is enough for what needs need.
func (r Role) May(need Role) bool {
	rank := map[Role]int{View: 1, Operate: 2}
	return rank[r] >= rank[need]
}

// User is somebody of the configuration.
type User struct {
	PasswordHash string // of Hash, or bcrypt's
	Role         Role
}

// Proxy is a server before this one that has logged people in and names them in a header.
type Proxy struct {
	// Header has the name, e.g. X-Forwarded-User.
	Header string
	// Trusted are the addresses from which the header counts.
	Trusted []netip.Prefix
	// Role is of names that are no user's.
	Role Role
}

// Config says who may do what.
type Config struct {
	Users map[string]User
	// Proxy is nil where nobody else logs people in.
	Proxy *Proxy
	// Open lets everybody who reaches the port look.
	Open bool
	// Loopback says that the port is open on loopback only.
	Loopback bool
	// Now is the clock; nil = time.Now.
	Now func() time.Time
}

// Desk answers who asks. Its methods may be called by several goroutines.
type Desk struct {
	cfg      Config
	sessions *sessions
	byAddr   *limit
	byUser   *limit
	token    string // of the commands
	dummy    string // what the password of a user that does not exist is compared with, so that the time tells nothing

	hashing sync.Mutex // one hash at a time: its memory is the machine's
	basic   map[[sha256.Size]byte]time.Time
}

// How fast passwords may be tried: five at once from an address and then one in ten seconds, ten of one user and then one in five.
const (
	addrBurst = 5
	addrEvery = 10 * time.Second
	userBurst = 10
	userEvery = 5 * time.Second
)

// NewDesk makes a desk.
func NewDesk(cfg Config) *Desk {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	d := &Desk{
		cfg: cfg, sessions: newSessions(cfg.Now), byAddr: newLimit(addrBurst, addrEvery, cfg.Now), byUser: newLimit(userBurst, userEvery, cfg.Now),
		token: Token(cfg.Users), basic: map[[sha256.Size]byte]time.Time{},
	}
	if len(cfg.Users) > 0 {
		d.dummy, _ = Hash(hex.EncodeToString(random(16)))
	}
	return d
}

// Known says whether anybody can log in: users or a proxy are configured.
func (d *Desk) Known() bool { return len(d.cfg.Users) > 0 || d.cfg.Proxy != nil }

// HasPasswords says whether there are users to log in with a password.
func (d *Desk) HasPasswords() bool { return len(d.cfg.Users) > 0 }

// Token is by what the commands show that they read the same configuration: it follows from the users' hashes. It is good for looking only. Empty without users.
func Token(users map[string]User) string {
	if len(users) == 0 {
		return ""
	}
	m := hmac.New(sha256.New, []byte("the token of commands"))
	for _, name := range slices.Sorted(maps.Keys(users)) {
		fmt.Fprintf(m, "%q %q\n", name, users[name].PasswordHash)
	}
	return hex.EncodeToString(m.Sum(nil))
}

// ErrWrong says that there is no such user with this password.
var ErrWrong = errors.New("the name or the password is wrong")

// TooManyError says that passwords were tried too often.
type TooManyError struct{ After time.Duration }

func (e *TooManyError) Error() string {
	return fmt.Sprintf("too many wrong passwords; try again in %d s", e.Seconds())
}

// Seconds is After, rounded up.
func (e *TooManyError) Seconds() int { return int((e.After + time.Second - 1) / time.Second) }

// check compares a password. The error is ErrWrong or a *TooManyError.
func (d *Desk) check(r *http.Request, name, password string) error {
	addr, user := limitKey(d.From(r)), ""
	u, ok := d.cfg.Users[name]
	if ok {
		user = name // a name that nobody has needs no bucket: there is nothing to guess
	}
	if wait := d.byAddr.take(addr); wait > 0 {
		return &TooManyError{wait}
	}
	if user != "" {
		if wait := d.byUser.take(user); wait > 0 {
			return &TooManyError{wait}
		}
	}
	hash := d.dummy
	if ok {
		hash = u.PasswordHash
	}
	d.hashing.Lock()
	good := matches(hash, password) && ok
	d.hashing.Unlock()
	if !good {
		return ErrWrong
	}
	d.byAddr.forgive(addr)
	d.byUser.forgive(user)
	return nil
}

// limitKey is the address that tries count against: of IPv6 the network of one customer.
func limitKey(from string) string {
	a, err := netip.ParseAddr(from)
	if err != nil {
		return from
	}
	if a = a.Unmap(); a.Is6() {
		p, _ := a.WithZone("").Prefix(64)
		return p.String()
	}
	return a.String()
}
