package notify

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"shelfstream/internal/fault"
)

// Signer makes the links by which somebody takes an incident on without a login, and checks them: HMAC-SHA256 over the incident, the person and the time
// until which they count.
type Signer struct {
	key   []byte
	valid time.Duration
}

// NewSigner signs with a key; every process of a pipeline needs the same. Links count for the time valid.
func NewSigner(key []byte, valid time.Duration) *Signer { return &Signer{key, valid} }

// Errors of Verify.
var (
	ErrSignature = errors.New("this link was not made here, or was changed on its way")
	ErrExpired   = errors.New("this link is too old")
)

// Sign gives the query of a link: incident, person, until (Unix seconds), sig.
func (s *Signer) Sign(incident, person string, now time.Time) url.Values {
	until := strconv.FormatInt(now.Add(s.valid).Unix(), 10)
	return url.Values{"incident": {incident}, "person": {person}, "until": {until}, "sig": {s.mac(incident, person, until)}}
}

// Verify gives what Sign put into a link, or ErrSignature or ErrExpired. Mail programs open links to look at them, so a page that is only fetched must
// not acknowledge: let the person press a button that sends the same query.
func (s *Signer) Verify(q url.Values, now time.Time) (incident, person string, err error) {
	incident, person = q.Get("incident"), q.Get("person")
	if !hmac.Equal([]byte(q.Get("sig")), []byte(s.mac(incident, person, q.Get("until")))) {
		return "", "", ErrSignature
	}
	until, err := strconv.ParseInt(q.Get("until"), 10, 64)
	if err != nil {
		return "", "", ErrSignature
	}
	if now.Unix() > until {
		return "", "", ErrExpired
	}
	return incident, person, nil
}

func (s *Signer) mac(parts ...string) string {
	h := hmac.New(sha256.New, s.key)
	for _, p := range parts { // with their lengths, so that no two lists read alike
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// LoadKey reads the key in a file, which is made at the first time, readable for its owner only.
func LoadKey(path string) ([]byte, error) {
	key, err := readKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, keyFault(path, err)
	}
	made := make([]byte, 32)
	if _, err := rand.Read(made); err != nil {
		return nil, keyFault(path, err)
	}
	// Written whole under another name first, and linked: of two processes that start together one wins, and both read its key.
	temporary, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // 0600
	if err != nil {
		return nil, keyFault(path, err)
	}
	_, err = temporary.WriteString(hex.EncodeToString(made) + "\n")
	if err = errors.Join(err, temporary.Close()); err == nil {
		err = os.Link(temporary.Name(), path)
	}
	if errRemove := os.Remove(temporary.Name()); err == nil {
		err = errRemove
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, keyFault(path, err)
	}
	return readKey(path)
}

func readKey(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err != nil {
		return nil, keyFault(path, err)
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) != 32 {
		return nil, keyFault(path, errors.New("it does not hold a key"))
	}
	return key, nil
}

func keyFault(path string, err error) error {
	return &fault.Fault{
		Class: fault.Environment, Cause: fault.LinkKeyUnusable, Where: path, What: "the key that signs acknowledgement links cannot be read or made", Err: err,
		Fix: "make the folder writable for the user that runs shelfstream, remove the file if it is broken, or set alerts.link_key",
	}
}
