package postgres

import "shelfstream/schemas"

// arena holds what the values of one row refer to and the wire does not have in that form: unescaped text, raw bytes, UUIDs,
// array elements. It is emptied for each row, so that a row costs no allocation once the arena has grown to the largest seen.
//
// Growing moves only what is added later: earlier values keep the old array, which lives as long as they refer to it.
type arena struct {
	bytes  []byte
	values []schemas.Value
}

// keepBytes is how much an arena keeps for the next row; a rare huge value is not held for ever.
const keepBytes = 1 << 20

func (a *arena) reset() {
	if cap(a.bytes) > keepBytes {
		a.bytes = nil
	}
	a.bytes = a.bytes[:0]
	a.values = a.values[:0]
}

// grab gives n bytes to write to.
func (a *arena) grab(n int) []byte {
	if cap(a.bytes)-len(a.bytes) < n {
		a.bytes = make([]byte, 0, max(n, 2*cap(a.bytes), 512))
	}
	from := len(a.bytes)
	a.bytes = a.bytes[:from+n]
	return a.bytes[from : from+n : from+n]
}

// list gives n values to write to.
func (a *arena) list(n int) []schemas.Value {
	if cap(a.values)-len(a.values) < n {
		a.values = make([]schemas.Value, 0, max(n, 2*cap(a.values), 64))
	}
	from := len(a.values)
	a.values = a.values[:from+n]
	l := a.values[from : from+n : from+n]
	clear(l)
	return l
}
