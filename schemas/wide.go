package schemas

import "math/bits"

// wide is a whole number below 2^127 in magnitude: enough for the 38 digits that ERPs' decimals have, without allocating.
type wide struct {
	hi, lo   uint64
	negative bool
}

// widePrecision is the most digits that always fit a wide.
const widePrecision = 38

func wideOf(n int64) wide { return wide{lo: magnitude(n), negative: n < 0} }

// wideOfBytes reads big-endian two's complement; not ok if it has more than 127 bits.
func wideOfBytes(b []byte) (wide, bool) {
	b = trimSign(b)
	if len(b) > 16 {
		return wide{}, false
	}
	var w wide
	if len(b) > 0 && b[0]&0x80 != 0 {
		w = wide{hi: ^uint64(0), lo: ^uint64(0), negative: true}
	}
	for _, c := range b {
		w.hi = w.hi<<8 | w.lo>>56
		w.lo = w.lo<<8 | uint64(c)
	}
	if w.negative {
		var borrow uint64
		w.lo, borrow = bits.Sub64(0, w.lo, 0)
		w.hi, _ = bits.Sub64(0, w.hi, borrow)
	}
	return w, w.hi>>63 == 0
}

// trimSign drops leading bytes that only repeat the sign.
func trimSign(b []byte) []byte {
	for len(b) > 1 && (b[0] == 0 && b[1]&0x80 == 0 || b[0] == 0xff && b[1]&0x80 != 0) {
		b = b[1:]
	}
	return b
}

// int64 is w if it fits.
func (w wide) int64() (int64, bool) {
	if w.hi != 0 {
		return 0, false
	}
	return signed(w.lo, w.negative)
}

// scaleUp is w × 10^by if that is below 2^127.
func (w wide) scaleUp(by int) (wide, bool) {
	if w.hi|w.lo == 0 {
		return w, true
	}
	for by > 0 {
		step := min(by, len(pow10)-1)
		by -= step
		over, hi := bits.Mul64(w.hi, pow10[step])
		carry, lo := bits.Mul64(w.lo, pow10[step])
		hi, c := bits.Add64(hi, carry, 0)
		if over|c != 0 || hi>>63 != 0 {
			return wide{}, false
		}
		w.hi, w.lo = hi, lo
	}
	return w, true
}

// scaleDown is w ÷ 10^by and whether nothing was left over.
func (w wide) scaleDown(by int) (wide, bool) {
	for by > 0 {
		step := min(by, len(pow10)-1)
		by -= step
		d := pow10[step]
		hi, rest := w.hi/d, w.hi%d
		lo, rest := bits.Div64(rest, w.lo, d)
		if rest != 0 {
			return wide{}, false
		}
		w.hi, w.lo = hi, lo
	}
	return w, true
}

// below says whether the magnitude of w is less than that of limit.
func (w wide) below(limit wide) bool {
	return w.hi < limit.hi || w.hi == limit.hi && w.lo < limit.lo
}

// widePow10 is 10^n, n ≤ widePrecision.
func widePow10(n int) wide {
	w, _ := wideOf(1).scaleUp(n)
	return w
}

// reduced drops zeros from the end of the fraction of a number that does not fit an int64, and gives it as an int64 if it does
// then. NAV keeps 12.50 with 20 digits after the point, which needs 71 bits, and all that is calculated with it stays on the
// fast path when it is 12.5 again.
func (w wide) reduced(scale int) (n int64, left int, ok bool) {
	for _, step := range [...]int{16, 8, 4, 2, 1} {
		for scale >= step {
			q, exact := w.scaleDown(step)
			if !exact {
				break
			}
			w, scale = q, scale-step
		}
	}
	n, ok = w.int64()
	return n, scale, ok
}
