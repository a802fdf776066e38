package sink

import (
	"encoding/binary"

	"github.com/cespare/xxhash/v2"
)

// KeyHash stands for a key where very many must be held: 128 bits, two xxhash64 with different seeds. Two different keys among 100 million share one
// with a probability below 10^-22.
type KeyHash [16]byte

// secondSeed is any number that is not zero, which the first hash uses.
const secondSeed = 0x9E3779B97F4A7C15

// HashKey hashes a key's bytes.
func HashKey(key []byte) KeyHash {
	var h KeyHash
	binary.BigEndian.PutUint64(h[:8], xxhash.Sum64(key))
	d := xxhash.NewWithSeed(secondSeed)
	_, _ = d.Write(key) // never fails
	binary.BigEndian.PutUint64(h[8:], d.Sum64())
	return h
}
