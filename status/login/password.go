package login

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
)

// What a new hash costs: argon2id by RFC 9106 with OWASP's least memory, for the process is meant to stay small.
const (
	hashMemory  = 19 << 10 // KiB
	hashPasses  = 2
	hashThreads = 1
	hashSalt    = 16 // bytes
	hashKey     = 32 // bytes
)

// What a hash from elsewhere may cost, so that one line of a configuration does not take the machine's memory at each login.
const (
	mostMemory = 256 << 10 // KiB
	mostPasses = 16
	mostCost   = 15 // of bcrypt
)

// MinPassword is how many bytes a new password has at least; MaxPassword how many any may have, so that nobody sends megabytes to be hashed.
const (
	MinPassword = 8
	MaxPassword = 1024
)

// Hash makes what stands in the configuration for a password: argon2id in PHC's string format.
func Hash(password string) (string, error) {
	if len(password) < MinPassword || len(password) > MaxPassword {
		return "", fmt.Errorf("a password has from %d to %d bytes", MinPassword, MaxPassword)
	}
	salt := make([]byte, hashSalt)
	_, _ = rand.Read(salt) // never fails
	key := argon2.IDKey([]byte(password), salt, hashPasses, hashMemory, hashThreads, hashKey)
	enc := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, hashMemory, hashPasses, hashThreads, enc.EncodeToString(salt), enc.EncodeToString(key)), nil
}

// phc are the parts of an argon2id hash.
type phc struct {
	memory, passes uint32
	threads        uint8
	salt, key      []byte
}

var errHash = errors.New("it is neither an argon2id nor a bcrypt hash")

// CheckHash says what is wrong with a hash: its form, or that it would cost too much.
func CheckHash(hash string) error {
	if strings.HasPrefix(hash, "$2") {
		cost, err := bcrypt.Cost([]byte(hash))
		switch {
		case err != nil:
			return errHash
		case cost > mostCost:
			return fmt.Errorf("bcrypt's cost %d is more than %d", cost, mostCost)
		}
		return nil
	}
	_, err := parsePHC(hash)
	return err
}

func parsePHC(hash string) (h phc, err error) {
	parts := strings.Split(hash, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" {
		return h, errHash
	}
	var version int
	if _, err := fmt.Sscanf(parts[2], "v=%d", &version); err != nil || version != argon2.Version {
		return h, errHash
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &h.memory, &h.passes, &h.threads); err != nil || h.passes == 0 || h.threads == 0 {
		return h, errHash
	}
	if h.memory > mostMemory || h.passes > mostPasses {
		return h, fmt.Errorf("m=%d,t=%d is more than %d KiB or %d passes", h.memory, h.passes, mostMemory, mostPasses)
	}
	enc := base64.RawStdEncoding
	if h.salt, err = enc.DecodeString(parts[4]); err != nil || len(h.salt) < 8 {
		return h, errHash
	}
	if h.key, err = enc.DecodeString(parts[5]); err != nil || len(h.key) < 16 || len(h.key) > 128 {
		return h, errHash
	}
	return h, nil
}

// matches says whether a password has this hash.
func matches(hash, password string) bool {
	if len(password) > MaxPassword {
		return false
	}
	if strings.HasPrefix(hash, "$2") {
		return CheckHash(hash) == nil && bcrypt.CompareHashAndPassword([]byte(hash), []byte(password)) == nil
	}
	h, err := parsePHC(hash)
	if err != nil {
		return false
	}
	key := argon2.IDKey([]byte(password), h.salt, h.passes, h.memory, h.threads, uint32(len(h.key)))
	return subtle.ConstantTimeCompare(key, h.key) == 1
}
