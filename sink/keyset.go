package sink

// keySlice bounds what is remembered of the keys of a long stretch of a topic. It holds the keys whose hash is in one slice of 2^bits; when they become too many,
// the slice is halved and the keys that fell out are forgotten, to be dealt with in a later pass over the stretch. So a stretch of any length needs
// a bounded memory and as many passes as it has to.
type keySlice struct {
	max  int
	bits uint
	at   uint64 // number of the slice, 0…2^bits-1
	keys map[KeyHash]int64
}

// defaultMaxKeys is about 80 MB of memory.
const defaultMaxKeys = 1_500_000

func newKeySlice(limit int) *keySlice {
	if limit <= 0 {
		limit = defaultMaxKeys
	}
	return &keySlice{max: limit, keys: map[KeyHash]int64{}}
}

// slice is the number of a key's slice, taken from the hash's first bits.
func (k *keySlice) slice(h KeyHash) uint64 {
	if k.bits == 0 {
		return 0
	}
	return (uint64(h[0])<<24 | uint64(h[1])<<16 | uint64(h[2])<<8 | uint64(h[3])) >> (32 - k.bits)
}

// has says whether the key belongs to the slice.
func (k *keySlice) has(h KeyHash) bool { return k.slice(h) == k.at }

// set notes v for a key of the slice.
func (k *keySlice) set(h KeyHash, v int64) {
	if !k.has(h) {
		return
	}
	k.keys[h] = v
	for len(k.keys) > k.max && k.bits < 32 {
		k.bits++
		k.at *= 2
		for key := range k.keys {
			if !k.has(key) {
				delete(k.keys, key)
			}
		}
	}
}

// next goes to the next slice and forgets the keys; false if that was the last.
func (k *keySlice) next() bool {
	clear(k.keys)
	// Where the slice is the upper half of a larger one, all of that is done: wider slices again.
	for k.bits > 0 && k.at&1 == 1 {
		k.at >>= 1
		k.bits--
	}
	if k.bits == 0 {
		return false
	}
	k.at++
	return true
}
