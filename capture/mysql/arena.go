package mysql

// arena holds what the values of one row refer to and the wire does not have in that form: converted text, JSON, padded bytes. It is emptied for
// each row, so that a row costs no allocation once the arena has grown to the largest seen.
//
// Growing moves only what is added later: earlier values keep the old array, which lives as long as they refer to it.
type arena struct{ bytes []byte }

// keepBytes is how much an arena keeps for the next row; a rare huge value is not held for ever.
const keepBytes = 1 << 20

func (a *arena) reset() {
	if cap(a.bytes) > keepBytes {
		a.bytes = nil
	}
	a.bytes = a.bytes[:0]
}

// grab gives n bytes to write to; they may hold anything.
func (a *arena) grab(n int) []byte {
	if cap(a.bytes)-len(a.bytes) < n {
		a.bytes = make([]byte, 0, max(n, 2*cap(a.bytes), 512))
	}
	from := len(a.bytes)
	a.bytes = a.bytes[:from+n]
	return a.bytes[from : from+n : from+n]
}

// keep gives the bytes that fn appends.
func (a *arena) keep(fn func(dst []byte) ([]byte, error)) ([]byte, error) {
	from := len(a.bytes)
	b, err := fn(a.bytes)
	if err != nil {
		return nil, err
	}
	a.bytes = b
	return b[from:len(b):len(b)], nil
}
